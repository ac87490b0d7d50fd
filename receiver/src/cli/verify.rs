//! `send-learn verify`.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use clap::Args;
use send_learn::source::SourceError;
use send_learn::store::continuity::{Continuity, TakeCheck};
use send_learn::store::verify::{Verdict, verify};
use send_learn::take::folders;
use serde::Serialize;

use super::table;

/// What is to be checked.
///
/// The exit status is 0 when all is finished and good, 1 when something is wrong, and 3 when nothing is wrong but something is not
/// finished.
#[derive(Debug, Args)]
pub(super) struct VerifyOptions {
    /// .h5 files, takes' folders, a day's, or a data folder.
    #[arg(required = true)]
    paths: Vec<PathBuf>,
    /// For programs: one JSON document.
    #[arg(long)]
    json: bool,
}

/// The status where nothing is wrong, but something is not finished.
const UNFINISHED: u8 = 3;

/// One file, for programs.
#[derive(Serialize)]
struct FileCheck {
    path: PathBuf,
    /// `good`, `unfinished` or `bad`.
    state: Grade,
    #[serde(flatten)]
    verdict: Verdict,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
enum Grade {
    Good,
    Unfinished,
    Bad,
}

impl Grade {
    fn of(verdict: &Verdict) -> Self {
        match (verdict.is_good(), verdict.finished) {
            (false, _) => Self::Bad,
            // What is not finished may be sound so far, and still lacks its end.
            (true, false) => Self::Unfinished,
            (true, true) => Self::Good,
        }
    }
}

/// All of it, for programs.
#[derive(Serialize)]
struct Document {
    state: Grade,
    files: Vec<FileCheck>,
    takes: Vec<TakeCheck>,
}

pub(super) fn run(options: &VerifyOptions) -> anyhow::Result<ExitCode> {
    // Whoever names files does not ask for their neighbours: only takes in folders are looked at as a whole.
    let (mut files, mut continuity) = (BTreeMap::new(), Continuity::default());
    for path in &options.paths {
        let takes = takes_in(path);
        match send_learn::source::files(path) {
            Ok(found) => found.into_iter().for_each(|file| *files.entry(file).or_default() |= path.is_dir()),
            // A take of which nothing is written yet, or whose files are gone, is not finished, or worse: its take.json says so.
            Err(SourceError::Empty { .. }) if !takes.is_empty() => {}
            Err(error) => return Err(error.into()),
        }
        takes.iter().for_each(|folder| continuity.expect(folder));
    }
    let mut document = Document { state: Grade::Good, files: Vec::new(), takes: Vec::new() };
    let mut out = io::stdout().lock();
    for (path, in_folder) in files {
        let verdict = verify(&path).unwrap_or_else(|error| Verdict {
            problems: vec![format!("it cannot be read, so it is cut off, damaged or no recording: {error}")],
            damage: true,
            ..Verdict::default()
        });
        if in_folder {
            continuity.note(&path);
        }
        let check = FileCheck { state: Grade::of(&verdict), path, verdict };
        if !options.json {
            print(&mut out, &check)?;
        }
        document.files.push(check);
    }
    document.takes = continuity.finish();
    let takes = document.takes.iter().map(|take| if take.problems.is_empty() { Grade::Good } else { Grade::Bad });
    document.state = document.files.iter().map(|file| file.state).chain(takes).max().unwrap_or(Grade::Unfinished);
    if options.json {
        writeln!(out, "{}", serde_json::to_string_pretty(&document).context("cannot write JSON")?)?;
    } else {
        for take in document.takes.iter().filter(|take| !take.problems.is_empty() || !take.notes.is_empty()) {
            writeln!(out, "{} ({})", table::clean(&take.folder.display().to_string()), table::clean(&take.name))?;
            take.problems.iter().try_for_each(|problem| writeln!(out, "  problem: {}", table::clean(problem)))?;
            take.notes.iter().try_for_each(|note| writeln!(out, "  note: {}", table::clean(note)))?;
        }
        let good = document.files.iter().filter(|file| file.state == Grade::Good).count();
        if document.files.len() != 1 {
            writeln!(out, "{good} of {} recordings are whole and good", document.files.len())?;
        }
    }
    Ok(match document.state {
        Grade::Good => ExitCode::SUCCESS,
        Grade::Unfinished => ExitCode::from(UNFINISHED),
        Grade::Bad => ExitCode::FAILURE,
    })
}

/// The folders of takes that a path names.
fn takes_in(path: &std::path::Path) -> Vec<PathBuf> {
    if path.join(send_learn::take::TAKE_FILE).is_file() {
        return vec![path.to_owned()];
    }
    // A day's folder holds takes, a data folder days.
    let beside = std::fs::read_dir(path).into_iter().flatten().flatten().map(|item| item.path());
    let mut found: Vec<PathBuf> = beside.filter(|folder| folder.join(send_learn::take::TAKE_FILE).is_file()).collect();
    found.extend(folders(path).unwrap_or_default());
    found.sort_unstable();
    found.dedup();
    found
}

fn print(out: &mut impl Write, check: &FileCheck) -> io::Result<()> {
    let verdict = &check.verdict;
    let gaps = match verdict.gap_frames {
        0 => "no gaps".to_owned(),
        frames => format!("{frames} frames missing, as its gaps say"),
    };
    let words = match check.state {
        Grade::Good => "good",
        Grade::Unfinished => "UNFINISHED, good so far",
        Grade::Bad => "BAD",
    };
    let path = table::clean(&check.path.display().to_string());
    writeln!(out, "{path}: {words} ({} blocks checked, {gaps})", verdict.checked_blocks)?;
    verdict.problems.iter().try_for_each(|problem| writeln!(out, "  problem: {}", table::clean(problem)))?;
    verdict.notes.iter().try_for_each(|note| writeln!(out, "  note: {}", table::clean(note)))
}
