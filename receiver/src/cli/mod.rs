//! The commands that a person types.

mod ask;
mod console;
mod export;
mod info;
mod list;
mod quality;
mod report;
mod serve;
mod streams;
mod table;
mod verify;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use clap::{Args, Parser, Subcommand};
use send_learn::server::{Config, ROTATION};

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
        /// Begin another file when one is as long as this, in minutes; 0: never.
        #[arg(long, value_name = "MINUTES", default_value_t = ROTATION.as_secs() / 60)]
        rotate: u64,
        /// Do not compute features of the audio while recording.
        #[arg(long)]
        no_features: bool,
        #[command(flatten)]
        data: DataFolder,
    },
    /// Say what the running receiver is doing.
    Status {
        /// For programs: one JSON document.
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        data: DataFolder,
    },
    /// Have the running receiver close the files of all open takes; they go on in others.
    Rotate {
        #[command(flatten)]
        data: DataFolder,
    },
    /// Have the running receiver close all recordings and end; wait until it has.
    Stop {
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
    /// Check recordings: checksums, order, gaps. Exit status 0 only if all are finished and good.
    Verify {
        /// A .h5 file, a take's folder, or a data folder.
        path: PathBuf,
    },
    /// Make a dataset of recordings, for those who train models.
    Export(export::ExportOptions),
    /// Say how good recordings are, in figures and in words.
    Quality(quality::QualityOptions),
    /// Write a report for programs, and one for people: quality, and what an export would contain.
    Report(report::ReportOptions),
    /// List all takes.
    List {
        #[command(flatten)]
        data: DataFolder,
    },
}

#[derive(Debug, Args)]
struct DataFolder {
    /// The folder for recordings [env: SEND_LEARN_DATA; default: SendLearn in the home folder].
    // Read by hand: clap would show the option in every usage line where the variable is set, as the receiver's prompt sets it.
    #[arg(long)]
    data: Option<PathBuf>,
}

impl DataFolder {
    fn path(self) -> anyhow::Result<PathBuf> {
        match self.data.or_else(|| std::env::var_os("SEND_LEARN_DATA").filter(|path| !path.is_empty()).map(PathBuf::from)) {
            Some(path) => Ok(path),
            None => {
                Ok(std::env::home_dir().context("there is no home folder: say where recordings go with --data")?.join("SendLearn"))
            }
        }
    }
}

pub(crate) fn run(arguments: Arguments) -> anyhow::Result<ExitCode> {
    match arguments.command {
        Command::Serve { listen, open, rotate, no_features, data } => {
            let rotation = (rotate > 0).then(|| Duration::from_secs(rotate.saturating_mul(60)));
            let config = Config { features: !no_features, rotation, ..Config::new(listen, data.path()?) };
            serve::run(config, open)
        }
        Command::Status { json, data } => ask::status(&data.path()?, json),
        Command::Rotate { data } => ask::rotate(&data.path()?),
        Command::Stop { data } => ask::stop(&data.path()?),
        Command::Info { path, json } => info::run(&path, json),
        Command::Verify { path } => verify::run(&path),
        Command::Export(options) => export::run(options),
        Command::Quality(options) => quality::run(options),
        Command::Report(options) => report::run(options),
        Command::List { data } => list::run(&data.path()?),
    }
}
