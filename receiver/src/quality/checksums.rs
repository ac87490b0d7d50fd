//! Blocks against their checksums, while their samples pass by.

use crc32fast::Hasher;

use crate::store::layout::BlockRow;

/// Checks blocks, which are in order, against samples that come in order. A block of which samples are missing is passed over.
#[derive(Debug)]
pub(super) struct Checksums<'a> {
    blocks: std::iter::Peekable<std::slice::Iter<'a, BlockRow>>,
    channels: usize,
    hasher: Hasher,
    /// The position of the next sample that belongs to the hash; none before a block's first sample has come.
    next: Option<u64>,
    /// Blocks whose samples are all there.
    pub(super) checked: u64,
    /// Those that do not have their checksum.
    pub(super) mismatches: u64,
}

impl<'a> Checksums<'a> {
    pub(super) fn new(blocks: &'a [BlockRow], channels: u16) -> Self {
        let blocks = blocks.iter().peekable();
        Self { blocks, channels: channels.into(), hasher: Hasher::new(), next: None, checked: 0, mismatches: 0 }
    }

    /// Takes interleaved samples, the first at `position`.
    pub(super) fn push(&mut self, position: u64, samples: &[f32]) {
        let end = position + (samples.len() / self.channels) as u64;
        while let Some(block) = self.blocks.peek() {
            let block_end = block.sample.saturating_add(u64::from(block.frames));
            let from = self.next.unwrap_or(block.sample);
            if from < position {
                // Samples of it were never seen.
                self.skip();
                continue;
            }
            if from >= end {
                return;
            }
            let to = block_end.min(end);
            let at = |frame: u64| (frame - position) as usize * self.channels;
            update(&mut self.hasher, &samples[at(from)..at(to)]);
            if to < block_end {
                self.next = Some(to);
                return;
            }
            self.checked += 1;
            self.mismatches += u64::from(self.hasher.clone().finalize() != block.crc);
            self.skip();
        }
    }

    fn skip(&mut self) {
        self.blocks.next();
        self.hasher.reset();
        self.next = None;
    }
}

/// Hashes samples as little-endian float32.
fn update(hasher: &mut Hasher, samples: &[f32]) {
    if cfg!(target_endian = "little") {
        hasher.update(bytemuck::cast_slice(samples));
    } else {
        samples.iter().for_each(|sample| hasher.update(&sample.to_le_bytes()));
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::timeline::crc_of;

    /// Stereo blocks of the given sizes, from sample 10 on, and their samples.
    fn take(sizes: &[u32]) -> (Vec<BlockRow>, Vec<f32>) {
        let (mut blocks, mut samples) = (Vec::new(), Vec::new());
        let mut sample = 10;
        for &frames in sizes {
            let block: Vec<f32> = (0..frames * 2).map(|index| (sample as f32 + index as f32) * 1e-3).collect();
            let crc = crc_of(&block);
            blocks.push(BlockRow { sample, frames, crc, host_nanos: 0, arrival_nanos: 0, playhead: 0, arrival: 0, level: 1.0 });
            samples.extend(block);
            sample += u64::from(frames);
        }
        (blocks, samples)
    }

    fn check(blocks: &[BlockRow], samples: &[f32], chunk: usize) -> (u64, u64) {
        let mut checksums = Checksums::new(blocks, 2);
        for (index, part) in samples.chunks(2 * chunk).enumerate() {
            checksums.push(10 + (index * chunk) as u64, part);
        }
        (checksums.checked, checksums.mismatches)
    }

    proptest! {
        #[test]
        fn every_block_is_checked_whatever_the_chunks(
            sizes in prop::collection::vec(1_u32..40, 1..20), chunk in 1_usize..100, broken in any::<prop::sample::Index>(),
        ) {
            let (blocks, mut samples) = take(&sizes);
            let count = blocks.len() as u64;
            prop_assert_eq!(check(&blocks, &samples, chunk), (count, 0));
            let broken = broken.index(samples.len());
            samples[broken] += 1.0;
            prop_assert_eq!(check(&blocks, &samples, chunk), (count, 1));
        }
    }

    #[test]
    fn a_block_with_missing_samples_is_passed_over() {
        let (blocks, samples) = take(&[8, 8, 8]);
        let mut checksums = Checksums::new(&blocks, 2);
        checksums.push(10, &samples[..2 * 12]);
        checksums.push(23, &samples[2 * 13..]);
        assert_eq!((checksums.checked, checksums.mismatches), (2, 0));
    }
}
