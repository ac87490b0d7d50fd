//! What does the whole cost? A sender and a receiver as processes of their own, with 1 and with 16 stereo streams of real music
//! in real time on loopback: CPU time, memory, one-way latency of a block, and the size of the recording.
//!
//!     cargo bench -p send-learn-benches --bench system [-- SECONDS]
//!
//! Latency is what the recording itself says: the receiver's clock when a block's last entry arrived, less the sender's when the
//! host handed the block over. On one machine both are the same clock.

use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use send_learn::server::{Config, Server};
use send_learn::store::layout::BlockRow;
use send_learn::store::reader::Recording;
use send_learn_plugin::capture::{CaptureConfig, Wanted, capture};
use send_learn_plugin::clock;
use send_learn_plugin::report::LinkState;
use send_learn_plugin::transport::Observed;
use send_learn_plugin::uplink::{TakeConfig, Uplink};
use send_learn_protocol::packet::hello::{Description, PropertyKey};
use send_learn_protocol::record::EndReason;
use send_learn_protocol::sender::SendMode;
use send_learn_protocol::units::{HostId, HostNanos, MachineId, StreamId, TakeId};
use send_learn_tests::score::Score;
use send_learn_tests::{piece, synth};

const RATE: u32 = 48_000;
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
        let mut receiver = role(&["receiver".as_ref(), data.path().as_os_str()])?;
        let address = line(&mut receiver)?;
        let arguments = [address.as_str(), &streams.to_string(), &seconds.to_string(), depth];
        let sent = finish(role(&[&["sender"], &arguments[..]].concat().map_os())?)?;
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
            sent.row(seconds),
            received.row(seconds),
            quantile(0.5),
            quantile(0.99)
        );
        std::io::stdout().flush()?;
    }
    Ok(())
}

/// Arguments as the operating system takes them.
trait MapOs {
    fn map_os(&self) -> Vec<&std::ffi::OsStr>;
}

impl MapOs for Vec<&str> {
    fn map_os(&self) -> Vec<&std::ffi::OsStr> {
        self.iter().map(|argument| argument.as_ref()).collect()
    }
}

/// Starts this program in another role.
fn role(arguments: &[&std::ffi::OsStr]) -> Result<Child> {
    let mut command = Command::new(std::env::current_exe()?);
    command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped());
    command.spawn().context("cannot start a second process")
}

fn line(child: &mut Child) -> Result<String> {
    let mut text = String::new();
    let stdout = child.stdout.as_mut().context("no output")?;
    // Byte by byte, so that what follows stays in the pipe.
    let mut byte = [0];
    while stdout.read(&mut byte)? == 1 && byte != *b"\n" {
        text.push(char::from(byte[0]));
    }
    Ok(text)
}

/// What a process used in its life.
struct Usage {
    cpu: f64,
    peak_mb: f64,
}

impl Usage {
    /// Of this process, from Linux's /proc.
    fn own() -> Result<Self> {
        let stat = std::fs::read_to_string("/proc/self/stat").context("these figures need Linux's /proc")?;
        let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
        let ticks: f64 = fields[11].parse::<f64>()? + fields[12].parse::<f64>()?;
        let status = std::fs::read_to_string("/proc/self/status")?;
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).context("no VmHWM")?;
        let kilobytes: f64 = peak.split_whitespace().next().context("no VmHWM")?.parse()?;
        // USER_HZ is 100 on every Linux that Rust runs on.
        Ok(Self { cpu: ticks / 100.0, peak_mb: kilobytes / 1_024.0 })
    }

    fn row(&self, seconds: u64) -> String {
        format!("{:.2} s | {:.0} MB", self.cpu / seconds as f64 * 10.0, self.peak_mb)
    }
}

/// Closes a process's input, which ends a receiver, and reads what it used.
fn finish(mut child: Child) -> Result<Usage> {
    drop(child.stdin.take());
    let output = BufReader::new(child.stdout.take().context("no output")?);
    let last = output.lines().last().context("the process said nothing")??;
    anyhow::ensure!(child.wait()?.success(), "a process failed");
    let (cpu, peak_mb) = last.split_once(' ').context("no usage")?;
    Ok(Usage { cpu: cpu.parse()?, peak_mb: peak_mb.parse()? })
}

fn report_usage(before: &Usage) -> Result<()> {
    let usage = Usage::own()?;
    println!("{} {}", usage.cpu - before.cpu, usage.peak_mb);
    Ok(())
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

/// The demo's piece as a synthesizer renders it, left and right.
fn music(depth: &str) -> Result<[Vec<f32>; 2]> {
    let score = Score::parse(&piece::file()?, RATE)?;
    let mut samples = synth::render(&score, &synth::find_soundfont()?, 0.0)?;
    match depth {
        "float32" => {}
        "16-bit" => {
            for sample in &mut samples {
                *sample = (*sample * 32_768.0).round().clamp(-32_768.0, 32_767.0) / 32_768.0;
            }
        }
        other => bail!("unknown sample format {other}"),
    }
    let channel = |channel: usize| samples.iter().skip(channel).step_by(2).copied().collect();
    Ok([channel(0), channel(1)])
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
