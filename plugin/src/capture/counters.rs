//! What the audio thread tells everyone about a take, without waiting for anyone.

use send_learn_protocol::record::EndReason;
use send_learn_protocol::units::{HostNanos, SamplePosition};

use crate::queue::{AtomicBool, AtomicU8, AtomicU64, Ordering};

/// Counters that the audio thread writes and others read.
#[derive(Debug, Default)]
pub struct Counters {
    pub(super) position: AtomicU64,
    pub(super) blocks: AtomicU64,
    pub(super) midi: AtomicU64,
    pub(super) dropped_blocks: AtomicU64,
    pub(super) dropped_events: AtomicU64,
    pub(super) paused: AtomicBool,
    pub(super) end: AtomicU8,
    pub(super) started: AtomicU64,
}

impl Counters {
    /// The take's sample counter: frames that the host has played, captured or not.
    pub fn position(&self) -> SamplePosition {
        SamplePosition(self.position.load(Ordering::Acquire))
    }

    /// When the host handed over the take's first block, captured or not; 0 before.
    pub fn started(&self) -> HostNanos {
        HostNanos(self.started.load(Ordering::Acquire))
    }

    /// Blocks captured.
    pub fn blocks(&self) -> u64 {
        self.blocks.load(Ordering::Relaxed)
    }

    /// MIDI events captured.
    pub fn midi(&self) -> u64 {
        self.midi.load(Ordering::Relaxed)
    }

    /// Blocks dropped because the ring was full.
    pub fn dropped_blocks(&self) -> u64 {
        self.dropped_blocks.load(Ordering::Relaxed)
    }

    /// Events dropped because the ring was full.
    pub fn dropped_events(&self) -> u64 {
        self.dropped_events.load(Ordering::Relaxed)
    }

    /// Whether the host plays, but nothing is captured: bypassed, or capture switched off.
    pub fn paused(&self) -> bool {
        self.paused.load(Ordering::Relaxed)
    }

    /// Why the take ended; meaningful once the [`Capture`](super::Capture) is gone.
    pub fn end_reason(&self) -> EndReason {
        match self.end.load(Ordering::Acquire) {
            2 => EndReason::EndOfFile,
            3 => EndReason::Stopped,
            _ => EndReason::Deactivated,
        }
    }
}

/// One more. Only the audio thread writes, so this needs no locked addition, which would wait until the block's samples have left the
/// processor's store buffer.
pub(super) fn count(counter: &AtomicU64) {
    counter.store(counter.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
}
