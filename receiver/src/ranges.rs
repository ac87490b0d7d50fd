//! Which entries of a log are held: everything below a watermark, and ranges beyond it.

use std::collections::BTreeMap;

use send_learn_protocol::packet::feedback::SourceRange;
use send_learn_protocol::units::SourceNumber;

/// A set of entry numbers. All below [`complete`](Self::complete) are in it; the rest is kept as ranges.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RangeSet {
    complete: u64,
    /// Begin to end (exclusive); apart from one another and from the watermark.
    beyond: BTreeMap<u64, u64>,
}

impl RangeSet {
    /// The set of all entries below `complete`.
    pub fn below(complete: SourceNumber) -> Self {
        Self { complete: complete.0, beyond: BTreeMap::new() }
    }

    /// Every entry below this is in the set; this one is not.
    pub fn complete(&self) -> SourceNumber {
        SourceNumber(self.complete)
    }

    /// The ranges beyond the watermark, lowest first.
    pub fn beyond(&self) -> impl Iterator<Item = SourceRange> + '_ {
        self.beyond.iter().map(|(&begin, &end)| SourceRange { first: SourceNumber(begin), count: end - begin })
    }

    /// Every number in the set, lowest first.
    pub fn numbers(&self) -> impl Iterator<Item = SourceNumber> + '_ {
        let below = 0..self.complete;
        below.chain(self.beyond.iter().flat_map(|(&begin, &end)| begin..end)).map(SourceNumber)
    }

    /// Whether the set holds `number`.
    pub fn contains(&self, number: SourceNumber) -> bool {
        number.0 < self.complete || self.beyond.range(..=number.0).next_back().is_some_and(|(_, &end)| number.0 < end)
    }

    /// Adds `range`; parts that are in the set already stay as they are.
    pub fn insert(&mut self, range: SourceRange) {
        let (mut begin, mut end) = (range.first.0, range.end().0);
        if let Some((&before, &before_end)) = self.beyond.range(..=begin).next_back()
            && before_end >= begin
        {
            (begin, end) = (before, end.max(before_end));
        }
        while let Some((&next, &next_end)) = self.beyond.range(begin..=end).next() {
            end = end.max(next_end);
            self.beyond.remove(&next);
        }
        if begin <= self.complete {
            self.complete = self.complete.max(end);
            // What lay below the new watermark, or touches it, is part of it now.
            while let Some((&next, &next_end)) = self.beyond.first_key_value().filter(|(next, _)| **next <= self.complete) {
                self.complete = self.complete.max(next_end);
                self.beyond.remove(&next);
            }
        } else {
            self.beyond.insert(begin, end);
        }
    }

    /// Adds one entry.
    pub fn insert_one(&mut self, number: SourceNumber) {
        self.insert(SourceRange { first: number, count: 1 });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    proptest! {
        #[test]
        fn a_range_set_holds_what_a_plain_set_holds(ranges in prop::collection::vec((0_u64..60, 1_u64..8), 0..40)) {
            let (mut set, mut plain) = (RangeSet::default(), BTreeSet::new());
            for (first, count) in ranges {
                set.insert(SourceRange { first: SourceNumber(first), count });
                plain.extend(first..first + count);
                let complete = (0..).find(|number| !plain.contains(number)).unwrap();
                prop_assert_eq!(set.complete().0, complete);
                for number in 0..70 {
                    prop_assert_eq!(set.contains(SourceNumber(number)), plain.contains(&number), "{}", number);
                }
                prop_assert!(set.numbers().map(|number| number.0).eq(plain.iter().copied()));
                let beyond: Vec<_> = set.beyond().flat_map(|range| range.first.0..range.end().0).collect();
                prop_assert_eq!(beyond, plain.iter().copied().filter(|number| *number > complete).collect::<Vec<_>>());
            }
        }
    }
}
