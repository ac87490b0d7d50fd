//! Samples as FLAC (RFC 9639), bit-exact wherever 24 bits can say them.

use std::io::Cursor;

use flac_codec::encode::{FlacSampleWriter, Options};

/// RFC 9639, section 9.1.3: a frame has at most eight channels.
const MAX_CHANNELS: u16 = 8;

/// RFC 9639, section 8.2: the stream's sample rate has 20 bits.
const MAX_SAMPLE_RATE: f64 = 1_048_575.0;

const SIXTEEN: f64 = 32_768.0;
const TWENTY_FOUR: f64 = 8_388_608.0;

/// A FLAC file and what it does not hold of its samples.
#[derive(Debug)]
pub(super) struct Flac {
    pub(super) bytes: Vec<u8>,
    /// Bits per sample: 16 where that loses nothing, else 24.
    pub(super) bits: u8,
    /// Samples between two steps of 24 bits, put on the nearest.
    pub(super) rounded: u64,
    /// Samples beyond full scale, put on its end.
    pub(super) clipped: u64,
    /// The largest difference to a sample, in full scales.
    pub(super) largest_error: f64,
}

/// Encodes interleaved samples.
///
/// # Errors
/// In words, where FLAC cannot hold so many channels or this sample rate.
pub(super) fn encode(samples: &[f32], channels: u16, sample_rate: f64) -> Result<Flac, String> {
    let Some(channels) = u8::try_from(channels).ok().filter(|channels| (1..=MAX_CHANNELS).contains(&u16::from(*channels))) else {
        return Err(format!("FLAC holds at most {MAX_CHANNELS} channels, it has {channels}; the other formats take it"));
    };
    if sample_rate.fract() != 0.0 || !(1.0..=MAX_SAMPLE_RATE).contains(&sample_rate) {
        return Err(format!("FLAC holds whole sample rates below 2^20 Hz, its is {sample_rate}; the other formats take it"));
    }
    let sixteen = samples.iter().all(|&sample| fits(f64::from(sample) * SIXTEEN));
    let (bits, scale) = if sixteen { (16, SIXTEEN) } else { (24, TWENTY_FOUR) };
    let mut flac = Flac { bytes: Vec::new(), bits, rounded: 0, clipped: 0, largest_error: 0.0 };
    let steps: Vec<i32> = samples.iter().map(|&sample| flac.step(f64::from(sample) * scale, scale)).collect();
    let mut file = Cursor::new(Vec::new());
    let options = Options::default().fast_channel_correlation(true);
    let total = Some(steps.len() as u64);
    FlacSampleWriter::new(&mut file, options, sample_rate as u32, bits.into(), channels, total)
        .and_then(|mut writer| {
            writer.write(&steps)?;
            writer.finalize()
        })
        .map_err(|error| format!("its audio cannot be written as FLAC: {error}"))?;
    flac.bytes = file.into_inner();
    Ok(flac)
}

fn fits(sixteen: f64) -> bool {
    sixteen.fract() == 0.0 && (-SIXTEEN..SIXTEEN).contains(&sixteen)
}

impl Flac {
    /// The step for `value`, which is in steps; keeps account of what it changes.
    fn step(&mut self, value: f64, scale: f64) -> i32 {
        let step = value.round_ties_even().clamp(-scale, scale - 1.0);
        if step != value {
            if (-scale..scale).contains(&value) {
                self.rounded += 1;
            } else {
                self.clipped += 1;
            }
            self.largest_error = self.largest_error.max((value - step).abs() / scale);
        }
        step as i32
    }
}
