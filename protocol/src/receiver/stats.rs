//! What the receiver counts of a session.

use std::time::Duration;

use crate::packet::PacketError;
use crate::quality::Level;
use crate::units::{HostNanos, PacketNumber, SourceNumber};

/// Counters and watermarks of a session. Counters run from its begin.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct SessionStats {
    /// Entries below this have arrived in part, or are known to exist.
    pub received: SourceNumber,
    /// Entries below this have all arrived.
    pub complete: SourceNumber,
    /// Entries below this are durable.
    pub durable: SourceNumber,
    /// The highest packet number that arrived.
    pub highest_packet: PacketNumber,
    /// Datagrams that arrived, duplicates not counted.
    pub datagrams: u64,
    /// Bytes of UDP payload that arrived.
    pub bytes: u64,
    /// Entries that came by their first transmission.
    pub delivered: u64,
    /// Entries rebuilt from parity.
    pub repaired: u64,
    /// Entries that came as repeats or back-fill.
    pub resent: u64,
    /// Of these, those that came as back-fill.
    pub backfilled: u64,
    /// Previews that came or were rebuilt from parity.
    pub previews: u64,
    /// How the newest live datagram was sent.
    pub level: Level,
    /// Datagrams given up as lost before any repair; see [`Feedback::lost`](crate::packet::feedback::Feedback::lost).
    pub lost: u64,
    /// Datagrams that a queue on the way marked; see [`Feedback::marked`](crate::packet::feedback::Feedback::marked).
    pub marked: u32,
    /// Datagrams that came twice.
    pub duplicates: u64,
    /// Datagrams that contradict themselves.
    pub rejected: u64,
    /// Interarrival jitter (RFC 3550, section 6.4.1).
    pub jitter: Duration,
    /// One-way delay of late above the least.
    pub queue: Duration,
    /// Entries that are known to exist and are missing.
    pub missing: u64,
    /// When the sender was last heard.
    pub last_heard: HostNanos,
}

/// Why a datagram was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Rejection {
    /// Something else uses this port.
    NotOurs,
    /// Another version of the wire format.
    Version,
    /// Cut short, or bits were changed on the way.
    Damaged,
    /// A value that no sender writes, or a kind that none sends.
    Malformed,
    /// Of no session that runs.
    UnknownSession,
    /// Of a session that runs, but not from its sender's address.
    OtherAddress,
    /// Not sealed with the session's key.
    NotAuthentic,
    /// A hello of a session that is over: late, or repeated by somebody.
    Repeated,
    /// A hello in clear, where the key is needed.
    KeyNeeded,
    /// A hello with another key.
    WrongKey,
    /// A hello with a key, where there is none.
    NoKey,
    /// A hello, while as many streams are open as are allowed.
    TooManyStreams,
    /// A hello, while as many streams are open from its address as are allowed.
    TooManyFromAddress,
    /// More hellos than one address, or all of them, may send.
    TooFast,
    /// An answer that found no room in the queue.
    Unanswered,
}

impl Rejection {
    /// All of them, with their names in tables and for programs.
    pub const ALL: [(Self, &'static str); 15] = [
        (Self::NotOurs, "not_ours"),
        (Self::Version, "other_version"),
        (Self::Damaged, "damaged"),
        (Self::Malformed, "malformed"),
        (Self::UnknownSession, "unknown_session"),
        (Self::OtherAddress, "other_address"),
        (Self::NotAuthentic, "not_authentic"),
        (Self::Repeated, "repeated_hello"),
        (Self::KeyNeeded, "key_needed"),
        (Self::WrongKey, "wrong_key"),
        (Self::NoKey, "no_key"),
        (Self::TooManyStreams, "too_many_streams"),
        (Self::TooManyFromAddress, "too_many_from_address"),
        (Self::TooFast, "too_fast"),
        (Self::Unanswered, "unanswered"),
    ];
}

impl From<PacketError> for Rejection {
    fn from(error: PacketError) -> Self {
        match error {
            PacketError::NotOurs => Self::NotOurs,
            PacketError::Version { .. } => Self::Version,
            PacketError::Short { .. } | PacketError::Length { .. } | PacketError::Checksum => Self::Damaged,
            PacketError::Kind { .. } | PacketError::Invalid { .. } => Self::Malformed,
        }
    }
}

/// How many datagrams were not taken, by reason.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rejected([u64; Rejection::ALL.len()]);

impl Rejected {
    pub(super) fn count(&mut self, why: Rejection) {
        self.0[why as usize] += 1;
    }

    /// How many for this reason.
    pub fn of(&self, why: Rejection) -> u64 {
        self.0[why as usize]
    }

    /// How many for any reason.
    pub fn total(&self) -> u64 {
        self.0.iter().sum()
    }

    /// Each reason's name, and how many.
    pub fn by_name(&self) -> impl Iterator<Item = (&'static str, u64)> + '_ {
        Rejection::ALL.iter().map(|(why, name)| (*name, self.of(*why)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_has_its_own_count_and_name() {
        for (index, (why, name)) in Rejection::ALL.into_iter().enumerate() {
            let mut rejected = Rejected::default();
            rejected.count(why);
            assert_eq!(why as usize, index, "{name}");
            assert_eq!((rejected.of(why), rejected.total()), (1, 1));
            assert!(rejected.by_name().any(|counted| counted == (name, 1)));
        }
    }
}
