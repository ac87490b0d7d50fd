//! What holds at a sample: the last entry before it of each lane of a list.

use std::collections::BTreeMap;

/// A list's entries by lane (a key of a channel, a controller of a channel), so that the last one before a place is found
/// without a walk through the list: by binary search in each lane.
#[derive(Clone, Debug, Default)]
pub(super) struct Lanes {
    places: Vec<Vec<usize>>,
}

impl Lanes {
    /// Sorts the entries of a list by the lanes that `lane` says.
    pub(super) fn new<T, L: Ord>(list: &[T], lane: impl Fn(&T) -> L) -> Self {
        let mut places: BTreeMap<L, Vec<usize>> = BTreeMap::new();
        for (place, entry) in list.iter().enumerate() {
            places.entry(lane(entry)).or_default().push(place);
        }
        Self { places: places.into_values().collect() }
    }

    /// For each lane that has an entry before place `end` of the list: the place of the last one, and that of the one after
    /// it, if any. In order of the list.
    pub(super) fn last_before(&self, end: usize) -> Vec<(usize, Option<usize>)> {
        let last = |places: &Vec<usize>| {
            let count = places.partition_point(|place| *place < end);
            Some((places[count.checked_sub(1)?], places.get(count).copied()))
        };
        let mut found: Vec<_> = self.places.iter().filter_map(last).collect();
        found.sort_unstable();
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_entry_of_each_lane_is_found() {
        let lanes = Lanes::new(b"abacb", |letter| *letter);
        assert_eq!(lanes.last_before(0), []);
        assert_eq!(lanes.last_before(2), [(0, Some(2)), (1, Some(4))]);
        assert_eq!(lanes.last_before(4), [(1, Some(4)), (2, None), (3, None)]);
        assert_eq!(lanes.last_before(5), [(2, None), (3, None), (4, None)]);
    }
}
