//! `send-learn export`.

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::thread;

use anyhow::Context;
use clap::Args;
use clap::builder::PossibleValuesParser;
use indicatif::{ProgressBar, ProgressStyle};
use send_learn::export::{self, Manifest, Request};
use send_learn::sequences::{Plan, Settings, Split};
use send_learn::source::{self, Sources};
use send_learn::store::StoreError;

use super::DataFolder;
use super::table::{count, size};

/// What the defaults of the command line are.
fn standard() -> Settings {
    Settings::default()
}

/// `FROM..TO` in seconds.
fn range(text: &str) -> Result<(f64, f64), String> {
    let parts = text.split_once("..").and_then(|(from, to)| Some((from.parse().ok()?, to.parse().ok()?)));
    parts.ok_or_else(|| "must look like 12.5..40, in seconds".into())
}

/// How sequences are cut and what is computed of them.
#[derive(Debug, Args)]
#[command(next_help_heading = "Sequences")]
pub(super) struct SequenceOptions {
    /// Length of a sequence, in seconds [default: 30, or what the settings say].
    #[arg(long, value_name = "SECONDS")]
    sequence_length: Option<f64>,
    /// How much of a sequence the next one repeats, in seconds [default: 5, or what the settings say].
    #[arg(long, value_name = "SECONDS")]
    overlap: Option<f64>,
    /// The fewest MIDI events in a sequence [default: 10, or what the settings say].
    #[arg(long, value_name = "COUNT")]
    min_midi_events: Option<u64>,
    /// Only this range, in seconds since the first take of each session began: as one sequence of each stream,
    /// with few or no notes too, unless --sequence-length, --overlap or --min-midi-events say otherwise.
    #[arg(long, value_name = "FROM..TO", value_parser = range)]
    range: Option<(f64, f64)>,
    /// Take recordings in which nobody stated consent: they are your own.
    #[arg(long)]
    own: bool,
    /// What the splits are drawn with.
    #[arg(long, default_value_t = standard().seed)]
    seed: u64,
    /// Share of the performances to choose a model with, 0 to 1.
    #[arg(long, value_name = "SHARE", default_value_t = standard().validation)]
    validation: f64,
    /// Share of the performances to judge a model with, 0 to 1.
    #[arg(long, value_name = "SHARE", default_value_t = standard().test)]
    test: f64,
    /// Samples per analysis frame.
    #[arg(long, value_name = "SAMPLES", default_value_t = standard().n_fft)]
    n_fft: usize,
    /// Samples from one frame to the next.
    #[arg(long, value_name = "SAMPLES", default_value_t = standard().hop_length)]
    hop_length: usize,
    /// Bands of the mel spectrum.
    #[arg(long, value_name = "COUNT", default_value_t = standard().n_mels)]
    n_mels: usize,
    /// Cepstral coefficients.
    #[arg(long, value_name = "COUNT", default_value_t = standard().mfcc_n)]
    mfcc_n: usize,
    /// Pitch classes.
    #[arg(long, value_name = "COUNT", default_value_t = standard().chroma_n)]
    chroma_n: usize,
}

impl SequenceOptions {
    /// What was said here; else what the receiver's settings say.
    ///
    /// # Errors
    /// When the settings cannot be used.
    pub(super) fn settings(&self, data: &DataFolder) -> anyhow::Result<Settings> {
        let usual = data.settings()?;
        let (sequence_length, overlap, min_midi_events) = match self.range {
            Some((from, to)) => (to - from, 0.0, 0),
            None => (usual.sequence.0, usual.sequence.1, usual.min_midi_events),
        };
        Ok(Settings {
            sequence_length: self.sequence_length.unwrap_or(sequence_length),
            overlap: self.overlap.unwrap_or(overlap),
            min_midi_events: self.min_midi_events.unwrap_or(min_midi_events),
            own: self.own,
            range: self.range,
            seed: self.seed,
            validation: self.validation,
            test: self.test,
            n_fft: self.n_fft,
            hop_length: self.hop_length,
            n_mels: self.n_mels,
            mfcc_n: self.mfcc_n,
            chroma_n: self.chroma_n,
        })
    }
}

/// What to export, and where to.
#[derive(Debug, Args)]
pub(super) struct ExportOptions {
    /// The format.
    #[arg(value_parser = PossibleValuesParser::new(export::FORMATS))]
    format: String,
    /// Recordings: .h5 files, takes' folders, days, data folders [default: the data folder].
    recordings: Vec<PathBuf>,
    /// The folder to make [default: send-learn-FORMAT].
    #[arg(long, short, value_name = "FOLDER")]
    out: Option<PathBuf>,
    /// Put the samples into pytorch, tensorflow, hdf5, safetensors and webdataset exports too.
    #[arg(long)]
    audio: bool,
    /// Begin another file when one would be larger, in megabytes.
    #[arg(long, value_name = "MB", default_value_t = 2000)]
    file_size: u64,
    /// Print the manifest, for programs.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    sequences: SequenceOptions,
    #[command(flatten)]
    data: DataFolder,
}

pub(super) fn run(options: ExportOptions) -> anyhow::Result<ExitCode> {
    let settings = options.sequences.settings(&options.data)?;
    settings.check()?;
    let paths = if options.recordings.is_empty() { vec![options.data.path()?] } else { options.recordings };
    let sources = open(&paths)?;
    let plan = Plan::new(&sources, &settings);
    // Said first: they may be why nothing can be exported.
    let broken: Vec<&StoreError> = sources.broken.iter().chain(&plan.broken).collect();
    for why in &broken {
        eprintln!("send-learn: left out: {why}");
    }
    let out = options.out.unwrap_or_else(|| PathBuf::from(format!("send-learn-{}", options.format)));
    let bar = ProgressBar::new(plan.sequences.len() as u64);
    let style =
        ProgressStyle::with_template("{bar:30} {pos}/{len} sequences, {eta} left").context("the progress bar's template")?;
    bar.set_style(style);
    let request = Request {
        sources: &sources,
        plan: &plan,
        settings: &settings,
        out: &out,
        audio: options.audio,
        file_limit: options.file_size.saturating_mul(1_000_000),
        threads: thread::available_parallelism().map_or(1, usize::from),
    };
    let exported = export::export(&options.format, &request, &|done| bar.set_position(done));
    bar.finish_and_clear();
    let manifest = exported?;
    if options.json {
        serde_json::to_writer_pretty(io::stdout().lock(), &manifest).context("cannot write JSON")?;
        writeln!(io::stdout())?;
    } else {
        print(&mut io::stdout().lock(), &manifest, &out)?;
    }
    for skipped in &manifest.contents.skipped {
        eprintln!("send-learn: left out: {}", skipped.why);
    }
    Ok(if broken.is_empty() && manifest.contents.skipped.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Opens all recordings below `paths`; says which are still being written.
pub(super) fn open(paths: &[PathBuf]) -> anyhow::Result<Sources> {
    let mut files = Vec::new();
    for path in paths {
        files.extend(source::files(path)?);
    }
    let sources = Sources::open_unchanged(&files);
    for path in &sources.unfinished {
        eprintln!("send-learn: left out, because it is still being written: {}", path.display());
    }
    Ok(sources)
}

/// What to do where a split that was asked for is empty.
fn hint(manifest: &Manifest) -> Option<String> {
    let settings = &manifest.settings;
    let wanted = |split: &Split| match split {
        Split::Train => settings.validation + settings.test < 1.0,
        Split::Validation => settings.validation > 0.0,
        Split::Test => settings.test > 0.0,
    };
    let sequences = |split: &Split| manifest.contents.sequences.get(split).copied().unwrap_or_default();
    let empty: Vec<&str> =
        Split::ALL.iter().filter(|split| wanted(split) && sequences(split) == 0).map(|split| split.name()).collect();
    let why = "whole performances are drawn, and there are few: another --seed, --validation or --test draws others";
    (!empty.is_empty()).then(|| format!("nothing for {}: {why}", empty.join(" and ")))
}

fn print(out: &mut impl Write, manifest: &Manifest, folder: &std::path::Path) -> io::Result<()> {
    let contents = &manifest.contents;
    let hours = contents.seconds.values().sum::<f64>() / 3600.0;
    writeln!(out, "{}, {hours:.2} hours, {}", count(contents.total(), "sequence"), count(contents.notes, "note"))?;
    for split in Split::ALL {
        let sequences = contents.sequences.get(&split).copied().unwrap_or_default();
        let performances = manifest.performances.get(&split).copied().unwrap_or_default();
        let (sequences, performances) = (count(sequences, "sequence"), count(performances, "performance"));
        writeln!(out, "  {:<11} {sequences} of {performances}", split.name())?;
    }
    if let Some(hint) = hint(manifest) {
        writeln!(out, "  {hint}")?;
    }
    for (reason, windows) in &manifest.left_out {
        writeln!(out, "  left out    {windows}: {}", reason.words())?;
    }
    let bytes: u64 = manifest.files.iter().map(|file| file.bytes).sum();
    let files = count(manifest.files.len() as u64, "file");
    writeln!(out, "{}: {files}, {}; README.md says what it is", folder.display(), size(bytes))
}
