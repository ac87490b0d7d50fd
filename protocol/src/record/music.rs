//! MIDI, automation and transport: what the host hands over besides audio.

use bytemuck::{Pod, Zeroable};

use super::{AUTOMATION, MAX_BODY, MIDI, RecordError, TRANSPORT, fields, write_record};
use crate::le::{F64, I32, I64, U16, U32, U64};
use crate::units::SamplePosition;

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

const _: () = assert!(size_of::<MidiWire>() == 24);

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
    /// The parameter, as in its [`Parameter`](super::Parameter) record.
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

const _: () = assert!(size_of::<AutomationWire>() == 32);

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
