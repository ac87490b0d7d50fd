//! What whole processes cost: CPU time, by thread too, memory and latency on loopback. And how well two processes of one machine agree
//! on the time. The bench `recording` has LSL beside it.

use std::ffi::OsStr;
use std::fmt::Write as _;

use anyhow::{Result, ensure};
use send_learn::store::layout::{BlockRow, ClockRow};
use send_learn::store::reader::Recording;
use send_learn_benches::playing::recordings;
use send_learn_benches::process::{Usage, finish, line, role, threads};

/// The tables, in Markdown.
///
/// # Errors
/// When a process fails.
pub(crate) fn tables(seconds: u64) -> Result<String> {
    let mut text = format!(
        "### Processes on loopback, {seconds} s of stereo float32 at 48 kHz in blocks of 512 frames\n\n\
         The receiver records. Latency runs from the host's block to all of it being received.\n\n\
         | streams | sender: CPU per 10 s | memory | receiver: CPU per 10 s | memory | latency p50 | p99 |\n\
         | --- | --- | --- | --- | --- | --- | --- |\n"
    );
    let mut threads_of = String::new();
    let mut clock = None;
    for streams in [1, 16] {
        clock = Some(ours(&mut text, &mut threads_of, streams, seconds)?);
    }
    let _ = writeln!(text, "\nCPU time per 10 s by thread: {threads_of}");
    if let Some(offsets) = clock {
        let _ = writeln!(
            text,
            "\n### Clocks\n\nTwo processes of one machine share a clock, so the true offset is 0. Of 16 streams the largest error of an \
             estimate after 10 s was {:.1} µs; {} estimates.",
            offsets.iter().copied().max().unwrap_or(0) as f64 / 1e3,
            offsets.len()
        );
    }
    Ok(text)
}

/// Gives the errors of the clock estimates after 10 s, in nanoseconds.
fn ours(text: &mut String, threads_of: &mut String, streams: u64, seconds: u64) -> Result<Vec<u64>> {
    let data = tempfile::tempdir()?;
    let mut receiver = role(&[OsStr::new("receiver"), data.path().as_os_str()])?;
    let address = line(&mut receiver)?;
    let idle = threads(&receiver)?;
    let sender = role(&["sender", &address, &streams.to_string(), &seconds.to_string(), "float32"])?;
    let sent = finish(sender)?;
    let busy = threads(&receiver)?;
    let received = finish(receiver)?;
    let (mut latencies, mut offsets) = (Vec::new(), Vec::new());
    for path in recordings(data.path())? {
        let recording = Recording::open(&path)?;
        let blocks = recording.table::<BlockRow>()?;
        latencies.extend(blocks.iter().map(|row| row.arrival_nanos.saturating_sub(row.host_nanos)));
        let estimates = recording.table::<ClockRow>()?;
        let settled = estimates.iter().filter(|row| row.sample >= 10 * 48_000);
        offsets.extend(settled.map(|row| row.offset_nanos.unsigned_abs()));
    }
    ensure!(!latencies.is_empty(), "nothing was recorded");
    latencies.sort_unstable();
    let quantile = |share: f64| latencies[(latencies.len() as f64 * share) as usize] as f64 / 1e6;
    let _ = writeln!(
        text,
        "| {streams} | {} | {} | {:.2} ms | {:.2} ms |",
        usage(sent, seconds),
        usage(received, seconds),
        quantile(0.5),
        quantile(0.99)
    );
    for (name, cpu) in &busy {
        let before = idle.iter().find(|(other, _)| other == name).map_or(0.0, |(_, cpu)| *cpu);
        let _ = write!(threads_of, "{streams} streams, {name}: {:.3} s; ", (cpu - before) / seconds as f64 * 10.0);
    }
    Ok(offsets)
}

fn usage(usage: Usage, seconds: u64) -> String {
    format!("{:.2} s | {:.0} MB", usage.cpu / seconds as f64 * 10.0, usage.peak_mb)
}
