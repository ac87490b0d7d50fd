//! The clocks of two machines: offset by the four timestamps of NTP (RFC 5905, section 8), the exchange with the shortest round
//! trip of the last [`EXCHANGES`] wins; drift from how that offset moves.

use std::collections::VecDeque;
use std::time::Duration;

use crate::units::HostNanos;

/// How many exchanges an estimate rests on, at least and at most.
pub const EXCHANGES: usize = 8;

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

    /// Their clock less ours, in nanoseconds, if both ways take equally long.
    fn offset(&self) -> i64 {
        let outward = i128::from(self.received.0) - i128::from(self.sent.0);
        let inward = i128::from(self.answered.0) - i128::from(self.returned.0);
        ((outward + inward) / 2) as i64
    }
}

/// Their clock against ours.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Estimate {
    /// Our clock at the exchange that the estimate rests on.
    pub at: HostNanos,
    /// Their clock less ours, in nanoseconds.
    pub offset: i64,
    /// Round trip of that exchange.
    pub round_trip: Duration,
    /// How fast the offset changes, in parts per billion; 0 until known.
    pub drift_ppb: f64,
}

/// Chooses the best of the last exchanges.
#[derive(Clone, Debug, Default)]
pub struct ClockFilter {
    recent: VecDeque<Exchange>,
    first: Option<Estimate>,
}

impl ClockFilter {
    /// Takes an exchange. One whose times contradict one another changes nothing.
    pub fn add(&mut self, exchange: Exchange) {
        if exchange.round_trip().is_some() {
            if self.recent.len() == EXCHANGES {
                self.recent.pop_front();
            }
            self.recent.push_back(exchange);
            if self.first.is_none() {
                self.first = self.estimate();
            }
        }
    }

    /// The best estimate; `None` before [`EXCHANGES`] exchanges.
    pub fn estimate(&self) -> Option<Estimate> {
        if self.recent.len() < EXCHANGES {
            return None;
        }
        let (round_trip, best) =
            self.recent.iter().filter_map(|exchange| Some((exchange.round_trip()?, exchange))).min_by_key(|(trip, _)| *trip)?;
        let (at, offset) = (best.returned, best.offset());
        let drift_ppb = self
            .first
            .filter(|first| at.since(first.at) >= DRIFT_BASE)
            .map_or(0.0, |first| (offset - first.offset) as f64 / at.since(first.at).as_nanos() as f64 * 1.0e9);
        Some(Estimate { at, offset, round_trip, drift_ppb })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
    fn the_shortest_round_trip_wins() {
        let mut filter = ClockFilter::default();
        for n in 0..8 {
            assert!(filter.estimate().is_none());
            let delay = if n == 5 { 1_000 } else { 900_000 };
            filter.add(exchange(n * 1_000_000_000, 42_000_000, delay, if n == 5 { 1_000 } else { 100_000 }));
        }
        let estimate = filter.estimate().unwrap();
        assert_eq!((estimate.offset, estimate.round_trip), (42_000_000, Duration::from_nanos(2_000)));
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
    fn an_impossible_exchange_changes_nothing() {
        let mut filter = ClockFilter::default();
        for n in 0..8 {
            filter.add(exchange(n, 5, 10, 10));
        }
        let before = filter.estimate();
        filter.add(Exchange { sent: HostNanos(100), received: HostNanos(9), answered: HostNanos(8), returned: HostNanos(50) });
        assert_eq!(filter.estimate(), before);
    }
}
