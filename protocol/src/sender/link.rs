//! The states of a sender's connection.

use std::time::Duration;

use crate::packet::hello::{Cookie, Refusal};
use crate::units::HostNanos;

/// Hellos are repeated after this for a live view's deadline, so that a lost one does not cost the first block; then after twice as
/// long each time, up to the other.
const HELLO_FIRST: Duration = Duration::from_millis(15);
const HELLO_FIRST_SPAN: Duration = Duration::from_millis(60);
const HELLO_SLOWEST: Duration = Duration::from_secs(1);

/// A receiver that was there is asked more often for a while: the live path is to go on within 0.1 s of the network's return.
const HELLO_LOST: Duration = Duration::from_millis(60);
const HELLO_LOST_SPAN: Duration = Duration::from_secs(20);

/// ... and later at least this often: 5 kB/s.
const HELLO_LOST_SLOWEST: Duration = Duration::from_millis(250);

/// Where the connection stands.
#[derive(Debug)]
pub(super) enum Link {
    /// Hellos go out.
    Asking { cookie: Cookie, due: HostNanos, pause: Duration, slowest: Duration, eager_until: HostNanos },
    /// The receiver declined.
    Refused { reason: Refusal, until: HostNanos },
    /// The receiver takes entries.
    Up { heard: HostNanos, close_due: HostNanos, closes: u32 },
    /// Nothing is left to do.
    Finished,
}

impl Link {
    /// Asks for the first time, at once.
    pub(super) fn asking(now: HostNanos) -> Self {
        let eager_until = now.after(HELLO_FIRST_SPAN);
        Self::Asking { cookie: Cookie::default(), due: now, pause: HELLO_FIRST, slowest: HELLO_SLOWEST, eager_until }
    }

    /// Asks a receiver that was there a moment ago.
    pub(super) fn asking_again(now: HostNanos) -> Self {
        let eager_until = now.after(HELLO_LOST_SPAN);
        Self::Asking { cookie: Cookie::default(), due: now, pause: HELLO_LOST, slowest: HELLO_LOST_SLOWEST, eager_until }
    }

    pub(super) fn up(now: HostNanos) -> Self {
        Self::Up { heard: now, close_due: now, closes: 0 }
    }
}

impl Link {
    /// A hello goes out now, if one is due: its cookie.
    pub(super) fn next_hello(&mut self, now: HostNanos) -> Option<Cookie> {
        let Self::Asking { cookie, due, pause, slowest, eager_until } = self else { return None };
        if now < *due {
            return None;
        }
        *due = now.after(*pause);
        if now >= *eager_until {
            *pause = (*pause * 2).min(*slowest);
        }
        Some(*cookie)
    }
}
