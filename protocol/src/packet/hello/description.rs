//! What a stream and its take are, in a hello (spec/wire-format.md, section 3.1), in journals and for viewers.

use bytemuck::{Pod, Zeroable};

use crate::le::{self, F64, U16, U32, U64};
use crate::packet::PacketError;
use crate::units::{HostId, HostNanos, MachineId, StreamId, TakeId};

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
    /// The take that this one replays, a UUID.
    pub const REPLAY_OF: Self = Self(11);
    /// The track's colour in the host, as `#rrggbb`.
    pub const COLOUR: Self = Self(12);

    /// The name used for attributes in recordings and tables; `None` for keys that this version does not know.
    pub fn label(self) -> Option<&'static str> {
        const LABELS: [&str; 12] = [
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
            "replay_of",
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
