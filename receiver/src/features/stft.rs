//! The short-time Fourier transform that all features share: frames of samples, and the spectrum of each.
//!
//! Frame `t` is centred on sample `t * hop_length`; what lies before the take's begin or after its end is zero
//! (`librosa.stft(center=True, pad_mode="constant")`).
//!
//! Window and transform are in double precision, as librosa's are, and everything after in single: the rounding of a
//! 32-bit transform lies above the true power of dark bins, and the flatness, which weighs all bins alike, shows it.

use std::ops::Range;
use std::sync::Arc;

use realfft::num_complex::Complex;
use realfft::{RealFftPlanner, RealToComplex};

use super::fft::{self, Fft};
use super::wide::Doubles;
use super::{Plan, bank};

/// The periodic Hann window of `length` samples (`scipy.signal.get_window("hann", length, fftbins=True)`).
pub(super) fn hann(length: usize) -> Vec<f64> {
    let turn = std::f64::consts::TAU / length as f64;
    (0..length).map(|sample| 0.5 - 0.5 * (sample as f64 * turn).cos()).collect()
}

/// Frames that a [`Framer`] has room for: the end of one moves to the front when the room is full, not each time.
const ROOM: usize = 8;

/// Cuts a stream of samples into overlapping frames.
pub(super) struct Framer {
    length: usize,
    hop: usize,
    /// The next frame, as far as it has come, and before it what was of frames that were given.
    samples: Vec<f32>,
    /// Where in the samples the next frame begins.
    begin: usize,
    /// Samples between the last frame and the next, where frames do not touch, that are still to come.
    skip: usize,
    /// Samples taken.
    taken: u64,
    /// Frames given.
    given: u64,
}

impl Framer {
    pub(super) fn new(length: usize, hop: usize) -> Self {
        let mut samples = Vec::with_capacity(ROOM * length);
        samples.resize(length / 2, 0.0);
        Self { length, hop, samples, begin: 0, skip: 0, taken: 0, given: 0 }
    }

    /// Samples taken.
    pub(super) fn taken(&self) -> u64 {
        self.taken
    }

    /// Frames given.
    pub(super) fn given(&self) -> u64 {
        self.given
    }

    /// Takes samples, and gives every frame that they complete.
    pub(super) fn push(&mut self, mut samples: &[f32], mut give: impl FnMut(u64, &[f32], Range<usize>)) {
        while !samples.is_empty() {
            let skipped = self.skip.min(samples.len());
            let wanted = (self.begin + self.length - self.samples.len()).min(samples.len() - skipped);
            let (now, later) = samples.split_at(skipped + wanted);
            self.skip -= skipped;
            self.taken += now.len() as u64;
            self.samples.extend_from_slice(&now[skipped..]);
            samples = later;
            if self.samples.len() == self.begin + self.length {
                self.give(&mut give);
            }
        }
    }

    /// Gives the frames that reach beyond the last sample.
    pub(super) fn finish(&mut self, mut give: impl FnMut(u64, &[f32], Range<usize>)) {
        while self.taken > 0 && self.given * self.hop as u64 <= self.taken {
            self.skip = 0;
            self.samples.resize(self.begin + self.length, 0.0);
            self.give(&mut give);
        }
    }

    /// Gives the frame, and moves on by a hop.
    fn give(&mut self, give: &mut impl FnMut(u64, &[f32], Range<usize>)) {
        // Where in the frame the take begins and ends.
        let start = i128::from(self.given * self.hop as u64) - self.length as i128 / 2;
        let inside = |position: i128| (position - start).clamp(0, self.length as i128) as usize;
        give(self.given, &self.samples[self.begin..], inside(0)..inside(i128::from(self.taken)));
        self.given += 1;
        self.skip = self.hop.saturating_sub(self.length);
        self.begin += self.hop.min(self.length);
        if self.begin > (ROOM - 1) * self.length {
            self.samples.drain(..self.begin);
            self.begin = 0;
        }
    }
}

/// The way from a frame to its power spectrum.
pub(super) enum Transform {
    /// The fast one.
    PowerOfTwo(Fft),
    /// For all other lengths.
    Any {
        /// One weight per sample.
        window: Vec<f64>,
        transform: Arc<dyn RealToComplex<f64>>,
    },
}

impl Transform {
    /// For frames of `length` samples, an even number.
    pub(super) fn new(length: usize) -> Self {
        let window = hann(length);
        match Fft::new(&window) {
            Some(fft) => Self::PowerOfTwo(fft),
            None => Self::Any { window, transform: RealFftPlanner::new().plan_fft_forward(length) },
        }
    }

    fn room(&self) -> Room {
        match self {
            Self::PowerOfTwo(fft) => Room::PowerOfTwo(fft.room()),
            Self::Any { transform, .. } => Room::Any {
                windowed: transform.make_input_vec(),
                complex: transform.make_output_vec(),
                scratch: transform.make_scratch_vec(),
            },
        }
    }
}

/// Where a frame is transformed.
enum Room {
    PowerOfTwo(fft::Room),
    Any { windowed: Vec<f64>, complex: Vec<Complex<f64>>, scratch: Vec<Complex<f64>> },
}

/// The spectrum of one frame after another.
pub(super) struct Spectrum {
    plan: Arc<Plan>,
    room: Room,
    /// The square of the magnitude of each bin, and zeros for [`Bank`](super::bank::Bank)s to reach into.
    powers: Vec<f32>,
    magnitudes: Vec<f32>,
}

impl Spectrum {
    pub(super) fn new(plan: Arc<Plan>) -> Self {
        let bins = plan.settings().bins();
        Self { room: plan.transform.room(), powers: vec![0.0; bins + bank::REACH], magnitudes: vec![0.0; bins], plan }
    }

    /// The square of the magnitude of each bin of the frame that was measured last.
    #[inline(always)]
    pub(super) fn powers(&self) -> &[f32] {
        &self.powers[..self.magnitudes.len()]
    }

    /// The same, followed by as many zeros as banks ask for.
    #[inline(always)]
    pub(super) fn padded_powers(&self) -> &[f32] {
        &self.powers
    }

    /// The magnitude of each bin of the frame that was measured last.
    #[inline(always)]
    pub(super) fn magnitudes(&self) -> &[f32] {
        &self.magnitudes
    }

    /// Transforms a frame of `n_fft` samples.
    #[inline(always)]
    pub(super) fn measure<D: Doubles>(&mut self, frame: &[f32]) {
        let powers = &mut self.powers[..self.magnitudes.len()];
        match (&self.plan.transform, &mut self.room) {
            (Transform::PowerOfTwo(fft), Room::PowerOfTwo(room)) => fft.powers::<D>(frame, room, powers),
            (Transform::Any { window, transform }, Room::Any { windowed, complex, scratch }) => {
                for ((windowed, sample), weight) in windowed.iter_mut().zip(frame).zip(window) {
                    *windowed = f64::from(*sample) * weight;
                }
                transform.process_with_scratch(windowed, complex, scratch).expect("the buffers were made by the transform");
                for (power, bin) in powers.iter_mut().zip(complex) {
                    *power = bin.norm_sqr() as f32;
                }
            }
            _ => unreachable!("the room was made by the transform"),
        }
        for (magnitude, power) in self.magnitudes.iter_mut().zip(powers) {
            *magnitude = power.sqrt();
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::wide::Plain;
    use super::*;

    /// All frames of `samples`, by the definition.
    fn slow(samples: &[f32], length: usize, hop: usize) -> Vec<(Vec<f32>, Range<usize>)> {
        let padded = [&vec![0.0; length / 2], samples, &vec![0.0; length + hop]].concat();
        let frames = if samples.is_empty() { 0 } else { 1 + samples.len() / hop };
        let end = length / 2 + samples.len();
        let inside = |start: usize| (length / 2).saturating_sub(start).min(length)..end.saturating_sub(start).min(length);
        (0..frames).map(|t| (padded[t * hop..t * hop + length].to_vec(), inside(t * hop))).collect()
    }

    proptest! {
        #[test]
        fn frames_do_not_depend_on_how_samples_come(
            chunks in prop::collection::vec(0_usize..50, 0..12), half in 1_usize..12, hop in 1_usize..40,
        ) {
            let samples: Vec<f32> = (1..=chunks.iter().sum::<usize>()).map(|n| n as f32).collect();
            let mut framer = Framer::new(2 * half, hop);
            let mut frames = Vec::new();
            let mut begin = 0;
            for chunk in chunks {
                framer.push(&samples[begin..begin + chunk], |_, frame, inside| frames.push((frame.to_vec(), inside)));
                begin += chunk;
            }
            framer.finish(|_, frame, inside| frames.push((frame.to_vec(), inside)));
            prop_assert_eq!(framer.given(), frames.len() as u64);
            let expected = slow(&samples, 2 * half, hop);
            prop_assert_eq!(frames.len(), expected.len());
            for ((frame, inside), (slow_frame, slow_inside)) in frames.iter().zip(&expected) {
                prop_assert_eq!(frame, slow_frame);
                // A frame that was full before the end came counts all of its samples; so does the definition.
                prop_assert_eq!(inside, slow_inside);
            }
        }
    }

    #[test]
    fn a_whole_number_of_periods_falls_into_one_bin() {
        let plan = Plan::new(super::super::Settings::new(48_000.0)).expect("defaults");
        let mut spectrum = Spectrum::new(plan);
        let turn = std::f32::consts::TAU * 100.0 / 2048.0;
        let frame: Vec<f32> = (0..2048).map(|n| (n as f32 * turn).sin()).collect();
        spectrum.measure::<Plain>(&frame);
        // A Hann window of N samples gives a sine of amplitude 1 the magnitude N/4, and half of that on either side.
        for (bin, magnitude) in [(98, 0.0), (99, 256.0), (100, 512.0), (101, 256.0), (102, 0.0)] {
            assert!((spectrum.magnitudes()[bin] - magnitude).abs() < 0.05, "bin {bin}: {}", spectrum.magnitudes()[bin]);
        }
    }
}
