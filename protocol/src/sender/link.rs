//! The states of a sender's connection, and the pace of what is sent again.

use std::collections::VecDeque;
use std::time::Duration;

use crate::packet::hello::{Cookie, Refusal};
use crate::units::HostNanos;

/// Where the connection stands.
#[derive(Debug)]
pub(super) enum Link {
    /// Hellos go out.
    Asking { cookie: Cookie, due: HostNanos, pause: Duration },
    /// The receiver declined.
    Refused { reason: Refusal, until: HostNanos },
    /// The receiver takes entries.
    Up { heard: HostNanos, close_due: HostNanos, closes: u32 },
    /// Nothing is left to do.
    Finished,
}

impl Link {
    /// Asks at once, with `pause` until the second time.
    pub(super) fn asking(now: HostNanos, pause: Duration) -> Self {
        Self::Asking { cookie: Cookie::default(), due: now, pause }
    }

    pub(super) fn up(now: HostNanos) -> Self {
        Self::Up { heard: now, close_due: now, closes: 0 }
    }
}

/// At most this many repeats within one [`RepeatWindow::span`]: they fit into the smallest default socket buffer.
const WINDOW: usize = 64;

/// The shortest span: 64 repeats in 5 ms are 15 MB/s.
const SHORTEST: Duration = Duration::from_millis(5);

/// Paces repeats and back-fill: a window per round trip, so that neither overruns a buffer nor delays live datagrams.
#[derive(Debug, Default)]
pub(super) struct RepeatWindow {
    sent: VecDeque<HostNanos>,
}

impl RepeatWindow {
    /// Whether one more may go now.
    pub(super) fn has_room(&mut self, now: HostNanos, round_trip: Duration) -> bool {
        let span = Self::span(round_trip);
        while self.sent.front().is_some_and(|sent| now.since(*sent) >= span) {
            self.sent.pop_front();
        }
        self.sent.len() < WINDOW
    }

    /// One goes now.
    pub(super) fn add(&mut self, now: HostNanos) {
        self.sent.push_back(now);
    }

    /// When there is room again.
    pub(super) fn next(&self, round_trip: Duration) -> HostNanos {
        let first = self.sent.front().copied().unwrap_or_default();
        if self.sent.len() < WINDOW { HostNanos(0) } else { first.after(Self::span(round_trip)) }
    }

    /// How long an entry that was sent is given to arrive and be acknowledged before it is sent again.
    pub(super) fn patience(&self, round_trip: Duration) -> Duration {
        round_trip * 5 / 4 + Duration::from_millis(20)
    }

    fn span(round_trip: Duration) -> Duration {
        round_trip.max(SHORTEST)
    }
}
