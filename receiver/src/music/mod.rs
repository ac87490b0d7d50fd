//! What a take plays: notes, controllers, tempo, meter and beats, each at its sample, and what follows from them (key,
//! polyphony, density, syncopation).
//!
//! A [`Score`] is made of a take's tables once; [`Score::window`] cuts a sequence's [`Music`] out of it. `spec/dataset.md` has
//! the definitions and their sources.

mod bars;
mod beats;
mod controls;
mod events;
mod key;
mod lanes;
mod measures;
mod moment;
mod notes;
mod rhythm;
mod score;
mod tempo;

use serde::Serialize;

pub use key::{Key, Mode, key};
pub use measures::Measures;
pub use score::Score;

/// A note.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Note {
    /// Where it begins, in samples; 0 in a [`Music`] for a note that was sounding before the window.
    pub onset: u64,
    /// How long the key was down, in samples; cut at the window's end in a [`Music`]. 0 in a held note that only the
    /// sustain pedal lets sound.
    pub duration: u64,
    /// How long it sounded with the sustain pedal applied, in samples, at least `duration`; cut as that.
    pub sustained: u64,
    /// MIDI key, 0 to 127; 60 is middle C.
    pub pitch: u8,
    /// MIDI velocity, 1 to 127.
    pub velocity: u8,
    /// Release velocity, 0 to 127; 64 where none was stated, as MIDI 1.0 has it.
    pub release_velocity: u8,
    /// MIDI channel, 0 to 15.
    pub channel: u8,
    /// Which of the sequence's note sources plays it; 0 for a take's own.
    pub track: u16,
    /// It was sounding before the window began.
    pub held: bool,
    /// No note-off came: it ends with the take, at a break, or where the same key was struck again.
    pub open: bool,
}

/// A change of anything but a note.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Control {
    /// From where it holds, in samples.
    pub sample: u64,
    /// What changes.
    pub kind: ControlKind,
    /// MIDI channel, 0 to 15.
    pub channel: u8,
    /// Controller number, key (of key pressure), or 0.
    pub number: u8,
    /// 0 to 1, in the resolution that the host gave; pitch bend -1 to 1; a program's number.
    pub value: f64,
    /// As [`Note::track`].
    pub track: u16,
}

/// What a [`Control`] changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ControlKind {
    /// A controller, 0 to 119: those above are channel mode messages, which stand in [`Music::events`] alone.
    Controller,
    /// Pitch bend.
    PitchBend,
    /// Channel pressure.
    ChannelPressure,
    /// Key pressure.
    KeyPressure,
    /// Program change.
    Program,
}

/// A tempo, from a sample on.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Tempo {
    /// From where it holds, in samples.
    pub sample: u64,
    /// Quarter notes per minute.
    pub tempo: f64,
}

/// A meter, from a sample on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Meter {
    /// From where it holds, in samples.
    pub sample: u64,
    /// Beats per bar.
    pub numerator: u16,
    /// Note value of a beat: 4 for quarter notes.
    pub denominator: u16,
}

/// A beat, from the playhead in quarter notes while it rolls.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Beat {
    /// Where it falls, rounded to the nearest sample.
    pub sample: u64,
    /// The playhead there, in quarter notes.
    pub ppq: f64,
    /// Bar number from 0, recomputed from playhead and meter.
    pub bar: i32,
    /// Beat within the bar from 0; 0 is the downbeat.
    pub beat: u16,
}

/// A MIDI message as it was played.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// Where it happens, in samples.
    pub sample: u64,
    /// The bytes of the message, system exclusive ones with F0 and F7.
    pub bytes: Vec<u8>,
    /// As [`Note::track`].
    pub track: u16,
}

/// The music of a window, or of a whole take. Positions are samples since its begin; every list is in order of them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Music {
    /// Notes whose onset lies in the window, and those that sound at its begin.
    pub notes: Vec<Note>,
    /// Controllers, bends, pressures and programs. At 0 stand the values that hold from before the window.
    pub controls: Vec<Control>,
    /// The tempo map; its first entry is at 0 where the host gave a tempo.
    pub tempos: Vec<Tempo>,
    /// The meter map; its first entry is at 0 where the host gave a meter.
    pub meters: Vec<Meter>,
    /// Beats while the playhead rolled.
    pub beats: Vec<Beat>,
    /// All MIDI messages in the window, as they were played. CLAP's note expressions are none.
    pub events: Vec<Event>,
    /// The playhead at the begin in quarter notes, where the host gave it.
    pub ppq: Option<f64>,
}

impl Music {
    /// Adds another stream's music over the same window, as note source `track`: its notes, controls and events. Tempo,
    /// meter and beats are taken from it only where this one has none.
    pub fn merge(&mut self, other: Music, track: u16) {
        let Music { notes, controls, tempos, meters, beats, events, ppq } = other;
        self.notes.extend(notes.into_iter().map(|note| Note { track, ..note }));
        self.controls.extend(controls.into_iter().map(|control| Control { track, ..control }));
        self.events.extend(events.into_iter().map(|event| Event { track, ..event }));
        // Stable: what falls on one sample stays in order of its sources.
        self.notes.sort_by_key(|note| note.onset);
        self.controls.sort_by_key(|control| control.sample);
        self.events.sort_by_key(|event| event.sample);
        fill(&mut self.tempos, tempos);
        fill(&mut self.meters, meters);
        fill(&mut self.beats, beats);
        self.ppq = self.ppq.or(ppq);
    }

    /// The same music counted in samples of another rate, `factor` times as many per second.
    #[must_use]
    pub fn at_rate(mut self, factor: f64) -> Self {
        if factor == 1.0 {
            return self;
        }
        let scale = |sample: &mut u64| *sample = (*sample as f64 * factor).round() as u64;
        for note in &mut self.notes {
            [&mut note.onset, &mut note.duration, &mut note.sustained].into_iter().for_each(scale);
        }
        self.controls.iter_mut().for_each(|control| scale(&mut control.sample));
        self.tempos.iter_mut().for_each(|tempo| scale(&mut tempo.sample));
        self.meters.iter_mut().for_each(|meter| scale(&mut meter.sample));
        self.beats.iter_mut().for_each(|beat| scale(&mut beat.sample));
        self.events.iter_mut().for_each(|event| scale(&mut event.sample));
        self
    }
}

fn fill<T>(own: &mut Vec<T>, other: Vec<T>) {
    if own.is_empty() {
        *own = other;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn music(onset: u64, tempo: f64) -> Music {
        let (duration, velocity, release_velocity) = (10, 64, 64);
        let note = Note {
            onset,
            duration,
            sustained: 10,
            pitch: 60,
            velocity,
            release_velocity,
            channel: 0,
            track: 0,
            held: false,
            open: false,
        };
        let control = Control { sample: onset, kind: ControlKind::PitchBend, channel: 0, number: 0, value: 0.0, track: 0 };
        let event = Event { sample: onset, bytes: vec![0xF8], track: 0 };
        let notes = vec![note, Note { onset: onset + 10, ..note }];
        Music { notes, controls: vec![control], tempos: vec![Tempo { sample: 0, tempo }], events: vec![event], ..Music::default() }
    }

    #[test]
    fn merged_music_is_in_order_and_names_its_sources() {
        let mut merged = music(5, 120.0);
        merged.merge(music(10, 90.0), 1);
        merged.merge(music(0, 60.0), 2);
        let notes: Vec<_> = merged.notes.iter().map(|note| (note.onset, note.track)).collect();
        assert_eq!(notes, [(0, 2), (5, 0), (10, 1), (10, 2), (15, 0), (20, 1)]);
        let controls: Vec<_> = merged.controls.iter().map(|control| (control.sample, control.track)).collect();
        let events: Vec<_> = merged.events.iter().map(|event| (event.sample, event.track)).collect();
        assert_eq!(
            (controls.as_slice(), events.as_slice()),
            ([(0, 2), (5, 0), (10, 1)].as_slice(), [(0, 2), (5, 0), (10, 1)].as_slice())
        );
        assert_eq!(merged.tempos, [Tempo { sample: 0, tempo: 120.0 }]);
    }

    #[test]
    fn tempo_and_beats_come_from_another_source_where_there_are_none() {
        let mut merged = Music::default();
        let beats = vec![Beat { sample: 3, ppq: 0.0, bar: 0, beat: 0 }];
        let meters = vec![Meter { sample: 0, numerator: 3, denominator: 4 }];
        merged.merge(Music { beats: beats.clone(), meters: meters.clone(), ..music(0, 90.0) }, 1);
        assert_eq!(merged.tempos, [Tempo { sample: 0, tempo: 90.0 }]);
        assert_eq!((merged.beats, merged.meters), (beats, meters));
    }
}
