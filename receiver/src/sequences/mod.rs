//! Sequences: windows of takes, cut on the common timeline, with everything that a model is given of them.

mod about;
mod settings;

pub use about::{About, NoteSource, Split};
pub use settings::Settings;

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
