//! Parity: groups of contradicting shards, and groups of which any k bring back the rest.

use std::collections::BTreeMap;
use std::sync::Arc;

use send_learn_protocol::fec::{Encoder, Plan, Repair};
use send_learn_protocol::packet::Shard;
use send_learn_protocol::packet::header::MAX_PAYLOAD;

use crate::bytes::Bytes;

/// Shards that anybody made up.
pub(crate) fn hostile(bytes: &[u8]) {
    let mut bytes = Bytes::new(bytes);
    let mut repair = Repair::default();
    while !bytes.is_empty() {
        let what = bytes.byte();
        let shard =
            Shard { group: u32::from(bytes.byte() % 64), index: bytes.byte(), sources: bytes.byte(), parities: bytes.byte() };
        // Small counts meet more often.
        let shard = if what & 2 != 0 {
            Shard { group: 1, index: shard.index % 6, sources: shard.sources % 4 + 1, parities: shard.parities % 3 + 1 }
        } else {
            shard
        };
        let payload = bytes.some();
        let payload = &payload[..payload.len().min(MAX_PAYLOAD)];
        match what % 2 {
            0 => repair.source(shard, payload.into()),
            _ => repair.parity(shard, payload),
        }
        let mut rebuilt = 0;
        while let Some(entry) = repair.pop() {
            rebuilt += 1;
            assert!(rebuilt <= 16 && entry.len() <= MAX_PAYLOAD);
        }
    }
}

/// An entry, and its place.
type Sent = (Shard, Arc<[u8]>);

/// Entries of any length, in groups by any plan, of whose datagrams any are lost: what at least k of a group bring back is right.
pub(crate) fn rebuild(bytes: &[u8]) {
    let mut bytes = Bytes::new(bytes);
    let plan = Plan { sources: bytes.byte() % 16 + 1, parities: bytes.byte() % 9, depth: bytes.byte() % 8 + 1 };
    let mut encoder = Encoder::new(plan);
    let mut groups = BTreeMap::<u32, Vec<Sent>>::new();
    for _ in 0..bytes.byte() % 64 {
        let entry: Arc<[u8]> = [&[0; 8][..], bytes.some()].concat()[..].into();
        let entry = if entry.len() > MAX_PAYLOAD - 2 { entry[..MAX_PAYLOAD - 2].into() } else { entry };
        let shard = encoder.push(entry.clone());
        groups.entry(shard.group).or_default().push((shard, entry));
    }
    encoder.close_all();
    let mut parities: BTreeMap<u32, Vec<(Shard, Vec<u8>)>> = BTreeMap::new();
    while let Some(parity) = encoder.pop() {
        assert!(parity.payload.len() <= MAX_PAYLOAD);
        parities.entry(parity.shard.group).or_default().push((parity.shard, parity.payload));
    }
    for (group, sources) in groups {
        let parities = parities.remove(&group).unwrap_or_default();
        let mut repair = Repair::default();
        let (mut lost, mut arrived): (Vec<Arc<[u8]>>, usize) = (Vec::new(), 0);
        for (shard, entry) in &sources {
            if bytes.byte() & 1 == 0 {
                repair.source(*shard, entry.clone());
                arrived += 1;
            } else {
                lost.push(entry.clone());
            }
        }
        let mut helped = 0;
        for (shard, payload) in &parities {
            if bytes.byte() & 1 == 0 {
                repair.parity(*shard, payload);
                helped += 1;
            }
        }
        let rebuilt: Vec<Arc<[u8]>> = std::iter::from_fn(|| repair.pop()).collect();
        let enough = helped > 0 && arrived + helped >= sources.len();
        assert_eq!(rebuilt, if enough { lost } else { Vec::new() }, "{arrived} and {helped} of {} arrived", sources.len());
    }
}
