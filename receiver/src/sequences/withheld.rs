//! Of what in a take nothing may leave: for those who tell of recordings without cutting them.

use std::ops::Range;

use super::profile::{Profile, barred};
use super::{Reason, Settings};
use crate::source::Source;
use crate::store::StoreError;

/// The samples of a take of which nothing may leave: all of it where consent was refused, and what is private, missing, or bypassed.
/// What nobody stated anything of is not among them: whoever looks at it may call it their own.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Withheld {
    /// In order, none touching another.
    all: Vec<Range<u64>>,
    /// Those of them that are private.
    private: Vec<Range<u64>>,
}

impl Withheld {
    /// Reads it out of the tables.
    ///
    /// # Errors
    /// [`StoreError`]: one of its files is damaged.
    pub fn read(source: &Source) -> Result<Self, StoreError> {
        let (barred, take) = (barred(source)?, 0..source.end());
        let private = barred.iter().filter(|(_, reason)| *reason == Reason::Private).map(|(range, _)| range.clone());
        let private = joined(private.collect(), &take);
        // Where recordings are one's own, what bars them before privacy does is a refusal.
        let profile = Profile::read(source, &Settings { own: true, ..Settings::default() })?;
        let refused = profile.bars(&(0..u64::MAX)).is_some_and(|reason| reason < Reason::Private);
        let all = if refused { vec![take] } else { joined(barred.into_iter().map(|(range, _)| range).collect(), &take) };
        Ok(Self { all, private })
    }

    /// Whether the sample is among them.
    pub fn holds(&self, sample: u64) -> bool {
        let next = self.all.partition_point(|range| range.end <= sample);
        self.all.get(next).is_some_and(|range| range.start <= sample)
    }

    /// How many samples of `range` are not among them.
    pub fn open_in(&self, range: &Range<u64>) -> u64 {
        let held = |withheld: &Range<u64>| withheld.end.min(range.end).saturating_sub(withheld.start.max(range.start));
        (range.end.saturating_sub(range.start)).saturating_sub(self.all.iter().map(held).sum())
    }

    /// All samples of a take of `frames` that are not among them, in order.
    pub fn others(&self, frames: u64) -> Vec<Range<u64>> {
        let begins = std::iter::once(0).chain(self.all.iter().map(|range| range.end));
        let ends = self.all.iter().map(|range| range.start).chain([frames]);
        begins.zip(ends).map(|(begin, end)| begin..end.min(frames)).filter(|range| !range.is_empty()).collect()
    }

    /// What is private, in order, within the take.
    pub fn private(&self) -> &[Range<u64>] {
        &self.private
    }
}

/// The ranges within `take`, in order; those that touch one another are one.
fn joined(mut ranges: Vec<Range<u64>>, take: &Range<u64>) -> Vec<Range<u64>> {
    ranges.sort_by_key(|range| range.start);
    let mut joined: Vec<Range<u64>> = Vec::new();
    for range in ranges {
        let range = range.start.max(take.start)..range.end.min(take.end);
        match joined.last_mut() {
            _ if range.is_empty() => {}
            Some(last) if range.start <= last.end => last.end = last.end.max(range.end),
            _ => joined.push(range),
        }
    }
    joined
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_that_touch_are_one_and_none_goes_beyond_the_take() {
        assert_eq!(joined(vec![40..u64::MAX, 0..10, 10..12, 5..8, 20..20], &(0..50)), [0..12, 40..50]);
    }

    #[test]
    fn what_is_withheld_is_told_sample_by_sample() {
        let withheld = Withheld { all: vec![10..20, 30..40], private: Vec::new() };
        assert_eq!([9, 10, 19, 20, 35, 40].map(|sample| withheld.holds(sample)), [false, true, true, false, true, false]);
        assert_eq!(withheld.others(35), [0..10, 20..30]);
        assert_eq!([0..10, 5..15, 0..50, 12..13].map(|range| withheld.open_in(&range)), [10, 5, 30, 0]);
    }
}
