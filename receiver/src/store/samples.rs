//! How samples are stored: as float32, or in fewer bytes where those say the same bit for bit.
//!
//! HDF5 knows floats of any shape and turns them into float32 when they are read, in every program. A float of sign, 15 or 23 bits of
//! mantissa and two bits of exponent is a fixed-point number: its low bytes are those of an integer sample with its sign apart, and the
//! byte above is zero but for full scale. Shuffled and deflated it takes what 16- or 24-bit integers take.

/// How the samples of a file are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Storage {
    /// Multiples of 2^-15 below 2 in size, as 16-bit sources give them: three bytes each.
    Fixed16,
    /// Multiples of 2^-23 below 2 in size, as 24-bit sources give them: four bytes each.
    Fixed24,
    /// Any float32.
    Float32,
}

impl Storage {
    /// The least that holds `samples` bit for bit.
    pub fn of(samples: &[f32]) -> Self {
        [Self::Fixed16, Self::Fixed24].into_iter().find(|storage| storage.holds(samples)).unwrap_or(Self::Float32)
    }

    /// Whether it holds `samples` bit for bit.
    pub fn holds(self, samples: &[f32]) -> bool {
        self == Self::Float32 || samples.iter().all(|&sample| self.fits(sample))
    }

    /// Bits of the samples that it was made for.
    pub fn bits(self) -> u8 {
        match self {
            Self::Fixed16 => 16,
            Self::Fixed24 => 24,
            Self::Float32 => 32,
        }
    }

    /// Bits of the mantissa: as many binary digits stand behind the point. `None` for float32.
    pub(super) fn mantissa(self) -> Option<u32> {
        match self {
            Self::Fixed16 => Some(15),
            Self::Fixed24 => Some(23),
            Self::Float32 => None,
        }
    }

    /// Bytes of a stored sample.
    pub(super) fn bytes(self) -> usize {
        if self == Self::Fixed16 { 3 } else { 4 }
    }

    /// Multiplication by a power of two is exact, so what is whole afterwards was a multiple of the step.
    fn fits(self, sample: f32) -> bool {
        let Some(mantissa) = self.mantissa() else { return true };
        let steps = sample * (1_u32 << mantissa) as f32;
        steps.abs() < (2_u32 << mantissa) as f32 && steps as i32 as f32 == steps
    }

    /// The stored form of a sample that fits, in the low bytes: mantissa, sign, exponent.
    pub(super) fn encode(self, sample: f32) -> u32 {
        let Some(mantissa) = self.mantissa() else { return sample.to_bits() };
        let steps = (sample.abs() * (1_u32 << mantissa) as f32) as u32;
        let sign = sample.to_bits() >> 31;
        steps & ((1 << mantissa) - 1) | sign << mantissa | (steps >> mantissa) << (mantissa + 1)
    }

    /// The sample of a stored form.
    pub(super) fn decode(self, stored: u32) -> f32 {
        let Some(mantissa) = self.mantissa() else { return f32::from_bits(stored) };
        let fraction = stored & ((1 << mantissa) - 1);
        let whole = stored >> (mantissa + 1) & 1;
        let size = (whole << mantissa | fraction) as f32 / (1_u32 << mantissa) as f32;
        f32::from_bits(size.to_bits() | (stored >> mantissa & 1) << 31)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn comes_back(storage: Storage, sample: f32) -> bool {
        storage.decode(storage.encode(sample)).to_bits() == sample.to_bits()
    }

    #[test]
    fn every_sample_of_16_bits_comes_back() {
        for steps in -65_535..=65_535 {
            let sample = steps as f32 / 32_768.0;
            assert!(Storage::Fixed16.holds(&[sample]) && comes_back(Storage::Fixed16, sample), "{sample}");
            assert!(Storage::Fixed24.holds(&[sample]) && comes_back(Storage::Fixed24, sample), "{sample}");
        }
        assert!(Storage::Fixed16.holds(&[-0.0]) && comes_back(Storage::Fixed16, -0.0));
    }

    #[test]
    fn what_fewer_bits_cannot_say_is_stored_as_float32() {
        let least = |sample: f32| Storage::of(&[0.5, sample]);
        assert_eq!(least(-1.0), Storage::Fixed16);
        assert_eq!(least(1.0 / 65_536.0), Storage::Fixed24);
        assert_eq!(least(16_777_215.0 / 8_388_608.0), Storage::Fixed24);
        for sample in [2.0, -2.0, 0.1, f32::NAN, f32::INFINITY, f32::NEG_INFINITY, f32::MIN_POSITIVE, f32::from_bits(1), f32::MAX] {
            assert_eq!(least(sample), Storage::Float32, "{sample}");
        }
    }

    proptest! {
        #[test]
        fn whatever_is_held_comes_back(bits: u32, steps in -16_777_216_i32..=16_777_216) {
            for sample in [f32::from_bits(bits), steps as f32 / 8_388_608.0] {
                for storage in [Storage::Fixed16, Storage::Fixed24, Storage::Float32] {
                    prop_assert!(!storage.holds(&[sample]) || comes_back(storage, sample), "{sample} in {storage:?}");
                }
            }
        }
    }
}
