//! Syncopation and microtiming: where onsets stand in the bar.
//!
//! Syncopation is that of H. C. Longuet-Higgins and C. S. Lee, "The Rhythmic Interpretation of Monophonic Music", Music
//! Perception 1 (1984): a bar is divided until each part holds one note at its begin or none, a part weighs 0 for the whole
//! bar and 1 less at each level below, and a part without a note that outweighs the last note before it is a syncopation,
//! as strong as they differ. The onsets of all notes count as one rhythm.

use super::{Beat, Music};

/// The beats of a bar may differ in length by this factor; where they differ more, the playhead jumped.
const STEADY: u64 = 2;

/// Slots of the grid in a whole note.
const SIXTEENTHS: u16 = 16;

/// What onsets do on the grid of sixteenths, over all whole bars.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Rhythm {
    /// The strength of all syncopations, per beat.
    pub(super) syncopation: f64,
    /// Root mean square distance of onsets from their slots, in samples; none without onsets.
    pub(super) microtiming: Option<f64>,
}

impl Rhythm {
    /// The rhythm of all notes together. None without a whole bar.
    pub(super) fn of(music: &Music) -> Option<Self> {
        let onsets: Vec<f64> = music.notes.iter().filter(|note| !note.held).map(|note| note.onset as f64).collect();
        let (mut strength, mut beats, mut square, mut count) = (0, 0, 0.0, 0_u32);
        let mut last = LastNote::default();
        let mut end = None;
        for bar in bars(music) {
            if end != bar.slots.first().copied() {
                last = LastNote::default();
            }
            end = bar.slots.last().copied();
            let mut struck = vec![false; bar.slots.len() - 1];
            for (slot, distance) in bar.place(&onsets) {
                struck[slot] = true;
                square += distance * distance;
                count += 1;
            }
            strength += last.syncopation(&struck, &divisions(bar.beats, struck.len() / bar.beats), 0, 0);
            beats += bar.beats;
        }
        let microtiming = (count > 0).then(|| (square / f64::from(count)).sqrt());
        (beats > 0).then(|| Self { syncopation: f64::from(strength) / beats as f64, microtiming })
    }
}

/// A whole bar.
struct Bar {
    beats: usize,
    /// Where its sixteenths begin, in samples, and where it ends.
    slots: Vec<f64>,
}

/// All bars whose beats are there up to the first beat of the next one.
fn bars(music: &Music) -> Vec<Bar> {
    let downbeats: Vec<usize> = (0..music.beats.len()).filter(|place| music.beats[*place].beat == 0).collect();
    let bars = downbeats.windows(2).map(|pair| &music.beats[pair[0]..=pair[1]]);
    bars.filter(|beats| is_whole(beats)).map(|beats| Bar::new(beats, denominator(music, beats[0].sample))).collect()
}

/// `beats` are those of a bar and the next downbeat, one after another.
fn is_whole(beats: &[Beat]) -> bool {
    let (_, own) = beats.split_last().unwrap_or((&beats[0], &[]));
    let counted = own.iter().zip(0_u16..).all(|(beat, number)| beat.beat == number);
    let lengths = || beats.windows(2).map(|pair| pair[1].sample.saturating_sub(pair[0].sample));
    let (shortest, longest) = (lengths().min().unwrap_or(0), lengths().max().unwrap_or(0));
    counted && shortest > 0 && longest < shortest.saturating_mul(STEADY)
}

/// Note value of a beat at `sample`.
fn denominator(music: &Music, sample: u64) -> u16 {
    music.meters.iter().rev().find(|meter| meter.sample <= sample).map_or(4, |meter| meter.denominator)
}

impl Bar {
    fn new(beats: &[Beat], denominator: u16) -> Self {
        let slots_per_beat = (SIXTEENTHS / denominator.max(1)).max(1);
        let sample = |beat: &Beat| beat.sample as f64;
        let of_beat = |pair: &[Beat]| {
            let (begin, length) = (sample(&pair[0]), sample(&pair[1]) - sample(&pair[0]));
            (0..slots_per_beat).map(move |slot| begin + length * f64::from(slot) / f64::from(slots_per_beat))
        };
        let slots = beats.windows(2).flat_map(of_beat).chain(beats.last().map(sample)).collect();
        Self { beats: beats.len() - 1, slots }
    }

    /// For each onset whose nearest slot is in the bar: that slot, and its distance in samples. `onsets` are in order.
    fn place(&self, onsets: &[f64]) -> impl Iterator<Item = (usize, f64)> {
        let early = (self.slots[1] - self.slots[0]) / 2.0;
        let first = onsets.partition_point(|onset| *onset < self.slots[0] - early);
        let end = self.slots[self.slots.len() - 1];
        let near = onsets[first..].iter().take_while(move |onset| **onset < end);
        near.filter_map(|onset| {
            let after = self.slots.partition_point(|slot| slot <= onset);
            let before = after.saturating_sub(1);
            let slot = if onset - self.slots[before] < self.slots[after] - onset { before } else { after };
            (slot < self.slots.len() - 1).then(|| (slot, onset - self.slots[slot]))
        })
    }
}

/// Into how many parts a bar is divided, level by level: its beats by their prime factors, a beat into halves.
fn divisions(mut beats: usize, slots_per_beat: usize) -> Vec<usize> {
    let mut divisions = Vec::new();
    while beats > 1 {
        let prime = (2..=beats).find(|factor| beats.is_multiple_of(*factor)).unwrap_or(beats);
        divisions.push(prime);
        beats /= prime;
    }
    divisions.extend((0..slots_per_beat.ilog2()).map(|_| 2));
    divisions
}

/// The weight of the last note that was met, on the way through the bars.
#[derive(Default)]
struct LastNote(Option<i32>);

impl LastNote {
    /// The strength of all syncopations in a part of a bar that weighs `weight`, `level` levels below the bar.
    fn syncopation(&mut self, struck: &[bool], divisions: &[usize], level: i32, weight: i32) -> u32 {
        match (struck, divisions) {
            ([_, rest @ ..], [parts, divisions @ ..]) if rest.contains(&true) => {
                let parts = struck.chunks(struck.len() / parts).enumerate();
                let weigh = |part| if part == 0 { weight } else { -(level + 1) };
                parts.map(|(part, struck)| self.syncopation(struck, divisions, level + 1, weigh(part))).sum()
            }
            ([true, ..], _) => {
                self.0 = Some(weight);
                0
            }
            _ => self.0.map_or(0, |note| weight.saturating_sub(note).max(0).unsigned_abs()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::music::{Meter, Note};

    /// Samples of a sixteenth.
    const SLOT: u64 = 6000;

    /// Bars of `beats` beats of `denominator` with notes where the pattern of sixteenths has an x.
    fn rhythm(pattern: &str, (beats, denominator): (u16, u16)) -> Option<Rhythm> {
        let per_beat = u64::from(16 / denominator);
        let onsets = pattern.bytes().enumerate().filter(|(_, slot)| *slot == b'x').map(|(slot, _)| slot as u64 * SLOT);
        let count = pattern.len() as u64 / per_beat + 1;
        let beat = |number: u64| Beat {
            sample: number * per_beat * SLOT,
            ppq: number as f64 * 4.0 / f64::from(denominator),
            bar: (number / u64::from(beats)) as i32,
            beat: (number % u64::from(beats)) as u16,
        };
        let meters = vec![Meter { sample: 0, numerator: beats, denominator }];
        let notes = onsets.map(note).collect();
        Rhythm::of(&Music { notes, beats: (0..count).map(beat).collect(), meters, ..Music::default() })
    }

    fn note(onset: u64) -> Note {
        let (duration, sustained, pitch, velocity, release_velocity) = (100, 100, 60, 64, 64);
        Note { onset, duration, sustained, pitch, velocity, release_velocity, channel: 0, track: 0, held: false, open: false }
    }

    /// The strength of a pattern in all.
    fn strength(pattern: &str, meter: (u16, u16)) -> f64 {
        let beats = pattern.len() as f64 * f64::from(meter.1) / 16.0;
        rhythm(pattern, meter).unwrap().syncopation * beats
    }

    #[test]
    fn textbook_rhythms_are_as_syncopated_as_by_hand() {
        // On the beat, or without notes: not at all.
        for even in
            ["x...x...x...x...", "x...............", "................", "x.x.x.x.x.x.x.x.", "xxxxxxxxxxxxxxxx", "x.......x......."]
        {
            assert_eq!(strength(even, (4, 4)), 0.0, "{even}");
        }
        // A rest on beat 3 (-1) after a note on beat 2 (-2).
        assert_eq!(strength("x...x.......x...", (4, 4)), 1.0);
        // The note on the last eighth (-3) is held over the next downbeat (0).
        assert_eq!(strength("x...x...x.....x.....x...x...x...", (4, 4)), 3.0);
        // Off-beat eighths (-3): the rests on beats 2, 3, 4 (-2, -1, -2) and the next downbeat (0).
        assert_eq!(strength("..x...x...x...x.................", (4, 4)), 1.0 + 2.0 + 1.0 + 3.0);
        // Son clave: beat 2 (-2) after a sixteenth (-4), and beat 3 (-1) after an eighth (-3).
        assert_eq!(strength("x..x..x...x.x...", (4, 4)), 4.0);
        assert_eq!(strength("x..x.xx.", (2, 4)), 2.0);
        // A waltz, and a hemiola against 6/8: a rest on the second half (-1) after an eighth (-2).
        assert_eq!(strength("x...x...x...", (3, 4)), 0.0);
        assert_eq!(strength("x...x...x...", (6, 8)), 1.0);
    }

    #[test]
    fn chords_are_one_onset_and_held_notes_none() {
        let beats: Vec<_> =
            (0..5).map(|n| Beat { sample: n * 24_000, ppq: n as f64, bar: n as i32 / 4, beat: n as u16 % 4 }).collect();
        let of = |notes| Rhythm::of(&Music { notes, beats: beats.clone(), ..Music::default() }).unwrap();
        assert_eq!(of(vec![note(0), note(24_000), note(24_000), note(72_000)]).syncopation, 0.25);
        let held = Note { held: true, ..note(1000) };
        assert_eq!(of(vec![held, note(24_000)]).microtiming, Some(0.0));
    }

    #[test]
    fn only_whole_bars_count() {
        assert_eq!(rhythm("x...x...x...", (4, 4)), None);
        assert_eq!(Rhythm::of(&Music::default()), None);
        let mut beats: Vec<_> =
            (0..9).map(|n| Beat { sample: n * 24_000, ppq: n as f64, bar: n as i32 / 4, beat: n as u16 % 4 }).collect();
        beats[6].sample += 500_000;
        beats[7].sample += 500_000;
        beats[8].sample += 500_000;
        let music = Music { beats, ..Music::default() };
        assert_eq!(bars(&music).len(), 1, "a locate within a bar breaks it");
    }

    #[test]
    fn microtiming_is_the_distance_from_the_nearest_sixteenth() {
        let beats: Vec<_> =
            (0..5).map(|n| Beat { sample: n * 24_000 + 1000, ppq: n as f64, bar: n as i32 / 4, beat: n as u16 % 4 }).collect();
        let timing = |onsets: &[u64]| {
            let notes = onsets.iter().map(|onset| note(*onset)).collect();
            Rhythm::of(&Music { notes, beats: beats.clone(), ..Music::default() }).unwrap().microtiming
        };
        assert_eq!(timing(&[]), None);
        assert_eq!(timing(&[1000, 7000, 25_000]), Some(0.0));
        assert_eq!(timing(&[700, 1300, 24_700, 54_700]), Some(300.0));
        // The next bar's downbeat, played early, is none of this bar's.
        assert_eq!(timing(&[1000, 96_000]), Some(0.0));
    }
}
