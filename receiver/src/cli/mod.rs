//! The commands that a person types.

mod info;
mod list;
mod serve;
mod table;
mod verify;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, bail};
use clap::{Args, Parser, Subcommand};

/// Records what the Send Learn plugin sends, and looks into recordings.
#[derive(Debug, Parser)]
#[command(version, propagate_version = true)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Receive streams and record them, until Ctrl-C.
    Serve {
        /// Where to listen: UDP for senders, TCP for viewers. Port 0 takes a free one.
        #[arg(long, default_value = "127.0.0.1:8080")]
        listen: SocketAddr,
        /// Listen beyond this machine although nothing is encrypted: whoever reaches the address can send and watch.
        #[arg(long)]
        open: bool,
        #[command(flatten)]
        data: DataFolder,
    },
    /// Say what is in a recording, a take's folder or a data folder.
    Info {
        /// A .h5 file, a take's folder, or a data folder.
        path: PathBuf,
        /// For programs: one JSON document.
        #[arg(long)]
        json: bool,
    },
    /// Check recordings: checksums, order, gaps. Exit status 0 only if all are good.
    Verify {
        /// A .h5 file, a take's folder, or a data folder.
        path: PathBuf,
    },
    /// List all takes.
    List {
        #[command(flatten)]
        data: DataFolder,
    },
}

#[derive(Debug, Args)]
struct DataFolder {
    /// The folder for recordings [default: SendLearn in the home folder].
    #[arg(long, env = "SEND_LEARN_DATA")]
    data: Option<PathBuf>,
}

impl DataFolder {
    fn path(self) -> anyhow::Result<PathBuf> {
        match self.data {
            Some(path) => Ok(path),
            None => {
                Ok(std::env::home_dir().context("there is no home folder: say where recordings go with --data")?.join("SendLearn"))
            }
        }
    }
}

pub(crate) fn run(arguments: Arguments) -> anyhow::Result<ExitCode> {
    match arguments.command {
        Command::Serve { listen, open, data } => serve::run(listen, open, data.path()?),
        Command::Info { path, json } => info::run(&path, json),
        Command::Verify { path } => verify::run(&path),
        Command::List { data } => list::run(&data.path()?),
    }
}

/// The recordings that `path` names: itself, or the files of a take's folder or of all takes of a data folder. Files that
/// are still being written come with them.
fn recordings(path: &Path) -> anyhow::Result<Vec<PathBuf>> {
    if !path.is_dir() {
        if !path.exists() {
            bail!("{} does not exist", path.display());
        }
        return Ok(vec![path.to_owned()]);
    }
    let mut found = Vec::new();
    for folder in take_folders(path)? {
        found.extend(files_of(&folder)?);
    }
    if found.is_empty() {
        bail!("{} holds no recording", path.display());
    }
    Ok(found)
}

/// The take's folder that `path` is, or those below it.
fn take_folders(path: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let unreadable = || format!("cannot read {}", path.display());
    if path.join(send_learn::take::TAKE_FILE).is_file() || !files_of(path)?.is_empty() {
        return Ok(vec![path.to_owned()]);
    }
    let mut folders = send_learn::take::folders(path).with_context(unreadable)?;
    // A single day's folder.
    for item in std::fs::read_dir(path).with_context(unreadable)?.flatten() {
        if item.path().join(send_learn::take::TAKE_FILE).is_file() {
            folders.push(item.path());
        }
    }
    folders.sort_unstable();
    Ok(folders)
}

fn files_of(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let items = std::fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))?;
    let named = |path: &PathBuf| path.to_str().is_some_and(|name| name.ends_with(".h5") || name.ends_with(".h5.part"));
    let mut files: Vec<PathBuf> = items.flatten().map(|item| item.path()).filter(|path| path.is_file() && named(path)).collect();
    files.sort_unstable();
    Ok(files)
}
