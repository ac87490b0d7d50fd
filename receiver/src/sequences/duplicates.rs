//! Takes that repeat one another: the same samples again, or the same notes played again.

use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash, Hasher};

use send_learn_protocol::record::MidiKind;

use crate::store::layout::{BlockRow, MidiRow};

/// Notes in a shingle: eight in a row are seldom the same by chance.
const SHINGLE: usize = 8;

/// Onsets within this are one chord, in seconds: fingers are not exact.
const CHORD: f64 = 0.03;

/// The share of the smaller take's shingles, or of its blocks, that makes two takes repeats of one another.
const REPEATED: f64 = 0.25;

/// The fewest shingles or blocks in common: less is chance.
const FEWEST: usize = 4;

/// What is compared of a take, small beside it.
#[derive(Debug, Default)]
pub(super) struct Fingerprint {
    /// Hashes of runs of chords: pitches, transposed to the first, and rhythm as ratios.
    notes: HashSet<u64>,
    /// Checksums and lengths of blocks with sound in them.
    blocks: HashSet<(u32, u32)>,
}

impl Fingerprint {
    pub(super) fn new(midi: &[MidiRow], blocks: &[BlockRow], sample_rate: f64) -> Self {
        // The checksum of silence is that of so many zeros; other blocks that come more than once in a take (a held value) say
        // as little.
        let mut once = HashSet::new();
        let mut again = HashSet::new();
        for block in blocks {
            if !once.insert((block.crc, block.frames)) {
                again.insert((block.crc, block.frames));
            }
        }
        Self { notes: shingles(midi, sample_rate), blocks: &once - &again }
    }

    /// Whether one repeats a good part of the other.
    pub(super) fn repeats(&self, other: &Self) -> bool {
        shares(&self.notes, &other.notes) || shares(&self.blocks, &other.blocks)
    }
}

fn shares<T: Eq + Hash>(one: &HashSet<T>, other: &HashSet<T>) -> bool {
    let (small, large) = if one.len() < other.len() { (one, other) } else { (other, one) };
    let common = small.iter().filter(|item| large.contains(item)).count();
    common >= FEWEST && common as f64 >= REPEATED * small.len() as f64
}

/// One hash for every run of [`SHINGLE`] chords: the pitches relative to the run's lowest, so that a transposed repeat is found,
/// and the steps between onsets relative to their mean, in powers of two, so that a slower one and one by hand are found.
fn shingles(midi: &[MidiRow], sample_rate: f64) -> HashSet<u64> {
    let mut chords: Vec<(f64, Vec<u8>)> = Vec::new();
    for row in midi {
        if row.kind == MidiKind::Message as u8 && row.status & 0xF0 == 0x90 && row.data2 > 0 {
            let time = row.sample as f64 / sample_rate;
            match chords.last_mut() {
                Some((begin, pitches)) if time - *begin < CHORD => pitches.push(row.data1),
                _ => chords.push((time, vec![row.data1])),
            }
        }
    }
    for (_, pitches) in &mut chords {
        pitches.sort_unstable();
        pitches.dedup();
    }
    chords.windows(SHINGLE).map(shingle).collect()
}

fn shingle(chords: &[(f64, Vec<u8>)]) -> u64 {
    let mut hasher = DefaultHasher::new();
    let lowest = chords.iter().flat_map(|(_, pitches)| pitches).min().copied().unwrap_or_default();
    let length = chords[chords.len() - 1].0 - chords[0].0;
    for (_, pitches) in chords {
        pitches.iter().map(|pitch| pitch - lowest).collect::<Vec<_>>().hash(&mut hasher);
    }
    for pair in chords.windows(2) {
        let ratio = (pair[1].0 - pair[0].0) / length * (chords.len() - 1) as f64;
        (ratio.log2().round() as i64).hash(&mut hasher);
    }
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATE: f64 = 48_000.0;

    /// Notes as seconds and keys.
    fn notes(played: impl IntoIterator<Item = (f64, u8)>) -> Vec<MidiRow> {
        let row = |(time, key): (f64, u8)| MidiRow {
            sample: (time * RATE) as u64,
            status: 0x90,
            data1: key,
            data2: 100,
            kind: 0,
            note_id: -1,
            value: 0.0,
            sysex_offset: 0,
            sysex_length: 0,
        };
        played.into_iter().map(row).collect()
    }

    fn melody(seed: u32, steps: usize) -> Vec<(f64, u8)> {
        let mut state = seed;
        let mut random = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            state >> 24
        };
        let mut time = 0.0;
        (0..steps)
            .map(|_| {
                time += [0.125, 0.25, 0.5][random() as usize % 3];
                (time, 48 + (random() % 24) as u8)
            })
            .collect()
    }

    fn of(midi: &[MidiRow]) -> Fingerprint {
        Fingerprint::new(midi, &[], RATE)
    }

    #[test]
    fn a_melody_played_again_is_found_though_later_slower_higher_and_not_quite_in_time() {
        let one = of(&notes(melody(1, 60)));
        let again = melody(1, 60).into_iter().enumerate();
        let again = again.map(|(index, (time, key))| (40.0 + time * 1.2 + (index % 3) as f64 * 0.004, key + 5));
        assert!(one.repeats(&of(&notes(again))));
    }

    #[test]
    fn a_loop_within_a_longer_take_is_found() {
        let inner = melody(1, 40);
        let outer = melody(2, 40).into_iter().chain(inner.iter().map(|(time, key)| (time + 60.0, *key)));
        assert!(of(&notes(outer)).repeats(&of(&notes(inner.clone()))));
    }

    #[test]
    fn other_melodies_are_no_repeats() {
        let melodies: Vec<_> = (1..20).map(|seed| of(&notes(melody(seed, 200)))).collect();
        for (index, one) in melodies.iter().enumerate() {
            assert!(melodies[index + 1..].iter().all(|other| !one.repeats(other)));
        }
        assert!(!of(&[]).repeats(&of(&[])));
    }

    #[test]
    fn the_same_samples_are_found_and_silence_is_not() {
        let block =
            |crc| BlockRow { sample: 0, frames: 512, crc, host_nanos: 0, arrival_nanos: 0, playhead: 0, arrival: 0, level: 1.0 };
        let take = |crcs: &[u32]| Fingerprint::new(&[], &crcs.iter().map(|&crc| block(crc)).collect::<Vec<_>>(), RATE);
        assert!(take(&[1, 2, 3, 4, 5, 6]).repeats(&take(&[9, 3, 4, 5, 6, 7])));
        assert!(!take(&[1, 2, 3]).repeats(&take(&[4, 5, 6])));
        let silence = [7; 100];
        assert!(!take(&silence).repeats(&take(&silence)));
    }
}
