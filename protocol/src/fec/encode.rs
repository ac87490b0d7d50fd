//! The sending side: fills groups with entries, interleaved, and makes their parities.

use std::collections::VecDeque;
use std::sync::Arc;

use reed_solomon_erasure::galois_8;

use super::{LENGTH, MAX_PARITIES, MAX_SOURCES, code, length_of};
use crate::packet::Shard;
use crate::packet::header::NO_GROUP;

/// How groups are built. A change holds for the groups that are opened next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Plan {
    /// Sources per group, k, 1 to 16.
    pub sources: u8,
    /// Parities per group, m, 0 to 8; 0 sends none.
    pub parities: u8,
    /// Groups that are opened together and filled in turn, so that a burst of `depth * m` losses is still repaired.
    pub depth: u8,
}

impl Plan {
    /// Datagrams that are sent for each source, parities included: 1.25 for 2 parities of 8 sources.
    pub fn overhead(&self) -> f64 {
        1.0 + f64::from(self.parities) / f64::from(self.sources.max(1))
    }

    fn clamped(self) -> Self {
        Self {
            sources: self.sources.clamp(1, MAX_SOURCES),
            parities: self.parities.min(MAX_PARITIES),
            depth: self.depth.clamp(1, 16),
        }
    }
}

/// A parity shard, ready to be sent.
#[derive(Clone, Debug)]
pub struct Parity {
    /// Its place, with the group's final counts.
    pub shard: Shard,
    /// Its bytes.
    pub payload: Vec<u8>,
}

#[derive(Debug)]
struct Group {
    number: u32,
    plan: Plan,
    entries: Vec<Arc<[u8]>>,
}

/// Fills groups and makes parities.
#[derive(Debug)]
pub struct Encoder {
    plan: Plan,
    open: VecDeque<Group>,
    next_group: u32,
    parities: VecDeque<Parity>,
    /// Where the parities of a group's entries are summed up, without their lengths: memory that begins where the code likes it.
    sums: [Vec<u8>; MAX_PARITIES as usize],
}

impl Encoder {
    /// An encoder whose first groups follow `plan`, its values brought into their ranges.
    pub fn new(plan: Plan) -> Self {
        Self { plan: plan.clamped(), open: VecDeque::new(), next_group: 0, parities: VecDeque::new(), sums: Default::default() }
    }

    /// The plan for the groups to come.
    pub fn plan(&self) -> Plan {
        self.plan
    }

    /// Changes the plan for the groups to come.
    pub fn set_plan(&mut self, plan: Plan) {
        self.plan = plan.clamped();
    }

    /// Gives `entry` its place. The group that becomes full by it is closed.
    pub fn push(&mut self, entry: Arc<[u8]>) -> Shard {
        if self.open.is_empty() {
            (0..self.plan.depth).for_each(|_| self.open_group());
        }
        let mut group = self.open.pop_front().expect("groups were just opened, or some were open");
        let shard = Shard {
            group: group.number,
            index: group.entries.len() as u8,
            sources: group.plan.sources,
            parities: group.plan.parities,
        };
        group.entries.push(entry);
        if group.entries.len() == usize::from(group.plan.sources) {
            self.close(group);
        } else {
            self.open.push_back(group);
        }
        shard
    }

    /// Closes all open groups as they are: what was sent is protected from now on.
    pub fn close_all(&mut self) {
        while let Some(group) = self.open.pop_front() {
            self.close(group);
        }
    }

    /// Whether groups are open: entries in them are not protected by parity yet.
    pub fn has_open(&self) -> bool {
        !self.open.is_empty()
    }

    /// The oldest parity that was not taken yet.
    pub fn pop(&mut self) -> Option<Parity> {
        self.parities.pop_front()
    }

    /// Drops the parities that were not taken: it is too late for them.
    pub fn forget_parities(&mut self) {
        self.parities.clear();
    }

    /// Whether parities wait to be taken.
    pub fn has_parity(&self) -> bool {
        !self.parities.is_empty()
    }

    fn open_group(&mut self) {
        let number = self.next_group;
        self.next_group = (number + 1) % NO_GROUP;
        let entries = Vec::with_capacity(usize::from(self.plan.sources));
        self.open.push_back(Group { number, plan: self.plan, entries });
    }

    /// Makes the parities. Codes work byte by byte, so each entry is added as long as it is, where it lies: the zeros that pad
    /// a shard add nothing, and the length before it is added by itself.
    fn close(&mut self, group: Group) {
        let Group { number, plan, entries } = group;
        let sources = entries.len() as u8;
        let Some(code) = code(sources, plan.parities) else { return };
        let longest = entries.iter().map(|entry| entry.len()).max().unwrap_or(0);
        let parities = usize::from(plan.parities);
        let sums = &mut self.sums[..parities];
        for sum in sums.iter_mut() {
            // The first entry replaces what was there.
            sum.resize(longest, 0);
            sum[entries.first().map_or(0, |entry| entry.len())..].fill(0);
        }
        let mut lengths = [[0; LENGTH]; MAX_PARITIES as usize];
        for (index, (entry, factors)) in entries.iter().zip(&code.factors).enumerate() {
            for (length, factor) in lengths[..parities].iter_mut().zip(factors) {
                length.iter_mut().zip(length_of(entry)).for_each(|(sum, byte)| *sum ^= galois_8::mul(*factor, byte));
            }
            if !entry.is_empty() {
                let mut parts: [&mut [u8]; MAX_PARITIES as usize] = Default::default();
                parts.iter_mut().zip(sums.iter_mut()).for_each(|(part, sum)| *part = &mut sum[..entry.len()]);
                let added = code.shards.encode_single_sep(index, &entry[..], &mut parts[..parities]);
                added.expect("the code has this source and as many parities, all as long");
            }
        }
        let payloads = lengths.iter().zip(sums).map(|(length, sum)| [&length[..], sum].concat());
        self.parities.extend(payloads.enumerate().map(|(index, payload)| Parity {
            shard: Shard { group: number, index: sources + index as u8, sources, parities: plan.parities },
            payload,
        }));
    }
}
