//! How an audio thread that runs is given the capture of another take, without waiting for anyone.

use std::sync::atomic::{AtomicBool, Ordering};

use crossbeam_utils::atomic::AtomicCell;
use rtrb::{Consumer, Producer, RingBuffer};

use super::Capture;

/// Captures that await their end. The uplink looks every few milliseconds, and nobody changes takes faster.
const SPENT: usize = 8;

/// Where the next capture waits for the audio thread. Of several, only the newest counts.
#[derive(Default)]
pub struct Succession {
    waits: AtomicBool,
    next: AtomicCell<Option<Box<Capture>>>,
}

const _: () = assert!(AtomicCell::<Option<Box<Capture>>>::is_lock_free());

impl Succession {
    /// Leaves a capture for the audio thread. One that it has not fetched yet is ended: nothing is in it.
    pub fn offer(&self, capture: Box<Capture>) {
        self.next.store(Some(capture));
        self.waits.store(true, Ordering::Release);
    }

    /// Takes back what the audio thread has not fetched.
    pub fn withdraw(&self) {
        self.waits.store(false, Ordering::Release);
        self.next.store(None);
    }
}

/// The captures of an activation, one after another: the audio thread's side.
#[derive(Debug)]
pub struct Captures {
    current: Box<Capture>,
    spent: Producer<Box<Capture>>,
}

/// The captures of an activation that are over. Whoever drops them ends their takes.
#[derive(Debug)]
pub struct SpentCaptures(Consumer<Box<Capture>>);

impl Captures {
    /// An activation begins with `first`.
    pub fn new(first: Capture) -> (Self, SpentCaptures) {
        let (spent, ended) = RingBuffer::new(SPENT);
        (Self { current: Box::new(first), spent }, SpentCaptures(ended))
    }

    /// Between two blocks: goes on with what waits in `succession`, if something does. Frees nothing here.
    pub fn follow(&mut self, succession: &Succession) -> bool {
        if !succession.waits.load(Ordering::Acquire) || self.spent.slots() == 0 {
            return false;
        }
        succession.waits.store(false, Ordering::Relaxed);
        let Some(next) = succession.next.take() else { return false };
        let before = std::mem::replace(&mut self.current, next);
        before.counters.end.store(super::EndReason::Stopped as u8, Ordering::Release);
        // Cannot fail: there is a slot.
        let _ = self.spent.push(before);
        true
    }

    /// The capture of the take that runs.
    pub fn current(&mut self) -> &mut Capture {
        &mut self.current
    }

    /// Ends the take that runs.
    pub fn finish(self, reason: super::EndReason) {
        (*self.current).finish(reason);
    }
}

impl SpentCaptures {
    /// Ends the takes of the captures that are over.
    pub fn end(&mut self) {
        while self.0.pop().is_ok() {}
    }
}

#[cfg(test)]
mod tests {
    use send_learn_protocol::record::EndReason;
    use send_learn_protocol::units::HostNanos;

    use super::*;
    use crate::capture::{CaptureConfig, Captured, Wanted, capture};
    use crate::transport::Observed;

    fn block(captures: &mut Captures) {
        captures.current().begin(64, HostNanos(1), &Observed::default(), Wanted::Captured);
        captures.current().end::<&[f32]>(&[]);
    }

    fn new() -> (Capture, Captured) {
        capture(CaptureConfig { sample_rate: 1_000.0, channels: 0, max_block: 64, patient: false })
    }

    #[test]
    fn only_the_newest_capture_is_gone_on_with_and_the_one_before_ends() {
        let ((first, a), (second, b), (third, c)) = (new(), new(), new());
        let (mut captures, mut spent) = Captures::new(first);
        let succession = Succession::default();
        block(&mut captures);
        assert!(!captures.follow(&succession));
        succession.offer(Box::new(second));
        succession.offer(Box::new(third));
        assert!(b.ring.is_finished(), "nobody fetched it");
        assert!(captures.follow(&succession) && !captures.follow(&succession));
        block(&mut captures);
        block(&mut captures);
        assert_eq!((a.counters.position().0, c.counters.position().0), (64, 128));
        assert!(!a.ring.events.is_abandoned());
        spent.end();
        assert!(a.ring.events.is_abandoned() && !c.ring.events.is_abandoned());
        assert_eq!(a.counters.end_reason(), EndReason::Stopped);
    }

    #[test]
    fn what_is_withdrawn_is_not_fetched() {
        let ((first, _a), (second, b)) = (new(), new());
        let (mut captures, _spent) = Captures::new(first);
        let succession = Succession::default();
        succession.offer(Box::new(second));
        succession.withdraw();
        assert!(!captures.follow(&succession) && b.ring.is_finished());
    }
}
