//! The mel spectrum: power in bands that are even to the ear.
//!
//! Scale and bands are those of M. Slaney, "Auditory Toolbox", Interval Research Technical Report 1998-010: linear below
//! 1 kHz, logarithmic above; the reference implementation is `librosa.filters.mel(htk=False, norm="slaney")`.

use super::bank::Bank;

/// Hertz per mel below the break.
const LINEAR_STEP: f64 = 200.0 / 3.0;
/// Where the scale turns from linear to logarithmic, in hertz and in mels.
const BREAK_HERTZ: f64 = 1000.0;
const BREAK_MEL: f64 = BREAK_HERTZ / LINEAR_STEP;
/// Mels by which a frequency above the break grows by the factor 6.4.
const LOG_MELS: f64 = 27.0;
const LOG_FACTOR: f64 = 6.4;

/// `bands` triangles between 0 Hz and `top` hertz, each of area 1 per hertz, over bins of the given frequencies.
pub(super) fn bank(frequencies: &[f64], top: f64, bands: usize) -> Bank {
    let step = mel(top) / (bands + 1) as f64;
    let edges: Vec<f64> = (0..bands + 2).map(|edge| hertz(edge as f64 * step)).collect();
    let weights: Vec<f32> = edges
        .windows(3)
        .flat_map(|edge| {
            let height = 2.0 / (edge[2] - edge[0]);
            frequencies.iter().map(move |&bin| {
                let (up, down) = ((bin - edge[0]) / (edge[1] - edge[0]), (edge[2] - bin) / (edge[2] - edge[1]));
                (up.min(down).max(0.0) * height) as f32
            })
        })
        .collect();
    Bank::new(&weights, frequencies.len(), 0.0)
}

fn mel(hertz: f64) -> f64 {
    if hertz < BREAK_HERTZ { hertz / LINEAR_STEP } else { BREAK_MEL + (hertz / BREAK_HERTZ).ln() * LOG_MELS / LOG_FACTOR.ln() }
}

fn hertz(mel: f64) -> f64 {
    if mel < BREAK_MEL { mel * LINEAR_STEP } else { BREAK_HERTZ * ((mel - BREAK_MEL) * LOG_FACTOR.ln() / LOG_MELS).exp() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_scale_has_its_published_points() {
        for (frequency, mels) in [(0.0, 0.0), (200.0, 3.0), (1000.0, 15.0), (6400.0, 42.0)] {
            assert!((mel(frequency) - mels).abs() < 1e-12);
            assert!((hertz(mels) - frequency).abs() < 1e-9);
        }
    }

    #[test]
    fn every_wide_band_has_the_same_area() {
        let frequencies: Vec<f64> = (0..=1024).map(|bin| f64::from(bin) * 48_000.0 / 2048.0).collect();
        let bank = bank(&frequencies, 24_000.0, 40);
        let mut areas = vec![0.0; 40];
        bank.apply(&vec![1.0; frequencies.len() + super::super::bank::REACH], &mut areas);
        for area in &areas[10..] {
            assert!((area * 48_000.0 / 2048.0 - 1.0).abs() < 0.02, "{area}");
        }
    }
}
