//! Records: what the entries of a take's log hold (spec/wire-format.md, section 4).
//!
//! An entry (the payload of a source datagram) is its source number and then one record after another. Records of a take
//! stand in the log in the order of capture; every record that has a sample position is at or after that of the audio
//! before it, within one host block.

pub mod audio;
mod music;
mod notes;
pub mod pack;
mod preview;
mod times;

pub use audio::{AudioFragment, SampleFormat};
pub use music::{Automation, MAX_SYSEX_PART, MidiEvent, MidiKind, Transport, TransportFlags};
pub use notes::{End, EndReason, Gap, GapReason, Marker, MarkerKind, Parameter, Property};
pub use times::{Block, ClockEstimate};

use bytemuck::{Pod, Zeroable};

use crate::le::{self, U16, U64};
use crate::packet::MAX_PAYLOAD;
use crate::quality::Level;
use crate::units::SourceNumber;

/// Bytes before the first record of an entry: the source number.
pub const ENTRY_HEADER_LEN: usize = 8;

/// The longest entry. Two bytes less than a datagram's payload, which a parity shard needs for the entry's length.
pub const MAX_ENTRY: usize = MAX_PAYLOAD - 2;

/// The longest body of one record.
pub const MAX_BODY: usize = MAX_ENTRY - ENTRY_HEADER_LEN - size_of::<RecordWire>();

// Kinds of records; that of audio is with it.
const BLOCK: u8 = 2;
const MIDI: u8 = 3;
const AUTOMATION: u8 = 4;
const TRANSPORT: u8 = 5;
const CLOCK: u8 = 6;
const MARKER: u8 = 7;
const GAP: u8 = 8;
const PARAMETER: u8 = 9;
const PROPERTY: u8 = 10;
const END: u8 = 11;

#[derive(Clone, Copy, Pod, Zeroable)]
#[repr(C)]
struct RecordWire {
    kind: u8,
    flags: u8,
    len: U16,
}

const _: () = assert!(size_of::<RecordWire>() == 4);

/// One record, borrowed from the entry it was read from.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Record<'a> {
    /// Samples.
    Audio(AudioFragment<'a>),
    /// One host block: when it was played, and the checksum of its samples.
    Block(Block),
    /// A MIDI event.
    Midi(MidiEvent<'a>),
    /// A parameter's value from a position on.
    Automation(Automation),
    /// The host's transport from a position on.
    Transport(Transport),
    /// A measurement of the clocks.
    Clock(ClockEstimate),
    /// Something worth a note at a position.
    Marker(Marker<'a>),
    /// Samples that were not captured.
    Gap(Gap),
    /// A parameter of the plugin and its name.
    Parameter(Parameter<'a>),
    /// A text of the description that changed.
    Property(Property<'a>),
    /// The end of the take: nothing follows.
    End(End),
    /// A kind that this version does not know: kept in the journal, shown by number.
    Unknown {
        /// The kind's number.
        kind: u8,
        /// Its body.
        body: &'a [u8],
    },
}

/// Why the bytes of an entry are not records.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RecordError {
    /// The entry ends within a record.
    #[error("the entry ends within a record")]
    Truncated,
    /// A field holds a value that no sender would write.
    #[error("invalid {field}")]
    Invalid {
        /// The field.
        field: &'static str,
    },
    /// The samples do not decompress to as many as the record states.
    #[error("the samples cannot be decompressed")]
    Compression,
}

/// An entry's source number, without reading its records. `None` when there are too few bytes.
pub fn source_number(entry: &[u8]) -> Option<SourceNumber> {
    le::split::<U64>(entry).map(|(number, _)| SourceNumber(number.value()))
}

/// Set in the number of a preview, which source numbers never reach. The tenths of its level follow, in 7 bits.
const PREVIEW: u64 = 1 << 63;
const LEVEL_SHIFT: u32 = 56;

/// What stands in place of a source number in the preview with this number at this level.
fn preview_number(level: Level, number: u64) -> u64 {
    PREVIEW | u64::from(level.tenths()) << LEVEL_SHIFT | number & ((1 << LEVEL_SHIFT) - 1)
}

/// Level and number of a preview, which is built like an entry; `None` for an entry, or when there are too few bytes.
pub fn preview_of(bytes: &[u8]) -> Option<(Level, u64)> {
    let number = source_number(bytes)?.0;
    let tenths = (number >> LEVEL_SHIFT) as u8 & 0x7F;
    let level = Level::from_tenths(tenths).filter(|level| number & PREVIEW != 0 && *level != Level::Full)?;
    Some((level, number & ((1 << LEVEL_SHIFT) - 1)))
}

/// Whether these are the bytes of an entry, and not of a preview.
pub fn is_entry(bytes: &[u8]) -> bool {
    source_number(bytes).is_some_and(|number| number.0 & PREVIEW == 0)
}

/// The records of one entry, read in place.
pub fn records(entry: &[u8]) -> Records<'_> {
    Records { rest: entry.get(ENTRY_HEADER_LEN..).unwrap_or_default() }
}

/// Iterator over the records of an entry. After an error it ends.
#[derive(Clone, Debug)]
pub struct Records<'a> {
    rest: &'a [u8],
}

impl<'a> Iterator for Records<'a> {
    type Item = Result<Record<'a>, RecordError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let read = read_record(self.rest);
        self.rest = read.as_ref().map_or(&[], |(_, rest)| rest);
        Some(read.map(|(record, _)| record))
    }
}

fn read_record(bytes: &[u8]) -> Result<(Record<'_>, &[u8]), RecordError> {
    let (wire, rest) = le::split::<RecordWire>(bytes).ok_or(RecordError::Truncated)?;
    let (body, rest) = rest.split_at_checked(usize::from(wire.len.value())).ok_or(RecordError::Truncated)?;
    let record = match wire.kind {
        audio::KIND => Record::Audio(AudioFragment::read(body)?),
        BLOCK => Record::Block(Block::read(body)?),
        MIDI => Record::Midi(MidiEvent::read(body)?),
        AUTOMATION => Record::Automation(Automation::read(body)?),
        TRANSPORT => Record::Transport(Transport::read(body)?),
        CLOCK => Record::Clock(ClockEstimate::read(body)?),
        MARKER => Record::Marker(Marker::read(body)?),
        GAP => Record::Gap(Gap::read(body)?),
        PARAMETER => Record::Parameter(Parameter::read(body)?),
        PROPERTY => Record::Property(Property::read(body)?),
        END => Record::End(End::read(body)?),
        kind => Record::Unknown { kind, body },
    };
    Ok((record, rest))
}

/// Appends the header of a record whose body of `len` bytes follows.
fn write_header(out: &mut Vec<u8>, kind: u8, len: usize) {
    debug_assert!(len <= MAX_BODY);
    out.extend_from_slice(bytemuck::bytes_of(&RecordWire { kind, flags: 0, len: (len as u16).into() }));
}

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
