//! What the receiver counts of a session.

use std::time::Duration;

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
