//! Runs inner loops with AVX2 where the processor has it: programs are built for every x86-64, whose vectors are half as wide.
//! The values are the same, bit for bit: the lanes are those of the source, and nothing is fused.
#![allow(unsafe_code, reason = "the one call into code for a processor's extension, after asking for it")]

/// Something to run with the widest vectors. Everything that [`run`](Self::run) calls should be `#[inline(always)]`, as it
/// should be itself: only what is compiled into the caller gets the wide vectors.
pub(super) trait Work {
    fn run(self);
}

/// Runs `work`.
pub(super) fn run(work: impl Work) {
    #[cfg(target_arch = "x86_64")]
    if std::arch::is_x86_feature_detected!("avx2") {
        // SAFETY: the processor has AVX2; it was just asked.
        return unsafe { with_avx2(work) };
    }
    work.run();
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn with_avx2(work: impl Work) {
    work.run();
}
