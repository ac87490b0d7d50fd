//! Reading a journal, also while it is being written.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use send_learn_protocol::le;
use send_learn_protocol::units::TakeId;

use super::{FRAME_HEADER_LEN, Frame, JournalError, MAX_FRAME, Position, SEGMENT_HEADER_LEN, SegmentHeader, parse, segment_path};

/// Bytes read at once.
const READ: usize = 256 * 1_024;

/// Where a frame stands, to read it again later.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Location {
    /// Where it begins.
    pub at: Position,
    /// Its length in bytes.
    pub len: u32,
}

/// Reads the frames of a journal one after another, up to a position that is known to be written. Damaged bytes before a whole
/// frame are passed over.
#[derive(Debug)]
pub struct Follower {
    folder: PathBuf,
    take: TakeId,
    file: Option<File>,
    /// The frame to be read next.
    at: Position,
    /// Bytes of the segment from `buffer_start` on.
    buffer: Vec<u8>,
    buffer_start: u64,
    /// Damaged bytes of the segment that were passed over.
    damaged: u64,
}

impl Follower {
    /// A reader at the begin of segment `first`.
    pub fn new(folder: &Path, take: TakeId, first: u32) -> Self {
        let at = Position { segment: first, offset: 0 };
        Self { folder: folder.to_owned(), take, file: None, at, buffer: Vec::new(), buffer_start: 0, damaged: 0 }
    }

    /// The end of the last frame that was read.
    pub fn position(&self) -> Position {
        self.at
    }

    /// Damaged bytes that were passed over in the segment that is being read.
    pub fn damaged(&self) -> u64 {
        self.damaged
    }

    /// The next whole frame before `end`; `None` when there is none (yet).
    ///
    /// # Errors
    /// [`JournalError`] when a segment cannot be read or is none of this take.
    pub fn next(&mut self, end: Position) -> Result<Option<(Frame<'_>, Location)>, JournalError> {
        loop {
            if self.at >= end {
                return Ok(None);
            }
            let limit = if self.at.segment == end.segment { end.offset } else { u64::MAX };
            let whole = if self.at.offset > 0 || self.begin_segment()? { self.find(limit)? } else { None };
            let Some(len) = whole else {
                if self.at.segment == end.segment {
                    return Ok(None);
                }
                self.at = Position { segment: self.at.segment + 1, offset: 0 };
                self.file = None;
                continue;
            };
            let start = (self.at.offset - self.buffer_start) as usize;
            let location = Location { at: self.at, len: len as u32 };
            self.at.offset += len as u64;
            // Parsed a second time because the borrow checker cannot see that the loop ends here.
            return Ok(parse(&self.buffer[start..start + len]).map(|(frame, _)| (frame, location)));
        }
    }

    /// Opens the segment and checks its header; false when there is none (yet).
    fn begin_segment(&mut self) -> Result<bool, JournalError> {
        let path = segment_path(&self.folder, self.at.segment);
        let file = match File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
            Err(error) => return Err(JournalError::io(&path)(error)),
        };
        let mut header = [0; SEGMENT_HEADER_LEN as usize];
        match file.read_exact_at(&mut header, 0) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(false),
            Err(error) => return Err(JournalError::io(&path)(error)),
        }
        let fits = le::split::<SegmentHeader>(&header).is_some_and(|(header, _)| header.fits(self.take, self.at.segment));
        if !fits {
            return Err(JournalError::Foreign { path });
        }
        self.file = Some(file);
        self.at.offset = SEGMENT_HEADER_LEN;
        self.buffer.clear();
        self.buffer_start = self.at.offset;
        self.damaged = 0;
        Ok(true)
    }

    /// The length of the next whole frame before `limit`, if there is one; damage before it is passed over.
    fn find(&mut self, limit: u64) -> Result<Option<usize>, JournalError> {
        match self.fill(limit)? {
            None => self.pass_damage(limit),
            whole => Ok(whole),
        }
    }

    /// Goes from bytes that are no frame to the next whole one before `limit`, whose length is given back; without one, nothing is done.
    fn pass_damage(&mut self, limit: u64) -> Result<Option<usize>, JournalError> {
        let begin = self.at.offset;
        let mut first = 1;
        let whole = loop {
            let found = (first..self.buffer.len()).find(|from| parse(&self.buffer[*from..]).is_some());
            let end = self.buffer_start + self.buffer.len() as u64;
            // What begins in the last bytes of the buffer may be whole with those that follow.
            let next = found.unwrap_or(self.buffer.len().saturating_sub(FRAME_HEADER_LEN + MAX_FRAME).max(first));
            self.at.offset = self.buffer_start + (next as u64).min(end - self.buffer_start);
            if let Some(whole) = self.fill(limit)? {
                break whole;
            }
            if self.buffer_start + self.buffer.len() as u64 == end {
                self.at.offset = begin;
                self.buffer.clear();
                self.buffer_start = begin;
                return Ok(None);
            }
            first = 0;
        };
        let bytes = self.at.offset - begin;
        self.damaged += bytes;
        let path = segment_path(&self.folder, self.at.segment);
        tracing::error!(path = %path.display(), at = begin, bytes, "damage in the journal: what stood there is missing here");
        Ok(Some(whole))
    }

    /// Makes the buffer hold the whole frame at `at`, reading no further than `limit`; its length, or `None` when there is none.
    fn fill(&mut self, limit: u64) -> Result<Option<usize>, JournalError> {
        let start = (self.at.offset - self.buffer_start) as usize;
        if let Some((_, len)) = parse(&self.buffer[start..]) {
            return Ok(Some(len));
        }
        self.buffer.drain(..start);
        self.buffer_start = self.at.offset;
        let held = self.buffer.len();
        let room = limit.saturating_sub(self.buffer_start + held as u64).min(READ as u64) as usize;
        self.buffer.resize(held + room, 0);
        let path = segment_path(&self.folder, self.at.segment);
        let Some(file) = &self.file else { return Ok(None) };
        let mut read = 0;
        while read < room {
            match file.read_at(&mut self.buffer[held + read..], self.buffer_start + (held + read) as u64) {
                Ok(0) => break,
                Ok(n) => read += n,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(JournalError::io(&path)(error)),
            }
        }
        self.buffer.truncate(held + read);
        Ok(parse(&self.buffer).map(|(_, len)| len))
    }
}

/// Reads the bytes of the frame at `location` again and hands it to `see`; false when it is no longer whole.
///
/// # Errors
/// [`JournalError::Io`].
pub fn read_at(folder: &Path, location: Location, see: impl FnOnce(Frame<'_>)) -> Result<bool, JournalError> {
    let path = segment_path(folder, location.at.segment);
    let mut bytes = vec![0; location.len as usize];
    let mut read = || File::open(&path)?.read_exact_at(&mut bytes, location.at.offset);
    read().map_err(JournalError::io(&path))?;
    Ok(parse(&bytes).map(|(frame, _)| see(frame)).is_some())
}
