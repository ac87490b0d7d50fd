//! Samples in memory and in WAV files, without any loss of bits.

use std::path::Path;

use anyhow::{Context, Result};
use hound::{SampleFormat, WavReader, WavSpec, WavWriter};

/// Audio of one or more channels.
#[derive(Clone, Debug, PartialEq)]
pub struct Audio {
    /// Samples per second.
    pub rate: u32,
    /// At least 1.
    pub channels: usize,
    /// Samples, interleaved by frame.
    pub samples: Vec<f32>,
}

impl Audio {
    /// Frames, that is samples per channel.
    pub fn frames(&self) -> usize {
        self.samples.len() / self.channels
    }

    /// Reads a WAV file; integers become floats by division by their full scale.
    ///
    /// # Errors
    /// When it cannot be read or is no WAV file.
    pub fn open(path: &Path) -> Result<Self> {
        let mut reader = WavReader::open(path).with_context(|| format!("cannot read {}", path.display()))?;
        let spec = reader.spec();
        let samples: Result<Vec<f32>, _> = match spec.sample_format {
            SampleFormat::Float => reader.samples::<f32>().collect(),
            SampleFormat::Int => {
                let full = 2f32.powi(i32::from(spec.bits_per_sample) - 1);
                reader.samples::<i32>().map(|sample| sample.map(|value| value as f32 / full)).collect()
            }
        };
        let samples = samples.with_context(|| format!("{} is damaged", path.display()))?;
        Ok(Self { rate: spec.sample_rate, channels: usize::from(spec.channels), samples })
    }

    /// Writes a WAV file of 32-bit floats.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn save(&self, path: &Path) -> Result<()> {
        let spec = WavSpec {
            channels: self.channels as u16,
            sample_rate: self.rate,
            bits_per_sample: 32,
            sample_format: SampleFormat::Float,
        };
        let failed = || format!("cannot write {}", path.display());
        let mut writer = WavWriter::create(path, spec).with_context(failed)?;
        for sample in &self.samples {
            writer.write_sample(*sample).with_context(failed)?;
        }
        writer.finalize().with_context(failed)
    }

    /// Pseudo-random samples in which every kind of float occurs: loud and soft ones, both zeros, subnormal numbers,
    /// infinities, and NaNs with bits of their own.
    pub fn all_kinds(rate: u32, channels: usize, frames: usize, seed: u64) -> Self {
        const RARE: [u32; 10] = [
            0x0000_0000, // 0
            0x8000_0000, // -0
            0x0000_0001, // the smallest subnormal number
            0x807F_FFFF, // the largest, negative
            0x7F80_0000, // infinity
            0xFF80_0000, // minus infinity
            0x7FC0_1234, // a quiet NaN
            0xFFC0_0001, // another, negative
            0x7FA0_0000, // a signalling NaN
            0x3F80_0000, // 1
        ];
        let mut random = Random(seed);
        let mut sample = || {
            let bits = random.next();
            if bits.is_multiple_of(37) {
                return f32::from_bits(RARE[(bits >> 8) as usize % RARE.len()]);
            }
            ((bits >> 40) as f32 / (1 << 23) as f32) - 1.0
        };
        Self { rate, channels, samples: (0..frames * channels).map(|_| sample()).collect() }
    }
}

/// A small generator of pseudo-random numbers (SplitMix64, Steele et al. 2014): the same seed gives the same test.
#[derive(Clone, Debug)]
pub struct Random(pub u64);

impl Random {
    /// The next number, all bits random.
    #[expect(clippy::should_implement_trait, reason = "it never ends, and nothing iterates over it")]
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// True in `probability` of all calls.
    pub fn chance(&mut self, probability: f64) -> bool {
        (self.next() >> 11) as f64 / (1u64 << 53) as f64 <= probability && probability > 0.0
    }
}
