//! The index of a session: which takes sounded together, and one timeline for the streams of all machines.
//!
//! Beside the takes, in the folder of the day on which the session began, lie `session-HHMMSS.json` for programs and
//! `session-HHMMSS.hdf5`, in which every stream's audio is a virtual dataset on that timeline. Nothing is copied, and all paths are
//! relative: the folder can be moved. Both can be made again at any time.

mod linked;
mod place;
mod write;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde::Serialize;

use crate::source::{Source, Sources, files};
use crate::store::StoreError;
use crate::take::{State, TAKE_FILE, Take, folders, is_take};
use place::Placed;

pub use write::{FORMAT, VERSION, forget_what_is_gone};

/// After the last take was closed, others of its session have this long to be closed too before the index is written.
const PAUSE: Duration = Duration::from_secs(2);

/// Takes whose wall clocks are further apart than this are of different sessions, seconds. Clocks of two machines may differ by as much.
const APART: f64 = 300.0;

/// Why an index cannot be written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum IndexError {
    /// A recording cannot be read, or the index not be written.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The operating system refused.
    #[error("{path}: {source}", path = path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What it said.
        source: std::io::Error,
    },
}

/// A stream of a session, on its timeline.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Stream {
    /// The stream's name.
    pub name: String,
    /// The stream, a UUID.
    pub stream_id: String,
    /// The take, a UUID.
    pub take_id: String,
    /// The studio machine's name.
    pub machine: String,
    /// The host application.
    pub host: String,
    /// The DAW project.
    pub project: String,
    /// When the take began, by the wall clock of the studio machine: ns since 1970-01-01 UTC.
    pub started_unix_nanos: u64,
    /// Samples per second.
    pub sample_rate: f64,
    /// Audio channels.
    pub channels: u16,
    /// The take's length in frames.
    pub frames: u64,
    /// Where its sample 0 lies on the timeline, in samples of the timeline.
    pub offset: f64,
    /// How many samples of the timeline one of its samples lasts.
    pub rate: f64,
    /// How it was placed: `reference`, `playhead`, `host-time`, `clock` or `wall-clock`.
    pub alignment: &'static str,
    /// Its true place is within this, seconds; null where nobody knows.
    pub uncertainty_seconds: Option<f64>,
    /// Its files, as paths from the index.
    pub files: Vec<File>,
}

/// A file of a stream.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct File {
    /// Path from the index, with `/`.
    pub path: String,
    /// The take's position of its first frame.
    pub first_sample: u64,
    /// Its length in frames.
    pub frames: u64,
}

/// Takes that sounded together.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Session {
    /// `send-learn-session`.
    pub format: &'static str,
    /// The version of this document.
    pub version: u32,
    /// When its first take began: ns since 1970-01-01 UTC.
    pub started_unix_nanos: u64,
    /// Samples per second of the timeline: those of the first take.
    pub sample_rate: f64,
    /// Length of the timeline in samples.
    pub frames: u64,
    /// Its streams, in order of their begin.
    pub streams: Vec<Stream>,
}

/// An index that was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    /// The JSON file; the HDF5 file lies beside it.
    pub path: PathBuf,
    /// How many streams it has.
    pub streams: usize,
}

/// Writes the indices of all sessions in a data folder, or in the folder of a day. Takes that are not closed are left out until they
/// are; files that cannot be read are handed to `broken`.
///
/// # Errors
/// [`IndexError`].
pub fn index(folder: &Path, mut broken: impl FnMut(&StoreError)) -> Result<Vec<Written>, IndexError> {
    let takes = match takes_of(folder)? {
        takes if takes.is_empty() => folders(folder).map_err(io(folder))?,
        takes => takes,
    };
    let written = write_all(&takes, &mut broken)?;
    // Days whose last take is gone have indices, too.
    let mut days: BTreeSet<PathBuf> = takes.iter().filter_map(|take| take.parent()).map(Path::to_owned).collect();
    days.extend(fs::read_dir(folder).map_err(io(folder))?.flatten().map(|item| item.path()).filter(|path| path.is_dir()));
    days.iter().try_for_each(|day| write::remove_others(day, &written))?;
    Ok(written)
}

/// Keeps the indices up to date while takes are closed. To be called from the thread that calls HDF5.
#[derive(Debug, Default)]
pub struct Indexer {
    closed: BTreeSet<PathBuf>,
    last: Option<Instant>,
}

impl Indexer {
    /// The take in `folder` was closed.
    pub fn note(&mut self, folder: &Path) {
        self.closed.insert(folder.to_owned());
        self.last = Some(Instant::now());
    }

    /// Whether takes wait, and no other was closed of late.
    pub fn is_due(&self) -> bool {
        self.last.is_some_and(|last| last.elapsed() >= PAUSE)
    }

    /// Writes the indices of the sessions that the closed takes belong to. Failures are logged: an index can be made again.
    pub fn write(&mut self) {
        self.last = None;
        let closed = std::mem::take(&mut self.closed);
        if closed.is_empty() {
            return;
        }
        let candidates = neighbours(&closed);
        match write_all(&candidates, &mut |error| tracing::warn!("{error}. The session's index goes without it.")) {
            Ok(written) => {
                for index in written {
                    tracing::info!(path = %index.path.display(), streams = index.streams, "session");
                }
            }
            Err(error) => tracing::warn!("{error}. The session's index could not be written; `send-learn index` makes it again."),
        }
    }
}

/// Closed takes that may have sounded with those in `folders`, and with one another.
fn neighbours(folders: &BTreeSet<PathBuf>) -> Vec<PathBuf> {
    let days: BTreeSet<&Path> = folders.iter().filter_map(|folder| folder.parent()).collect();
    let span = |folder: &PathBuf| {
        let take = Take::load(folder).ok()?;
        let begin = take.started_unix_nanos as f64 * 1e-9;
        let frames: u64 = take.parts.iter().map(|part| part.frames).sum();
        Some((begin, begin + frames as f64 / take.sample_rate))
    };
    let mut others: Vec<(PathBuf, (f64, f64))> = days
        .into_iter()
        .flat_map(|day| takes_of(day).unwrap_or_default())
        .filter_map(|folder| Some((folder.clone(), span(&folder)?)))
        .collect();
    let mut found: Vec<(PathBuf, (f64, f64))> = folders.iter().filter_map(|folder| Some((folder.clone(), span(folder)?))).collect();
    others.retain(|(folder, _)| !folders.contains(folder));
    let mut next = 0;
    while next < found.len() {
        let (begin, end) = found[next].1;
        let near = |(_, (one, two)): &(PathBuf, (f64, f64))| *one <= end + APART && begin <= two + APART;
        let (more, rest) = others.into_iter().partition(near);
        found.extend::<Vec<_>>(more);
        others = rest;
        next += 1;
    }
    found.into_iter().map(|(folder, _)| folder).collect()
}

/// Writes the indices of all sessions among some takes.
fn write_all(takes: &[PathBuf], broken: &mut dyn FnMut(&StoreError)) -> Result<Vec<Written>, IndexError> {
    let mut placed = Vec::new();
    for folder in takes {
        let is_closed = Take::load(folder).is_ok_and(|take| take.state != State::Open);
        let Ok(files) = files(folder) else { continue };
        if !is_closed {
            continue;
        }
        let mut sources = Sources::open(&files);
        sources.broken.iter().for_each(&mut *broken);
        if let Some(source) = sources.takes.pop() {
            match Placed::read(folder, source) {
                Ok(take) => placed.push(take),
                Err(error) => broken(&error),
            }
        }
    }
    place::sessions(placed).iter().map(|takes| write::write(takes)).collect()
}

/// The takes in the folder of a day; the folder itself, if it is a take's.
fn takes_of(folder: &Path) -> Result<Vec<PathBuf>, IndexError> {
    if folder.join(TAKE_FILE).is_file() {
        return folder.parent().map_or(Ok(Vec::new()), takes_of);
    }
    let items = fs::read_dir(folder).map_err(io(folder))?.flatten().map(|item| item.path());
    let mut takes: Vec<PathBuf> = items.filter(|path| is_take(path)).collect();
    takes.sort_unstable();
    Ok(takes)
}

fn io(path: &Path) -> impl FnOnce(std::io::Error) -> IndexError + '_ {
    |source| IndexError::Io { path: path.to_owned(), source }
}

/// The files of a take, as an index names them.
fn files_of(source: &Source) -> impl Iterator<Item = (&Path, u64, u64)> {
    source.files().zip(source.held()).map(|(path, held)| (path, held.start, held.end - held.start))
}
