//! What does the whole cost? A sender and a receiver as processes of their own, with 1 and with 16 stereo streams of real music
//! in real time on loopback: CPU time, memory, one-way latency of a block, and the size of the recording.
//!
//!     cargo bench -p send-learn-benches --bench system [-- SECONDS]
//!
//! Latency is what the recording itself says: the receiver's clock when a block's last entry arrived, less the sender's when the
//! host handed the block over. On one machine both are the same clock.

use std::ffi::OsStr;
use std::io::Write;
use std::path::Path;

use anyhow::{Context, Result, bail};
use send_learn::store::layout::BlockRow;
use send_learn::store::reader::Recording;
use send_learn_benches::music::RATE;
use send_learn_benches::playing::{BLOCK, receiver, recordings, sender};
use send_learn_benches::process::{Usage, finish, line, role};

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["receiver", data] => receiver(Path::new(data)),
        ["sender", address, streams, seconds, depth] => sender(address, streams.parse()?, seconds.parse()?, depth),
        [seconds] => figures(seconds.parse().context("give a number of seconds")?),
        [] => figures(30),
        _ => bail!("usage: cargo bench -p send-learn-benches --bench system [-- SECONDS]"),
    }
}

fn figures(seconds: u64) -> Result<()> {
    println!("{seconds} s of music, stereo, {RATE} Hz, blocks of {BLOCK} frames, loopback, clean link\n");
    println!(
        "| streams | samples | sender CPU per 10 s | memory | receiver CPU per 10 s | memory | latency p50 | p99 | recorded per stream and minute |"
    );
    println!("| --- | --- | --- | --- | --- | --- | --- | --- | --- |");
    for (streams, depth) in [(1, "float32"), (16, "float32"), (1, "16-bit")] {
        let data = tempfile::tempdir()?;
        let mut receiver = role(&[OsStr::new("receiver"), data.path().as_os_str()])?;
        let address = line(&mut receiver)?;
        let sent = finish(role(&["sender", &address, &streams.to_string(), &seconds.to_string(), depth])?)?;
        let received = finish(receiver)?;
        let recorded = recordings(data.path())?;
        let mut latencies = Vec::new();
        let mut bytes = 0;
        for path in &recorded {
            bytes += path.metadata()?.len();
            let blocks = Recording::open(path)?.table::<BlockRow>()?;
            latencies.extend(blocks.iter().map(|row| row.arrival_nanos.saturating_sub(row.host_nanos)));
        }
        anyhow::ensure!(recorded.len() == streams, "{} recordings of {streams} streams", recorded.len());
        latencies.sort_unstable();
        let quantile = |share: f64| latencies[(latencies.len() as f64 * share) as usize] as f64 / 1.0e6;
        let per_minute = bytes as f64 / streams as f64 / seconds as f64 * 60.0 / 1.0e6;
        println!(
            "| {streams} | {depth} | {} | {} | {:.2} ms | {:.2} ms | {per_minute:.1} MB |",
            row(sent, seconds),
            row(received, seconds),
            quantile(0.5),
            quantile(0.99)
        );
        std::io::stdout().flush()?;
    }
    Ok(())
}

/// CPU time per 10 s, and memory.
fn row(usage: Usage, seconds: u64) -> String {
    format!("{:.2} s | {:.0} MB", usage.cpu / seconds as f64 * 10.0, usage.peak_mb)
}
