//! The sizes and counts of all features, and what is computed from them once.

use std::fmt;
use std::sync::Arc;

use super::Error;
use super::bank::Bank;
use super::stft::Transform;
use super::{cepstrum, chroma, mel};

/// Sizes and counts. [`Settings::new`] has the defaults.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// Samples per second, 1,000 to 1,000,000. Nothing is resampled: bands and bins follow this rate.
    pub sample_rate: f64,
    /// Samples per analysis frame, even, 16 to 65,536.
    pub n_fft: usize,
    /// Samples from one frame to the next, 1 to 65,536.
    pub hop_length: usize,
    /// Bands of the mel spectrum, 1 to 1,024.
    pub n_mels: usize,
    /// Mel-frequency cepstral coefficients, 1 to `n_mels`.
    pub mfcc_n: usize,
    /// Pitch classes per octave, 1 to 96.
    pub chroma_n: usize,
}

impl Settings {
    /// The defaults, those of librosa and of the README: frames of 2,048 samples each 512, 128 mels, 13 MFCC, 12 chroma.
    pub fn new(sample_rate: f64) -> Self {
        Self { sample_rate, n_fft: 2048, hop_length: 512, n_mels: 128, mfcc_n: 13, chroma_n: 12 }
    }

    /// Rows of a take of `samples` samples: one for every hop that begins in it, and one for its end; none without samples.
    pub fn frames(&self, samples: u64) -> u64 {
        if samples == 0 { 0 } else { 1 + samples / self.hop_length as u64 }
    }

    /// Seconds since the begin of the take of a frame's centre.
    pub fn seconds(&self, frame: u64) -> f64 {
        frame as f64 * self.hop_length as f64 / self.sample_rate
    }

    /// Bins of the spectrum, from 0 Hz to half the sample rate.
    pub fn bins(&self) -> usize {
        self.n_fft / 2 + 1
    }

    /// Checks every setting's range.
    ///
    /// # Errors
    /// [`Error::Setting`] names the first one that is out of it.
    pub fn check(&self) -> Result<(), Error> {
        let rate_fits = (1e3..=1e6).contains(&self.sample_rate);
        ensure(rate_fits, "sample_rate", self.sample_rate, "1,000 to 1,000,000")?;
        let even = self.n_fft.is_multiple_of(2) && (16..=65_536).contains(&self.n_fft);
        ensure(even, "n_fft", self.n_fft as f64, "even, 16 to 65,536")?;
        ensure((1..=65_536).contains(&self.hop_length), "hop_length", self.hop_length as f64, "1 to 65,536")?;
        ensure((1..=1024).contains(&self.n_mels), "n_mels", self.n_mels as f64, "1 to 1,024")?;
        ensure((1..=self.n_mels).contains(&self.mfcc_n), "mfcc_n", self.mfcc_n as f64, "1 to n_mels")?;
        ensure((1..=96).contains(&self.chroma_n), "chroma_n", self.chroma_n as f64, "1 to 96")
    }
}

fn ensure(fits: bool, name: &'static str, value: f64, allowed: &'static str) -> Result<(), Error> {
    if fits { Ok(()) } else { Err(Error::Setting { name, value, allowed }) }
}

/// Everything that follows from the [`Settings`] alone: window, Fourier transform, filter banks. Made once, shared by all
/// takes and threads.
pub struct Plan {
    settings: Settings,
    /// Window and Fourier transform.
    pub(super) transform: Transform,
    /// Hertz of each bin.
    pub(super) frequencies: Vec<f32>,
    pub(super) mel: Bank,
    pub(super) chroma: Bank,
    /// The cosine transform's matrix, `mfcc_n` rows of `n_mels`.
    pub(super) cosines: Vec<f32>,
}

impl Plan {
    /// Checks the settings and computes what follows from them.
    ///
    /// # Errors
    /// [`Error::Setting`] names the first setting that is out of its range.
    pub fn new(settings: Settings) -> Result<Arc<Self>, Error> {
        settings.check()?;
        let frequencies: Vec<f64> =
            (0..settings.bins()).map(|bin| bin as f64 * settings.sample_rate / settings.n_fft as f64).collect();
        Ok(Arc::new(Self {
            transform: Transform::new(settings.n_fft),
            mel: mel::bank(&frequencies, settings.sample_rate / 2.0, settings.n_mels),
            chroma: chroma::bank(&frequencies, settings.sample_rate, settings.chroma_n),
            cosines: cepstrum::cosines(settings.n_mels, settings.mfcc_n),
            frequencies: frequencies.iter().map(|&hertz| hertz as f32).collect(),
            settings,
        }))
    }

    /// The settings that it was made of.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }
}

impl fmt::Debug for Plan {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Plan").field("settings", &self.settings).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_out_of_range_are_named() {
        let good = Settings::new(48_000.0);
        for (bad, name) in [
            (Settings { sample_rate: f64::NAN, ..good.clone() }, "sample_rate"),
            (Settings { n_fft: 2047, ..good.clone() }, "n_fft"),
            (Settings { n_fft: 0, ..good.clone() }, "n_fft"),
            (Settings { hop_length: 0, ..good.clone() }, "hop_length"),
            (Settings { n_mels: 0, ..good.clone() }, "n_mels"),
            (Settings { mfcc_n: 129, ..good.clone() }, "mfcc_n"),
            (Settings { chroma_n: 97, ..good.clone() }, "chroma_n"),
        ] {
            let error = Plan::new(bad).expect_err(name);
            assert!(matches!(error, Error::Setting { name: named, .. } if named == name), "{error}");
        }
        assert!(Plan::new(good).is_ok());
    }

    #[test]
    fn a_take_has_a_frame_for_every_hop_and_one_for_its_end() {
        let settings = Settings::new(48_000.0);
        assert_eq!([0, 1, 511, 512, 513, 1024].map(|samples| settings.frames(samples)), [0, 1, 1, 2, 2, 3]);
        assert_eq!(settings.seconds(375), 4.0);
    }
}
