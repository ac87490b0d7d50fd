//! Runs inner loops with AVX2 where the processor has it: programs are built for every x86-64, whose vectors are half as wide.
//! The values are the same, bit for bit: the lanes are those of the source, and nothing is fused.
#![allow(unsafe_code, reason = "the one call into code for a processor's extension, after asking for it, and its instructions")]

/// Something to run with the widest vectors. Everything that [`run`](Self::run) calls should be `#[inline(always)]`, as it
/// should be itself: only what is compiled into the caller gets the wide vectors.
pub(super) trait Work {
    /// What it gives.
    type Gives;

    /// Does it, with `D` where the compiler would not find vectors by itself.
    fn run<D: Doubles>(self) -> Self::Gives;
}

/// Runs `work`.
pub(super) fn run<W: Work>(work: W) -> W::Gives {
    #[cfg(target_arch = "x86_64")]
    if std::arch::is_x86_feature_detected!("avx2") {
        // SAFETY: the processor has AVX2; it was just asked.
        return unsafe { avx2::run(work) };
    }
    work.run::<Plain>()
}

/// Four doubles side by side.
pub(super) trait Doubles: Copy {
    fn load(from: &[f64; 4]) -> Self;
    fn store(self, to: &mut [f64; 4]);
    fn all(value: f64) -> Self;
    fn plus(self, other: Self) -> Self;
    fn minus(self, other: Self) -> Self;
    fn times(self, other: Self) -> Self;
    /// The even and the odd of eight singles.
    fn evens_and_odds(of: &[f32; 8]) -> [Self; 2];
    /// Rows from columns.
    fn transpose(columns: [Self; 4]) -> [Self; 4];
    /// The first of `after`, then the last three in reverse.
    fn mirror(self, after: Self) -> Self;
    /// Stores them as singles.
    fn store_singles(self, to: &mut [f32; 4]);
    /// The same in reverse.
    fn store_singles_reversed(self, to: &mut [f32; 4]);
}

/// The definition, for every processor.
#[derive(Clone, Copy)]
pub(super) struct Plain([f64; 4]);

impl Doubles for Plain {
    #[inline(always)]
    fn load(from: &[f64; 4]) -> Self {
        Self(*from)
    }

    #[inline(always)]
    fn store(self, to: &mut [f64; 4]) {
        *to = self.0;
    }

    #[inline(always)]
    fn all(value: f64) -> Self {
        Self([value; 4])
    }

    #[inline(always)]
    fn plus(self, other: Self) -> Self {
        let (Self([a, b, c, d]), Self([e, f, g, h])) = (self, other);
        Self([a + e, b + f, c + g, d + h])
    }

    #[inline(always)]
    fn minus(self, other: Self) -> Self {
        let (Self([a, b, c, d]), Self([e, f, g, h])) = (self, other);
        Self([a - e, b - f, c - g, d - h])
    }

    #[inline(always)]
    fn times(self, other: Self) -> Self {
        let (Self([a, b, c, d]), Self([e, f, g, h])) = (self, other);
        Self([a * e, b * f, c * g, d * h])
    }

    #[inline(always)]
    fn evens_and_odds(of: &[f32; 8]) -> [Self; 2] {
        let [a, b, c, d, e, f, g, h] = of.map(f64::from);
        [Self([a, c, e, g]), Self([b, d, f, h])]
    }

    #[inline(always)]
    fn transpose(columns: [Self; 4]) -> [Self; 4] {
        let [a, b, c, d] = columns.map(|column| column.0);
        [0, 1, 2, 3].map(|row| Self([a[row], b[row], c[row], d[row]]))
    }

    #[inline(always)]
    fn mirror(self, after: Self) -> Self {
        Self([after.0[0], self.0[3], self.0[2], self.0[1]])
    }

    #[inline(always)]
    fn store_singles(self, to: &mut [f32; 4]) {
        *to = self.0.map(|value| value as f32);
    }

    #[inline(always)]
    fn store_singles_reversed(self, to: &mut [f32; 4]) {
        let [a, b, c, d] = self.0.map(|value| value as f32);
        *to = [d, c, b, a];
    }
}

#[cfg(target_arch = "x86_64")]
mod avx2 {
    use std::arch::x86_64::*;
    use std::mem::transmute;

    use super::{Doubles, Work};

    #[target_feature(enable = "avx2")]
    pub(super) fn run<W: Work>(work: W) -> W::Gives {
        work.run::<Register>()
    }

    /// An AVX register. It is named in [`run`] alone, so none exists where the processor was not found to have AVX2.
    #[derive(Clone, Copy)]
    struct Register(__m256d);

    impl Doubles for Register {
        #[inline(always)]
        fn load(from: &[f64; 4]) -> Self {
            // SAFETY: see `Register`; the four doubles are there.
            unsafe { Self(_mm256_loadu_pd(from.as_ptr())) }
        }

        #[inline(always)]
        fn store(self, to: &mut [f64; 4]) {
            // SAFETY: see `Register`; there is room for four doubles.
            unsafe { _mm256_storeu_pd(to.as_mut_ptr(), self.0) }
        }

        #[inline(always)]
        fn all(value: f64) -> Self {
            // SAFETY: see `Register`.
            unsafe { Self(_mm256_set1_pd(value)) }
        }

        #[inline(always)]
        fn plus(self, other: Self) -> Self {
            // SAFETY: see `Register`.
            unsafe { Self(_mm256_add_pd(self.0, other.0)) }
        }

        #[inline(always)]
        fn minus(self, other: Self) -> Self {
            // SAFETY: see `Register`.
            unsafe { Self(_mm256_sub_pd(self.0, other.0)) }
        }

        #[inline(always)]
        fn times(self, other: Self) -> Self {
            // SAFETY: see `Register`.
            unsafe { Self(_mm256_mul_pd(self.0, other.0)) }
        }

        #[inline(always)]
        fn evens_and_odds(of: &[f32; 8]) -> [Self; 2] {
            // SAFETY: see `Register`; an array of eight singles is two of four, and one of those a register.
            unsafe {
                let [front, back]: [__m128; 2] = transmute(*of);
                let evens = _mm_shuffle_ps::<0b10_00_10_00>(front, back);
                let odds = _mm_shuffle_ps::<0b11_01_11_01>(front, back);
                [Self(_mm256_cvtps_pd(evens)), Self(_mm256_cvtps_pd(odds))]
            }
        }

        #[inline(always)]
        fn transpose([Self(a), Self(b), Self(c), Self(d)]: [Self; 4]) -> [Self; 4] {
            // SAFETY: see `Register`.
            unsafe {
                let (ab_even, ab_odd) = (_mm256_unpacklo_pd(a, b), _mm256_unpackhi_pd(a, b));
                let (cd_even, cd_odd) = (_mm256_unpacklo_pd(c, d), _mm256_unpackhi_pd(c, d));
                [
                    Self(_mm256_permute2f128_pd::<0x20>(ab_even, cd_even)),
                    Self(_mm256_permute2f128_pd::<0x20>(ab_odd, cd_odd)),
                    Self(_mm256_permute2f128_pd::<0x31>(ab_even, cd_even)),
                    Self(_mm256_permute2f128_pd::<0x31>(ab_odd, cd_odd)),
                ]
            }
        }

        #[inline(always)]
        fn mirror(self, after: Self) -> Self {
            // SAFETY: see `Register`.
            unsafe { Self(_mm256_permute4x64_pd::<0b01_10_11_00>(_mm256_blend_pd::<0b0001>(self.0, after.0))) }
        }

        #[inline(always)]
        fn store_singles(self, to: &mut [f32; 4]) {
            // SAFETY: see `Register`; there is room for four singles.
            unsafe { _mm_storeu_ps(to.as_mut_ptr(), _mm256_cvtpd_ps(self.0)) }
        }

        #[inline(always)]
        fn store_singles_reversed(self, to: &mut [f32; 4]) {
            // SAFETY: see `Register`; there is room for four singles.
            unsafe {
                let singles = _mm256_cvtpd_ps(self.0);
                _mm_storeu_ps(to.as_mut_ptr(), _mm_shuffle_ps::<0b00_01_10_11>(singles, singles));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The bits that every operation gives.
    struct Operations<'a>(&'a mut Vec<u64>);

    impl Work for Operations<'_> {
        type Gives = ();

        #[inline(always)]
        fn run<D: Doubles>(self) {
            let third = 1.0 / 3.0;
            let (a, b) = (D::load(&[1.0, -2.0, third, 1e300]), D::load(&[-0.0, 0.7, 5.0, 1e-9]));
            let mut doubles = vec![D::all(third), a.plus(b), a.minus(b), a.times(b), a.mirror(b)];
            doubles.extend(D::transpose([a, b, D::all(7.0), b.minus(a)]));
            doubles.extend(D::evens_and_odds(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0]));
            for double in doubles {
                let mut values = [0.0; 4];
                double.store(&mut values);
                self.0.extend(values.map(f64::to_bits));
                let mut singles = [[0.0; 4]; 2];
                double.store_singles(&mut singles[0]);
                double.store_singles_reversed(&mut singles[1]);
                self.0.extend(singles.concat().iter().map(|single| u64::from(single.to_bits())));
            }
        }
    }

    #[test]
    fn the_processors_vectors_give_the_bits_of_plain_ones() {
        let (mut wide, mut plain) = (Vec::new(), Vec::new());
        run(Operations(&mut wide));
        Operations(&mut plain).run::<Plain>();
        assert_eq!(wide, plain);
    }
}
