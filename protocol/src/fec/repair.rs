//! The receiving side: keeps the shards of recent groups and rebuilds what is lost as soon as enough are there.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use super::{MAX_PARITIES, MAX_SOURCES, code, entry_of, shard_of};
use crate::packet::Shard;

/// The most groups that are kept at once. At most 16 of them are open with a sender of ours; the rest is room for reordering.
const MAX_GROUPS: usize = 48;

#[derive(Debug, Default)]
struct Group {
    /// k and m as a parity stated them.
    counts: Option<(u8, u8)>,
    sources: BTreeMap<u8, Arc<[u8]>>,
    parities: BTreeMap<u8, Vec<u8>>,
    /// All its sources are here; its shards are dropped, late ones ignored.
    done: bool,
}

/// Rebuilds lost entries. Memory is bounded by 48 groups of at most 24 shards of at most one datagram.
#[derive(Debug, Default)]
pub struct Repair {
    groups: BTreeMap<u32, Group>,
    order: VecDeque<u32>,
    rebuilt: VecDeque<Arc<[u8]>>,
}

impl Repair {
    /// A source datagram of a group arrived.
    pub fn source(&mut self, shard: Shard, entry: Arc<[u8]>) {
        if shard.index >= MAX_SOURCES || shard.sources > MAX_SOURCES {
            return;
        }
        let group = self.group(shard.group);
        if group.done {
            return;
        }
        group.sources.insert(shard.index, entry);
        if group.counts.is_none() && group.sources.len() == usize::from(shard.sources) {
            group.finish();
        } else {
            self.rebuild(shard.group);
        }
    }

    /// A parity datagram arrived.
    pub fn parity(&mut self, shard: Shard, payload: &[u8]) {
        let Shard { index, sources, parities, .. } = shard;
        let possible = (1..=MAX_SOURCES).contains(&sources) && (1..=MAX_PARITIES).contains(&parities);
        if !possible || index < sources || index - sources >= parities {
            return;
        }
        let group = self.group(shard.group);
        if group.done || group.counts.is_some_and(|counts| counts != (sources, parities)) {
            return;
        }
        group.counts = Some((sources, parities));
        group.parities.insert(index - sources, payload.to_vec());
        self.rebuild(shard.group);
    }

    /// The next entry that was rebuilt.
    pub fn pop(&mut self) -> Option<Arc<[u8]>> {
        self.rebuilt.pop_front()
    }

    fn group(&mut self, number: u32) -> &mut Group {
        if !self.groups.contains_key(&number) {
            if self.order.len() == MAX_GROUPS
                && let Some(oldest) = self.order.pop_front()
            {
                self.groups.remove(&oldest);
            }
            self.order.push_back(number);
        }
        self.groups.entry(number).or_default()
    }

    fn rebuild(&mut self, number: u32) {
        let Some(group) = self.groups.get_mut(&number) else { return };
        let Some((sources, _)) = group.counts else { return };
        if group.sources.len() + group.parities.len() < usize::from(sources) {
            return;
        }
        if let Some(entries) = group.missing_entries() {
            self.rebuilt.extend(entries);
        }
        group.finish();
    }
}

impl Group {
    fn finish(&mut self) {
        *self = Self { done: true, ..Self::default() };
    }

    /// The lost sources. `None` when the shards contradict one another, which no sender of ours brings about.
    fn missing_entries(&self) -> Option<Vec<Arc<[u8]>>> {
        let (sources, parities) = self.counts?;
        let len = self.parities.values().map(Vec::len).max()?;
        let padded = |entry: &Arc<[u8]>| {
            let mut shard = shard_of(entry);
            let fits = shard.len() <= len;
            shard.resize(len, 0);
            fits.then_some(shard)
        };
        let mut shards: Vec<Option<Vec<u8>>> = (0..sources).map(|index| self.sources.get(&index).and_then(padded)).collect();
        shards.extend((0..parities).map(|index| self.parities.get(&index).filter(|shard| shard.len() == len).cloned()));
        code(sources, parities)?.reconstruct_data(&mut shards).ok()?;
        let lost = (0..sources).filter(|index| !self.sources.contains_key(index));
        lost.map(|index| entry_of(shards[usize::from(index)].as_deref()?).map(Arc::from)).collect()
    }
}
