//! What does the plugin cost a studio machine? The audio thread beside a plain copy, on a quiet and on a loaded machine; the uplink's
//! CPU time with 16 instances; memory for each instance.
//!
//!     cargo bench -p send-learn-benches --bench plugin [-- SECONDS]

use std::ffi::OsStr;
use std::hint::black_box;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use send_learn::server::{Config, Server};
use send_learn_benches::music::{RATE, music};
use send_learn_benches::process::{finish, line, role};
use send_learn_plugin::capture::{Capture, CaptureConfig, Captured, Wanted, capture};
use send_learn_plugin::report::LinkState;
use send_learn_plugin::transport::Observed;
use send_learn_plugin::uplink::{TakeConfig, Uplink, UplinkConfig};
use send_learn_plugin::{clock, identity};
use send_learn_protocol::packet::hello::PropertyKey;
use send_learn_protocol::record::EndReason;
use send_learn_protocol::sender::SendMode;
use send_learn_protocol::units::StreamId;
use send_learn_tests::own::{self, Load};

const FRAMES: usize = 512;

/// Blocks that are timed one by one.
const BLOCKS: usize = 200_000;

/// Instances of which the uplink's CPU time is taken.
const INSTANCES: usize = 16;

/// Instances of which the memory is taken.
const MANY: usize = 64;

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["receiver", data] => receiver(Path::new(data)),
        [] => figures(30),
        [seconds] => figures(seconds.parse().context("give a number of seconds")?),
        _ => bail!("usage: cargo bench -p send-learn-benches --bench plugin [-- SECONDS]"),
    }
}

fn figures(seconds: u64) -> Result<()> {
    println!("a stereo block of {FRAMES} frames on the audio thread, {BLOCKS} of them, with the clock's own cost\n");
    println!("| machine | | median | p99 | p99.9 |");
    println!("| --- | --- | --- | --- | --- |");
    audio_thread("quiet")?;
    let load = Load::start()?;
    audio_thread("loaded: two busy threads for each processor")?;
    drop(load);
    let data = tempfile::tempdir()?;
    let mut receiver = role(&[OsStr::new("receiver"), data.path().as_os_str()])?;
    let address = line(&mut receiver)?;
    uplink(&address, seconds)?;
    memory(&address)?;
    finish(receiver).map(drop)
}

fn config() -> CaptureConfig {
    CaptureConfig { sample_rate: f64::from(RATE), channels: 2, max_block: FRAMES as u32, patient: false }
}

fn observed(block: u64) -> Observed {
    let playhead = (block * FRAMES as u64) as i64;
    Observed { playing: true, tempo: Some(120.0), meter: Some((4, 4)), playhead: Some(playhead), ..Observed::default() }
}

fn one_block(capture: &mut Capture, block: u64, channels: [&[f32]; 2]) {
    capture.begin(FRAMES as u32, clock::now(), &observed(block), Wanted::Captured);
    capture.end(&channels);
}

fn audio_thread(machine: &str) -> Result<()> {
    let sound: Vec<f32> = (0..FRAMES).map(|n| (n as f32 * 0.01).sin()).collect();
    let mut buffer = vec![0.0_f32; RATE as usize * 4];
    let places = buffer.len() / (2 * FRAMES);
    let copy = timed(|n| {
        let start = n % places * 2 * FRAMES;
        buffer[start..start + FRAMES].copy_from_slice(&sound);
        buffer[start + FRAMES..start + 2 * FRAMES].copy_from_slice(&sound);
        black_box(&mut buffer[start]);
    });
    row(machine, "plain copy", copy);
    let (mut audio, mut captured) = capture(config());
    let mut full = 0;
    let times = timed(|n| {
        if n.is_multiple_of(64) {
            return drain(&mut captured);
        }
        one_block(&mut audio, n as u64, [&sound, &sound]);
        full = captured.counters.dropped_blocks();
    });
    ensure!(full == 0, "the ring was full");
    row(machine, "capture", times);
    Ok(())
}

/// How long each of [`BLOCKS`] calls takes, in nanoseconds, but for each 64th, which makes room.
fn timed(mut work: impl FnMut(usize)) -> Vec<u64> {
    let mut times = Vec::with_capacity(BLOCKS);
    for n in 0..BLOCKS {
        let start = Instant::now();
        work(n);
        let took = start.elapsed().as_nanos() as u64;
        if !n.is_multiple_of(64) {
            times.push(took);
        }
    }
    times.sort_unstable();
    times
}

fn row(machine: &str, what: &str, times: Vec<u64>) {
    let at = |share: f64| times[((times.len() - 1) as f64 * share) as usize];
    println!("| {machine} | {what} | {} ns | {} ns | {} ns |", at(0.5), at(0.99), at(0.999));
}

fn drain(captured: &mut Captured) {
    while captured.ring.events.pop().is_ok() {}
    let waiting = captured.ring.samples.slots();
    if let Ok(chunk) = captured.ring.samples.read_chunk(waiting) {
        chunk.commit_all();
    }
}

/// Instances of one host that play `seconds` of music in real time; the CPU time is that of the uplink's thread alone.
fn uplink(address: &str, seconds: u64) -> Result<()> {
    let music = music("float32")?;
    let mut host = Host::start(address, INSTANCES)?;
    let before = thread_seconds("send-learn-upl")?;
    let start = Instant::now();
    for block in 0..seconds * u64::from(RATE) / FRAMES as u64 {
        let due = start + Duration::from_secs_f64(block as f64 * FRAMES as f64 / f64::from(RATE));
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
        for (number, audio) in host.captures.iter_mut().enumerate() {
            let at = (block as usize + number * 97) * FRAMES % (music[0].len() - FRAMES);
            one_block(audio, block, [&music[0][at..at + FRAMES], &music[1][at..at + FRAMES]]);
        }
    }
    let share = (thread_seconds("send-learn-upl")? - before) / start.elapsed().as_secs_f64();
    host.end()?;
    println!(
        "\nuplink of {INSTANCES} stereo instances at {RATE} Hz, with parity: {:.2} % of a core over {seconds} s",
        share * 100.0
    );
    Ok(())
}

/// What instances take besides what is kept for the receiver: played for as long as their rings are, then all of it durable.
fn memory(address: &str) -> Result<()> {
    let sound: Vec<f32> = (0..FRAMES).map(|n| (n as f32 * 0.05).sin() * 0.25).collect();
    let play = |host: &mut Host| {
        for block in 0..3 * u64::from(RATE) / FRAMES as u64 {
            host.captures.iter_mut().for_each(|audio| one_block(audio, block, [&sound, &sound]));
            std::thread::sleep(Duration::from_millis(30));
        }
        std::thread::sleep(Duration::from_secs(3));
    };
    let mut one = Host::start(address, 1)?;
    play(&mut one);
    let before = own::memory()?;
    let mut many = Host::start(address, MANY)?;
    play(&mut many);
    let each = own::memory()?.saturating_sub(before) / MANY as u64;
    println!("\nmemory of each of {MANY} instances, besides what is kept for the receiver: {each} KiB");
    one.end()?;
    many.end()
}

struct Host {
    captures: Vec<Capture>,
    streams: Vec<send_learn_plugin::uplink::StreamHandle>,
}

impl Host {
    fn start(address: &str, count: usize) -> Result<Self> {
        let uplink = Uplink::start(UplinkConfig { memory: 64 << 20, spool: None })?;
        let (mut captures, mut streams) = (Vec::new(), Vec::new());
        for number in 1..=count {
            let (audio, captured) = capture(config());
            let mut description = identity::new_take(StreamId::random(), &config());
            description.set_property(PropertyKey::NAME, &format!("Track {number}"));
            let stream = uplink.open(address);
            stream.start(TakeConfig { description, parameters: Vec::new(), mode: SendMode::Live }, captured);
            captures.push(audio);
            streams.push(stream);
        }
        Ok(Self { captures, streams })
    }

    fn end(self) -> Result<()> {
        self.captures.into_iter().for_each(|audio| audio.finish(EndReason::EndOfFile));
        let limit = Instant::now() + Duration::from_secs(20);
        while !self.streams.iter().all(|stream| stream.report().link == LinkState::Finished) {
            ensure!(Instant::now() < limit, "not durable in time: {:?}", self.streams[0].report());
            std::thread::sleep(Duration::from_millis(20));
        }
        ensure!(self.streams.iter().all(|stream| stream.report().dropped == 0), "the ring was full");
        Ok(())
    }
}

/// CPU time of the threads of this process whose name begins with `prefix`, in seconds.
fn thread_seconds(prefix: &str) -> Result<f64> {
    let mut sum = 0.0;
    for task in std::fs::read_dir("/proc/self/task").context("this needs Linux's /proc")?.flatten() {
        let read = |file: &str| std::fs::read_to_string(task.path().join(file)).unwrap_or_default();
        if read("comm").starts_with(prefix) {
            // Nanoseconds on a processor, the first word.
            sum += read("schedstat").split_whitespace().next().and_then(|word| word.parse::<f64>().ok()).unwrap_or_default() / 1e9;
        }
    }
    Ok(sum)
}

fn receiver(data: &Path) -> Result<()> {
    let server = Server::bind(&Config::new("127.0.0.1:0".parse()?, data.to_owned()))?;
    println!("{}", server.address());
    let stop = server.stopper();
    std::thread::Builder::new().name("stdin".into()).spawn(move || {
        let _ = std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
        stop.stop();
    })?;
    let before = send_learn_benches::process::Usage::own()?;
    server.run()?;
    send_learn_benches::process::report_usage(&before)
}
