//! What is cut, and what is left out.

use serde::{Deserialize, Serialize};

use crate::features;

/// How sequences are cut. All durations are in seconds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Length of a sequence.
    pub sequence_length: f64,
    /// How much of a sequence the next one repeats.
    pub overlap: f64,
    /// The fewest MIDI events in a sequence.
    pub min_midi_events: u64,
    /// Take sequences of people who stated no consent too: for one's own recordings.
    pub own: bool,
    /// Only what lies between these, seconds since the first take of each session began; `None` for all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub range: Option<(f64, f64)>,
    /// What the splits are drawn with.
    pub seed: u64,
    /// Shares of validation and test, 0 to 1; the rest is for training.
    pub validation: f64,
    /// As `validation`.
    pub test: f64,
    /// Samples per analysis frame.
    pub n_fft: usize,
    /// Samples from one frame to the next.
    pub hop_length: usize,
    /// Bands of the mel spectrum.
    pub n_mels: usize,
    /// Cepstral coefficients.
    pub mfcc_n: usize,
    /// Pitch classes.
    pub chroma_n: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            sequence_length: 30.0,
            overlap: 5.0,
            min_midi_events: 10,
            own: false,
            range: None,
            seed: 0,
            validation: 0.1,
            test: 0.1,
            n_fft: 2048,
            hop_length: 512,
            n_mels: 128,
            mfcc_n: 13,
            chroma_n: 12,
        }
    }
}

/// Why settings cannot be used.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum SettingsError {
    /// A setting is out of its range.
    #[error("the setting `{name}` is {value}; it must be {allowed}")]
    Setting {
        /// The setting's name.
        name: &'static str,
        /// What it was set to.
        value: f64,
        /// What it may be, in words.
        allowed: &'static str,
    },
    /// Features cannot be made with them.
    #[error(transparent)]
    Features(#[from] features::Error),
}

impl Settings {
    /// Checks all settings.
    ///
    /// # Errors
    /// [`SettingsError`] names the first one that is out of its range.
    pub fn check(&self) -> Result<(), SettingsError> {
        let ensure = |fits, name, value, allowed| if fits { Ok(()) } else { Err(SettingsError::Setting { name, value, allowed }) };
        ensure((0.1..=3600.0).contains(&self.sequence_length), "sequence_length", self.sequence_length, "0.1 to 3,600 s")?;
        let overlap = (0.0..=self.sequence_length * 0.99).contains(&self.overlap);
        ensure(overlap, "overlap", self.overlap, "0 s to 99 % of sequence_length")?;
        ensure((0.0..=1.0).contains(&self.validation), "validation", self.validation, "0 to 1")?;
        ensure((0.0..=1.0 - self.validation).contains(&self.test), "test", self.test, "0 to 1, less validation")?;
        if let Some((from, to)) = self.range {
            ensure((0.0..1e9).contains(&from), "range", from, "at least 0 s")?;
            ensure(from < to && to <= 1e9, "range", to, "after its begin")?;
        }
        // Whether they fit does not depend on the rate.
        self.features(48_000.0).check().map_err(SettingsError::Features)
    }

    /// Samples of a sequence at `sample_rate`.
    pub fn frames(&self, sample_rate: f64) -> u64 {
        (self.sequence_length * sample_rate).round().max(1.0) as u64
    }

    /// The sample at which the first window begins, and how many windows there are, at `sample_rate`, of a session from sample `begin`
    /// to `end` of its first take.
    pub(super) fn windows(&self, sample_rate: f64, begin: u64, end: u64) -> (u64, u64) {
        let step = self.step(sample_rate);
        let Some((from, to)) = self.range else { return (begin, end.saturating_sub(begin) / step + 1) };
        let sample = |seconds: f64| (seconds * sample_rate).round() as u64;
        let (first, frames) = (sample(from), self.frames(sample_rate));
        // Begin and length are rounded each for itself, so that their sum may be a sample more than the end.
        let room = (sample(to).min(end) + 1).checked_sub(first + frames);
        (first, room.map_or(0, |room| room / step + 1))
    }

    /// Samples from one sequence to the next at `sample_rate`.
    pub fn step(&self, sample_rate: f64) -> u64 {
        ((self.sequence_length - self.overlap) * sample_rate).round().max(1.0) as u64
    }

    /// The settings of the features at `sample_rate`.
    pub fn features(&self, sample_rate: f64) -> features::Settings {
        features::Settings {
            sample_rate,
            n_fft: self.n_fft,
            hop_length: self.hop_length,
            n_mels: self.n_mels,
            mfcc_n: self.mfcc_n,
            chroma_n: self.chroma_n,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_holds_only_whole_windows() {
        let settings = |range| Settings { sequence_length: 2.0, overlap: 0.5, range, ..Settings::default() };
        assert_eq!(settings(None).windows(1_000.0, 100, 4_100), (100, 3));
        assert_eq!(settings(Some((1.0, 3.0))).windows(1_000.0, 100, 9_000), (1_000, 1));
        assert_eq!(settings(Some((1.0, 4.6))).windows(1_000.0, 100, 9_000), (1_000, 2));
        assert_eq!(settings(Some((1.0, 2.9))).windows(1_000.0, 100, 9_000), (1_000, 0));
        // A window as long as the range fits at any rate.
        for thousandths in 1..500 {
            let (from, to) = (0.001 * f64::from(thousandths), 0.3 + 0.0037 * f64::from(thousandths));
            let settings = Settings { sequence_length: to - from, overlap: 0.0, range: Some((from, to)), ..Settings::default() };
            assert_eq!(settings.windows(44_100.0, 0, 1 << 30).1, 1, "{from} to {to}");
        }
    }

    #[test]
    fn a_range_that_ends_before_its_begin_is_refused() {
        for range in [(3.0, 3.0), (3.0, 2.0), (-1.0, 2.0), (f64::NAN, 2.0), (0.0, f64::INFINITY)] {
            assert!(Settings { range: Some(range), ..Settings::default() }.check().is_err(), "{range:?}");
        }
    }
}
