//! The receiving side: keeps the shards of recent groups and rebuilds what is lost as soon as enough are there.

use std::collections::VecDeque;
use std::sync::Arc;

use super::{MAX_PARITIES, MAX_SOURCES, code, entry_of, write_shard};
use crate::packet::{MAX_PAYLOAD, Shard};

/// The most groups that are kept at once. At most 16 of them are open with a sender of ours; the rest is room for reordering.
const MAX_GROUPS: usize = 48;

/// The most shards in them: 512 KiB, which is all that 18 groups of the greatest size hold.
const MAX_SHARDS: usize = (512 << 10) / MAX_PAYLOAD;

#[derive(Debug, Default)]
struct Group {
    number: u32,
    /// k and m as a parity stated them.
    counts: Option<(u8, u8)>,
    sources: [Option<Arc<[u8]>>; MAX_SOURCES as usize],
    parities: [Option<Vec<u8>>; MAX_PARITIES as usize],
    /// Shards in both.
    held: u8,
    /// All its sources are here; its shards are dropped, late ones ignored.
    done: bool,
}

/// Rebuilds lost entries. Memory is bounded by 48 groups, and 512 KiB of shards in them.
#[derive(Debug, Default)]
pub struct Repair {
    /// In the order in which they were first heard of.
    groups: VecDeque<Group>,
    /// Shards in all of them.
    held: usize,
    rebuilt: VecDeque<Arc<[u8]>>,
    /// Memory for the shards of the next group that is rebuilt.
    spare: Vec<Vec<u8>>,
}

impl Repair {
    /// A source datagram of a group arrived.
    pub fn source(&mut self, shard: Shard, entry: Arc<[u8]>) {
        if shard.index >= MAX_SOURCES || shard.sources > MAX_SOURCES {
            return;
        }
        let place = self.place(shard.group);
        let group = &mut self.groups[place];
        if group.done {
            return;
        }
        let new = u8::from(group.sources[usize::from(shard.index)].replace(entry).is_none());
        group.held += new;
        // Without a parity, all that is held are sources.
        let whole = group.counts.is_none() && group.held == shard.sources;
        self.held += usize::from(new);
        if whole {
            self.finish(place);
        } else {
            self.rebuild(place);
        }
        self.make_room();
    }

    /// A parity datagram arrived.
    pub fn parity(&mut self, shard: Shard, payload: &[u8]) {
        let Shard { index, sources, parities, .. } = shard;
        let possible = (1..=MAX_SOURCES).contains(&sources) && (1..=MAX_PARITIES).contains(&parities);
        if !possible || index < sources || index - sources >= parities {
            return;
        }
        let place = self.place(shard.group);
        let group = &mut self.groups[place];
        if group.done || group.counts.is_some_and(|counts| counts != (sources, parities)) {
            return;
        }
        group.counts = Some((sources, parities));
        let mut kept = self.spare.pop().unwrap_or_default();
        kept.clear();
        kept.extend_from_slice(payload);
        let new = u8::from(group.parities[usize::from(index - sources)].replace(kept).is_none());
        group.held += new;
        self.held += usize::from(new);
        self.rebuild(place);
        self.make_room();
    }

    /// The next entry that was rebuilt.
    pub fn pop(&mut self) -> Option<Arc<[u8]>> {
        self.rebuilt.pop_front()
    }

    /// Where a group stands: mostly it is one of the newest.
    fn place(&mut self, number: u32) -> usize {
        if let Some(place) = self.groups.iter().rposition(|group| group.number == number) {
            return place;
        }
        if self.groups.len() == MAX_GROUPS {
            self.forget_oldest();
        }
        self.groups.push_back(Group { number, ..Group::default() });
        self.groups.len() - 1
    }

    fn make_room(&mut self) {
        while self.held > MAX_SHARDS {
            self.forget_oldest();
        }
    }

    fn forget_oldest(&mut self) {
        self.held -= self.groups.pop_front().map_or(0, |group| usize::from(group.held));
    }

    fn rebuild(&mut self, place: usize) {
        let group = &mut self.groups[place];
        let Some((sources, _)) = group.counts else { return };
        if group.held < sources {
            return;
        }
        group.rebuild(&mut self.spare, &mut self.rebuilt);
        self.finish(place);
    }

    /// Nothing more is needed of a group.
    fn finish(&mut self, place: usize) {
        let group = &mut self.groups[place];
        self.held -= usize::from(group.held);
        *group = Group { number: group.number, done: true, ..Group::default() };
    }
}

impl Group {
    /// Appends the lost sources to `rebuilt`; takes the parities. None when the shards contradict one another, which no sender of
    /// ours brings about.
    fn rebuild(&mut self, spare: &mut Vec<Vec<u8>>, rebuilt: &mut VecDeque<Arc<[u8]>>) {
        let Some((sources, parities)) = self.counts else { return };
        let held = &self.sources[..usize::from(sources)];
        let parities_held = &mut self.parities[..usize::from(parities)];
        let longest = parities_held.iter().flatten().map(Vec::len).max();
        let (Some(len), Some(code)) = (longest, code(sources, parities)) else { return };
        if held.iter().all(Option::is_some) {
            return;
        }
        // Each with whether it is here; the others are room to rebuild them in.
        let mut shards: Vec<(Vec<u8>, bool)> = Vec::with_capacity(held.len() + parities_held.len());
        for entry in held {
            let mut shard = spare.pop().unwrap_or_default();
            let is_here = write_shard(&mut shard, entry.as_deref().unwrap_or_default(), len) && entry.is_some();
            shards.push((shard, is_here));
        }
        for parity in parities_held {
            let mut shard = parity.take().unwrap_or_default();
            let is_here = shard.len() == len;
            shard.resize(len, 0);
            shards.push((shard, is_here));
        }
        if code.shards.reconstruct_data(&mut shards).is_ok() {
            let lost = || held.iter().zip(&shards).filter(|(held, _)| held.is_none()).map(|(_, (shard, _))| entry_of(shard));
            if lost().all(|entry| entry.is_some()) {
                rebuilt.extend(lost().flatten().map(Arc::from));
            }
        }
        spare.extend(shards.into_iter().map(|(shard, _)| shard));
        spare.truncate(usize::from(MAX_SOURCES + MAX_PARITIES));
    }
}
