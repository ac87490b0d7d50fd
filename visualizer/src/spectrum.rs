//! Hop by hop, a log-frequency spectrum of a stream: one row of the terrain each.

use std::collections::BTreeSet;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use realfft::num_complex::Complex;
use realfft::{RealFftPlanner, RealToComplex};

use crate::ring::SampleRing;

/// Bands of one row.
pub const BANDS: usize = 192;
/// Rows that are kept; at 48 kHz about 11 s.
pub const ROWS: usize = 1_024;
/// The lowest and the highest frequency of a row, in Hz.
pub const FREQUENCIES: (f32, f32) = (30.0, 16_000.0);
/// The level that is drawn as 0, in dB relative to a sine of full scale, which is drawn as 1.
pub const FLOOR_DB: f32 = -90.0;

/// One row: the level of each band, 0 ([`FLOOR_DB`]) to 1 (a sine of full scale).
pub type Row = [f32; BANDS];

/// Where `frequency` (Hz) stands between the lowest (0) and the highest (1) of a row. Values outside are possible.
pub fn frequency_to_unit(frequency: f32) -> f32 {
    let (low, high) = FREQUENCIES;
    (frequency / low).ln() / (high / low).ln()
}

/// The frequency in Hz at `unit` between the lowest (0) and the highest (1) of a row.
pub fn unit_to_frequency(unit: f32) -> f32 {
    let (low, high) = FREQUENCIES;
    low * (high / low).powf(unit)
}

/// Turns a stream's samples into rows. Row `r` is the spectrum of the window that ends with hop `r`, that is, before sample
/// `(r + 1) * hop`.
pub struct Spectrum {
    fft: Arc<dyn RealToComplex<f32>>,
    window: Vec<f32>,
    bands: Vec<Range<f32>>,
    hop: u64,
    /// The next row to be made for the first time.
    next: u64,
    /// Rows whose samples have changed since they were made.
    stale: BTreeSet<u64>,
    windowed: Vec<f32>,
    bins: Vec<Complex<f32>>,
    scratch: Vec<Complex<f32>>,
}

impl fmt::Debug for Spectrum {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Spectrum").field("hop", &self.hop).field("next", &self.next).finish_non_exhaustive()
    }
}

impl Spectrum {
    /// For a stream of `sample_rate` Hz: a Hann window of 2,048 samples and a hop of 512 at 48 kHz, and powers of two that
    /// last about as long at other rates.
    pub fn new(sample_rate: f64) -> Self {
        let octaves = (sample_rate / 48_000.0).log2().round().clamp(-4.0, 4.0);
        let len = (2_048.0 * octaves.exp2()) as usize;
        let fft = RealFftPlanner::new().plan_fft_forward(len);
        let window: Vec<f32> = (0..len).map(|n| 0.5 - 0.5 * (std::f32::consts::TAU * n as f32 / len as f32).cos()).collect();
        let bin = |unit: f32| unit_to_frequency(unit) * len as f32 / sample_rate as f32;
        let bands = (0..BANDS).map(|band| bin(band as f32 / BANDS as f32)..bin((band + 1) as f32 / BANDS as f32)).collect();
        Self {
            windowed: fft.make_input_vec(),
            bins: fft.make_output_vec(),
            scratch: fft.make_scratch_vec(),
            fft,
            window,
            bands,
            hop: len as u64 / 4,
            next: 0,
            stale: BTreeSet::new(),
        }
    }

    /// Samples from one row to the next.
    pub fn hop(&self) -> u64 {
        self.hop
    }

    /// Samples that a ring must keep for all rows to be made from it.
    pub fn reach(&self) -> usize {
        ROWS * self.hop as usize + self.window.len()
    }

    /// The row after the newest that has been made.
    pub fn next(&self) -> u64 {
        self.next
    }

    /// Notes that the samples of `written` have come. Rows that were made without them will be made again.
    pub fn mark(&mut self, written: Range<u64>) {
        if written.is_empty() {
            return;
        }
        let reach = self.window.len() as u64 / self.hop;
        let first = (written.start / self.hop).max(self.oldest());
        let last = ((written.end - 1) / self.hop + reach).min(self.next);
        self.stale.extend(first..last);
    }

    /// Makes the rows that are due from `ring`, at most [`ROWS`]: new ones in order, then those to be made again.
    pub fn advance(&mut self, ring: &SampleRing, mut emit: impl FnMut(u64, &Row)) {
        let due = ring.end() / self.hop;
        // A late start, or a jump: what has scrolled out of sight is not made.
        self.next = self.next.max(due.saturating_sub(ROWS as u64));
        let oldest = self.oldest();
        self.stale = self.stale.split_off(&oldest);
        let new = self.next..due;
        self.next = self.next.max(due);
        for row in new.clone().chain(std::mem::take(&mut self.stale).into_iter().filter(|row| !new.contains(row))) {
            let levels = self.row(ring, row);
            emit(row, &levels);
        }
    }

    fn oldest(&self) -> u64 {
        self.next.saturating_sub(ROWS as u64)
    }

    fn row(&mut self, ring: &SampleRing, row: u64) -> Row {
        ring.copy_before((row + 1).saturating_mul(self.hop), &mut self.windowed);
        if self.windowed.iter().all(|sample| *sample == 0.0) {
            return [0.0; BANDS];
        }
        self.windowed.iter_mut().zip(&self.window).for_each(|(sample, weight)| *sample *= weight);
        let transformed = self.fft.process_with_scratch(&mut self.windowed, &mut self.bins, &mut self.scratch);
        debug_assert!(transformed.is_ok(), "the buffers are the plan's own");
        // A Hann window's mean is 1/2, and a sine has half of its amplitude in the bin.
        let scale = 4.0 / self.window.len() as f32;
        let nyquist = (self.bins.len() - 1) as f32;
        let magnitude = |bin: f32| {
            let low = bin as usize;
            let fraction = bin - low as f32;
            let at = |index: usize| self.bins.get(index).map_or(0.0, |value| value.norm());
            at(low) * (1.0 - fraction) + at(low + 1) * fraction
        };
        let mut levels = [0.0; BANDS];
        for (level, band) in levels.iter_mut().zip(&self.bands) {
            if band.start >= nyquist {
                break;
            }
            // The strongest bin of a wide band; between two bins, what lies between them.
            let inside = (band.start.ceil() as usize..=band.end as usize).filter_map(|bin| self.bins.get(bin));
            let peak = inside.map(|value| value.norm()).fold(magnitude(f32::midpoint(band.start, band.end)), f32::max);
            *level = (1.0 - 20.0 * (peak * scale).max(1e-9).log10() / FLOOR_DB).clamp(0.0, 1.0);
        }
        levels
    }
}

#[cfg(test)]
mod tests {
    use std::f64::consts::TAU;

    use super::*;

    const RATE: f64 = 48_000.0;

    fn sine(frequency: f64, range: Range<u64>) -> Vec<f32> {
        range.map(|n| (0.5 * (TAU * frequency * n as f64 / RATE).sin()) as f32).collect()
    }

    fn rows(ring: &SampleRing, spectrum: &mut Spectrum) -> Vec<(u64, Row)> {
        let mut rows = Vec::new();
        spectrum.advance(ring, |row, levels| rows.push((row, *levels)));
        rows
    }

    fn loudest(row: &Row) -> usize {
        (0..BANDS).max_by(|a, b| row[*a].total_cmp(&row[*b])).unwrap()
    }

    #[test]
    fn a_sine_stands_in_its_band_at_its_level() {
        for frequency in [110.0, 440.0, 1_000.0, 9_000.0] {
            let mut spectrum = Spectrum::new(RATE);
            let mut ring = SampleRing::new(spectrum.reach());
            ring.write(0, sine(frequency, 0..8_192).into_iter());
            let rows = rows(&ring, &mut spectrum);
            let (_, row) = rows.last().unwrap();
            let expected = frequency_to_unit(frequency as f32) * BANDS as f32;
            let found = loudest(row) as f32 + 0.5;
            let bin_width = BANDS as f32 * frequency_to_unit(30.0 * (1.0 + 12.0 / frequency as f32));
            assert!((found - expected).abs() < 1.0 + bin_width, "{frequency} Hz: band {found}, expected {expected}");
            let level_db = FLOOR_DB * (1.0 - row[loudest(row)]);
            assert!((level_db + 6.0).abs() < 1.6, "{frequency} Hz: {level_db} dB");
        }
    }

    #[test]
    fn the_ridge_of_a_chirp_follows_its_frequency_from_hop_to_hop() {
        let mut spectrum = Spectrum::new(RATE);
        let mut ring = SampleRing::new(spectrum.reach());
        let seconds = 3.6;
        // Two octaves a second from 100 Hz on.
        let frequency = |at: f64| 100.0 * (2.0 * at).exp2();
        let phase = |at: f64| TAU * 100.0 * ((2.0 * at).exp2() - 1.0) / (2.0 * 2.0_f64.ln());
        let samples = (0..(seconds * RATE) as u64).map(|n| phase(n as f64 / RATE).sin() as f32);
        ring.write(0, samples.collect::<Vec<_>>().into_iter());
        for (row, levels) in rows(&ring, &mut spectrum).iter().skip(40) {
            let centre = ((row + 1) * spectrum.hop() - 1_024) as f64 / RATE;
            let expected = frequency_to_unit(frequency(centre) as f32) * BANDS as f32;
            let found = loudest(levels) as f32 + 0.5;
            assert!((found - expected).abs() < 3.0, "row {row}: band {found}, expected {expected}");
        }
    }

    #[test]
    fn rows_made_without_late_samples_are_made_again_and_then_equal_those_of_audio_in_order() {
        let samples = sine(700.0, 0..16_384);
        let mut spectrum = Spectrum::new(RATE);
        let mut ring = SampleRing::new(spectrum.reach());
        let mut made = std::collections::BTreeMap::new();
        for (start, end) in [(0, 4_000), (6_000, 16_384), (4_000, 6_000)] {
            let written = ring.write(start, samples[start as usize..end as usize].iter().copied());
            spectrum.mark(written);
            made.extend(rows(&ring, &mut spectrum));
        }
        let mut in_order = Spectrum::new(RATE);
        let expected: std::collections::BTreeMap<_, _> = rows(&ring, &mut in_order).into_iter().collect();
        assert_eq!(made, expected);
        assert!(rows(&ring, &mut spectrum).is_empty(), "nothing is made twice without need");
    }

    #[test]
    fn a_late_start_makes_only_the_rows_in_sight() {
        let mut spectrum = Spectrum::new(RATE);
        let mut ring = SampleRing::new(spectrum.reach());
        spectrum.mark(ring.write(1 << 40, sine(440.0, 0..512).into_iter()));
        assert_eq!(rows(&ring, &mut spectrum).len(), ROWS);
    }

    #[test]
    fn rows_last_about_as_long_at_every_rate() {
        for rate in [8_000.0, 44_100.0, 48_000.0, 96_000.0, 192_000.0] {
            let seconds = Spectrum::new(rate).hop() as f64 / rate;
            assert!((0.007..0.018).contains(&seconds), "{rate} Hz: {seconds} s");
        }
    }
}
