//! The commands that a person types.

mod ask;
mod config;
mod console;
mod export;
mod flags;
mod info;
mod key;
mod list;
mod logging;
mod quality;
mod reload;
mod report;
mod serve;
mod streams;
mod table;
mod verify;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};
use flags::SettingFlags;
use send_learn::settings::{Effective, Flags, Settings};

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
        /// The file of the key [default: the one that "send-learn key" made].
        #[arg(long, value_name = "FILE")]
        key_file: Option<PathBuf>,
        #[command(flatten)]
        settings: SettingFlags,
    },
    /// Print the settings as they hold, and who said so.
    Config {
        /// For programs: one JSON document.
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        settings: SettingFlags,
    },
    /// Show the key that senders and viewers need; make it, the first time.
    Key(key::KeyOptions),
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
    /// Call an open stream something else, from now on and in all its takes to come.
    Rename {
        /// Its number in the list of streams, its name, or the begin of its id.
        stream: String,
        /// The new name.
        name: String,
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

#[derive(Clone, Debug, Args)]
struct DataFolder {
    /// The folder for recordings [env: SEND_LEARN_DATA; default: what the settings say, else SendLearn in the home folder].
    // Read by hand: clap would show the option in every usage line where the variable is set, as the receiver's prompt sets it.
    #[arg(long)]
    data: Option<PathBuf>,
    /// The file with settings [env: SEND_LEARN_CONFIG; default: send-learn/receiver.toml in the folder for configuration].
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

impl DataFolder {
    fn path(self) -> anyhow::Result<PathBuf> {
        match self.data {
            Some(data) => Ok(data),
            None => Ok(self.settings()?.data),
        }
    }

    /// All settings, but for the folder that was named.
    fn settings(&self) -> anyhow::Result<Settings> {
        Ok(Effective::resolve(&Flags { config: self.config.clone(), values: Vec::new() })?.settings())
    }
}

pub(crate) fn run(arguments: Arguments) -> anyhow::Result<ExitCode> {
    match arguments.command {
        Command::Serve { key_file, settings } => serve::run(settings.0, key_file),
        Command::Config { json, settings } => config::run(&settings.0, json),
        Command::Key(options) => key::run(options),
        Command::Status { json, data } => ask::status(&data.path()?, json),
        Command::Rotate { data } => ask::rotate(&data.path()?),
        Command::Rename { stream, name, data } => ask::rename(&data.path()?, stream, name),
        Command::Stop { data } => ask::stop(&data.path()?),
        Command::Info { path, json } => info::run(&path, json),
        Command::Verify { path } => verify::run(&path),
        Command::Export(options) => export::run(options),
        Command::Quality(options) => quality::run(options),
        Command::Report(options) => report::run(options),
        Command::List { data } => list::run(&data.path()?),
    }
}
