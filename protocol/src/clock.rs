//! The clocks of two machines, by the four timestamps of NTP (RFC 5905, section 8).
//!
//! No datagram comes before it left, so each exchange bounds their clock less ours from both sides: t3 - t4 <= offset <= t2 - t1.
//! The least upper and the greatest lower bound of the last [`SPAN`] hold together, and need not be of one exchange: where delays
//! vary, the quickest question meets the quickest answer. The offset is their middle. Drift comes from how it moves.

use std::collections::VecDeque;
use std::time::Duration;

use crate::units::HostNanos;

/// How many exchanges an estimate rests on, at least.
pub const EXCHANGES: usize = 8;

/// Exchanges are of use for this long, ...
pub const SPAN: Duration = Duration::from_secs(10);

/// ... and the newest of this many: one each 40 ms, the most that a sender asks for.
const MOST: usize = 256;

/// How fast two clocks may wander apart beyond the drift that is known, as a share: 50 ppm is more than quartz clocks in rooms do.
/// Bounds become looser by that much with age.
const WANDER: f64 = 50.0e-6;

/// Bounds that contradict one another by more than this, in nanoseconds, are no drift: clocks that are slewed move by at most
/// 500 ppm, 5 ms in [`SPAN`].
const STEP: i128 = 5_000_000;

/// Drift is stated once estimates lie this far apart.
const DRIFT_BASE: Duration = Duration::from_secs(10);

/// One exchange: our send, their receive, their send, our receive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exchange {
    /// Our clock when the question left (t1).
    pub sent: HostNanos,
    /// Their clock when it came (t2).
    pub received: HostNanos,
    /// Their clock when the answer left (t3).
    pub answered: HostNanos,
    /// Our clock when the answer came (t4).
    pub returned: HostNanos,
}

impl Exchange {
    /// The round trip without the time the other side took; `None` when the four times contradict one another.
    pub fn round_trip(&self) -> Option<Duration> {
        let total = self.returned.0.checked_sub(self.sent.0)?;
        let there = self.answered.0.checked_sub(self.received.0)?;
        Some(Duration::from_nanos(total.checked_sub(there)?))
    }

    /// Their clock less ours is at least the first and at most the second, in nanoseconds.
    fn bounds(&self) -> (i128, i128) {
        let less = |theirs: HostNanos, ours: HostNanos| i128::from(theirs.0) - i128::from(ours.0);
        (less(self.answered, self.returned), less(self.received, self.sent))
    }
}

/// Their clock against ours.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Estimate {
    /// Our clock at the newest exchange: when the offset held.
    pub at: HostNanos,
    /// Their clock less ours, in nanoseconds.
    pub offset: i64,
    /// The true offset is within this of `offset`.
    pub uncertainty: Duration,
    /// The shortest round trip of the exchanges that count.
    pub round_trip: Duration,
    /// How fast the offset changes, in parts per billion; 0 until known.
    pub drift_ppb: f64,
}

/// Keeps the last exchanges, and what they say together.
#[derive(Clone, Debug, Default)]
pub struct ClockFilter {
    recent: VecDeque<Exchange>,
    first: Option<Estimate>,
    drift_ppb: f64,
}

impl ClockFilter {
    /// Takes an exchange. One whose times contradict one another changes nothing, nor does one that is older than the last.
    pub fn add(&mut self, exchange: Exchange) {
        let newest = self.recent.back().map_or(HostNanos(0), |last| last.returned);
        if exchange.round_trip().is_none() || exchange.returned < newest {
            return;
        }
        if self.recent.len() == MOST {
            self.recent.pop_front();
        }
        self.recent.push_back(exchange);
        while self.recent.front().is_some_and(|first| exchange.returned.since(first.returned) > SPAN)
            && self.recent.len() > EXCHANGES
        {
            self.recent.pop_front();
        }
        // A clock that was set, or runs away: what it said before counts no more.
        while let Some(gap) = self.bounds().map(|(lower, upper)| lower - upper).filter(|gap| *gap > 0) {
            if gap > STEP {
                (self.first, self.drift_ppb) = (None, 0.0);
            }
            self.recent.pop_front();
        }
        self.note_drift();
    }

    /// The best estimate; `None` before [`EXCHANGES`] exchanges.
    pub fn estimate(&self) -> Option<Estimate> {
        if self.recent.len() < EXCHANGES {
            return None;
        }
        let (lower, upper) = self.bounds()?;
        let round_trip = self.recent.iter().filter_map(Exchange::round_trip).min()?;
        let at = self.recent.back()?.returned;
        // Halved downwards, so the half above is the longer one.
        let offset = i64::try_from((lower + upper).div_euclid(2)).ok()?;
        let uncertainty = Duration::from_nanos((upper - i128::from(offset)).try_into().ok()?);
        Some(Estimate { at, offset, uncertainty, round_trip, drift_ppb: self.drift_ppb })
    }

    fn note_drift(&mut self) {
        let Some(estimate) = self.estimate() else { return };
        let first = *self.first.get_or_insert(estimate);
        let span = estimate.at.since(first.at);
        if span >= DRIFT_BASE {
            self.drift_ppb = (estimate.offset - first.offset) as f64 / span.as_nanos() as f64 * 1.0e9;
        }
    }

    /// What all exchanges together say of the offset at the newest of them.
    fn bounds(&self) -> Option<(i128, i128)> {
        let now = self.recent.back()?.returned;
        let moved = |exchange: &Exchange| {
            let (lower, upper) = exchange.bounds();
            let age = now.since(exchange.returned).as_nanos() as f64;
            let (drifted, loose) = ((age * self.drift_ppb * 1.0e-9) as i128, (age * WANDER) as i128);
            (lower + drifted - loose, upper + drifted + loose)
        };
        self.recent.iter().map(moved).reduce(|(lower, upper), (low, up)| (lower.max(low), upper.min(up)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MILLISECOND: u64 = 1_000_000;

    /// An exchange at `at` over a link with the two delays, to a clock that is `offset` ahead.
    fn exchange(at: u64, offset: u64, outward: u64, inward: u64) -> Exchange {
        Exchange {
            sent: HostNanos(at),
            received: HostNanos(at + outward + offset),
            answered: HostNanos(at + outward + offset + 500),
            returned: HostNanos(at + outward + 500 + inward),
        }
    }

    #[test]
    fn the_quickest_question_meets_the_quickest_answer() {
        let mut filter = ClockFilter::default();
        for n in 0..8 {
            assert!(filter.estimate().is_none());
            let (outward, inward) = if n == 5 { (1_000, 900_000) } else { (800_000, if n == 6 { 1_000 } else { 400_000 }) };
            filter.add(exchange(n * 20 * MILLISECOND, 42_000_000, outward, inward));
        }
        let estimate = filter.estimate().unwrap();
        // 50 ppm of the 40 ms since the better question, and of the 20 ms since the better answer.
        assert!(estimate.offset.abs_diff(42_000_000) <= 2_000, "{estimate:?}");
        assert!(estimate.uncertainty <= Duration::from_nanos(4_000), "{estimate:?}");
        assert_eq!(estimate.round_trip, Duration::from_nanos(801_000));
    }

    #[test]
    fn after_10_s_of_5_ms_of_jitter_each_way_the_offset_is_known_to_half_a_millisecond() {
        let mut worst = 0;
        for seed in 0..200_u64 {
            let mut random = seed;
            let mut delay = || {
                random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                200_000 + (random >> 33) % (5 * MILLISECOND)
            };
            let mut filter = ClockFilter::default();
            for n in 0..100 {
                let (at, offset) = (n * 100 * MILLISECOND, 7_000_000_000);
                let (outward, inward) = (delay(), delay());
                filter.add(exchange(at, offset, outward, inward));
                if let Some(estimate) = filter.estimate() {
                    let error = estimate.offset.abs_diff(7_000_000_000);
                    assert!(u128::from(error) <= estimate.uncertainty.as_nanos(), "it lies within what is stated: {estimate:?}");
                }
            }
            worst = worst.max(filter.estimate().unwrap().offset.abs_diff(7_000_000_000));
        }
        println!("worst of 200 seeds: {} us", worst / 1_000);
        assert!(worst < 500_000, "{worst} ns");
    }

    #[test]
    fn drift_is_found() {
        let mut filter = ClockFilter::default();
        for n in 0..100 {
            // 50 ppm: 50,000 ns in each second.
            filter.add(exchange(n * 1_000_000_000, 7_000_000 + n * 50_000, 1_000, 1_000));
        }
        let drift = filter.estimate().unwrap().drift_ppb;
        assert!((drift - 50_000.0).abs() < 100.0, "{drift}");
    }

    #[test]
    fn a_clock_that_was_set_is_followed_at_once() {
        let mut filter = ClockFilter::default();
        (0..50).for_each(|n| filter.add(exchange(n * 100 * MILLISECOND, 1_000_000_000, 1_000, 1_000)));
        (50..58).for_each(|n| filter.add(exchange(n * 100 * MILLISECOND, 5_000_000_000, 1_000, 1_000)));
        let estimate = filter.estimate().unwrap();
        assert!(estimate.offset.abs_diff(5_000_000_000) < 1_000, "{estimate:?}");
    }

    #[test]
    fn an_impossible_exchange_changes_nothing() {
        let mut filter = ClockFilter::default();
        for n in 0..8 {
            filter.add(exchange(n, 5, 10, 10));
        }
        let before = filter.estimate();
        filter.add(Exchange { sent: HostNanos(100), received: HostNanos(9), answered: HostNanos(8), returned: HostNanos(50) });
        assert_eq!(filter.estimate(), before);
    }

    #[test]
    fn whatever_the_other_side_says_nothing_overflows() {
        let mut filter = ClockFilter::default();
        for n in 0..3_000_u64 {
            let word = n.wrapping_mul(0x9E37_79B9_7F4A_7C15);
            let received = HostNanos(word);
            filter.add(Exchange { sent: HostNanos(n), received, answered: received, returned: HostNanos(n + 5) });
            let _ = filter.estimate();
        }
        assert!(filter.recent.len() <= MOST);
    }
}
