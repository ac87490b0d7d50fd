//! The stage after the mel spectrum: decibels, then MFCC and onset strength.
//!
//! MFCC: S. B. Davis and P. Mermelstein, "Comparison of parametric representations for monosyllabic word recognition",
//! IEEE TASSP 28 (1980), as `librosa.feature.mfcc` makes them. Onset strength: S. Böck and G. Widmer, "Maximum filter
//! vibrato suppression for onset detection", DAFx (2013), the case without a filter, as `librosa.onset.onset_strength`.

use std::collections::VecDeque;
use std::sync::Arc;

use super::wide::{self, Doubles, Work};
use super::{Plan, lanes};

/// Powers below this count as this: -100 dB.
const MIN_POWER: f32 = 1e-10;
/// How far below the loudest value of the take the quietest counts, in decibels (`top_db`).
const RANGE: f32 = 80.0;

/// Below which level the mel spectrum counts as silent: 80 dB below its loudest value in the take.
///
/// The loudest value of a take is only known at its end, so whoever cannot wait says what to do.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Floor {
    /// The take's loudest mel power is known, from a first pass: [`Summary::loudest`](super::Summary::loudest). This is the
    /// definition.
    Take {
        /// Mel power, not decibels.
        loudest: f32,
    },
    /// The loudest value so far stands for it: for live use. Rows differ from the definition only before the take's
    /// loudest moment, and only where a band is more than 80 dB below that moment.
    SoFar,
}

/// Turns mel spectra into MFCC and onset strength, frame by frame.
pub struct Cepstrum {
    plan: Arc<Plan>,
    floor: Floor,
    loudest: f32,
    /// The spectrum in decibels, with no floor yet: this frame's and the one before.
    decibels: Vec<f32>,
    before: Vec<f32>,
    /// This frame's, held above the floor.
    held: Vec<f32>,
    frames: u64,
    /// Rises of the last frames: librosa gives them `n_fft / (2 * hop_length)` frames later, when they are half over.
    rises: VecDeque<f32>,
}

impl Cepstrum {
    /// Begins a take.
    pub fn new(plan: Arc<Plan>, floor: Floor) -> Self {
        let settings = plan.settings();
        let loudest = match floor {
            Floor::Take { loudest } => loudest,
            Floor::SoFar => 0.0,
        };
        Self {
            floor,
            loudest,
            decibels: vec![0.0; settings.n_mels],
            before: vec![0.0; settings.n_mels],
            held: vec![0.0; settings.n_mels],
            frames: 0,
            rises: vec![0.0; settings.n_fft / (2 * settings.hop_length)].into(),
            plan,
        }
    }

    /// Takes the next frame's mel spectrum (`n_mels` powers), fills `mfcc` (`mfcc_n` values, decibels) and gives the onset
    /// strength: by how many decibels the bands rose from the frame before, in the mean; 0 or more.
    ///
    /// # Panics
    /// When a slice has another length.
    pub fn push(&mut self, mel: &[f32], mfcc: &mut [f32]) -> f32 {
        let settings = self.plan.settings();
        assert_eq!((mel.len(), mfcc.len()), (settings.n_mels, settings.mfcc_n), "one value per band and coefficient");
        wide::run(Pushing { cepstrum: self, mel, mfcc })
    }
}

/// A frame to take.
struct Pushing<'a> {
    cepstrum: &'a mut Cepstrum,
    mel: &'a [f32],
    mfcc: &'a mut [f32],
}

impl Work for Pushing<'_> {
    type Gives = f32;

    #[inline(always)]
    fn run<D: Doubles>(self) -> f32 {
        let Cepstrum { plan, floor, loudest, decibels, held, before, frames, rises } = self.cepstrum;
        std::mem::swap(decibels, before);
        lanes::decibels(self.mel, MIN_POWER, decibels);
        if *floor == Floor::SoFar {
            *loudest = lanes::largest(self.mel).max(*loudest);
        }
        let mut top = [0.0];
        lanes::decibels(&[*loudest], MIN_POWER, &mut top);
        let lowest = top[0] - RANGE;
        let rise = if *frames == 0 { 0.0 } else { lanes::rise(decibels, before, lowest) / self.mel.len() as f32 };
        *frames += 1;
        for (held, decibels) in held.iter_mut().zip(&*decibels) {
            *held = decibels.max(lowest);
        }
        for (coefficient, cosines) in self.mfcc.iter_mut().zip(plan.cosines.chunks_exact(held.len())) {
            *coefficient = lanes::dot(held, cosines);
        }
        rises.push_back(rise);
        rises.pop_front().unwrap_or_default()
    }
}

/// The first `count` rows of the orthonormal cosine transform of type II of `bands` values (`scipy.fft.dct(norm="ortho")`).
pub(super) fn cosines(bands: usize, count: usize) -> Vec<f32> {
    let length = bands as f64;
    let cosine = |row: usize, band: usize| {
        let scale = if row == 0 { 1.0 } else { 2.0 };
        ((scale / length).sqrt() * (std::f64::consts::PI * row as f64 * (band as f64 + 0.5) / length).cos()) as f32
    };
    (0..count).flat_map(|row| (0..bands).map(move |band| cosine(row, band))).collect()
}

#[cfg(test)]
mod tests {
    use super::super::Settings;
    use super::*;

    fn plan() -> Arc<Plan> {
        Plan::new(Settings { n_mels: 16, mfcc_n: 4, ..Settings::new(48_000.0) }).expect("valid settings")
    }

    #[test]
    fn cosine_rows_are_orthonormal() {
        let rows = cosines(20, 6);
        for (a, row) in rows.chunks(20).enumerate() {
            for (b, other) in rows.chunks(20).enumerate() {
                assert!((lanes::dot(row, other) - if a == b { 1.0 } else { 0.0 }).abs() < 1e-6);
            }
        }
    }

    #[test]
    fn quiet_bands_count_as_80_db_below_the_loudest() {
        let mut mfcc = [0.0; 4];
        Cepstrum::new(plan(), Floor::Take { loudest: 1.0 }).push(&[1e-9; 16], &mut mfcc);
        assert!((mfcc[0] + 80.0 * 4.0).abs() < 1e-3, "{mfcc:?}");
        Cepstrum::new(plan(), Floor::SoFar).push(&[1e-9; 16], &mut mfcc);
        assert!((mfcc[0] + 90.0 * 4.0).abs() < 1e-3, "{mfcc:?}");
        Cepstrum::new(plan(), Floor::SoFar).push(&[0.0; 16], &mut mfcc);
        assert!((mfcc[0] + 100.0 * 4.0).abs() < 1e-3, "{mfcc:?}");
    }

    #[test]
    fn a_rise_shows_two_frames_later_and_a_fall_never() {
        let mut cepstrum = Cepstrum::new(plan(), Floor::Take { loudest: 1.0 });
        let mut mfcc = [0.0; 4];
        let onsets: Vec<f32> =
            [1e-3, 1e-3, 1.0, 1e-2, 1e-2, 1e-2].iter().map(|&power| cepstrum.push(&[power; 16], &mut mfcc)).collect();
        for (onset, expected) in onsets.iter().zip([0.0, 0.0, 0.0, 0.0, 30.0, 0.0]) {
            assert!((onset - expected).abs() < 1e-4, "{onsets:?}");
        }
    }
}
