//! The bytes of a Standard MIDI File.

use super::{Grid, MidiFile, Track};

const TEXT: u8 = 0x01;
const TRACK_NAME: u8 = 0x03;
const MARKER: u8 = 0x06;
const END_OF_TRACK: u8 = 0x2F;
const TEMPO: u8 = 0x51;
const METER: u8 = 0x58;
const KEY: u8 = 0x59;

/// The longest time between two events of a track, in ticks.
const MAX_DELTA: u64 = 0x0FFF_FFFF;

impl MidiFile {
    /// The file. Its first track has name, tempo, meter, key and markers, and is as long as the sequence.
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let mut file = b"MThd\0\0\0\x06\0\x01".to_vec();
        file.extend((self.tracks.len() as u16 + 1).to_be_bytes());
        file.extend(Grid::DIVISION.to_be_bytes());
        chunk(&mut file, self.conductor());
        for track in &self.tracks {
            chunk(&mut file, track.events());
        }
        file
    }

    fn conductor(&self) -> Events {
        let mut events = vec![(0, meta(TRACK_NAME, self.name.as_bytes()))];
        events.extend(self.key.map(|(sharps, minor)| (0, meta(KEY, &[sharps as u8, u8::from(minor)]))));
        events.extend(self.tempos.iter().map(|&(tick, micros)| (tick, meta(TEMPO, &micros.to_be_bytes()[1..]))));
        for &(tick, numerator, denominator) in &self.meters {
            // A click per beat, in MIDI clocks of 24 to the quarter note; eight 32nd notes to the quarter note.
            let click = (96 / denominator).max(1);
            events.push((tick, meta(METER, &[numerator, denominator.ilog2() as u8, click, 8])));
        }
        events.extend(self.markers.iter().map(|(tick, text)| (*tick, meta(MARKER, text.as_bytes()))));
        events.sort_by_key(|event| event.0);
        let mut track = Events::default();
        for (tick, bytes) in events {
            track.add(tick, &bytes);
        }
        track.wait(self.length);
        track
    }
}

impl Track {
    fn events(&self) -> Events {
        let mut track = Events::default();
        track.add(0, &meta(TRACK_NAME, self.name.as_bytes()));
        for message in &self.messages {
            track.add(message.tick, &message.bytes);
        }
        track
    }
}

/// The content of a track chunk.
#[derive(Default)]
struct Events {
    bytes: Vec<u8>,
    tick: u64,
    /// Ticks since the last event.
    delta: u64,
}

impl Events {
    fn add(&mut self, tick: u64, event: &[u8]) {
        self.wait(tick);
        self.put(event);
    }

    /// Lets time pass until `tick`, with empty texts where it is more than one event can wait.
    fn wait(&mut self, tick: u64) {
        self.delta += tick.saturating_sub(self.tick);
        self.tick = self.tick.max(tick);
        while self.delta > MAX_DELTA {
            let rest = self.delta - MAX_DELTA;
            self.delta = MAX_DELTA;
            self.put(&text(""));
            self.delta = rest;
        }
    }

    fn put(&mut self, event: &[u8]) {
        number(&mut self.bytes, self.delta as u32);
        self.bytes.extend(event);
        self.delta = 0;
    }
}

fn chunk(file: &mut Vec<u8>, mut events: Events) {
    events.put(&meta(END_OF_TRACK, &[]));
    file.extend(b"MTrk");
    file.extend((events.bytes.len() as u32).to_be_bytes());
    file.extend(events.bytes);
}

/// A text event.
pub(super) fn text(text: &str) -> Vec<u8> {
    meta(TEXT, text.as_bytes())
}

/// A system exclusive event for a message that begins with F0.
pub(super) fn exclusive(message: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0xF0];
    number(&mut bytes, message.len() as u32 - 1);
    bytes.extend(&message[1..]);
    bytes
}

fn meta(kind: u8, data: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0xFF, kind];
    number(&mut bytes, data.len() as u32);
    bytes.extend(data);
    bytes
}

/// Writes a variable-length quantity: seven bits to the byte, the highest first.
fn number(bytes: &mut Vec<u8>, value: u32) {
    for shift in [28, 21, 14, 7] {
        if value >> shift != 0 {
            bytes.push((value >> shift) as u8 | 0x80);
        }
    }
    bytes.push(value as u8 & 0x7F);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_those_of_the_standard() {
        let expected: [(u32, &[u8]); 6] = [
            (0, &[0]),
            (0x7F, &[0x7F]),
            (0x80, &[0x81, 0]),
            (0x2000, &[0xC0, 0]),
            (0x1F_FFFF, &[0xFF, 0xFF, 0x7F]),
            (0x0FFF_FFFF, &[0xFF, 0xFF, 0xFF, 0x7F]),
        ];
        for (value, encoded) in expected {
            let mut bytes = Vec::new();
            number(&mut bytes, value);
            assert_eq!(bytes, encoded, "{value:#x}");
        }
    }

    #[test]
    fn a_silence_of_hours_is_bridged_by_empty_texts() {
        let mut events = Events::default();
        events.add(2 * MAX_DELTA + 5, &[0x90, 60, 1]);
        let bridge = [0xFF, 0xFF, 0xFF, 0x7F, 0xFF, 0x01, 0];
        assert_eq!(events.bytes, [&bridge[..], &bridge[..], &[5, 0x90, 60, 1]].concat());
    }
}
