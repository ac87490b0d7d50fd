//! When things happened: host blocks, and the clocks.

use bytemuck::{Pod, Zeroable};

use super::{BLOCK, CLOCK, RecordError, RecordWire, fields, write_record};
use crate::le::{F64, I64, U32, U64};
use crate::units::{HostNanos, SamplePosition};

/// One host block, or the pieces of one that automation had split, joined. Host blocks shorter than 64 frames are joined
/// to runs of at least 64 where they follow one another at once.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Block {
    /// Where the block begins.
    pub position: SamplePosition,
    /// Frames of the block.
    pub frames: u32,
    /// CRC-32 (IEEE 802.3) of its samples: float32, little-endian, interleaved by frame.
    pub crc: u32,
    /// The machine's monotonic clock when the host handed the block over.
    pub host: HostNanos,
    /// The host's playhead at the begin, in samples; `None` where the host gives none.
    pub playhead: Option<i64>,
}

#[derive(Clone, Copy, Pod, Zeroable)]
#[repr(C)]
struct BlockWire {
    position: U64,
    frames: U32,
    crc: U32,
    host: U64,
    playhead: I64,
}

const _: () = assert!(size_of::<BlockWire>() == 32);

/// Bytes of a block's record.
pub(super) const BLOCK_LEN: usize = size_of::<RecordWire>() + size_of::<BlockWire>();

/// The wire value of a playhead that the host does not give.
const NO_PLAYHEAD: i64 = i64::MIN;

impl Block {
    pub(super) fn read(body: &[u8]) -> Result<Self, RecordError> {
        let (wire, _) = fields::<BlockWire>(body)?;
        Ok(Self {
            position: SamplePosition(wire.position.value()),
            frames: wire.frames.value(),
            crc: wire.crc.value(),
            host: HostNanos(wire.host.value()),
            playhead: Some(wire.playhead.value()).filter(|playhead| *playhead != NO_PLAYHEAD),
        })
    }

    pub(super) fn write(&self, out: &mut Vec<u8>) {
        let wire = BlockWire {
            position: self.position.0.into(),
            frames: self.frames.into(),
            crc: self.crc.into(),
            host: self.host.0.into(),
            playhead: self.playhead.unwrap_or(NO_PLAYHEAD).into(),
        };
        write_record(out, BLOCK, &wire, &[]);
    }
}

/// A measurement of the receiver's clock against the studio machine's.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ClockEstimate {
    /// The take's sample counter when the estimate was made.
    pub position: SamplePosition,
    /// The studio machine's clock when the estimate was made.
    pub host: HostNanos,
    /// Receiver's clock less the studio machine's, in nanoseconds.
    pub offset: i64,
    /// Round trip of the exchange that the estimate rests on, in nanoseconds.
    pub round_trip: u64,
    /// The true offset is within this of `offset`, in nanoseconds: half the round trip.
    pub uncertainty: u64,
    /// How fast the offset changes, in parts per billion; 0 until it is known.
    pub drift_ppb: f64,
}

#[derive(Clone, Copy, Pod, Zeroable)]
#[repr(C)]
struct ClockWire {
    position: U64,
    host: U64,
    offset: I64,
    round_trip: U64,
    uncertainty: U64,
    drift_ppb: F64,
}

const _: () = assert!(size_of::<ClockWire>() == 48);

impl ClockEstimate {
    pub(super) fn read(body: &[u8]) -> Result<Self, RecordError> {
        let (wire, _) = fields::<ClockWire>(body)?;
        Ok(Self {
            position: SamplePosition(wire.position.value()),
            host: HostNanos(wire.host.value()),
            offset: wire.offset.value(),
            round_trip: wire.round_trip.value(),
            uncertainty: wire.uncertainty.value(),
            drift_ppb: wire.drift_ppb.value(),
        })
    }

    pub(super) fn write(&self, out: &mut Vec<u8>) {
        let wire = ClockWire {
            position: self.position.0.into(),
            host: self.host.0.into(),
            offset: self.offset.into(),
            round_trip: self.round_trip.into(),
            uncertainty: self.uncertainty.into(),
            drift_ppb: self.drift_ppb.into(),
        };
        write_record(out, CLOCK, &wire, &[]);
    }
}
