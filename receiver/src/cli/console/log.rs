//! Log lines while the console has the terminal: they wait until it draws them above itself.

use std::collections::VecDeque;
use std::io::{self, Write};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tracing_subscriber::fmt::MakeWriter;

/// Lines that wait at most; when more come before they are drawn, the oldest go, and are counted.
const LINES: usize = 1_000;

/// Where the log goes: to stderr, or to whoever holds the terminal. Clones are the same log.
#[derive(Clone, Debug, Default)]
pub(in crate::cli) struct Log(Arc<Mutex<Waiting>>);

#[derive(Debug, Default)]
struct Waiting {
    held: bool,
    lines: VecDeque<String>,
    dropped: u64,
}

impl Log {
    /// From now on lines wait for [`take`](Self::take).
    pub(super) fn hold(&self) {
        self.lock().held = true;
    }

    /// Lines that wait go to stderr, and so do those that come.
    pub(super) fn release(&self) {
        for line in self.take() {
            eprintln!("{line}");
        }
        self.lock().held = false;
    }

    /// The lines that wait.
    pub(super) fn take(&self) -> Vec<String> {
        let mut waiting = self.lock();
        let dropped = std::mem::take(&mut waiting.dropped);
        let lost = (dropped > 0).then(|| format!("({dropped} lines of the log came too fast to show)"));
        lost.into_iter().chain(waiting.lines.drain(..)).collect()
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Write for Log {
    /// Takes one event: the subscriber writes each with a single call.
    fn write(&mut self, event: &[u8]) -> io::Result<usize> {
        let mut waiting = self.lock();
        if !waiting.held {
            drop(waiting);
            return io::stderr().write_all(event).map(|()| event.len());
        }
        for line in String::from_utf8_lossy(event).lines() {
            if waiting.lines.len() == LINES {
                waiting.lines.pop_front();
                waiting.dropped += 1;
            }
            waiting.lines.push_back(line.to_owned());
        }
        Ok(event.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Log {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_wait_while_the_log_is_held_and_do_not_pile_up() {
        let log = Log::default();
        log.hold();
        for number in 0..LINES + 5 {
            log.clone().write_all(format!("line {number}\n").as_bytes()).unwrap();
        }
        let lines = log.take();
        assert_eq!(lines.len(), LINES + 1);
        assert_eq!((lines[0].as_str(), lines[1].as_str()), ("(5 lines of the log came too fast to show)", "line 5"));
        assert!(log.take().is_empty());
    }
}
