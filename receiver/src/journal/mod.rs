//! The journal: the truth about a take. Every accepted entry is appended to it and synced before the sender hears that it is
//! durable; the HDF5 file is made from it and can be made again.
//!
//! A journal is a run of segments, `journal-000001.slj` and so on, in the take's folder. A segment is a header and then
//! frames, each with a CRC-32; it is only ever appended to. What follows the last whole frame is a torn tail: it was never
//! synced, and is cut off when the journal is opened again. What is no frame but stands before one is damage: it is passed over.

mod follow;
mod write;

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use bytemuck::{Pod, Zeroable};
use send_learn_protocol::le::{self, U32, U64};
use send_learn_protocol::packet::close::Gone;
use send_learn_protocol::record;
use send_learn_protocol::tap::Arrival;
use send_learn_protocol::units::{HostNanos, SourceNumber, TakeId};

pub use follow::{Follower, Location, read_at};
pub use write::Journal;

/// The first bytes of a segment; the last one is the format's version.
pub const MAGIC: [u8; 8] = *b"SLJRNL\0\x01";

/// The longest payload of a frame, in bytes.
pub const MAX_FRAME: usize = 4_096;

/// Bytes after which a new segment is begun.
pub const SEGMENT_LEN: u64 = 64 << 20;

/// A place in a journal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// The segment's number.
    pub segment: u32,
    /// Bytes from the segment's begin.
    pub offset: u64,
}

/// One frame, borrowed from the buffer it was read into.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Frame<'a> {
    /// An entry of the take's log.
    Entry {
        /// Its number.
        number: SourceNumber,
        /// How it came.
        arrival: Arrival,
        /// When it came, on the receiver's clock.
        arrived: HostNanos,
        /// Its bytes.
        entry: &'a [u8],
    },
    /// Entries that the sender no longer had.
    Gone {
        /// Which, and why.
        gone: Gone,
        /// When that was learnt, on the receiver's clock.
        arrived: HostNanos,
    },
}

/// Why a journal cannot be read or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum JournalError {
    /// The operating system refused.
    #[error("{path}: {source}", path = path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What it said.
        source: io::Error,
    },
    /// A segment's header is not one, or belongs to another take.
    #[error("{path} is not a journal of this take", path = path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
    },
}

impl JournalError {
    fn io(path: &Path) -> impl FnOnce(io::Error) -> Self + '_ {
        |source| Self::Io { path: path.to_owned(), source }
    }
}

#[derive(Clone, Copy, Pod, Zeroable)]
#[repr(C)]
struct SegmentHeader {
    magic: [u8; 8],
    take: TakeId,
    segment: U32,
    /// CRC-32 of the fields above.
    crc: U32,
}

const SEGMENT_HEADER_LEN: u64 = size_of::<SegmentHeader>() as u64;

impl SegmentHeader {
    fn new(take: TakeId, segment: u32) -> Self {
        let mut header = Self { magic: MAGIC, take, segment: segment.into(), crc: 0.into() };
        header.crc = header.checksum().into();
        header
    }

    fn checksum(&self) -> u32 {
        crc32fast::hash(&bytemuck::bytes_of(self)[..size_of::<Self>() - size_of::<U32>()])
    }

    fn fits(&self, take: TakeId, segment: u32) -> bool {
        self.magic == MAGIC && self.take == take && self.segment.value() == segment && self.crc.value() == self.checksum()
    }
}

#[derive(Clone, Copy, Pod, Zeroable)]
#[repr(C)]
struct FrameHeader {
    len: U32,
    /// CRC-32 of what follows: the rest of the header, and the payload.
    crc: U32,
    arrived: U64,
    kind: u8,
    arrival: u8,
    reserved: [u8; 6],
}

const FRAME_HEADER_LEN: usize = size_of::<FrameHeader>();
const KIND_ENTRY: u8 = 0;
const KIND_GONE: u8 = 1;

impl Frame<'_> {
    /// Appends the frame to `out`.
    fn write(&self, out: &mut Vec<u8>) {
        let start = out.len();
        let (kind, arrival, arrived) = match *self {
            Self::Entry { arrival, arrived, .. } => (KIND_ENTRY, arrival as u8, arrived),
            Self::Gone { arrived, .. } => (KIND_GONE, 0, arrived),
        };
        let header = FrameHeader { len: 0.into(), crc: 0.into(), arrived: arrived.0.into(), kind, arrival, reserved: [0; 6] };
        out.extend_from_slice(bytemuck::bytes_of(&header));
        match *self {
            Self::Entry { entry, .. } => out.extend_from_slice(entry),
            Self::Gone { gone, .. } => {
                let mut payload = Vec::new();
                gone.write(&mut payload);
                out.extend_from_slice(&payload);
            }
        }
        let len = (out.len() - start - FRAME_HEADER_LEN) as u32;
        let crc = crc32fast::hash(&out[start + 8..]);
        out[start..start + 4].copy_from_slice(&len.to_le_bytes());
        out[start + 4..start + 8].copy_from_slice(&crc.to_le_bytes());
    }
}

/// The frame at the front of `bytes` and its length; `None` when there is no whole one.
fn parse(bytes: &[u8]) -> Option<(Frame<'_>, usize)> {
    let (header, rest) = le::split::<FrameHeader>(bytes)?;
    let len = header.len.value() as usize;
    if len > MAX_FRAME {
        return None;
    }
    let payload = rest.get(..len)?;
    let whole = FRAME_HEADER_LEN + len;
    if crc32fast::hash(&bytes[8..whole]) != header.crc.value() {
        return None;
    }
    let arrived = HostNanos(header.arrived.value());
    let frame = match header.kind {
        KIND_ENTRY => Frame::Entry {
            number: record::source_number(payload)?,
            arrival: Arrival::from_wire(header.arrival)?,
            arrived,
            entry: payload,
        },
        KIND_GONE => Frame::Gone { gone: Gone::read(payload).ok()?, arrived },
        _ => return None,
    };
    Some((frame, whole))
}

/// The file of a segment.
pub fn segment_path(folder: &Path, segment: u32) -> PathBuf {
    folder.join(format!("journal-{segment:06}.slj"))
}

/// The numbers of the segments in `folder`, lowest first.
///
/// # Errors
/// [`JournalError::Io`] when the folder cannot be read.
pub fn segments(folder: &Path) -> Result<Vec<u32>, JournalError> {
    let mut numbers = Vec::new();
    for item in std::fs::read_dir(folder).map_err(JournalError::io(folder))? {
        let name = item.map_err(JournalError::io(folder))?.file_name();
        let number = name.to_str().and_then(|name| name.strip_prefix("journal-")?.strip_suffix(".slj")?.parse::<u32>().ok());
        numbers.extend(number);
    }
    numbers.sort_unstable();
    Ok(numbers)
}

/// Bytes of all segments in `folder`.
///
/// # Errors
/// [`JournalError::Io`] when the folder cannot be read.
pub fn size(folder: &Path) -> Result<u64, JournalError> {
    let sizes = segments(folder)?.into_iter().map(|segment| segment_path(folder, segment).metadata().map_or(0, |file| file.len()));
    Ok(sizes.sum())
}

/// Removes the segments in `folder` for which `unneeded` holds, and syncs the folder.
///
/// # Errors
/// [`JournalError::Io`] when a file cannot be removed.
pub fn remove_segments(folder: &Path, unneeded: impl Fn(u32) -> bool) -> Result<(), JournalError> {
    for segment in segments(folder)?.into_iter().filter(|segment| unneeded(*segment)) {
        let path = segment_path(folder, segment);
        std::fs::remove_file(&path).map_err(JournalError::io(&path))?;
    }
    sync_folder(folder).map_err(JournalError::io(folder))
}

/// Makes creations, renames and removals in `folder` durable.
///
/// # Errors
/// What the operating system says.
pub fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;
    use send_learn_protocol::packet::close::GoneReason;
    use send_learn_protocol::packet::feedback::SourceRange;

    const TAKE: TakeId = TakeId([7; 16]);

    fn entry(number: u64) -> Vec<u8> {
        let mut bytes = number.to_le_bytes().to_vec();
        bytes.extend((0..number * 7 % 50).map(|byte| byte as u8));
        bytes
    }

    fn frame(number: u64, entry: &[u8]) -> Frame<'_> {
        Frame::Entry { number: SourceNumber(number), arrival: Arrival::Repaired, arrived: HostNanos(number * 10), entry }
    }

    fn append(journal: &mut Journal, numbers: impl IntoIterator<Item = u64>) {
        for number in numbers {
            journal.append(&frame(number, &entry(number)));
        }
    }

    fn reopen(folder: &Path) -> (Journal, Vec<u64>) {
        let mut numbers = Vec::new();
        let journal = Journal::open(folder, TAKE, 1, |frame| {
            let Frame::Entry { number, entry: bytes, .. } = frame else { return };
            assert_eq!(bytes, entry(number.0));
            numbers.push(number.0);
        })
        .unwrap();
        (journal, numbers)
    }

    #[test]
    fn a_journal_cut_at_any_byte_gives_back_its_whole_frames_and_goes_on() {
        let source = tempfile::tempdir().unwrap();
        let mut journal = Journal::create(source.path(), TAKE, 1).unwrap();
        append(&mut journal, 0..8);
        journal.sync().unwrap();
        let whole = std::fs::read(segment_path(source.path(), 1)).unwrap();
        let mut ends = vec![SEGMENT_HEADER_LEN as usize];
        for number in 0..8 {
            ends.push(ends.last().unwrap() + FRAME_HEADER_LEN + entry(number).len());
        }
        assert_eq!(*ends.last().unwrap(), whole.len());
        for cut in 0..=whole.len() {
            let folder = tempfile::tempdir().unwrap();
            std::fs::write(segment_path(folder.path(), 1), &whole[..cut]).unwrap();
            let frames = ends.iter().filter(|end| **end <= cut).count().saturating_sub(1) as u64;
            let (mut journal, numbers) = reopen(folder.path());
            assert_eq!(numbers, (0..frames).collect::<Vec<_>>(), "cut at {cut}");
            append(&mut journal, 20..22);
            journal.sync().unwrap();
            assert_eq!(reopen(folder.path()).1, (0..frames).chain(20..22).collect::<Vec<_>>(), "cut at {cut}");
        }
    }

    #[test]
    fn a_flipped_bit_in_the_last_frame_drops_that_frame_alone() {
        let folder = tempfile::tempdir().unwrap();
        let mut journal = Journal::create(folder.path(), TAKE, 1).unwrap();
        append(&mut journal, 0..4);
        journal.sync().unwrap();
        let path = segment_path(folder.path(), 1);
        let whole = std::fs::read(&path).unwrap();
        let last = whole.len() - FRAME_HEADER_LEN - entry(3).len();
        for byte in last..whole.len() {
            let mut bytes = whole.clone();
            bytes[byte] ^= 0x10;
            std::fs::write(&path, &bytes).unwrap();
            assert_eq!(reopen(folder.path()).1, [0, 1, 2], "byte {byte}");
        }
    }

    #[test]
    fn damage_costs_the_frames_that_it_hits_and_none_behind_them() {
        let folder = tempfile::tempdir().unwrap();
        let mut journal = Journal::create(folder.path(), TAKE, 1).unwrap();
        append(&mut journal, 0..20_000);
        journal.sync().unwrap();
        let path = segment_path(folder.path(), 1);
        let whole = std::fs::read(&path).unwrap();
        let start = |number: u64| {
            SEGMENT_HEADER_LEN as usize + (0..number).map(|number| FRAME_HEADER_LEN + entry(number).len()).sum::<usize>()
        };
        // A bit of the first frame, a bit of a length, and a stretch that is longer than what is read at once.
        for (from, to, lost) in
            [(start(0) + 4, start(0) + 5, 0..1), (start(5), start(5) + 1, 5..6), (start(9), start(9_000), 9..9_000)]
        {
            let mut bytes = whole.clone();
            bytes[from..to].iter_mut().for_each(|byte| *byte ^= 0x10);
            std::fs::write(&path, &bytes).unwrap();
            let rest: Vec<u64> = (0..20_000).filter(|number| !lost.contains(number)).collect();
            let (mut journal, numbers) = reopen(folder.path());
            assert_eq!(numbers, rest);
            // The damaged file is kept, for a person to look at; what comes goes to a new one.
            append(&mut journal, 30_000..30_002);
            journal.sync().unwrap();
            assert_eq!(std::fs::read(&path).unwrap(), bytes);
            assert_eq!(reopen(folder.path()).1, rest.into_iter().chain(30_000..30_002).collect::<Vec<_>>());
            remove_segments(folder.path(), |segment| segment > 1).unwrap();
        }
    }

    #[test]
    fn frames_that_were_never_synced_are_not_there() {
        let folder = tempfile::tempdir().unwrap();
        let mut journal = Journal::create(folder.path(), TAKE, 1).unwrap();
        append(&mut journal, 0..3);
        journal.sync().unwrap();
        append(&mut journal, 3..6);
        drop(journal);
        assert_eq!(reopen(folder.path()).1, [0, 1, 2]);
    }

    #[test]
    fn segments_follow_one_another_and_a_follower_keeps_up_with_the_writer() {
        let folder = tempfile::tempdir().unwrap();
        let mut journal = Journal::create(folder.path(), TAKE, 1).unwrap().with_segment_len(200);
        let mut follower = Follower::new(folder.path(), TAKE, 1);
        let (mut seen, mut locations) = (Vec::new(), Vec::new());
        for number in 0..40 {
            append(&mut journal, [number]);
            let end = journal.sync().unwrap();
            while let Some((Frame::Entry { number, .. }, location)) = follower.next(end).unwrap() {
                seen.push(number.0);
                locations.push(location);
            }
            assert_eq!(seen.len() as u64, number + 1);
        }
        assert_eq!(seen, (0..40).collect::<Vec<_>>());
        assert!(segments(folder.path()).unwrap().len() > 3);
        for (number, location) in locations.into_iter().enumerate() {
            let bytes = entry(number as u64);
            assert!(read_at(folder.path(), location, |read| assert_eq!(read, frame(number as u64, &bytes))).unwrap());
        }
        assert_eq!(reopen(folder.path()).1, (0..40).collect::<Vec<_>>());
    }

    #[test]
    fn what_is_gone_is_kept_too() {
        let folder = tempfile::tempdir().unwrap();
        let range = SourceRange { first: SourceNumber(5), count: 9 };
        let frame = Frame::Gone { gone: Gone { range, reason: GoneReason::RetentionFull }, arrived: HostNanos(3) };
        let mut journal = Journal::create(folder.path(), TAKE, 1).unwrap();
        journal.append(&frame);
        let end = journal.sync().unwrap();
        assert_eq!(Follower::new(folder.path(), TAKE, 1).next(end).unwrap().unwrap().0, frame);
    }

    #[test]
    fn a_journal_of_another_take_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        Journal::create(folder.path(), TakeId([8; 16]), 1).unwrap();
        assert!(matches!(Journal::open(folder.path(), TAKE, 1, |_| {}), Err(JournalError::Foreign { .. })));
    }
}
