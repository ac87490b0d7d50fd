//! Previews on their way: what is written while the level is below 1.0, in fewer bytes.

use std::collections::VecDeque;

use crate::quality::Level;
use crate::record::Record;
use crate::record::pack::Packer;
use crate::units::SamplePosition;

/// The most previews that wait to be sent: more than 0.5 s of them. The oldest go, for they are late.
const MAX_WAITING: usize = 128;

/// What a block held.
pub(super) struct Block {
    /// Samples that are not silent.
    pub(super) count: usize,
    /// Whether it is sent as previews.
    pub(super) previewed: bool,
}

/// Makes previews of what is written.
#[derive(Debug)]
pub(super) struct Previews {
    /// The level of the block that is being written, from its first record on.
    level: Option<Level>,
    packer: Packer,
    packer_level: Level,
    next: u64,
    samples: usize,
    waiting: VecDeque<Vec<u8>>,
}

impl Default for Previews {
    fn default() -> Self {
        Self {
            level: None,
            packer: Packer::of_previews(Level::Reduced, 0),
            packer_level: Level::Reduced,
            next: 0,
            samples: 0,
            waiting: VecDeque::new(),
        }
    }
}

impl Previews {
    /// A record is written, which is the block's first or goes the way of the others.
    pub(super) fn push(&mut self, level: Level, record: &Record<'_>) {
        if self.begin(level) {
            self.packer.push(record);
        }
    }

    /// Samples are written.
    pub(super) fn push_audio(&mut self, level: Level, position: SamplePosition, channels: u16, interleaved: &[f32]) {
        self.samples += if interleaved.iter().all(|sample| *sample == 0.0) { 0 } else { interleaved.len() };
        if self.begin(level) {
            self.packer.push_audio(position, channels, interleaved);
        }
    }

    /// The block is whole.
    pub(super) fn flush(&mut self) -> Block {
        let previewed = self.level.take().is_some_and(|level| level != Level::Full);
        if previewed {
            self.packer.flush();
            while let Some(preview) = self.packer.pop() {
                self.next += 1;
                self.waiting.push_back(preview);
            }
            while self.waiting.len() > MAX_WAITING {
                self.waiting.pop_front();
            }
        }
        Block { count: std::mem::take(&mut self.samples), previewed }
    }

    /// The next preview to be sent.
    pub(super) fn pop(&mut self) -> Option<Vec<u8>> {
        self.waiting.pop_front()
    }

    /// Nobody waits for what was not sent.
    pub(super) fn clear(&mut self) {
        self.waiting.clear();
    }

    /// Whether what is written goes out as previews.
    fn begin(&mut self, level: Level) -> bool {
        let level = *self.level.get_or_insert(level);
        if level != Level::Full && level != self.packer_level {
            self.packer = Packer::of_previews(level, self.next);
            self.packer_level = level;
        }
        level != Level::Full
    }
}
