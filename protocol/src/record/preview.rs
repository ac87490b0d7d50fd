//! The samples of previews (spec/quality.md, section 6): fewer bits, and at the coarse level half the rate, for the live path alone.
//!
//! Each channel of a fragment has one scale, a power of two. Integers are coded as the difference to the linear continuation of
//! the two before, which for music is small; its sign goes to the lowest bit, so that the high bits are zeros; and bits are
//! sorted by their worth, so that LZ4 finds those zeros as runs.

use super::audio::Shape;

/// The order of exponents: float32 has numbers up to 2^128.
const LARGEST_EXPONENT: i32 = 127;
const SMALLEST_EXPONENT: i32 = -126;

/// Bytes of `shape` with `BITS` bits for each sample.
pub(super) fn len<const BITS: usize>(shape: Shape) -> usize {
    shape.channels + BITS * (shape.frames * shape.channels).div_ceil(8)
}

/// The shape at half the rate.
pub(super) fn halved(shape: Shape) -> Shape {
    Shape { frames: shape.frames.div_ceil(2), ..shape }
}

/// Appends `samples`, interleaved by frame, with `BITS` bits each.
pub(super) fn write<const BITS: usize>(samples: &[f32], shape: Shape, out: &mut Vec<u8>) {
    let start = out.len();
    out.resize(start + len::<BITS>(shape), 0);
    let (exponents, planes) = out[start..].split_at_mut(shape.channels);
    let plane = (shape.frames * shape.channels).div_ceil(8);
    for (channel, exponent) in exponents.iter_mut().enumerate() {
        let of_channel =
            || samples.iter().skip(channel).step_by(shape.channels).map(|sample| if sample.is_finite() { *sample } else { 0.0 });
        let peak = of_channel().fold(0.0_f32, |peak, sample| peak.max(sample.abs()));
        let scale = exponent_of(peak);
        *exponent = scale as i8 as u8;
        let step = step_of::<BITS>(scale);
        let mut before = [0_i32; 2];
        for (frame, sample) in of_channel().enumerate() {
            let most = 1_i32 << (BITS - 1);
            let value = ((f64::from(sample) / step).round() as i32).clamp(-most, most - 1);
            let code = fold::<BITS>(value.wrapping_sub(continued(before)));
            before = [before[1], value];
            let place = channel * shape.frames + frame;
            for bit in 0..BITS {
                planes[bit * plane + place / 8] |= (((code >> bit) & 1) as u8) << (place % 8);
            }
        }
    }
}

/// Appends the samples that `data`, of [`len`] bytes, stands for.
pub(super) fn read<const BITS: usize>(data: &[u8], shape: Shape, out: &mut Vec<f32>) {
    let start = out.len();
    out.resize(start + shape.frames * shape.channels, 0.0);
    let (exponents, planes) = data.split_at(shape.channels);
    let plane = (shape.frames * shape.channels).div_ceil(8);
    for (channel, exponent) in exponents.iter().enumerate() {
        let step = step_of::<BITS>(i32::from(*exponent as i8));
        let mut before = [0_i32; 2];
        for frame in 0..shape.frames {
            let place = channel * shape.frames + frame;
            let bit = |bit: usize| u32::from(planes[bit * plane + place / 8] >> (place % 8) & 1) << bit;
            let code = (0..BITS).fold(0, |code, index| code | bit(index));
            let value = wrap::<BITS>(continued(before).wrapping_add(unfold(code)));
            before = [before[1], value];
            out[start + frame * shape.channels + channel] = (f64::from(value) * step) as f32;
        }
    }
}

/// Every second frame of `samples`, after a half-band low-pass: (-1, 0, 9, 16, 9, 0, -1) / 32, the interpolating filter of
/// Deslauriers and Dubuc (1989). Beyond the edges the outermost frame goes on.
pub(super) fn halve(samples: &[f32], shape: Shape) -> Vec<f32> {
    let at = |frame: isize, channel: usize| samples[frame.clamp(0, shape.frames as isize - 1) as usize * shape.channels + channel];
    let mut half = Vec::with_capacity(halved(shape).frames * shape.channels);
    for frame in (0..shape.frames as isize).step_by(2) {
        for channel in 0..shape.channels {
            let pair = |distance| at(frame - distance, channel) + at(frame + distance, channel);
            half.push((16.0 * at(frame, channel) + 9.0 * pair(1) - pair(3)) / 32.0);
        }
    }
    half
}

/// The samples of `shape` whose every second frame is `half`; those between by the same filter.
pub(super) fn double(half: &[f32], shape: Shape, out: &mut Vec<f32>) {
    let frames = halved(shape).frames as isize;
    let at = |frame: isize, channel: usize| half[frame.clamp(0, frames - 1) as usize * shape.channels + channel];
    for frame in 0..shape.frames as isize {
        for channel in 0..shape.channels {
            let pair = |distance: isize| at(frame / 2 - distance, channel) + at(frame / 2 + 1 + distance, channel);
            out.push(if frame % 2 == 0 { at(frame / 2, channel) } else { (9.0 * pair(0) - pair(1)) / 16.0 });
        }
    }
}

/// The least e with `peak` <= 2^e.
fn exponent_of(peak: f32) -> i32 {
    if peak == 0.0 { SMALLEST_EXPONENT } else { (f64::from(peak).log2().ceil() as i32).clamp(SMALLEST_EXPONENT, LARGEST_EXPONENT) }
}

fn step_of<const BITS: usize>(exponent: i32) -> f64 {
    f64::from(exponent - (BITS as i32 - 1)).exp2()
}

/// Where the two values before lead to in a straight line.
fn continued([first, second]: [i32; 2]) -> i32 {
    second.wrapping_mul(2).wrapping_sub(first)
}

/// The lowest `BITS` bits, with their sign.
fn wrap<const BITS: usize>(value: i32) -> i32 {
    let unused = 32 - BITS as u32;
    value.wrapping_shl(unused) >> unused
}

/// 0, -1, 1, -2, ... become 0, 1, 2, 3, ...
fn fold<const BITS: usize>(value: i32) -> u32 {
    let value = wrap::<BITS>(value);
    ((value << 1) ^ (value >> 31)) as u32
}

fn unfold(code: u32) -> i32 {
    (code >> 1) as i32 ^ -((code & 1) as i32)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn error(samples: &[f32], read: &[f32]) -> f32 {
        samples.iter().zip(read).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
    }

    proptest! {
        #[test]
        fn the_error_is_at_most_one_step(channels in 1_usize..4, gain in -20_i32..20, words in prop::collection::vec(any::<i16>(), 1..600)) {
            let frames = words.len() / channels;
            let shape = Shape { frames, channels };
            let gain = f64::from(gain).exp2() as f32;
            let samples: Vec<f32> = words[..frames * channels].iter().map(|word| f32::from(*word) / 32_768.0 * gain).collect();
            let (mut data, mut read_back) = (Vec::new(), Vec::new());
            write::<12>(&samples, shape, &mut data);
            prop_assert_eq!(data.len(), len::<12>(shape));
            read::<12>(&data, shape, &mut read_back);
            prop_assert_eq!(read_back.len(), samples.len());
            // Per channel: the peak is at least half of 2^e, and one step 2^(e - 11).
            for channel in 0..channels {
                let of = |all: &[f32]| all.iter().skip(channel).step_by(channels).copied().collect::<Vec<f32>>();
                let peak = of(&samples).iter().fold(0.0_f32, |peak, sample| peak.max(sample.abs()));
                prop_assert!(error(&of(&samples), &of(&read_back)) <= peak / 1_024.0, "{:?} {:?}", samples, read_back);
            }
        }

        #[test]
        fn any_float_and_any_byte_is_survived(words in prop::collection::vec(any::<u32>(), 2..300)) {
            let samples: Vec<f32> = words.iter().map(|word| f32::from_bits(*word)).collect();
            let shape = Shape { frames: samples.len(), channels: 1 };
            let mut data = Vec::new();
            write::<8>(&halve(&samples, shape), halved(shape), &mut data);
            let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).cycle().take(len::<8>(shape)).collect();
            read::<8>(&bytes, shape, &mut Vec::new());
        }
    }

    #[test]
    fn a_tone_below_a_quarter_of_the_rate_passes_the_half_rate() {
        let shape = Shape { frames: 511, channels: 2 };
        let tone: Vec<f32> = (0..1_022).map(|n| (f64::from(n / 2) * 0.3 + f64::from(n % 2)).sin() as f32).collect();
        let mut doubled = Vec::new();
        double(&halve(&tone, shape), shape, &mut doubled);
        assert_eq!(doubled.len(), tone.len());
        assert!(error(&tone[20..1_000], &doubled[20..1_000]) < 0.01);
    }
}
