//! Recordings as they are read back: which files there are, and all parts of a take as one.

use std::collections::BTreeMap;
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};

use crate::store::layout::{MidiRow, Row};
use crate::store::{Recording, StoreError, Summary};

/// Why there is nothing to read at a path.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SourceError {
    /// Nothing is there.
    #[error("{path} does not exist", path = path.display())]
    Missing {
        /// What was asked for.
        path: PathBuf,
    },
    /// A folder without recordings.
    #[error("{path} holds no recording", path = path.display())]
    Empty {
        /// The folder.
        path: PathBuf,
    },
    /// The operating system refused.
    #[error("cannot read {path}: {source}", path = path.display())]
    Io {
        /// The folder.
        path: PathBuf,
        /// What it said.
        source: io::Error,
    },
}

/// How far below a data folder recordings lie: in a day's folder, in a take's.
const DEPTH: u32 = 2;

/// The recordings that `path` names: itself, or the files of a take's folder, of a day, or of all takes of a data folder, in
/// order. Files that are still being written (`.h5.part`) come with them.
///
/// # Errors
/// [`SourceError`].
pub fn files(path: &Path) -> Result<Vec<PathBuf>, SourceError> {
    if !path.is_dir() {
        return if path.exists() { Ok(vec![path.to_owned()]) } else { Err(SourceError::Missing { path: path.to_owned() }) };
    }
    let mut found = Vec::new();
    collect(path, DEPTH, &mut found)?;
    if found.is_empty() { Err(SourceError::Empty { path: path.to_owned() }) } else { Ok(found) }
}

/// What an export has in its folder, done or not: what lies beside is no recording.
const EXPORTED: [&str; 2] = ["manifest.json", ".unfinished"];

/// Adds the recordings in `folder` and those of the folders in it, in order: a file that lies where none belongs hides no other.
fn collect(folder: &Path, depth: u32, found: &mut Vec<PathBuf>) -> Result<(), SourceError> {
    found.extend(files_of(folder)?);
    if depth == 0 {
        return Ok(());
    }
    let items = std::fs::read_dir(folder).map_err(|source| SourceError::Io { path: folder.to_owned(), source })?;
    let hidden = |path: &Path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'));
    let mut folders: Vec<PathBuf> = items.flatten().map(|item| item.path()).filter(|path| path.is_dir() && !hidden(path)).collect();
    folders.retain(|folder| !EXPORTED.iter().any(|name| folder.join(name).exists()));
    folders.sort_unstable();
    folders.iter().try_for_each(|below| collect(below, depth - 1, found))
}

fn files_of(folder: &Path) -> Result<Vec<PathBuf>, SourceError> {
    let items = std::fs::read_dir(folder).map_err(|source| SourceError::Io { path: folder.to_owned(), source })?;
    let named = |path: &PathBuf| path.to_str().is_some_and(|name| name.ends_with(".h5") || name.ends_with(".h5.part"));
    let mut files: Vec<PathBuf> = items.flatten().map(|item| item.path()).filter(|path| path.is_file() && named(path)).collect();
    files.sort_unstable();
    Ok(files)
}

/// A file's place in the data folder, with `/`: day, take and part; its name alone where no day's folder holds it. What others
/// are given says nothing of the machine that recorded.
pub fn within_data(path: &Path) -> String {
    let names: Vec<_> = path.iter().map(|name| name.to_string_lossy()).collect();
    let last = names.len().saturating_sub(1);
    let day = (last.saturating_sub(DEPTH as usize)..last).find(|&place| is_day(&names[place]));
    names[day.unwrap_or(last)..].join("/")
}

/// `text` about the file at `path`, with its place in the data folder in place of the path.
pub(crate) fn told_within_data(text: &str, path: &Path) -> String {
    match path.display().to_string() {
        nowhere if nowhere.is_empty() => text.to_owned(),
        path_in_full => text.replace(&path_in_full, &within_data(path)),
    }
}

/// Whether a folder has the name of a day: `2026-11-22`.
fn is_day(name: &str) -> bool {
    name.len() == 10
        && name.bytes().enumerate().all(|(place, byte)| if matches!(place, 4 | 7) { byte == b'-' } else { byte.is_ascii_digit() })
}

/// A take, read from the closed files of its parts. They are opened as they are read: there may be more of them than a process may have
/// open.
#[derive(Debug)]
pub struct Source {
    /// What its newest part says of it.
    pub summary: Summary,
    parts: Vec<Part>,
}

/// A file of a take.
#[derive(Debug)]
struct Part {
    path: PathBuf,
    /// The positions that it holds.
    held: Range<u64>,
}

impl Part {
    fn open(&self) -> Result<Recording, StoreError> {
        Recording::open(&self.path)
    }
}

/// What was found among some files.
#[derive(Debug, Default)]
pub struct Sources {
    /// Takes, in order of their begin.
    pub takes: Vec<Source>,
    /// Files that cannot be read, and why.
    pub broken: Vec<StoreError>,
    /// Files that are still being written, or were left so by a receiver that was killed.
    pub unfinished: Vec<PathBuf>,
}

impl Sources {
    /// Opens all `files`, and joins those of one take. A file that cannot be read is noted, the others are taken.
    pub fn open(files: &[PathBuf]) -> Self {
        Self::open_if(files, |_| Ok(()))
    }

    /// As [`open`](Self::open), for those who make something of what is in them: a file whose tables were changed cannot be read. Takes the
    /// time of reading all tables.
    pub fn open_unchanged(files: &[PathBuf]) -> Self {
        Self::open_if(files, Recording::check_tables)
    }

    fn open_if(files: &[PathBuf], check: impl Fn(&Recording) -> Result<(), StoreError>) -> Self {
        let mut sources = Self::default();
        let mut takes: BTreeMap<(u64, String), BTreeMap<u32, (Part, Summary)>> = BTreeMap::new();
        for file in files {
            match Recording::open(file).and_then(|recording| check(&recording).map(|()| recording.summary)) {
                Ok(summary) if !summary.closed => sources.unfinished.push(file.clone()),
                Ok(summary) => {
                    let take = takes.entry((summary.started_unix_nanos, summary.take_id.clone())).or_default();
                    let held = summary.first_sample..summary.first_sample + summary.frames;
                    take.entry(summary.part).or_insert_with(|| (Part { path: file.clone(), held }, summary));
                }
                Err(error) => sources.broken.push(error),
            }
        }
        for parts in takes.into_values() {
            let (parts, mut summaries): (Vec<Part>, Vec<Summary>) = parts.into_values().unzip();
            if let Some(summary) = summaries.pop() {
                sources.takes.push(Source { summary, parts });
            }
        }
        sources
    }
}

impl Source {
    /// The position after the take's last sample.
    pub fn end(&self) -> u64 {
        self.summary.first_sample + self.summary.frames
    }

    /// The positions that its parts hold, in order. Between them lie parts that are missing.
    pub fn held(&self) -> impl Iterator<Item = Range<u64>> {
        self.parts.iter().map(|part| part.held.clone())
    }

    /// Its parts, in order, each opened in its turn.
    pub fn parts(&self) -> impl Iterator<Item = Result<Recording, StoreError>> {
        self.parts.iter().map(Part::open)
    }

    /// The file that holds position `sample`.
    pub fn file(&self, sample: u64) -> Option<&Path> {
        self.parts.iter().find(|part| part.held.contains(&sample)).map(|part| &*part.path)
    }

    /// The files of its parts.
    pub fn files(&self) -> impl Iterator<Item = &Path> {
        self.parts.iter().map(|part| &*part.path)
    }

    /// The samples at the positions in `range`, interleaved; zeros where no part holds them.
    ///
    /// # Errors
    /// [`StoreError`] when a file is damaged.
    pub fn audio(&self, range: Range<u64>) -> Result<Vec<f32>, StoreError> {
        let channels = usize::from(self.summary.channels);
        let mut audio = Vec::new();
        for part in &self.parts {
            let held = &part.held;
            let (begin, end) = (range.start.max(held.start), range.end.min(held.end));
            if begin < end {
                let before = (begin - range.start) as usize * channels;
                audio.resize(before, 0.0);
                audio.extend(part.open()?.audio(begin - held.start..end - held.start)?);
            }
        }
        audio.resize((range.end - range.start) as usize * channels, 0.0);
        Ok(audio)
    }

    /// All rows of a table of all parts. For MIDI use [`Source::midi`]: its rows point into `/sysex` of their own part.
    ///
    /// # Errors
    /// [`StoreError`] when a table is missing or damaged.
    pub fn table<R: Row>(&self) -> Result<Vec<R>, StoreError> {
        let mut rows = Vec::new();
        for part in &self.parts {
            rows.extend(part.open()?.table::<R>()?);
        }
        Ok(rows)
    }

    /// All MIDI events, and the system exclusive bytes that they point into.
    ///
    /// # Errors
    /// [`StoreError`] when a table is missing or damaged.
    pub fn midi(&self) -> Result<(Vec<MidiRow>, Vec<u8>), StoreError> {
        let (mut rows, mut bytes) = (Vec::new(), Vec::new());
        for part in &self.parts {
            let (before, part) = (bytes.len() as u64, part.open()?);
            rows.extend(part.table::<MidiRow>()?.into_iter().map(|row| MidiRow { sysex_offset: row.sysex_offset + before, ..row }));
            bytes.extend(part.sysex()?);
        }
        Ok((rows, bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_in_the_data_folder_says_nothing_of_the_machine() {
        let place = |path: &str| within_data(Path::new(path));
        assert_eq!(place("/home/ada/SendLearn/2026-11-22/201642-Bass/Bass-0001.h5"), "2026-11-22/201642-Bass/Bass-0001.h5");
        assert_eq!(place("/home/ada/SendLearn/2026-11-22/stray.h5"), "2026-11-22/stray.h5");
        assert_eq!(place("/home/ada/stray.h5"), "stray.h5");
        assert_eq!(place("/home/2026-11-22/ada/songs/stray.h5"), "stray.h5");
        assert_eq!(place("stray.h5"), "stray.h5");
        let path = Path::new("/home/ada/stray.h5");
        assert_eq!(told_within_data("/home/ada/stray.h5: no '/home/ada/stray.h5'", path), "stray.h5: no 'stray.h5'");
        assert_eq!(told_within_data("nowhere", Path::new("")), "nowhere");
    }
}
