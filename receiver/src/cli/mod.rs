//! The commands that a person types.

mod archive;
mod ask;
mod config;
mod console;
mod doctor;
mod export;
mod find;
mod flags;
mod index;
mod info;
mod key;
mod list;
mod logging;
mod packet;
mod plot;
mod prune;
mod quality;
mod reload;
mod repair;
mod replay;
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
    /// List the receivers of this network by name. Exit status 1 when there is none.
    Find {
        /// For programs: one JSON document.
        #[arg(long)]
        json: bool,
    },
    /// Say why nothing arrives, and what to do. Exit status 0 when nothing was found that keeps streams from arriving.
    Doctor {
        /// Look at a receiver on another machine, as address:port, that does not get what this one sends.
        #[arg(long, value_name = "ADDRESS")]
        to: Option<String>,
        /// For programs: one JSON document.
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        data: DataFolder,
    },
    /// Say what is in recordings.
    Info {
        /// .h5 files, takes' folders, a day's, or a data folder.
        #[arg(required = true)]
        paths: Vec<PathBuf>,
        /// For programs: one JSON document.
        #[arg(long)]
        json: bool,
    },
    /// Check recordings: checksums, order, gaps, clocks, and that parts go on where those before end.
    Verify(verify::VerifyOptions),
    /// Make whole what a receiver left that is not here any more: journals and unfinished files in a copied folder.
    Repair(repair::RepairOptions),
    /// Print the host block at a sample, as JSON.
    Packet(packet::PacketOptions),
    /// Draw a recording: waveform, spectrogram, notes, tempo, levels and gaps on one time axis.
    Plot(plot::PlotOptions),
    /// Keep recordings in less room: the audio as FLAC or Opus beside everything else, or bit for bit.
    Archive(archive::ArchiveOptions),
    /// Remove finished recordings that are old, or until there is room.
    Prune(prune::PruneOptions),
    /// Write the indices of sessions: which takes sounded together, and one timeline for the streams of all machines.
    Index(index::IndexOptions),
    /// Send a recording again, as its stream was sent: to another receiver, or to this one as another take.
    Replay(replay::ReplayOptions),
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
        Command::Serve { settings } => serve::run(settings.0),
        Command::Config { json, settings } => config::run(&settings.0, json),
        Command::Key(options) => key::run(options),
        Command::Status { json, data } => ask::status(&data.path()?, json),
        Command::Rotate { data } => ask::rotate(&data.path()?),
        Command::Rename { stream, name, data } => ask::rename(&data.path()?, stream, name),
        Command::Stop { data } => ask::stop(&data.path()?),
        Command::Find { json } => find::run(json),
        Command::Doctor { to, json, data } => doctor::run(data.path()?, to.as_deref(), json),
        Command::Info { paths, json } => info::run(&paths, json),
        Command::Verify(options) => verify::run(&options),
        Command::Repair(options) => repair::run(&options),
        Command::Packet(options) => packet::run(&options),
        Command::Plot(options) => plot::run(&options),
        Command::Archive(options) => archive::run(&options),
        Command::Prune(options) => prune::run(options),
        Command::Index(options) => index::run(options),
        Command::Replay(options) => replay::run(&options),
        Command::Export(options) => export::run(options),
        Command::Quality(options) => quality::run(options),
        Command::Report(options) => report::run(options),
        Command::List { data } => list::run(&data.path()?),
    }
}
