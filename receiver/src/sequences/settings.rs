//! What is cut, and what is left out.

use serde::{Deserialize, Serialize};

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
