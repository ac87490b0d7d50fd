//! When a datagram came: the system's time stamp, told by the wall clock, as a time of the monotonic clock.
//!
//! The program reads both clocks for each batch of datagrams. How long ago the stamp was taken is a difference on the wall clock,
//! which may be set at any moment: so a stamp counts only while the two clocks run alike, and no datagram can have come before
//! the socket was last found empty, nor after it was read.

use std::time::Duration;

use crate::units::HostNanos;

/// Between two readings the clocks may differ by this much for no reason: reading them takes time, ...
const READING: Duration = Duration::from_micros(200);

/// ... and by this share of the time between, because a wall clock is slewed by up to 500 ppm.
const SLEW: u32 = 1_000;

/// Tells when datagrams of one socket came.
#[derive(Clone, Copy, Debug, Default)]
pub struct ArrivalClock {
    now: HostNanos,
    wall: Duration,
    /// The socket was last found empty then.
    empty: HostNanos,
    /// Since then the wall clock was set: stamps from before are worth nothing.
    set: bool,
}

impl ArrivalClock {
    /// A batch of datagrams was read when the monotonic clock showed `now` and the wall clock `wall`, since 1970.
    pub fn read(&mut self, now: HostNanos, wall: Duration) {
        if self.wall > Duration::ZERO {
            let ran = now.since(self.now);
            let differs = (self.wall + ran).abs_diff(wall);
            self.set |= differs > READING + ran / SLEW;
        }
        (self.now, self.wall) = (now, wall);
    }

    /// The socket was found empty: what comes from now on has a stamp of the wall clock as it is.
    pub fn found_empty(&mut self) {
        self.empty = self.now;
        self.set = false;
    }

    /// When a datagram of the batch came whose stamp is this, if it has one.
    pub fn arrival(&self, stamp: Option<Duration>) -> HostNanos {
        let waited = stamp.filter(|_| !self.set).map_or(Duration::ZERO, |stamp| self.wall.saturating_sub(stamp));
        let waited = u64::try_from(waited.as_nanos()).unwrap_or(u64::MAX);
        HostNanos(self.now.0.saturating_sub(waited)).max(self.empty).min(self.now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MILLISECOND: Duration = Duration::from_millis(1);
    const NOON: Duration = Duration::from_secs(1_700_000_000);

    fn at(millis: u64) -> HostNanos {
        HostNanos(millis * 1_000_000)
    }

    fn wall(millis: u32) -> Duration {
        NOON + MILLISECOND * millis
    }

    #[test]
    fn a_stamp_says_how_long_a_datagram_waited() {
        let mut clock = ArrivalClock::default();
        clock.read(at(5_000), wall(0));
        clock.found_empty();
        clock.read(at(5_010), wall(10));
        assert_eq!(clock.arrival(Some(wall(7))), at(5_007));
        assert_eq!(clock.arrival(None), at(5_010), "without a stamp it is the time of reading");
    }

    #[test]
    fn nothing_comes_before_the_socket_was_empty_or_after_it_was_read() {
        let mut clock = ArrivalClock::default();
        clock.read(at(5_000), wall(0));
        clock.found_empty();
        clock.read(at(5_010), wall(10));
        assert_eq!(clock.arrival(Some(wall(0) - Duration::from_secs(3_600))), at(5_000));
        assert_eq!(clock.arrival(Some(wall(60_000))), at(5_010));
    }

    #[test]
    fn a_wall_clock_that_is_set_costs_the_stamps_of_what_waits_and_no_more() {
        for step in [-3_600_000_i64, -5, 5, 3_600_000] {
            let mut clock = ArrivalClock::default();
            let stepped = |millis: u64| Duration::from_millis((NOON.as_millis() as i64 + millis as i64 + step) as u64);
            clock.read(at(5_000), wall(0));
            clock.found_empty();
            // It came at 5 ms, the clock was set at 6, and it is read at 10.
            clock.read(at(5_010), stepped(10));
            assert_eq!(clock.arrival(Some(wall(5))), at(5_010), "step of {step} ms");
            clock.found_empty();
            clock.read(at(5_020), stepped(20));
            assert_eq!(clock.arrival(Some(stepped(14))), at(5_014), "step of {step} ms");
        }
    }

    #[test]
    fn a_slewed_clock_is_none_that_was_set() {
        let mut clock = ArrivalClock::default();
        clock.read(at(0), wall(0));
        clock.found_empty();
        clock.read(at(60_000), wall(60_030));
        assert_eq!(clock.arrival(Some(wall(60_025))), at(59_995));
    }
}
