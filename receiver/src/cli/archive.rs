//! `send-learn archive`.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use clap::{Args, ValueEnum};
use indicatif::{ProgressBar, ProgressStyle};
use send_learn::sidecar::{ArchiveError, Archived, Profile, archive};
use send_learn::source;
use send_learn::store::Recording;
use send_learn::take::TAKE_FILE;

use super::table;

/// What is kept, where, and how.
///
/// The original stays as it is. Beside an audio file lies an HDF5 file with everything else, which names it with its digest.
#[derive(Debug, Args)]
pub(super) struct ArchiveOptions {
    /// .h5 files, takes' folders, days, or data folders.
    #[arg(required = true)]
    recordings: Vec<PathBuf>,
    /// The folder to write to; each take gets a folder in it.
    #[arg(short, long, value_name = "FOLDER")]
    output: PathBuf,
    /// exact: HDF5, bit for bit. flac24, flac16: FLAC; flac16 only where it loses nothing. opus: 80 kbit/s for each channel.
    #[arg(long, value_enum)]
    profile: ProfileName,
    /// Let flac16 lose bits, and FLAC cut what is beyond full scale.
    #[arg(long)]
    allow_loss: bool,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum ProfileName {
    Exact,
    Flac24,
    Flac16,
    Opus,
}

impl From<ProfileName> for Profile {
    fn from(name: ProfileName) -> Self {
        match name {
            ProfileName::Exact => Self::Exact,
            ProfileName::Flac24 => Self::Flac24,
            ProfileName::Flac16 => Self::Flac16,
            ProfileName::Opus => Self::Opus,
        }
    }
}

pub(super) fn run(options: &ArchiveOptions) -> anyhow::Result<ExitCode> {
    let mut files = Vec::new();
    for path in &options.recordings {
        files.extend(source::files(path)?);
    }
    let bar = ProgressBar::new(files.len() as u64);
    bar.set_style(ProgressStyle::with_template("{bar:30} {pos}/{len} files, {eta} left").context("the progress bar's template")?);
    let (mut done, mut failed) = (Vec::new(), 0);
    for file in &files {
        match one(file, options) {
            Ok(archived) => done.push(archived),
            Err(error) => {
                failed += 1;
                bar.suspend(|| eprintln!("send-learn: left out: {}", table::clean(&error.to_string())));
            }
        }
        bar.inc(1);
    }
    bar.finish_and_clear();
    print(&mut io::stdout().lock(), &done, options)?;
    Ok(if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn one(file: &Path, options: &ArchiveOptions) -> Result<Archived, ArchiveError> {
    let recording = Recording::open(file)?;
    // The take's folder keeps its name, and what take.json says; a file that lies alone becomes one.
    let folder = file.parent().filter(|folder| folder.join(TAKE_FILE).is_file());
    let to = match folder.and_then(Path::file_name) {
        Some(name) => options.output.join(name),
        None => options.output.clone(),
    };
    let io = |path: &Path| {
        let path = path.to_owned();
        move |source| ArchiveError::Io { path, source }
    };
    fs::create_dir_all(&to).map_err(io(&to))?;
    let target = to.join(file.file_name().unwrap_or_default());
    let archived = archive(&recording, &target, options.profile.into(), options.allow_loss)?;
    if let Some(folder) = folder {
        let copy = to.join(TAKE_FILE);
        fs::copy(folder.join(TAKE_FILE), &copy).map_err(io(&copy))?;
    }
    Ok(archived)
}

fn print(out: &mut impl Write, done: &[Archived], options: &ArchiveOptions) -> io::Result<()> {
    let per_hour = |bytes: u64, seconds: f64| {
        if seconds > 0.0 { format!("{:.1} MB per hour", bytes as f64 / 1e6 / (seconds / 3_600.0)) } else { "-".to_owned() }
    };
    for archived in done {
        let bytes = archived.bytes + archived.audio_bytes;
        writeln!(
            out,
            "{}: {}, {} of {} ({})",
            table::clean(&archived.path.display().to_string()),
            table::duration(archived.seconds),
            table::size(bytes),
            table::size(archived.original_bytes),
            per_hour(bytes, archived.seconds)
        )?;
        if let Some(loss) = archived.loss.filter(|loss| !loss.is_none()) {
            writeln!(
                out,
                "  note: {} rounded, {} beyond full scale cut; the largest difference is {:.1} dB of full scale",
                table::count(loss.rounded, "sample"),
                loss.clipped,
                20.0 * loss.largest_error.log10()
            )?;
        }
    }
    let total = |of: fn(&Archived) -> u64| done.iter().map(of).sum::<u64>();
    let seconds: f64 = done.iter().map(|archived| archived.seconds).sum();
    let (audio, rest) = (total(|archived| archived.audio_bytes), total(|archived| archived.bytes));
    let name = Profile::from(options.profile).name();
    if audio > 0 {
        writeln!(
            out,
            "{name}: {} in {}; audio {}, everything else {}",
            table::size(audio + rest),
            table::duration(seconds),
            per_hour(audio, seconds),
            per_hour(rest, seconds)
        )
    } else {
        writeln!(out, "{name}: {} in {}, {}", table::size(rest), table::duration(seconds), per_hour(rest, seconds))
    }
}
