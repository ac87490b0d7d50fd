//! MIDI, automation and transport as CLAP events, and back.

use std::ops::Range;

use clack_host::events::event_types::*;
use clack_host::events::io::{OutputEventBuffer, TryPushError};
use clack_host::events::spaces::CoreEventSpace;
use clack_host::events::{EventFlags, Pckn};
use clack_host::prelude::*;
use clack_host::utils::{BeatTime, SecondsTime};

use super::{Music, clap_id};
use crate::score::{Event, Score};

/// All events of the block, in the order of time; at one sample transport first, then automation, then MIDI.
pub(super) fn of_block(music: &Music, block: Range<u64>) -> EventBuffer {
    let offset = |sample: u64| (sample - block.start) as u32;
    let mut changes = Vec::new();
    let mut midi: &[Event] = &[];
    if let Some(score) = &music.score {
        // The change at the block's own first sample is told by the block's transport.
        changes =
            within(&score.changes, block.start + 1..block.end, |change| change.sample).iter().map(|change| change.sample).collect();
        midi = within(&score.events, block.clone(), |event| event.sample);
    }
    let automation = within(&music.automation, block.clone(), |point| point.sample);

    let mut samples: Vec<u64> = changes.clone();
    samples.extend(automation.iter().map(|point| point.sample));
    samples.extend(midi.iter().map(|event| event.sample));
    samples.sort_unstable();
    samples.dedup();

    let mut buffer = EventBuffer::new();
    for sample in samples {
        if let (Some(score), true) = (&music.score, changes.contains(&sample)) {
            buffer.push(&transport(score, sample, offset(sample)));
        }
        for point in automation.iter().filter(|point| point.sample == sample) {
            if let Some(id) = clap_id(point.parameter) {
                buffer.push(&ParamValueEvent::new(offset(sample), id, Pckn::match_all(), point.value));
            }
        }
        for event in midi.iter().filter(|event| event.sample == sample) {
            push_midi(&mut buffer, offset(sample), &event.bytes);
        }
    }
    buffer
}

/// The part of `sorted` that lies in `samples`.
fn within<T>(sorted: &[T], samples: Range<u64>, sample: impl Fn(&T) -> u64) -> &[T] {
    let from = sorted.partition_point(|item| sample(item) < samples.start);
    let to = sorted.partition_point(|item| sample(item) < samples.end);
    &sorted[from..to.max(from)]
}

/// Notes as notes, which is what hosts send to a plugin that takes both; everything else as MIDI.
fn push_midi(buffer: &mut EventBuffer, time: u32, bytes: &[u8]) {
    let note = |status: u8, key: u8| Pckn::new(0u16, u16::from(status & 0x0F), u16::from(key), clack_host::events::Match::All);
    match *bytes {
        [status @ 0x90..=0x9F, key, velocity] if velocity > 0 => {
            buffer.push(&NoteOnEvent::new(time, note(status, key), f64::from(velocity) / 127.0));
        }
        [status @ 0x80..=0x9F, key, velocity] => {
            buffer.push(&NoteOffEvent::new(time, note(status, key), f64::from(velocity) / 127.0));
        }
        [0xF0, ..] => push_sysex(buffer, time, bytes),
        [status, ref data @ ..] if data.len() <= 2 => {
            let byte = |index: usize| data.get(index).copied().unwrap_or(0);
            buffer.push(&MidiEvent::new(time, 0, [status, byte(0), byte(1)]));
        }
        _ => {}
    }
}

#[allow(unsafe_code, reason = "a system exclusive event borrows its bytes as a bare pointer")]
fn push_sysex(buffer: &mut EventBuffer, time: u32, bytes: &[u8]) {
    // SAFETY: the bytes belong to the score, which outlives the block that the buffer is made for.
    buffer.push(&unsafe { MidiSysExEvent::new(time, 0, bytes) });
}

/// The transport at `sample`, rolling since sample 0.
pub(super) fn transport(score: &Score, sample: u64, time: u32) -> TransportEvent {
    let place = score.place(sample);
    TransportEvent {
        header: EventHeader::new_core(time, EventFlags::empty()),
        flags: TransportFlags::HAS_TEMPO
            | TransportFlags::HAS_BEATS_TIMELINE
            | TransportFlags::HAS_SECONDS_TIMELINE
            | TransportFlags::HAS_TIME_SIGNATURE
            | TransportFlags::IS_PLAYING,
        song_pos_beats: BeatTime::from_float(place.quarters),
        song_pos_seconds: SecondsTime::from_float(sample as f64 / f64::from(score.rate)),
        tempo: place.tempo,
        tempo_inc: 0.0,
        loop_start_beats: BeatTime::from_float(0.0),
        loop_end_beats: BeatTime::from_float(0.0),
        loop_start_seconds: SecondsTime::from_float(0.0),
        loop_end_seconds: SecondsTime::from_float(0.0),
        bar_start: BeatTime::from_float(place.bar_start),
        bar_number: place.bar,
        time_signature_numerator: place.meter.0,
        time_signature_denominator: place.meter.1,
    }
}

/// Takes the MIDI that the plugin sends while it processes one block. Each event is copied as it comes, because the bytes of
/// a system exclusive message are only there until the plugin's call returns.
pub(super) struct Listener<'a> {
    /// Where the block begins.
    pub(super) start: u64,
    /// What was heard so far.
    pub(super) heard: &'a mut Vec<Event>,
}

impl OutputEventBuffer for Listener<'_> {
    fn try_push(&mut self, event: &UnknownEvent) -> Result<(), TryPushError> {
        let sample = self.start + u64::from(event.header().time());
        if let Some(bytes) = event.as_core_event().and_then(|event| midi_bytes(&event)) {
            self.heard.push(Event { sample, bytes });
        }
        Ok(())
    }
}

fn midi_bytes(event: &CoreEventSpace<'_>) -> Option<Vec<u8>> {
    let seven_bits = |value: f64| (value * 127.0).round().clamp(0.0, 127.0) as u8;
    let message = |kind: u8, pckn: Pckn, value: f64| {
        vec![kind | (pckn.raw_channel() as u8 & 0x0F), pckn.raw_key() as u8 & 0x7F, seven_bits(value)]
    };
    match event {
        CoreEventSpace::NoteOn(note) => Some(message(0x90, note.pckn(), note.velocity())),
        CoreEventSpace::NoteOff(note) => Some(message(0x80, note.pckn(), note.velocity())),
        CoreEventSpace::NoteExpression(expression) if expression.expression_type() == Some(NoteExpressionType::Pressure) => {
            Some(message(0xA0, expression.pckn(), expression.value()))
        }
        CoreEventSpace::Midi(midi) => Some(trimmed(midi.data())),
        CoreEventSpace::MidiSysEx(sysex) => Some(sysex_bytes(sysex)),
        _ => None,
    }
}

/// A message without the bytes that CLAP adds to fill three.
fn trimmed(data: [u8; 3]) -> Vec<u8> {
    let length = if matches!(data[0] & 0xF0, 0xC0 | 0xD0) { 2 } else { 3 };
    data[..length].to_vec()
}

#[allow(unsafe_code, reason = "a system exclusive event borrows its bytes as a bare pointer")]
fn sysex_bytes(event: &MidiSysExEvent) -> Vec<u8> {
    // SAFETY: read within the call in which the plugin hands the event over; its bytes are valid that long.
    unsafe { event.data() }.to_vec()
}
