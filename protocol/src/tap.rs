//! The tap: how a viewer follows a running receiver, over a local or LAN TCP connection (spec/tap.md).
//!
//! Both sides first send [`GREETING`]. Then the receiver sends frames; the viewer sends nothing more. The receiver keeps a
//! bounded queue for each viewer and leaves out what a slow one cannot take: the recording never waits for a viewer.
//!
//! With a key, both send [`KEYED_GREETING`], a handshake follows, and frames are sealed: see [`door`](Door) for the receiver's side
//! and [`reader`](FrameReader) for the viewer's.

mod door;
mod reader;

pub use door::{Admission, Door, FrameSealer, WRONG_KEY};
pub use reader::FrameReader;

use bytemuck::{Pod, Zeroable};

use crate::le::{self, F64, U32, U64};
use crate::packet::hello::{Description, read_description, write_description};
use crate::quality::Level;
use crate::units::HostNanos;

/// What each side sends first. The last byte is the version.
pub const GREETING: [u8; 8] = *b"SLTAP\0\0\x01";

/// What each side sends first when it has a key.
pub const KEYED_GREETING: [u8; 8] = *b"SLTAP\0\x01\x01";

/// The longest body of a frame.
pub const MAX_FRAME: usize = 65_536;

/// How an entry came to the receiver.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Arrival {
    /// By its first transmission.
    Live = 0,
    /// Rebuilt from parity.
    Repaired = 1,
    /// Sent again on request.
    Resent = 2,
    /// Caught up after an outage.
    Backfill = 3,
}

impl Arrival {
    /// The arrival that a stored or received byte stands for.
    pub fn from_wire(code: u8) -> Option<Self> {
        [Self::Live, Self::Repaired, Self::Resent, Self::Backfill].into_iter().find(|arrival| *arrival as u8 == code)
    }
}

/// How a stream fares, twice a second.
#[derive(Clone, Copy, Debug, PartialEq, Default)]
pub struct Health {
    /// Share of datagrams lost before any repair over the last seconds, 0 to 1.
    pub loss: f64,
    /// Share of entries that were late for the live view (neither delivered nor repaired at once), 0 to 1.
    pub residual_loss: f64,
    /// Payload bits received per second.
    pub bits_per_second: f64,
    /// Interarrival jitter (RFC 3550) in milliseconds.
    pub jitter_ms: f64,
    /// One-way delay of the newest block from host to receiver by the measured clock offset, in milliseconds; NaN if unknown.
    pub latency_ms: f64,
    /// Of the newest block that came without repair: its length, for which the host's sound waits until the block is whole, in
    /// milliseconds; NaN if unknown.
    pub host_ms: f64,
    /// Of that block: from the host until its last datagram left, in milliseconds; NaN if unknown.
    pub uplink_ms: f64,
    /// Of that block: from there to the receiver by the measured clock offset, in milliseconds; NaN if unknown.
    pub network_ms: f64,
    /// Quality level of the live path: 1.0, 0.7 or 0.3.
    pub level: f64,
    /// Seconds of audio that are received but not yet durable.
    pub durable_lag: f64,
    /// Entries rebuilt from parity since the session began.
    pub repaired: u64,
    /// Entries that came as repeats or back-fill since the session began.
    pub resent: u64,
    /// Entries known to exist and still missing.
    pub owed: u64,
    /// Frames recorded as gaps.
    pub gap_frames: u64,
}

/// One frame of the tap.
#[derive(Clone, Debug, PartialEq)]
pub enum Frame {
    /// A stream's take begins, or a viewer that came late is told of one that runs.
    StreamUp {
        /// The take's number on this connection.
        key: u32,
        /// What it is.
        description: Description,
    },
    /// An entry of the take's log, as it arrived: possibly out of order, each at most once.
    Entry {
        /// The take.
        key: u32,
        /// How it came.
        arrival: Arrival,
        /// When it came, on the receiver's clock.
        arrived: HostNanos,
        /// The entry; see [`record::records`](crate::record::records).
        entry: Vec<u8>,
    },
    /// A preview of entries that come later, as it arrived, each at most once: their records, with samples in fewer bits. What it
    /// holds comes again, exact, as [`Entry`](Self::Entry).
    Preview {
        /// The take.
        key: u32,
        /// How it came: live or repaired.
        arrival: Arrival,
        /// How it was sent: 0.7 or 0.3.
        level: Level,
        /// When it came, on the receiver's clock.
        arrived: HostNanos,
        /// Eight bytes, then records; see [`record::records`](crate::record::records).
        preview: Vec<u8>,
    },
    /// How the stream fares.
    Health {
        /// The take.
        key: u32,
        /// The figures.
        health: Health,
    },
    /// The take ended, or its sender has been silent for long.
    StreamDown {
        /// The take.
        key: u32,
    },
}

const STREAM_UP: u32 = 1;
const ENTRY: u32 = 2;
const HEALTH: u32 = 3;
const STREAM_DOWN: u32 = 4;
const PREVIEW: u32 = 5;

#[derive(Clone, Copy, Pod, Zeroable)]
#[repr(C)]
struct FrameWire {
    len: U32,
    kind: U32,
    key: U32,
}

#[derive(Clone, Copy, Pod, Zeroable)]
#[repr(C)]
struct EntryWire {
    arrived: U64,
    arrival: u8,
    /// Tenths of the level, in a preview; otherwise 0.
    level: u8,
    reserved: [u8; 6],
}

#[derive(Clone, Copy, Pod, Zeroable)]
#[repr(C)]
struct HealthWire {
    shares: [F64; 7],
    counts: [U64; 4],
    stages: [F64; 3],
}

/// Why bytes are not a frame of the tap. The connection is of no more use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TapError {
    /// The other side is no receiver, or one of another version.
    #[error("the other side is not a Send Learn receiver of this version")]
    Greeting,
    /// The receiver encrypts, and the viewer has no key.
    #[error("the receiver needs its key: \"send-learn key\" shows it there, and \"send-learn key --set\" enters it here")]
    KeyNeeded,
    /// The keys of the two sides differ.
    #[error("the receiver has another key: \"send-learn key\" shows it there, and \"send-learn key --set\" enters it here")]
    WrongKey,
    /// The viewer has a key, and the receiver has none.
    #[error(
        "the receiver has no key, or was told not to use it, and this machine has one: is this the right receiver? If it is, \"send-learn key --set\" enters the key there"
    )]
    NoKey,
    /// What came was not sealed by the receiver.
    #[error("what came is not from the receiver: somebody, or a fault, has changed it")]
    NotAuthentic,
    /// A frame is longer than [`MAX_FRAME`].
    #[error("frame of {len} bytes is over the limit of {MAX_FRAME}")]
    Limit {
        /// The length stated.
        len: u32,
    },
    /// A frame's body is not what its kind says.
    #[error("invalid frame")]
    Invalid,
}

impl Frame {
    /// Appends the frame to `out`.
    pub fn write(&self, out: &mut Vec<u8>) {
        let start = out.len();
        let (kind, key) = match self {
            Self::StreamUp { key, .. } => (STREAM_UP, *key),
            Self::Entry { key, .. } => (ENTRY, *key),
            Self::Preview { key, .. } => (PREVIEW, *key),
            Self::Health { key, .. } => (HEALTH, *key),
            Self::StreamDown { key } => (STREAM_DOWN, *key),
        };
        out.extend_from_slice(bytemuck::bytes_of(&FrameWire { len: 0.into(), kind: kind.into(), key: key.into() }));
        match self {
            Self::StreamUp { description, .. } => write_description(out, description, MAX_FRAME),
            Self::Entry { arrival, arrived, entry, .. } => {
                let wire = EntryWire { arrived: arrived.0.into(), arrival: *arrival as u8, level: 0, reserved: [0; 6] };
                out.extend_from_slice(bytemuck::bytes_of(&wire));
                out.extend_from_slice(entry);
            }
            Self::Preview { arrival, level, arrived, preview, .. } => {
                let wire =
                    EntryWire { arrived: arrived.0.into(), arrival: *arrival as u8, level: level.tenths(), reserved: [0; 6] };
                out.extend_from_slice(bytemuck::bytes_of(&wire));
                out.extend_from_slice(preview);
            }
            Self::Health { health: h, .. } => {
                let shares = [h.loss, h.residual_loss, h.bits_per_second, h.jitter_ms, h.latency_ms, h.level, h.durable_lag];
                let counts = [h.repaired, h.resent, h.owed, h.gap_frames];
                let stages = [h.host_ms, h.uplink_ms, h.network_ms].map(F64::from);
                let wire = HealthWire { shares: shares.map(F64::from), counts: counts.map(U64::from), stages };
                out.extend_from_slice(bytemuck::bytes_of(&wire));
            }
            Self::StreamDown { .. } => {}
        }
        let len = (out.len() - start - size_of::<FrameWire>()) as u32;
        out[start..start + 4].copy_from_slice(&len.to_le_bytes());
    }
}

fn read_frame(kind: u32, key: u32, body: &[u8]) -> Result<Option<Frame>, TapError> {
    Ok(Some(match kind {
        STREAM_UP => Frame::StreamUp { key, description: read_description(body).map_err(|_| TapError::Invalid)?.0 },
        ENTRY => {
            let (wire, entry) = le::split::<EntryWire>(body).ok_or(TapError::Invalid)?;
            Frame::Entry {
                key,
                arrival: Arrival::from_wire(wire.arrival).ok_or(TapError::Invalid)?,
                arrived: HostNanos(wire.arrived.value()),
                entry: entry.to_vec(),
            }
        }
        PREVIEW => {
            let (wire, preview) = le::split::<EntryWire>(body).ok_or(TapError::Invalid)?;
            Frame::Preview {
                key,
                arrival: Arrival::from_wire(wire.arrival).ok_or(TapError::Invalid)?,
                level: Level::from_tenths(wire.level).ok_or(TapError::Invalid)?,
                arrived: HostNanos(wire.arrived.value()),
                preview: preview.to_vec(),
            }
        }
        HEALTH => {
            let (wire, _) = le::split::<HealthWire>(body).ok_or(TapError::Invalid)?;
            let [loss, residual_loss, bits_per_second, jitter_ms, latency_ms, level, durable_lag] = wire.shares.map(F64::value);
            let [repaired, resent, owed, gap_frames] = wire.counts.map(U64::value);
            let [host_ms, uplink_ms, network_ms] = wire.stages.map(F64::value);
            let health = Health {
                loss,
                residual_loss,
                bits_per_second,
                jitter_ms,
                latency_ms,
                host_ms,
                uplink_ms,
                network_ms,
                level,
                durable_lag,
                repaired,
                resent,
                owed,
                gap_frames,
            };
            Frame::Health { key, health }
        }
        STREAM_DOWN => Frame::StreamDown { key },
        _ => return Ok(None),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::packet::hello::PropertyKey;
    use crate::units::{HostId, MachineId, StreamId, TakeId};

    #[test]
    fn frames_read_back_however_the_bytes_are_cut() {
        let description = Description {
            stream: StreamId([1; 16]),
            take: TakeId([2; 16]),
            host: HostId([3; 16]),
            machine: MachineId([4; 16]),
            sample_rate: 48_000.0,
            channels: 2,
            max_block: 512,
            started_unix_nanos: 5,
            started: HostNanos(6),
            properties: vec![(PropertyKey::NAME, "Bass".into())],
        };
        let frames = [
            Frame::StreamUp { key: 1, description },
            Frame::Entry { key: 1, arrival: Arrival::Repaired, arrived: HostNanos(9), entry: vec![1, 2, 3] },
            Frame::Preview { key: 1, arrival: Arrival::Live, level: Level::Coarse, arrived: HostNanos(10), preview: vec![4] },
            Frame::Health { key: 1, health: Health { loss: 0.05, owed: 3, ..Health::default() } },
            Frame::StreamDown { key: 1 },
        ];
        let mut bytes = GREETING.to_vec();
        frames.iter().for_each(|frame| frame.write(&mut bytes));
        for step in [1, 7, bytes.len()] {
            let mut reader = FrameReader::default();
            let mut read = Vec::new();
            for part in bytes.chunks(step) {
                reader.push(part);
                while let Some(frame) = reader.next_frame().unwrap() {
                    read.push(frame);
                }
            }
            assert_eq!(read, frames);
        }
    }

    #[test]
    fn another_program_is_noticed() {
        let mut reader = FrameReader::default();
        reader.push(b"HTTP/1.1 400 Bad Request");
        assert_eq!(reader.next_frame(), Err(TapError::Greeting));
    }

    #[test]
    fn a_frame_over_the_limit_is_refused_before_it_is_kept() {
        let mut reader = FrameReader::default();
        reader.push(&GREETING);
        reader.push(&[0xFF; 12]);
        assert_eq!(reader.next_frame(), Err(TapError::Limit { len: u32::MAX }));
    }
}
