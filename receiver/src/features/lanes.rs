//! Sums over slices, written in independent lanes so that the compiler makes vector instructions of them. Lanes also keep the
//! rounding error of a long sum small: each adds up a sixteenth of the values.

/// Values that are added side by side. Two AVX registers or four SSE registers: enough to hide an addition's latency.
const LANES: usize = 16;

/// The same for slices of a few values, where adding up the lanes at the end would cost the most.
const FEW_LANES: usize = 4;

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

/// The sum of the products, each of `values` held above `floor`.
#[inline(always)]
pub(super) fn dot_above(values: &[f32], weights: &[f32], floor: f32) -> f32 {
    sum_of(values, weights, |value, weight| value.max(floor) * weight)
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

/// A power in decibels; it is a normal positive number.
#[inline(always)]
pub(super) fn decibels(power: f32) -> f32 {
    10.0 * power.log10()
}

/// Factors per product: 64 mantissas below 2 stay below 2^64, far from the largest float.
const FACTORS: usize = 64;

/// The mean of the natural logarithms of the values, each held above `floor`, which is a normal positive number.
///
/// A logarithm per value would cost more than the Fourier transform. The values' exponents are added instead, their
/// mantissas multiplied, and logarithms taken of a few products.
#[inline(always)]
pub(super) fn mean_ln(values: &[f32], floor: f32) -> f64 {
    const MANTISSA: u32 = (1 << 23) - 1;
    const ONE: u32 = 127 << 23;
    let (mut exponents, mut logarithms) = (0_i64, 0.0_f64);
    for part in values.chunks(FACTORS * LANES) {
        let mut products = [1.0_f32; LANES];
        let mut sums = [0_i32; LANES];
        let (heads, rest) = part.as_chunks::<LANES>();
        let mut last = [1.0; LANES];
        last[..rest.len()].copy_from_slice(rest);
        for values in heads.iter().chain((!rest.is_empty()).then_some(&last)) {
            for lane in 0..LANES {
                let bits = values[lane].max(floor).to_bits();
                sums[lane] += (bits >> 23) as i32 - 127;
                products[lane] *= f32::from_bits(bits & MANTISSA | ONE);
            }
        }
        exponents += sums.iter().map(|&sum| i64::from(sum)).sum::<i64>();
        logarithms += products.iter().map(|&product| f64::from(product).ln()).sum::<f64>();
    }
    (exponents as f64 * std::f64::consts::LN_2 + logarithms) / values.len() as f64
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
            prop_assert!(near(f64::from(sum_above(&a, 0.5)), terms(|a, _| a.max(0.5)), scale));
            prop_assert!(near(f64::from(sum_of_squares(&a)), terms(|a, _| a * a), scale));
            prop_assert!(near(f64::from(dot(&a, &b)), terms(|a, b| a * b), scale));
            prop_assert!(near(f64::from(dot_few(&a, &b)), terms(|a, b| a * b), scale));
            prop_assert!(near(f64::from(dot_above(&a, &b, -0.5)), terms(|a, b| a.max(-0.5) * b), scale));
            prop_assert!(near(f64::from(second_moment(&a, &b, 0.25)), terms(|a, b| a * (b - 0.25).powi(2)), scale));
            prop_assert!(near(f64::from(rise(&a, &b, -0.5)), terms(|a, b| (a.max(-0.5) - b.max(-0.5)).max(0.0)), scale));
        }

        #[test]
        fn products_of_mantissas_give_the_mean_logarithm(exponents in prop::collection::vec(-30.0_f32..30.0, 1..2600)) {
            let values: Vec<f32> = exponents.iter().map(|exponent| 10_f32.powf(*exponent)).collect();
            let slow = values.iter().map(|&value| f64::from(value.max(1e-10)).ln()).sum::<f64>() / values.len() as f64;
            prop_assert!(near(mean_ln(&values, 1e-10), slow, 10.0), "{} instead of {slow}", mean_ln(&values, 1e-10));
        }
    }
}
