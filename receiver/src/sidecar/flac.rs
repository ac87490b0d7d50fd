//! Audio as a FLAC file (RFC 9639).

use std::path::Path;

use flac_codec::encode::{FlacSampleWriter, Options};

use super::{ArchiveError, Loss, samples};
use crate::store::Recording;

/// RFC 9639, section 9.1.3: a frame has at most eight channels.
const MAX_CHANNELS: u16 = 8;

/// RFC 9639, section 8.2: the stream's sample rate has 20 bits.
const MAX_SAMPLE_RATE: f64 = 1_048_575.0;

/// What the samples would lose in `bits` bits.
pub(super) fn loss(from: &Recording, bits: u32) -> Result<Loss, ArchiveError> {
    let mut loss = Loss::default();
    samples(from, |samples| {
        for &sample in samples {
            step(sample, bits, &mut loss);
        }
        Ok::<_, ArchiveError>(())
    })?;
    Ok(loss)
}

/// Writes all samples of a recording in `bits` bits.
pub(super) fn write(from: &Recording, to: &Path, bits: u32) -> Result<(), ArchiveError> {
    let summary = &from.summary;
    let unfit = |why: String| ArchiveError::Unfit { path: from.path().to_owned(), why };
    let Some(channels) = u8::try_from(summary.channels).ok().filter(|channels| u16::from(*channels) <= MAX_CHANNELS) else {
        return Err(unfit(format!(
            "FLAC holds at most {MAX_CHANNELS} channels, it has {}: take the profile exact",
            summary.channels
        )));
    };
    if summary.sample_rate.fract() != 0.0 || !(1.0..=MAX_SAMPLE_RATE).contains(&summary.sample_rate) {
        return Err(unfit(format!(
            "FLAC holds whole sample rates below 2^20 Hz, its is {}: take the profile exact",
            summary.sample_rate
        )));
    }
    let cannot = |error: flac_codec::Error| unfit(format!("its audio cannot be written as FLAC: {error}"));
    let total = Some(summary.frames * u64::from(channels)).filter(|total| *total > 0);
    let options = Options::default().fast_channel_correlation(true);
    let mut writer = FlacSampleWriter::create(to, options, summary.sample_rate as u32, bits, channels, total).map_err(cannot)?;
    let mut ignored = Loss::default();
    samples(from, |samples| {
        let steps: Vec<i32> = samples.iter().map(|&sample| step(sample, bits, &mut ignored)).collect();
        writer.write(&steps).map_err(cannot)
    })?;
    writer.finalize().map_err(cannot)?;
    std::fs::File::open(to).and_then(|file| file.sync_all()).map_err(|source| ArchiveError::Io { path: to.to_owned(), source })
}

/// The step nearest to a sample; keeps account of what it changes.
fn step(sample: f32, bits: u32, loss: &mut Loss) -> i32 {
    let scale = f64::from(1_u32 << (bits - 1));
    let value = f64::from(sample) * scale;
    let step = if value.is_nan() { 0.0 } else { value.round_ties_even().clamp(-scale, scale - 1.0) };
    if step != value {
        if (-scale..scale).contains(&value) {
            loss.rounded += 1;
        } else {
            loss.clipped += 1;
        }
        let error = if value.is_finite() { (value - step).abs() / scale } else { 1.0 };
        loss.largest_error = loss.largest_error.max(error);
    }
    step as i32
}
