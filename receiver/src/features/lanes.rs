//! Sums over slices, written in independent lanes so that the compiler makes vector instructions of them. Lanes also keep the
//! rounding error of a long sum small: each adds up a sixteenth of the values.

/// Values that are added side by side. Two AVX registers or four SSE registers: enough to hide an addition's latency.
pub(super) const LANES: usize = 16;

/// The same for slices of a few values, where adding up the lanes at the end would cost the most.
pub(super) const FEW_LANES: usize = 4;

/// The sum of `term(a, b)` over two slices of the same length. `N` is a power of two.
#[inline(always)]
fn sum_in<const N: usize>(a: &[f32], b: &[f32], term: impl Fn(f32, f32) -> f32) -> f32 {
    let mut lanes = [0.0; N];
    let (heads, rest) = a.as_chunks::<N>();
    let (other_heads, other_rest) = b.as_chunks::<N>();
    for (a, b) in heads.iter().zip(other_heads) {
        for lane in 0..N {
            lanes[lane] += term(a[lane], b[lane]);
        }
    }
    // Apart from the lanes, or they would have to lie in memory, where their sum waits for them.
    let mut last = 0.0;
    for (&a, &b) in rest.iter().zip(other_rest) {
        last += term(a, b);
    }
    let mut width = N;
    while width > 1 {
        width /= 2;
        for lane in 0..width {
            lanes[lane] += lanes[lane + width];
        }
    }
    lanes[0] + last
}

#[inline(always)]
fn sum_of(a: &[f32], b: &[f32], term: impl Fn(f32, f32) -> f32) -> f32 {
    sum_in::<LANES>(a, b, term)
}

/// The sum of the values.
#[inline(always)]
pub(super) fn sum(values: &[f32]) -> f32 {
    sum_of(values, values, |value, _| value)
}

/// The sum of the values, each held above `floor`.
#[inline(always)]
pub(super) fn sum_above(values: &[f32], floor: f32) -> f32 {
    sum_of(values, values, |value, _| value.max(floor))
}

/// The largest of the values, or 0.
#[inline(always)]
pub(super) fn largest(values: &[f32]) -> f32 {
    let mut lanes = [0.0_f32; LANES];
    let (heads, rest) = values.as_chunks::<LANES>();
    for values in heads {
        for lane in 0..LANES {
            lanes[lane] = lanes[lane].max(values[lane]);
        }
    }
    lanes.iter().chain(rest).fold(0.0, |largest, &value| largest.max(value))
}

/// The sum of the squares.
#[inline(always)]
pub(super) fn sum_of_squares(values: &[f32]) -> f32 {
    sum_of(values, values, |value, _| value * value)
}

/// The sum of the products of two slices of the same length.
#[inline(always)]
pub(super) fn dot(a: &[f32], b: &[f32]) -> f32 {
    sum_of(a, b, |a, b| a * b)
}

/// The sum of the products of two slices of the same length, of a few values.
#[inline(always)]
pub(super) fn dot_few(a: &[f32], b: &[f32]) -> f32 {
    sum_in::<FEW_LANES>(a, b, |a, b| a * b)
}

/// The sum of `weight * (value - centre)^2`.
#[inline(always)]
pub(super) fn second_moment(weights: &[f32], values: &[f32], centre: f32) -> f32 {
    sum_of(weights, values, |weight, value| weight * (value - centre) * (value - centre))
}

/// The sum of how far `values` rose above `before`, both held above `floor`.
#[inline(always)]
pub(super) fn rise(values: &[f32], before: &[f32], floor: f32) -> f32 {
    sum_of(values, before, |value, before| (value.max(floor) - before.max(floor)).max(0.0))
}

/// Powers in decibels, each held above `floor`, which is a normal positive number.
///
/// A power is a power of two times *m* between the roots of 1/2 and 2, and *ln m* the series of *2 artanh((m - 1) / (m + 1))*.
#[inline(always)]
pub(super) fn decibels(powers: &[f32], floor: f32, out: &mut [f32]) {
    const ROOT: u32 = std::f32::consts::FRAC_1_SQRT_2.to_bits();
    const PER_OCTAVE: f32 = 10.0 * std::f32::consts::LOG10_2;
    const PER_E: f32 = 10.0 * std::f32::consts::LOG10_E;
    for (out, power) in out.iter_mut().zip(powers) {
        let bits = power.max(floor).to_bits();
        let octaves = bits.wrapping_sub(ROOT) as i32 >> 23;
        let m = f32::from_bits(bits.wrapping_sub((octaves << 23) as u32));
        let x = (m - 1.0) / (m + 1.0);
        let square = x * x;
        let series = 1.0 + square * (1.0 / 3.0 + square * (1.0 / 5.0 + square * (1.0 / 7.0 + square * (1.0 / 9.0))));
        *out = octaves as f32 * PER_OCTAVE + 2.0 * PER_E * x * series;
    }
}

/// Factors per product: 64 mantissas below 2, and what was left of the products before, stay far below the largest float.
const FACTORS: usize = 64;

/// The mean of the natural logarithms of the values, each held above `floor`, which is a normal positive number.
///
/// A logarithm per value would cost more than the Fourier transform. The values' exponents are added instead, their
/// mantissas multiplied, and one logarithm taken at the end.
#[inline(always)]
pub(super) fn mean_ln(values: &[f32], floor: f32) -> f64 {
    let mut products = [1.0_f32; LANES];
    let mut exponents = [0_i32; LANES];
    let (heads, rest) = values.as_chunks::<LANES>();
    for heads in heads.chunks(FACTORS) {
        for values in heads {
            for lane in 0..LANES {
                let (exponent, mantissa) = split(values[lane].max(floor));
                exponents[lane] += exponent;
                products[lane] *= mantissa;
            }
        }
        for lane in 0..LANES {
            let (exponent, mantissa) = split(products[lane]);
            exponents[lane] += exponent;
            products[lane] = mantissa;
        }
    }
    for (lane, value) in rest.iter().enumerate() {
        let (exponent, mantissa) = split(value.max(floor));
        exponents[lane] += exponent;
        products[lane] *= mantissa;
    }
    let exponent = exponents.iter().map(|&exponent| i64::from(exponent)).sum::<i64>();
    let product = products.iter().map(|&product| f64::from(product)).product::<f64>();
    (exponent as f64 * std::f64::consts::LN_2 + product.ln()) / values.len() as f64
}

/// Exponent, and mantissa from 1 to 2, of a normal positive number.
#[inline(always)]
fn split(value: f32) -> (i32, f32) {
    const MANTISSA: u32 = (1 << 23) - 1;
    const ONE: u32 = 127 << 23;
    let bits = value.to_bits();
    ((bits >> 23) as i32 - 127, f32::from_bits(bits & MANTISSA | ONE))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn near(fast: f64, slow: f64, scale: f64) -> bool {
        (fast - slow).abs() <= 1e-6 * scale
    }

    proptest! {
        #[test]
        fn lanes_give_what_a_plain_sum_gives(pairs in prop::collection::vec((-1.0_f32..1.0, -1.0_f32..1.0), 0..300)) {
            let (a, b): (Vec<f32>, Vec<f32>) = pairs.iter().copied().unzip();
            let terms = |term: fn(f64, f64) -> f64| -> f64 {
                pairs.iter().map(|&(a, b)| term(f64::from(a), f64::from(b))).sum()
            };
            let scale = 1.0 + pairs.len() as f64;
            prop_assert!(near(f64::from(sum(&a)), terms(|a, _| a), scale));
            prop_assert_eq!(largest(&a), a.iter().copied().fold(0.0, f32::max));
            prop_assert!(near(f64::from(sum_above(&a, 0.5)), terms(|a, _| a.max(0.5)), scale));
            prop_assert!(near(f64::from(sum_of_squares(&a)), terms(|a, _| a * a), scale));
            prop_assert!(near(f64::from(dot(&a, &b)), terms(|a, b| a * b), scale));
            prop_assert!(near(f64::from(dot_few(&a, &b)), terms(|a, b| a * b), scale));
            prop_assert!(near(f64::from(second_moment(&a, &b, 0.25)), terms(|a, b| a * (b - 0.25).powi(2)), scale));
            prop_assert!(near(f64::from(rise(&a, &b, -0.5)), terms(|a, b| (a.max(-0.5) - b.max(-0.5)).max(0.0)), scale));
        }

        #[test]
        fn decibels_are_ten_logarithms(exponents in prop::collection::vec(-30.0_f32..30.0, 1..40)) {
            let powers: Vec<f32> = exponents.iter().map(|exponent| 10_f32.powf(*exponent)).collect();
            let mut fast = vec![f32::NAN; powers.len()];
            decibels(&powers, 1e-10, &mut fast);
            for (&power, fast) in powers.iter().zip(fast) {
                let slow = 10.0 * f64::from(power.max(1e-10)).log10();
                prop_assert!(near(f64::from(fast), slow, 1.0 + slow.abs()), "{power}: {fast} instead of {slow}");
            }
        }

        #[test]
        fn products_of_mantissas_give_the_mean_logarithm(exponents in prop::collection::vec(-30.0_f32..30.0, 1..2600)) {
            let values: Vec<f32> = exponents.iter().map(|exponent| 10_f32.powf(*exponent)).collect();
            let slow = values.iter().map(|&value| f64::from(value.max(1e-10)).ln()).sum::<f64>() / values.len() as f64;
            prop_assert!(near(mean_ln(&values, 1e-10), slow, 10.0), "{} instead of {slow}", mean_ln(&values, 1e-10));
        }
    }
}
