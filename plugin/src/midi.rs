//! MIDI between the host's API and the records.
//!
//! Over VST3 from JUCE hosts a system exclusive message comes without its frame of F0 and F7; the record always has it,
//! and the host gets back what it sent. Neither API has a way to send system common and real-time messages on but as
//! system exclusive data; they are recorded as messages.

use std::sync::atomic::{AtomicU64, Ordering};

use nice_plug::midi::{Channel, Key, VoiceID};
use nice_plug::prelude::{NoteEvent, SysExMessage};
use send_learn_protocol::record::MidiKind;

use crate::capture::Capture;

/// The longest system exclusive message that passes, in bytes. The API wants it in every event, so it cannot be large.
pub const MAX_SYSEX: usize = 1_024;

/// The number under which a choke is recorded among the note expressions, which CLAP numbers from 0.
pub const CHOKE: u8 = 255;

/// Stands for any key or channel in a note expression.
pub const ANY: u8 = 255;

static TOO_LONG: AtomicU64 = AtomicU64::new(0);

/// System exclusive messages longer than [`MAX_SYSEX`] that came to this process. They were neither recorded nor sent on.
pub fn too_long() -> u64 {
    TOO_LONG.load(Ordering::Relaxed)
}

/// Raw bytes from the host, as they came.
#[derive(Clone, PartialEq)]
pub struct RawMessage {
    len: u16,
    bytes: [u8; MAX_SYSEX],
}

impl std::fmt::Debug for RawMessage {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_tuple("RawMessage").field(&self.bytes()).finish()
    }
}

impl RawMessage {
    fn bytes(&self) -> &[u8] {
        &self.bytes[..usize::from(self.len)]
    }
}

impl SysExMessage for RawMessage {
    type Buffer = [u8; MAX_SYSEX];

    fn from_buffer(buffer: &[u8]) -> Option<Self> {
        let message = &buffer[..system_length(buffer).unwrap_or(buffer.len()).min(buffer.len())];
        if message.is_empty() || message.len() > MAX_SYSEX {
            TOO_LONG.fetch_add(u64::from(!message.is_empty()), Ordering::Relaxed);
            return None;
        }
        let mut bytes = [0; MAX_SYSEX];
        bytes[..message.len()].copy_from_slice(message);
        Some(Self { len: message.len() as u16, bytes })
    }

    fn as_buffer(&self) -> (Self::Buffer, usize) {
        (self.bytes, usize::from(self.len))
    }
}

/// Bytes of a system common or real-time message (MIDI 1.0, table 5); `None` for everything else.
fn system_length(bytes: &[u8]) -> Option<usize> {
    match *bytes.first()? {
        0xF1 | 0xF3 => Some(2),
        0xF2 => Some(3),
        0xF4..=0xFF => Some(1),
        _ => None,
    }
}

/// Puts one event of the host into the capture.
pub fn capture(capture: &mut Capture, event: &NoteEvent<RawMessage>) {
    let offset = event.timing();
    if let NoteEvent::MidiSysEx { message, .. } = event {
        return capture_raw(capture, offset, message.bytes());
    }
    if let Some((kind, bytes, value)) = convert(event) {
        let note_id = event.voice_id().and_then(|voice| voice.id()).unwrap_or(-1);
        capture.midi(offset, kind, bytes, note_id, value);
    }
}

fn capture_raw(capture: &mut Capture, offset: u32, bytes: &[u8]) {
    if system_length(bytes).is_some() {
        let mut message = [0; 3];
        message[..bytes.len()].copy_from_slice(bytes);
        return capture.midi(offset, MidiKind::Message, message, -1, 0.0);
    }
    let (mut framed, mut len) = ([0; MAX_SYSEX + 2], bytes.len());
    if bytes.first() == Some(&0xF0) {
        framed[..len].copy_from_slice(bytes);
    } else {
        framed[0] = 0xF0;
        framed[1..=len].copy_from_slice(bytes);
        len += 1;
    }
    if framed[len - 1] != 0xF7 {
        framed[len] = 0xF7;
        len += 1;
    }
    capture.sysex(offset, &framed[..len]);
}

/// Kind, bytes and value of an event that is not raw; `None` for those that only plugins send.
fn convert(event: &NoteEvent<RawMessage>) -> Option<(MidiKind, [u8; 3], f64)> {
    let message = |status: u8, channel: u8, data1: u8, data2: u8, value: f32| {
        Some((MidiKind::Message, [status | (channel & 0x0F), data1 & 0x7F, data2 & 0x7F], f64::from(value)))
    };
    let expression = |number: u8, key: &Key, channel: &Channel, value: f32| {
        let bytes = [number, key.number().unwrap_or(ANY), channel.number().unwrap_or(ANY)];
        Some((MidiKind::NoteExpression, bytes, f64::from(value)))
    };
    let (number, note) = (|channel: &Channel| channel.number().unwrap_or(0), |key: &Key| key.number().unwrap_or(0));
    match event {
        // A note on with velocity 0 would be a note off.
        NoteEvent::NoteOn { channel, key, velocity, .. } => {
            message(0x90, number(channel), note(key), seven_bits(*velocity).max(1), *velocity)
        }
        // "All notes", as only CLAP says it, is controller 123 in MIDI.
        NoteEvent::NoteOff { channel, key: Key::Wildcard, voice_id: VoiceID::Wildcard, .. } => {
            message(0xB0, number(channel), 123, 0, 0.0)
        }
        NoteEvent::NoteOff { channel, key, velocity, .. } => {
            message(0x80, number(channel), note(key), seven_bits(*velocity), *velocity)
        }
        NoteEvent::PolyPressure { channel, key, pressure, .. } => {
            message(0xA0, number(channel), note(key), seven_bits(*pressure), *pressure)
        }
        NoteEvent::MidiCC { channel, cc, value, .. } => message(0xB0, *channel, *cc, seven_bits(*value), *value),
        NoteEvent::MidiProgramChange { channel, program, .. } => message(0xC0, *channel, *program, 0, 0.0),
        NoteEvent::MidiChannelPressure { channel, pressure, .. } => message(0xD0, *channel, seven_bits(*pressure), 0, *pressure),
        NoteEvent::MidiPitchBend { channel, value, .. } => {
            let bend = (value * 16_383.0).round().clamp(0.0, 16_383.0) as u16;
            message(0xE0, *channel, (bend & 0x7F) as u8, (bend >> 7) as u8, *value)
        }
        NoteEvent::PolyVolume { channel, key, gain, .. } => expression(0, key, channel, *gain),
        // The framework says -1 to 1; CLAP, and the recording, 0 to 1.
        NoteEvent::PolyPan { channel, key, pan, .. } => expression(1, key, channel, (*pan + 1.0) / 2.0),
        NoteEvent::PolyTuning { channel, key, tuning, .. } => expression(2, key, channel, *tuning),
        NoteEvent::PolyVibrato { channel, key, vibrato, .. } => expression(3, key, channel, *vibrato),
        NoteEvent::PolyExpression { channel, key, expression: value, .. } => expression(4, key, channel, *value),
        NoteEvent::PolyBrightness { channel, key, brightness, .. } => expression(5, key, channel, *brightness),
        NoteEvent::Choke { channel, key, .. } => expression(CHOKE, key, channel, 0.0),
        _ => None,
    }
}

/// A value from 0 to 1 in seven bits. What a host made of seven bits comes back the same.
fn seven_bits(value: f32) -> u8 {
    (value * 127.0).round().clamp(0.0, 127.0) as u8
}

#[cfg(test)]
mod tests {
    use send_learn_protocol::record::EndReason;
    use send_learn_protocol::units::HostNanos;

    use super::*;
    use crate::capture::{CaptureConfig, Captured, Wanted};
    use crate::ring::CaptureEvent;
    use crate::transport::Observed;

    fn record(events: &[NoteEvent<RawMessage>]) -> Captured {
        let config = CaptureConfig { sample_rate: 48_000.0, channels: 0, max_block: 64, patient: false };
        let (mut audio, captured) = crate::capture::capture(config);
        audio.begin(64, HostNanos(1), &Observed::default(), Wanted::Captured);
        events.iter().for_each(|event| capture(&mut audio, event));
        audio.end::<&[f32]>(&[]);
        audio.finish(EndReason::Stopped);
        captured
    }

    fn messages(captured: &mut Captured) -> Vec<(MidiKind, [u8; 3])> {
        std::iter::from_fn(|| captured.ring.events.pop().ok())
            .filter_map(|event| match event {
                CaptureEvent::Midi(midi) => Some((midi.kind, midi.bytes)),
                _ => None,
            })
            .collect()
    }

    #[test]
    fn every_channel_message_comes_back_as_the_bytes_it_was() {
        let mut all = Vec::new();
        for status in [0x80_u8, 0x90, 0xA0, 0xB0, 0xE0] {
            for channel in [0, 9, 15] {
                for data in 0..=127_u8 {
                    all.push([status | channel, 127 - data, if status == 0x90 { data.max(1) } else { data }]);
                }
            }
        }
        all.extend((0..=127).flat_map(|data| [[0xC3, data, 0], [0xDF, data, 0]]));
        for chunk in all.chunks(512) {
            let events: Vec<_> = chunk.iter().map(|bytes| NoteEvent::from_midi(0, bytes).unwrap()).collect();
            let recorded: Vec<_> = messages(&mut record(&events)).into_iter().map(|(_, bytes)| bytes).collect();
            assert_eq!(recorded, chunk);
        }
    }

    #[test]
    fn every_pitch_bend_keeps_its_fourteen_bits() {
        for bend in 0..16_384_u16 {
            let bytes = [0xE1, (bend & 0x7F) as u8, (bend >> 7) as u8];
            let event = NoteEvent::<RawMessage>::from_midi(0, &bytes).unwrap();
            assert_eq!(convert(&event).unwrap().1, bytes);
        }
    }

    #[test]
    fn system_exclusive_is_recorded_framed_and_sent_on_as_it_came() {
        for raw in [&[0xF0, 0x7D, 1, 2, 0xF7][..], &[0x7D, 1, 2]] {
            let event = NoteEvent::<RawMessage>::from_midi(5, raw).unwrap();
            let NoteEvent::MidiSysEx { message, .. } = &event else { panic!("{event:?}") };
            let (buffer, len) = message.as_buffer();
            assert_eq!(&buffer[..len], raw);
            let mut captured = record(&[event]);
            let part = std::iter::from_fn(|| captured.ring.events.pop().ok()).find_map(|event| match event {
                CaptureEvent::Part(part) => Some(part),
                _ => None,
            });
            let part = part.unwrap();
            assert_eq!((part.position.0, &part.bytes[..usize::from(part.len)]), (5, &[0xF0, 0x7D, 1, 2, 0xF7][..]));
        }
    }

    #[test]
    fn a_clock_tick_is_a_message_of_one_byte() {
        let event = NoteEvent::<RawMessage>::from_midi(0, &[0xF8, 0, 0]).unwrap();
        let NoteEvent::MidiSysEx { message, .. } = &event else { panic!("{event:?}") };
        assert_eq!(message.bytes(), [0xF8]);
        assert_eq!(messages(&mut record(&[event])), [(MidiKind::Message, [0xF8, 0, 0])]);
    }

    #[test]
    fn what_is_too_long_is_counted() {
        let before = too_long();
        assert!(RawMessage::from_buffer(&[0xF0; MAX_SYSEX + 1]).is_none());
        assert_eq!(too_long(), before + 1);
    }

    #[test]
    fn a_pan_is_recorded_as_clap_says_it() {
        let (channel, key, voice_id) = (Channel::Number(0), Key::Number(60), VoiceID::Wildcard);
        let pan = |pan: f32| convert(&NoteEvent::PolyPan { timing: 0, voice_id, channel, key, pan }).unwrap().2;
        assert_eq!([pan(-1.0), pan(0.0), pan(1.0)], [0.0, 0.5, 1.0]);
    }

    #[test]
    fn a_wildcard_note_off_is_all_notes_off() {
        let (channel, key, voice_id) = (Channel::Number(2), Key::Wildcard, VoiceID::Wildcard);
        let event = NoteEvent::NoteOff { timing: 0, voice_id, channel, key, velocity: 0.0 };
        assert_eq!(messages(&mut record(&[event])), [(MidiKind::Message, [0xB2, 123, 0])]);
    }
}
