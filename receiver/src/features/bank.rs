//! A bank of filters over the bins of a spectrum, kept as runs: the weights that matter, side by side.

use super::lanes;

/// Runs shorter than this are added up in fewer lanes.
const FEW: usize = 48;

/// Zeros that must follow the bins of a spectrum: runs are filled up with weights of zero to whole lanes.
pub(super) const REACH: usize = lanes::LANES - 1;

/// Weights for each of `filters` outputs over all bins, most of them zero.
pub(super) struct Bank {
    filters: usize,
    runs: Vec<Run>,
    /// The weights of all runs, one run after another.
    weights: Vec<f32>,
}

/// Neighbouring bins that count for one filter.
struct Run {
    filter: usize,
    bin: usize,
    count: usize,
}

impl Bank {
    /// Makes runs of a full matrix, `filters` rows of `bins` weights. Weights that are not above `negligible` are left out.
    pub(super) fn new(matrix: &[f32], bins: usize, negligible: f32) -> Self {
        let mut bank = Self { filters: matrix.len() / bins, runs: Vec::new(), weights: Vec::new() };
        for (filter, row) in matrix.chunks_exact(bins).enumerate() {
            let mut bin = 0;
            for run in row.split_inclusive(|&weight| weight <= negligible) {
                let kept = run.strip_suffix(&[run[run.len() - 1]]).filter(|_| run[run.len() - 1] <= negligible).unwrap_or(run);
                if !kept.is_empty() {
                    let whole = if kept.len() < FEW { lanes::FEW_LANES } else { lanes::LANES };
                    let count = kept.len().next_multiple_of(whole);
                    bank.runs.push(Run { filter, bin, count });
                    bank.weights.extend_from_slice(kept);
                    bank.weights.resize(bank.weights.len() + count - kept.len(), 0.0);
                }
                bin += run.len();
            }
        }
        bank
    }

    /// How many values [`apply`](Self::apply) gives.
    pub(super) fn filters(&self) -> usize {
        self.filters
    }

    /// Each filter's weighted sum of the spectrum, which is followed by [`REACH`] zeros. `out` has one value per filter.
    #[inline(always)]
    pub(super) fn apply(&self, spectrum: &[f32], out: &mut [f32]) {
        out.fill(0.0);
        let mut weights = &self.weights[..];
        for run in &self.runs {
            let (own, rest) = weights.split_at(run.count);
            let bins = &spectrum[run.bin..run.bin + run.count];
            out[run.filter] += if run.count < FEW { lanes::dot_few(own, bins) } else { lanes::dot(own, bins) };
            weights = rest;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn runs_give_what_the_full_matrix_gives(
            matrix in prop::collection::vec(prop_oneof![Just(0.0_f32), 0.0_f32..1.0], 4 * 37),
            spectrum in prop::collection::vec(0.0_f32..1.0, 37),
        ) {
            let bank = Bank::new(&matrix, 37, 0.0);
            let mut out = vec![f32::NAN; bank.filters()];
            bank.apply(&[&spectrum[..], &[0.0; REACH]].concat(), &mut out);
            for (row, fast) in matrix.chunks(37).zip(out) {
                let slow: f32 = row.iter().zip(&spectrum).map(|(weight, power)| weight * power).sum();
                prop_assert!((fast - slow).abs() < 1e-4);
            }
        }
    }
}
