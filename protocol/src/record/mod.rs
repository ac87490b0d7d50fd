//! Records: what the entries of a take's log hold (spec/wire-format.md, section 4).
//!
//! An entry (the payload of a source datagram) is its source number and then one record after another. Records of a take
//! stand in the log in the order of capture; every record that has a sample position is at or after that of the audio
//! before it, within one host block.

pub mod audio;
pub mod events;
pub mod pack;

pub use audio::{AudioFragment, SampleFormat};
pub use events::{
    Automation, Block, ClockEstimate, End, EndReason, Gap, GapReason, Marker, MarkerKind, MidiEvent, MidiKind, Parameter, Property,
    Transport, TransportFlags,
};

use bytemuck::{Pod, Zeroable};

use crate::le::{self, U16, U64};
use crate::packet::MAX_PAYLOAD;
use crate::units::SourceNumber;

/// Bytes before the first record of an entry: the source number.
pub const ENTRY_HEADER_LEN: usize = 8;

/// The longest entry. Two bytes less than a datagram's payload, which a parity shard needs for the entry's length.
pub const MAX_ENTRY: usize = MAX_PAYLOAD - 2;

/// The longest body of one record.
pub const MAX_BODY: usize = MAX_ENTRY - ENTRY_HEADER_LEN - size_of::<RecordWire>();

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
        events::BLOCK => Record::Block(Block::read(body)?),
        events::MIDI => Record::Midi(MidiEvent::read(body)?),
        events::AUTOMATION => Record::Automation(Automation::read(body)?),
        events::TRANSPORT => Record::Transport(Transport::read(body)?),
        events::CLOCK => Record::Clock(ClockEstimate::read(body)?),
        events::MARKER => Record::Marker(Marker::read(body)?),
        events::GAP => Record::Gap(Gap::read(body)?),
        events::PARAMETER => Record::Parameter(Parameter::read(body)?),
        events::PROPERTY => Record::Property(Property::read(body)?),
        events::END => Record::End(End::read(body)?),
        kind => Record::Unknown { kind, body },
    };
    Ok((record, rest))
}

/// Appends the header of a record whose body of `len` bytes follows.
fn write_header(out: &mut Vec<u8>, kind: u8, len: usize) {
    debug_assert!(len <= MAX_BODY);
    out.extend_from_slice(bytemuck::bytes_of(&RecordWire { kind, flags: 0, len: (len as u16).into() }));
}
