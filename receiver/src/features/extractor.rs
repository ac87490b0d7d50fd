//! All features of a take in one pass.

use std::sync::Arc;

use super::{Analysis, Cepstrum, Error, Floor, Frame, Plan, Summary};

/// All features of one frame.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Row<'a> {
    /// What follows from the frame's own samples.
    pub frame: &'a Frame,
    /// Mel-frequency cepstral coefficients, `mfcc_n` values from the 0th: decibels.
    pub mfcc: &'a [f32],
    /// Onset strength: by how many decibels the mel bands rose, in the mean; 0 or more.
    pub onset: f32,
}

/// Turns samples into [`Row`]s as they come, in flat memory.
///
/// With [`Floor::Take`] the rows are bit for bit those of [`extract`](super::extract): for a long take, run an [`Analysis`]
/// over it first for its loudest value, or keep its mel spectra and run a [`Cepstrum`] over them. With [`Floor::SoFar`] one
/// pass is enough, for live use.
pub struct Extractor {
    analysis: Analysis,
    end: End,
}

/// The second stage, and the room for what it gives.
struct End {
    cepstrum: Cepstrum,
    mfcc: Vec<f32>,
}

impl End {
    fn give(&mut self, frame: &Frame, give: &mut impl FnMut(Row<'_>)) {
        let onset = self.cepstrum.push(&frame.mel, &mut self.mfcc);
        give(Row { frame, mfcc: &self.mfcc, onset });
    }
}

impl Extractor {
    /// Begins a take.
    pub fn new(plan: Arc<Plan>, floor: Floor) -> Self {
        let mfcc = vec![0.0; plan.settings().mfcc_n];
        let cepstrum = Cepstrum::new(plan.clone(), floor);
        Self { analysis: Analysis::new(plan), end: End { cepstrum, mfcc } }
    }

    /// Takes mono samples, and gives every row whose last sample has come.
    ///
    /// # Errors
    /// [`Error::Sample`] as [`Analysis::push`].
    pub fn push(&mut self, samples: &[f32], mut give: impl FnMut(Row<'_>)) -> Result<(), Error> {
        self.analysis.push(samples, |frame| self.end.give(frame, &mut give))
    }

    /// Ends the take, and gives the rows that reach beyond its last sample.
    pub fn finish(mut self, mut give: impl FnMut(Row<'_>)) -> Summary {
        self.analysis.finish(|frame| self.end.give(frame, &mut give))
    }
}
