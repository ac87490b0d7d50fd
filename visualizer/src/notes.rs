//! The notes that were played of late, put together from MIDI messages that may come out of order.

use std::collections::VecDeque;

use crate::source::MidiMessage;

/// The most notes that are kept.
const MAX_NOTES: usize = 4_096;
/// The most note ends that wait for their begin.
const MAX_ENDS: usize = 256;

/// One note.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Note {
    /// Its number in the order in which notes came, from 0.
    pub number: u64,
    /// MIDI channel, 0 to 15.
    pub channel: u8,
    /// MIDI key, 0 to 127; 69 is A4.
    pub key: u8,
    /// 1 to 127.
    pub velocity: u8,
    /// Where it begins, in samples.
    pub start: u64,
    /// Where it ends; `None` while it sounds.
    pub end: Option<u64>,
}

#[derive(Clone, Copy, Debug)]
struct End {
    channel: u8,
    key: u8,
    at: u64,
}

/// The notes of a stream.
#[derive(Clone, Debug, Default)]
pub struct Notes {
    notes: VecDeque<Note>,
    ends: VecDeque<End>,
    next: u64,
}

impl Notes {
    /// The notes, in the order in which they came.
    pub fn iter(&self) -> impl Iterator<Item = &Note> {
        self.notes.iter()
    }

    /// Takes in a message; those that are no notes change nothing.
    pub fn push(&mut self, message: MidiMessage) {
        let at = message.position.0;
        let [status, key, value] = message.bytes;
        let channel = status & 0x0F;
        match (status & 0xF0, key, value) {
            (0x90, key, 1..) => {
                self.begin(Note { number: self.next, channel, key: key & 0x7F, velocity: value & 0x7F, start: at, end: None });
            }
            (0x80 | 0x90, key, _) => self.finish(End { channel, key: key & 0x7F, at }),
            // All sound off, all notes off.
            (0xB0, 120 | 123, _) => {
                let sounding =
                    self.notes.iter_mut().filter(|note| note.channel == channel && note.end.is_none() && note.start <= at);
                sounding.for_each(|note| note.end = Some(at));
            }
            _ => {}
        }
    }

    /// Forgets what ended before `position`.
    pub fn forget_before(&mut self, position: u64) {
        self.notes.retain(|note| note.end.is_none_or(|end| end >= position));
        self.ends.retain(|end| end.at >= position);
    }

    fn begin(&mut self, mut note: Note) {
        let same = |channel, key| channel == note.channel && key == note.key;
        if self.notes.iter().any(|other| same(other.channel, other.key) && other.start == note.start) {
            // It came in a preview before it came in its entry.
            return;
        }
        // A key that is struck again ends the note before.
        let before = self.notes.iter_mut().filter(|other| same(other.channel, other.key) && other.start <= note.start);
        if let Some(before) = before.max_by_key(|other| other.start)
            && before.end.is_none_or(|end| end > note.start)
        {
            before.end = Some(note.start);
        }
        let after = self.ends.iter().filter(|end| same(end.channel, end.key) && end.at >= note.start).map(|end| end.at);
        note.end = after.min();
        if self.notes.len() == MAX_NOTES {
            self.notes.pop_front();
        }
        self.notes.push_back(note);
        self.next += 1;
    }

    fn finish(&mut self, end: End) {
        let sounding =
            self.notes.iter_mut().filter(|note| note.channel == end.channel && note.key == end.key && note.start <= end.at);
        if let Some(note) = sounding.max_by_key(|note| note.start) {
            note.end = Some(note.end.map_or(end.at, |known| known.min(end.at)));
        }
        // Its begin may still come, later than its end.
        if self.ends.len() == MAX_ENDS {
            self.ends.pop_front();
        }
        self.ends.push_back(end);
    }
}

#[cfg(test)]
mod tests {
    use send_learn_protocol::units::SamplePosition;

    use super::*;

    fn message(position: u64, bytes: [u8; 3]) -> MidiMessage {
        MidiMessage { position: SamplePosition(position), bytes }
    }

    fn notes(messages: &[MidiMessage]) -> Vec<Note> {
        let mut notes = Notes::default();
        messages.iter().for_each(|message| notes.push(*message));
        let mut notes: Vec<_> = notes.iter().copied().collect();
        notes.sort_by_key(|note| (note.start, note.channel));
        notes.iter_mut().for_each(|note| note.number = 0);
        notes
    }

    #[test]
    fn a_note_that_comes_again_is_the_same() {
        let messages = [message(0, [0x90, 60, 100]), message(100, [0x80, 60, 0])];
        let again = [messages[0], messages[1], messages[0], messages[1]];
        assert_eq!(notes(&again), notes(&messages));
    }

    #[test]
    fn any_order_of_arrival_gives_the_same_notes() {
        let messages = [
            message(0, [0x90, 60, 100]),
            message(100, [0x80, 60, 0]),
            message(150, [0x90, 60, 90]),
            message(200, [0x90, 60, 0]),
            message(150, [0x91, 60, 80]),
        ];
        let expected = notes(&messages);
        assert_eq!(expected.iter().map(|note| note.end).collect::<Vec<_>>(), [Some(100), Some(200), None]);
        let mut order = messages;
        for first in 0..order.len() {
            for second in 0..order.len() {
                order.swap(first, second);
                assert_eq!(notes(&order), expected, "{order:?}");
            }
        }
    }

    #[test]
    fn a_key_struck_again_ends_the_note_before() {
        let found = notes(&[message(0, [0x90, 60, 100]), message(50, [0x90, 60, 100])]);
        assert_eq!(found[0].end, Some(50));
        assert_eq!(found[1].end, None);
    }

    #[test]
    fn all_notes_off_ends_the_notes_of_its_channel() {
        let found = notes(&[message(0, [0x90, 60, 9]), message(0, [0x91, 64, 9]), message(9, [0xB0, 123, 0])]);
        assert_eq!((found[0].end, found[1].end), (Some(9), None));
    }

    #[test]
    fn memory_stays_bounded() {
        let mut notes = Notes::default();
        for at in 0..20_000 {
            notes.push(message(at, [0x90, (at % 128) as u8, 100]));
            notes.push(message(at + 1, [0x80, (at % 128) as u8, 0]));
        }
        assert!(notes.notes.len() <= MAX_NOTES && notes.ends.len() <= MAX_ENDS);
        notes.forget_before(u64::MAX);
        assert!(notes.notes.is_empty() && notes.ends.is_empty());
    }
}
