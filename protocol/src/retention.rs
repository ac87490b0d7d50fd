//! What the sender keeps: every entry of the log until the receiver says that it is durable, within a limit in bytes.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::packet::feedback::SourceRange;
use crate::units::{HostNanos, SourceNumber};

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
    first: SourceNumber,
    durable: SourceNumber,
    entries: VecDeque<Kept>,
    bytes: usize,
    dropped: u64,
}

impl Retention {
    /// An empty log that keeps at most `limit` bytes.
    pub fn new(limit: usize) -> Self {
        Self { limit, first: SourceNumber(0), durable: SourceNumber(0), entries: VecDeque::new(), bytes: 0, dropped: 0 }
    }

    /// Appends an entry. Where there is no room, the oldest go, and become [`gone`](Self::gone).
    pub fn push(&mut self, now: HostNanos, entry: Vec<u8>) {
        self.bytes += entry.len() + OVERHEAD;
        self.entries.push_back(Kept { entry: entry.into(), written: now, sent: None });
        while self.bytes > self.limit && self.entries.len() > 1 {
            self.drop_first();
            self.dropped += 1;
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
    }

    /// Entries that were dropped before they were durable, if any.
    pub fn gone(&self) -> Option<SourceRange> {
        let count = self.first.0.saturating_sub(self.durable.0);
        (count > 0).then_some(SourceRange { first: self.durable, count })
    }

    /// The entry with this number, if it is kept.
    pub fn entry(&mut self, number: SourceNumber) -> Option<&mut Kept> {
        let index = number.0.checked_sub(self.first.0)?;
        self.entries.get_mut(usize::try_from(index).ok()?)
    }

    /// A new session begins: nothing has been sent in it.
    pub fn mark_all_unsent(&mut self) {
        self.entries.iter_mut().for_each(|kept| kept.sent = None);
    }

    /// The first entry written at or after `time`; [`next`](Self::next) if there is none.
    pub fn first_written_since(&self, time: HostNanos) -> SourceNumber {
        SourceNumber(self.first.0 + self.entries.partition_point(|kept| kept.written < time) as u64)
    }

    /// The first entry that is kept.
    pub fn first(&self) -> SourceNumber {
        self.first
    }

    /// All below this are durable.
    pub fn durable(&self) -> SourceNumber {
        self.durable
    }

    /// The number that the next entry will have.
    pub fn next(&self) -> SourceNumber {
        SourceNumber(self.first.0 + self.entries.len() as u64)
    }

    /// Bytes held.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// The limit in bytes.
    pub fn limit(&self) -> usize {
        self.limit
    }

    /// Entries that were dropped for want of room.
    pub fn dropped(&self) -> u64 {
        self.dropped
    }

    fn drop_first(&mut self) {
        if let Some(kept) = self.entries.pop_front() {
            self.bytes -= kept.entry.len() + OVERHEAD;
            self.first.0 += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(limit: usize, count: usize) -> Retention {
        let mut retention = Retention::new(limit);
        (0..count).for_each(|n| retention.push(HostNanos(n as u64), vec![0; 1_000]));
        retention
    }

    #[test]
    fn entries_stay_until_they_are_durable() {
        let mut retention = filled(1 << 20, 10);
        retention.release(SourceNumber(4));
        assert!(retention.entry(SourceNumber(3)).is_none() && retention.entry(SourceNumber(4)).is_some());
        assert_eq!((retention.first().0, retention.next().0, retention.gone()), (4, 10, None));
    }

    #[test]
    fn at_the_limit_the_oldest_go_and_are_named() {
        let mut retention = filled(5_500, 10);
        assert!(retention.bytes() <= 5_500);
        let gone = retention.gone().unwrap();
        assert_eq!((gone.first.0, gone.count), (0, retention.dropped()));
        assert_eq!(gone.end(), retention.first());
        retention.release(gone.end());
        assert_eq!(retention.gone(), None);
    }

    #[test]
    fn a_watermark_beyond_the_log_is_ignored() {
        let mut retention = filled(1 << 20, 3);
        retention.release(SourceNumber(4));
        assert_eq!(retention.first().0, 0);
    }
}
