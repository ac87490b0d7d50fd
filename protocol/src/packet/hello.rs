//! The handshake: hello, retry, hello-ack, refuse (spec/wire-format.md, section 3).
//!
//! A hello fills a whole datagram, so that no answer to it is longer than it is. The receiver answers a first hello with a
//! cookie and keeps nothing; only a hello that returns the cookie creates state. With a key, all but the [front](Front) of a hello is
//! the first message of a [Noise handshake](crate::secure::noise), and the hello-ack is the second.

use bytemuck::{Pod, Zeroable};

use super::header::VERSION;
use super::{MAX_PAYLOAD, MAX_SEALED, PacketError};
use crate::le::{self, F64, U16, U32, U64};
use crate::secure::noise;
use crate::units::{HostId, HostNanos, MachineId, ReceiverId, SessionId, SourceNumber, StreamId, TakeId};

/// A cookie: proof that the sender receives what is sent to its address.
pub type Cookie = [u8; 16];

/// A named text that belongs to a stream or a take. Unknown keys pass through and are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PropertyKey(pub u8);

impl PropertyKey {
    /// The name that a person sees: the track's, or what the person typed.
    pub const NAME: Self = Self(1);
    /// The host application.
    pub const HOST: Self = Self(2);
    /// The host application's version.
    pub const HOST_VERSION: Self = Self(3);
    /// `CLAP`, `VST3`, `standalone` or `file`.
    pub const FORMAT: Self = Self(4);
    /// The version of the plugin or tool that sends.
    pub const SENDER_VERSION: Self = Self(5);
    /// The DAW project's name.
    pub const PROJECT: Self = Self(6);
    /// The machine's name.
    pub const MACHINE: Self = Self(7);
    /// Who plays.
    pub const CONTRIBUTOR: Self = Self(8);
    /// The licence that the contributor chose, as an SPDX identifier or in words.
    pub const LICENCE: Self = Self(9);
    /// The consent that the contributor gave, in the words that were shown.
    pub const CONSENT: Self = Self(10);
    /// The track's colour in the host, as `#rrggbb`.
    pub const COLOUR: Self = Self(11);

    /// The name used for attributes in recordings and tables; `None` for keys that this version does not know.
    pub fn label(self) -> Option<&'static str> {
        const LABELS: [&str; 11] = [
            "name",
            "host",
            "host_version",
            "format",
            "sender_version",
            "project",
            "machine",
            "contributor",
            "licence",
            "consent",
            "colour",
        ];
        LABELS.get(usize::from(self.0).checked_sub(1)?).copied()
    }
}

/// What a stream and its take are.
#[derive(Clone, Debug, PartialEq)]
pub struct Description {
    /// The plugin instance.
    pub stream: StreamId,
    /// The take.
    pub take: TakeId,
    /// The host process.
    pub host: HostId,
    /// The studio machine.
    pub machine: MachineId,
    /// Samples per second, finite and above 0.
    pub sample_rate: f64,
    /// Audio channels, 0 to 256. 0 is a stream of MIDI alone.
    pub channels: u16,
    /// The longest host block, in frames.
    pub max_block: u32,
    /// Wall-clock time at which the take began, in nanoseconds since 1970-01-01 UTC, as the studio machine knows it.
    pub started_unix_nanos: u64,
    /// Time on the machine's monotonic clock at which the take began.
    pub started: HostNanos,
    /// Texts, each at most 255 bytes of UTF-8.
    pub properties: Vec<(PropertyKey, String)>,
}

impl Description {
    /// The text stored under `key`, or an empty one.
    pub fn property(&self, key: PropertyKey) -> &str {
        self.properties.iter().find(|(k, _)| *k == key).map_or("", |(_, text)| text)
    }

    /// Sets the text stored under `key`, cut to 255 bytes at a character boundary.
    pub fn set_property(&mut self, key: PropertyKey, text: &str) {
        let text = text[..text.floor_char_boundary(255)].to_owned();
        match self.properties.iter_mut().find(|(k, _)| *k == key) {
            Some((_, old)) => *old = text,
            None => self.properties.push((key, text)),
        }
    }
}

/// The most channels that a stream may have.
pub const MAX_CHANNELS: u16 = 256;

#[derive(Clone, Copy, Pod, Zeroable)]
#[repr(C)]
struct DescriptionWire {
    stream: StreamId,
    take: TakeId,
    host: HostId,
    machine: MachineId,
    sample_rate: F64,
    started_unix_nanos: U64,
    started: U64,
    max_block: U32,
    channels: U16,
    properties: U16,
}

const _: () = assert!(size_of::<DescriptionWire>() == 96);

/// Appends `description` to `out`. Properties that do not fit into `room` bytes are left out, last ones first.
pub fn write_description(out: &mut Vec<u8>, description: &Description, room: usize) {
    let start = out.len();
    let mut fitting = 0;
    let mut len = size_of::<DescriptionWire>();
    for (_, text) in &description.properties {
        len += 2 + text.len();
        if len > room {
            break;
        }
        fitting += 1;
    }
    out.extend_from_slice(bytemuck::bytes_of(&DescriptionWire {
        stream: description.stream,
        take: description.take,
        host: description.host,
        machine: description.machine,
        sample_rate: description.sample_rate.into(),
        started_unix_nanos: description.started_unix_nanos.into(),
        started: description.started.0.into(),
        max_block: description.max_block.into(),
        channels: description.channels.into(),
        properties: (fitting as u16).into(),
    }));
    for (key, text) in &description.properties[..fitting] {
        out.push(key.0);
        out.push(text.len() as u8);
        out.extend_from_slice(text.as_bytes());
    }
    debug_assert!(out.len() - start <= room.max(size_of::<DescriptionWire>()));
}

/// Reads a description off the front of `bytes`; the rest is returned with it.
///
/// # Errors
/// [`PacketError`] when bytes are missing or a field is out of range.
pub fn read_description(bytes: &[u8]) -> Result<(Description, &[u8]), PacketError> {
    let short = PacketError::Short { len: bytes.len() };
    let (wire, mut rest) = le::split::<DescriptionWire>(bytes).ok_or(short)?;
    let sample_rate = wire.sample_rate.value();
    if !(sample_rate.is_finite() && sample_rate > 0.0 && sample_rate <= 10_000_000.0) {
        return Err(PacketError::Invalid { field: "sample rate" });
    }
    if wire.channels.value() > MAX_CHANNELS {
        return Err(PacketError::Invalid { field: "channel count" });
    }
    let mut properties = Vec::new();
    for _ in 0..wire.properties.value() {
        let [key, len, tail @ ..] = rest else { return Err(short) };
        let (text, tail) = tail.split_at_checked(usize::from(*len)).ok_or(short)?;
        let text = std::str::from_utf8(text).map_err(|_| PacketError::Invalid { field: "text" })?;
        properties.push((PropertyKey(*key), text.to_owned()));
        rest = tail;
    }
    let description = Description {
        stream: wire.stream,
        take: wire.take,
        host: wire.host,
        machine: wire.machine,
        sample_rate,
        channels: wire.channels.value(),
        max_block: wire.max_block.value(),
        started_unix_nanos: wire.started_unix_nanos.value(),
        started: HostNanos(wire.started.value()),
        properties,
    };
    Ok((description, rest))
}

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

/// Why a receiver declines a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[repr(u8)]
#[non_exhaustive]
pub enum Refusal {
    /// No common version of the wire format.
    #[error("the receiver speaks another version: update the older side")]
    Version = 1,
    /// As many streams are open as the receiver allows.
    #[error("the receiver has as many streams as it allows: close some, or raise its limit")]
    TooManyStreams = 2,
    /// The recording cannot be written.
    #[error("the receiver cannot write its recording: look at its messages, free disk space or mend the folder's rights")]
    Storage = 3,
    /// The receiver is being closed.
    #[error("the receiver is closing: start it again")]
    Closing = 4,
    /// The take was closed by the receiver earlier, as complete.
    #[error("the take is already complete")]
    Complete = 5,
    /// The receiver knows nothing of the session: it was restarted, or has dropped the session. Ask for a new one.
    #[error("the receiver was restarted")]
    UnknownSession = 6,
    /// The receiver takes only what is encrypted, and the sender has no key.
    #[error("the receiver needs its key: \"send-learn key\" shows it there")]
    KeyNeeded = 7,
    /// The receiver cannot decrypt what the sender says: their keys differ.
    #[error("the receiver has another key: \"send-learn key\" shows it there")]
    WrongKey = 8,
    /// The sender encrypts, and the receiver has no key.
    #[error("the receiver has no key: make one there with \"send-learn key\", or enter this one with \"send-learn key --set\"")]
    NoKey = 9,
    /// As many streams are open from the sender's address as the receiver allows.
    #[error("the receiver has as many streams from this machine as it allows: close some")]
    TooManyFromAddress = 10,
    /// A reason that this version does not know.
    #[error("the receiver declined for a reason that this version does not know: update it")]
    Other = 255,
}

impl Refusal {
    /// Writes the payload: one byte. With a key, the [code](crate::secure::refusal) follows it, or the tag where it is sealed.
    pub fn write(self, out: &mut Vec<u8>) {
        out.clear();
        out.push(self as u8);
    }

    /// Reads the payload.
    ///
    /// # Errors
    /// [`PacketError::Short`] when it is empty.
    pub fn read(payload: &[u8]) -> Result<Self, PacketError> {
        let code = *payload.first().ok_or(PacketError::Short { len: 0 })?;
        let known = [
            Self::Version,
            Self::TooManyStreams,
            Self::Storage,
            Self::Closing,
            Self::Complete,
            Self::UnknownSession,
            Self::KeyNeeded,
            Self::WrongKey,
            Self::NoKey,
            Self::TooManyFromAddress,
        ];
        Ok(known.into_iter().find(|reason| *reason as u8 == code).unwrap_or(Self::Other))
    }
}
