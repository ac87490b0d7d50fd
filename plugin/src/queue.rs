//! What the hand-over between threads is made of. Here, in one place, so that a test can put a model in its place that tries every
//! order of what two threads do (`tests/hand_over.rs`).

pub(crate) use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering, fence};

pub(crate) use rtrb::{Consumer, Producer, RingBuffer};
