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
    /// How often everything was taken.
    drains: u64,
    /// A control message or a nudge has come: it ends every wait.
    nudged: bool,
    /// The reader waits, for so many bytes of data at least. While it does not, nobody wakes it: that would be a call of the
    /// system for each item.
    wanted: Option<usize>,
}

/// What one source of data has in a queue: no source can take all of it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Share {
    drains: u64,
    bytes: usize,
}

impl<T> Clone for Queue<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T> Queue<T> {
    /// An empty queue that takes at most `limit` bytes of data.
    pub fn new(limit: usize) -> Self {
        let inner = Inner { items: VecDeque::new(), bytes: 0, drains: 0, nudged: false, wanted: None };
        Self(Arc::new(Shared { inner: Mutex::new(inner), ready: Condvar::new(), limit }))
    }

    /// Appends `item`, which stands for `bytes` bytes; false, and nothing appended, when there is no room, or when the source to
    /// which `share` belongs would have more than a quarter of it.
    #[must_use]
    pub fn try_push(&self, item: T, bytes: usize, share: &mut Share) -> bool {
        let mut inner = self.lock();
        if share.drains != inner.drains {
            *share = Share { drains: inner.drains, bytes: 0 };
        }
        if inner.bytes + bytes > self.0.limit || share.bytes + bytes > self.0.limit / 4 {
            return false;
        }
        inner.bytes += bytes;
        share.bytes += bytes;
        inner.items.push_back(item);
        if inner.wanted.is_some_and(|wanted| inner.bytes >= wanted) {
            self.wake(&mut inner);
        }
        true
    }

    /// Appends a control message, whatever the limit.
    pub fn push(&self, item: T) {
        let mut inner = self.lock();
        inner.items.push_back(item);
        inner.nudged = true;
        self.wake(&mut inner);
    }

    /// Wakes the reader without a message.
    pub fn nudge(&self) {
        let mut inner = self.lock();
        inner.nudged = true;
        self.wake(&mut inner);
    }

    /// Takes everything there is; waits at most `timeout` for something to come or a nudge.
    pub fn drain(&self, timeout: Duration) -> VecDeque<T> {
        self.take(timeout, 1)
    }

    /// Takes everything there is; waits for `timeout`, but only until a control message or a nudge comes or data fill an eighth of
    /// the limit. One wake-up for many items, where none of them is in a hurry.
    pub fn gather(&self, timeout: Duration) -> VecDeque<T> {
        self.take(timeout, self.0.limit / 8)
    }

    fn take(&self, timeout: Duration, wanted: usize) -> VecDeque<T> {
        let waiting = |inner: &mut Inner<T>| {
            let waiting = inner.bytes < wanted && !inner.nudged;
            inner.wanted = waiting.then_some(wanted);
            waiting
        };
        let guard = self.lock();
        let (mut inner, _) = self.0.ready.wait_timeout_while(guard, timeout, waiting).unwrap_or_else(PoisonError::into_inner);
        inner.wanted = None;
        inner.bytes = 0;
        inner.drains += 1;
        inner.nudged = false;
        std::mem::take(&mut inner.items)
    }

    fn wake(&self, inner: &mut Inner<T>) {
        if inner.wanted.take().is_some() {
            self.0.ready.notify_one();
        }
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
        let queue = Queue::new(12);
        let mut shares = [Share::default(); 5];
        assert!(shares[..3].iter_mut().all(|share| queue.try_push(1, 3, share)));
        assert!(queue.try_push(2, 2, &mut shares[3]));
        assert!(!queue.try_push(3, 2, &mut shares[4]));
        queue.push(4);
        assert!(queue.try_push(5, 1, &mut shares[4]));
        assert_eq!(queue.drain(Duration::ZERO), [1, 1, 1, 2, 4, 5]);
        assert!(queue.try_push(6, 3, &mut shares[0]));
    }

    #[test]
    fn no_source_takes_the_room_of_others() {
        let queue = Queue::new(400);
        let (mut loud, mut quiet) = (Share::default(), Share::default());
        let taken = (0..1_000).filter(|_| queue.try_push(1, 10, &mut loud)).count();
        assert_eq!(taken, 10);
        assert!(queue.try_push(2, 100, &mut quiet));
        assert_eq!(queue.drain(Duration::ZERO).len(), 11);
        assert!(queue.try_push(1, 100, &mut loud), "with the queue empty, it has its share again");
    }

    #[test]
    fn who_gathers_is_woken_by_much_data_or_a_control_message_and_not_by_little() {
        let queue = Queue::new(80);
        let long = Duration::from_secs(3_600);
        let mut share = Share::default();
        assert!(queue.try_push(1, 9, &mut share));
        let start = std::time::Instant::now();
        assert_eq!(queue.gather(Duration::from_millis(20)), [1]);
        assert!(start.elapsed() >= Duration::from_millis(20), "nothing hurried");
        let woken_by = |push: fn(&Queue<u8>)| {
            std::thread::scope(|threads| {
                let reader = threads.spawn(|| queue.gather(long));
                while queue.lock().wanted.is_none() {
                    std::thread::yield_now();
                }
                push(&queue);
                reader.join().unwrap()
            })
        };
        let little_then_much = |queue: &Queue<u8>| {
            let mut share = Share::default();
            assert!(queue.try_push(2, 5, &mut share));
            assert!(queue.lock().wanted.is_some(), "little wakes nobody");
            assert!(queue.try_push(3, 5, &mut share));
        };
        assert_eq!(woken_by(little_then_much), [2, 3]);
        assert_eq!(woken_by(|queue| queue.push(4)), [4]);
    }

    #[test]
    fn a_nudge_ends_the_wait_with_nothing() {
        let queue: Queue<u8> = Queue::new(1);
        queue.nudge();
        assert!(queue.drain(Duration::from_secs(3_600)).is_empty());
    }
}
