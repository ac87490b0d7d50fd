//! The receiver's clock.

use rustix::time::{ClockId, clock_gettime};
use send_learn_protocol::units::HostNanos;

/// Nanoseconds on this machine's monotonic clock (`CLOCK_MONOTONIC`): the one clock that arrival times and the protocol use.
pub fn now() -> HostNanos {
    let time = clock_gettime(ClockId::Monotonic);
    HostNanos(time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64)
}
