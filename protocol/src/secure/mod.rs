//! The pre-shared key, and what is made of it (spec/security.md).
//!
//! Whoever has the key belongs to the studio; there are no other identities. A handshake of Noise's pattern `NNpsk0`
//! ([`noise`]) gives each session a key for each direction, and every datagram of it is [sealed](seal) with one. Refusals that
//! come before there is a session, or after, are authenticated with the key itself ([`refusal`]).
//!
//! Nothing here reads a file or makes randomness: keys and random bytes are parameters.

pub mod key;
pub mod noise;
pub mod refusal;
pub mod seal;

use blake2::Blake2sMac;
use blake2::digest::consts::{U16, U32};
use blake2::digest::{KeyInit, Mac};

pub use key::{Key, KeyError};
pub use seal::{SealKey, SessionKeys, TAG_LEN};

/// The secret of a studio, as the machines use it: what is [derived](Key::psk) from the key that people type.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Psk([u8; 32]);

impl Psk {
    /// For tests and vectors: programs derive theirs from a [`Key`].
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// A key for one purpose alone: BLAKE2s-256, keyed with this, over the purpose's name.
    fn derive(&self, purpose: &[u8]) -> [u8; 32] {
        mac_32(&self.0, &[purpose])
    }
}

impl std::fmt::Debug for Psk {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Psk")
    }
}

/// What a program needs to speak with a key.
#[derive(Clone, Copy, Debug)]
pub struct Keyed {
    /// The studio's secret.
    pub psk: Psk,
    /// Random bytes, used for this alone: the handshakes' ephemeral keys come of them.
    pub random: Random,
}

/// 32 random bytes, from which any number of others comes: BLAKE2s, keyed with them, over a counter.
#[derive(Clone, Copy)]
pub struct Random([u8; 32]);

impl Random {
    /// `bytes` are random and used for this alone.
    pub const fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The random bytes of this number.
    pub fn number(&self, number: u64) -> [u8; 32] {
        mac_32(&self.0, &[b"Send Learn random", &number.to_le_bytes()])
    }
}

impl std::fmt::Debug for Random {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Random")
    }
}

fn mac_32(key: &[u8; 32], parts: &[&[u8]]) -> [u8; 32] {
    let mut mac = <Blake2sMac<U32> as KeyInit>::new_from_slice(key).expect("32 bytes are a key of BLAKE2s");
    parts.iter().for_each(|part| mac.update(part));
    mac.finalize().into_bytes().into()
}

fn mac_16(key: &[u8; 32], parts: &[&[u8]]) -> Blake2sMac<U16> {
    let mut mac = <Blake2sMac<U16> as KeyInit>::new_from_slice(key).expect("32 bytes are a key of BLAKE2s");
    parts.iter().for_each(|part| mac.update(part));
    mac
}
