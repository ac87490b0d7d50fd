//! The stage that turns samples into frames of features, one Fourier transform for all.

use std::ops::Range;
use std::sync::Arc;

use super::spectral::{self, Shape};
use super::stft::{Framer, Spectrum};
use super::wide::{self, Doubles, Work};
use super::{Error, MAX_SAMPLE, Plan, chroma, lanes, waveform};

/// The features of one frame that follow from its own samples alone.
#[derive(Clone, Debug, PartialEq)]
pub struct Frame {
    /// The frame's number from 0; its centre is sample `index * hop_length` of the take.
    pub index: u64,
    /// Power in each mel band, `n_mels` values from low to high; a full-scale sine gives up to about 10^4.
    pub mel: Vec<f32>,
    /// Share of each pitch class, `chroma_n` values from C upwards, the strongest 1; all 0 in silence.
    pub chroma: Vec<f32>,
    /// Mean frequency, weighted by magnitude: hertz, 0 in silence.
    pub centroid: f32,
    /// Standard deviation of the frequency around the centroid: hertz, 0 in silence.
    pub bandwidth: f32,
    /// Frequency below which 85 % of the magnitude lies: hertz, always that of a bin, 0 in silence.
    pub rolloff: f32,
    /// Geometric over arithmetic mean of the power: near 0 for a tone, to 1 for noise and silence.
    pub flatness: f32,
    /// Changes of sign per sample, 0 to 1.
    pub zero_crossing_rate: f32,
    /// Root of the mean square of the samples; 1 is a full-scale square wave.
    pub rms: f32,
}

/// What is known at the end of a take.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Summary {
    /// Samples taken.
    pub samples: u64,
    /// Frames given: [`Settings::frames`](super::Settings::frames) of the samples.
    pub frames: u64,
    /// The loudest power in any mel band of any frame, what [`Floor::Take`](super::Floor::Take) asks for; 0 without samples.
    pub loudest: f32,
}

/// Turns samples into [`Frame`]s as they come. Its memory does not grow with the take, and the frames do not depend on the
/// sizes of the chunks.
pub struct Analysis {
    framer: Framer,
    bench: Bench,
}

impl Analysis {
    /// Begins a take.
    pub fn new(plan: Arc<Plan>) -> Self {
        let settings = plan.settings();
        Self { framer: Framer::new(settings.n_fft, settings.hop_length), bench: Bench::new(plan) }
    }

    /// Takes mono samples, and gives every frame whose last sample has come.
    ///
    /// # Errors
    /// [`Error::Sample`] names the first sample that features cannot be made of. Then nothing was taken: push the chunk again
    /// with the sample replaced.
    pub fn push(&mut self, samples: &[f32], mut give: impl FnMut(&Frame)) -> Result<(), Error> {
        check(samples, self.framer.taken())?;
        self.framer.push(samples, |index, samples, inside| give(self.bench.measure(index, samples, inside)));
        Ok(())
    }

    /// Ends the take, and gives the frames that reach beyond its last sample.
    pub fn finish(mut self, mut give: impl FnMut(&Frame)) -> Summary {
        self.framer.finish(|index, samples, inside| give(self.bench.measure(index, samples, inside)));
        Summary { samples: self.framer.taken(), frames: self.framer.given(), loudest: self.bench.loudest }
    }
}

/// Finds the first sample, from `position` on, that features cannot be made of.
fn check(samples: &[f32], position: u64) -> Result<(), Error> {
    let usable = |sample: &f32| sample.abs() <= MAX_SAMPLE;
    // Counting all has no branch, so that it runs in lanes.
    if samples.iter().map(|sample| u32::from(!usable(sample))).fold(0, u32::saturating_add) == 0 {
        return Ok(());
    }
    let first = samples.iter().position(|sample| !usable(sample)).unwrap_or_default();
    Err(Error::Sample { position: position + first as u64, value: samples[first] })
}

/// Where frames are measured: the plan, and the room for what is measured.
struct Bench {
    plan: Arc<Plan>,
    spectrum: Spectrum,
    frame: Frame,
    loudest: f32,
}

impl Bench {
    fn new(plan: Arc<Plan>) -> Self {
        let frame = Frame {
            index: 0,
            mel: vec![0.0; plan.mel.filters()],
            chroma: vec![0.0; plan.chroma.filters()],
            centroid: 0.0,
            bandwidth: 0.0,
            rolloff: 0.0,
            flatness: 0.0,
            zero_crossing_rate: 0.0,
            rms: 0.0,
        };
        Self { spectrum: Spectrum::new(plan.clone()), plan, frame, loudest: 0.0 }
    }

    /// Measures a frame; `inside` are those of its samples that are of the take.
    fn measure(&mut self, index: u64, samples: &[f32], inside: Range<usize>) -> &Frame {
        self.frame.index = index;
        wide::run(Measuring { bench: self, samples, inside });
        &self.frame
    }
}

/// A frame to measure.
struct Measuring<'a> {
    bench: &'a mut Bench,
    samples: &'a [f32],
    inside: Range<usize>,
}

impl Work for Measuring<'_> {
    type Gives = ();

    #[inline(always)]
    fn run<D: Doubles>(self) {
        let Bench { plan, spectrum, frame, loudest } = self.bench;
        spectrum.measure::<D>(self.samples);
        plan.mel.apply(spectrum.padded_powers(), &mut frame.mel);
        *loudest = lanes::largest(&frame.mel).max(*loudest);
        plan.chroma.apply(spectrum.padded_powers(), &mut frame.chroma);
        chroma::normalize(&mut frame.chroma);
        let shape = Shape::of(spectrum.magnitudes(), &plan.frequencies);
        frame.centroid = shape.centroid;
        frame.bandwidth = shape.bandwidth;
        frame.rolloff = shape.rolloff;
        frame.flatness = spectral::flatness(spectrum.powers());
        let (inside, length) = (&self.samples[self.inside], plan.settings().n_fft);
        frame.zero_crossing_rate = waveform::zero_crossings(inside) as f32 / length as f32;
        frame.rms = waveform::rms(inside, length);
    }
}
