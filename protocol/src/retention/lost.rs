//! Entries of a log that nobody has any more, and why.

use std::collections::BTreeMap;

use crate::packet::close::GoneReason;
use crate::packet::feedback::SourceRange;
use crate::units::SourceNumber;

/// The most runs that are remembered. More come only from a spool that is damaged in very many places; what is not remembered
/// is found missing again when it is read again.
const MAX_RUNS: usize = 1_024;

/// Runs of lost entries, bounded in memory.
#[derive(Clone, Debug, Default)]
pub(super) struct Lost {
    /// First number to end (exclusive) and reason; runs do not overlap.
    runs: BTreeMap<u64, (u64, GoneReason)>,
    count: u64,
}

impl Lost {
    /// Notes that the entries from `first` to before `end` are lost. Those that are known to be lost keep their reason.
    pub(super) fn insert(&mut self, first: u64, end: u64, reason: GoneReason) {
        let mut at = first;
        while at < end && self.runs.len() < MAX_RUNS {
            if let Some(known) = self.run_at(at) {
                at = known;
                continue;
            }
            let stop = self.runs.range(at..end).next().map_or(end, |(next, _)| *next);
            self.count += stop - at;
            match self.runs.range_mut(..at).next_back() {
                Some((_, (run_end, run_reason))) if *run_end == at && *run_reason == reason => *run_end = stop,
                _ => drop(self.runs.insert(at, (stop, reason))),
            }
            at = stop;
        }
    }

    /// Forgets what lies below `number`.
    pub(super) fn release(&mut self, number: u64) {
        while let Some(run) = self.runs.first_entry().filter(|run| *run.key() < number) {
            let (end, reason) = run.remove();
            if end > number {
                self.runs.insert(number, (end, reason));
            }
        }
    }

    /// The end of the run that `number` lies in, if it is lost.
    pub(super) fn run_at(&self, number: u64) -> Option<u64> {
        self.runs.range(..=number).next_back().map(|(_, (end, _))| *end).filter(|end| number < *end)
    }

    /// The first run that ends after `number`.
    pub(super) fn next(&self, number: u64) -> Option<(SourceRange, GoneReason)> {
        let from =
            self.run_at(number).map_or(number, |_| self.runs.range(..=number).next_back().map_or(number, |(first, _)| *first));
        let (first, (end, reason)) = self.runs.range(from..).next()?;
        Some((SourceRange { first: SourceNumber(*first), count: end - first }, *reason))
    }

    /// Entries that were ever lost.
    pub(super) fn count(&self) -> u64 {
        self.count
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// The runs behave like the plain map that they stand for.
        #[test]
        fn they_equal_a_plain_map(operations in prop::collection::vec((0_u64..60, 1_u64..9, 0_u8..3), 0..60)) {
            let mut lost = Lost::default();
            let mut plain: BTreeMap<u64, GoneReason> = BTreeMap::new();
            let mut count = 0;
            for (number, length, operation) in operations {
                match operation {
                    0 => {
                        lost.release(number);
                        plain = plain.split_off(&number);
                    }
                    other => {
                        let reason = if other == 1 { GoneReason::RetentionFull } else { GoneReason::Other };
                        lost.insert(number, number + length, reason);
                        for entry in number..number + length {
                            count += u64::from(!plain.contains_key(&entry));
                            plain.entry(entry).or_insert(reason);
                        }
                    }
                }
                prop_assert_eq!(lost.count(), count);
                let mut runs = BTreeMap::new();
                let mut at = 0;
                while let Some((range, reason)) = lost.next(at) {
                    prop_assert!(range.end().0 > at);
                    runs.extend((range.first.0..range.end().0).map(|entry| (entry, reason)));
                    at = range.end().0;
                }
                prop_assert_eq!(&runs, &plain);
                for entry in 0..70 {
                    prop_assert_eq!(lost.run_at(entry).is_some(), plain.contains_key(&entry));
                }
            }
        }
    }
}
