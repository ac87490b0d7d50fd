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
    Asking {
        cookie: Cookie,
        /// When the cookie came.
        baked: HostNanos,
        due: HostNanos,
        pause: Duration,
        slowest: Duration,
        eager_until: HostNanos,
        /// What somebody said who may not be the receiver, and when.
        told: Option<(Refusal, HostNanos)>,
    },
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
        Self::ask(now, HELLO_FIRST, HELLO_SLOWEST, now.after(HELLO_FIRST_SPAN))
    }

    /// Asks a receiver that was there a moment ago.
    pub(super) fn asking_again(now: HostNanos) -> Self {
        Self::ask(now, HELLO_LOST, HELLO_LOST_SLOWEST, now.after(HELLO_LOST_SPAN))
    }

    fn ask(now: HostNanos, pause: Duration, slowest: Duration, eager_until: HostNanos) -> Self {
        Self::Asking { cookie: Cookie::default(), baked: now, due: now, pause, slowest, eager_until, told: None }
    }

    pub(super) fn up(now: HostNanos) -> Self {
        Self::Up { heard: now, close_due: now, closes: 0 }
    }
}

impl Link {
    /// A hello goes out now, if one is due: its cookie.
    pub(super) fn next_hello(&mut self, now: HostNanos) -> Option<Cookie> {
        let Self::Asking { cookie, due, pause, slowest, eager_until, .. } = self else { return None };
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
