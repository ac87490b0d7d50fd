//! The hand-over from the audio thread to the uplink, in every order in which two threads can do what they do, and with every delay with
//! which one can see what the other did: loom tries them all, as far as a processor with a weak memory may go.
//!
//! Under test are `src/ring.rs` and `src/capture/counters.rs` themselves, compiled here over a model of what they are made of.

#![allow(dead_code, unreachable_pub, reason = "the files under test are the plugin's, which uses more of them")]

#[path = "../src/capture/counters.rs"]
mod counters;
#[path = "../src/ring.rs"]
mod ring;

use loom::sync::Arc;
use loom::thread;
use send_learn_protocol::record::EndReason;
use send_learn_protocol::units::{HostNanos, SamplePosition};

use counters::Counters;
use queue::{Ordering, fence};
use ring::{BlockEvent, CaptureEvent, RingReader, RingWriter, ring};

const BLOCKS: u32 = 2;

/// What stands for rtrb and the standard library's atomics: rtrb 0.3's queue with its own orderings, in loom's words.
mod queue {
    #![allow(unsafe_code, reason = "a queue's slots are shared; loom checks each access")]

    pub use loom::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering, fence};

    use loom::cell::UnsafeCell;
    use loom::sync::Arc;
    use loom::sync::atomic::AtomicUsize;

    pub struct RingBuffer<T>(std::marker::PhantomData<T>);

    struct Shared<T> {
        slots: Vec<UnsafeCell<Option<T>>>,
        head: AtomicUsize,
        tail: AtomicUsize,
        /// The two ends that live, as the strong count of rtrb's Arc.
        ends: AtomicUsize,
    }

    // SAFETY: a slot is touched by the producer while it lies outside of head..tail, by the consumer while inside; loom checks that.
    unsafe impl<T: Send> Sync for Shared<T> {}
    // SAFETY: as above.
    unsafe impl<T: Send> Send for Shared<T> {}

    pub struct Producer<T>(Arc<Shared<T>>);
    pub struct Consumer<T>(Arc<Shared<T>>);

    impl<T> std::fmt::Debug for Producer<T> {
        fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            formatter.write_str("Producer")
        }
    }

    impl<T> std::fmt::Debug for Consumer<T> {
        fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            formatter.write_str("Consumer")
        }
    }

    impl<T> RingBuffer<T> {
        #[allow(clippy::new_ret_no_self, reason = "as rtrb has it")]
        pub fn new(capacity: usize) -> (Producer<T>, Consumer<T>) {
            let shared = Arc::new(Shared {
                slots: (0..capacity).map(|_| UnsafeCell::new(None)).collect(),
                head: AtomicUsize::new(0),
                tail: AtomicUsize::new(0),
                ends: AtomicUsize::new(2),
            });
            (Producer(shared.clone()), Consumer(shared))
        }
    }

    impl<T: Copy> Producer<T> {
        pub fn push(&mut self, value: T) -> Result<(), T> {
            self.push_entire_slice(&[value]).map_err(|()| value)
        }

        /// All or nothing, and seen at once.
        pub fn push_entire_slice(&mut self, values: &[T]) -> Result<(), ()> {
            let shared = &self.0;
            let (head, tail) = (shared.head.load(Ordering::Acquire), shared.tail.load(Ordering::Relaxed));
            if shared.slots.len() - (tail - head) < values.len() {
                return Err(());
            }
            for (index, value) in values.iter().enumerate() {
                let slot = &shared.slots[(tail + index) % shared.slots.len()];
                // SAFETY: outside of head..tail.
                slot.with_mut(|slot| unsafe { *slot = Some(*value) });
            }
            shared.tail.store(tail + values.len(), Ordering::Release);
            Ok(())
        }
    }

    impl<T: Copy> Consumer<T> {
        pub fn pop(&mut self) -> Result<T, ()> {
            self.take(1)?.pop().ok_or(())
        }

        /// All or nothing.
        pub fn pop_entire_slice(&mut self, values: &mut [T]) -> Result<(), ()> {
            values.copy_from_slice(&self.take(values.len())?);
            Ok(())
        }

        pub fn is_empty(&self) -> bool {
            self.0.head.load(Ordering::Relaxed) == self.0.tail.load(Ordering::Acquire)
        }

        /// As `Arc::strong_count`, which is relaxed.
        pub fn is_abandoned(&self) -> bool {
            self.0.ends.load(Ordering::Relaxed) < 2
        }

        fn take(&mut self, count: usize) -> Result<Vec<T>, ()> {
            let shared = &self.0;
            let (head, tail) = (shared.head.load(Ordering::Relaxed), shared.tail.load(Ordering::Acquire));
            if tail - head < count {
                return Err(());
            }
            // SAFETY: inside of head..tail.
            let value = |index: usize| shared.slots[index % shared.slots.len()].with(|slot| unsafe { *slot });
            let values: Option<Vec<T>> = (head..head + count).map(value).collect();
            shared.head.store(head + count, Ordering::Release);
            values.ok_or(())
        }
    }

    impl<T> Drop for Producer<T> {
        fn drop(&mut self) {
            // As Arc does.
            self.0.ends.fetch_sub(1, Ordering::Release);
        }
    }

    impl<T> Drop for Consumer<T> {
        fn drop(&mut self) {
            self.0.ends.fetch_sub(1, Ordering::Release);
        }
    }
}

/// What the audio thread does: blocks of two samples, then the end, as in `Capture`.
fn play(mut writer: RingWriter, counters: &Counters) {
    for block in 0..BLOCKS {
        let position = SamplePosition(u64::from(block));
        let event = BlockEvent { position, frames: 1, host: HostNanos(0), playhead: None, lost_events: 0 };
        writer.push_block(&[[block as f32], [-(block as f32)]], event);
        counters.blocks.fetch_add(1, Ordering::Relaxed);
        counters.position.store(position.0 + 1, Ordering::Release);
    }
    counters.end.store(EndReason::Stopped as u8, Ordering::Release);
}

/// What the uplink does, a few times: reads what is there, and asks whether that was all. Gives the blocks that it saw, and whether
/// it took them for all.
fn read(reader: &mut RingReader, is_finished: impl Fn(&RingReader) -> bool) -> (u32, bool) {
    let mut seen = 0;
    // More often than there can be something new.
    for _ in 0..=BLOCKS {
        while let Ok(CaptureEvent::Block(block)) = reader.events.pop() {
            let mut planar = [f32::NAN; 2];
            reader.pop_samples(&mut planar);
            let expected = block.position.0 as f32;
            assert_eq!(planar, [expected, -expected], "samples that do not belong to their block");
            seen += 1;
        }
        if is_finished(reader) {
            return (seen, true);
        }
        thread::yield_now();
    }
    (seen, false)
}

/// Every order of both, with so many blocks between the end's and the uplink's questions.
fn in_every_order(is_finished: fn(&RingReader) -> bool) {
    let mut model = loom::model::Builder::new();
    model.preemption_bound = Some(3);
    model.check(move || {
        let (writer, mut reader) = ring(2 * BLOCKS as usize, BLOCKS as usize);
        let counters = Arc::new(Counters::default());
        let of_audio = counters.clone();
        let audio = thread::spawn(move || play(writer, &of_audio));
        let (seen, finished) = read(&mut reader, is_finished);
        if finished {
            assert_eq!(seen, BLOCKS, "the take was ended before its last block");
            assert_eq!(counters.end_reason(), EndReason::Stopped);
            assert_eq!((counters.position().0, counters.blocks()), (u64::from(BLOCKS), u64::from(BLOCKS)));
        }
        audio.join().unwrap();
    });
}

#[test]
fn every_block_is_read_with_its_samples_before_the_take_is_ended() {
    in_every_order(RingReader::is_finished);
}

#[test]
#[should_panic(expected = "the take was ended before its last block")]
fn without_the_fence_a_take_could_lose_its_end() {
    in_every_order(|reader| reader.events.is_abandoned() && reader.events.is_empty());
}

#[test]
#[should_panic(expected = "the take was ended before its last block")]
fn asked_the_other_way_round_a_take_could_lose_its_end() {
    in_every_order(|reader| {
        reader.events.is_empty() && reader.events.is_abandoned() && {
            fence(Ordering::Acquire);
            true
        }
    });
}
