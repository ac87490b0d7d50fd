//! What a model learns from besides the samples: spectral, tonal and rhythmic features of a take, frame by frame.
//!
//! The data's way: an [`Analysis`] takes samples in chunks of any size, makes one short-time Fourier transform of them
//! (`stft`; `fft` where a frame is a power of two) and gives one [`Frame`] per hop: mel spectrum (`mel`), chroma (`chroma`), the
//! shape of the spectrum (`spectral`) and what is counted in the samples themselves (`waveform`). A [`Cepstrum`] goes on from the
//! mel spectra: MFCC and onset strength. [`Extractor`] is both in one, [`extract`] does it all for a take in memory, [`Live`] for
//! one that is being recorded.
//!
//! Every definition is that of librosa 0.11 with its defaults; `spec/dataset.md` has the formulas, the rules at the edges,
//! and how close the values are.

mod analysis;
mod bank;
mod cepstrum;
mod chroma;
mod extractor;
mod fft;
mod lanes;
mod live;
mod mel;
mod settings;
mod spectral;
mod stft;
mod take;
mod waveform;
mod wide;

pub use analysis::{Analysis, Frame, Summary};
pub use cepstrum::{Cepstrum, Floor};
pub use extractor::{Extractor, Row};
pub use live::{Live, Plans};
pub use settings::{Plan, Settings};
pub use take::{Features, extract};
pub use waveform::mix_down;

/// Why features cannot be made.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A setting is out of its range.
    #[error("the feature setting `{name}` is {value}; it must be {allowed}")]
    Setting {
        /// The setting's name.
        name: &'static str,
        /// What it was set to.
        value: f64,
        /// What it may be, in words.
        allowed: &'static str,
    },
    /// A sample that is not a number, infinite, or beyond [`MAX_SAMPLE`]. Nothing of its chunk was taken.
    #[error("sample {position} is {value}: features need finite samples of at most one million times full scale")]
    Sample {
        /// Samples since the begin of the take.
        position: u64,
        /// The sample.
        value: f32,
    },
}

/// The loudest sample that features are made of, in full scales (+120 dBFS). Up to here no power overflows 32-bit floats.
pub const MAX_SAMPLE: f32 = 1e6;
