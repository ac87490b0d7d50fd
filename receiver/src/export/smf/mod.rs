//! The music of a sequence as a Standard MIDI File (RP-001, format 1): what `midi+audio` writes and what `tokens` reads.
//!
//! Every message of the sequence stands in the file, at its sample ([`Grid`]). Three things that a MIDI file cannot say stand
//! in text events right before the message they are about: `sample N` gives the exact sample where ticks are too coarse for
//! it, `added` marks what was not played in the window, `message ..` holds bytes for which the format has no event.

mod bytes;
mod grid;
mod key;
mod tracks;

pub(crate) use grid::Grid;

use crate::music::{Beat, Meter};
use crate::sequences::Sequence;

/// A Standard MIDI File, not yet in bytes.
#[derive(Clone, Debug)]
pub(crate) struct MidiFile {
    /// The sequence's name.
    name: String,
    /// Its length in ticks.
    length: u64,
    /// Tempo map: tick, microseconds per quarter note; the first at 0.
    pub(crate) tempos: Vec<(u64, u32)>,
    /// Meter map: tick, numerator, denominator (a power of two).
    pub(crate) meters: Vec<(u64, u8, u8)>,
    /// Sharps (or flats, below 0), and whether it is minor.
    key: Option<(i8, bool)>,
    /// Tick and text: the bars as the host counts them.
    markers: Vec<(u64, String)>,
    /// One for each note source and channel.
    pub(crate) tracks: Vec<Track>,
}

/// The messages of one note source on one channel.
#[derive(Clone, Debug)]
pub(crate) struct Track {
    name: String,
    /// In order of ticks.
    pub(crate) messages: Vec<Message>,
}

/// An event of a track.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Message {
    /// Ticks since the begin.
    pub(crate) tick: u64,
    /// As in the file.
    pub(crate) bytes: Vec<u8>,
}

impl MidiFile {
    /// The file for `sequence`.
    pub(crate) fn new(sequence: &Sequence) -> Self {
        let (about, music) = (&sequence.about, &sequence.music);
        let grid = Grid::new(&music.tempos, about.sample_rate);
        Self {
            name: about.name.clone(),
            length: grid.tick(about.frames),
            tempos: grid.tempos().collect(),
            meters: meters(&music.meters, &grid),
            key: about.key.as_deref().and_then(key::signature),
            markers: bars(&music.beats, &grid),
            tracks: tracks::tracks(sequence, &grid),
        }
    }
}

/// The meters that the format can say: a numerator in a byte, a power of two as denominator. The last one on each tick.
fn meters(meters: &[Meter], grid: &Grid) -> Vec<(u64, u8, u8)> {
    let mut map: Vec<(u64, u8, u8)> = Vec::new();
    for meter in meters {
        let (Ok(numerator), Ok(denominator)) = (u8::try_from(meter.numerator), u8::try_from(meter.denominator)) else { continue };
        if numerator == 0 || !denominator.is_power_of_two() {
            continue;
        }
        let tick = grid.tick(meter.sample);
        map.pop_if(|last| last.0 == tick);
        map.push((tick, numerator, denominator));
    }
    map
}

fn bars(beats: &[Beat], grid: &Grid) -> Vec<(u64, String)> {
    let downbeats = beats.iter().filter(|beat| beat.beat == 0);
    downbeats.map(|beat| (grid.tick(beat.sample), format!("bar {}", beat.bar))).collect()
}
