//! The shape of a spectrum in four numbers, as `librosa.feature.spectral_*` defines them.
//!
//! Centroid, bandwidth and rolloff: A. Klapuri and M. Davy (eds.), "Signal Processing Methods for Music Transcription"
//! (2006), chapter 5. Flatness: S. Dubnov, "Generalization of spectral flatness measure for non-Gaussian linear processes",
//! IEEE Signal Processing Letters 11 (2004).

use super::lanes;

/// The share of the magnitude below the rolloff frequency.
const ROLLOFF: f64 = 0.85;
/// Powers below this count as this in the flatness.
const MIN_POWER: f32 = 1e-10;

/// Centroid, bandwidth and rolloff of a magnitude spectrum.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Shape {
    pub(super) centroid: f32,
    pub(super) bandwidth: f32,
    pub(super) rolloff: f32,
}

impl Shape {
    /// Measures `magnitudes` at `frequencies` (hertz). All are 0 in silence.
    #[inline(always)]
    pub(super) fn of(magnitudes: &[f32], frequencies: &[f32]) -> Self {
        let total = lanes::sum(magnitudes);
        if total < f32::MIN_POSITIVE {
            return Self::default();
        }
        let centroid = lanes::dot(magnitudes, frequencies) / total;
        let bandwidth = (lanes::second_moment(magnitudes, frequencies, centroid) / total).sqrt();
        Self { centroid, bandwidth, rolloff: frequencies[rolloff_bin(magnitudes, total)] }
    }
}

/// The first bin up to which [`ROLLOFF`] of `total`, the sum of the magnitudes, lies.
#[inline(always)]
fn rolloff_bin(magnitudes: &[f32], total: f32) -> usize {
    /// Bins that are added at once on the way up.
    const STRIDE: usize = 64;
    let threshold = f64::from(total) * ROLLOFF;
    // The running sum is kept in double precision: it decides between bins, so its rounding would show.
    let mut below = 0.0;
    let mut bin = 0;
    for bins in magnitudes.chunks(STRIDE) {
        let with = below + f64::from(lanes::sum(bins));
        if with >= threshold {
            break;
        }
        below = with;
        bin += bins.len();
    }
    let reached = magnitudes[bin.min(magnitudes.len() - 1)..].iter().position(|&magnitude| {
        below += f64::from(magnitude);
        below >= threshold
    });
    reached.map_or(magnitudes.len() - 1, |beyond| bin + beyond)
}

/// The geometric mean of a power spectrum over its arithmetic mean: 1 for noise and silence, near 0 for a tone.
#[inline(always)]
pub(super) fn flatness(powers: &[f32]) -> f32 {
    let arithmetic = lanes::sum_above(powers, MIN_POWER) / powers.len() as f32;
    (lanes::mean_ln(powers, MIN_POWER).exp() / f64::from(arithmetic)) as f32
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_flat_spectrum_is_flat_and_a_line_is_not() {
        assert!((flatness(&[0.25; 1025]) - 1.0).abs() < 1e-6);
        assert!((flatness(&[0.0; 1025]) - 1.0).abs() < 1e-6);
        let mut line = [0.0; 1025];
        line[7] = 1.0;
        assert!(flatness(&line) < 1e-6);
    }

    #[test]
    fn silence_has_no_shape() {
        assert_eq!(Shape::of(&[0.0; 9], &[1.0; 9]), Shape::default());
    }

    proptest! {
        #[test]
        fn rolloff_is_where_a_plain_running_sum_reaches_its_share(magnitudes in prop::collection::vec(0_u8..255, 1..300)) {
            // Whole numbers: every sum is exact, in any order.
            let magnitudes: Vec<f32> = magnitudes.into_iter().map(f32::from).collect();
            let total: f32 = magnitudes.iter().sum();
            let mut running = 0.0;
            let slow = magnitudes.iter().position(|&magnitude| {
                running += f64::from(magnitude);
                running >= f64::from(total) * ROLLOFF
            });
            prop_assert_eq!(Some(rolloff_bin(&magnitudes, total)), slow);
        }
    }
}
