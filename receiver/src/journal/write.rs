//! Appending to a journal.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use send_learn_protocol::units::TakeId;

use super::{Follower, Frame, JournalError, Position, SEGMENT_HEADER_LEN, SEGMENT_LEN, SegmentHeader, segment_path, sync_folder};

/// A journal open for appending. Frames are gathered in memory; [`sync`](Self::sync) writes them and makes them durable.
#[derive(Debug)]
pub struct Journal {
    folder: PathBuf,
    take: TakeId,
    file: File,
    /// The end of what is written and synced.
    synced: Position,
    pending: Vec<u8>,
    segment_len: u64,
}

impl Journal {
    /// Begins a journal at segment `segment`; a file of that name is replaced.
    ///
    /// # Errors
    /// [`JournalError::Io`].
    pub fn create(folder: &Path, take: TakeId, segment: u32) -> Result<Self, JournalError> {
        let file = begin_segment(folder, take, segment)?;
        Ok(Self {
            folder: folder.to_owned(),
            take,
            file,
            synced: Position { segment, offset: SEGMENT_HEADER_LEN },
            pending: Vec::new(),
            segment_len: SEGMENT_LEN,
        })
    }

    /// Opens the journal that begins at segment `first`, hands every whole frame to `see`, cuts off a torn tail and syncs the
    /// rest. A journal without segments is begun. A last segment with damage before whole frames stays as it is, and a new one
    /// is begun after it.
    ///
    /// # Errors
    /// [`JournalError`].
    pub fn open(folder: &Path, take: TakeId, first: u32, mut see: impl FnMut(Frame<'_>)) -> Result<Self, JournalError> {
        let Some(last) = super::segments(folder)?.into_iter().filter(|segment| *segment >= first).max() else {
            return Self::create(folder, take, first);
        };
        let mut follower = Follower::new(folder, take, first);
        let end = Position { segment: last, offset: u64::MAX };
        while let Some((frame, _)) = follower.next(end)? {
            see(frame);
        }
        let synced = follower.position();
        // A last segment without even a whole header was just being begun.
        if synced.segment < last || synced.offset < SEGMENT_HEADER_LEN {
            return Self::create(folder, take, last);
        }
        let path = segment_path(folder, last);
        let io = || JournalError::io(&path);
        let file = OpenOptions::new().write(true).open(&path).map_err(io())?;
        if follower.damaged() > 0 {
            file.sync_all().map_err(io())?;
            return Self::create(folder, take, last + 1);
        }
        let len = file.metadata().map_err(io())?.len();
        if len > synced.offset {
            tracing::warn!(path = %path.display(), bytes = len - synced.offset, "cut off a torn tail of the journal");
            file.set_len(synced.offset).map_err(io())?;
        }
        file.sync_all().map_err(io())?;
        Ok(Self { folder: folder.to_owned(), take, file, synced, pending: Vec::new(), segment_len: SEGMENT_LEN })
    }

    /// Adds a frame to those that the next [`sync`](Self::sync) writes.
    pub fn append(&mut self, frame: &Frame<'_>) {
        frame.write(&mut self.pending);
    }

    /// Bytes that wait for the next sync.
    pub fn pending_bytes(&self) -> usize {
        self.pending.len()
    }

    /// The end of what is durable.
    pub fn durable(&self) -> Position {
        self.synced
    }

    /// Writes what was appended and syncs it to the disk. After an error nothing of it counts: the file is cut back to what
    /// was durable before, and the appended frames are forgotten.
    ///
    /// # Errors
    /// [`JournalError::Io`].
    pub fn sync(&mut self) -> Result<Position, JournalError> {
        if self.pending.is_empty() {
            return Ok(self.synced);
        }
        let written = self.write_pending();
        let len = self.pending.len() as u64;
        self.pending.clear();
        if let Err(error) = written {
            // The next sync overwrites the same place, so a failure to cut leaves only a torn tail.
            let _ = self.file.set_len(self.synced.offset);
            return Err(error);
        }
        self.synced.offset += len;
        if self.synced.offset >= self.segment_len {
            self.roll()?;
        }
        Ok(self.synced)
    }

    fn write_pending(&self) -> Result<(), JournalError> {
        let path = segment_path(&self.folder, self.synced.segment);
        self.file.write_all_at(&self.pending, self.synced.offset).map_err(JournalError::io(&path))?;
        self.file.sync_data().map_err(JournalError::io(&path))
    }

    fn roll(&mut self) -> Result<(), JournalError> {
        let segment = self.synced.segment + 1;
        match begin_segment(&self.folder, self.take, segment) {
            Ok(file) => {
                self.file = file;
                self.synced = Position { segment, offset: SEGMENT_HEADER_LEN };
            }
            // No harm: this segment grows on, and the next sync tries again.
            Err(error) => tracing::warn!(%error, "no new segment could be begun"),
        }
        Ok(())
    }

    #[cfg(test)]
    pub(super) fn with_segment_len(mut self, len: u64) -> Self {
        self.segment_len = len;
        self
    }
}

fn begin_segment(folder: &Path, take: TakeId, segment: u32) -> Result<File, JournalError> {
    let path = segment_path(folder, segment);
    let begin = || {
        let mut file = File::create(&path)?;
        file.write_all(bytemuck::bytes_of(&SegmentHeader::new(take, segment)))?;
        file.sync_all()?;
        sync_folder(folder)?;
        Ok(file)
    };
    begin().map_err(JournalError::io(&path))
}
