//! Sequences: windows of takes, cut on the common timeline, with everything that a model is given of them.
//!
//! A [`Plan`] says which there are: a profile of each take is read (`profile`), takes that were played together or repeat one
//! another become performances (`performance`, `duplicates`), each on one side of the training, and windows are cut
//! where one clock or playhead says that samples belong together (`placement`). A [`Workshop`] makes the sequences.
//! `spec/dataset.md` has the rules.

mod about;
mod duplicates;
mod performance;
pub(crate) mod placement;
mod plan;
mod prepare;
mod profile;
mod settings;
mod withheld;

pub use about::{About, NoteSource, Split};
pub use plan::{Plan, Planned, Reason};
pub use prepare::{PrepareError, Workshop};
pub use settings::{Settings, SettingsError};
pub use withheld::Withheld;

use crate::features::Features;
use crate::music::Music;

/// One audio stream over one window, with the music that was played in it.
#[derive(Clone, Debug)]
pub struct Sequence {
    /// What it is and where it comes from.
    pub about: About,
    /// Its samples, interleaved: `about.frames * about.channels` values; none in a sequence of MIDI alone.
    pub audio: Vec<f32>,
    /// The features of its mono mix, made of this window alone; no rows in a sequence of MIDI alone.
    pub features: Features,
    /// Its notes, controls, tempo, meter and beats, in samples since its begin.
    pub music: Music,
}
