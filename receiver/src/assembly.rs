//! One take on its way from journal to HDF5: puts entries in order, places their records, writes and closes parts.

mod writing;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use send_learn_protocol::packet::close::GoneReason;
use send_learn_protocol::record::EndReason;
use send_learn_protocol::units::TakeId;

use crate::archive::Progress;
use crate::features::Plan;
use crate::journal::{Follower, Frame, Journal, JournalError, Location, Position, read_at, remove_segments, segments};
use crate::store::layout::DEFLATE_LEVEL;
use crate::store::{PartWriter, StoreError};
use crate::take::{Resume, State, Take, TakeError};
use crate::timeline::{Batch, Came};
use writing::Writing;

/// Bytes copied to a new journal between two syncs.
const COPY: usize = 4 << 20;

/// Why a take cannot be archived at present; it is tried again.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AssemblyError {
    /// The journal cannot be read.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The part cannot be written.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The take's folder cannot be written.
    #[error(transparent)]
    Take(#[from] TakeError),
}

/// How far [`Assembly::advance`] came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Advance {
    /// There is more to read at once.
    More,
    /// All that is durable and in order is taken.
    CaughtUp,
    /// The log's end was reached.
    Ended,
}

/// How takes are made into files.
#[derive(Clone, Debug)]
pub struct Making {
    /// Features are computed by this plan, if there is one.
    pub features: Option<Arc<Plan>>,
    /// A part is closed, and the next begun, when it is as long as this; never, without.
    pub rotation: Option<Duration>,
    /// The gzip level of the audio, 0 to 9.
    pub compression: u8,
}

impl Default for Making {
    fn default() -> Self {
        Self { features: None, rotation: None, compression: DEFLATE_LEVEL }
    }
}

/// A take being assembled.
#[derive(Debug)]
pub struct Assembly {
    id: TakeId,
    folder: PathBuf,
    progress: Arc<Progress>,
    making: Making,
    /// The part is to be closed as soon as it can be.
    rotation_asked: bool,
    /// What a person calls the stream, whatever its sender says.
    name: Option<String>,
    follower: Follower,
    /// Entries beyond the one that is next.
    beyond: BTreeMap<u64, Location>,
    /// Ranges that are gone: begin to end, and why.
    gone: BTreeMap<u64, (u64, GoneReason)>,
    /// The journal's segments that were read, each with the end of what stands in it.
    read: Vec<(u32, u64)>,
    writing: Writing,
}

impl Assembly {
    /// A take that goes on where its closed parts end. A part that an earlier life left open is discarded: the journal has
    /// all of it.
    pub fn new(id: TakeId, folder: PathBuf, take: Take, progress: Arc<Progress>, making: Making) -> Self {
        discard(&folder.join(format!("{}.part", take.part_file(take.next_part()))));
        Self {
            id,
            follower: Follower::new(&folder, id, take.resume.segment),
            beyond: BTreeMap::new(),
            gone: BTreeMap::new(),
            read: Vec::new(),
            writing: Writing::new(folder.clone(), take, Arc::clone(&progress), &making),
            folder,
            progress,
            making,
            rotation_asked: false,
            name: None,
        }
    }

    /// Begins again from the journal, after an error.
    pub fn restart(&mut self) {
        let (take, progress, name) = (self.writing.take.clone(), Arc::clone(&self.progress), self.name.take());
        let storage = self.writing.storage;
        // Closed first: what HDF5 still writes of it must not follow its removal.
        self.writing.part = None;
        *self = Self::new(self.id, self.folder.clone(), take, progress, self.making.clone());
        self.writing.storage = storage;
        name.iter().for_each(|name| self.rename(name));
    }

    /// From now on the stream is called `name`: at once in the part that is being written, in `take.json` and in the names of files
    /// from the next part on.
    pub fn rename(&mut self, name: &str) {
        self.name = Some(name.to_owned());
        self.writing.rename(name);
    }

    /// From now on parts are closed at this length, and the next ones are compressed so.
    pub fn configure(&mut self, rotation: Option<Duration>, compression: u8) {
        (self.making.rotation, self.making.compression) = (rotation, compression);
        self.writing.compression = compression;
    }

    /// The take's folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// What is known of the take now: what its `take.json` says.
    pub fn into_take(self) -> Take {
        self.writing.take
    }

    /// Takes what is durable and in order, about `budget` bytes of it at most.
    ///
    /// # Errors
    /// [`AssemblyError`]: [`restart`](Self::restart) before the next call.
    pub fn advance(&mut self, budget: usize) -> Result<Advance, AssemblyError> {
        let read = self.read_on(budget);
        self.progress.set_read(self.follower.position());
        match read {
            Err(AssemblyError::Store(StoreError::Narrow { path, needed })) => {
                tracing::info!(path = %path.display(), ?needed, "samples of more bits have come: the file is made again from its journal");
                self.writing.storage = needed;
                self.restart();
                Ok(Advance::More)
            }
            read => read,
        }
    }

    fn read_on(&mut self, budget: usize) -> Result<Advance, AssemblyError> {
        let mut used = 0;
        let end = self.progress.mark();
        while used < budget {
            if self.writing.timeline.ended().is_some() {
                return Ok(Advance::Ended);
            }
            if self.is_rotation_due() {
                self.rotate()?;
            }
            if let Some(location) = self.beyond.remove(&self.writing.next) {
                used += location.len as usize;
                self.take_again(location)?;
            } else if let Some((gone_end, reason)) = self.gone_at(self.writing.next) {
                self.writing.pass_gone(gone_end, reason);
            } else {
                match self.follower.next(end)? {
                    None => return Ok(Advance::CaughtUp),
                    Some((Frame::Entry { number, arrival, arrived, entry }, location)) => {
                        used += location.len as usize;
                        note(&mut self.read, location.at.segment, number.0 + 1);
                        if number.0 == self.writing.next {
                            self.writing.take_entry(entry, Came { arrival, at: arrived })?;
                        } else if number.0 > self.writing.next {
                            self.beyond.insert(number.0, location);
                        }
                    }
                    Some((Frame::Gone { gone, .. }, location)) => {
                        let (first, end) = (gone.range.first.0, gone.range.end().0);
                        note(&mut self.read, location.at.segment, end);
                        let kept = self.gone.entry(first).or_insert((end, gone.reason));
                        kept.0 = kept.0.max(end);
                    }
                }
            }
        }
        Ok(Advance::More)
    }

    /// Brings the file on disk up to date.
    ///
    /// # Errors
    /// [`AssemblyError`].
    pub fn flush(&mut self) -> Result<(), AssemblyError> {
        Ok(self.writing.part.as_mut().map_or(Ok(()), PartWriter::flush)?)
    }

    /// The part is closed, and the next begun, as soon as that is possible.
    pub fn ask_for_rotation(&mut self) {
        self.rotation_asked = true;
    }

    fn is_rotation_due(&self) -> bool {
        let length = self.writing.length();
        (self.rotation_asked && length > Duration::ZERO) || self.making.rotation.is_some_and(|rotation| length >= rotation)
    }

    /// Closes the part and lets the next begin. What of the journal is in closed parts is removed.
    fn rotate(&mut self) -> Result<(), AssemblyError> {
        self.rotation_asked = false;
        let Some((part, sound)) = self.writing.close_part("rotated")? else { return Ok(()) };
        if !sound {
            // Made again, it would be no better. So the take becomes one part, and its journal is kept.
            self.making.rotation = None;
            self.restart();
            return Ok(());
        }
        let needed = self.read.iter().position(|(_, end)| *end > self.writing.sealed.entry);
        self.read.drain(..needed.unwrap_or(self.read.len()));
        let first = self.read.first().map_or(self.follower.position().segment, |(segment, _)| *segment);
        self.writing.begin_next(part, first)?;
        if let Err(error) = remove_segments(&self.folder, |segment| segment < first) {
            tracing::warn!("{error}. That part of the journal is not needed any more; it is removed when the take goes on.");
        }
        Ok(())
    }

    /// Closes the take after its last entry: checks the file, renames it, and says so in `take.json`.
    ///
    /// # Errors
    /// [`AssemblyError`].
    pub fn complete(&mut self) -> Result<(), AssemblyError> {
        let reason = self.writing.timeline.ended().unwrap_or(EndReason::Other);
        if self.writing.part.is_none() && self.writing.take.parts.is_empty() {
            // A take without a single sample is a recording too.
            self.writing.commit(Batch::default())?;
        }
        let closed = self.writing.close_part(end_reason_text(reason))?;
        let sound = closed.as_ref().is_none_or(|(_, sound)| *sound);
        let state = if sound { State::Complete } else { State::Damaged };
        self.writing.commit_take(closed.map(|(part, _)| part), state, self.writing.sealed.clone())
    }

    /// Closes the part at the end of its last whole block. The journal keeps what comes after; the rest of it is removed. A
    /// part that fails its check does not count: the journal keeps all of it, and it is made again when the take goes on.
    ///
    /// # Errors
    /// [`AssemblyError`].
    pub fn interrupt(&mut self) -> Result<(), AssemblyError> {
        let Some((part, true)) = self.writing.close_part("interrupted")? else {
            return self.writing.commit_take(None, State::Interrupted, self.writing.take.resume.clone());
        };
        let resume = Resume { segment: self.carry_over()?, ..self.writing.sealed.clone() };
        let first = resume.segment;
        self.writing.commit_take(Some(part), State::Interrupted, resume)?;
        if let Err(error) = remove_segments(&self.writing.folder, |segment| segment < first) {
            tracing::warn!("{error}. That part of the journal is not needed any more; it is removed when the take goes on.");
        }
        Ok(())
    }

    /// Copies the frames that no closed part holds to a new segment, and gives its number.
    fn carry_over(&self) -> Result<u32, AssemblyError> {
        let Writing { folder, take, sealed, .. } = &self.writing;
        let last = segments(folder)?.last().copied().unwrap_or(take.resume.segment);
        let mut from = Follower::new(folder, self.id, take.resume.segment);
        let mut to = Journal::create(folder, self.id, last + 1)?;
        while let Some((frame, _)) = from.next(Position { segment: last, offset: u64::MAX })? {
            let needed = match frame {
                Frame::Entry { number, .. } => number.0 >= sealed.entry,
                Frame::Gone { gone, .. } => gone.range.end().0 > sealed.entry,
            };
            if needed {
                to.append(&frame);
            }
            if to.pending_bytes() >= COPY {
                to.sync()?;
            }
        }
        to.sync()?;
        Ok(last + 1)
    }

    fn take_again(&mut self, location: Location) -> Result<(), AssemblyError> {
        let mut taken = Ok(());
        let whole = read_at(&self.folder, location, |frame| {
            if let Frame::Entry { entry, arrival, arrived, .. } = frame {
                taken = self.writing.take_entry(entry, Came { arrival, at: arrived });
            }
        })?;
        if !whole {
            tracing::error!(entry = self.writing.next, "the disk gave back a journal entry damaged: its samples are missing");
            self.writing.pass_gone(self.writing.next + 1, GoneReason::Other);
        }
        taken
    }

    fn gone_at(&mut self, number: u64) -> Option<(u64, GoneReason)> {
        let (&begin, &(end, reason)) = self.gone.range(..=number).next_back()?;
        if end <= number {
            self.gone.remove(&begin);
            return None;
        }
        Some((end, reason))
    }
}

/// Removes a part that was never finished. It is emptied first: HDF5 may still hold it open after a failed write, and the disk may be full.
fn discard(part: &Path) {
    if let Ok(file) = fs::OpenOptions::new().write(true).open(part) {
        // Where that fails, removing it may still do.
        let _ = file.set_len(0);
    }
    if fs::remove_file(part).is_ok() {
        tracing::info!(path = %part.display(), "an unfinished file is made again from its journal");
    }
}

/// Notes that what stands in `segment` reaches to `end`. Segments come in order.
fn note(read: &mut Vec<(u32, u64)>, segment: u32, end: u64) {
    match read.last_mut().filter(|(last, _)| *last == segment) {
        Some((_, known)) => *known = end.max(*known),
        None => read.push((segment, end)),
    }
}

fn end_reason_text(reason: EndReason) -> &'static str {
    match reason {
        EndReason::Deactivated => "deactivated",
        EndReason::EndOfFile => "end-of-file",
        EndReason::Stopped => "stopped",
        EndReason::Interrupted => "interrupted",
        _ => "other",
    }
}
