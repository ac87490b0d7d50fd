//! Feedback: what the receiver has, lacks, and holds durably (spec/wire-format.md, section 5).

use bytemuck::{Pod, Zeroable};

use super::{MAX_PAYLOAD, PacketError};
use crate::le::{self, U16, U32, U64};
use crate::units::{HostNanos, PacketNumber, SourceNumber};

/// A run of log entries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SourceRange {
    /// The first entry.
    pub first: SourceNumber,
    /// How many, at least 1.
    pub count: u64,
}

impl SourceRange {
    /// The entry after the last.
    pub fn end(&self) -> SourceNumber {
        SourceNumber(self.first.0.saturating_add(self.count))
    }
}

#[derive(Clone, Copy, Pod, Zeroable)]
#[repr(C)]
struct RangeWire {
    first: U64,
    count: U64,
}

const _: () = assert!(size_of::<RangeWire>() == 16);

/// Whether the receiver can record at present. What it cannot, the sender keeps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Storage {
    /// It records.
    #[default]
    Good,
    /// Nothing is recorded until there is room on its disk.
    Full,
    /// Nothing is recorded until its disk can be written.
    Failing,
}

impl Storage {
    /// A value that this version does not know means that nothing is recorded, too.
    fn from_wire(value: u8) -> Self {
        match value {
            0 => Self::Good,
            1 => Self::Full,
            _ => Self::Failing,
        }
    }
}

/// The receiver's account of a session. Counters run from the session's begin; only `lost` can go back, by what came late.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Feedback {
    /// The entry after the highest that arrived or is known to exist.
    pub received: SourceNumber,
    /// All entries below this are here (or known to be gone).
    pub complete: SourceNumber,
    /// All entries below this are on disk, synced.
    pub durable: SourceNumber,
    /// The highest packet number that arrived.
    pub highest_packet: PacketNumber,
    /// Datagrams of this session that arrived whole, of any kind, duplicates not counted.
    pub datagrams: u64,
    /// Bytes of UDP payload in them.
    pub bytes: u64,
    /// Datagrams that were given up as lost, before any repair; those of outages left out. What comes later after all is taken
    /// off again: late is not lost.
    pub lost: u64,
    /// Runs of datagrams in `lost`: `lost / bursts` is the mean length of a burst.
    pub bursts: u64,
    /// Entries that came by their first transmission, without any repair.
    pub delivered: u64,
    /// Entries rebuilt from parity.
    pub repaired: u64,
    /// Previews that came or were rebuilt from parity.
    pub previews: u64,
    /// Entries that came as repeats or back-fill.
    pub resent: u64,
    /// Of these, those that came as back-fill.
    pub backfilled: u64,
    /// Datagrams that came twice.
    pub duplicates: u64,
    /// The receiver's clock when this was sent.
    pub sent_at: HostNanos,
    /// Interarrival jitter as in RFC 3550, section 6.4.1, in microseconds.
    pub jitter_micros: u32,
    /// One-way delay of late above the least of the last 10 to 20 s, in microseconds: how long a queue has become.
    pub queue_micros: u32,
    /// Datagrams in the longest burst of the last 5 to 10 s.
    pub longest_burst: u16,
    /// Datagrams of `datagrams` that a queue on the way has marked instead of dropping (CE of RFC 3168); ends at 2^32 - 1.
    pub marked: u32,
    /// Whether the receiver can record.
    pub storage: Storage,
    /// Entries that are missing and that are worth a repeat, lowest first; at most [`MAX_RANGES`].
    pub missing: Vec<SourceRange>,
}

#[derive(Clone, Copy, Pod, Zeroable)]
#[repr(C)]
struct FeedbackWire {
    received: U64,
    complete: U64,
    durable: U64,
    highest_packet: U64,
    datagrams: U64,
    bytes: U64,
    lost: U64,
    bursts: U64,
    delivered: U64,
    repaired: U64,
    previews: U64,
    resent: U64,
    backfilled: U64,
    duplicates: U64,
    sent_at: U64,
    jitter_micros: U32,
    queue_micros: U32,
    longest_burst: U16,
    ranges: u8,
    storage: u8,
    marked: U32,
}

const _: () = assert!(size_of::<FeedbackWire>() == 136);

/// The most missing ranges that one feedback names: of more, half are the lowest and half the highest.
pub const MAX_RANGES: usize = 60;

const _: () = assert!(size_of::<FeedbackWire>() + MAX_RANGES * size_of::<RangeWire>() <= MAX_PAYLOAD);

impl Feedback {
    /// Writes the payload. Of `missing`, the first [`MAX_RANGES`] are written.
    pub fn write(&self, out: &mut Vec<u8>) {
        let ranges = &self.missing[..self.missing.len().min(MAX_RANGES)];
        out.clear();
        out.extend_from_slice(bytemuck::bytes_of(&FeedbackWire {
            received: self.received.0.into(),
            complete: self.complete.0.into(),
            durable: self.durable.0.into(),
            highest_packet: self.highest_packet.0.into(),
            datagrams: self.datagrams.into(),
            bytes: self.bytes.into(),
            lost: self.lost.into(),
            bursts: self.bursts.into(),
            delivered: self.delivered.into(),
            repaired: self.repaired.into(),
            previews: self.previews.into(),
            resent: self.resent.into(),
            backfilled: self.backfilled.into(),
            duplicates: self.duplicates.into(),
            sent_at: self.sent_at.0.into(),
            jitter_micros: self.jitter_micros.into(),
            queue_micros: self.queue_micros.into(),
            longest_burst: self.longest_burst.into(),
            ranges: ranges.len() as u8,
            storage: self.storage as u8,
            marked: self.marked.into(),
        }));
        for range in ranges {
            let wire = RangeWire { first: range.first.0.into(), count: range.count.into() };
            out.extend_from_slice(bytemuck::bytes_of(&wire));
        }
    }

    /// Reads the payload.
    ///
    /// # Errors
    /// [`PacketError`] when bytes are missing or the watermarks contradict one another.
    pub fn read(payload: &[u8]) -> Result<Self, PacketError> {
        let short = PacketError::Short { len: payload.len() };
        let (wire, mut rest) = le::split::<FeedbackWire>(payload).ok_or(short)?;
        if wire.durable.value() > wire.complete.value() || wire.complete.value() > wire.received.value() {
            return Err(PacketError::Invalid { field: "watermarks" });
        }
        if usize::from(wire.ranges) > MAX_RANGES {
            return Err(PacketError::Invalid { field: "range count" });
        }
        let mut missing = Vec::with_capacity(usize::from(wire.ranges));
        for _ in 0..wire.ranges {
            let (range, tail) = le::split::<RangeWire>(rest).ok_or(short)?;
            if range.count.value() == 0 || range.first.value().checked_add(range.count.value()).is_none() {
                return Err(PacketError::Invalid { field: "missing range" });
            }
            missing.push(SourceRange { first: SourceNumber(range.first.value()), count: range.count.value() });
            rest = tail;
        }
        Ok(Self {
            received: SourceNumber(wire.received.value()),
            complete: SourceNumber(wire.complete.value()),
            durable: SourceNumber(wire.durable.value()),
            highest_packet: PacketNumber(wire.highest_packet.value()),
            datagrams: wire.datagrams.value(),
            bytes: wire.bytes.value(),
            lost: wire.lost.value(),
            bursts: wire.bursts.value(),
            delivered: wire.delivered.value(),
            repaired: wire.repaired.value(),
            previews: wire.previews.value(),
            resent: wire.resent.value(),
            backfilled: wire.backfilled.value(),
            duplicates: wire.duplicates.value(),
            sent_at: HostNanos(wire.sent_at.value()),
            jitter_micros: wire.jitter_micros.value(),
            queue_micros: wire.queue_micros.value(),
            longest_burst: wire.longest_burst.value(),
            marked: wire.marked.value(),
            storage: Storage::from_wire(wire.storage),
            missing,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn feedback_reads_back_as_it_was_written() {
        let feedback = Feedback {
            received: SourceNumber(30),
            complete: SourceNumber(20),
            durable: SourceNumber(10),
            highest_packet: PacketNumber(44),
            datagrams: 40,
            bytes: 12,
            lost: 13,
            bursts: 14,
            delivered: 5,
            repaired: 6,
            previews: 15,
            resent: 7,
            backfilled: 3,
            duplicates: 8,
            sent_at: HostNanos(11),
            jitter_micros: 9,
            queue_micros: 16,
            longest_burst: 17,
            marked: 18,
            storage: Storage::Full,
            missing: vec![SourceRange { first: SourceNumber(20), count: 3 }, SourceRange { first: SourceNumber(25), count: 1 }],
        };
        let mut payload = Vec::new();
        feedback.write(&mut payload);
        assert_eq!(Feedback::read(&payload).unwrap(), feedback);
        for len in 0..payload.len() {
            assert!(Feedback::read(&payload[..len]).is_err());
        }
    }

    #[test]
    fn a_state_of_the_disk_that_is_not_known_is_a_bad_one() {
        let mut payload = Vec::new();
        Feedback::default().write(&mut payload);
        let mut read = |value| {
            payload[131] = value;
            Feedback::read(&payload).unwrap().storage
        };
        assert_eq!(
            [0, 1, 2, 3, 255].map(&mut read),
            [Storage::Good, Storage::Full, Storage::Failing, Storage::Failing, Storage::Failing]
        );
    }

    #[test]
    fn watermarks_that_contradict_are_refused() {
        let mut payload = Vec::new();
        Feedback { durable: SourceNumber(1), ..Feedback::default() }.write(&mut payload);
        assert_eq!(Feedback::read(&payload), Err(PacketError::Invalid { field: "watermarks" }));
    }
}
