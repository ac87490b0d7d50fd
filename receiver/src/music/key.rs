//! The key that notes suggest.
//!
//! The method is that of C. L. Krumhansl and M. A. Schmuckler (C. L. Krumhansl, "Cognitive Foundations of Musical Pitch",
//! 1990, chapter 4): the durations of the twelve pitch classes are correlated with a profile of each key, and the key that
//! correlates best is taken. The profiles are those of J. Albrecht and D. Shanahan, "The Use of Large Corpora to Train a New
//! Type of Key-Finding Algorithm: An Improved Treatment of the Minor Mode", Music Perception 31 (2013): shares of the
//! pitch classes in a large corpus. On chorales of Bach they find more keys than the older ones do (spec/dataset.md).

use std::fmt;

use serde::Serialize;

use super::Note;

/// The channel of percussion in General MIDI, counted from 0: its keys are no pitches.
pub(super) const PERCUSSION: u8 = 9;

/// Shares of the pitch classes from the tonic on.
const MAJOR: [f64; 12] = [0.238, 0.006, 0.111, 0.006, 0.137, 0.094, 0.016, 0.214, 0.009, 0.080, 0.008, 0.081];
const MINOR: [f64; 12] = [0.220, 0.006, 0.104, 0.123, 0.019, 0.103, 0.012, 0.214, 0.062, 0.022, 0.061, 0.052];

/// Names of the tonics from C on, as keys are commonly spelled.
const MAJOR_NAMES: [&str; 12] = ["C", "Db", "D", "Eb", "E", "F", "F#", "G", "Ab", "A", "Bb", "B"];
const MINOR_NAMES: [&str; 12] = ["C", "C#", "D", "Eb", "E", "F", "F#", "G", "G#", "A", "Bb", "B"];

/// A key, and how well notes fit it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Key {
    /// Pitch class of the tonic, 0 (C) to 11.
    pub tonic: u8,
    /// Major or minor.
    pub mode: Mode,
    /// Correlation of the notes with the key's profile, -1 to 1.
    pub score: f64,
}

/// Major or minor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// Major.
    Major,
    /// Minor.
    Minor,
}

impl fmt::Display for Key {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (names, mode) = match self.mode {
            Mode::Major => (MAJOR_NAMES, "major"),
            Mode::Minor => (MINOR_NAMES, "minor"),
        };
        write!(formatter, "{} {mode}", names[usize::from(self.tonic) % 12])
    }
}

/// The key that `notes` suggest, each weighted by how long its key was down. Channel 10, percussion in General MIDI, is left
/// out. None without notes, and where all pitch classes last equally long.
pub fn key(notes: &[Note]) -> Option<Key> {
    let mut durations = [0.0; 12];
    for note in notes.iter().filter(|note| note.channel != PERCUSSION) {
        // A key that is lifted at once was struck, too.
        durations[usize::from(note.pitch) % 12] += note.duration.max(1) as f64;
    }
    let keys = [(Mode::Major, MAJOR), (Mode::Minor, MINOR)].into_iter().flat_map(|(mode, profile)| {
        (0..12).filter_map(move |tonic: u8| {
            let mut from_tonic = durations;
            from_tonic.rotate_left(usize::from(tonic));
            Some(Key { tonic, mode, score: correlation(&from_tonic, &profile)? })
        })
    });
    keys.reduce(|best, key| if key.score > best.score { key } else { best })
}

/// Pearson's correlation; none where one of the two is constant.
fn correlation(one: &[f64; 12], other: &[f64; 12]) -> Option<f64> {
    let centred = |values: &[f64; 12]| {
        let mean = values.iter().sum::<f64>() / 12.0;
        values.map(|value| value - mean)
    };
    let dot = |one: &[f64; 12], other: &[f64; 12]| one.iter().zip(other).map(|(one, other)| one * other).sum::<f64>();
    let (one, other) = (centred(one), centred(other));
    let scale = (dot(&one, &one) * dot(&other, &other)).sqrt();
    (scale > 0.0).then(|| (dot(&one, &other) / scale).clamp(-1.0, 1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn note(pitch: u8, duration: u64, channel: u8) -> Note {
        Note {
            onset: 0,
            duration,
            sustained: duration,
            pitch,
            velocity: 64,
            release_velocity: 64,
            channel,
            track: 0,
            held: false,
            open: false,
        }
    }

    fn named(pitches: &[u8]) -> String {
        let notes: Vec<_> = pitches.iter().map(|pitch| note(*pitch, 100, 0)).collect();
        key(&notes).unwrap().to_string()
    }

    #[test]
    fn a_profile_is_the_key_itself_in_every_transposition() {
        for (mode, profile) in [(Mode::Major, MAJOR), (Mode::Minor, MINOR)] {
            for tonic in 0..12_u8 {
                let notes: Vec<_> =
                    (0..12_u8).map(|step| note(48 + tonic + step, (profile[usize::from(step)] * 1e6) as u64, 0)).collect();
                let found = key(&notes).unwrap();
                assert_eq!((found.tonic, found.mode), (tonic, mode));
                assert!(found.score > 1.0 - 1e-9);
            }
        }
    }

    #[test]
    fn cadences_are_in_their_keys() {
        // I IV V I.
        assert_eq!(named(&[60, 64, 67, 60, 65, 69, 59, 62, 67, 60, 64, 67]), "C major");
        assert_eq!(named(&[69, 72, 76, 62, 65, 69, 64, 68, 71, 69, 72, 76]), "A minor");
        assert_eq!(named(&[61, 65, 68, 61, 66, 70, 60, 63, 68, 61, 65, 68]), "Db major");
    }

    #[test]
    fn percussion_has_no_key() {
        assert_eq!(key(&[note(60, 100, PERCUSSION)]), None);
        assert_eq!(key(&[]), None);
    }

    #[test]
    fn all_pitch_classes_alike_have_no_key() {
        let chromatic: Vec<_> = (60..72).map(|pitch| note(pitch, 100, 0)).collect();
        assert_eq!(key(&chromatic), None);
    }
}
