//! Whether the parts of a take go on where those before them end, and are those that its `take.json` names.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::{Recording, Summary};
use crate::take::{State, Take};

/// What was found of a take as a whole.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TakeCheck {
    /// Its folder.
    pub folder: PathBuf,
    /// The take, a UUID.
    pub take_id: String,
    /// The stream's name.
    pub name: String,
    /// How many of its files were found.
    pub parts: usize,
    /// What is wrong.
    pub problems: Vec<String>,
    /// What a person should know though nothing is wrong.
    pub notes: Vec<String>,
}

/// Gathers files, and compares those of one take with one another.
#[derive(Debug, Default)]
pub struct Continuity {
    takes: BTreeMap<(PathBuf, String), Vec<Part>>,
    expected: BTreeMap<PathBuf, Take>,
    unreadable: Vec<(PathBuf, String)>,
}

#[derive(Debug)]
struct Part {
    file: String,
    summary: Summary,
}

impl Continuity {
    /// The folder's `take.json` says which files there should be.
    pub fn expect(&mut self, folder: &Path) {
        match Take::load(folder) {
            Ok(take) => drop(self.expected.insert(folder.to_owned(), take)),
            Err(error) => self.unreadable.push((folder.to_owned(), error.to_string())),
        }
    }

    /// A file was found. One that cannot be read is not counted: its own check says so.
    pub fn note(&mut self, path: &Path) {
        let (Ok(recording), Some(folder), Some(file)) = (Recording::open(path), path.parent(), path.file_name()) else { return };
        let part = Part { file: file.to_string_lossy().into_owned(), summary: recording.summary };
        self.takes.entry((folder.to_owned(), part.summary.take_id.clone())).or_default().push(part);
    }

    /// What was found of every take.
    pub fn finish(mut self) -> Vec<TakeCheck> {
        let mut checks: Vec<TakeCheck> = Vec::new();
        for ((folder, take_id), mut parts) in std::mem::take(&mut self.takes) {
            parts.sort_by_key(|part| (part.summary.part, !part.summary.closed));
            let name = parts.last().map(|part| part.summary.name.clone()).unwrap_or_default();
            let mut check = TakeCheck { take_id, name, parts: parts.len(), problems: Vec::new(), notes: Vec::new(), folder };
            succeed(&parts, &mut check.problems);
            if let Some(take) = self.expected.remove(&check.folder) {
                compare(&take, &parts, &mut check);
            }
            checks.push(check);
        }
        let empty = |folder, take: &Take| TakeCheck {
            take_id: take.take_id.clone(),
            name: take.name().to_owned(),
            parts: 0,
            problems: Vec::new(),
            notes: Vec::new(),
            folder,
        };
        for (folder, take) in self.expected {
            let mut check = empty(folder, &take);
            compare(&take, &[], &mut check);
            checks.push(check);
        }
        for (folder, why) in self.unreadable {
            let check =
                TakeCheck { take_id: String::new(), name: String::new(), parts: 0, problems: vec![why], notes: Vec::new(), folder };
            checks.push(check);
        }
        checks.sort_by(|one, two| one.folder.cmp(&two.folder));
        checks
    }
}

/// Each part goes on where the one before ends, and is of the same stream.
fn succeed(parts: &[Part], problems: &mut Vec<String>) {
    let mut end = 0;
    for (index, Part { file, summary }) in parts.iter().enumerate() {
        if summary.part as usize != index + 1 {
            problems.push(format!("{file} is part {}; part {} is not here", summary.part, index + 1));
        }
        if summary.first_sample != end {
            problems.push(format!("{file} begins at sample {}, the parts before it end at {end}", summary.first_sample));
        }
        end = summary.first_sample.saturating_add(if summary.closed { summary.frames } else { summary.committed_frames });
        let first = &parts[0].summary;
        if (&summary.stream_id, summary.channels, summary.sample_rate.to_bits())
            != (&first.stream_id, first.channels, first.sample_rate.to_bits())
        {
            problems.push(format!("{file} is of another stream, rate or number of channels than {}", parts[0].file));
        }
    }
}

/// The files are those that `take.json` names.
fn compare(take: &Take, parts: &[Part], check: &mut TakeCheck) {
    for listed in &take.parts {
        match parts.iter().find(|part| part.file == listed.file) {
            None => check.problems.push(format!("{} is named by take.json, and cannot be read or is not here", listed.file)),
            Some(part) if (part.summary.first_sample, part.summary.frames) != (listed.first_sample, listed.frames) => {
                check.problems.push(format!("{} has other samples than take.json says", listed.file));
            }
            Some(_) => {}
        }
    }
    match take.state {
        State::Open => check.notes.push("the take is open: it is being received, or its receiver was stopped".to_owned()),
        State::Interrupted => check.notes.push("the take has no end: it goes on if its sender comes back".to_owned()),
        State::Damaged => check.problems.push("take.json says that a file did not pass its check when it was closed".to_owned()),
        State::Complete => {
            for part in parts.iter().filter(|part| !take.parts.iter().any(|listed| listed.file == part.file)) {
                check.notes.push(format!("{} is not named by take.json", part.file));
            }
        }
    }
}
