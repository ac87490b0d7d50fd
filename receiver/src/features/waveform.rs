//! What is counted in the samples themselves.

use super::lanes;

/// Samples up to this size have no sign of their own: they count as positive (`librosa.zero_crossings`).
const SIGN_THRESHOLD: f32 = 1e-10;

/// How often neighbouring samples differ in sign.
#[inline(always)]
pub(super) fn zero_crossings(samples: &[f32]) -> u32 {
    let Some(next) = samples.get(1..) else { return 0 };
    samples.iter().zip(next).map(|(&a, &b)| u32::from((a < -SIGN_THRESHOLD) != (b < -SIGN_THRESHOLD))).sum()
}

/// The root of the mean square of `length` samples, of which those not in `samples` are zeros.
#[inline(always)]
pub(super) fn rms(samples: &[f32], length: usize) -> f32 {
    (lanes::sum_of_squares(samples) / length as f32).sqrt()
}

/// Appends the mean over the channels of each frame of `interleaved` to `mono`, as `librosa.to_mono` does.
///
/// # Panics
/// When `channels` is 0, or the samples are not a whole number of frames.
pub fn mix_down(interleaved: &[f32], channels: usize, mono: &mut Vec<f32>) {
    assert!(channels > 0 && interleaved.len().is_multiple_of(channels), "samples must be whole frames");
    match channels {
        1 => mono.extend_from_slice(interleaved),
        2 => mono.extend(interleaved.as_chunks::<2>().0.iter().map(|[left, right]| (left + right) * 0.5)),
        _ => mono.extend(interleaved.chunks_exact(channels).map(|frame| frame.iter().sum::<f32>() / channels as f32)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signs_change_at_negative_samples_only() {
        assert_eq!(zero_crossings(&[]), 0);
        assert_eq!(zero_crossings(&[1.0]), 0);
        assert_eq!(zero_crossings(&[1.0, -1.0, 1.0, 0.0, -0.0, -1e-11, -1.0]), 3);
    }

    #[test]
    fn channels_are_averaged() {
        let mut mono = vec![9.0];
        mix_down(&[1.0, 0.0, -1.0, -1.0], 2, &mut mono);
        mix_down(&[3.0, 0.0, 0.0], 3, &mut mono);
        mix_down(&[0.5], 1, &mut mono);
        assert_eq!(mono, [9.0, 0.5, -1.0, 1.0, 0.5]);
    }
}
