//! Forward error correction: systematic Reed-Solomon codes over groups of entries (spec/fec.md).
//!
//! A shard is an entry's length (two bytes) and the entry, padded with zeros to the longest of its group. Source datagrams
//! carry entries as they are, so each is of use alone; parity datagrams carry parity shards.

mod encode;
mod repair;

pub use encode::{Encoder, Parity, Plan};
pub use repair::Repair;

use std::sync::OnceLock;

use reed_solomon_erasure::galois_8::ReedSolomon;

/// The most sources in a group.
pub const MAX_SOURCES: u8 = 16;

/// The most parities in a group.
pub const MAX_PARITIES: u8 = 8;

/// A code for groups of some size.
#[derive(Debug)]
struct Code {
    shards: ReedSolomon,
    /// What each parity takes each source times, by source.
    factors: Vec<[u8; MAX_PARITIES as usize]>,
}

impl Code {
    fn new(sources: u8, parities: u8) -> Option<Self> {
        let shards = ReedSolomon::new(usize::from(sources), usize::from(parities)).ok()?;
        // The parities of a one at one source, and of zeros elsewhere, are its factors.
        let factors = |source| {
            let mut parts = [[0_u8]; MAX_PARITIES as usize];
            shards.encode_single_sep(source, &[1], &mut parts[..usize::from(parities)]).ok()?;
            Some(parts.map(|[factor]| factor))
        };
        let factors = (0..usize::from(sources)).map(factors).collect::<Option<_>>()?;
        Some(Self { shards, factors })
    }
}

/// The code for `sources` and `parities`. Building one costs up to hundreds of microseconds, so each is built once per process.
///
/// `None` when a count is 0 or above its limit.
fn code(sources: u8, parities: u8) -> Option<&'static Code> {
    static CODES: [[OnceLock<Code>; MAX_PARITIES as usize]; MAX_SOURCES as usize] =
        [const { [const { OnceLock::new() }; MAX_PARITIES as usize] }; MAX_SOURCES as usize];
    let slot = CODES.get(usize::from(sources).checked_sub(1)?)?.get(usize::from(parities).checked_sub(1)?)?;
    if slot.get().is_none() {
        // Another thread may have been first: its code is the same.
        let _ = slot.set(Code::new(sources, parities)?);
    }
    slot.get()
}

/// Bytes of the length that a shard begins with.
const LENGTH: usize = 2;

/// What a shard begins with.
fn length_of(entry: &[u8]) -> [u8; LENGTH] {
    (entry.len() as u16).to_le_bytes()
}

/// Writes an entry as a shard of `len` bytes into `shard`, whatever that held. False when it is too long.
fn write_shard(shard: &mut Vec<u8>, entry: &[u8], len: usize) -> bool {
    shard.clear();
    shard.extend_from_slice(&length_of(entry));
    shard.extend_from_slice(entry);
    let fits = shard.len() <= len;
    shard.resize(len, 0);
    fits
}

/// The entry within a shard; `None` when its length contradicts the shard's.
fn entry_of(shard: &[u8]) -> Option<&[u8]> {
    let (len, rest) = shard.split_first_chunk::<LENGTH>()?;
    rest.get(..usize::from(u16::from_le_bytes(*len)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::packet::Shard;
    use proptest::prelude::*;

    fn entries(count: usize, seed: u8) -> Vec<Vec<u8>> {
        (0..count).map(|n| (0..20 + n * 7 % 90).map(|byte| (byte as u8).wrapping_mul(31) ^ seed ^ n as u8).collect()).collect()
    }

    /// Sends `entries` through an encoder; gives the source shards and all parities.
    fn encode(plan: Plan, entries: &[Vec<u8>]) -> (Vec<Shard>, Vec<Parity>) {
        let mut encoder = Encoder::new(plan);
        let shards = entries.iter().map(|entry| encoder.push(entry.as_slice().into())).collect();
        encoder.close_all();
        (shards, std::iter::from_fn(|| encoder.pop()).collect())
    }

    #[test]
    fn impossible_codes_do_not_exist() {
        assert!(
            code(0, 1).is_none()
                && code(1, 0).is_none()
                && code(MAX_SOURCES + 1, 1).is_none()
                && code(1, MAX_PARITIES + 1).is_none()
        );
    }

    #[test]
    fn neighbours_stand_in_different_groups() {
        let (shards, _) = encode(Plan { sources: 4, parities: 2, depth: 2 }, &entries(16, 0));
        assert!(shards.windows(2).all(|pair| pair[0].group != pair[1].group));
    }

    #[test]
    fn parities_are_those_of_the_padded_shards() {
        for (sources, parities) in [(1, 1), (5, 2), (16, 8)] {
            let entries = entries(usize::from(sources), 9);
            let (_, made) = encode(Plan { sources, parities, depth: 1 }, &entries);
            let len = entries.iter().map(Vec::len).max().unwrap() + LENGTH;
            let padded: Vec<Vec<u8>> = entries
                .iter()
                .map(|entry| {
                    let mut shard = Vec::new();
                    assert!(write_shard(&mut shard, entry, len));
                    shard
                })
                .collect();
            let mut expected = vec![vec![0; len]; usize::from(parities)];
            code(sources, parities).unwrap().shards.encode_sep(&padded, &mut expected).unwrap();
            assert_eq!(made.into_iter().map(|parity| parity.payload).collect::<Vec<_>>(), expected);
        }
    }

    proptest! {
        #[test]
        fn as_many_losses_as_parities_are_rebuilt(
            sources in 1_u8..=MAX_SOURCES, parities in 1_u8..=MAX_PARITIES, depth in 1_u8..4, count in 1_usize..60,
            seed in any::<u8>(), order in any::<u64>(),
        ) {
            let entries = entries(count, seed);
            let (shards, parity) = encode(Plan { sources, parities, depth }, &entries);
            // Of each group, lose as many source shards as it has parities, chosen by `order`.
            let mut lost = std::collections::HashMap::<u32, u8>::new();
            let mut repair = Repair::default();
            let mut found = std::collections::BTreeSet::new();
            let mut missing = std::collections::BTreeSet::new();
            for (index, (shard, entry)) in shards.iter().zip(&entries).enumerate() {
                let losses = lost.entry(shard.group).or_default();
                if *losses < parities && (order.rotate_left(index as u32) & 1) == 1 {
                    *losses += 1;
                    missing.insert(entry.clone());
                } else {
                    repair.source(*shard, entry.as_slice().into());
                }
            }
            for parity in parity {
                repair.parity(parity.shard, &parity.payload);
            }
            while let Some(entry) = repair.pop() {
                found.insert(entry.to_vec());
            }
            prop_assert_eq!(found, missing);
        }

        #[test]
        fn shards_of_the_network_never_panic(
            shards in prop::collection::vec((any::<u32>(), any::<u8>(), any::<u8>(), any::<u8>(), prop::collection::vec(any::<u8>(), 0..40), any::<bool>()), 0..60)
        ) {
            let mut repair = Repair::default();
            for (group, index, sources, parities, bytes, parity) in shards {
                let shard = Shard { group: group % 3, index: index % 20, sources: sources % 18, parities: parities % 10 };
                if parity { repair.parity(shard, &bytes) } else { repair.source(shard, bytes.into()) }
                while repair.pop().is_some() {}
            }
        }
    }
}
