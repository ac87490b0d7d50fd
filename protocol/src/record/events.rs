//! All records but audio: fixed fields, some with a text or bytes behind them.

use bytemuck::{Pod, Zeroable};

use super::{MAX_BODY, RecordError, write_header};
use crate::le::{self, F64, I32, I64, U16, U32, U64};
use crate::units::{HostNanos, SamplePosition};

pub(super) const BLOCK: u8 = 2;
pub(super) const MIDI: u8 = 3;
pub(super) const AUTOMATION: u8 = 4;
pub(super) const TRANSPORT: u8 = 5;
pub(super) const CLOCK: u8 = 6;
pub(super) const MARKER: u8 = 7;
pub(super) const GAP: u8 = 8;
pub(super) const PARAMETER: u8 = 9;
pub(super) const PROPERTY: u8 = 10;
pub(super) const END: u8 = 11;

fn fields<T: Pod>(body: &[u8]) -> Result<(&T, &[u8]), RecordError> {
    le::split(body).ok_or(RecordError::Truncated)
}

fn text(bytes: &[u8]) -> Result<&str, RecordError> {
    std::str::from_utf8(bytes).map_err(|_| RecordError::Invalid { field: "text" })
}

fn write_record<T: Pod>(out: &mut Vec<u8>, kind: u8, fixed: &T, tail: &[u8]) {
    let tail = &tail[..tail.len().min(MAX_BODY - size_of::<T>())];
    write_header(out, kind, size_of::<T>() + tail.len());
    out.extend_from_slice(bytemuck::bytes_of(fixed));
    out.extend_from_slice(tail);
}

/// As much of `text` as fits behind the fixed fields `T`, cut at a character boundary.
fn fitting<T>(text: &str) -> &[u8] {
    &text.as_bytes()[..text.floor_char_boundary(MAX_BODY - size_of::<T>())]
}

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

/// What kind of MIDI event a record holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum MidiKind {
    /// A MIDI 1.0 channel or system message of one to three bytes.
    Message = 0,
    /// A system exclusive message, F0 to F7 included, or its first part.
    SysEx = 1,
    /// A further part of the system exclusive message before.
    SysExContinued = 2,
    /// A note expression of CLAP: `bytes[0]` is its number (CLAP's order), `bytes[1]` the key, `bytes[2]` the channel.
    NoteExpression = 3,
}

/// A MIDI event at its sample.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MidiEvent<'a> {
    /// Where it happens.
    pub position: SamplePosition,
    /// What it is.
    pub kind: MidiKind,
    /// Status and data bytes; unused ones are 0.
    pub bytes: [u8; 3],
    /// The host's note identity; -1 where there is none.
    pub note_id: i32,
    /// The value in the host's full resolution: velocity and pressure 0 to 1, bend 0 to 1 with 0.5 as its middle, note
    /// expressions as CLAP defines them; 0 where the bytes say all.
    pub value: f64,
    /// Bytes of a system exclusive message; empty otherwise.
    pub data: &'a [u8],
}

#[derive(Clone, Copy, Pod, Zeroable)]
#[repr(C)]
struct MidiWire {
    position: U64,
    kind: u8,
    bytes: [u8; 3],
    note_id: I32,
    value: F64,
}

/// The most bytes of system exclusive data in one record.
pub const MAX_SYSEX_PART: usize = MAX_BODY - size_of::<MidiWire>();

impl<'a> MidiEvent<'a> {
    pub(super) fn read(body: &'a [u8]) -> Result<Self, RecordError> {
        let (wire, data) = fields::<MidiWire>(body)?;
        let kinds = [MidiKind::Message, MidiKind::SysEx, MidiKind::SysExContinued, MidiKind::NoteExpression];
        let kind = kinds.into_iter().find(|kind| *kind as u8 == wire.kind).ok_or(RecordError::Invalid { field: "MIDI kind" })?;
        Ok(Self {
            position: SamplePosition(wire.position.value()),
            kind,
            bytes: wire.bytes,
            note_id: wire.note_id.value(),
            value: wire.value.value(),
            data,
        })
    }

    pub(super) fn write(&self, out: &mut Vec<u8>) {
        let wire = MidiWire {
            position: self.position.0.into(),
            kind: self.kind as u8,
            bytes: self.bytes,
            note_id: self.note_id.into(),
            value: self.value.into(),
        };
        write_record(out, MIDI, &wire, self.data);
    }
}

/// A parameter's value from a position on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Automation {
    /// From where the value holds.
    pub position: SamplePosition,
    /// The parameter, as in its [`Parameter`] record.
    pub parameter: u32,
    /// 0 to 1.
    pub normalized: f64,
    /// In the parameter's own unit.
    pub plain: f64,
}

#[derive(Clone, Copy, Pod, Zeroable)]
#[repr(C)]
struct AutomationWire {
    position: U64,
    parameter: U32,
    reserved: U32,
    normalized: F64,
    plain: F64,
}

impl Automation {
    pub(super) fn read(body: &[u8]) -> Result<Self, RecordError> {
        let (wire, _) = fields::<AutomationWire>(body)?;
        Ok(Self {
            position: SamplePosition(wire.position.value()),
            parameter: wire.parameter.value(),
            normalized: wire.normalized.value(),
            plain: wire.plain.value(),
        })
    }

    pub(super) fn write(&self, out: &mut Vec<u8>) {
        let wire = AutomationWire {
            position: self.position.0.into(),
            parameter: self.parameter.into(),
            reserved: 0.into(),
            normalized: self.normalized.into(),
            plain: self.plain.into(),
        };
        write_record(out, AUTOMATION, &wire, &[]);
    }
}

/// Which fields of a [`Transport`] the host gave, and its switches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct TransportFlags(pub u16);

impl TransportFlags {
    /// The playhead moves.
    pub const PLAYING: Self = Self(1);
    /// The host records.
    pub const RECORDING: Self = Self(1 << 1);
    /// The host loops between `loop_start` and `loop_end`.
    pub const LOOPING: Self = Self(1 << 2);
    /// `tempo` is given.
    pub const TEMPO: Self = Self(1 << 3);
    /// `meter` is given.
    pub const METER: Self = Self(1 << 4);
    /// `playhead` is given.
    pub const PLAYHEAD: Self = Self(1 << 5);
    /// `seconds` is given.
    pub const SECONDS: Self = Self(1 << 6);
    /// `ppq` is given.
    pub const PPQ: Self = Self(1 << 7);
    /// `bar_start` and `bar` are given.
    pub const BAR: Self = Self(1 << 8);

    /// Whether all of `other`'s bits are set.
    pub fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// With `other`'s bits set if `on`.
    #[must_use]
    pub fn with(self, other: Self, on: bool) -> Self {
        if on { Self(self.0 | other.0) } else { self }
    }
}

/// The host's transport from a position on. Fields that `flags` does not name are 0.
#[derive(Clone, Copy, Debug, PartialEq, Default)]
pub struct Transport {
    /// From where it holds.
    pub position: SamplePosition,
    /// Switches, and which fields are given.
    pub flags: TransportFlags,
    /// Beats per bar and the note value of a beat (4 = quarter).
    pub meter: (u16, u16),
    /// The bar's number, from 0.
    pub bar: i32,
    /// Quarter notes per minute.
    pub tempo: f64,
    /// Playhead in samples; negative in a count-in.
    pub playhead: i64,
    /// Playhead in seconds.
    pub seconds: f64,
    /// Playhead in quarter notes.
    pub ppq: f64,
    /// Where the bar began, in quarter notes.
    pub bar_start: f64,
    /// Loop range in quarter notes.
    pub loop_range: (f64, f64),
}

#[derive(Clone, Copy, Pod, Zeroable)]
#[repr(C)]
struct TransportWire {
    position: U64,
    flags: U16,
    numerator: U16,
    denominator: U16,
    reserved: U16,
    bar: I32,
    reserved2: U32,
    tempo: F64,
    playhead: I64,
    seconds: F64,
    ppq: F64,
    bar_start: F64,
    loop_start: F64,
    loop_end: F64,
}

const _: () = assert!(size_of::<TransportWire>() == 80);

impl Transport {
    pub(super) fn read(body: &[u8]) -> Result<Self, RecordError> {
        let (wire, _) = fields::<TransportWire>(body)?;
        Ok(Self {
            position: SamplePosition(wire.position.value()),
            flags: TransportFlags(wire.flags.value()),
            meter: (wire.numerator.value(), wire.denominator.value()),
            bar: wire.bar.value(),
            tempo: wire.tempo.value(),
            playhead: wire.playhead.value(),
            seconds: wire.seconds.value(),
            ppq: wire.ppq.value(),
            bar_start: wire.bar_start.value(),
            loop_range: (wire.loop_start.value(), wire.loop_end.value()),
        })
    }

    pub(super) fn write(&self, out: &mut Vec<u8>) {
        let wire = TransportWire {
            position: self.position.0.into(),
            flags: self.flags.0.into(),
            numerator: self.meter.0.into(),
            denominator: self.meter.1.into(),
            reserved: 0.into(),
            bar: self.bar.into(),
            reserved2: 0.into(),
            tempo: self.tempo.into(),
            playhead: self.playhead.into(),
            seconds: self.seconds.into(),
            ppq: self.ppq.into(),
            bar_start: self.bar_start.into(),
            loop_start: self.loop_range.0.into(),
            loop_end: self.loop_range.1.into(),
        };
        write_record(out, TRANSPORT, &wire, &[]);
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

/// What a marker marks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
#[non_exhaustive]
pub enum MarkerKind {
    /// A text, marker, cue or lyric of the music itself.
    Text = 1,
    /// The playhead jumped.
    Locate = 2,
    /// The playhead jumped back to the begin of the loop.
    Loop = 3,
    /// Bypass went on: what follows is not captured.
    BypassOn = 4,
    /// Bypass went off.
    BypassOff = 5,
    /// A kind that this version does not know.
    Other = 255,
}

impl MarkerKind {
    fn from_wire(code: u8) -> Self {
        [Self::Text, Self::Locate, Self::Loop, Self::BypassOn, Self::BypassOff]
            .into_iter()
            .find(|kind| *kind as u8 == code)
            .unwrap_or(Self::Other)
    }
}

/// Something worth a note at a position.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Marker<'a> {
    /// Where.
    pub position: SamplePosition,
    /// What.
    pub kind: MarkerKind,
    /// In words; may be empty.
    pub text: &'a str,
}

#[derive(Clone, Copy, Pod, Zeroable)]
#[repr(C)]
struct MarkerWire {
    position: U64,
    kind: u8,
    reserved: [u8; 7],
}

impl<'a> Marker<'a> {
    pub(super) fn read(body: &'a [u8]) -> Result<Self, RecordError> {
        let (wire, tail) = fields::<MarkerWire>(body)?;
        Ok(Self { position: SamplePosition(wire.position.value()), kind: MarkerKind::from_wire(wire.kind), text: text(tail)? })
    }

    pub(super) fn write(&self, out: &mut Vec<u8>) {
        let wire = MarkerWire { position: self.position.0.into(), kind: self.kind as u8, reserved: [0; 7] };
        write_record(out, MARKER, &wire, fitting::<MarkerWire>(self.text));
    }
}

/// Why samples were not captured, or are missing from a recording.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
#[non_exhaustive]
pub enum GapReason {
    /// The ring between audio thread and uplink was full.
    RingFull = 1,
    /// The plugin was bypassed.
    Bypassed = 2,
    /// The sender's retention was full before the receiver had the samples.
    RetentionFull = 3,
    /// The sender was restarted and no longer has the samples.
    SenderRestarted = 4,
    /// The receiver closed the recording before the samples came.
    Interrupted = 5,
    /// The file's audio had ended; its MIDI went on.
    EndOfAudio = 6,
    /// A reason that this version does not know.
    Other = 255,
}

impl GapReason {
    /// The reason that a wire byte stands for.
    pub fn from_wire(code: u8) -> Self {
        [Self::RingFull, Self::Bypassed, Self::RetentionFull, Self::SenderRestarted, Self::Interrupted, Self::EndOfAudio]
            .into_iter()
            .find(|reason| *reason as u8 == code)
            .unwrap_or(Self::Other)
    }
}

/// Samples that were not captured: the counter went on, the audio record after it stands at `position + frames`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gap {
    /// The first sample that is missing.
    pub position: SamplePosition,
    /// How many frames are missing.
    pub frames: u64,
    /// Why.
    pub reason: GapReason,
}

#[derive(Clone, Copy, Pod, Zeroable)]
#[repr(C)]
struct GapWire {
    position: U64,
    frames: U64,
    reason: u8,
    reserved: [u8; 7],
}

impl Gap {
    pub(super) fn read(body: &[u8]) -> Result<Self, RecordError> {
        let (wire, _) = fields::<GapWire>(body)?;
        Ok(Self {
            position: SamplePosition(wire.position.value()),
            frames: wire.frames.value(),
            reason: GapReason::from_wire(wire.reason),
        })
    }

    pub(super) fn write(&self, out: &mut Vec<u8>) {
        let wire =
            GapWire { position: self.position.0.into(), frames: self.frames.into(), reason: self.reason as u8, reserved: [0; 7] };
        write_record(out, GAP, &wire, &[]);
    }
}

/// A parameter of the plugin and its name; stands before the parameter's first automation record.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Parameter<'a> {
    /// The number that automation records use.
    pub parameter: u32,
    /// What the host shows.
    pub name: &'a str,
}

impl<'a> Parameter<'a> {
    pub(super) fn read(body: &'a [u8]) -> Result<Self, RecordError> {
        let (parameter, tail) = fields::<U32>(body)?;
        Ok(Self { parameter: parameter.value(), name: text(tail)? })
    }

    pub(super) fn write(&self, out: &mut Vec<u8>) {
        write_record(out, PARAMETER, &U32::from(self.parameter), fitting::<U32>(self.name));
    }
}

/// A text of the description that changed during the take (a track was renamed).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Property<'a> {
    /// Which text, as in the hello.
    pub key: u8,
    /// The new text.
    pub text: &'a str,
}

impl<'a> Property<'a> {
    pub(super) fn read(body: &'a [u8]) -> Result<Self, RecordError> {
        let (key, tail) = fields::<U32>(body)?;
        let key = u8::try_from(key.value()).map_err(|_| RecordError::Invalid { field: "property key" })?;
        Ok(Self { key, text: text(tail)? })
    }

    pub(super) fn write(&self, out: &mut Vec<u8>) {
        write_record(out, PROPERTY, &U32::from(u32::from(self.key)), fitting::<U32>(self.text));
    }
}

/// Why a take ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
#[non_exhaustive]
pub enum EndReason {
    /// The host deactivated the plugin, or changed rate or layout.
    Deactivated = 1,
    /// The file that was sent is at its end.
    EndOfFile = 2,
    /// The person stopped it.
    Stopped = 3,
    /// The receiver closed the recording while the sender was away.
    Interrupted = 4,
    /// A reason that this version does not know.
    Other = 255,
}

impl EndReason {
    fn from_wire(code: u8) -> Self {
        [Self::Deactivated, Self::EndOfFile, Self::Stopped, Self::Interrupted]
            .into_iter()
            .find(|reason| *reason as u8 == code)
            .unwrap_or(Self::Other)
    }
}

/// The end of the take: the last record of its log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct End {
    /// The position after the last sample: the take's length in frames.
    pub position: SamplePosition,
    /// Why it ended.
    pub reason: EndReason,
}

#[derive(Clone, Copy, Pod, Zeroable)]
#[repr(C)]
struct EndWire {
    position: U64,
    reason: u8,
    reserved: [u8; 7],
}

impl End {
    pub(super) fn read(body: &[u8]) -> Result<Self, RecordError> {
        let (wire, _) = fields::<EndWire>(body)?;
        Ok(Self { position: SamplePosition(wire.position.value()), reason: EndReason::from_wire(wire.reason) })
    }

    pub(super) fn write(&self, out: &mut Vec<u8>) {
        let wire = EndWire { position: self.position.0.into(), reason: self.reason as u8, reserved: [0; 7] };
        write_record(out, END, &wire, &[]);
    }
}
