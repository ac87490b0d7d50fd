//! `send-learn quality`.

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::thread;

use anyhow::Context;
use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use send_learn::quality::{Grade, Quality, Survey, Totals, percent, survey};
use send_learn::source::Sources;
use serde::Serialize;

use super::{DataFolder, export, table};

/// Whose quality, and for whom.
#[derive(Debug, Args)]
pub(super) struct QualityOptions {
    /// Recordings: .h5 files, takes' folders, days, data folders [default: the data folder].
    recordings: Vec<PathBuf>,
    /// For programs: one JSON document.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    data: DataFolder,
}

/// What is printed for programs.
#[derive(Serialize)]
struct Document<'a> {
    totals: Totals,
    takes: &'a [Quality],
    broken: Vec<String>,
}

pub(super) fn run(options: QualityOptions) -> anyhow::Result<ExitCode> {
    let paths = if options.recordings.is_empty() { vec![options.data.path()?] } else { options.recordings };
    let sources = export::open(&paths)?;
    let survey = look(&sources)?;
    let totals = Totals::of(&survey.takes);
    let broken: Vec<String> = sources.broken.iter().chain(&survey.broken).map(ToString::to_string).collect();
    let mut out = io::stdout().lock();
    if options.json {
        let document = Document { totals, takes: &survey.takes, broken: broken.clone() };
        writeln!(out, "{}", serde_json::to_string_pretty(&document).context("cannot write JSON")?)?;
    } else {
        print(&mut out, &survey.takes, &totals)?;
    }
    Ok(name_broken(&broken))
}

/// Looks at all takes, on all cores, and shows how far it is.
pub(super) fn look(sources: &Sources) -> anyhow::Result<Survey> {
    let bar = ProgressBar::new(sources.takes.len() as u64);
    bar.set_style(ProgressStyle::with_template("{bar:30} {pos}/{len} takes, {eta} left").context("the progress bar's template")?);
    let threads = thread::available_parallelism().map_or(1, usize::from);
    let survey = survey(sources, threads, &|done| bar.set_position(done as u64)).context("cannot start a thread")?;
    bar.finish_and_clear();
    Ok(survey)
}

/// Names what cannot be read; the exit status says whether there is any.
pub(super) fn name_broken(broken: &[String]) -> ExitCode {
    for why in broken {
        eprintln!("send-learn: cannot be read, and left out: {why}");
    }
    if broken.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// A table of figures, then in words what is not as it should be.
pub(super) fn print(out: &mut impl Write, takes: &[Quality], totals: &Totals) -> io::Result<()> {
    let head = [
        "TAKE", "LENGTH", "NOTES", "PER S", "VOICES", "COMPLEX", "TEMPO", "PEAK", "RMS", "FLOOR", "SILENT", "CLIPS", "MISSING",
        "EXACT", "HEARD", "VERDICT",
    ];
    let mut rows = vec![head.map(str::to_owned).to_vec()];
    rows.extend(takes.iter().map(row));
    rows.push(total_row(totals));
    table::print(out, &rows)?;
    writeln!(
        out,
        "\nPEAK, RMS and noise FLOOR in dB of full scale; SILENT: below -60; HEARD: F-measure of notes heard within 50 ms"
    )?;
    for take in takes.iter().filter(|take| take.verdict > Grade::Good) {
        writeln!(out, "\n{} ({}, {})", table::clean(name(take)), table::time(take.started_unix_nanos), take.verdict.name())?;
        take.findings.iter().try_for_each(|finding| writeln!(out, "  {}: {}", finding.grade.name(), table::clean(&finding.why)))?;
    }
    if totals.without_consent > 0 {
        let takes = table::count(totals.without_consent, "take");
        writeln!(out, "\nIn {takes} nobody stated consent: exports leave them out unless you call them your own (--own)")?;
    }
    if totals.consent_refused > 0 {
        let takes = table::count(totals.consent_refused, "take");
        writeln!(out, "\nIn {takes} consent was refused: exports leave them out")?;
    }
    Ok(())
}

fn row(take: &Quality) -> Vec<String> {
    let (measures, sound) = (&take.playing.measures, take.sound.as_ref());
    let level = |level: Option<f64>| level.map_or_else(none, |level| format!("{level:.1}"));
    let played = |text: String| if measures.notes > 0 { text } else { none() };
    vec![
        table::clean(name(take)).chars().take(24).collect(),
        table::duration(take.seconds),
        measures.notes.to_string(),
        played(format!("{:.1}", measures.density)),
        played(format!("{:.1}/{}", measures.mean_polyphony, measures.max_polyphony)),
        played(format!("{:.2}", measures.complexity)),
        take.playing.tempo.map_or_else(none, |tempo| tempos(tempo.slowest, tempo.fastest)),
        level(sound.and_then(|sound| sound.peak_dbfs)),
        level(sound.and_then(|sound| sound.rms_dbfs)),
        level(sound.and_then(|sound| sound.noise_floor_dbfs)),
        sound.map_or_else(none, |sound| percent(sound.near_silence)),
        sound.map_or_else(none, |sound| sound.clipped_runs.to_string()),
        percent(take.delivery.missing),
        take.delivery.exact().map_or_else(none, percent),
        take.agreement.as_ref().map_or_else(none, |agreement| format!("{:.2}", agreement.f_measure)),
        take.verdict.name().to_owned(),
    ]
}

fn total_row(totals: &Totals) -> Vec<String> {
    let sound = |text: String| if totals.sound_seconds > 0.0 { text } else { none() };
    vec![
        format!("all {}", totals.takes),
        table::duration(totals.seconds),
        totals.notes.to_string(),
        format!("{:.1}", totals.density),
        format!("/{}", totals.max_polyphony),
        totals.complexity.map_or_else(none, |complexity| format!("{complexity:.2}")),
        totals.tempo.map_or_else(none, |(slowest, fastest)| tempos(slowest, fastest)),
        none(),
        none(),
        none(),
        sound(percent(totals.near_silence)),
        sound(totals.clipped_runs.to_string()),
        percent(totals.missing),
        totals.exact.map_or_else(none, percent),
        none(),
        Grade::ALL.map(|grade| format!("{} {}", totals.verdicts.get(&grade).copied().unwrap_or_default(), grade.name())).join(", "),
    ]
}

fn name(take: &Quality) -> &str {
    if take.name.is_empty() { "(no name)" } else { &take.name }
}

fn tempos(slowest: f64, fastest: f64) -> String {
    if fastest - slowest < 0.5 { format!("{slowest:.0}") } else { format!("{slowest:.0}-{fastest:.0}") }
}

fn none() -> String {
    "-".to_owned()
}
