//! The last seconds of every stream, for viewers that come late.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use send_learn_protocol::units::HostNanos;

/// How far back the history goes.
pub(super) const SPAN: Duration = Duration::from_secs(30);

/// What the histories of all streams may hold together, in bytes.
pub(super) const MAX_BYTES: usize = 32 << 20;

#[derive(Debug, Default)]
pub(super) struct History {
    /// Frames of all streams in order of arrival: stream, time, bytes.
    frames: VecDeque<(u32, HostNanos, Arc<[u8]>)>,
    bytes: usize,
    /// Frames per stream, to forget a stream without a search when it has none.
    counts: BTreeMap<u32, usize>,
}

impl History {
    pub(super) fn push(&mut self, key: u32, now: HostNanos, frame: Arc<[u8]>) {
        self.bytes += frame.len();
        *self.counts.entry(key).or_default() += 1;
        self.frames.push_back((key, now, frame));
        while self.bytes > MAX_BYTES || self.frames.front().is_some_and(|(_, time, _)| now.since(*time) > SPAN) {
            let Some((key, _, frame)) = self.frames.pop_front() else { break };
            self.bytes -= frame.len();
            if let Some(count) = self.counts.get_mut(&key) {
                *count -= 1;
            }
        }
    }

    pub(super) fn forget(&mut self, key: u32) {
        if self.counts.remove(&key).is_some_and(|count| count > 0) {
            self.frames.retain(|(of, _, _)| *of != key);
            self.bytes = self.frames.iter().map(|(_, _, frame)| frame.len()).sum();
        }
    }

    pub(super) fn frames(&self) -> impl Iterator<Item = &Arc<[u8]>> {
        self.frames.iter().map(|(_, _, frame)| frame)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn history_is_bounded_in_time_and_bytes_over_all_streams() {
        let mut history = History::default();
        let frame: Arc<[u8]> = vec![0; 1 << 20].into();
        for second in 0..100 {
            history.push(second % 3, HostNanos(u64::from(second) * 1_000_000_000), Arc::clone(&frame));
        }
        assert_eq!(history.frames().count(), 31);
        for _ in 0..100 {
            history.push(1, HostNanos(99_000_000_000), Arc::clone(&frame));
        }
        assert_eq!(history.bytes, MAX_BYTES);
        history.forget(1);
        assert_eq!(history.bytes, history.frames().map(|frame| frame.len()).sum::<usize>());
    }
}
