//! Chroma: how much of each pitch class sounds, whatever the octave.
//!
//! Every bin gives its power to the pitch classes near it, by a Gaussian as wide as the bin, most from the octaves around
//! A4: D. P. W. Ellis, "Chroma feature analysis and synthesis" (2007); the reference implementation is
//! `librosa.filters.chroma(tuning=0)`.

use super::bank::Bank;

/// Hertz of A0, from which octaves are counted: four below A4 at 440 Hz.
const A0: f64 = 440.0 / 16.0;
/// The octave that counts most, and the standard deviation of the weight around it, in octaves.
const CENTRE_OCTAVE: f64 = 5.0;
const OCTAVE_WIDTH: f64 = 2.0;
/// The bin at 0 Hz has no pitch; it stands this far below the first bin, in octaves.
const BELOW_FIRST: f64 = 1.5;
/// Weights up to this are left out: a ten-thousandth of what 32-bit sums of the others lose to rounding.
const NEGLIGIBLE: f32 = 1e-11;

/// `classes` filters over bins of the given frequencies, the first class C when `classes` is a multiple of 12.
pub(super) fn bank(frequencies: &[f64], sample_rate: f64, classes: usize) -> Bank {
    let (bins, count) = (frequencies.len(), classes as f64);
    let half = (count / 2.0).round_ties_even();
    // Pitch classes run from A; C is three twelfths of the octave above.
    let shift = 3 * (classes / 12);
    let pitches = pitches(frequencies, sample_rate / (2 * (bins - 1)) as f64, count);
    let mut matrix = vec![0.0_f32; classes * bins];
    for (bin, pair) in pitches.windows(2).enumerate() {
        let width = (pair[1] - pair[0]).max(1.0);
        let bumps: Vec<f64> = (0..classes)
            .map(|class| {
                let distance = (pair[0] - class as f64 + half + 10.0 * count).rem_euclid(count) - half;
                (-0.5 * (2.0 * distance / width).powi(2)).exp()
            })
            .collect();
        let norm = bumps.iter().map(|bump| bump * bump).sum::<f64>().sqrt();
        let octave = (pair[0] / count - CENTRE_OCTAVE) / OCTAVE_WIDTH;
        for (class, bump) in bumps.iter().enumerate() {
            let row = (class + classes - shift) % classes;
            matrix[row * bins + bin] = (bump / norm * (-0.5 * octave * octave).exp()) as f32;
        }
    }
    Bank::new(&matrix, bins, NEGLIGIBLE)
}

/// Pitch classes above A0 of every bin, and of the bin after the last.
fn pitches(frequencies: &[f64], spacing: f64, classes: f64) -> Vec<f64> {
    let next = frequencies.len() as f64 * spacing;
    let mut pitches: Vec<f64> = frequencies.iter().chain([&next]).map(|hertz| classes * (hertz / A0).log2()).collect();
    pitches[0] = pitches[1] - BELOW_FIRST * classes;
    pitches
}

/// Scales the classes so that the strongest is 1; leaves them when all are (nearly) zero.
#[inline(always)]
pub(super) fn normalize(classes: &mut [f32]) {
    let strongest = classes.iter().fold(0.0_f32, |strongest, &class| strongest.max(class));
    if strongest >= f32::MIN_POSITIVE {
        classes.iter_mut().for_each(|class| *class /= strongest);
    }
}
