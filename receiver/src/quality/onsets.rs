//! Onsets in the audio: peaks of the onset strength.
//!
//! The strength is that of the features (S. Böck and G. Widmer, DAFx 2013). Peaks are picked by the three conditions of S. Böck,
//! F. Krebs and M. Schedl, "Evaluating the Online Capabilities of Onset Detection Methods", ISMIR 2012, with the window lengths of
//! `librosa.onset.onset_detect`. Threshold and floor are fixed decibels, not shares of the take's strongest onset and loudest
//! moment: one loud hit would hide the others, and neither is known before the take's end.

use std::sync::Arc;

use crate::features::{Extractor, Floor, Plan, Settings};

/// How far a peak stands above the mean around it, in dB of the mean rise of the mel bands.
const THRESHOLD: f32 = 1.0;

/// Mel bands below -70 dB are silent: some way above the noise of 16-bit samples, and 110 dB below a full-scale sine. The floor
/// of the features lies 80 dB below what is called the loudest.
const SILENT: Floor = Floor::Take { loudest: 10.0 };

/// A peak is the highest of this time before it, and the next comes later than that, in seconds.
const APART: f64 = 0.03;

/// The mean is taken over this time before and after, in seconds.
const AROUND: f64 = 0.1;

/// The positions of all onsets in mono samples, which must be finite; none where features cannot be made at the sample rate.
pub fn onsets(mono: &[f32], sample_rate: f64) -> Vec<u64> {
    let Some(mut finder) = Finder::new(sample_rate) else { return Vec::new() };
    finder.push(mono);
    finder.finish()
}

/// Finds onsets in samples as they come. It keeps four bytes for each frame of the features.
pub(super) struct Finder {
    plan: Arc<Plan>,
    extractor: Extractor,
    /// Where the samples since the last gap began.
    begin: u64,
    strengths: Vec<f32>,
    /// Positions of the onsets found, in order.
    onsets: Vec<u64>,
}

impl Finder {
    /// None where the sample rate is one that features cannot be made at.
    pub(super) fn new(sample_rate: f64) -> Option<Self> {
        let plan = Plan::new(Settings::new(sample_rate)).ok()?;
        let extractor = Extractor::new(plan.clone(), SILENT);
        Some(Self { plan, extractor, begin: 0, strengths: Vec::new(), onsets: Vec::new() })
    }

    /// Begins anew at `position`, after a gap.
    pub(super) fn begin(&mut self, position: u64) {
        self.pick();
        self.begin = position;
    }

    /// Takes mono samples, which must be finite.
    pub(super) fn push(&mut self, mono: &[f32]) {
        // Samples beyond what features are made of end the search: they are no sound.
        let _ = self.extractor.push(mono, |row| self.strengths.push(row.onset));
    }

    /// Ends the take.
    pub(super) fn finish(mut self) -> Vec<u64> {
        self.pick();
        self.onsets
    }

    fn pick(&mut self) {
        let extractor = std::mem::replace(&mut self.extractor, Extractor::new(self.plan.clone(), SILENT));
        extractor.finish(|row| self.strengths.push(row.onset));
        let settings = self.plan.settings();
        let frames = |seconds: f64| (seconds * settings.sample_rate / settings.hop_length as f64) as usize;
        let found = peaks(&self.strengths, frames(APART), frames(AROUND));
        self.onsets.extend(found.into_iter().map(|frame| self.begin + (frame * settings.hop_length) as u64));
        self.strengths.clear();
    }
}

/// Frames that are the highest of themselves and the `apart` frames before, at least [`THRESHOLD`] above the mean of the `around`
/// frames before and after, and more than `apart` frames after the last peak.
fn peaks(strengths: &[f32], apart: usize, around: usize) -> Vec<usize> {
    let mut peaks: Vec<usize> = Vec::new();
    for (frame, &strength) in strengths.iter().enumerate() {
        let highest = strengths[frame.saturating_sub(apart)..frame].iter().all(|&before| before <= strength);
        let window = &strengths[frame.saturating_sub(around)..(frame + around + 1).min(strengths.len())];
        let mean = window.iter().sum::<f32>() / window.len() as f32;
        let later = peaks.last().is_none_or(|last| frame - last > apart);
        if highest && later && strength >= mean + THRESHOLD {
            peaks.push(frame);
        }
    }
    peaks
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn peaks_stand_above_what_is_around_them() {
        let mut strengths = vec![0.5; 40];
        // A strong one, one just too weak, one that comes too soon after a stronger one, one on a slope.
        strengths[10] = 5.0;
        strengths[20] = 1.49;
        strengths[30] = 6.0;
        strengths[32] = 5.0;
        strengths[38] = 3.0;
        strengths[39] = 4.0;
        assert_eq!(peaks(&strengths, 2, 9), [10, 30, 38]);
        assert_eq!(peaks(&[], 2, 9), [0_usize; 0]);
        assert_eq!(peaks(&[0.0; 50], 2, 9), [0_usize; 0]);
    }

    /// A click with a decay of 20 ms.
    fn clicks(length: usize, at: &[usize]) -> Vec<f32> {
        let mut samples = vec![0.0; length];
        for &begin in at {
            for (index, sample) in samples[begin..].iter_mut().enumerate().take(48_000) {
                *sample += 0.5 * (-(index as f32) / 960.0).exp() * (index as f32 * 0.3).sin();
            }
        }
        samples
    }

    #[test]
    fn clicks_are_found_where_they_are_whatever_the_chunks() {
        let at = [20_000, 60_000, 61_000, 120_000];
        let samples = clicks(150_000, &at);
        for chunk in [150_000, 4_099] {
            let mut finder = Finder::new(48_000.0).expect("a usual rate");
            finder.begin(1_000_000);
            samples.chunks(chunk).for_each(|part| finder.push(part));
            let found = finder.finish();
            // Two that are 21 ms apart are one.
            let expected = [1_020_000_i64, 1_060_000, 1_120_000];
            assert_eq!(found.len(), 3, "{found:?}");
            assert!(found.iter().zip(expected).all(|(&found, click)| (0..1500).contains(&(found as i64 - click))), "{found:?}");
        }
    }

    #[test]
    fn a_gap_is_no_onset() {
        let samples = vec![0.25; 48_000];
        let mut finder = Finder::new(48_000.0).expect("a usual rate");
        finder.push(&samples);
        finder.begin(100_000);
        finder.push(&samples);
        assert_eq!(finder.finish(), [0_u64; 0]);
        assert!(Finder::new(10.0).is_none());
    }
}
