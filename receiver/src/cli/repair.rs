//! `send-learn repair`.

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::bail;
use clap::Args;
use send_learn::repair::{Options, Report, repair};

use super::table;

/// What is to be repaired.
///
/// Says of every take what was found, what was made whole, and what is missing and why. Nothing is removed of which another file does
/// not hold all. Ends with status 0 when nothing is missing.
#[derive(Debug, Args)]
pub(super) struct RepairOptions {
    /// A take's folder, a day's, or a data folder, which no receiver records to.
    path: PathBuf,
    /// Make gaps of what only the sender could still send, so that what came after it becomes part of the recording.
    #[arg(long)]
    without_missing: bool,
    /// Say what would be done, and change nothing.
    #[arg(long)]
    dry_run: bool,
}

pub(super) fn run(options: &RepairOptions) -> anyhow::Result<ExitCode> {
    match options.path.metadata() {
        Err(error) => bail!("{}: {error}", options.path.display()),
        Ok(found) if !found.is_dir() => bail!(
            "{} is a file. Name the folder that it lies in; or put it into an empty one, and name that.",
            options.path.display()
        ),
        Ok(_) => {}
    }
    let _locks = lock(&options.path)?;
    let mut folders = Vec::new();
    collect(&options.path, 2, &mut folders)?;
    if folders.is_empty() {
        bail!("{} holds no take: neither take.json, nor a journal, nor a file of samples", options.path.display());
    }
    let mut out = io::stdout().lock();
    let (mut whole, total) = (0, folders.len());
    for folder in folders {
        let mut report = Report::default();
        let wanted = Options { dry_run: options.dry_run, without_missing: options.without_missing };
        if let Err(error) = repair(&folder, wanted, &mut report) {
            report.missing.push(format!("it could not be repaired, and is as it was: {error}"));
        }
        writeln!(out, "{}", table::clean(&folder.display().to_string()))?;
        for (word, lines) in
            [("found", &report.found), ("made", &report.made), ("MISSING", &report.missing), ("note", &report.advice)]
        {
            lines.iter().try_for_each(|line| writeln!(out, "  {word}: {}", table::clean(line)))?;
        }
        whole += usize::from(report.is_whole());
    }
    if total > 1 {
        writeln!(out, "{whole} of {total} takes are whole")?;
    }
    Ok(if whole == total { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Takes the lock of every data folder that `path` is, or lies in, so that no receiver records there meanwhile.
fn lock(path: &Path) -> anyhow::Result<Vec<File>> {
    let mut locks = Vec::new();
    for folder in path.canonicalize()?.ancestors().take(3) {
        let Ok(file) = File::open(folder.join(".send-learn.lock")) else { continue };
        if file.try_lock().is_err() {
            bail!(
                "a receiver records to {}: it repairs what it finds by itself when it starts. Stop it first, or copy the folder and repair the copy.",
                folder.display()
            );
        }
        locks.push(file);
    }
    Ok(locks)
}

/// The folders of takes: those with a description, a journal or a file of samples in them.
fn collect(folder: &Path, depth: u32, found: &mut Vec<PathBuf>) -> anyhow::Result<()> {
    let mut items: Vec<PathBuf> = std::fs::read_dir(folder)?.flatten().map(|item| item.path()).collect();
    items.sort_unstable();
    let ours = |path: &PathBuf| {
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        path.is_file() && (name == "take.json" || name.ends_with(".slj") || name.ends_with(".h5") || name.ends_with(".h5.part"))
    };
    // What lies in a data folder or a day's folder itself is no take: there are others beside it.
    let folders: Vec<&PathBuf> = items.iter().filter(|path| path.is_dir() && !path.is_symlink()).collect();
    if items.iter().any(ours) && (folders.is_empty() || depth == 0) {
        found.push(folder.to_owned());
    } else if depth > 0 {
        folders.iter().try_for_each(|below| collect(below, depth - 1, found))?;
    }
    Ok(())
}
