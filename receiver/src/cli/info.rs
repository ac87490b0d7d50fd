//! `send-learn info`.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use send_learn::store::reader::Counts;
use send_learn::store::{Recording, StoreError, Summary};
use serde::Serialize;

use super::table;

/// One recording, for programs.
#[derive(Serialize)]
struct Info {
    path: PathBuf,
    bytes: u64,
    seconds: f64,
    #[serde(flatten)]
    summary: Summary,
    #[serde(flatten)]
    counts: Counts,
}

pub(super) fn run(path: &Path, json: bool) -> anyhow::Result<ExitCode> {
    let files = send_learn::source::files(path)?;
    let mut out = io::stdout().lock();
    let mut infos = Vec::new();
    let mut code = ExitCode::SUCCESS;
    for file in &files {
        match read(file) {
            Ok(info) => infos.push(info),
            Err(error) => {
                eprintln!("send-learn: cannot read a recording: {error}");
                code = ExitCode::FAILURE;
            }
        }
    }
    if json {
        writeln!(out, "{}", serde_json::to_string_pretty(&infos).context("cannot write JSON")?)?;
    } else {
        infos.iter().try_for_each(|info| print(&mut out, info))?;
    }
    Ok(code)
}

fn read(path: &Path) -> Result<Info, StoreError> {
    let recording = Recording::open(path)?;
    let counts = recording.counts()?;
    let bytes = std::fs::metadata(path).map_or(0, |metadata| metadata.len());
    let summary = recording.summary;
    Ok(Info { path: path.to_owned(), bytes, seconds: summary.seconds(), summary, counts })
}

fn print(out: &mut impl Write, info: &Info) -> io::Result<()> {
    let (summary, counts) = (&info.summary, &info.counts);
    let state = match (summary.closed, summary.end_reason.as_str()) {
        (false, _) => "still being written, or left by a receiver that was killed".to_owned(),
        (true, reason) => format!("closed ({reason})"),
    };
    let row = |name: &str, value: String| vec![format!("  {name}"), value];
    writeln!(out, "{}", info.path.display())?;
    let rows = [
        row("name", summary.name.clone()),
        row("state", state),
        row("host", format!("{} on {}", or_unknown(&summary.host), or_unknown(&summary.machine))),
        row("started", format!("{} UTC", table::time(summary.started_unix_nanos))),
        row("length", format!("{} ({} frames)", table::duration(info.seconds), summary.committed_frames)),
        row("audio", format!("{} channels at {} Hz, float32", summary.channels, summary.sample_rate)),
        row("part", format!("{}, from sample {}", summary.part, summary.first_sample)),
        row("MIDI events", counts.midi_events.to_string()),
        row(
            "blocks",
            format!(
                "{}: {} live, {} repaired, {} sent again, {} back-filled",
                counts.blocks, counts.live, counts.repaired, counts.resent, counts.backfilled
            ),
        ),
        row("gaps", if counts.gaps == 0 { "none".to_owned() } else { format!("{}: {} frames", counts.gaps, counts.gap_frames) }),
        row("size", format!("{:.1} MB", info.bytes as f64 / 1e6)),
        row("stream", summary.stream_id.clone()),
        row("take", summary.take_id.clone()),
    ];
    table::print(out, &rows)
}

fn or_unknown(text: &str) -> &str {
    if text.is_empty() { "unknown" } else { text }
}
