//! What a sequence is, for people and for those who choose among sequences.

use serde::{Deserialize, Serialize};

/// On which side of the training a sequence stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Split {
    /// To learn from.
    Train,
    /// To choose a model with.
    Validation,
    /// To judge a model with.
    Test,
}

impl Split {
    /// All of them, in the order of exports.
    pub const ALL: [Self; 3] = [Self::Train, Self::Validation, Self::Test];

    /// `train`, `validation` or `test`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Train => "train",
            Self::Validation => "validation",
            Self::Test => "test",
        }
    }
}

/// A stream that gives notes to a sequence.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NoteSource {
    /// The stream's name.
    pub name: String,
    /// The stream, a UUID.
    pub stream_id: String,
    /// The take, a UUID.
    pub take_id: String,
    /// Who plays it, as stated; empty where not.
    pub contributor: String,
    /// Its licence, as stated; empty where not.
    pub licence: String,
    /// Its consent, in the words that were shown; empty where none was stated.
    pub consent: String,
    /// How it was aligned: `same-stream`, `playhead`, `host-time` or `clock`.
    pub alignment: String,
    /// The true position of its events is within this of the stated one, in seconds; 0 where it is exact to the sample.
    pub uncertainty_seconds: f64,
}

/// What a sequence is and where it comes from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct About {
    /// `TAKE8-SAMPLE`: eight digits of the take's id, and the first sample in twelve decimal digits. Safe as a file name.
    pub id: String,
    /// On which side of the training it stands.
    pub split: Split,
    /// The performance: takes that were played together, or that repeat one another. No performance has two splits.
    pub performance: String,
    /// The window: sequences of one performance that share it sound at the same time.
    pub window: u64,
    /// The stream's name: the track's.
    pub name: String,
    /// Who plays, as stated; empty where not.
    pub contributor: String,
    /// The licence, as stated; empty where not.
    pub licence: String,
    /// The consent, in the words that were shown; empty where none was stated.
    pub consent: String,
    /// The DAW project's name.
    pub project: String,
    /// The host application.
    pub host: String,
    /// The studio machine's name.
    pub machine: String,
    /// The stream, a UUID.
    pub stream_id: String,
    /// The take, a UUID.
    pub take_id: String,
    /// The file within the data folder that its first sample comes from.
    pub source: String,
    /// Samples per second.
    pub sample_rate: f64,
    /// Audio channels; 0 in a sequence of MIDI alone.
    pub channels: u16,
    /// Its length in samples.
    pub frames: u64,
    /// The take's sample at which it begins.
    pub first_sample: u64,
    /// When it began: ns since 1970-01-01 UTC, by the studio machine's wall clock.
    pub started_unix_nanos: u64,
    /// The playhead at its begin in quarter notes, where the host gave it.
    pub ppq: Option<f64>,
    /// The mean tempo over its time, in quarter notes per minute, where the host gave one.
    pub tempo: Option<f64>,
    /// The meter at its begin, as `4/4`, where the host gave one.
    pub meter: Option<String>,
    /// The key that its notes suggest, as `C major` or `A minor`; none without notes.
    pub key: Option<String>,
    /// Correlation of its notes with that key's profile, -1 to 1.
    pub key_score: Option<f64>,
    /// MIDI events in it.
    pub midi_events: u64,
    /// Notes that begin in it.
    pub notes: u64,
    /// The most notes that sound at once.
    pub polyphony: u32,
    /// The highest absolute sample, in dB of full scale; none without audio or in digital silence.
    pub peak_dbfs: Option<f64>,
    /// The root mean square of all samples, in dB of full scale; as `peak_dbfs`.
    pub rms_dbfs: Option<f64>,
    /// SHA-256 of the samples as little-endian float32, interleaved, in hexadecimal digits; empty without audio.
    pub audio_sha256: String,
    /// Where its notes come from; `track` of a note counts in this list.
    pub note_sources: Vec<NoteSource>,
}
