//! `send-learn report`.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use clap::Args;
use send_learn::report::{Outlook, Report, page};
use send_learn::sequences::Plan;

use super::table::count;
use super::{DataFolder, export, quality};

/// On what to report, and where to.
#[derive(Debug, Args)]
pub(super) struct ReportOptions {
    /// Recordings: .h5 files, takes' folders, days, data folders [default: the data folder].
    recordings: Vec<PathBuf>,
    /// The report for programs, JSON.
    #[arg(long, short, value_name = "FILE", default_value = "training_report.json")]
    out: PathBuf,
    /// Also write the report as a page for people [default: the name of --out, ending in .html].
    #[arg(long, value_name = "FILE", num_args = 0..=1)]
    #[expect(clippy::option_option, reason = "the option may be absent, or there without a file")]
    html: Option<Option<PathBuf>>,
    #[command(flatten)]
    sequences: export::SequenceOptions,
    #[command(flatten)]
    data: DataFolder,
}

pub(super) fn run(options: ReportOptions) -> anyhow::Result<ExitCode> {
    let settings = options.sequences.settings(&options.data)?;
    settings.check()?;
    let paths = if options.recordings.is_empty() { vec![options.data.path()?] } else { options.recordings };
    let sources = export::open(&paths)?;
    let plan = Plan::new(&sources, &settings);
    let survey = quality::look(&sources)?;
    let broken: Vec<String> = sources.broken.iter().chain(&survey.broken).map(ToString::to_string).collect();
    let report = Report::new(&sources, survey, Outlook::new(&sources, &plan, &settings));
    let mut json = serde_json::to_vec_pretty(&report).context("cannot make JSON of the report")?;
    json.push(b'\n');
    save(&options.out, &json)?;
    let mut out = io::stdout().lock();
    let (takes, sequences) = (count(report.takes.len() as u64, "take"), count(report.export.sequences(), "sequence"));
    writeln!(out, "{}: {takes}, {sequences} for an export", options.out.display())?;
    if let Some(html) = options.html {
        let path = html.unwrap_or_else(|| options.out.with_extension("html"));
        save(&path, page(&report).as_bytes())?;
        writeln!(out, "{}: open it in a browser", path.display())?;
    }
    Ok(quality::name_broken(&broken))
}

/// Writes a file whole or not at all.
fn save(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    let mut name = path.file_name().with_context(|| format!("{} is no name of a file", path.display()))?.to_owned();
    name.push(".new");
    let new = path.with_file_name(name);
    let save = || {
        fs::write(&new, bytes)?;
        fs::rename(&new, path)
    };
    save().with_context(|| format!("cannot write {}", path.display()))
}
