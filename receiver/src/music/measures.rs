//! Music in numbers: polyphony, density, range, entropies, syncopation.

use serde::Serialize;

use super::key::PERCUSSION;
use super::rhythm::Rhythm;
use super::{Music, Note};

/// Onsets up to this many seconds after the first of them are one chord: W. Goebl, "Melody lead in piano performance:
/// Expressive device or artifact?", Journal of the Acoustical Society of America 110 (2001).
const CHORD: f64 = 0.03;

/// The shortest class of intervals between onsets, in seconds: a sixteenth at 120 quarter notes per minute.
const SHORTEST_INTERVAL: f64 = 0.125;

/// Classes of intervals, each longer than the one before by the square root of 2, as in `ioidist1` of T. Eerola and
/// P. Toiviainen, "MIDI Toolbox: MATLAB Tools for Music Research" (2004).
const INTERVALS: usize = 9;

/// What can be said of music in numbers. Where a value needs what is not there, it is none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Measures {
    /// Notes that begin in the window.
    pub notes: u64,
    /// The most notes that sound at once, with the sustain pedal.
    pub max_polyphony: u32,
    /// How many notes sound at once on average, over the time in which any does (MusPy's `polyphony`, H.-W. Dong and others,
    /// ISMIR 2020, with the sustain pedal); 0 without notes.
    pub mean_polyphony: f64,
    /// Notes that begin per second.
    pub density: f64,
    /// The lowest key but for percussion.
    pub lowest_pitch: Option<u8>,
    /// The highest key but for percussion.
    pub highest_pitch: Option<u8>,
    /// Shannon entropy of the pitch classes of notes but for percussion, 0 to log2 12 = 3.58 bits: S.-L. Wu and Y.-H. Yang,
    /// "The Jazz Transformer on the Front Line", ISMIR 2020, over the whole window.
    pub pitch_class_entropy: f64,
    /// Shannon entropy of the intervals between onsets in nine classes from 125 ms on, 0 to log2 9 = 3.17 bits (MIDI Toolbox).
    pub interval_entropy: f64,
    /// The mean of the two entropies, each divided by the most it can be: 0 to 1.
    pub complexity: f64,
    /// Strength of syncopation per beat (Longuet-Higgins and Lee 1984); none without a whole bar.
    pub syncopation: Option<f64>,
    /// Root mean square distance of onsets from the nearest sixteenth, in seconds; none without a note in a whole bar.
    pub microtiming: Option<f64>,
}

impl Measures {
    /// Measures the music of a window of `frames` samples.
    pub fn of(music: &Music, frames: u64, sample_rate: f64) -> Self {
        let begun = music.notes.iter().filter(|note| !note.held).count() as u64;
        let seconds = frames as f64 / sample_rate;
        let (max_polyphony, mean_polyphony) = polyphony(&music.notes);
        let pitches = || music.notes.iter().filter(|note| note.channel != PERCUSSION).map(|note| note.pitch);
        let mut classes = [0; 12];
        pitches().for_each(|pitch| classes[usize::from(pitch) % 12] += 1);
        let intervals = intervals(&music.notes, sample_rate);
        let (pitch_class_entropy, interval_entropy) = (entropy(&classes), entropy(&intervals));
        let rhythm = Rhythm::of(music);
        Self {
            notes: begun,
            max_polyphony,
            mean_polyphony,
            density: if seconds > 0.0 { begun as f64 / seconds } else { 0.0 },
            lowest_pitch: pitches().min(),
            highest_pitch: pitches().max(),
            pitch_class_entropy,
            interval_entropy,
            complexity: (pitch_class_entropy / 12_f64.log2() + interval_entropy / (INTERVALS as f64).log2()) / 2.0,
            syncopation: rhythm.map(|rhythm| rhythm.syncopation),
            microtiming: rhythm.and_then(|rhythm| rhythm.microtiming).map(|samples| samples / sample_rate),
        }
    }
}

/// The most notes at once, and their mean number while any sounds.
fn polyphony(notes: &[Note]) -> (u32, f64) {
    let sounding = notes.iter().filter(|note| note.sustained > 0);
    // On one sample, false comes before true: notes end before others begin.
    let mut edges: Vec<(u64, bool)> =
        sounding.flat_map(|note| [(note.onset, true), (note.onset + note.sustained, false)]).collect();
    edges.sort_unstable();
    let (mut now, mut most, mut sum, mut time) = (0_u32, 0, 0.0, 0.0);
    let mut since = 0;
    for (sample, begins) in edges {
        let span = (sample - since) as f64;
        sum += span * f64::from(now);
        time += if now > 0 { span } else { 0.0 };
        since = sample;
        now = if begins { now + 1 } else { now - 1 };
        most = most.max(now);
    }
    (most, if time > 0.0 { sum / time } else { 0.0 })
}

/// How many intervals between neighbouring onsets are in each class; shorter and longer ones count in the outer classes.
fn intervals(notes: &[Note], sample_rate: f64) -> [u64; INTERVALS] {
    let mut classes = [0; INTERVALS];
    let mut onsets = notes.iter().filter(|note| !note.held).map(|note| note.onset as f64 / sample_rate);
    let Some(mut last) = onsets.next() else { return classes };
    for onset in onsets.filter(|onset| onset.is_finite()) {
        if onset - last > CHORD {
            let class = 2.0 * ((onset - last) / SHORTEST_INTERVAL).log2();
            classes[(class.round().max(0.0) as usize).min(INTERVALS - 1)] += 1;
            last = onset;
        }
    }
    classes
}

/// Shannon entropy in bits; 0 where nothing was counted.
fn entropy(counts: &[u64]) -> f64 {
    let total = counts.iter().sum::<u64>() as f64;
    let shares = counts.iter().filter(|count| **count > 0).map(|count| *count as f64 / total);
    // Adding 0 makes a negative zero a positive one.
    -shares.map(|share| share * share.log2()).sum::<f64>() + 0.0
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATE: f64 = 48_000.0;

    fn note(onset: u64, sustained: u64, pitch: u8) -> Note {
        let (duration, velocity, release_velocity) = (sustained / 2, 64, 64);
        Note { onset, duration, sustained, pitch, velocity, release_velocity, channel: 0, track: 0, held: false, open: false }
    }

    fn of(notes: Vec<Note>) -> Measures {
        Measures::of(&Music { notes, ..Music::default() }, 96_000, RATE)
    }

    #[test]
    fn nothing_measures_nothing() {
        assert_eq!(of(Vec::new()), Measures::default());
        assert_eq!(Measures::of(&Music::default(), 0, RATE), Measures::default());
    }

    #[test]
    fn polyphony_counts_what_sounds_at_once() {
        // Two for 1,000 samples, one for 2,000, a rest, one for 1,000.
        let measures = of(vec![note(0, 2000, 60), note(1000, 2000, 64), note(1500, 0, 65), note(9000, 1000, 60)]);
        assert_eq!((measures.max_polyphony, measures.mean_polyphony), (2, 5000.0 / 4000.0));
        let measures = of(vec![note(0, 1000, 60), note(1000, 1000, 60)]);
        assert_eq!((measures.max_polyphony, measures.mean_polyphony), (1, 1.0));
    }

    #[test]
    fn density_counts_what_begins() {
        let held = Note { held: true, ..note(0, 1000, 60) };
        let measures = of(vec![held, note(100, 10, 60), note(50_000, 0, 60), note(60_000, 10, 61)]);
        assert_eq!((measures.notes, measures.density), (3, 1.5));
    }

    #[test]
    fn range_and_pitch_entropy_leave_percussion_out() {
        let drum = Note { channel: PERCUSSION, ..note(0, 10, 36) };
        let measures = of(vec![drum, note(0, 10, 60), note(0, 10, 72), note(0, 10, 67), note(0, 10, 55)]);
        assert_eq!((measures.lowest_pitch, measures.highest_pitch), (Some(55), Some(72)));
        assert_eq!(measures.pitch_class_entropy, 1.0);
        assert_eq!(of(vec![drum]).lowest_pitch, None);
    }

    #[test]
    fn intervals_are_counted_by_half_octaves_and_chords_once() {
        let seconds = [0.0, 0.02, 0.03, 0.125, 0.25, 0.5, 1.0, 1.2, 11.0];
        let notes: Vec<_> = seconds.iter().map(|second| note((second * RATE) as u64, 10, 60)).collect();
        assert_eq!(intervals(&notes, RATE), [2, 1, 1, 0, 1, 0, 0, 0, 1]);
        assert_eq!(of(notes[..3].to_vec()).interval_entropy, 0.0);
    }

    #[test]
    fn complexity_is_1_where_all_is_equally_likely() {
        let mut onset = 0.0;
        let steps = (0..108).map(|step| {
            onset += SHORTEST_INTERVAL * 2_f64.powf(f64::from(step % 9) / 2.0);
            note((onset * RATE) as u64, 10, step % 12)
        });
        let notes: Vec<_> = std::iter::once(note(0, 10, 0)).chain(steps).collect();
        let measures = of(notes);
        assert_eq!(measures.interval_entropy, 9_f64.log2());
        assert!(measures.complexity > 0.999 && measures.complexity <= 1.0, "{measures:?}");
        assert_eq!(of(vec![note(0, 10, 60), note(24_000, 10, 60)]).complexity, 0.0);
    }
}
