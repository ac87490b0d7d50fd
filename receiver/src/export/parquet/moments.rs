//! Mean and standard deviation of features over a sequence.

use crate::export::columns::{Array, Data, Field};

/// Whether the index tells the moments of `field`: those of all features but the mel spectrum, of which MFCC tell the same
/// in a tenth of the numbers.
pub(super) fn told(field: &Field) -> bool {
    field.axes[0] == "frame" && field.name != "mel"
}

/// Mean and standard deviation of each of a feature's values.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Moments {
    /// Arithmetic mean over the frames.
    pub(super) mean: Vec<f64>,
    /// Standard deviation of these very frames: divided by their number, as in `numpy.std`.
    pub(super) std: Vec<f64>,
}

impl Moments {
    /// Of the rows of `array`; none without rows.
    pub(super) fn of(array: &Array<'_>) -> Option<Self> {
        match &array.data {
            Data::Float32(values) if !values.is_empty() => Some(Self::of_rows(values, values.len() / array.shape[0])),
            _ => None,
        }
    }

    fn of_rows(values: &[f32], width: usize) -> Self {
        let rows = values.chunks_exact(width);
        let count = rows.len() as f64;
        let mut mean = vec![0.0; width];
        for row in rows.clone() {
            mean.iter_mut().zip(row).for_each(|(sum, &value)| *sum += f64::from(value) / count);
        }
        let mut variance = vec![0.0; width];
        for row in rows {
            for ((sum, &value), mean) in variance.iter_mut().zip(row).zip(&mean) {
                *sum += (f64::from(value) - mean).powi(2) / count;
            }
        }
        Self { mean, std: variance.into_iter().map(f64::sqrt).collect() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_taken_column_by_column() {
        let moments = Moments::of_rows(&[1.0, 10.0, 3.0, 10.0, 5.0, 10.0, 7.0, 10.0], 2);
        assert_eq!(moments, Moments { mean: vec![4.0, 10.0], std: vec![5.0_f64.sqrt(), 0.0] });
    }
}
