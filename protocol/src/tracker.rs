//! Which entries of a take's log are here: a complete prefix, and runs beyond it.

use std::collections::BTreeMap;

use crate::packet::feedback::SourceRange;
use crate::units::SourceNumber;

/// The most runs beyond the prefix. An entry that would make one more is not taken; it is asked for again later.
const MAX_RUNS: usize = 8_192;

/// Set of source numbers, bounded in memory.
#[derive(Clone, Debug, Default)]
pub struct Tracker {
    complete: u64,
    /// First number to end (exclusive) of each run; runs neither touch nor overlap, and lie beyond `complete`.
    runs: BTreeMap<u64, u64>,
    /// The end of what is known to exist.
    end: u64,
}

impl Tracker {
    /// A tracker that already has all below `complete`, and `beyond`.
    pub fn new(complete: SourceNumber, beyond: &[SourceRange]) -> Self {
        let mut tracker = Self { complete: complete.0, runs: BTreeMap::new(), end: complete.0 };
        for range in beyond {
            tracker.insert_range(*range);
        }
        tracker
    }

    /// All below this are here.
    pub fn complete(&self) -> SourceNumber {
        SourceNumber(self.complete)
    }

    /// The end of what is known to exist.
    pub fn end(&self) -> SourceNumber {
        SourceNumber(self.end)
    }

    /// The sender says that entries below `end` exist.
    pub fn announce(&mut self, end: SourceNumber) {
        self.end = self.end.max(end.0);
    }

    /// Whether `number` is here.
    pub fn contains(&self, number: SourceNumber) -> bool {
        number.0 < self.complete || self.runs.range(..=number.0).next_back().is_some_and(|(_, end)| number.0 < *end)
    }

    /// Takes one entry. False when it is here already, or the set has too many holes.
    pub fn insert(&mut self, number: SourceNumber) -> bool {
        !self.contains(number) && self.insert_range(SourceRange { first: number, count: 1 })
    }

    /// Takes a run, parts of which may be here already. False when the set has too many holes.
    pub fn insert_range(&mut self, range: SourceRange) -> bool {
        let (mut first, mut end) = (range.first.0, range.end().0);
        if first <= self.complete {
            self.complete = self.complete.max(end);
            self.absorb();
        } else {
            if self.runs.len() >= MAX_RUNS {
                return false;
            }
            // Swallow the runs that touch [first, end).
            while let Some((&run, &run_end)) = self.runs.range(..=end).next_back()
                && run_end >= first
            {
                first = first.min(run);
                end = end.max(run_end);
                self.runs.remove(&run);
            }
            self.runs.insert(first, end);
        }
        self.end = self.end.max(end).max(self.complete);
        true
    }

    /// Gives an entry back: it is missing again.
    pub fn remove(&mut self, number: SourceNumber) {
        let number = number.0;
        let run = if number < self.complete {
            let end = std::mem::replace(&mut self.complete, number);
            (number, end)
        } else {
            let Some((&run, &end)) = self.runs.range(..=number).next_back().filter(|(_, end)| number < **end) else { return };
            self.runs.remove(&run);
            if run < number {
                self.runs.insert(run, number);
            }
            (number, end)
        };
        if run.0 + 1 < run.1 {
            self.runs.insert(run.0 + 1, run.1);
        }
    }

    /// What is missing below `limit`, lowest first.
    pub fn missing(&self, limit: SourceNumber) -> impl Iterator<Item = SourceRange> + '_ {
        let limit = limit.0.min(self.end);
        let starts = std::iter::once(self.complete).chain(self.runs.values().copied());
        let ends = self.runs.keys().copied().chain(std::iter::once(self.end));
        starts.zip(ends).map_while(move |(first, end)| {
            let count = end.min(limit).checked_sub(first).filter(|count| *count > 0)?;
            Some(SourceRange { first: SourceNumber(first), count })
        })
    }

    /// The last `count` runs, at most, of what is missing below `limit`, lowest first.
    pub fn missing_last(&self, limit: SourceNumber, count: usize) -> Vec<SourceRange> {
        let limit = limit.0.min(self.end);
        let runs = || self.runs.range(..limit).rev();
        let ends = std::iter::once(limit).chain(runs().map(|(first, _)| *first));
        let firsts = runs().map(|(_, end)| *end).chain(std::iter::once(self.complete));
        let holes = ends.zip(firsts).filter(|(end, first)| first < end);
        let range = |(end, first): (u64, u64)| SourceRange { first: SourceNumber(first), count: end - first };
        let mut last: Vec<SourceRange> = holes.take(count).map(range).collect();
        last.reverse();
        last
    }

    /// The entry after the highest that is missing; `None` when none is.
    pub fn missing_end(&self) -> Option<SourceNumber> {
        match self.runs.last_key_value() {
            Some((first, end)) if *end == self.end => Some(SourceNumber(*first)),
            _ => Some(SourceNumber(self.end)).filter(|end| end.0 > self.complete),
        }
    }

    /// How many entries are known to exist and are missing.
    pub fn missing_count(&self) -> u64 {
        self.end - self.complete - self.runs.iter().map(|(first, end)| end - first).sum::<u64>()
    }

    /// Lets the prefix run through the runs that it has reached.
    fn absorb(&mut self) {
        while let Some(run) = self.runs.first_entry()
            && *run.key() <= self.complete
        {
            self.complete = self.complete.max(run.remove());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    fn range(first: u64, count: u64) -> SourceRange {
        SourceRange { first: SourceNumber(first), count }
    }

    #[test]
    fn the_prefix_runs_through_what_it_reaches() {
        let mut tracker = Tracker::default();
        for number in [2, 1, 4, 0] {
            assert!(tracker.insert(SourceNumber(number)));
        }
        assert_eq!(tracker.complete().0, 3);
        assert_eq!(tracker.missing(SourceNumber(u64::MAX)).collect::<Vec<_>>(), [range(3, 1)]);
        assert!(!tracker.insert(SourceNumber(4)));
    }

    proptest! {
        /// The set behaves like the plain one that it stands for.
        #[test]
        fn it_equals_a_plain_set(operations in prop::collection::vec((0_u64..60, 1_u64..6, 0_u8..3), 0..120)) {
            let mut tracker = Tracker::default();
            let mut plain = BTreeSet::new();
            let mut end = 0;
            for (number, count, operation) in operations {
                match operation {
                    0 => {
                        prop_assert_eq!(tracker.insert(SourceNumber(number)), plain.insert(number));
                        end = end.max(number + 1);
                    }
                    1 => {
                        tracker.insert_range(range(number, count));
                        plain.extend(number..number + count);
                        end = end.max(number + count);
                    }
                    _ => {
                        tracker.remove(SourceNumber(number));
                        plain.remove(&number);
                    }
                }
                let complete = (0..).find(|n| !plain.contains(n)).unwrap();
                prop_assert_eq!(tracker.complete().0, complete);
                prop_assert_eq!(tracker.end().0, end);
                let missing: Vec<u64> = tracker.missing(SourceNumber(u64::MAX)).flat_map(|run| run.first.0..run.end().0).collect();
                let expected: Vec<u64> = (0..end).filter(|n| !plain.contains(n)).collect();
                prop_assert_eq!(tracker.missing_count(), expected.len() as u64);
                prop_assert_eq!(tracker.missing_end().map(|end| end.0), expected.last().map(|last| last + 1));
                for limit in [0, 7, 30, 100] {
                    let below: Vec<_> = tracker.missing(SourceNumber(limit)).collect();
                    prop_assert_eq!(tracker.missing_last(SourceNumber(limit), 3), &below[below.len().saturating_sub(3)..]);
                }
                prop_assert_eq!(missing, expected);
                for n in 0..70 {
                    prop_assert_eq!(tracker.contains(SourceNumber(n)), plain.contains(&n));
                }
            }
        }
    }
}
