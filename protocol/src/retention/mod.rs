//! What the sender keeps: every entry of the log until the receiver says that it is durable. The youngest are in memory, within a
//! limit in bytes; older ones in a [spool](SpoolRequest), where the program provides one.

mod lost;
mod spool;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use crate::packet::close::GoneReason;
use crate::packet::feedback::SourceRange;
use crate::units::{HostNanos, SourceNumber};
use lost::Lost;
use spool::Spooled;
pub use spool::{BEHIND, SpoolAnswer, SpoolRequest};

/// An entry of the log and when it was sent.
#[derive(Clone, Debug)]
pub struct Kept {
    /// The entry's bytes.
    pub entry: Arc<[u8]>,
    /// When it was written.
    pub written: HostNanos,
    /// When it was last sent in this session; `None` if it was not.
    pub sent: Option<HostNanos>,
}

/// Bookkeeping bytes that each entry costs besides its own.
const OVERHEAD: usize = size_of::<Kept>() + 16;

/// The log's tail that is not durable yet.
#[derive(Debug)]
pub struct Retention {
    limit: usize,
    /// The first entry in memory.
    first: SourceNumber,
    durable: SourceNumber,
    entries: VecDeque<Kept>,
    bytes: usize,
    lost: Lost,
    spool: Option<Spooled>,
}

impl Retention {
    /// An empty log that keeps at most `limit` bytes in memory.
    pub fn new(limit: usize) -> Self {
        let (first, durable) = (SourceNumber(0), SourceNumber(0));
        Self { limit, first, durable, entries: VecDeque::new(), bytes: 0, lost: Lost::default(), spool: None }
    }

    /// From now on there is a spool. The program asks [`poll_spool`](Self::poll_spool) what is to be done, does it in order, and
    /// says what came of it.
    pub fn use_spool(&mut self) {
        self.spool.get_or_insert_with(|| Spooled::new(0, 0, GoneReason::Other));
    }

    /// A log of which a spool holds what is left: the entries from `first` to before `end`. What lies before them is lost for
    /// `reason`, unless it is durable.
    pub fn resume(limit: usize, first: SourceNumber, end: SourceNumber, reason: GoneReason) -> Self {
        let mut retention = Self { first: end, ..Self::new(limit) };
        retention.lost.insert(0, first.0, reason);
        retention.spool = Some(Spooled::new(first.0, end.0, GoneReason::SenderRestarted));
        retention
    }

    /// The log has entries up to before `end`, which an earlier life wrote and did not keep. Only where memory is empty.
    pub fn extend(&mut self, end: SourceNumber) {
        if self.entries.is_empty() && end > self.first {
            self.lost.insert(self.first.0, end.0, GoneReason::SenderRestarted);
            self.first = end;
        }
    }

    /// Appends an entry. Where there is no room, the oldest leave memory; those that no spool has are [`gone`](Self::gone).
    pub fn push(&mut self, now: HostNanos, entry: Vec<u8>) {
        self.bytes += entry.len() + OVERHEAD;
        self.entries.push_back(Kept { entry: entry.into(), written: now, sent: None });
        while self.bytes > self.limit && self.entries.len() > 1 {
            let number = self.first.0;
            self.drop_first();
            if !self.spool.as_ref().is_some_and(|spool| (spool.first..spool.handed).contains(&number)) {
                self.lost.insert(number, number + 1, GoneReason::RetentionFull);
            }
        }
    }

    /// All below `durable` are on the receiver's disk: forgets them. A number beyond the log is a lie and is ignored.
    pub fn release(&mut self, durable: SourceNumber) {
        if durable > self.next() {
            return;
        }
        self.durable = self.durable.max(durable);
        while self.first < durable && !self.entries.is_empty() {
            self.drop_first();
        }
        self.lost.release(self.durable.0);
        if let Some(spool) = &mut self.spool {
            spool.forget(self.durable.0);
        }
    }

    /// The first run of lost entries that are not durable and lie not wholly before `from`, and why they are lost.
    pub fn gone(&self, from: SourceNumber) -> Option<(SourceRange, GoneReason)> {
        self.lost.next(from.max(self.durable).0)
    }

    /// The entry with this number, if it is at hand: in memory, or read from the spool.
    pub fn entry(&mut self, number: SourceNumber) -> Option<&mut Kept> {
        match number.0.checked_sub(self.first.0) {
            Some(index) => self.entries.get_mut(usize::try_from(index).ok()?),
            None => self.spool.as_mut()?.recalled(number.0),
        }
    }

    /// How many entries at the front of `range` are not at hand. Those that the spool has are asked of it, and come later.
    pub fn recall(&mut self, range: SourceRange) -> u64 {
        let first = range.first.0;
        let end = range.end().0.min(self.first.0);
        let Some(spool) = &mut self.spool else { return end.saturating_sub(first) };
        let at_hand = spool.first_recalled(first, end.max(first));
        let mut at = first.max(self.durable.0);
        while at < at_hand.min(spool.written) {
            if let Some(lost) = self.lost.run_at(at) {
                at = lost;
                continue;
            }
            let stop = self.lost.next(at).map_or(at_hand, |(lost, _)| lost.first.0).min(at_hand).min(spool.written);
            spool.want(at, stop);
            at = stop;
        }
        at_hand - first
    }

    /// What the spool is to do next. Before [`use_spool`](Self::use_spool), nothing.
    pub fn poll_spool(&mut self, now: HostNanos) -> Option<SpoolRequest> {
        let half_full = self.bytes >= self.limit / 2;
        let spool = self.spool.as_mut()?;
        if let Some(request) = spool.release(self.durable.0).or_else(|| spool.read()) {
            return Some(request);
        }
        let oldest = self.entries.front().map_or(Duration::ZERO, |kept| now.since(kept.written));
        if !spool.is_due(now, self.durable.0, oldest, half_full) {
            return None;
        }
        let from = spool.handed.max(self.first.0);
        let index = usize::try_from(from - self.first.0).ok()?;
        spool.write(now, from, self.entries.iter().skip(index))
    }

    /// The spool did what was asked, or could not. Gives a range that is at hand now.
    pub fn handle_spool(&mut self, now: HostNanos, answer: SpoolAnswer) -> Option<SourceRange> {
        let memory = self.first.0;
        let spool = self.spool.as_mut()?;
        match answer {
            SpoolAnswer::Written => spool.on_written(),
            SpoolAnswer::Failed => {
                let (from, end) = spool.on_failed(now, memory);
                self.lost.insert(from.max(self.durable.0), end, GoneReason::RetentionFull);
            }
            SpoolAnswer::Dropped(end) => {
                spool.first = spool.first.max(end.0);
                self.lost.insert(self.durable.0, end.0.min(memory), GoneReason::RetentionFull);
            }
            SpoolAnswer::Read { range, entries } => {
                let mut at = range.first.0.max(self.durable.0);
                for number in entries.iter().map(|(number, _)| number.0).chain([range.end().0]) {
                    self.lost.insert(at, number.min(memory), spool.reason);
                    at = at.max(number + 1);
                }
                spool.on_read(range, entries);
                spool.forget(self.durable.0);
                return Some(range);
            }
        }
        None
    }

    /// Everything that is not durable goes to the spool now: the program ends.
    pub fn spool_all(&mut self) {
        if let Some(spool) = &mut self.spool {
            spool.all = true;
        }
    }

    /// Whether the spool has all that is not durable, as far as it is not lost.
    pub fn is_all_spooled(&self) -> bool {
        let next = self.next();
        self.durable == next || self.spool.as_ref().is_some_and(|spool| spool.written.max(self.durable.0) >= next.0)
    }

    /// Entries that the spool holds for want of a durable copy, those that were lost in it included.
    pub fn spooled(&self) -> u64 {
        self.spool.as_ref().map_or(0, |spool| spool.written.saturating_sub(spool.first.max(self.durable.0)))
    }

    /// A new session begins: nothing has been sent in it.
    pub fn mark_all_unsent(&mut self) {
        self.entries.iter_mut().for_each(|kept| kept.sent = None);
        if let Some(spool) = &mut self.spool {
            spool.mark_all_unsent();
        }
    }

    /// The first entry written at or after `time`; [`next`](Self::next) if there is none.
    pub fn first_written_since(&self, time: HostNanos) -> SourceNumber {
        SourceNumber(self.first.0 + self.entries.partition_point(|kept| kept.written < time) as u64)
    }

    /// The first entry in memory.
    pub fn first(&self) -> SourceNumber {
        self.first
    }

    /// The first entry that may be kept, in memory or elsewhere.
    pub fn first_kept(&self) -> SourceNumber {
        let spooled = self.spool.as_ref().map_or(self.first, |spool| SourceNumber(spool.first.min(self.first.0)));
        spooled.max(self.durable)
    }

    /// All below this are durable.
    pub fn durable(&self) -> SourceNumber {
        self.durable
    }

    /// The number that the next entry will have.
    pub fn next(&self) -> SourceNumber {
        SourceNumber(self.first.0 + self.entries.len() as u64)
    }

    /// Bytes held in memory.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// The limit in bytes.
    pub fn limit(&self) -> usize {
        self.limit
    }

    /// Entries that were lost before they were durable.
    pub fn dropped(&self) -> u64 {
        self.lost.count()
    }

    fn drop_first(&mut self) {
        if let Some(kept) = self.entries.pop_front() {
            self.bytes -= kept.entry.len() + OVERHEAD;
            self.first.0 += 1;
        }
    }
}

#[cfg(test)]
mod model;
#[cfg(test)]
mod tests;
