//! `send-learn info`.

use std::io::{self, Write};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use send_learn::sequences::Withheld;
use send_learn::source::Sources;
use send_learn::store::reader::Counts;
use send_learn::store::{Recording, Storage, StoreError, Summary};
use serde::Serialize;

use super::table;

/// One recording, for programs.
#[derive(Serialize)]
struct Info {
    path: PathBuf,
    bytes: u64,
    seconds: f64,
    /// Seconds of it that are private; none in a file that is still being written.
    private_seconds: Option<f64>,
    /// Bits that the samples need in the file: 16, 24 or 32; null without audio.
    stored_bits: Option<u8>,
    #[serde(flatten)]
    summary: Summary,
    #[serde(flatten)]
    counts: Counts,
}

pub(super) fn run(paths: &[PathBuf], json: bool) -> anyhow::Result<ExitCode> {
    let files: Vec<Vec<PathBuf>> = paths.iter().map(|path| send_learn::source::files(path)).collect::<Result<_, _>>()?;
    let mut out = io::stdout().lock();
    let mut infos = Vec::new();
    let mut code = ExitCode::SUCCESS;
    for file in files.iter().flatten() {
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
    let stored_bits = recording.storage()?.map(Storage::bits);
    let summary = recording.summary;
    let private_seconds = private(path)?;
    Ok(Info { path: path.to_owned(), bytes, seconds: summary.seconds(), private_seconds, stored_bits, summary, counts })
}

/// How much of what the file holds is private, in seconds.
fn private(path: &Path) -> Result<Option<f64>, StoreError> {
    let Some(source) = Sources::open(&[path.to_owned()]).takes.pop() else { return Ok(None) };
    let frames = |range: &Range<u64>| range.end.saturating_sub(range.start.max(source.summary.first_sample));
    Ok(Some(Withheld::read(&source)?.private().iter().map(frames).sum::<u64>() as f64 / source.summary.sample_rate))
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
        row("audio", format!("{} channels at {} Hz, {}", summary.channels, summary.sample_rate, stored(info.stored_bits))),
        row("contributor", or_not_stated(&summary.contributor)),
        row("licence", or_not_stated(&summary.licence)),
        row("consent", or_not_stated(&summary.consent)),
        row(
            "private",
            match info.private_seconds {
                None => "not known before it is closed".to_owned(),
                Some(0.0) => "nothing".to_owned(),
                Some(seconds) => table::duration(seconds),
            },
        ),
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
        row("size", table::size(info.bytes)),
        row("stream", summary.stream_id.clone()),
        row("take", summary.take_id.clone()),
    ];
    let mut rows = rows.to_vec();
    if !summary.replay_of.is_empty() {
        rows.push(row("replay of", summary.replay_of.clone()));
    }
    if !summary.audio_file.is_empty() {
        rows.push(row("audio in", summary.audio_file.clone()));
    }
    table::print(out, &rows)
}

fn stored(bits: Option<u8>) -> String {
    match bits {
        Some(bits) if bits < 32 => format!("float32, which {bits} bits say without loss"),
        _ => "float32".to_owned(),
    }
}

fn or_not_stated(text: &str) -> String {
    if text.trim().is_empty() { "not stated".to_owned() } else { text.to_owned() }
}

fn or_unknown(text: &str) -> &str {
    if text.is_empty() { "unknown" } else { text }
}
