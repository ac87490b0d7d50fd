//! The queue between a source's thread and the picture: bounded in bytes, and the latest wins.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::Event;

/// The most bytes of events that wait for the picture. About ten seconds of 16 stereo streams at 48 kHz.
pub const MAX_WAITING: usize = 64 << 20;

/// A queue that never makes its writer wait. When it is full, the oldest audio, MIDI, transport or health event is left out
/// and counted; what tells of streams and connections always stays.
#[derive(Clone, Debug)]
pub struct Mailbox {
    queue: Arc<Mutex<Queue>>,
    limit: usize,
}

#[derive(Debug, Default)]
struct Queue {
    events: VecDeque<Event>,
    bytes: usize,
    dropped: u64,
    closed: bool,
}

impl Default for Mailbox {
    fn default() -> Self {
        Self::with_limit(MAX_WAITING)
    }
}

impl Mailbox {
    /// An empty mailbox for at most `limit` bytes of events.
    pub fn with_limit(limit: usize) -> Self {
        Self { queue: Arc::default(), limit }
    }

    /// Appends an event. `false`: the reader is gone, and the source may end.
    pub fn push(&self, event: Event) -> bool {
        let mut queue = self.lock();
        queue.bytes += event.cost();
        queue.events.push_back(event);
        while queue.bytes > self.limit
            && let Some(oldest) = queue.events.iter().position(Event::is_replaceable)
            && let Some(event) = queue.events.remove(oldest)
        {
            queue.bytes -= event.cost();
            queue.dropped += 1;
        }
        !queue.closed
    }

    /// Takes all events that wait, oldest first.
    pub fn take(&self) -> VecDeque<Event> {
        let mut queue = self.lock();
        queue.bytes = 0;
        std::mem::take(&mut queue.events)
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.lock().events.is_empty()
    }

    /// Whether there is room for as much again as an event is at most: for a source that can wait.
    pub fn has_room(&self) -> bool {
        self.lock().bytes < self.limit / 2
    }

    /// How many events were left out since the start.
    pub fn dropped(&self) -> u64 {
        self.lock().dropped
    }

    /// Tells the source that nobody reads any more.
    pub fn close(&self) {
        self.lock().closed = true;
    }

    /// Whether [`close`](Self::close) was called.
    pub fn is_closed(&self) -> bool {
        self.lock().closed
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        // The queue is whole after every statement, so a panic elsewhere leaves nothing half done.
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use send_learn_protocol::tap::Arrival;
    use send_learn_protocol::units::SamplePosition;

    use super::super::{Delivery, Link, StreamKey};
    use super::*;

    const KEY: StreamKey = StreamKey { receiver: 1, connection: 1, take: 1 };
    thread_local!(static START: Instant = Instant::now());

    fn audio(position: u64) -> Event {
        let delivery = Delivery { arrival: Arrival::Live, tap: None, read: START.with(|start| *start) };
        Event::Audio { key: KEY, position: SamplePosition(position), channels: 1, samples: vec![0.0; 1_000], delivery }
    }

    #[test]
    fn the_latest_audio_stays_and_the_rest_is_counted() {
        let mailbox = Mailbox::with_limit(10_000);
        mailbox.push(Event::Link { receiver: 1, link: Link::Connected });
        (0..10).for_each(|position| assert!(mailbox.push(audio(position))));
        let events = mailbox.take();
        assert!(events.len() >= 2);
        assert_eq!(events[0], Event::Link { receiver: 1, link: Link::Connected });
        assert_eq!(events.back(), Some(&audio(9)));
        assert_eq!(mailbox.dropped(), 11 - events.len() as u64);
        assert!(mailbox.take().is_empty());
    }

    #[test]
    fn a_closed_mailbox_tells_its_writer() {
        let mailbox = Mailbox::default();
        mailbox.close();
        assert!(!mailbox.push(audio(0)));
        assert!(mailbox.is_closed());
    }
}
