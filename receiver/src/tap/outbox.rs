//! What waits to be written to one viewer.

use std::collections::VecDeque;
use std::io::{self, Write};
use std::sync::Arc;

use send_learn_protocol::tap::FrameSealer;

use super::encode;
use super::history::Came;

/// Live frames that may wait for one viewer, in bytes: about 20 s of one stereo stream, or 1 s of 16.
pub(super) const MAX_LIVE: usize = 8 << 20;

/// Frames are written together up to this many bytes: a call of the system for each of them would be most of what a viewer costs.
const BATCH: usize = 64 << 10;

/// Frames for one viewer, whole ones. The history that a new viewer is sent goes first and is not counted: it is shared with
/// the tap and bounded there. Of the live frames, the oldest that may be left out go when there are too many.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    /// What is said at the door, before any frame.
    first: VecDeque<Arc<[u8]>>,
    /// Seals frames, where there is a key.
    sealer: Option<FrameSealer>,
    history: VecDeque<Past>,
    live: VecDeque<Waiting>,
    /// Bytes of the live frames that may be left out.
    live_bytes: usize,
    /// The frames that are being written, and how many bytes of them are.
    batch: Vec<u8>,
    written: usize,
    /// Frames left out so far.
    pub(super) dropped: u64,
}

/// What a viewer is told of what was before it came. Entries are shared until they are written.
#[derive(Debug)]
pub(super) enum Past {
    Frame(Arc<[u8]>),
    Entry(Came),
}

#[derive(Debug)]
struct Waiting {
    frame: Arc<[u8]>,
    /// Whether the viewer can do without it.
    optional: bool,
}

impl Outbox {
    pub(super) fn push_first(&mut self, bytes: Vec<u8>) {
        self.first.extend((!bytes.is_empty()).then(|| bytes.into()));
    }

    /// From now on frames are sealed. To be said before the first of them.
    pub(super) fn seal_with(&mut self, sealer: Option<FrameSealer>) {
        self.sealer = sealer;
    }

    pub(super) fn push_history(&mut self, past: Past) {
        self.history.push_back(past);
    }

    pub(super) fn push(&mut self, frame: Arc<[u8]>, optional: bool) {
        if optional {
            self.live_bytes += frame.len();
        }
        self.live.push_back(Waiting { frame, optional });
        while self.live_bytes > MAX_LIVE {
            let Some(oldest) = self.live.iter().position(|waiting| waiting.optional) else { break };
            if let Some(waiting) = self.live.remove(oldest) {
                self.live_bytes -= waiting.frame.len();
                self.dropped += 1;
            }
        }
    }

    /// Writes as much as `to` takes.
    ///
    /// # Errors
    /// What `to` says; [`io::ErrorKind::WouldBlock`] is none.
    pub(super) fn write_to(&mut self, mut to: impl Write) -> io::Result<()> {
        loop {
            if self.written == self.batch.len() && !self.gather() {
                return Ok(());
            }
            match to.write(&self.batch[self.written..]) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(n) => self.written += n,
                Err(error) => match error.kind() {
                    io::ErrorKind::WouldBlock => return Ok(()),
                    io::ErrorKind::Interrupted => {}
                    _ => return Err(error),
                },
            }
        }
    }

    /// Takes the next frames to be written. `false`: there are none.
    fn gather(&mut self) -> bool {
        self.batch.clear();
        self.written = 0;
        while self.batch.len() < BATCH
            && let Some(frame) = self.next()
        {
            self.batch.extend_from_slice(&frame);
        }
        !self.batch.is_empty()
    }

    fn next(&mut self) -> Option<Arc<[u8]>> {
        if let Some(bytes) = self.first.pop_front() {
            return Some(bytes);
        }
        let frame = self.next_frame()?;
        Some(match &mut self.sealer {
            Some(sealer) => sealer.seal(&frame).into(),
            None => frame,
        })
    }

    fn next_frame(&mut self) -> Option<Arc<[u8]>> {
        if let Some(past) = self.history.pop_front() {
            return Some(match past {
                Past::Frame(frame) => frame,
                Past::Entry(came) => encode(&came.frame()),
            });
        }
        let waiting = self.live.pop_front()?;
        if waiting.optional {
            self.live_bytes -= waiting.frame.len();
        }
        Some(waiting.frame)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(byte: u8, len: usize) -> Arc<[u8]> {
        vec![byte; len].into()
    }

    #[test]
    fn a_viewer_that_reads_nothing_costs_no_more_than_the_limit_and_keeps_what_it_needs() {
        let mut outbox = Outbox::default();
        outbox.push(frame(b'u', 10), false);
        for _ in 0..10_000 {
            outbox.push(frame(b'e', 1_200), true);
        }
        outbox.push(frame(b'd', 10), false);
        assert!(outbox.live_bytes <= MAX_LIVE);
        assert_eq!(outbox.dropped, 10_000 - (MAX_LIVE / 1_200) as u64);
        let mut bytes = Vec::new();
        outbox.write_to(&mut bytes).unwrap();
        assert!(bytes.starts_with(&[b'u'; 10]) && bytes.ends_with(&[b'd'; 10]));
        assert_eq!(outbox.live_bytes, 0);
    }

    /// Takes 7 bytes, then would block.
    struct Slow(Vec<u8>, bool);

    impl Write for Slow {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.1 = !self.1;
            if !self.1 {
                return Err(io::ErrorKind::WouldBlock.into());
            }
            let n = bytes.len().min(7);
            self.0.extend_from_slice(&bytes[..n]);
            Ok(n)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn frames_that_wait_together_are_written_together() {
        struct Calls(usize);
        impl Write for Calls {
            fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
                self.0 += 1;
                Ok(bytes.len())
            }

            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let mut outbox = Outbox::default();
        (0..100).for_each(|_| outbox.push(frame(b'e', 1_200), true));
        let mut calls = Calls(0);
        outbox.write_to(&mut calls).unwrap();
        assert_eq!(calls.0, 2, "120 KB");
    }

    #[test]
    fn frames_stay_whole_and_in_order_however_they_are_taken() {
        let mut outbox = Outbox::default();
        let mut slow = Slow(Vec::new(), false);
        let mut expected = Vec::new();
        outbox.push_history(Past::Frame(frame(1, 20)));
        outbox.push(frame(2, 20), true);
        outbox.push(frame(3, 20), false);
        (1..=3).for_each(|byte| expected.extend([byte; 20]));
        for _ in 0..20 {
            outbox.write_to(&mut slow).unwrap();
        }
        assert_eq!(slow.0, expected);
    }
}
