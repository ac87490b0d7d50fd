//! What does the whole cost? A sender and a receiver as processes of their own, with 1 and with 16 stereo streams of real music
//! in real time on loopback: CPU time, memory, one-way latency of a block, and the size of the recording.
//!
//!     cargo bench -p send-learn-benches --bench system [-- SECONDS]
//!
//! Latency is what the recording itself says: the receiver's clock when a block's last entry arrived, less the sender's when the
//! host handed the block over. On one machine both are the same clock.

use std::ffi::OsStr;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use send_learn::server::{Config, Server};
use send_learn::store::layout::BlockRow;
use send_learn::store::reader::Recording;
use send_learn_benches::music::{RATE, music};
use send_learn_benches::process::{Usage, finish, line, report_usage, role};
use send_learn_plugin::capture::{CaptureConfig, Wanted, capture};
use send_learn_plugin::clock;
use send_learn_plugin::report::LinkState;
use send_learn_plugin::transport::Observed;
use send_learn_plugin::uplink::{TakeConfig, Uplink};
use send_learn_protocol::packet::hello::{Description, PropertyKey};
use send_learn_protocol::record::EndReason;
use send_learn_protocol::sender::SendMode;
use send_learn_protocol::units::{HostId, HostNanos, MachineId, StreamId, TakeId};

const BLOCK: usize = 512;

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

fn receiver(data: &Path) -> Result<()> {
    let server = Server::bind(&Config::new("127.0.0.1:0".parse()?, data.to_owned()))?;
    println!("{}", server.address());
    let stop = server.stopper();
    std::thread::Builder::new().name("stdin".into()).spawn(move || {
        let _ = std::io::stdin().read_to_end(&mut Vec::new());
        stop.stop();
    })?;
    let before = Usage::own()?;
    server.run()?;
    report_usage(&before)
}

fn sender(address: &str, streams: usize, seconds: u64, depth: &str) -> Result<()> {
    let music = music(depth)?;
    let uplink = Uplink::acquire()?;
    let config = CaptureConfig { sample_rate: f64::from(RATE), channels: 2, max_block: BLOCK as u32, patient: false };
    let (host, machine) = (HostId::random(), MachineId::random());
    let mut captures = Vec::new();
    let mut handles = Vec::new();
    for number in 1..=streams {
        let (writer, captured) = capture(config);
        let mut description = Description {
            stream: StreamId::random(),
            take: TakeId::random(),
            host,
            machine,
            sample_rate: f64::from(RATE),
            channels: 2,
            max_block: BLOCK as u32,
            started_unix_nanos: 0,
            started: HostNanos(0),
            properties: Vec::new(),
        };
        description.set_property(PropertyKey::NAME, &format!("Track {number}"));
        let handle = uplink.open(address);
        handle.start(TakeConfig { description, parameters: Vec::new(), mode: SendMode::Live }, captured);
        captures.push(writer);
        handles.push(handle);
    }
    let before = Usage::own()?;
    let start = Instant::now();
    let blocks = seconds * u64::from(RATE) / BLOCK as u64;
    for block in 0..blocks {
        let due = start + Duration::from_secs_f64(block as f64 * BLOCK as f64 / f64::from(RATE));
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
        for (number, capture) in captures.iter_mut().enumerate() {
            // Each track plays the piece from another place.
            let offset = (block as usize + number * 97) * BLOCK % (music[0].len() - BLOCK);
            let position = (block * BLOCK as u64) as i64;
            let observed = Observed { playing: true, tempo: Some(120.0), playhead: Some(position), ..Observed::default() };
            capture.begin(BLOCK as u32, clock::now(), &observed, Wanted::Captured);
            capture.end(&[&music[0][offset..offset + BLOCK], &music[1][offset..offset + BLOCK]]);
        }
    }
    captures.into_iter().for_each(|capture| capture.finish(EndReason::EndOfFile));
    let limit = Instant::now() + Duration::from_secs(20);
    while !handles.iter().all(|handle| handle.report().link == LinkState::Finished) {
        anyhow::ensure!(Instant::now() < limit, "not durable in time: {:?}", handles[0].report());
        std::thread::sleep(Duration::from_millis(20));
    }
    anyhow::ensure!(handles.iter().all(|handle| handle.report().dropped == 0), "the ring was full");
    report_usage(&before)
}

/// The closed recordings below `folder`.
fn recordings(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for item in std::fs::read_dir(folder)? {
        let path = item?.path();
        if path.is_dir() {
            found.extend(recordings(&path)?);
        } else if path.extension().is_some_and(|extension| extension == "h5") {
            found.push(path);
        }
    }
    Ok(found)
}
