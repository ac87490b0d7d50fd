//! Records about the take itself: markers, gaps, names, and its end.

use bytemuck::{Pod, Zeroable};

use super::{END, GAP, MARKER, PARAMETER, PROPERTY, RecordError, fields, fitting, text, write_record};
use crate::le::{U32, U64};
use crate::units::SamplePosition;

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
    /// What follows is private: it must not leave the recording.
    PrivateOn = 6,
    /// What follows is no longer private.
    PrivateOff = 7,
    /// Capture was switched off: what follows does not leave the studio machine.
    CaptureOff = 8,
    /// Capture was switched on again.
    CaptureOn = 9,
    /// The tempo jumped.
    Tempo = 10,
    /// A kind that this version does not know.
    Other = 255,
}

impl MarkerKind {
    /// The kind that a wire byte stands for.
    pub fn from_wire(code: u8) -> Self {
        let music = [Self::Text, Self::Locate, Self::Loop, Self::Tempo];
        let switches = [Self::BypassOn, Self::BypassOff, Self::PrivateOn, Self::PrivateOff, Self::CaptureOff, Self::CaptureOn];
        music.into_iter().chain(switches).find(|kind| *kind as u8 == code).unwrap_or(Self::Other)
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

const _: () = assert!(size_of::<MarkerWire>() == 16);

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
    /// Capture was switched off.
    CaptureOff = 7,
    /// It was private, and what is private was not to leave the studio machine.
    Private = 8,
    /// A reason that this version does not know.
    Other = 255,
}

impl GapReason {
    /// The reason that a wire byte stands for.
    pub fn from_wire(code: u8) -> Self {
        let lost = [Self::RingFull, Self::RetentionFull, Self::SenderRestarted, Self::Interrupted];
        let meant = [Self::Bypassed, Self::EndOfAudio, Self::CaptureOff, Self::Private];
        lost.into_iter().chain(meant).find(|reason| *reason as u8 == code).unwrap_or(Self::Other)
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

const _: () = assert!(size_of::<GapWire>() == 24);

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
    /// The sender's program ended without a last word, and a later one sent what it had left.
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

const _: () = assert!(size_of::<EndWire>() == 16);

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
