//! An alarm that ends a wait for datagrams at a moment finer than the poll's milliseconds: one wake-up instead of two.

#[cfg(target_os = "linux")]
pub(super) use linux::Alarm;
#[cfg(not(target_os = "linux"))]
pub(super) use other::Alarm;

#[cfg(target_os = "linux")]
mod linux {
    use std::io;
    use std::os::fd::{AsRawFd, OwnedFd};
    use std::time::Duration;

    use mio::unix::SourceFd;
    use mio::{Events, Interest, Poll, Token};
    use rustix::time::{Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create, timerfd_settime};

    /// A timer of the system, among the poll's sources.
    #[derive(Debug)]
    pub(in crate::socket) struct Alarm(OwnedFd);

    impl Alarm {
        /// An alarm that shows as `token`.
        pub(in crate::socket) fn new(poll: &Poll, token: Token) -> io::Result<Self> {
            let timer = timerfd_create(TimerfdClockId::Monotonic, TimerfdFlags::CLOEXEC | TimerfdFlags::NONBLOCK)?;
            poll.registry().register(&mut SourceFd(&timer.as_raw_fd()), token, Interest::READABLE)?;
            Ok(Self(timer))
        }

        /// Sleeps until something happens, or `timeout` has passed.
        pub(in crate::socket) fn wait(&self, poll: &mut Poll, events: &mut Events, timeout: Duration) {
            let set = !timeout.is_zero() && self.set(timeout).is_ok();
            // It need not be read: events are told once (mio), and setting it anew takes back the last.
            let _ = poll.poll(events, if set { None } else { Some(timeout) });
        }

        fn set(&self, timeout: Duration) -> io::Result<()> {
            let it_value = Timespec { tv_sec: timeout.as_secs() as i64, tv_nsec: timeout.subsec_nanos().into() };
            let once = Itimerspec { it_interval: Timespec { tv_sec: 0, tv_nsec: 0 }, it_value };
            timerfd_settime(&self.0, TimerfdTimerFlags::empty(), &once)?;
            Ok(())
        }
    }
}

#[cfg(not(target_os = "linux"))]
mod other {
    use std::io;
    use std::time::Duration;

    use mio::{Events, Poll, Token};

    /// Where the system has no such timer, what is left of the last millisecond is slept without listening.
    #[derive(Debug)]
    pub(in crate::socket) struct Alarm;

    impl Alarm {
        /// Nothing shows as `token`.
        #[expect(clippy::unnecessary_wraps, reason = "as on Linux")]
        pub(in crate::socket) fn new(_: &Poll, _: Token) -> io::Result<Self> {
            Ok(Self)
        }

        /// Sleeps until something happens, or `timeout` has passed.
        pub(in crate::socket) fn wait(&self, poll: &mut Poll, events: &mut Events, timeout: Duration) {
            let whole = Duration::from_millis(timeout.as_millis() as u64);
            let _ = poll.poll(events, Some(whole));
            if events.is_empty() && timeout > whole {
                std::thread::sleep(timeout - whole);
            }
        }
    }
}
