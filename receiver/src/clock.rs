//! The receiver's clock.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustix::time::{ClockId, clock_gettime};
use send_learn_protocol::units::HostNanos;

/// Reading two clocks takes less than this, unless the thread was put aside meanwhile.
const READING: Duration = Duration::from_micros(10);

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

/// Both clocks at one moment: the monotonic one, and the wall clock since 1970, by which the system stamps datagrams.
pub fn now_and_wall() -> (HostNanos, Duration) {
    // The thread may be put aside between two readings; that seldom happens several times in a row.
    let mut tries = 3;
    loop {
        let before = now();
        let wall = clock_gettime(ClockId::Realtime);
        let took = now().since(before);
        tries -= 1;
        if took < READING || tries == 0 {
            let wall = Duration::new(wall.tv_sec.max(0) as u64, wall.tv_nsec as u32);
            return (before.after(took / 2), wall);
        }
    }
}
