//! `send-learn index`.

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use send_learn::session::index;

use super::{DataFolder, table};

/// Whose sessions.
///
/// The receiver writes the indices by itself when takes are closed. By hand they are written anew after recordings were moved, copied or
/// removed. Nothing is copied: the index names the files, by paths that stay right when the folder is moved.
#[derive(Debug, Args)]
pub(super) struct IndexOptions {
    /// A data folder, or the folder of a day [default: the data folder].
    path: Option<PathBuf>,
    #[command(flatten)]
    data: DataFolder,
}

pub(super) fn run(options: IndexOptions) -> anyhow::Result<ExitCode> {
    let path = match options.path {
        Some(path) => path,
        None => options.data.path()?,
    };
    let mut code = ExitCode::SUCCESS;
    let written = index(&path, |error| {
        eprintln!("send-learn: cannot be read, and left out: {}", table::clean(&error.to_string()));
        code = ExitCode::FAILURE;
    })?;
    let mut out = io::stdout().lock();
    for session in &written {
        writeln!(out, "{}: {}", table::clean(&session.path.display().to_string()), table::count(session.streams as u64, "stream"))?;
    }
    if written.is_empty() {
        writeln!(out, "no closed takes in {}", table::clean(&path.display().to_string()))?;
    }
    Ok(code)
}
