//! What retention knows of a spool: a place for entries outside of memory, which the program provides. Retention says what is to
//! be written, read and forgotten, and is told what came of it; it does no I/O itself.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use super::Kept;
use crate::packet::close::GoneReason;
use crate::packet::feedback::SourceRange;
use crate::units::{HostNanos, SourceNumber};

/// What is not durable after this long goes to the spool: the receiver is away, or slow. A receiver syncs every second, so that
/// in good times nothing is written.
pub const BEHIND: Duration = Duration::from_secs(2);

/// A part of a batch waits for this long for more to come.
const BATCH_AGE: Duration = Duration::from_millis(100);

/// Bytes that are handed over at once.
const BATCH: usize = 256 << 10;

/// Bytes that were handed over and are not written yet, at most.
const IN_FLIGHT: usize = 1 << 20;

/// A spool that could not be written is tried again after this.
const PAUSE: Duration = Duration::from_secs(5);

/// Entries that are asked for at once, such requests under way, and entries that are held in memory or under way from the spool, at most.
const READ: u64 = 512;
const READS: usize = 64;
const RECALLED: usize = 4_096;

/// What a spool is to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SpoolRequest {
    /// Write these entries, numbers ascending. Answered with [`SpoolAnswer::Written`] or [`SpoolAnswer::Failed`].
    Write(Vec<(SourceNumber, Arc<[u8]>)>),
    /// Read these entries. Answered with [`SpoolAnswer::Read`].
    Read(SourceRange),
    /// Entries below this are not needed any more.
    Release(SourceNumber),
}

/// What came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SpoolAnswer {
    /// The entries of the oldest write without an answer are where a killed program does not take them along.
    Written,
    /// They could not be written, nor were those handed over after them.
    Failed,
    /// Entries below this were dropped for want of room.
    Dropped(SourceNumber),
    /// What was asked for, as far as it is there and whole.
    Read {
        /// What was asked for.
        range: SourceRange,
        /// What was found.
        entries: Vec<(SourceNumber, Arc<[u8]>)>,
    },
}

/// Where the log stands in the spool.
#[derive(Debug)]
pub(super) struct Spooled {
    /// Entries below this were dropped from the spool, or never were in it.
    pub(super) first: u64,
    /// Entries below this are in the spool, or lost, or durable ...
    pub(super) written: u64,
    /// ... and those below this are handed over.
    pub(super) handed: u64,
    /// End and bytes of each write without an answer.
    writes: VecDeque<(u64, usize)>,
    /// What was last told to be durable.
    told: u64,
    engaged: bool,
    /// Everything goes to the spool, however young.
    pub(super) all: bool,
    due: HostNanos,
    wanted: VecDeque<SourceRange>,
    /// What is wanted or being read.
    awaited: Vec<SourceRange>,
    recalled: BTreeMap<u64, Kept>,
    /// Why an entry that should be there is not.
    pub(super) reason: GoneReason,
}

impl Spooled {
    /// A spool that holds the entries from `first` to before `end`.
    pub(super) fn new(first: u64, end: u64, reason: GoneReason) -> Self {
        Self {
            first,
            written: end,
            handed: end,
            writes: VecDeque::new(),
            told: 0,
            engaged: end > first,
            all: false,
            due: HostNanos(0),
            wanted: VecDeque::new(),
            awaited: Vec::new(),
            recalled: BTreeMap::new(),
            reason,
        }
    }

    /// What is durable and was not told yet.
    pub(super) fn release(&mut self, durable: u64) -> Option<SpoolRequest> {
        // Nothing is in it: nothing is to be forgotten.
        if durable <= self.told || self.handed == 0 {
            return None;
        }
        self.told = durable;
        Some(SpoolRequest::Release(SourceNumber(durable)))
    }

    /// The next that is to be read.
    pub(super) fn read(&mut self) -> Option<SpoolRequest> {
        self.wanted.pop_front().map(SpoolRequest::Read)
    }

    /// Whether entries are to be handed over now, the oldest of memory being `oldest` old, half of it being full or not.
    pub(super) fn is_due(&mut self, now: HostNanos, durable: u64, oldest: Duration, half_full: bool) -> bool {
        self.engaged = self.all || oldest >= BEHIND || half_full || self.written > durable;
        let in_flight: usize = self.writes.iter().map(|(_, bytes)| bytes).sum();
        self.engaged && in_flight + BATCH <= IN_FLIGHT && (now >= self.due || self.all)
    }

    /// Hands over what `entries` holds, which begins with entry `first`.
    pub(super) fn write<'a>(
        &mut self,
        now: HostNanos,
        first: u64,
        entries: impl Iterator<Item = &'a Kept>,
    ) -> Option<SpoolRequest> {
        let (mut batch, mut bytes) = (Vec::new(), 0);
        for (number, kept) in (first..).zip(entries) {
            batch.push((SourceNumber(number), kept.entry.clone()));
            bytes += kept.entry.len();
            if bytes >= BATCH {
                break;
            }
        }
        // A full batch may be followed by the next one at once.
        self.due = if bytes >= BATCH { now } else { now.after(BATCH_AGE) };
        let end = first + batch.len() as u64;
        if batch.is_empty() {
            return None;
        }
        self.handed = end;
        self.writes.push_back((end, bytes));
        Some(SpoolRequest::Write(batch))
    }

    /// The oldest write is done.
    pub(super) fn on_written(&mut self) {
        if let Some((end, _)) = self.writes.pop_front() {
            self.written = if self.writes.is_empty() { self.handed } else { end };
        }
    }

    /// The writes came to nothing. Gives the range that was handed over and is not in the spool.
    pub(super) fn on_failed(&mut self, now: HostNanos, memory: u64) -> (u64, u64) {
        let lost = (self.written, memory);
        self.writes.clear();
        self.written = self.written.max(memory);
        self.handed = self.written;
        self.due = now.after(PAUSE);
        self.all = false;
        lost
    }

    /// The entry, if it was read.
    pub(super) fn recalled(&mut self, number: u64) -> Option<&mut Kept> {
        self.recalled.get_mut(&number)
    }

    /// The first entry from `first` to before `end` that was read; `end` if there is none.
    pub(super) fn first_recalled(&self, first: u64, end: u64) -> u64 {
        self.recalled.range(first..end).next().map_or(end, |(number, _)| *number)
    }

    /// Notes that the entries from `first` to before `end` are to be read, as far as there is room: the rest is asked for again.
    pub(super) fn want(&mut self, first: u64, end: u64) {
        let mut at = first;
        while at < end && self.awaited.len() < READS {
            if let Some(known) = self.awaited.iter().find(|range| (range.first.0..range.end().0).contains(&at)) {
                at = known.end().0;
                continue;
            }
            let next = self.awaited.iter().map(|range| range.first.0).filter(|next| *next > at).min().unwrap_or(end);
            let count = (end.min(next) - at).min(READ);
            if !self.make_room(count as usize) {
                return;
            }
            let range = SourceRange { first: SourceNumber(at), count };
            self.awaited.push(range);
            self.wanted.push_back(range);
            at += count;
        }
    }

    /// Makes room for so many entries: those that were sent go, the oldest first.
    fn make_room(&mut self, count: usize) -> bool {
        let awaited: u64 = self.awaited.iter().map(|range| range.count).sum();
        while self.recalled.len() + awaited as usize + count > RECALLED {
            let Some(oldest) = self.recalled.first_entry().filter(|kept| kept.get().sent.is_some()) else { return false };
            oldest.remove();
        }
        true
    }

    /// Entries came from the spool.
    pub(super) fn on_read(&mut self, range: SourceRange, entries: Vec<(SourceNumber, Arc<[u8]>)>) {
        self.awaited.retain(|awaited| *awaited != range);
        for (number, entry) in entries {
            self.recalled.insert(number.0, Kept { entry, written: HostNanos(0), sent: None });
        }
    }

    /// Forgets what is durable.
    pub(super) fn forget(&mut self, durable: u64) {
        if self.recalled.first_key_value().is_some_and(|(number, _)| *number < durable) {
            self.recalled = self.recalled.split_off(&durable);
        }
    }

    pub(super) fn mark_all_unsent(&mut self) {
        self.recalled.values_mut().for_each(|kept| kept.sent = None);
    }
}
