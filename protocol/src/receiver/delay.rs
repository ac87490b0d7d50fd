//! One-way delay as far as two clocks that do not agree can tell it: how it varies, and how far above its least it is
//! (spec/quality.md, section 2).

use std::time::Duration;

use crate::units::HostNanos;

/// The least delay of this long, at least, and twice as long at most, is what the way takes without a queue. Short enough for
/// clocks that drift apart by 50 ppm (1 ms in 20 s), as in LEDBAT (RFC 6817, section 4.2), which keeps minutes.
const BASE_SPAN: Duration = Duration::from_secs(10);

/// The least delay of this long, at least, and twice as long at most, is the delay of late: the least, because jitter and the
/// time that the datagrams of one block take behind one another are no queue.
const RECENT_SPAN: Duration = Duration::from_millis(30);

/// Follows the delay of one session's datagrams.
#[derive(Debug, Default)]
pub(super) struct Delay {
    /// The first transit time, from which the others are counted: whatever the clocks say, it is 0.
    first: Option<u32>,
    last: i64,
    base: Least,
    recent: Least,
    jitter: Duration,
}

impl Delay {
    /// A datagram came that left at `sent_micros` of the sender's clock.
    pub(super) fn note(&mut self, now: HostNanos, sent_micros: u32) {
        let transit = ((now.0 / 1_000) as u32).wrapping_sub(sent_micros);
        let first = *self.first.get_or_insert(transit);
        let micros = i64::from(transit.wrapping_sub(first) as i32);
        let difference = Duration::from_micros((micros - std::mem::replace(&mut self.last, micros)).unsigned_abs());
        let jitter = self.jitter;
        self.jitter = if difference > jitter { jitter + (difference - jitter) / 16 } else { jitter - (jitter - difference) / 16 };
        self.base.note(now, micros, BASE_SPAN);
        self.recent.note(now, micros, RECENT_SPAN);
    }

    /// Interarrival jitter (RFC 3550, section 6.4.1).
    pub(super) fn jitter(&self) -> Duration {
        self.jitter
    }

    /// The delay of late above the least.
    pub(super) fn queue(&self) -> Duration {
        let above = self.recent.value().zip(self.base.value()).map_or(0, |(recent, base)| recent - base);
        Duration::from_micros(above.max(0) as u64)
    }
}

/// The least value of the last span and the one before.
#[derive(Debug, Default)]
struct Least {
    began: HostNanos,
    spans: [Option<i64>; 2],
}

impl Least {
    fn note(&mut self, now: HostNanos, value: i64, span: Duration) {
        let age = now.since(self.began);
        if age >= span {
            self.began = now;
            self.spans = [None, self.spans[0].filter(|_| age < span * 2)];
        }
        self.spans[0] = Some(self.spans[0].map_or(value, |least| least.min(value)));
    }

    fn value(&self) -> Option<i64> {
        self.spans.into_iter().flatten().min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Datagrams every 10 ms from `from` on, each as late as `late` says of its number.
    fn run(delay: &mut Delay, from: u64, count: u64, late: impl Fn(u64) -> u64) {
        for n in from..from + count {
            let sent = n * 10_000;
            delay.note(HostNanos((sent + late(n)) * 1_000), (sent as u32).wrapping_add(0xFFFF_0000));
        }
    }

    #[test]
    fn a_queue_is_seen_and_jitter_is_none() {
        let mut delay = Delay::default();
        run(&mut delay, 0, 200, |n| 1_000 + n * 7_919 % 8_000);
        assert!(delay.queue() < Duration::from_millis(4), "{:?}", delay.queue());
        run(&mut delay, 200, 20, |n| 31_000 + n * 7_919 % 8_000);
        assert!(delay.queue() > Duration::from_millis(25), "{:?}", delay.queue());
        run(&mut delay, 220, 20, |_| 1_000);
        assert_eq!(delay.queue(), Duration::ZERO);
    }

    #[test]
    fn a_longer_way_is_soon_the_usual_one() {
        let mut delay = Delay::default();
        run(&mut delay, 0, 100, |_| 1_000);
        run(&mut delay, 100, 2_100, |_| 41_000);
        assert_eq!(delay.queue(), Duration::ZERO);
    }

    #[test]
    fn jitter_is_the_mean_difference() {
        let mut delay = Delay::default();
        run(&mut delay, 0, 500, |n| n % 2 * 4_000);
        assert!((delay.jitter().as_micros() as i64 - 4_000).abs() < 10, "{:?}", delay.jitter());
    }
}
