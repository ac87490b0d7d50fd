//! How good recordings are: in numbers that are defined, and in words that say what to do.
//!
//! A take is read once, in chunks (`reading`): its samples are measured (`sound`, `clipping`), checked against their blocks
//! (`checksums`) and searched for onsets (`onsets`). Its tables say how it came (`delivery`) and what was played (`playing`). Then
//! onsets are compared with notes, those of other streams of the session too (`agreement`), and all of it is judged
//! (`verdict`). `spec/dataset-quality.md` has the definitions.

mod agreement;
mod checksums;
mod clipping;
mod delivery;
mod onsets;
mod playing;
mod reading;
mod sound;
mod survey;
mod totals;
mod verdict;

pub use agreement::Agreement;
pub use delivery::{Clock, Delivery, Gap, Gaps, Lost};
pub use onsets::onsets;
pub use playing::{Excerpt, Playing, TempoRange};
pub use sound::Sound;
pub use survey::{Survey, survey};
pub use totals::Totals;
pub use verdict::{Finding, Grade, percent};

use serde::Serialize;

/// How good a take is.
#[derive(Clone, Debug, Serialize)]
pub struct Quality {
    /// The stream's name: the track's.
    pub name: String,
    /// The take, a UUID.
    pub take_id: String,
    /// The stream, a UUID.
    pub stream_id: String,
    /// The DAW project's name.
    pub project: String,
    /// The host application.
    pub host: String,
    /// The studio machine's name.
    pub machine: String,
    /// Who plays, as stated; empty where not.
    pub contributor: String,
    /// The licence, as stated; empty where not.
    pub licence: String,
    /// The consent, in the words that were shown; empty where none was stated.
    pub consent: String,
    /// Its files, each as day, take and part: nothing of the machine that they lie on.
    pub files: Vec<String>,
    /// When it began: ns since 1970-01-01 UTC, by the studio machine's wall clock.
    pub started_unix_nanos: u64,
    /// Its length in seconds, gaps included.
    pub seconds: f64,
    /// Samples per second.
    pub sample_rate: f64,
    /// Audio channels; 0 in a take of MIDI alone.
    pub channels: u16,
    /// The worst grade of its findings; good without any.
    pub verdict: Grade,
    /// What is not as it should be, the worst first.
    pub findings: Vec<Finding>,
    /// What was measured in its samples; none without audio.
    pub sound: Option<Sound>,
    /// What was played.
    pub playing: Playing,
    /// Seconds of it that are private: marked so, or not sent for it.
    pub private_seconds: f64,
    /// How it came, and what is missing.
    pub delivery: Delivery,
    /// Onsets heard beside notes played; none where either is missing.
    pub agreement: Option<Agreement>,
    /// The take that it repeats, where it does.
    pub repeats: Option<String>,
}
