//! Sixty-four streams at once in real time, by the plugin's own engine, to a receiver that is a process of its own: memory and open
//! files stay as they are on both sides, and every recording is complete.
//!
//! Some seconds are played; `cargo xtask test --long` plays ten minutes. A stream is one channel at 48 kHz, and no features are computed, so
//! that a machine that builds beside it keeps up: how much a machine can carry is a question for benches.
#![cfg(target_os = "linux")]

use std::fs;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use send_learn_plugin::capture::{CaptureConfig, Wanted, capture};
use send_learn_plugin::clock;
use send_learn_plugin::report::LinkState;
use send_learn_plugin::transport::Observed;
use send_learn_plugin::uplink::{TakeConfig, Uplink, UplinkConfig};
use send_learn_protocol::packet::hello::{Description, PropertyKey};
use send_learn_protocol::record::EndReason;
use send_learn_protocol::sender::SendMode;
use send_learn_protocol::units::{HostId, MachineId, StreamId, TakeId};
use send_learn_tests::process::{Receiver, wait_for};
use send_learn_tests::products::{self, Program};
use send_learn_tests::rig::{DELIVERY, said};
use serde_json::Value;

const STREAMS: usize = 64;
const RATE: u64 = 48_000;
const BLOCK: u64 = 512;

/// What memory may change by, in MB. What is kept for viewers that come late fills up to 32 MiB in the first half minute.
const CHANGE: u64 = 48;

/// Files that may be open beside those of the beginning: one of each take, whose part was just being closed then. A file that stays open
/// for each part would be several of each.
const FILES: usize = STREAMS;

/// Memory in MB, and open files, of a process.
#[derive(Clone, Copy, Debug)]
struct Usage {
    memory: u64,
    files: usize,
}

impl Usage {
    fn of(process: u32) -> Result<Self> {
        let status = fs::read_to_string(format!("/proc/{process}/status"))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("no VmRSS")?;
        let kilobytes: u64 = line.split_whitespace().next().context("no VmRSS")?.parse()?;
        Ok(Self { memory: kilobytes / 1_000, files: fs::read_dir(format!("/proc/{process}/fd"))?.count() })
    }
}

/// A tune of 16 bits, which lasts a second and begins anew.
fn sound() -> Vec<f32> {
    let tone = |frame: u64, hertz: f64| (frame as f64 / RATE as f64 * hertz * std::f64::consts::TAU).sin();
    (0..RATE).map(|frame| ((tone(frame, 220.0) + tone(frame, 331.0)) * 8_000.0).round() as f32 / 32_768.0).collect()
}

fn description(number: usize, host: HostId, machine: MachineId) -> Description {
    let mut description = Description {
        stream: StreamId::random(),
        take: TakeId::random(),
        host,
        machine,
        sample_rate: RATE as f64,
        channels: 1,
        max_block: BLOCK as u32,
        started_unix_nanos: 0,
        started: clock::now(),
        properties: Vec::new(),
    };
    description.set_property(PropertyKey::NAME, &format!("Track {number}"));
    description
}

#[test]
fn memory_and_open_files_of_sixty_four_streams_stay_as_they_are() -> Result<()> {
    let long = std::env::var_os("SEND_LEARN_LONG").is_some();
    // Seconds, and files of each take.
    let (seconds, parts) = if long { (600, 10) } else { (15, 3) };
    let folder = tempfile::tempdir()?;
    let send_learn = products::program(Program::SendLearn)?;
    let minutes = (seconds as f64 / 60.0 / parts as f64).to_string();
    let options = ["--rotate", &minutes, "--no-features", "--log", "warn"];
    let listen = ([127, 0, 0, 1], 0).into();
    let mut receiver = Receiver::start_by(std::process::Command::new(&send_learn), folder.path(), listen, &options)?;
    let process = receiver.process().child().id();

    let uplink = Uplink::start(UplinkConfig { memory: 64 << 20, spool: None })?;
    // A machine that has other work waits instead of dropping a block: then it takes longer than real time.
    let config = CaptureConfig { sample_rate: RATE as f64, channels: 1, max_block: BLOCK as u32, patient: true };
    let (host, machine) = (HostId::random(), MachineId::random());
    let (mut captures, mut handles) = (Vec::new(), Vec::new());
    for number in 1..=STREAMS {
        let (capture, captured) = capture(config);
        let handle = uplink.open(&receiver.address().to_string());
        let description = description(number, host, machine);
        handle.start(TakeConfig { description, parameters: Vec::new(), mode: SendMode::Live }, captured);
        captures.push(capture);
        handles.push(handle);
    }

    let sound = sound();
    let blocks = seconds * RATE / BLOCK;
    let mut seen: Vec<(Usage, Usage)> = Vec::new();
    let begun = Instant::now();
    for block in 0..blocks {
        let due = Duration::from_secs_f64((block * BLOCK) as f64 / RATE as f64);
        std::thread::sleep(due.saturating_sub(begun.elapsed()));
        for (number, capture) in captures.iter_mut().enumerate() {
            let offset = (block * BLOCK + number as u64 * 701) % (RATE - BLOCK);
            let playhead = Some((block * BLOCK) as i64);
            let observed = Observed { playing: true, tempo: Some(120.0), playhead, ..Observed::default() };
            capture.begin(BLOCK as u32, clock::now(), &observed, Wanted::Captured);
            capture.end(&[&sound[offset as usize..(offset + BLOCK) as usize]]);
        }
        if block % (blocks / 20) == blocks / 40 {
            seen.push((Usage::of(process)?, Usage::of(std::process::id())?));
            let (receiver, sender) = seen[seen.len() - 1];
            println!("after {:.0} s: receiver {receiver:?}, sender {sender:?}", begun.elapsed().as_secs_f64());
        }
    }
    let dropped: u64 = handles.iter().map(|handle| handle.report().dropped).sum();
    ensure!(dropped == 0, "{dropped} blocks found no room in the ring");
    captures.into_iter().for_each(|capture| capture.finish(EndReason::Stopped));
    wait_for(DELIVERY, || handles.iter().all(|handle| handle.report().link == LinkState::Finished).then_some(()))
        .with_context(|| format!("not durable in time: {:?}", handles[0].report()))?;

    // What all streams need is there after two minutes of ten, or half of some seconds.
    let seen = seen.split_off(if long { 4 } else { 10 });
    let flat = |of: fn(&(Usage, Usage)) -> Usage| -> Result<()> {
        let (first, last) = (of(&seen[0]), of(&seen[seen.len() - 1]));
        let most = seen.iter().map(|seen| of(seen).memory).max().unwrap_or_default();
        ensure!(most <= first.memory + CHANGE, "memory grows from {} to {most} MB", first.memory);
        ensure!(last.files <= first.files + FILES, "open files grow from {} to {}", first.files, last.files);
        Ok(())
    };
    flat(|(receiver, _)| *receiver).context("the receiver's")?;
    flat(|(_, sender)| *sender).context("the sender's")?;

    // The files come behind the journal; a slow machine may need as long again.
    let closed = receiver.finished(STREAMS, DELIVERY + Duration::from_secs(seconds))?;
    ensure!(closed.len() >= STREAMS * (parts - 1), "{} files of {STREAMS} takes: they are not closed as they grow", closed.len());
    let output = std::process::Command::new(&send_learn).args(["verify", "--json"]).arg(receiver.data()).output()?;
    ensure!(output.status.success(), "{}", said(&output));
    let verdict: Value = serde_json::from_slice(&output.stdout)?;
    println!("{} files in {} takes are good", closed.len(), STREAMS);
    let sum = |name: &str| -> u64 {
        let files = verdict["files"].as_array().into_iter().flatten();
        files.filter_map(|file| file[name].as_u64()).sum()
    };
    let (whole, gaps) = (sum("checked_blocks"), sum("gap_frames"));
    ensure!((whole, gaps) == (STREAMS as u64 * blocks, 0), "{whole} blocks of {}, {gaps} frames missing", STREAMS as u64 * blocks);
    Ok(())
}
