//! The notes, tempos and meters of a MIDI file on the grid of the tokens: MidiTok's reading and preprocessing, step by step.
//!
//! The order of its steps is part of the definition: rounding to the file's finest beat, moving meters to bar lines, rounding
//! to the beat of each meter, then choosing the nearest duration, velocity and tempo that has a token.

use std::collections::BTreeMap;

use super::vocabulary::{DRUMS, POSITIONS, durations, meters, tempos, velocities};
use crate::export::smf::{Grid, MidiFile, Track};

const DRUM_CHANNEL: u8 = 9;

/// Music in ticks of the tokens' own.
#[derive(Debug)]
pub(super) struct Quantized {
    /// Ticks per quarter note.
    pub(super) per_quarter: u32,
    /// The first at 0.
    pub(super) meters: Vec<Meter>,
    /// Tick and index among the tokens' tempos; the first at 0.
    pub(super) tempos: Vec<(u32, usize)>,
    /// One for each program that plays.
    pub(super) parts: Vec<Part>,
}

/// A meter, from a tick on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Meter {
    pub(super) tick: u32,
    pub(super) numerator: u8,
    pub(super) denominator: u8,
}

/// What a program plays, by onset and pitch.
#[derive(Debug, Default)]
pub(super) struct Part {
    /// 0 to 127, or [`DRUMS`].
    pub(super) program: i16,
    pub(super) notes: Vec<Note>,
}

/// A note. The order is that in which MidiTok sorts before it drops all but the first of the same onset and pitch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Note {
    pub(super) tick: u32,
    pub(super) pitch: u8,
    /// In ticks, then as an index among the tokens' durations.
    pub(super) duration: u32,
    /// MIDI velocity, then an index among the tokens' velocities.
    pub(super) velocity: u8,
}

impl Meter {
    pub(super) fn ticks_per_beat(self, per_quarter: u32) -> u32 {
        per_quarter * 4 / u32::from(self.denominator)
    }

    pub(super) fn ticks_per_bar(self, per_quarter: u32) -> u32 {
        self.ticks_per_beat(per_quarter) * u32::from(self.numerator)
    }

    fn is_same(self, other: Self) -> bool {
        (self.numerator, self.denominator) == (other.numerator, other.denominator)
    }
}

impl Quantized {
    pub(super) fn new(file: &MidiFile) -> Self {
        let mut known: Vec<(u64, u8, u8)> = file.meters.clone();
        known.retain(|&(_, numerator, denominator)| meters().any(|meter| meter == (numerator, denominator)));
        if known.first().is_none_or(|first| first.0 != 0) {
            known.insert(0, (0, 4, 4));
        }
        let finest = known.iter().map(|meter| u32::from(meter.2)).max().unwrap_or(4);
        let per_quarter = POSITIONS * finest / 4;
        let scale = f64::from(per_quarter) / f64::from(Grid::DIVISION);
        let meters = known.into_iter().map(|(tick, numerator, denominator)| {
            // Unlike all others, these ticks are cut, not rounded.
            Meter { tick: (tick as f64 * scale) as u32, numerator, denominator }
        });
        let meters = on_bar_lines(meters.collect(), per_quarter);
        let sections = Sections::new(&meters, per_quarter);
        let round = |tick: u64| (tick as f64 * scale).round() as u32;
        let tempos = file.tempos.iter().map(|&(tick, micros)| (sections.nearest(round(tick)), nearest_tempo(micros)));
        let mut parts = parts(&file.tracks);
        for part in &mut parts {
            part.quantize(round, &sections);
        }
        Self { per_quarter, tempos: changes(tempos.collect()), meters, parts }
    }
}

/// Moves meters to the next bar line, and drops those that change nothing or hold for no time.
fn on_bar_lines(all: Vec<Meter>, per_quarter: u32) -> Vec<Meter> {
    let mut kept: Vec<Meter> = Vec::with_capacity(all.len());
    for mut meter in all {
        if let Some(&last) = kept.last() {
            if meter.is_same(last) {
                continue;
            }
            let bar = last.ticks_per_bar(per_quarter);
            meter.tick = last.tick + meter.tick.saturating_sub(last.tick).div_ceil(bar) * bar;
            if meter.tick == last.tick {
                kept.pop();
                if kept.last().is_some_and(|before| before.is_same(meter)) {
                    continue;
                }
            }
        }
        kept.push(meter);
    }
    kept
}

/// The last tempo on each tick, where it differs from the one before.
fn changes(all: Vec<(u32, usize)>) -> Vec<(u32, usize)> {
    let mut kept: Vec<(u32, usize)> = Vec::with_capacity(all.len());
    for tempo in all {
        kept.pop_if(|last| last.0 == tempo.0);
        kept.push(tempo);
    }
    kept.dedup_by_key(|tempo| tempo.1);
    kept
}

/// The grid of each stretch of time whose meters have one beat: where it begins and how many ticks a beat has.
struct Sections {
    begins: Vec<(u32, u32)>,
}

impl Sections {
    fn new(meters: &[Meter], per_quarter: u32) -> Self {
        let mut begins: Vec<_> = meters.iter().map(|meter| (meter.tick, meter.ticks_per_beat(per_quarter))).collect();
        begins.dedup_by_key(|section| section.1);
        Self { begins }
    }

    fn at(&self, tick: u32) -> (u32, u32) {
        self.begins[self.begins.partition_point(|section| section.0 <= tick).saturating_sub(1)]
    }

    /// The nearest position; of two, the even one. Where all meters have one beat, every tick is taken for one.
    fn nearest(&self, tick: u32) -> u32 {
        if self.begins.len() == 1 {
            return tick;
        }
        let (begin, ticks_per_beat) = self.at(tick);
        let step = ticks_per_beat / POSITIONS;
        begin + (f64::from(tick - begin) / f64::from(step)).round_ties_even() as u32 * step
    }

    /// The nearest duration that has a token, for a note at `tick`.
    fn duration(&self, tick: u32, duration: u32) -> usize {
        let (_, ticks_per_beat) = self.at(tick);
        nearest(durations().map(|(beats, step, steps)| f64::from((beats * steps + step) * ticks_per_beat / steps)), duration)
    }
}

fn nearest_tempo(micros: u32) -> usize {
    // Among durations of a quarter note, which fall as tempos rise.
    tempos().count() - 1 - nearest(tempos().rev().map(|tempo| 60e6 / f64::from(tempo)), micros)
}

/// The index of the value nearest to `wanted` in a rising list; of two, the higher.
fn nearest(values: impl Iterator<Item = f64>, wanted: u32) -> usize {
    let wanted = f64::from(wanted);
    let mut best = (0, f64::INFINITY);
    for (index, value) in values.enumerate() {
        let distance = (value - wanted).abs();
        if distance > best.1 {
            break;
        }
        best = (index, distance);
    }
    best.0
}

impl Part {
    fn quantize(&mut self, round: impl Fn(u64) -> u32, sections: &Sections) {
        for note in &mut self.notes {
            let tick = sections.nearest(round(note.tick.into()));
            let duration = sections.duration(tick, round(note.duration.into()).max(1));
            let velocity = nearest(velocities().map(f64::from), note.velocity.into());
            *note = Note { tick, duration: duration as u32, velocity: velocity as u8, ..*note };
        }
        self.notes.sort_unstable();
        self.notes.dedup_by_key(|note| (note.tick, note.pitch));
    }
}

/// What each program plays, in the file's ticks, in the order in which the programs first appear.
fn parts(tracks: &[Track]) -> Vec<Part> {
    let mut parts: Vec<Part> = Vec::new();
    for part in tracks.iter().flat_map(read) {
        match parts.iter_mut().find(|known| known.program == part.program) {
            Some(known) => known.notes.extend(part.notes),
            None => parts.push(part),
        }
    }
    parts
}

/// What a track plays, by program: a note belongs to the program at its begin, and a release ends the earliest strike of its
/// key, as symusic 0.6 reads files. Every note of ours has an end.
fn read(track: &Track) -> Vec<Part> {
    let mut parts: BTreeMap<i16, Vec<Note>> = BTreeMap::new();
    let mut sounding: Vec<(i16, Note)> = Vec::new();
    let mut program = 0;
    for message in &track.messages {
        let tick = message.tick as u32;
        match *message.bytes {
            [status @ 0x90..=0x9F, pitch, velocity @ 1..=127] => {
                let part = if status & 0x0F == DRUM_CHANNEL { DRUMS } else { program };
                sounding.push((part, Note { tick, pitch, duration: 0, velocity }));
            }
            [0x80..=0x9F, pitch, _] => {
                if let Some(first) = sounding.iter().position(|(_, note)| note.pitch == pitch) {
                    let (part, note) = sounding.remove(first);
                    parts.entry(part).or_default().push(Note { duration: tick - note.tick, ..note });
                }
            }
            [0xC0..=0xCF, number] => program = i16::from(number),
            _ => {}
        }
    }
    parts.into_iter().map(|(program, notes)| Part { program, notes }).collect()
}
