//! Notes out of note-on and note-off messages, with the sustain pedal.

use super::{Note, events};
use crate::store::layout::MidiRow;

/// Controllers and channel modes of MIDI 1.0.
const SUSTAIN: u8 = 64;
const ALL_SOUND_OFF: u8 = 120;
const RESET_ALL_CONTROLLERS: u8 = 121;
/// All notes off, and the four modes that say it too.
const ALL_NOTES_OFF: std::ops::RangeInclusive<u8> = 123..=127;

/// From this value on a pedal is down.
const PEDAL_DOWN: u8 = 64;

/// The release velocity where none is stated.
const RELEASE: u8 = 64;

/// The notes that `rows` play, in order of their onsets. What still sounds at one of the `breaks`, or at `length`, the take's end,
/// ends there.
pub(super) fn notes(rows: &[MidiRow], breaks: &[u64], length: u64) -> Vec<Note> {
    let mut keyboard = Keyboard { notes: Vec::new(), channels: [Channel { pedal: false, keys: [Key::Up; 128] }; 16] };
    let mut breaks = breaks.iter().filter(|at| **at < length).copied().peekable();
    for row in rows.iter().filter(|row| events::length(row).is_some()) {
        while let Some(at) = breaks.next_if(|at| *at <= row.sample) {
            keyboard.forget(at);
        }
        keyboard.play(row);
    }
    breaks.chain([length]).for_each(|at| keyboard.forget(at));
    keyboard.notes
}

struct Keyboard {
    /// Every note so far; those that sound have no duration yet.
    notes: Vec<Note>,
    channels: [Channel; 16],
}

#[derive(Clone, Copy)]
struct Channel {
    /// The sustain pedal is down.
    pedal: bool,
    keys: [Key; 128],
}

/// A key, and the place of the note that it plays.
#[derive(Clone, Copy)]
enum Key {
    Up,
    Down {
        note: usize,
        /// The host's identity of the note; negative for none.
        id: i32,
        /// The note of this key that was cut off by this one.
        before: Option<usize>,
    },
    /// It is up, but the pedal lets the note sound.
    Ringing {
        note: usize,
    },
}

impl Keyboard {
    fn play(&mut self, row: &MidiRow) {
        let (sample, channel) = (row.sample, usize::from(row.status & 0x0F));
        match (row.status & 0xF0, row.data1, row.data2) {
            (0x90, _, 1..) => self.strike(channel, row),
            (0x90, key, 0) => self.lift(channel, usize::from(key), sample, row.note_id, RELEASE),
            (0x80, key, velocity) => self.lift(channel, usize::from(key), sample, row.note_id, velocity),
            (0xB0, SUSTAIN, value) => self.press_pedal(channel, sample, value >= PEDAL_DOWN),
            (0xB0, ALL_SOUND_OFF, _) => self.silence(channel, sample, false),
            (0xB0, RESET_ALL_CONTROLLERS, _) => self.press_pedal(channel, sample, false),
            (0xB0, mode, _) if ALL_NOTES_OFF.contains(&mode) => {
                (0..128).for_each(|key| self.lift(channel, key, sample, -1, RELEASE));
            }
            _ => {}
        }
    }

    fn strike(&mut self, channel: usize, row: &MidiRow) {
        let key = &mut self.channels[channel].keys[usize::from(row.data1)];
        let mut before = None;
        match *key {
            Key::Up => {}
            Key::Down { note, .. } => {
                self.notes[note].end(row.sample);
                before = Some(note);
            }
            Key::Ringing { note } => self.notes[note].fade(row.sample),
        }
        *key = Key::Down { note: self.notes.len(), id: row.note_id, before };
        self.notes.push(Note {
            onset: row.sample,
            duration: 0,
            sustained: 0,
            pitch: row.data1,
            velocity: row.data2,
            release_velocity: RELEASE,
            channel: channel as u8,
            track: 0,
            held: false,
            open: true,
        });
    }

    fn lift(&mut self, channel: usize, key: usize, sample: u64, id: i32, velocity: u8) {
        let Channel { pedal, keys } = &mut self.channels[channel];
        let Key::Down { note, id: own, before } = &mut keys[key] else { return };
        if id >= 0 && *own >= 0 && id != *own {
            // It ends a note that was cut off already.
            return;
        }
        let ended = if self.notes[*note].onset == sample { before.take() } else { None };
        // Hosts may send the end of a note after the begin of the next one on the same key and sample.
        let place = ended.unwrap_or(*note);
        self.notes[place].open = false;
        self.notes[place].release_velocity = velocity;
        if ended.is_none() {
            self.notes[place].end(sample);
            keys[key] = if *pedal { Key::Ringing { note: place } } else { Key::Up };
        }
    }

    fn press_pedal(&mut self, channel: usize, sample: u64, down: bool) {
        let Channel { pedal, keys } = &mut self.channels[channel];
        if *pedal && !down {
            for key in keys {
                if let Key::Ringing { note } = *key {
                    self.notes[note].fade(sample);
                    *key = Key::Up;
                }
            }
        }
        *pedal = down;
    }

    /// Nobody knows what was played from here on: keys and pedals are up.
    fn forget(&mut self, sample: u64) {
        for channel in 0..16 {
            self.silence(channel, sample, true);
            self.channels[channel].pedal = false;
        }
    }

    /// Ends what sounds, whatever the pedal does. Notes whose keys are down stay open if `open`.
    fn silence(&mut self, channel: usize, sample: u64, open: bool) {
        for key in &mut self.channels[channel].keys {
            match std::mem::replace(key, Key::Up) {
                Key::Up => {}
                Key::Down { note, .. } => {
                    self.notes[note].end(sample);
                    self.notes[note].open = open;
                }
                Key::Ringing { note } => self.notes[note].fade(sample),
            }
        }
    }
}

impl Note {
    /// Its key goes up.
    fn end(&mut self, sample: u64) {
        self.duration = sample.saturating_sub(self.onset);
        self.sustained = self.duration;
    }

    /// It sounds no more, some time after its key went up.
    fn fade(&mut self, sample: u64) {
        self.sustained = sample.saturating_sub(self.onset);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LENGTH: u64 = 1000;

    /// `(sample, bytes)` as rows.
    fn rows(messages: &[(u64, [u8; 3])]) -> Vec<MidiRow> {
        let row = |&(sample, [status, data1, data2]): &(u64, [u8; 3])| MidiRow {
            sample,
            status,
            data1,
            data2,
            kind: 0,
            note_id: -1,
            value: 0.0,
            sysex_offset: 0,
            sysex_length: 0,
        };
        messages.iter().map(row).collect()
    }

    /// Onset, duration, sustained duration, and whether it is open, of every note.
    fn play(messages: &[(u64, [u8; 3])]) -> Vec<(u64, u64, u64, bool)> {
        play_with(messages, &[])
    }

    fn play_with(messages: &[(u64, [u8; 3])], breaks: &[u64]) -> Vec<(u64, u64, u64, bool)> {
        let notes = notes(&rows(messages), breaks, LENGTH);
        notes.iter().map(|note| (note.onset, note.duration, note.sustained, note.open)).collect()
    }

    const ON: [u8; 3] = [0x90, 60, 100];
    const OFF: [u8; 3] = [0x80, 60, 30];
    const PEDAL: [u8; 3] = [0xB0, 64, 64];
    const NO_PEDAL: [u8; 3] = [0xB0, 64, 63];

    #[test]
    fn a_note_lasts_from_on_to_off() {
        let note = notes(&rows(&[(10, [0x93, 60, 100]), (40, [0x83, 60, 30])]), &[], LENGTH)[0];
        let expected = Note {
            onset: 10,
            duration: 30,
            sustained: 30,
            pitch: 60,
            velocity: 100,
            release_velocity: 30,
            channel: 3,
            track: 0,
            held: false,
            open: false,
        };
        assert_eq!(note, expected);
    }

    #[test]
    fn note_on_without_velocity_is_note_off_with_the_standard_release() {
        let notes = notes(&rows(&[(10, ON), (40, [0x90, 60, 0])]), &[], LENGTH);
        assert_eq!((notes[0].duration, notes[0].release_velocity, notes[0].open), (30, 64, false));
        assert_eq!(notes.len(), 1);
    }

    #[test]
    fn a_note_off_without_its_note_is_passed_over() {
        assert_eq!(
            play(&[(5, OFF), (10, ON), (20, [0x81, 60, 0]), (20, [0x80, 61, 0]), (40, OFF), (50, OFF)]),
            [(10, 30, 30, false)]
        );
    }

    #[test]
    fn the_same_key_struck_again_ends_the_note_before() {
        assert_eq!(play(&[(10, ON), (40, ON), (70, OFF)]), [(10, 30, 30, true), (40, 30, 30, false)]);
    }

    #[test]
    fn a_note_off_that_comes_after_the_next_note_on_ends_the_note_before() {
        assert_eq!(play(&[(10, ON), (40, ON), (40, OFF), (70, OFF)]), [(10, 30, 30, false), (40, 30, 30, false)]);
    }

    #[test]
    fn a_note_may_end_where_it_begins() {
        assert_eq!(play(&[(10, ON), (10, OFF), (20, ON), (30, OFF)]), [(10, 0, 0, false), (20, 10, 10, false)]);
        assert_eq!(play(&[(5, ON), (10, ON), (10, OFF), (10, OFF)]), [(5, 5, 5, false), (10, 0, 0, false)]);
    }

    #[test]
    fn a_note_off_that_names_another_note_is_passed_over() {
        let mut rows = rows(&[(10, ON), (20, ON), (30, OFF), (40, OFF)]);
        rows.iter_mut().zip([1, 2, 1, 2]).for_each(|(row, id)| row.note_id = id);
        let durations: Vec<_> = notes(&rows, &[], LENGTH).iter().map(|note| note.duration).collect();
        assert_eq!(durations, [10, 20]);
    }

    #[test]
    fn what_sounds_at_the_end_is_open_and_ends_there() {
        assert_eq!(play(&[(10, ON)]), [(10, 990, 990, true)]);
        assert_eq!(play(&[(10, PEDAL), (10, ON), (20, OFF)]), [(10, 10, 990, false)]);
    }

    #[test]
    fn the_pedal_lets_notes_sound_until_it_is_lifted() {
        assert_eq!(play(&[(5, PEDAL), (10, ON), (40, OFF), (70, NO_PEDAL)]), [(10, 30, 60, false)]);
        assert_eq!(play(&[(10, ON), (20, PEDAL), (40, OFF), (50, PEDAL), (70, NO_PEDAL)]), [(10, 30, 60, false)]);
        assert_eq!(play(&[(10, ON), (20, PEDAL), (30, NO_PEDAL), (40, OFF)]), [(10, 30, 30, false)]);
        assert_eq!(
            play(&[(10, ON), (20, PEDAL), (30, NO_PEDAL), (30, PEDAL), (40, OFF), (60, [0xB0, 121, 0])]),
            [(10, 30, 50, false)]
        );
    }

    #[test]
    fn the_pedal_is_that_of_its_channel() {
        assert_eq!(play(&[(5, [0xB1, 64, 127]), (10, ON), (40, OFF)]), [(10, 30, 30, false)]);
    }

    #[test]
    fn a_key_that_rings_ends_where_it_is_struck_again() {
        let notes = play(&[(5, PEDAL), (10, ON), (20, OFF), (40, ON), (50, OFF), (60, NO_PEDAL)]);
        assert_eq!(notes, [(10, 10, 30, false), (40, 10, 20, false)]);
    }

    #[test]
    fn all_notes_off_lifts_the_keys_and_all_sound_off_the_pedal_too() {
        for mode in [123, 124, 125, 126, 127] {
            assert_eq!(play(&[(5, PEDAL), (10, ON), (40, [0xB0, mode, 0]), (60, NO_PEDAL)]), [(10, 30, 50, false)], "{mode}");
        }
        let silenced = play(&[(5, PEDAL), (10, ON), (20, OFF), (20, [0x90, 61, 1]), (40, [0xB0, 120, 0]), (60, NO_PEDAL)]);
        assert_eq!(silenced, [(10, 10, 30, false), (20, 20, 20, false)]);
    }

    #[test]
    fn a_break_ends_what_sounds_and_lifts_the_pedal() {
        assert_eq!(play_with(&[(10, ON), (70, OFF)], &[40, 60]), [(10, 30, 30, true)]);
        assert_eq!(play_with(&[(10, ON)], &[40, LENGTH, u64::MAX]), [(10, 30, 30, true)], "nothing is played after it");
        assert_eq!(play_with(&[(5, PEDAL), (10, ON), (20, OFF)], &[40]), [(10, 10, 30, false)]);
        assert_eq!(play_with(&[(5, PEDAL), (50, ON), (60, OFF)], &[40]), [(50, 10, 10, false)]);
        assert_eq!(play_with(&[(40, ON), (70, OFF)], &[40]), [(40, 30, 30, false)], "what begins with the break's end is whole");
    }

    #[test]
    fn a_mode_leaves_other_channels_alone() {
        assert_eq!(play(&[(10, ON), (20, [0xB1, 123, 0]), (20, [0xB1, 120, 0]), (40, OFF)]), [(10, 30, 30, false)]);
    }
}
