//! Clipping: samples that stand still at the top of the scale.

/// From this size on a sample stands at the top: converters stop a little below full scale.
const TOP: f32 = 0.999;

/// Equal samples in a row that make clipping: one or two may well be a peak.
const FEWEST: u64 = 3;

/// Finds runs at the top of one channel. What swings beyond full scale, as floats can, is none.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Clipping {
    /// Runs of at least [`FEWEST`] equal samples.
    pub(super) runs: u64,
    /// Samples in them.
    pub(super) samples: u64,
    /// Equal samples at the top so far, in a row.
    row: u64,
    last: f32,
}

impl Clipping {
    pub(super) fn push(&mut self, sample: f32) {
        if sample.abs() < TOP {
            self.row = 0;
            return;
        }
        self.row = if self.row > 0 && sample == self.last { self.row + 1 } else { 1 };
        self.last = sample;
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
    fn three_equal_ones_in_a_row_are_clipping() {
        assert_eq!(of(&[0.5, 1.0, 1.0, 0.5, -1.0, -1.0, 1.0]), (0, 0));
        assert_eq!(of(&[0.5, 0.9995, 0.9995, 0.9995, 0.5]), (1, 3));
        assert_eq!(of(&[1.0, 1.0, 1.0, -1.0, -1.0, -1.0, -1.0]), (2, 7));
        assert_eq!(of(&[0.998; 10]), (0, 0));
        assert_eq!(of(&[1.0, 1.2, 1.3, 1.2, 1.0]), (0, 0));
    }

    #[test]
    fn a_gap_ends_a_row() {
        let mut clipping = Clipping::default();
        clipping.push(1.0);
        clipping.push(1.0);
        clipping.interrupt();
        clipping.push(1.0);
        assert_eq!(clipping.runs, 0);
    }
}
