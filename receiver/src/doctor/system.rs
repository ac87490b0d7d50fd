//! What the system grants, and what time it thinks it is.

use std::time::{SystemTime, UNIX_EPOCH};

use super::Finding;
use crate::socket::{self, RECEIVE_BUFFER};

/// 2024-01-01: no computer that runs this has a clock that is right and shows an earlier time.
const EARLIEST: u64 = 1_704_067_200;

/// 2100-01-01.
const LATEST: u64 = 4_102_444_800;

/// How much the kernel keeps of what waits to be read.
pub(super) fn receive_buffer() -> Finding {
    const ABOUT: &str = "buffer";
    match socket::grantable_buffer() {
        Ok(granted) if granted >= RECEIVE_BUFFER => {
            Finding::good(ABOUT, format!("the kernel grants a receive buffer of {} KiB", granted >> 10))
        }
        Ok(granted) => Finding::note(
            ABOUT,
            format!(
                "the kernel grants a receive buffer of {} KiB of the {} KiB asked for: many streams at once may lose datagrams, which are \
                 then sent again",
                granted >> 10,
                RECEIVE_BUFFER >> 10
            ),
            format!("On Linux, as root: sysctl -w net.core.rmem_max={RECEIVE_BUFFER}; to keep it, a line in /etc/sysctl.d/."),
        ),
        Err(error) => Finding::bad(ABOUT, format!("the system gives no socket: {error}"), "Close other programs."),
    }
}

/// Whether the wall clock can be right.
pub(super) fn clock() -> Finding {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    judge_clock(now)
}

fn judge_clock(now: u64) -> Finding {
    const ABOUT: &str = "clock";
    if (EARLIEST..LATEST).contains(&now) {
        return Finding::good(ABOUT, "the wall clock shows a date that can be right");
    }
    let years = 1970 + now / 31_556_952;
    let words = format!("the wall clock shows the year {years}: recordings would bear that date");
    Finding::bad(ABOUT, words, "Set the clock, or let the system do so by NTP.")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::Verdict;

    #[test]
    fn a_clock_that_was_never_set_is_named() {
        let finding = judge_clock(1_000);
        assert!(finding.verdict == Verdict::Bad && finding.words.contains("1970"), "{finding:?}");
        assert_eq!(judge_clock(1_800_000_000).verdict, Verdict::Good);
    }
}
