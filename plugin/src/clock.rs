//! The two clocks that a capture reads. Nothing else of this crate asks for the time.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use send_learn_protocol::units::HostNanos;

/// The machine's monotonic clock: `CLOCK_MONOTONIC`, which all processes of a machine share. On Linux the vDSO answers,
/// so the audio thread may ask.
#[cfg(unix)]
pub fn now() -> HostNanos {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    HostNanos(time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64)
}

/// The monotonic clock where there is no `CLOCK_MONOTONIC`: time since the first call in this process.
#[cfg(not(unix))]
pub fn now() -> HostNanos {
    static START: std::sync::LazyLock<std::time::Instant> = std::sync::LazyLock::new(std::time::Instant::now);
    HostNanos::default().after(START.elapsed())
}

/// Wall-clock time in nanoseconds since 1970-01-01 UTC; 0 when the clock stands before that.
pub fn unix_nanos() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}

/// Both clocks at one moment: the monotonic one, and the wall clock since 1970.
pub fn now_and_wall() -> (HostNanos, Duration) {
    // The thread may be put aside between two readings; that seldom happens several times in a row.
    let mut tries = 3;
    loop {
        let before = now();
        let wall = Duration::from_nanos(unix_nanos());
        let took = now().since(before);
        tries -= 1;
        if took < READING || tries == 0 {
            return (before.after(took / 2), wall);
        }
    }
}

/// Reading two clocks takes less than this, unless the thread was put aside meanwhile.
const READING: Duration = Duration::from_micros(10);
