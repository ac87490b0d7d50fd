//! Makes whole, by hand, what an earlier life of a receiver left: journals and unfinished files in a folder that was copied or moved away
//! from its receiver. What the receiver does by itself at its start, told step by step, and more careful: a file that is made again is
//! put aside first, and goes only when the new one holds all of it.

mod journal;
mod make;
mod name;

use std::fs;
use std::path::{Path, PathBuf};

use crate::assembly::AssemblyError;
use crate::journal::JournalError;
use crate::store::verify::verify;
use crate::store::{Recording, StoreError};
use crate::take::{ClosedPart, State, Take, TakeError};

pub use journal::Survey;

/// What is to be done.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options {
    /// Say what would be done, and change nothing.
    pub dry_run: bool,
    /// Of what only the sender could still send, make gaps, so that what comes after it becomes part of the recording.
    pub without_missing: bool,
}

/// Why a take cannot be repaired.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RepairError {
    /// Its description cannot be read or written.
    #[error(transparent)]
    Take(#[from] TakeError),
    /// Its journal cannot be read.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// A file cannot be made.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A file cannot be made of its journal.
    #[error(transparent)]
    Assembly(#[from] AssemblyError),
    /// The operating system refused.
    #[error("{path}: {source}", path = path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What it said.
        source: std::io::Error,
    },
}

/// What was found and done, in sentences.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// What was there.
    pub found: Vec<String>,
    /// What was made whole.
    pub made: Vec<String>,
    /// What is missing or damaged, and why.
    pub missing: Vec<String>,
    /// What a person may do next.
    pub advice: Vec<String>,
}

impl Report {
    /// Whether nothing is missing.
    pub fn is_whole(&self) -> bool {
        self.missing.is_empty()
    }
}

/// Repairs the take in `folder`. What is found until an error comes is in the report all the same.
///
/// # Errors
/// [`RepairError`]: then nothing that was there is gone.
pub fn repair(folder: &Path, options: Options, report: &mut Report) -> Result<(), RepairError> {
    let mut take = match Take::load(folder) {
        Ok(take) => take,
        Err(error) => name::again(folder, &error, options, report)?,
    };
    let bad = check_parts(folder, &take, report);
    let survey = Survey::of(folder, &take)?;
    survey.tell(report);
    if let Some(index) = bad {
        if !make::begin_again_at(folder, &mut take, index, &survey, options, report)? {
            return Ok(());
        }
        return make::from_journal(folder, take, &Survey::of(folder, &Take::load(folder)?)?, options, report);
    }
    let unfinished = make::unlisted(folder, &take.parts);
    match take.state {
        _ if survey.segments == 0 && !unfinished.is_empty() => make::without_journal(folder, take, &unfinished, options, report),
        State::Complete | State::Damaged => {
            finished(folder, &take, &survey, options, report);
            Ok(())
        }
        State::Open | State::Interrupted if survey.segments > 0 => make::from_journal(folder, take, &survey, options, report),
        State::Open | State::Interrupted => {
            if take.parts.is_empty() {
                report.missing.push("everything: there is neither a journal nor a file with samples".to_owned());
            } else if take.state == State::Open {
                report.missing.push("what came after the closed files: its journal is not here".to_owned());
            }
            Ok(())
        }
    }
}

/// Checks the closed files; gives the index of the first that is not as it should be.
fn check_parts(folder: &Path, take: &Take, report: &mut Report) -> Option<usize> {
    let mut bad = None;
    let mut end = 0;
    for (index, part) in take.parts.iter().enumerate() {
        if part.first_sample != end {
            report
                .missing
                .push(format!("samples {end} to {}: take.json names no file for them", part.first_sample.saturating_sub(1)));
        }
        end = part.first_sample + part.frames;
        let path = folder.join(&part.file);
        let why = match verify(&path) {
            Ok(verdict) if !verdict.finished => Some("it was never closed".to_owned()),
            Ok(verdict) if verdict.is_good() => None,
            Ok(verdict) => verdict.problems.into_iter().next(),
            Err(_) if !path.exists() => Some("it is not here".to_owned()),
            Err(error) => Some(error.to_string()),
        };
        match why {
            None => report.found.push(format!("{}: whole, every checksum is right", part.file)),
            Some(why) => {
                report.missing.push(format!("{}, samples {} to {}: {why}", part.file, part.first_sample, end.saturating_sub(1)));
                bad = bad.or(Some(index));
            }
        }
    }
    bad
}

/// Nothing is to be made of a take that is finished; its journal is not needed any more where its files are whole.
fn finished(folder: &Path, take: &Take, survey: &Survey, options: Options, report: &mut Report) {
    if survey.segments == 0 || !report.is_whole() {
        return;
    }
    if options.dry_run {
        report.made.push("the journal would be removed: the files hold all of it".to_owned());
        return;
    }
    match crate::journal::remove_segments(folder, |_| true) {
        Ok(()) if take.state == State::Damaged => {
            let take = Take { state: State::Complete, ..take.clone() };
            match take.save(folder) {
                Ok(()) => report.made.push("the take counts as complete: its files pass their check".to_owned()),
                Err(error) => report.missing.push(error.to_string()),
            }
        }
        Ok(()) => report.made.push("the journal is removed: the files hold all of it".to_owned()),
        Err(error) => report.advice.push(format!("the journal could not be removed ({error}); it is harmless")),
    }
}

/// Renames a file.
fn rename(from: &Path, to: &Path) -> Result<(), RepairError> {
    fs::rename(from, to).map_err(|source| RepairError::Io { path: from.to_owned(), source })
}

/// The name of a path within its folder.
fn file_name(path: &Path) -> String {
    path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

/// What take.json says of a closed file.
fn closed_part(path: &Path) -> Result<ClosedPart, StoreError> {
    let summary = Recording::open(path)?.summary;
    Ok(ClosedPart { file: file_name(path), first_sample: summary.first_sample, frames: summary.frames })
}
