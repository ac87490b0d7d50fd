//! What is measured and metered on the sending side: a token bucket for what is not live, the round trip, and the live flow.

use std::collections::VecDeque;
use std::time::Duration;

use crate::packet::MAX_DATAGRAM;
use crate::quality::{Need, Needs};
use crate::units::{HostNanos, PacketNumber};

/// What may go at once after a pause: 8 datagrams, and what 5 ms of a fast link take.
const BURST: f64 = 8.0 * MAX_DATAGRAM as f64;
const BURST_TIME: f64 = 0.005;

/// Live datagrams are never held back; what they take beyond the rate is owed for at most this long.
const DEBT_TIME: f64 = 0.05;

/// Repeats that a live view waits for may go on credit: 16 datagrams.
const CREDIT: f64 = 16.0 * MAX_DATAGRAM as f64;

/// So much must be there before a timer fires for it: one wake-up for some datagrams.
const BATCH: f64 = 4.0 * MAX_DATAGRAM as f64;

/// A token bucket in bytes.
#[derive(Debug, Default)]
pub(super) struct Bucket {
    tokens: f64,
    filled: HostNanos,
}

impl Bucket {
    /// Time has passed at `rate` bytes per second.
    pub(super) fn fill(&mut self, now: HostNanos, rate: f64) {
        let grown = self.tokens + rate * now.since(self.filled).as_secs_f64();
        self.tokens = grown.clamp(-(rate * DEBT_TIME).max(CREDIT), BURST.max(rate * BURST_TIME));
        self.filled = now;
    }

    /// A datagram goes.
    pub(super) fn take(&mut self, bytes: usize) {
        self.tokens -= bytes as f64;
    }

    /// Whether a datagram of back-fill may go.
    pub(super) fn has_room(&self) -> bool {
        self.tokens >= MAX_DATAGRAM as f64
    }

    /// Whether a datagram that a live view waits for may go.
    pub(super) fn has_credit(&self) -> bool {
        self.tokens > -CREDIT
    }

    /// When some datagrams of back-fill may go.
    pub(super) fn next(&self, rate: f64) -> HostNanos {
        let lacking = (BATCH - self.tokens).max(0.0);
        self.filled.after(Duration::from_secs_f64(lacking / rate.max(1.0)))
    }
}

/// The round trip and how it varies, as in RFC 6298, section 2.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct RoundTrip {
    smoothed: Duration,
    variation: Duration,
}

impl RoundTrip {
    pub(super) fn add(&mut self, sample: Duration) {
        if self.smoothed.is_zero() {
            *self = Self { smoothed: sample, variation: sample / 2 };
        } else {
            self.variation = (self.variation * 3 + self.smoothed.abs_diff(sample)) / 4;
            self.smoothed = (self.smoothed * 7 + sample) / 8;
        }
    }

    /// Smoothed; zero before the first sample.
    pub(super) fn smoothed(&self) -> Duration {
        self.smoothed
    }

    /// How long an answer takes at most, but for exceptions.
    pub(super) fn bound(&self) -> Duration {
        self.smoothed + self.variation * 4
    }
}

/// Rates of the live flow are taken over this long; the first after less.
const FLOW_SPAN: Duration = Duration::from_millis(500);
const FLOW_FIRST: Duration = Duration::from_millis(50);

/// The most bytes that a preview takes of each sample, with its share of headers: what LZ4 makes no smaller (spec/quality.md, section 6).
const REDUCED: f64 = 1.64;
const COARSE: f64 = 0.58;

/// Live packet numbers that are remembered until feedback tells of them.
const MAX_LIVE: usize = 8_192;

/// What the live path would take, and what of it has arrived.
#[derive(Debug, Default)]
pub(super) struct Flow {
    began: Option<HostNanos>,
    datagrams: u64,
    bytes: u64,
    samples: u64,
    blocks: u64,
    datagrams_per_second: f64,
    bytes_per_second: f64,
    samples_per_second: f64,
    block: Duration,
    /// Packet numbers of live datagrams, and how many are before them.
    live: VecDeque<u64>,
    passed: u64,
}

impl Flow {
    /// A block was written: so many entries of so many bytes, headers included, with so many samples that are not silent.
    pub(super) fn note_block(&mut self, now: HostNanos, entries: u64, bytes: usize, samples: usize) {
        let began = *self.began.get_or_insert(now);
        let span = now.since(began);
        let least = if self.bytes_per_second > 0.0 { FLOW_SPAN } else { FLOW_FIRST };
        if span >= least {
            let seconds = span.as_secs_f64();
            self.datagrams_per_second = self.datagrams as f64 / seconds;
            self.bytes_per_second = self.bytes as f64 / seconds;
            self.samples_per_second = self.samples as f64 / seconds;
            self.block = span / self.blocks.max(1).try_into().unwrap_or(u32::MAX);
            self.began = Some(now);
            (self.datagrams, self.bytes, self.samples, self.blocks) = (0, 0, 0, 0);
        }
        self.datagrams += entries;
        self.bytes += bytes as u64;
        self.samples += samples as u64;
        self.blocks += 1;
    }

    /// A live datagram goes out.
    pub(super) fn note_live(&mut self, packet: PacketNumber) {
        self.live.push_back(packet.0);
        if self.live.len() > MAX_LIVE {
            self.live.pop_front();
            self.passed += 1;
        }
    }

    /// How many live datagrams were among those up to `highest`.
    pub(super) fn live_up_to(&mut self, highest: PacketNumber) -> u64 {
        while self.live.pop_front_if(|packet| *packet <= highest.0).is_some() {
            self.passed += 1;
        }
        self.passed
    }

    /// A new session begins: packet numbers start anew.
    pub(super) fn begin_session(&mut self) {
        self.live.clear();
        self.passed = 0;
    }

    pub(super) fn block(&self) -> Duration {
        self.block
    }

    pub(super) fn needs(&self) -> Needs {
        let full = Need { bytes: self.bytes_per_second, datagrams: self.datagrams_per_second };
        let block = self.block.as_secs_f64().max(0.001);
        let preview = |bytes_each: f64| {
            let bytes = (self.samples_per_second * bytes_each).min(full.bytes);
            let datagrams = (bytes * block / MAX_DATAGRAM as f64).ceil().max(1.0) / block;
            Need { bytes, datagrams: datagrams.min(full.datagrams) }
        };
        Needs { full, reduced: preview(REDUCED), coarse: preview(COARSE) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MILLISECOND: u64 = 1_000_000;

    #[test]
    fn back_fill_gets_what_live_leaves_of_the_rate() {
        let (mut bucket, mut sent) = (Bucket::default(), 0);
        for millisecond in 0..10_000 {
            bucket.fill(HostNanos(millisecond * MILLISECOND), 1.0e6);
            // 400 kB/s of live datagrams.
            if millisecond % 3 == 0 {
                bucket.take(1_200);
            }
            while bucket.has_room() {
                bucket.take(1_200);
                sent += 1_200;
            }
        }
        assert!((5_900_000..6_050_000).contains(&sent), "{sent}");
    }

    #[test]
    fn too_much_live_leaves_nothing_and_is_forgotten_soon() {
        let mut bucket = Bucket::default();
        for millisecond in 0..5_000 {
            bucket.fill(HostNanos(millisecond * MILLISECOND), 100_000.0);
            bucket.take(1_200);
            assert!(millisecond < 10 || !bucket.has_room());
        }
        bucket.fill(HostNanos(5_500 * MILLISECOND), 100_000.0);
        assert!(bucket.has_room());
    }

    #[test]
    fn live_datagrams_are_counted_by_what_the_receiver_has_seen() {
        let mut flow = Flow::default();
        [3, 5, 6].into_iter().for_each(|packet| flow.note_live(PacketNumber(packet)));
        assert_eq!(
            (flow.live_up_to(PacketNumber(2)), flow.live_up_to(PacketNumber(5)), flow.live_up_to(PacketNumber(9))),
            (0, 2, 3)
        );
    }
}
