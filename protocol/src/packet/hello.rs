//! The handshake: hello, retry, hello-ack, refuse (spec/wire-format.md, section 3).
//!
//! A hello fills a whole datagram, so that no answer to it is longer than it is. The receiver answers a first hello with a
//! cookie and keeps nothing; only a hello that returns the cookie creates state. With a key, all but the [front](Front) of a hello is
//! the first message of a [Noise handshake](crate::secure::noise), and the hello-ack is the second.

mod description;
mod refusal;

use bytemuck::{Pod, Zeroable};

use super::header::VERSION;
use super::{MAX_PAYLOAD, MAX_SEALED, PacketError};
use crate::le::{self, U64};
use crate::secure::noise;
use crate::units::{ReceiverId, SessionId, SourceNumber};
pub use description::{Description, MAX_CHANNELS, PropertyKey, read_description, write_description};
pub use refusal::Refusal;

/// A cookie: proof that the sender receives what is sent to its address.
pub type Cookie = [u8; 16];

/// A sender asks for a session.
#[derive(Clone, Debug, PartialEq)]
pub struct Hello {
    /// The oldest and the newest version of the wire format that the sender speaks.
    pub versions: (u8, u8),
    /// What the receiver sent in its retry; zeros in a first hello.
    pub cookie: Cookie,
    /// The first log entry that the sender still has.
    pub first: SourceNumber,
    /// The entry that the sender will write next.
    pub next: SourceNumber,
    /// What is to be sent.
    pub description: Description,
}

/// The begin of a hello, which is never encrypted: the receiver checks the cookie before it does anything that costs more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Front {
    /// As in [`Hello`].
    pub versions: (u8, u8),
    /// As in [`Hello`].
    pub cookie: Cookie,
}

#[derive(Clone, Copy, Pod, Zeroable)]
#[repr(C)]
struct FrontWire {
    min_version: u8,
    max_version: u8,
    reserved: [u8; 6],
    cookie: Cookie,
}

const _: () = assert!(size_of::<FrontWire>() == 24);

#[derive(Clone, Copy, Pod, Zeroable)]
#[repr(C)]
struct RangeWire {
    first: U64,
    next: U64,
}

const _: () = assert!(size_of::<RangeWire>() == 16);

/// Bytes of a hello behind its front.
const BODY_LEN: usize = MAX_PAYLOAD - size_of::<FrontWire>();

/// Bytes of a hello behind its front before they are encrypted.
const SECRET_LEN: usize = MAX_SEALED - size_of::<FrontWire>() - noise::OVERHEAD;

impl Front {
    /// Reads the begin of a payload; gives the rest. `sealed`: whether the head says that the hello is.
    ///
    /// # Errors
    /// [`PacketError`] when it is not as long as a hello must be.
    pub fn read(payload: &[u8], sealed: bool) -> Result<(Self, &[u8]), PacketError> {
        let short = PacketError::Short { len: payload.len() };
        if payload.len() != if sealed { MAX_SEALED } else { MAX_PAYLOAD } {
            return Err(short);
        }
        let (wire, rest) = le::split::<FrontWire>(payload).ok_or(short)?;
        Ok((Self { versions: (wire.min_version, wire.max_version), cookie: wire.cookie }, rest))
    }

    /// Writes a sealed hello's payload: the front, then the message, or zeros where there is none yet.
    pub fn write_sealed(&self, message: &[u8], out: &mut Vec<u8>) {
        self.write(out);
        out.extend_from_slice(message);
        out.resize(MAX_SEALED, 0);
    }

    fn write(&self, out: &mut Vec<u8>) {
        out.clear();
        let (min_version, max_version) = self.versions;
        out.extend_from_slice(bytemuck::bytes_of(&FrontWire { min_version, max_version, reserved: [0; 6], cookie: self.cookie }));
    }
}

impl Hello {
    /// Writes the payload of a hello that is not sealed: the message, then zeros up to the longest payload.
    pub fn write(&self, out: &mut Vec<u8>) {
        Front { versions: self.versions, cookie: self.cookie }.write(out);
        self.write_body(BODY_LEN, out);
    }

    /// Writes what is sealed of a hello.
    pub fn write_secret(&self, out: &mut Vec<u8>) {
        out.clear();
        self.write_body(SECRET_LEN, out);
    }

    fn write_body(&self, len: usize, out: &mut Vec<u8>) {
        let end = out.len() + len;
        out.extend_from_slice(bytemuck::bytes_of(&RangeWire { first: self.first.0.into(), next: self.next.0.into() }));
        write_description(out, &self.description, len - size_of::<RangeWire>());
        out.resize(end, 0);
    }

    /// Reads the payload of a hello that is not sealed.
    ///
    /// # Errors
    /// [`PacketError`] when it is not as long as a hello must be, or a field is out of range.
    pub fn read(payload: &[u8]) -> Result<Self, PacketError> {
        let (front, body) = Front::read(payload, false)?;
        Self::read_body(front, body)
    }

    /// Reads what follows the front, decrypted where it was sealed.
    ///
    /// # Errors
    /// [`PacketError`] when bytes are missing, or a field is out of range.
    pub fn read_body(front: Front, body: &[u8]) -> Result<Self, PacketError> {
        let (wire, rest) = le::split::<RangeWire>(body).ok_or(PacketError::Short { len: body.len() })?;
        let (first, next) = (wire.first.value(), wire.next.value());
        if first > next {
            return Err(PacketError::Invalid { field: "log range" });
        }
        Ok(Self {
            versions: front.versions,
            cookie: front.cookie,
            first: SourceNumber(first),
            next: SourceNumber(next),
            description: read_description(rest)?.0,
        })
    }
}

/// What the two sides of a handshake must agree on: the protocol, its versions, the session, and the cookie, which ties it to the
/// sender's address, the receiver's process and a few seconds.
pub fn prologue(session: SessionId, front: &Front) -> [u8; PROLOGUE_LEN] {
    let mut prologue = [0; PROLOGUE_LEN];
    let (name, rest) = prologue.split_at_mut(PROTOCOL.len());
    name.copy_from_slice(PROTOCOL);
    rest[0] = VERSION;
    rest[1] = front.versions.0;
    rest[2] = front.versions.1;
    rest[3..11].copy_from_slice(&session.0.to_le_bytes());
    rest[11..].copy_from_slice(&front.cookie);
    prologue
}

const PROTOCOL: &[u8; 10] = b"Send Learn";
const PROLOGUE_LEN: usize = PROTOCOL.len() + 3 + 8 + 16;

/// The receiver accepts a session, and says from where the sender goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HelloAck {
    /// The receiver's identity.
    pub receiver: ReceiverId,
    /// All entries below this are durable.
    pub durable: SourceNumber,
    /// Wire format version chosen for the session.
    pub version: u8,
}

#[derive(Clone, Copy, Pod, Zeroable)]
#[repr(C)]
struct HelloAckWire {
    receiver: ReceiverId,
    durable: U64,
    version: u8,
    reserved: [u8; 7],
}

const _: () = assert!(size_of::<HelloAckWire>() == 32);

impl HelloAck {
    /// Writes the payload.
    pub fn write(&self, out: &mut Vec<u8>) {
        out.clear();
        out.extend_from_slice(bytemuck::bytes_of(&HelloAckWire {
            receiver: self.receiver,
            durable: self.durable.0.into(),
            version: self.version,
            reserved: [0; 7],
        }));
    }

    /// Reads the payload.
    ///
    /// # Errors
    /// [`PacketError::Short`] when bytes are missing.
    pub fn read(payload: &[u8]) -> Result<Self, PacketError> {
        let (wire, _) = le::split::<HelloAckWire>(payload).ok_or(PacketError::Short { len: payload.len() })?;
        Ok(Self { receiver: wire.receiver, durable: SourceNumber(wire.durable.value()), version: wire.version })
    }
}
