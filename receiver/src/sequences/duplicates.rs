//! Takes that repeat one another: the same samples again, or the same notes played again.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};

use send_learn_protocol::record::MidiKind;

use crate::store::layout::{BlockRow, MidiRow};

/// Notes in a shingle: eight in a row are seldom the same by chance.
const SHINGLE: usize = 8;

/// Onsets within this are one chord, in seconds: fingers are not exact.
const CHORD: f64 = 0.03;

/// Chords in a tune, which says nothing of rhythm: as many in a row, and so many different ones among them, are seldom the same by chance.
const TUNE: usize = 16;
const DIFFERENT: usize = 6;

/// Onsets within this are one chord of a tune, in seconds: four times the spread of hands that are out by 20 ms.
const LOOSE_CHORD: f64 = 0.08;

/// Channel 10 of General MIDI, counted from 0: percussion has no tune.
const PERCUSSION: u8 = 9;

/// The share of the smaller take's shingles, or of its blocks, that makes two takes repeats of one another.
const REPEATED: f64 = 0.25;

/// The fewest shingles or blocks in common: less is chance.
const FEWEST: usize = 4;

/// What is compared of a take, small beside it.
#[derive(Debug, Default)]
pub(super) struct Fingerprint {
    /// Hashes of runs of chords: pitches, transposed to the first, and rhythm as ratios.
    notes: HashSet<u64>,
    /// Hashes of longer runs of chords by their pitches alone: they stay when the time is not kept.
    tunes: HashSet<u64>,
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
        let onsets = onsets(midi, sample_rate);
        let chords_of = |voices: Vec<Vec<Onset>>, within| voices.into_iter().map(move |voice| chords(&voice, within));
        let pitched: Vec<Onset> = onsets.iter().filter(|onset| onset.channel != PERCUSSION).copied().collect();
        let mut notes = HashSet::new();
        chords_of(voices(&onsets), CHORD).for_each(|chords| notes.extend(chords.windows(SHINGLE).map(shingle)));
        let mut tunes = HashSet::new();
        chords_of(voices(&pitched), LOOSE_CHORD).for_each(|chords| tunes.extend(chords.windows(TUNE).filter_map(tune)));
        Self { notes, tunes, blocks: &once - &again }
    }
}

/// Pairs of numbers of `takes` of which one repeats a good part of the other: each with its earlier ones, in order.
pub(super) fn repeats(takes: &[&Fingerprint]) -> impl Iterator<Item = (usize, usize)> + use<> {
    let mut pairs = BTreeSet::new();
    share(takes.iter().map(|take| &take.notes), &mut pairs);
    share(takes.iter().map(|take| &take.tunes), &mut pairs);
    share(takes.iter().map(|take| &take.blocks), &mut pairs);
    pairs.into_iter()
}

/// Adds the pairs (later, earlier) of takes that have a good part of the smaller one's items in common. Takes are found by their items:
/// most have none in common, and of thousands, to compare each with each would take hours.
fn share<'a, T: Eq + Hash + 'a>(takes: impl Iterator<Item = &'a HashSet<T>>, pairs: &mut BTreeSet<(usize, usize)>) {
    let (mut with, mut sizes): (HashMap<&T, Vec<usize>>, Vec<usize>) = (HashMap::new(), Vec::new());
    for (later, items) in takes.enumerate() {
        let mut common: HashMap<usize, usize> = HashMap::new();
        for item in items {
            let earlier = with.entry(item).or_default();
            earlier.iter().for_each(|take| *common.entry(*take).or_default() += 1);
            earlier.push(later);
        }
        let enough = |(earlier, common): &(usize, usize)| {
            *common >= FEWEST && *common as f64 >= REPEATED * sizes[*earlier].min(items.len()) as f64
        };
        pairs.extend(common.into_iter().filter(enough).map(|(earlier, _)| (later, earlier)));
        sizes.push(items.len());
    }
}

/// A note-on.
#[derive(Clone, Copy)]
struct Onset {
    /// In seconds.
    time: f64,
    channel: u8,
    pitch: u8,
}

/// Notes that begin within a moment of one another: when, and their pitches, each once, in order.
type Chord = (f64, Vec<u8>);

fn onsets(midi: &[MidiRow], sample_rate: f64) -> Vec<Onset> {
    let is_onset = |row: &&MidiRow| row.kind == MidiKind::Message as u8 && row.status & 0xF0 == 0x90 && row.data2 > 0;
    let onset = |row: &MidiRow| Onset { time: row.sample as f64 / sample_rate, channel: row.status & 0x0F, pitch: row.data1 };
    midi.iter().filter(is_onset).map(onset).collect()
}

/// All onsets together, and those of each channel: one that is muted the next time leaves the others as they were.
fn voices(onsets: &[Onset]) -> Vec<Vec<Onset>> {
    let of = |channel: u8| onsets.iter().filter(|onset| onset.channel == channel).copied().collect::<Vec<_>>();
    let channels = (0..16).map(of).filter(|voice| !voice.is_empty() && voice.len() < onsets.len());
    std::iter::once(onsets.to_vec()).chain(channels).collect()
}

fn chords(onsets: &[Onset], within: f64) -> Vec<Chord> {
    let mut chords: Vec<Chord> = Vec::new();
    for Onset { time, pitch, .. } in onsets {
        match chords.last_mut() {
            Some((begin, pitches)) if time - *begin < within => pitches.push(*pitch),
            _ => chords.push((*time, vec![*pitch])),
        }
    }
    for (_, pitches) in &mut chords {
        pitches.sort_unstable();
        pitches.dedup();
    }
    chords
}

/// A hash of pitches relative to the run's lowest, so that a transposed repeat is found, and of the steps between onsets relative to
/// their mean, in powers of two, so that a slower one and one by hand are found.
fn shingle(chords: &[Chord]) -> u64 {
    let mut hasher = DefaultHasher::new();
    relative(chords).for_each(|pitches| pitches.hash(&mut hasher));
    let length = chords[chords.len() - 1].0 - chords[0].0;
    for pair in chords.windows(2) {
        let ratio = (pair[1].0 - pair[0].0) / length * (chords.len() - 1) as f64;
        (ratio.log2().round() as i64).hash(&mut hasher);
    }
    hasher.finish()
}

/// As [`shingle`], of the pitches alone; none where the run says little.
fn tune(chords: &[Chord]) -> Option<u64> {
    let different: HashSet<&[u8]> = chords.iter().map(|(_, pitches)| pitches.as_slice()).collect();
    let mut hasher = DefaultHasher::new();
    relative(chords).for_each(|pitches| pitches.hash(&mut hasher));
    (different.len() >= DIFFERENT).then(|| hasher.finish())
}

/// The pitches of each chord above the lowest of all.
fn relative(chords: &[Chord]) -> impl Iterator<Item = Vec<u8>> {
    let lowest = chords.iter().flat_map(|(_, pitches)| pitches).min().copied().unwrap_or_default();
    chords.iter().map(move |(_, pitches)| pitches.iter().map(|pitch| pitch - lowest).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATE: f64 = 48_000.0;

    /// Notes as seconds and keys.
    fn notes(played: impl IntoIterator<Item = (f64, u8)>) -> Vec<MidiRow> {
        on(0, played)
    }

    fn on(channel: u8, played: impl IntoIterator<Item = (f64, u8)>) -> Vec<MidiRow> {
        let row = move |(time, key): (f64, u8)| MidiRow {
            sample: (time * RATE) as u64,
            status: 0x90 | channel,
            data1: key,
            data2: 100,
            kind: 0,
            note_id: -1,
            value: 0.0,
            sysex_offset: 0,
            sysex_length: 0,
        };
        let mut rows: Vec<MidiRow> = played.into_iter().map(row).collect();
        rows.sort_by_key(|row| row.sample);
        rows
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

    fn repeat(one: &Fingerprint, other: &Fingerprint) -> bool {
        repeats(&[one, other]).next().is_some()
    }

    #[test]
    fn a_melody_played_again_is_found_though_later_slower_higher_and_not_quite_in_time() {
        let one = of(&notes(melody(1, 60)));
        let again = melody(1, 60).into_iter().enumerate();
        let again = again.map(|(index, (time, key))| (40.0 + time * 1.2 + (index % 3) as f64 * 0.004, key + 5));
        assert!(repeat(&one, &of(&notes(again))));
    }

    #[test]
    fn a_piece_is_found_again_when_a_channel_is_muted() {
        // Three voices that sound together, on a channel each.
        let piece = |channels: &[u8]| {
            let mut rows: Vec<MidiRow> =
                channels.iter().flat_map(|&channel| on(channel, melody(10 + u32::from(channel), 100))).collect();
            rows.sort_by_key(|row| row.sample);
            of(&rows)
        };
        let whole = piece(&[0, 1, 2]);
        for some in [&[0, 1][..], &[0, 2], &[1, 2], &[1]] {
            assert!(repeat(&whole, &piece(some)) && repeat(&piece(some), &whole), "{some:?}");
        }
        assert!(!repeat(&piece(&[0]), &piece(&[1, 2])));
    }

    /// Onsets that are off by a normal distribution of 20 ms.
    #[test]
    fn a_piece_is_found_again_when_the_time_is_not_kept() {
        let mut state = 1_u32;
        let mut off = || {
            let mut random = || {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                f64::from(state >> 8) / f64::from(1 << 24)
            };
            // Twelve uniform numbers have a variance of 1 together.
            0.02 * ((0..12).map(|_| random()).sum::<f64>() - 6.0)
        };
        for seed in 1..20 {
            // A third of the steps are triads.
            let chord = |(step, (time, key)): (usize, (f64, u8))| {
                [0, 4, 7][..if step % 3 == 0 { 3 } else { 1 }]
                    .iter()
                    .map(move |above| (time + 1.0, key + above))
                    .collect::<Vec<_>>()
            };
            let piece: Vec<(f64, u8)> = melody(seed, 120).into_iter().enumerate().flat_map(chord).collect();
            let again: Vec<(f64, u8)> = piece.iter().map(|(time, key)| (time + off(), *key)).collect();
            assert!(repeat(&of(&notes(piece)), &of(&notes(again))), "{seed}");
        }
    }

    #[test]
    fn a_beat_or_a_few_chords_again_and_again_are_no_tune() {
        let again = |channel, keys: &'static [u8], step: f64| {
            let onsets = keys.iter().cycle().take(200).enumerate().map(move |(index, key)| (index as f64 * step, *key));
            on(channel, onsets.collect::<Vec<_>>())
        };
        let beat: &[u8] = &[36, 42, 38, 42, 36, 46, 38, 49, 51];
        assert!(of(&again(PERCUSSION, beat, 0.25)).tunes.is_empty());
        assert!(of(&again(0, &[60, 67, 64, 67], 0.25)).tunes.is_empty());
        assert!(!of(&again(0, beat, 0.25)).tunes.is_empty());
    }

    #[test]
    fn a_loop_within_a_longer_take_is_found() {
        let inner = melody(1, 40);
        let outer = melody(2, 40).into_iter().chain(inner.iter().map(|(time, key)| (time + 60.0, *key)));
        assert!(repeat(&of(&notes(outer)), &of(&notes(inner.clone()))));
    }

    #[test]
    fn other_melodies_are_no_repeats() {
        let melodies: Vec<_> = (1..20).map(|seed| of(&notes(melody(seed, 200)))).collect();
        assert_eq!(repeats(&melodies.iter().collect::<Vec<_>>()).next(), None);
        assert!(!repeat(&of(&[]), &of(&[])));
    }

    #[test]
    fn the_same_samples_are_found_and_silence_is_not() {
        let block =
            |crc| BlockRow { sample: 0, frames: 512, crc, host_nanos: 0, arrival_nanos: 0, playhead: 0, arrival: 0, level: 1.0 };
        let take = |crcs: &[u32]| Fingerprint::new(&[], &crcs.iter().map(|&crc| block(crc)).collect::<Vec<_>>(), RATE);
        assert!(repeat(&take(&[1, 2, 3, 4, 5, 6]), &take(&[9, 3, 4, 5, 6, 7])));
        assert!(!repeat(&take(&[1, 2, 3]), &take(&[4, 5, 6])));
        let silence = [7; 100];
        assert!(!repeat(&take(&silence), &take(&silence)));
    }
}
