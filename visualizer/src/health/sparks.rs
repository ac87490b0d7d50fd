//! What happened to a stream's audio on the way, by sample position: repairs and losses.

use std::collections::VecDeque;
use std::ops::Range;

use send_learn_protocol::tap::Arrival;

/// The most sparks that are kept.
const MAX_KEPT: usize = 1_024;

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SparkKind {
    /// Rebuilt from parity, in place and in time.
    Repaired,
    /// Sent again on request: late for the live view.
    Resent,
    /// Caught up after an outage, or after previews.
    Backfilled,
    /// Gone for good; the recording says why.
    Gap,
}

impl SparkKind {
    /// Every kind, the least harmful first.
    pub const ALL: [Self; 4] = [Self::Repaired, Self::Resent, Self::Backfilled, Self::Gap];

    /// What became of audio that came so; `None` when nothing did.
    pub fn of(arrival: Arrival) -> Option<Self> {
        match arrival {
            Arrival::Live => None,
            Arrival::Repaired => Some(Self::Repaired),
            Arrival::Resent => Some(Self::Resent),
            Arrival::Backfill => Some(Self::Backfilled),
        }
    }
}

/// One happening.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spark {
    /// What it is.
    pub kind: SparkKind,
    /// The samples.
    pub range: Range<u64>,
}

/// The newest happenings of a stream. Neighbours of one kind are one.
#[derive(Clone, Debug, Default)]
pub struct Sparks {
    kept: VecDeque<Spark>,
}

impl Sparks {
    /// Notes that it happened to the samples of `range`. Those that lie closer to the newest of their kind than `join` samples are
    /// one with it.
    pub fn push(&mut self, kind: SparkKind, range: Range<u64>, join: u64) {
        if range.is_empty() {
            return;
        }
        let near = |spark: &&mut Spark| {
            spark.kind == kind
                && range.start <= spark.range.end.saturating_add(join)
                && spark.range.start <= range.end.saturating_add(join)
        };
        if let Some(spark) = self.kept.iter_mut().rev().take(8).find(near) {
            spark.range = spark.range.start.min(range.start)..spark.range.end.max(range.end);
            return;
        }
        if self.kept.len() == MAX_KEPT {
            self.kept.pop_front();
        }
        self.kept.push_back(Spark { kind, range });
    }

    /// All that are kept, the newest first.
    pub fn iter(&self) -> impl Iterator<Item = &Spark> {
        self.kept.iter().rev()
    }

    /// Forgets what ended before `position`.
    pub fn forget_before(&mut self, position: u64) {
        self.kept.retain(|spark| spark.range.end >= position);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbours_of_one_kind_are_one_spark() {
        let mut sparks = Sparks::default();
        for start in [0, 512, 1_024] {
            sparks.push(SparkKind::Repaired, start..start + 256, 300);
            sparks.push(SparkKind::Resent, start..start + 256, 300);
        }
        sparks.push(SparkKind::Repaired, 9_000..9_001, 300);
        let found: Vec<_> = sparks.iter().map(|spark| (spark.kind, spark.range.clone())).collect();
        let (repaired, resent) = (SparkKind::Repaired, SparkKind::Resent);
        assert_eq!(found, [(repaired, 9_000..9_001), (resent, 0..1_280), (repaired, 0..1_280)]);
    }

    #[test]
    fn memory_stays_bounded() {
        let mut sparks = Sparks::default();
        (0..5_000).for_each(|at| sparks.push(SparkKind::Gap, at * 1_000..at * 1_000 + 1, 10));
        assert_eq!(sparks.kept.len(), MAX_KEPT);
        sparks.push(SparkKind::Gap, u64::MAX - 5..u64::MAX, u64::MAX);
        sparks.forget_before(u64::MAX);
        assert_eq!(sparks.kept.len(), 1);
    }
}
