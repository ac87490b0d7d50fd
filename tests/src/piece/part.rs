//! One part of the piece: what a player does, at ticks.

use midly::num::u14;
use midly::{MetaMessage, MidiMessage, PitchBend, Track, TrackEventKind};

use super::{data, in_time, message};

/// Ticks per quarter note.
pub(super) const BEAT: u32 = 480;

/// Release velocity of every note: the middle, as keyboards without a sensor for it send.
const RELEASE: u8 = 64;

/// A part on a channel.
pub(super) struct Part {
    channel: u8,
    name: &'static [u8],
    /// Tick, place among the events of that tick (ends of notes first), event.
    events: Vec<(u32, u8, TrackEventKind<'static>)>,
}

impl Part {
    pub(super) fn new(channel: u8, name: &'static [u8]) -> Self {
        Self { channel, name, events: Vec::new() }
    }

    fn add(&mut self, tick: u32, place: u8, what: MidiMessage) {
        self.events.push((tick, place, message(self.channel, what)));
    }

    /// A note of `length` ticks.
    pub(super) fn note(&mut self, tick: u32, length: u32, key: u8, velocity: u8) {
        self.add(tick, 2, MidiMessage::NoteOn { key: data(key), vel: data(velocity) });
        self.add(tick + length, 0, MidiMessage::NoteOff { key: data(key), vel: data(RELEASE) });
    }

    /// Program, volume and pan.
    pub(super) fn sound(&mut self, tick: u32, program: u8, volume: u8, pan: u8) {
        self.add(tick, 1, MidiMessage::ProgramChange { program: data(program) });
        self.control(tick, 7, volume);
        self.control(tick, 10, pan);
    }

    /// A controller's value.
    pub(super) fn control(&mut self, tick: u32, controller: u8, value: u8) {
        self.add(tick, 1, MidiMessage::Controller { controller: data(controller), value: data(value) });
    }

    /// A controller's way from one value to another, eight steps to a beat.
    pub(super) fn swell(&mut self, controller: u8, from: u32, to: u32, low: u8, high: u8) {
        let steps = ((to - from) / (BEAT / 8)).max(1);
        for step in 0..=steps {
            let value = i64::from(low) + (i64::from(high) - i64::from(low)) * i64::from(step) / i64::from(steps);
            self.control(from + (to - from) * step / steps, controller, value as u8);
        }
    }

    /// Pitch bend, 0 to 16,383 with 8,192 as its middle.
    pub(super) fn bend(&mut self, tick: u32, value: u16) {
        self.add(tick, 1, MidiMessage::PitchBend { bend: PitchBend(u14::new(value.min(16_383))) });
    }

    /// Pressure on the whole channel.
    pub(super) fn channel_pressure(&mut self, tick: u32, pressure: u8) {
        self.add(tick, 1, MidiMessage::ChannelAftertouch { vel: data(pressure) });
    }

    /// Pressure on one key.
    pub(super) fn key_pressure(&mut self, tick: u32, key: u8, pressure: u8) {
        self.add(tick, 1, MidiMessage::Aftertouch { key: data(key), vel: data(pressure) });
    }

    /// The part as a track.
    pub(super) fn track(mut self) -> Track<'static> {
        self.events.sort_by_key(|(tick, place, _)| (*tick, *place));
        let end = self.events.last().map_or(0, |(tick, ..)| *tick);
        let mut all = vec![(0, TrackEventKind::Meta(MetaMessage::TrackName(self.name)))];
        all.extend(self.events.into_iter().map(|(tick, _, kind)| (tick, kind)));
        all.push((end, TrackEventKind::Meta(MetaMessage::EndOfTrack)));
        in_time(all)
    }
}
