//! The last seconds of every stream, for viewers that come late.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use send_learn_protocol::tap::{Arrival, Frame};
use send_learn_protocol::units::HostNanos;

/// How far back the history goes.
pub(super) const SPAN: Duration = Duration::from_secs(30);

/// What the histories of all streams may hold together, in bytes.
pub(super) const MAX_BYTES: usize = 32 << 20;

#[derive(Debug, Default)]
pub(super) struct History {
    /// Entries of all streams in order of arrival.
    entries: VecDeque<Came>,
    bytes: usize,
    /// Entries per stream, to forget a stream without a search when it has none.
    counts: BTreeMap<u32, usize>,
}

/// An entry that came, shared with whoever else has it; a frame is made of it when a viewer wants one.
#[derive(Clone, Debug)]
pub(super) struct Came {
    pub(super) key: u32,
    pub(super) arrival: Arrival,
    pub(super) arrived: HostNanos,
    pub(super) entry: Arc<[u8]>,
}

impl Came {
    pub(super) fn frame(&self) -> Frame {
        Frame::Entry { key: self.key, arrival: self.arrival, arrived: self.arrived, entry: self.entry.to_vec() }
    }
}

impl History {
    pub(super) fn push(&mut self, came: Came) {
        let now = came.arrived;
        self.bytes += came.entry.len();
        *self.counts.entry(came.key).or_default() += 1;
        self.entries.push_back(came);
        while self.bytes > MAX_BYTES || self.entries.front().is_some_and(|first| now.since(first.arrived) > SPAN) {
            let Some(first) = self.entries.pop_front() else { break };
            self.bytes -= first.entry.len();
            if let Some(count) = self.counts.get_mut(&first.key) {
                *count -= 1;
            }
        }
    }

    pub(super) fn forget(&mut self, key: u32) {
        if self.counts.remove(&key).is_some_and(|count| count > 0) {
            self.entries.retain(|came| came.key != key);
            self.bytes = self.entries.iter().map(|came| came.entry.len()).sum();
        }
    }

    pub(super) fn entries(&self) -> impl Iterator<Item = &Came> {
        self.entries.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn history_is_bounded_in_time_and_bytes_over_all_streams() {
        let mut history = History::default();
        let entry: Arc<[u8]> = vec![0; 1 << 20].into();
        let came = |key, second: u64| Came {
            key,
            arrival: Arrival::Live,
            arrived: HostNanos(second * 1_000_000_000),
            entry: Arc::clone(&entry),
        };
        for second in 0..100 {
            history.push(came(second as u32 % 3, second));
        }
        assert_eq!(history.entries().count(), 31);
        for _ in 0..100 {
            history.push(came(1, 99));
        }
        assert_eq!(history.bytes, MAX_BYTES);
        history.forget(1);
        assert_eq!(history.bytes, history.entries().map(|came| came.entry.len()).sum::<usize>());
    }
}
