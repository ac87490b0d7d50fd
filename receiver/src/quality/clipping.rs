//! Clipping: samples that stand at the top of the scale.

/// From this size on a sample stands at the top: the highest value of 16-bit audio is 0.99997, and converters stop a little
/// below.
const TOP: f32 = 0.999;

/// Samples in a row that make clipping: one or two may well be a peak.
const FEWEST: u64 = 3;

/// Finds runs at the top of one channel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Clipping {
    /// Runs of at least [`FEWEST`] samples, all above or all below.
    pub(super) runs: u64,
    /// Samples in them.
    pub(super) samples: u64,
    /// Samples at the top so far, in a row.
    row: u64,
    below: bool,
}

impl Clipping {
    pub(super) fn push(&mut self, sample: f32) {
        if sample.abs() < TOP {
            self.row = 0;
            return;
        }
        let below = sample < 0.0;
        self.row = if self.row > 0 && below == self.below { self.row + 1 } else { 1 };
        self.below = below;
        if self.row == FEWEST {
            self.runs += 1;
            self.samples += FEWEST;
        } else if self.row > FEWEST {
            self.samples += 1;
        }
    }

    /// Samples are missing here.
    pub(super) fn interrupt(&mut self) {
        self.row = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(samples: &[f32]) -> (u64, u64) {
        let mut clipping = Clipping::default();
        samples.iter().for_each(|&sample| clipping.push(sample));
        (clipping.runs, clipping.samples)
    }

    #[test]
    fn three_in_a_row_on_one_side_are_clipping() {
        assert_eq!(of(&[0.5, 1.0, 1.0, 0.5, -1.0, -1.0, 1.0]), (0, 0));
        assert_eq!(of(&[0.5, 1.0, 0.9995, 1.5, 0.5]), (1, 3));
        assert_eq!(of(&[1.0, 1.0, 1.0, -1.0, -1.0, -1.0, -1.0]), (2, 7));
        assert_eq!(of(&[0.998; 10]), (0, 0));
    }

    #[test]
    fn a_gap_ends_a_row() {
        let mut clipping = Clipping::default();
        [1.0, 1.0].into_iter().for_each(|sample| clipping.push(sample));
        clipping.interrupt();
        clipping.push(1.0);
        assert_eq!(clipping.runs, 0);
    }
}
