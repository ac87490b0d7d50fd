//! The fixed header of every datagram (spec/wire-format.md, section 2).

use bytemuck::{Pod, Zeroable};

use super::PacketError;
use crate::le::{U16, U32, U64};
use crate::secure::{SealKey, TAG_LEN};
use crate::units::{PacketNumber, SessionId};

/// The first four bytes of every datagram.
pub const MAGIC: [u8; 4] = *b"SLRN";

/// The version of the wire format that this code speaks.
pub const VERSION: u8 = 1;

/// The longest datagram, header included, in bytes of UDP payload. 1,200 is what QUIC found to pass everywhere
/// (RFC 9000, section 14).
pub const MAX_DATAGRAM: usize = 1_200;

/// Bytes of the header.
pub const HEADER_LEN: usize = size_of::<Header>();

/// The longest payload: a source payload and the two bytes that a parity shard adds to it must both fit. There is room for a tag:
/// whoever writes an entry does not know whether it will be sealed.
pub const MAX_PAYLOAD: usize = MAX_DATAGRAM - HEADER_LEN - TAG_LEN;

/// The longest payload once it is sealed.
pub const MAX_SEALED: usize = MAX_PAYLOAD + TAG_LEN;

/// What a datagram is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Kind {
    /// A sender asks for a session.
    Hello = 1,
    /// The receiver asks the sender to prove its address.
    Retry = 2,
    /// The receiver accepts a session.
    HelloAck = 3,
    /// The receiver declines a session, and says why.
    Refuse = 4,
    /// One entry of the take's log.
    Source = 5,
    /// One parity shard of a group of entries.
    Parity = 6,
    /// What the receiver has, lacks, and holds durably.
    Feedback = 7,
    /// Keep-alive of the sender, and the question of the clock exchange.
    Probe = 8,
    /// The answer of the clock exchange.
    ProbeReply = 9,
    /// Entries that the sender no longer has.
    Gone = 10,
    /// The sender ends the session.
    Close = 11,
    /// The receiver confirms the end.
    CloseAck = 12,
    /// Entries in fewer bytes, for the live path alone.
    Preview = 13,
}

impl Kind {
    fn from_wire(value: u8) -> Option<Self> {
        use Kind::*;
        [Hello, Retry, HelloAck, Refuse, Source, Parity, Feedback, Probe, ProbeReply, Gone, Close, CloseAck, Preview]
            .into_iter()
            .find(|kind| *kind as u8 == value)
    }
}

/// Set on a source datagram that was sent before: it answers a request and belongs to no group.
pub const FLAG_REPEAT: u8 = 0x01;
/// Set on a source datagram that catches up after an outage: it belongs to no group.
pub const FLAG_BACKFILL: u8 = 0x02;
/// Set on every datagram whose payload only members of a studio understand (spec/security.md).
pub const FLAG_SEALED: u8 = 0x80;

/// The header as it stands on the wire. All fields are byte arrays of alignment 1: read in place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub struct Header {
    magic: [u8; 4],
    /// CRC-32 (IEEE 802.3) of all that follows, header and payload.
    crc: U32,
    version: u8,
    kind: u8,
    flags: u8,
    /// Shard index within the group: 0..k are sources, k..k+m are parity.
    shard: u8,
    session: U64,
    packet: U64,
    /// FEC group within the session; `NO_GROUP` for datagrams outside of any.
    group: U32,
    /// Sources in the group. Planned in a source datagram, final in a parity datagram.
    sources: u8,
    /// Parities in the group. Planned in a source datagram, final in a parity datagram.
    parities: u8,
    payload_len: U16,
    sent_micros: U32,
}

const _: () = assert!(size_of::<Header>() == 40);

/// The checksum covers a datagram from here on in one piece: what stands before is the magic and the checksum itself. Of a sealed
/// datagram, the tag covers the same, and the magic is what it is.
const CHECKED_FROM: usize = 8;

impl Header {
    /// Without checksum.
    fn new(head: Head, payload_len: usize) -> Self {
        let shard = head.shard.unwrap_or(Shard { group: NO_GROUP, index: 0, sources: 0, parities: 0 });
        Self {
            magic: MAGIC,
            crc: 0.into(),
            version: VERSION,
            kind: head.kind as u8,
            flags: head.flags,
            shard: shard.index,
            session: head.session.0.into(),
            packet: head.packet.0.into(),
            group: shard.group.into(),
            sources: shard.sources,
            parities: shard.parities,
            payload_len: (payload_len as u16).into(),
            sent_micros: head.sent_micros.into(),
        }
    }
}

/// The group number of datagrams that belong to no group.
pub const NO_GROUP: u32 = u32::MAX;

/// Where a datagram stands in its FEC group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shard {
    /// Group number within the session, wrapping.
    pub group: u32,
    /// Index within the group: 0..sources are sources, then parities.
    pub index: u8,
    /// Sources of the group, k.
    pub sources: u8,
    /// Parities of the group, m.
    pub parities: u8,
}

/// A header that has been checked, in native types.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// What the datagram is.
    pub kind: Kind,
    /// `FLAG_REPEAT`, `FLAG_BACKFILL`, `FLAG_SEALED`, or none.
    pub flags: u8,
    /// The session it belongs to.
    pub session: SessionId,
    /// The transmission's number.
    pub packet: PacketNumber,
    /// Its place in a FEC group, if it has one.
    pub shard: Option<Shard>,
    /// The sender's monotonic clock when it left, in microseconds, wrapping after 71 minutes; only differences mean anything.
    /// 0 in the receiver's datagrams.
    pub sent_micros: u32,
}

impl Head {
    /// Whether the payload is encrypted.
    pub fn is_sealed(&self) -> bool {
        self.flags & FLAG_SEALED != 0
    }

    /// A header for a datagram outside of any group, without a time.
    pub fn new(kind: Kind, session: SessionId, packet: PacketNumber) -> Self {
        Self { kind, flags: 0, session, packet, shard: None, sent_micros: 0 }
    }
}

/// Whether a datagram that was just written is back-fill.
pub fn is_back_fill(datagram: &[u8]) -> bool {
    let header = datagram.get(..HEADER_LEN).map(bytemuck::from_bytes::<Header>);
    header.is_some_and(|header| header.flags & FLAG_BACKFILL != 0)
}

/// Writes one datagram into `out`, which is cleared first.
///
/// # Panics
/// When `payload` is longer than [`MAX_PAYLOAD`], or [`MAX_SEALED`] where the head says that it is sealed already: an error in this
/// crate, never one of a peer.
pub fn write(out: &mut Vec<u8>, head: Head, payload: &[u8]) {
    let limit = if head.is_sealed() { MAX_SEALED } else { MAX_PAYLOAD };
    assert!(payload.len() <= limit, "payload of {} bytes", payload.len());
    let header = Header::new(head, payload.len());
    out.clear();
    out.extend_from_slice(bytemuck::bytes_of(&header));
    out.extend_from_slice(payload);
    finish(out);
}

/// Writes one datagram into `out`, which is cleared first, and seals it. The packet number is used once with this key. Gives the
/// tag.
///
/// # Panics
/// As [`write()`].
pub fn write_sealed(out: &mut Vec<u8>, head: Head, payload: &[u8], key: &SealKey) -> [u8; TAG_LEN] {
    assert!(payload.len() <= MAX_PAYLOAD, "payload of {} bytes", payload.len());
    let header = Header::new(Head { flags: head.flags | FLAG_SEALED, ..head }, payload.len() + TAG_LEN);
    out.clear();
    out.extend_from_slice(bytemuck::bytes_of(&header));
    out.extend_from_slice(payload);
    let (header, text) = out.split_at_mut(HEADER_LEN);
    let tag = key.seal(head.packet.0, &header[CHECKED_FROM..], text);
    out.extend_from_slice(&tag);
    finish(out);
    tag
}

/// Opens a sealed datagram that was [read](read()): `text` holds its payload then. `None` when it is not authentic.
pub fn open<'a>(datagram: &[u8], head: &Head, key: &SealKey, text: &'a mut Vec<u8>) -> Option<&'a [u8]> {
    let (header, sealed) = datagram.split_at_checked(HEADER_LEN)?;
    text.clear();
    text.extend_from_slice(sealed);
    key.open(head.packet.0, &header[CHECKED_FROM..], text)
}

/// Writes the checksum of what is in `out`.
fn finish(out: &mut [u8]) {
    let crc = U32::from(crc32fast::hash(&out[CHECKED_FROM..]));
    out[MAGIC.len()..CHECKED_FROM].copy_from_slice(bytemuck::bytes_of(&crc));
}

/// Reads one datagram in place: the checked header and the payload.
///
/// # Errors
/// [`PacketError`] says what is wrong with the bytes. Nothing is copied or allocated. A sealed payload is given as it came.
pub fn read(datagram: &[u8]) -> Result<(Head, &[u8]), PacketError> {
    let (header, payload) = crate::le::split::<Header>(datagram).ok_or(PacketError::Short { len: datagram.len() })?;
    if header.magic != MAGIC {
        return Err(PacketError::NotOurs);
    }
    if header.version != VERSION {
        return Err(PacketError::Version { theirs: header.version });
    }
    let limit = if header.flags & FLAG_SEALED != 0 { MAX_SEALED } else { MAX_PAYLOAD };
    if payload.len() != usize::from(header.payload_len.value()) || payload.len() > limit {
        return Err(PacketError::Length { stated: header.payload_len.value(), actual: payload.len() });
    }
    if crc32fast::hash(&datagram[CHECKED_FROM..]) != header.crc.value() {
        return Err(PacketError::Checksum);
    }
    let kind = Kind::from_wire(header.kind).ok_or(PacketError::Kind { kind: header.kind })?;
    let shard = (header.group.value() != NO_GROUP).then(|| Shard {
        group: header.group.value(),
        index: header.shard,
        sources: header.sources,
        parities: header.parities,
    });
    let head = Head {
        kind,
        flags: header.flags,
        session: SessionId(header.session.value()),
        packet: PacketNumber(header.packet.value()),
        shard,
        sent_micros: header.sent_micros.value(),
    };
    Ok((head, payload))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_datagram_reads_back_as_it_was_written() {
        let head = Head {
            kind: Kind::Source,
            flags: FLAG_REPEAT,
            session: SessionId(0x0102_0304_0506_0708),
            packet: PacketNumber(9),
            shard: Some(Shard { group: 3, index: 2, sources: 8, parities: 2 }),
            sent_micros: 10,
        };
        let mut datagram = Vec::new();
        write(&mut datagram, head, b"payload");
        assert_eq!(read(&datagram).unwrap(), (head, &b"payload"[..]));
    }

    #[test]
    fn every_flipped_bit_is_refused() {
        let mut datagram = Vec::new();
        write(&mut datagram, Head::new(Kind::Probe, SessionId(5), PacketNumber(1)), b"abc");
        for bit in 0..datagram.len() * 8 {
            let mut damaged = datagram.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert!(read(&damaged).is_err(), "bit {bit}");
        }
    }

    #[test]
    fn every_truncation_is_refused() {
        let mut datagram = Vec::new();
        write(&mut datagram, Head::new(Kind::Probe, SessionId(5), PacketNumber(1)), b"abc");
        for len in 0..datagram.len() {
            assert!(read(&datagram[..len]).is_err());
        }
    }
}
