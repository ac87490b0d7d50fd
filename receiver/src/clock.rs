//! The receiver's clock.

use std::time::{SystemTime, UNIX_EPOCH};

use rustix::time::{ClockId, clock_gettime};
use send_learn_protocol::units::HostNanos;

/// Nanoseconds on this machine's monotonic clock (`CLOCK_MONOTONIC`): the one clock that arrival times and the protocol use.
pub fn now() -> HostNanos {
    let time = clock_gettime(ClockId::Monotonic);
    HostNanos(time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64)
}

/// Wall-clock time in nanoseconds since 1970-01-01 UTC; 0 when the clock stands before that.
pub fn unix_nanos() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}
