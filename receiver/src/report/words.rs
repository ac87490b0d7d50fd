//! Names, times and lengths as people read them.

use crate::quality::Quality;
use crate::take::date_and_time;

/// A take's name, or what stands for it.
pub(super) fn name_of(take: &Quality) -> &str {
    if take.name.is_empty() { "(no name)" } else { &take.name }
}

/// `2026-01-31 12:34` of nanoseconds since 1970.
pub(super) fn clock(unix_nanos: u64) -> String {
    let (date, time) = date_and_time(unix_nanos / 1_000_000_000);
    format!("{date} {}:{}", &time[..2], &time[2..4])
}

/// `1:02:03` or `2:03`; below ten seconds with what a gap needs.
pub(super) fn length(seconds: f64) -> String {
    if seconds > 0.0 && seconds < 1.0 {
        return format!("{:.0} ms", (seconds * 1e3).max(1.0));
    }
    if seconds < 10.0 && seconds > 0.0 {
        return format!("{seconds:.1} s");
    }
    let whole = seconds.round().max(0.0) as u64;
    let (hours, minutes, seconds) = (whole / 3600, whole / 60 % 60, whole % 60);
    if hours > 0 { format!("{hours}:{minutes:02}:{seconds:02}") } else { format!("{minutes}:{seconds:02}") }
}

/// `1 take`, `2 takes`.
pub(super) fn count(number: u64, what: &str) -> String {
    if number == 1 { format!("1 {what}") } else { format!("{number} {what}s") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_read_as_people_say_them() {
        assert_eq!([0.0, 0.0002, 0.5, 9.94, 59.6, 3723.0].map(length), ["0:00", "1 ms", "500 ms", "9.9 s", "1:00", "1:02:03"]);
    }
}
