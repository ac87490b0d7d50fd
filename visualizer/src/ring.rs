//! The newest samples of a stream, each at its position.

use std::ops::Range;

/// A ring of mono samples by sample position. Samples may come in any order; what has not come is silence.
#[derive(Clone, Debug)]
pub struct SampleRing {
    samples: Vec<f32>,
    end: u64,
}

impl SampleRing {
    /// An empty ring for at least the newest `capacity` samples.
    pub fn new(capacity: usize) -> Self {
        Self { samples: vec![0.0; capacity.next_power_of_two()], end: 0 }
    }

    /// The position after the newest sample; 0 when none has come.
    pub fn end(&self) -> u64 {
        self.end
    }

    /// The oldest position that is kept.
    pub fn start(&self) -> u64 {
        self.end.saturating_sub(self.samples.len() as u64)
    }

    /// Writes `samples` from `position` on, and returns the range that is now in the ring. Samples older than the ring are
    /// left out; positions between the newest so far and `position` become silence until they come.
    pub fn write(&mut self, position: u64, samples: impl ExactSizeIterator<Item = f32>) -> Range<u64> {
        let end = position.saturating_add(samples.len() as u64);
        if end > self.end {
            // Only what will be read again needs to be cleared.
            let clear = self.end.max(end.saturating_sub(self.samples.len() as u64));
            (clear..position).for_each(|missing| self.set(missing, 0.0));
            self.end = end;
        }
        let start = self.start();
        (position..end).zip(samples).filter(|(at, _)| *at >= start).for_each(|(at, sample)| self.set(at, sample));
        position.max(start)..end.max(start)
    }

    /// The sample at `position`; silence where there is none.
    pub fn at(&self, position: u64) -> f32 {
        if (self.start()..self.end).contains(&position) { self.samples[self.index(position)] } else { 0.0 }
    }

    /// Copies the samples before `end` into `out`: the last of `out` is the sample at `end - 1`.
    pub fn copy_before(&self, end: u64, out: &mut [f32]) {
        let len = out.len() as u64;
        for (back, sample) in (1..=len).rev().zip(out) {
            *sample = end.checked_sub(back).map_or(0.0, |position| self.at(position));
        }
    }

    fn set(&mut self, position: u64, sample: f32) {
        let index = self.index(position);
        self.samples[index] = sample;
    }

    fn index(&self, position: u64) -> usize {
        position as usize & (self.samples.len() - 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn contents(ring: &SampleRing, range: Range<u64>) -> Vec<f32> {
        range.map(|position| ring.at(position)).collect()
    }

    #[test]
    fn samples_that_come_out_of_order_stand_at_their_positions() {
        let mut ring = SampleRing::new(16);
        ring.write(0, [1.0, 2.0].into_iter());
        ring.write(6, [7.0, 8.0].into_iter());
        assert_eq!(contents(&ring, 0..8), [1.0, 2.0, 0.0, 0.0, 0.0, 0.0, 7.0, 8.0]);
        assert_eq!(ring.write(2, [3.0, 4.0, 5.0, 6.0].into_iter()), 2..6);
        assert_eq!(contents(&ring, 0..8), [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0]);
        assert_eq!(ring.end(), 8);
    }

    #[test]
    fn what_is_older_than_the_ring_is_left_out() {
        let mut ring = SampleRing::new(4);
        ring.write(100, [1.0, 2.0, 3.0, 4.0].into_iter());
        assert_eq!(ring.write(97, [9.0; 5].into_iter()), 100..102);
        assert_eq!(contents(&ring, 97..104), [0.0, 0.0, 0.0, 9.0, 9.0, 3.0, 4.0]);
    }

    #[test]
    fn a_jump_leaves_silence_and_takes_no_time() {
        let mut ring = SampleRing::new(4);
        ring.write(0, [1.0; 4].into_iter());
        ring.write(u64::MAX - 2, [5.0].into_iter());
        assert_eq!(contents(&ring, u64::MAX - 6..u64::MAX - 1), [0.0, 0.0, 0.0, 0.0, 5.0]);
    }

    #[test]
    fn a_window_before_the_first_sample_is_silence() {
        let mut ring = SampleRing::new(8);
        ring.write(0, [1.0, 2.0].into_iter());
        let mut out = [9.0; 4];
        ring.copy_before(2, &mut out);
        assert_eq!(out, [0.0, 0.0, 1.0, 2.0]);
    }
}
