//! A queue between two threads, bounded in bytes.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// A queue of `T` between threads. Data is refused when it would pass the limit in bytes; control messages, which are few,
/// always fit.
#[derive(Debug)]
pub struct Queue<T>(Arc<Shared<T>>);

#[derive(Debug)]
struct Shared<T> {
    inner: Mutex<Inner<T>>,
    ready: Condvar,
    limit: usize,
}

#[derive(Debug)]
struct Inner<T> {
    items: VecDeque<T>,
    bytes: usize,
    nudged: bool,
}

impl<T> Clone for Queue<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T> Queue<T> {
    /// An empty queue that takes at most `limit` bytes of data.
    pub fn new(limit: usize) -> Self {
        let inner = Inner { items: VecDeque::new(), bytes: 0, nudged: false };
        Self(Arc::new(Shared { inner: Mutex::new(inner), ready: Condvar::new(), limit }))
    }

    /// Appends `item`, which stands for `bytes` bytes; false, and nothing appended, when there is no room.
    #[must_use]
    pub fn try_push(&self, item: T, bytes: usize) -> bool {
        let mut inner = self.lock();
        if inner.bytes + bytes > self.0.limit {
            return false;
        }
        inner.bytes += bytes;
        inner.items.push_back(item);
        self.0.ready.notify_one();
        true
    }

    /// Appends a control message, whatever the limit.
    pub fn push(&self, item: T) {
        self.lock().items.push_back(item);
        self.0.ready.notify_one();
    }

    /// Wakes the reader without a message.
    pub fn nudge(&self) {
        self.lock().nudged = true;
        self.0.ready.notify_one();
    }

    /// Takes everything there is; waits at most `timeout` for something to come or a nudge.
    pub fn drain(&self, timeout: Duration) -> VecDeque<T> {
        let waiting = |inner: &mut Inner<T>| inner.items.is_empty() && !inner.nudged;
        let guard = self.lock();
        let (mut inner, _) = self.0.ready.wait_timeout_while(guard, timeout, waiting).unwrap_or_else(PoisonError::into_inner);
        inner.bytes = 0;
        inner.nudged = false;
        std::mem::take(&mut inner.items)
    }

    fn lock(&self) -> MutexGuard<'_, Inner<T>> {
        self.0.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn data_is_refused_when_the_queue_is_full_and_control_is_not() {
        let queue = Queue::new(10);
        assert!(queue.try_push(1, 6));
        assert!(!queue.try_push(2, 5));
        queue.push(3);
        assert!(queue.try_push(4, 4));
        assert_eq!(queue.drain(Duration::ZERO), [1, 3, 4]);
        assert!(queue.try_push(5, 10));
    }

    #[test]
    fn a_nudge_ends_the_wait_with_nothing() {
        let queue: Queue<u8> = Queue::new(1);
        queue.nudge();
        assert!(queue.drain(Duration::from_secs(3_600)).is_empty());
    }
}
