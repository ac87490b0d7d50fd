//! The spectrogram: loudness of each frequency over time, as a picture of its own.

use std::sync::Arc;

use realfft::num_complex::Complex;
use realfft::{RealFftPlanner, RealToComplex};
use resvg::tiny_skia::{ColorU8, Pixmap};

use super::PlotError;
use super::page::COLUMNS;

/// Rows of the picture.
pub(super) const ROWS: usize = 280;

/// The lowest frequency shown, Hz.
pub(super) const LOWEST: f64 = 40.0;

/// From the darkest to the brightest, dB.
pub(super) const RANGE: f64 = 80.0;

/// Spectra of which a column shows the loudest, at most.
const SPECTRA: u64 = 4;

pub(super) struct Spectrogram {
    rate: f64,
    size: usize,
    transform: Arc<dyn RealToComplex<f32>>,
    window: Vec<f32>,
    /// Samples from `begin` on.
    held: Vec<f32>,
    begin: i64,
    length: u64,
    /// The next spectrum's number, of all.
    next: u64,
    all: u64,
    powers: Vec<Vec<f32>>,
    frame: Vec<f32>,
    bins: Vec<Complex<f32>>,
}

impl Spectrogram {
    pub(super) fn new(rate: f64, length: u64) -> Self {
        // About 85 ms: 12 Hz apart at 48 kHz.
        let size = ((rate * 0.085) as usize).next_power_of_two().clamp(256, 16_384);
        let transform = RealFftPlanner::new().plan_fft_forward(size);
        let turn = std::f64::consts::TAU / size as f64;
        let window: Vec<f32> = (0..size).map(|sample| (0.5 - 0.5 * (sample as f64 * turn).cos()) as f32).collect();
        // No closer than an eighth of a spectrum: they would show the same.
        let all = (length * 8 / size as u64).clamp(1, SPECTRA * COLUMNS as u64);
        Self {
            rate,
            size,
            frame: transform.make_input_vec(),
            bins: transform.make_output_vec(),
            transform,
            window,
            // Before the begin is silence.
            held: vec![0.0; size / 2],
            begin: -(size as i64 / 2),
            length,
            next: 0,
            all,
            powers: vec![Vec::new(); COLUMNS],
        }
    }

    /// Takes the samples that come next.
    pub(super) fn push(&mut self, samples: &[f32]) {
        self.held.extend_from_slice(samples);
        while self.next < self.all && self.start() + self.size as i64 <= self.begin + self.held.len() as i64 {
            self.spectrum();
        }
        let needed = if self.next < self.all { self.start() } else { i64::MAX };
        let gone = needed.saturating_sub(self.begin).clamp(0, self.held.len() as i64);
        self.held.drain(..gone as usize);
        self.begin += gone;
    }

    /// Nothing comes any more: behind the end is silence.
    pub(super) fn finish(&mut self) {
        self.push(&vec![0.0; self.size]);
    }

    /// Where the next spectrum begins: they are spread evenly, each around its middle.
    fn start(&self) -> i64 {
        let middle = (u128::from(self.next) * 2 + 1) * u128::from(self.length) / (u128::from(self.all) * 2);
        middle as i64 - self.size as i64 / 2
    }

    fn spectrum(&mut self) {
        let from = (self.start() - self.begin) as usize;
        for ((value, sample), weight) in self.frame.iter_mut().zip(&self.held[from..]).zip(&self.window) {
            *value = sample * weight;
        }
        let column = (u128::from(self.next) * COLUMNS as u128 / u128::from(self.all)) as usize;
        self.next += 1;
        if self.transform.process(&mut self.frame, &mut self.bins).is_err() {
            return;
        }
        // A sine of full scale is 1.
        let scale = 4.0 / self.size as f32;
        let powers = &mut self.powers[column];
        powers.resize(self.bins.len(), 0.0);
        powers.iter_mut().zip(&self.bins).for_each(|(power, bin)| *power = power.max(bin.norm_sqr() * scale * scale));
    }

    /// The highest frequency shown, Hz.
    pub(super) fn highest(&self) -> f64 {
        (self.rate / 2.0).min(20_000.0)
    }

    /// The row's frequency, from the highest to the lowest: each octave has as many rows.
    fn frequency(&self, row: f64) -> f64 {
        self.highest() * (LOWEST / self.highest()).powf(row / ROWS as f64)
    }

    /// The loudest of all, as dB of a sine of full scale, rounded up to 10.
    pub(super) fn loudest(&self) -> f64 {
        let power = self.powers.iter().flatten().copied().fold(0.0, f32::max);
        if power > 0.0 { ((10.0 * f64::from(power).log10() / 10.0).ceil() * 10.0).clamp(-60.0, 20.0) } else { 0.0 }
    }

    /// The picture as PNG.
    pub(super) fn png(&self) -> Result<Vec<u8>, PlotError> {
        let top = self.loudest();
        let mut pixmap = Pixmap::new(COLUMNS as u32, ROWS as u32).ok_or_else(|| PlotError::Draw("no spectrogram".to_owned()))?;
        let hertz = self.rate / self.size as f64;
        let mut column: &[f32] = &[];
        for x in 0..COLUMNS {
            // Fewer spectra than columns: each goes on until the next.
            if !self.powers[x].is_empty() {
                column = &self.powers[x];
            }
            for y in 0..ROWS {
                let (low, high) = (self.frequency(y as f64 + 1.0) / hertz, self.frequency(y as f64) / hertz);
                let decibels = 10.0 * f64::from(loudest_between(column, low, high)).max(1e-30).log10();
                let level = ((decibels - top + RANGE) / RANGE).clamp(0.0, 1.0);
                let colour = colorous::INFERNO.eval_continuous(level);
                pixmap.pixels_mut()[y * COLUMNS + x] = ColorU8::from_rgba(colour.r, colour.g, colour.b, 255).premultiply();
            }
        }
        pixmap.encode_png().map_err(|error| PlotError::Draw(error.to_string()))
    }
}

/// The most power between two places of a spectrum, counted in bins: of the bins that lie there, or between two where none does.
fn loudest_between(powers: &[f32], low: f64, high: f64) -> f32 {
    let at = |bin: usize| powers.get(bin).copied().unwrap_or(0.0);
    let (first, last) = (low.ceil() as usize, high.floor() as usize);
    if first <= last {
        return (first..=last).map(at).fold(0.0, f32::max);
    }
    let middle = f64::midpoint(low, high);
    let part = (middle - middle.floor()) as f32;
    at(middle.floor() as usize) * (1.0 - part) + at(middle.floor() as usize + 1) * part
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sine_of_full_scale_is_0_db_at_its_frequency() {
        let rate = 48_000.0;
        let mut spectrogram = Spectrogram::new(rate, 96_000);
        let turn = std::f64::consts::TAU * 1_500.0 / rate;
        let samples: Vec<f32> = (0..96_000).map(|sample| (f64::from(sample) * turn).sin() as f32).collect();
        samples.chunks(5_000).for_each(|chunk| spectrogram.push(chunk));
        spectrogram.finish();
        let middle = spectrogram.powers[..].iter().filter(|powers| !powers.is_empty()).nth(50).unwrap();
        let (bin, power) = middle.iter().enumerate().max_by(|one, two| one.1.total_cmp(two.1)).unwrap();
        assert_eq!(bin as f64 * rate / spectrogram.size as f64, 1_500.0);
        assert!((10.0 * power.log10()).abs() < 0.05, "{power}");
        assert_eq!(spectrogram.next, spectrogram.all);
    }
}
