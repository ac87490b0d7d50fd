//! One take's segments in its folder.

use std::collections::VecDeque;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use send_learn_protocol::packet::close::GoneReason;
use send_learn_protocol::packet::feedback::SourceRange;
use send_learn_protocol::record::{self, Record};
use send_learn_protocol::sender::Leftover;
use send_learn_protocol::units::{SamplePosition, SourceNumber};

use super::segment::{self, Origin, Segment};

/// Bytes after which a new segment is begun: what is durable is given back to the disk in pieces of this size.
pub(super) const SEGMENT_LEN: u64 = 2 << 20;

/// Holds the number before which the oldest were dropped for want of room, and its CRC-32.
const DROPPED: &str = "dropped";

/// A take's part of the spool.
#[derive(Debug)]
pub(super) struct TakeFiles {
    folder: PathBuf,
    /// First entry, bytes, and the time of the last write of each segment, lowest first.
    segments: VecDeque<Part>,
    /// The last segment, while it grows.
    file: Option<File>,
    /// The entry after the last.
    end: u64,
    /// The segment that was read last.
    read: Option<(u64, u64, Segment)>,
}

#[derive(Clone, Copy, Debug)]
struct Part {
    first: u64,
    len: u64,
    at: SystemTime,
}

impl TakeFiles {
    /// A take of which nothing is kept yet. The folder is made when something is.
    pub(super) fn new(folder: PathBuf) -> Self {
        Self { folder, segments: VecDeque::new(), file: None, end: 0, read: None }
    }

    /// What an earlier life left in `folder`; `None` when there is nothing that could be sent.
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub(super) fn open(folder: PathBuf) -> io::Result<Option<(Self, Origin, Leftover)>> {
        let mut segments = Vec::new();
        for item in fs::read_dir(&folder)? {
            let item = item?;
            let (name, data) = (item.file_name(), item.metadata()?);
            if let Some(first) = name.to_str().and_then(parse_name) {
                segments.push(Part { first, len: data.len(), at: data.modified().unwrap_or(SystemTime::UNIX_EPOCH) });
            }
        }
        segments.sort_by_key(|part| part.first);
        let mut take = Self { segments: segments.into(), ..Self::new(folder) };
        let Some(first) = take.segments.front().map(|part| part.first) else { return Ok(None) };
        take.end = first;
        // From the back: the last segments tell where the log ends. A segment without a whole entry says nothing.
        let (mut origin, mut position, mut ended) = (None, None, false);
        for index in (0..take.segments.len()).rev() {
            let Some(segment) = take.load(index) else { continue };
            for (number, entry) in segment.entries(0, u64::MAX).rev() {
                if take.end == first {
                    take.end = number + 1;
                    ended = record::records(entry).flatten().any(|record| matches!(record, Record::End(_)));
                }
                position = position.or_else(|| end_position(entry));
                if position.is_some() {
                    break;
                }
            }
            origin = origin.or(segment.origin);
            if position.is_some() && origin.is_some() {
                break;
            }
        }
        let Some(origin) = origin else { return Ok(None) };
        let dropped = fs::read(take.folder.join(DROPPED)).ok().and_then(|bytes| read_dropped(&bytes));
        let left = Leftover {
            first: SourceNumber(first),
            end: SourceNumber(take.end),
            before: if dropped == Some(first) { GoneReason::RetentionFull } else { GoneReason::SenderRestarted },
            position: SamplePosition(position.unwrap_or(0)),
            ended,
        };
        Ok((take.end > first).then_some((take, origin, left)))
    }

    /// Whether the next [`append`](Self::append) begins a segment.
    pub(super) fn begins_segment(&self) -> bool {
        self.file.is_none() || self.segments.back().is_none_or(|part| part.len >= SEGMENT_LEN)
    }

    /// Appends entries, numbers ascending.
    ///
    /// # Errors
    /// What the system says: then none of these entries counts.
    pub(super) fn append(&mut self, origin: &Origin, entries: &[(SourceNumber, Arc<[u8]>)]) -> io::Result<()> {
        let (Some((first, _)), Some((last, _))) = (entries.first(), entries.last()) else { return Ok(()) };
        if self.begins_segment() {
            self.begin(first.0, origin)?;
        }
        let mut bytes = Vec::new();
        entries.iter().for_each(|(_, entry)| segment::write_frame(&mut bytes, entry));
        let (Some(file), Some(part)) = (&mut self.file, self.segments.back_mut()) else { return Ok(()) };
        if let Err(error) = file.write_all(&bytes) {
            // Best effort: a torn frame is passed over as well. What comes next goes to a file of its own.
            let _ = file.set_len(part.len);
            self.file = None;
            return Err(error);
        }
        part.len += bytes.len() as u64;
        part.at = SystemTime::now();
        self.end = last.0 + 1;
        Ok(())
    }

    fn begin(&mut self, first: u64, origin: &Origin) -> io::Result<()> {
        self.file = None;
        make_folder(&self.folder)?;
        let mut file = create(&self.path(first))?;
        // Whatever a write that was given up left of it.
        self.segments.retain(|part| part.first < first);
        let header = segment::header(first, origin);
        self.segments.push_back(Part { first, len: header.len() as u64, at: SystemTime::now() });
        file.write_all(&header)?;
        self.file = Some(file);
        Ok(())
    }

    /// What is whole of the entries of `range`.
    pub(super) fn read(&mut self, range: SourceRange) -> Vec<(SourceNumber, Arc<[u8]>)> {
        let (mut at, end) = (range.first.0, range.end().0);
        let mut found = Vec::new();
        while at < end {
            let Some(index) = self.segments.partition_point(|part| part.first <= at).checked_sub(1) else {
                // Before all that is here.
                let Some(first) = self.segments.front() else { return found };
                at = first.first;
                continue;
            };
            let stop = self.segments.get(index + 1).map_or(end, |next| next.first.min(end));
            let Part { first, len, .. } = self.segments[index];
            if self.read.as_ref().is_none_or(|(read, read_len, _)| (*read, *read_len) != (first, len)) {
                self.read = self.load(index).map(|segment| (first, len, segment));
            }
            if let Some((_, _, segment)) = &self.read {
                found.extend(segment.entries(at, stop).map(|(number, entry)| (SourceNumber(number), entry.into())));
            }
            at = stop;
        }
        found
    }

    /// Forgets the segment that is kept for reading.
    pub(super) fn forget_read(&mut self) {
        self.read = None;
    }

    fn load(&self, index: usize) -> Option<Segment> {
        // One that cannot be read is as good as damaged: its entries are named as lost.
        fs::read(self.path(self.segments[index].first)).ok().map(Segment::parse)
    }

    /// All below `durable` is on the receiver's disk. The segments that hold nothing else go; after the last entry, the folder.
    pub(super) fn release(&mut self, durable: u64) {
        while let Some(part) = self.segments.front().copied() {
            let end = self.segments.get(1).map_or(self.end, |next| next.first);
            if end > durable {
                return;
            }
            self.remove_front(part.first);
        }
        self.remove_folder();
    }

    /// Drops the oldest segment, for want of room. Gives the entry after its last.
    pub(super) fn drop_oldest(&mut self) -> Option<SourceNumber> {
        let first = self.segments.front()?.first;
        self.remove_front(first);
        let end = self.segments.front().map_or(self.end, |next| next.first);
        // A later life tells by this why there is nothing before.
        if let Ok(mut file) = create(&self.folder.join(DROPPED)) {
            let number = end.to_le_bytes();
            let _ = file.write_all(&[&number[..], &crc32fast::hash(&number).to_le_bytes()].concat());
        }
        Some(SourceNumber(end))
    }

    /// When the oldest segment was last written.
    pub(super) fn age(&self) -> Option<SystemTime> {
        self.segments.front().map(|part| part.at)
    }

    /// Removes everything.
    pub(super) fn remove(&mut self) {
        while let Some(part) = self.segments.front().copied() {
            self.remove_front(part.first);
        }
        self.remove_folder();
    }

    fn remove_front(&mut self, first: u64) {
        self.segments.pop_front();
        if self.segments.is_empty() {
            self.file = None;
        }
        self.read = None;
        let _ = fs::remove_file(self.path(first));
    }

    fn remove_folder(&self) {
        let _ = fs::remove_file(self.folder.join(DROPPED));
        // Only an empty one goes.
        let _ = fs::remove_dir(&self.folder);
    }

    fn path(&self, first: u64) -> PathBuf {
        self.folder.join(format!("{first:016x}.sls"))
    }
}

fn parse_name(name: &str) -> Option<u64> {
    u64::from_str_radix(name.strip_suffix(".sls")?, 16).ok()
}

fn read_dropped(bytes: &[u8]) -> Option<u64> {
    let (number, crc) = bytes.split_first_chunk::<8>()?;
    (crc == crc32fast::hash(number).to_le_bytes()).then(|| u64::from_le_bytes(*number))
}

/// Where the last sample that an entry tells of ends.
fn end_position(entry: &[u8]) -> Option<u64> {
    let ends = record::records(entry).flatten().filter_map(|record| match record {
        Record::Audio(fragment) => Some(fragment.end().0),
        Record::Block(block) => Some(block.position.0 + u64::from(block.frames)),
        Record::Gap(gap) => Some(gap.position.0.saturating_add(gap.frames)),
        Record::End(end) => Some(end.position.0),
        _ => None,
    });
    ends.max()
}

/// Makes a folder that its owner alone can look into, and those above it.
pub(super) fn make_folder(folder: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

/// Makes an empty file that its owner alone can read.
pub(super) fn create(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}
