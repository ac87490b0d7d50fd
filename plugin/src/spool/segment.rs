//! One file of a spool: a header that says whose entries follow, then the entries, each with a CRC-32 (spec/spool.md).

use std::net::SocketAddr;
use std::ops::Range;

use bytemuck::{Pod, Zeroable};
use send_learn_protocol::le::{self, U32, U64};
use send_learn_protocol::packet::hello::{Description, read_description, write_description};
use send_learn_protocol::record::{self, MAX_ENTRY};

/// The first bytes of a segment; the last one is the format's version.
pub(super) const MAGIC: [u8; 8] = *b"SLSPOOL\x01";

/// The longest description, in bytes: as in a hello.
const MAX_DESCRIPTION: usize = 1_120;

/// Whose entries a segment holds.
#[derive(Clone, Debug, PartialEq)]
pub struct Origin {
    /// The take, as it was described to the receiver.
    pub description: Description,
    /// Where the receiver was, if that was known.
    pub address: Option<SocketAddr>,
}

#[derive(Clone, Copy, Pod, Zeroable)]
#[repr(C)]
struct Header {
    magic: [u8; 8],
    first: U64,
    /// Bytes of the address and of the description, which follow the header.
    address: U32,
    description: U32,
    /// CRC-32 of the fields above and of what follows.
    crc: U32,
}

const HEADER_LEN: usize = size_of::<Header>();
const CRC_AT: usize = HEADER_LEN - size_of::<U32>();

#[derive(Clone, Copy, Pod, Zeroable)]
#[repr(C)]
struct FrameHeader {
    len: U32,
    /// CRC-32 of the length and of the entry.
    crc: U32,
}

const FRAME_HEADER_LEN: usize = size_of::<FrameHeader>();

/// The first bytes of a segment that begins with entry `first`.
pub(super) fn header(first: u64, origin: &Origin) -> Vec<u8> {
    let address = origin.address.map_or_else(String::new, |address| address.to_string());
    let mut description = Vec::new();
    write_description(&mut description, &origin.description, MAX_DESCRIPTION);
    let header = Header {
        magic: MAGIC,
        first: first.into(),
        address: (address.len() as u32).into(),
        description: (description.len() as u32).into(),
        crc: 0.into(),
    };
    let mut out = bytemuck::bytes_of(&header).to_vec();
    out.extend_from_slice(address.as_bytes());
    out.extend_from_slice(&description);
    let crc = header_crc(&out);
    out[CRC_AT..HEADER_LEN].copy_from_slice(&crc.to_le_bytes());
    out
}

fn header_crc(bytes: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&bytes[..CRC_AT]);
    hasher.update(&bytes[HEADER_LEN..]);
    hasher.finalize()
}

/// Reads a segment's header: whose it is, and where its frames begin. `None` when it is none, or damaged.
pub(super) fn read_header(bytes: &[u8]) -> Option<(Origin, usize)> {
    let (header, rest) = le::split::<Header>(bytes)?;
    let (address, description) = (header.address.value() as usize, header.description.value() as usize);
    if header.magic != MAGIC || address > 64 || description > MAX_DESCRIPTION {
        return None;
    }
    let (texts, _) = rest.split_at_checked(address + description)?;
    let end = HEADER_LEN + texts.len();
    if header_crc(&bytes[..end]) != header.crc.value() {
        return None;
    }
    let (address, description) = texts.split_at(address);
    let address = std::str::from_utf8(address).ok().and_then(|text| text.parse().ok());
    let (description, _) = read_description(description).ok()?;
    Some((Origin { description, address }, end))
}

/// Appends an entry's frame to `out`.
pub(super) fn write_frame(out: &mut Vec<u8>, entry: &[u8]) {
    let len = (entry.len() as u32).to_le_bytes();
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&len);
    hasher.update(entry);
    out.extend_from_slice(&len);
    out.extend_from_slice(&hasher.finalize().to_le_bytes());
    out.extend_from_slice(entry);
}

/// The entry whose frame is at the front of `bytes`; `None` when there is no whole one.
fn read_frame(bytes: &[u8]) -> Option<&[u8]> {
    let (header, rest) = le::split::<FrameHeader>(bytes)?;
    let len = header.len.value() as usize;
    if !(size_of::<u64>()..=MAX_ENTRY).contains(&len) {
        return None;
    }
    let entry = rest.get(..len)?;
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&bytes[..size_of::<U32>()]);
    hasher.update(entry);
    (hasher.finalize() == header.crc.value()).then_some(entry)
}

/// A segment in memory: its bytes, and where its whole entries lie, by number. What is damaged or torn is passed over.
#[derive(Debug)]
pub(super) struct Segment {
    pub(super) origin: Option<Origin>,
    bytes: Vec<u8>,
    entries: Vec<(u64, Range<usize>)>,
}

impl Segment {
    /// Reads what is whole of `bytes`.
    pub(super) fn parse(bytes: Vec<u8>) -> Self {
        let header = read_header(&bytes);
        let mut at = header.as_ref().map_or(0, |(_, end)| *end);
        let mut entries: Vec<(u64, Range<usize>)> = Vec::new();
        while at < bytes.len() {
            let frame = read_frame(&bytes[at..]).and_then(|entry| Some((record::source_number(entry)?, entry.len())));
            match frame {
                Some((number, len)) => {
                    let begin = at + FRAME_HEADER_LEN;
                    at = begin + len;
                    // Numbers only grow: one that does not was left by a write that was given up.
                    if entries.last().is_none_or(|(last, _)| *last < number.0) {
                        entries.push((number.0, begin..at));
                    }
                }
                None => at += 1,
            }
        }
        Self { origin: header.map(|(origin, _)| origin), bytes, entries }
    }

    /// The whole entries from `first` to before `end`.
    pub(super) fn entries(&self, first: u64, end: u64) -> impl DoubleEndedIterator<Item = (u64, &[u8])> {
        let from = self.entries.partition_point(|(number, _)| *number < first);
        let to = self.entries.partition_point(|(number, _)| *number < end).max(from);
        self.entries[from..to].iter().map(|(number, place)| (*number, &self.bytes[place.clone()]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::capture::CaptureConfig;
    use crate::identity;
    use send_learn_protocol::units::StreamId;

    pub(crate) fn origin() -> Origin {
        let config = CaptureConfig { sample_rate: 48_000.0, channels: 2, max_block: 64, patient: false };
        Origin { description: identity::new_take(StreamId::random(), &config), address: Some(([127, 0, 0, 1], 8_080).into()) }
    }

    fn entry(number: u64) -> Vec<u8> {
        let mut bytes = number.to_le_bytes().to_vec();
        bytes.extend((0..number * 31 % 90).map(|byte| byte as u8));
        bytes
    }

    fn written(count: u64) -> (Vec<u8>, Vec<usize>) {
        let mut bytes = header(0, &origin());
        let mut ends = Vec::new();
        for number in 0..count {
            write_frame(&mut bytes, &entry(number));
            ends.push(bytes.len());
        }
        (bytes, ends)
    }

    fn numbers(bytes: &[u8]) -> Vec<u64> {
        let segment = Segment::parse(bytes.to_vec());
        segment
            .entries(0, u64::MAX)
            .map(|(number, bytes)| {
                assert_eq!(bytes, entry(number));
                number
            })
            .collect()
    }

    #[test]
    fn a_segment_cut_at_any_byte_gives_back_its_whole_frames() {
        let (bytes, ends) = written(12);
        for cut in 0..=bytes.len() {
            let whole = ends.iter().filter(|end| **end <= cut).count() as u64;
            assert_eq!(numbers(&bytes[..cut]), (0..whole).collect::<Vec<_>>(), "cut at {cut}");
        }
    }

    #[test]
    fn damage_costs_the_entries_that_it_hits_and_no_others() {
        let (bytes, ends) = written(40);
        let begins: Vec<usize> = std::iter::once(header(0, &origin()).len()).chain(ends.iter().copied()).collect();
        for at in begins[0]..bytes.len() {
            let hit = begins.partition_point(|begin| *begin <= at) as u64 - 1;
            let mut damaged = bytes.clone();
            damaged[at] ^= 0x04;
            assert_eq!(numbers(&damaged), (0..40).filter(|number| *number != hit).collect::<Vec<_>>(), "byte {at}");
        }
        let mut damaged = bytes.clone();
        damaged[begins[7]..begins[20] - 3].fill(0);
        assert_eq!(numbers(&damaged), (0..7).chain(20..40).collect::<Vec<_>>());
    }

    #[test]
    fn a_damaged_header_hides_no_entries() {
        let (bytes, _) = written(5);
        for at in 0..header(0, &origin()).len() {
            let mut damaged = bytes.clone();
            damaged[at] ^= 0x01;
            assert!(read_header(&damaged).is_none(), "byte {at}");
            assert_eq!(numbers(&damaged), [0, 1, 2, 3, 4]);
        }
    }

    #[test]
    fn a_header_reads_back() {
        for address in [None, Some("[fe80::1]:9".parse().unwrap())] {
            let origin = Origin { address, ..origin() };
            let bytes = header(7, &origin);
            assert_eq!(read_header(&bytes), Some((origin, bytes.len())));
        }
    }
}
