//! The features of a whole take in memory.

use std::sync::Arc;

use super::{Analysis, Cepstrum, Error, Floor, Frame, Plan, Settings};

/// The features of a take, a column each. Those with several values per frame hold them row by row: value `n` of frame `t`
/// is at `t * count + n`. Units are those of [`Frame`] and [`Row`](super::Row).
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Features {
    /// Rows of every column.
    pub frames: usize,
    /// Mel spectrum, `n_mels` values per frame.
    pub mel: Vec<f32>,
    /// MFCC, `mfcc_n` values per frame.
    pub mfcc: Vec<f32>,
    /// Chroma, `chroma_n` values per frame.
    pub chroma: Vec<f32>,
    /// Spectral centroid.
    pub centroid: Vec<f32>,
    /// Spectral bandwidth.
    pub bandwidth: Vec<f32>,
    /// Spectral rolloff.
    pub rolloff: Vec<f32>,
    /// Spectral flatness.
    pub flatness: Vec<f32>,
    /// Zero crossing rate.
    pub zero_crossing_rate: Vec<f32>,
    /// Root mean square.
    pub rms: Vec<f32>,
    /// Onset strength.
    pub onset: Vec<f32>,
}

impl Features {
    /// Room for so many frames.
    fn with_capacity(settings: &Settings, frames: usize) -> Self {
        let several = |count: usize| Vec::with_capacity(count * frames);
        Self {
            frames: 0,
            mel: several(settings.n_mels),
            mfcc: Vec::new(),
            chroma: several(settings.chroma_n),
            centroid: several(1),
            bandwidth: several(1),
            rolloff: several(1),
            flatness: several(1),
            zero_crossing_rate: several(1),
            rms: several(1),
            onset: several(1),
        }
    }

    fn push(&mut self, frame: &Frame) {
        self.frames += 1;
        self.mel.extend_from_slice(&frame.mel);
        self.chroma.extend_from_slice(&frame.chroma);
        self.centroid.push(frame.centroid);
        self.bandwidth.push(frame.bandwidth);
        self.rolloff.push(frame.rolloff);
        self.flatness.push(frame.flatness);
        self.zero_crossing_rate.push(frame.zero_crossing_rate);
        self.rms.push(frame.rms);
    }
}

/// All features of a take of mono samples.
///
/// One Fourier transform per frame: MFCC and onset strength, which need the take's loudest value, are made from the mel
/// spectra when all are there.
///
/// # Errors
/// [`Error::Sample`] names the first sample that features cannot be made of.
pub fn extract(plan: &Arc<Plan>, samples: &[f32]) -> Result<Features, Error> {
    let settings = plan.settings();
    let mut features = Features::with_capacity(settings, settings.frames(samples.len() as u64) as usize);
    let mut analysis = Analysis::new(plan.clone());
    analysis.push(samples, |frame| features.push(frame))?;
    let summary = analysis.finish(|frame| features.push(frame));
    let mut cepstrum = Cepstrum::new(plan.clone(), Floor::Take { loudest: summary.loudest });
    features.mfcc = vec![0.0; features.frames * settings.mfcc_n];
    let rows = features.mel.chunks_exact(settings.n_mels).zip(features.mfcc.chunks_exact_mut(settings.mfcc_n));
    features.onset.extend(rows.map(|(mel, mfcc)| cepstrum.push(mel, mfcc)));
    Ok(features)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::{Extractor, MAX_SAMPLE, Row};
    use super::*;

    fn plan(n_fft: usize, hop_length: usize) -> Arc<Plan> {
        Plan::new(Settings { n_fft, hop_length, n_mels: 24, ..Settings::new(44_100.0) }).expect("valid settings")
    }

    /// Noise that swells and falls silent, the same each time.
    fn music(samples: usize) -> Vec<f32> {
        let mut state = 1_u32;
        let noise = std::iter::repeat_with(|| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            state as i32 as f32 / i32::MAX as f32
        });
        let swell = |sample: usize| ((sample as f32 / 400.0).sin().max(0.0)).powi(6);
        noise.take(samples).enumerate().map(|(sample, noise)| noise * swell(sample)).collect()
    }

    /// The features by streaming in chunks of the given sizes, over and over.
    fn stream(plan: &Arc<Plan>, samples: &[f32], sizes: &[usize], floor: Floor) -> Features {
        let mut features = Features::default();
        let mut give = |row: Row<'_>| {
            features.push(row.frame);
            features.mfcc.extend_from_slice(row.mfcc);
            features.onset.push(row.onset);
        };
        let mut extractor = Extractor::new(plan.clone(), floor);
        let (mut rest, mut sizes) = (samples, sizes.iter().cycle());
        while !rest.is_empty() {
            let (chunk, later) = rest.split_at((*sizes.next().expect("a cycle")).min(rest.len()));
            extractor.push(chunk, &mut give).expect("finite samples");
            rest = later;
        }
        let summary = extractor.finish(&mut give);
        assert_eq!((summary.samples, summary.frames), (samples.len() as u64, features.frames as u64));
        assert_eq!(summary.frames, plan.settings().frames(summary.samples));
        features
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn streaming_gives_the_bits_of_the_whole(
            length in 0_usize..6000, sizes in prop::collection::vec(1_usize..900, 1..8), hop in 1_usize..700,
        ) {
            let plan = plan(256, hop.max(16));
            let samples = music(length);
            let whole = extract(&plan, &samples).expect("finite samples");
            let loudest = whole.mel.iter().copied().fold(0.0, f32::max);
            prop_assert_eq!(stream(&plan, &samples, &sizes, Floor::Take { loudest }), whole);
        }
    }

    #[test]
    fn live_rows_are_those_of_the_take_from_its_loudest_moment_on() {
        let plan = plan(256, 64);
        let samples = music(6000);
        let whole = extract(&plan, &samples).expect("finite samples");
        let live = stream(&plan, &samples, &[100], Floor::SoFar);
        let loudest = whole.mel.iter().enumerate().max_by(|a, b| a.1.total_cmp(b.1)).expect("frames").0 / 24;
        assert_eq!(live.mfcc[13 * loudest..], whole.mfcc[13 * loudest..]);
        assert_ne!(live.mfcc, whole.mfcc);
        assert_eq!(live.chroma, whole.chroma);
    }

    #[test]
    fn a_sine_shows_where_it_is() {
        let plan = Plan::new(Settings::new(48_000.0)).expect("defaults");
        // 440 Hz: pitch class A, nine semitones above C.
        let turn = std::f64::consts::TAU * 440.0 / 48_000.0;
        let samples: Vec<f32> = (0..48_000).map(|n| (f64::from(n) * turn).sin() as f32).collect();
        let features = extract(&plan, &samples).expect("finite samples");
        let middle = features.frames / 2;
        assert_eq!(features.frames, 94);
        assert_eq!(features.chroma[12 * middle + 9], 1.0);
        assert!((features.centroid[middle] - 440.0).abs() < 1.0);
        assert!((features.rolloff[middle] - 440.0).abs() < 2.0 * 48_000.0 / 2048.0);
        assert!((features.rms[middle] - 0.5_f32.sqrt()).abs() < 1e-2);
        assert!((features.zero_crossing_rate[middle] - 880.0 / 48_000.0).abs() < 1e-3);
        assert!(features.flatness[middle] < 1e-6);
    }

    #[test]
    fn a_take_without_samples_has_no_rows() {
        assert_eq!(extract(&plan(256, 64), &[]), Ok(Features::default()));
    }

    #[test]
    fn samples_that_are_no_sound_are_named_and_nothing_is_taken() {
        let plan = plan(256, 64);
        let mut analysis = Analysis::new(plan);
        analysis.push(&[0.5; 100], |_| ()).expect("finite samples");
        for bad in [f32::NAN, f32::INFINITY, -2.0 * MAX_SAMPLE] {
            let error = analysis.push(&[0.0, bad, 0.0], |_| ()).expect_err("bad sample");
            assert!(matches!(error, Error::Sample { position: 101, value } if value.to_bits() == bad.to_bits()), "{error}");
        }
        assert_eq!(analysis.finish(|_| ()).samples, 100);
    }
}
