//! A sender and a receiver as processes of a bench: streams of real music in real time.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::Result;
use send_learn::server::{Config, Server};
use send_learn_plugin::capture::{CaptureConfig, Wanted, capture};
use send_learn_plugin::clock;
use send_learn_plugin::report::LinkState;
use send_learn_plugin::transport::Observed;
use send_learn_plugin::uplink::{TakeConfig, Uplink, UplinkConfig};
use send_learn_protocol::packet::hello::{Description, PropertyKey};
use send_learn_protocol::record::EndReason;
use send_learn_protocol::sender::SendMode;
use send_learn_protocol::units::{HostId, HostNanos, MachineId, StreamId, TakeId};

use crate::music::{RATE, music};
use crate::process::{Usage, report_usage};

/// Frames of a host block.
pub const BLOCK: usize = 512;

/// A receiver that records to `data`, says where it listens, and ends with its input; then it says what it used.
///
/// # Errors
/// Where it cannot listen or record.
pub fn receiver(data: &Path) -> Result<()> {
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

/// Plays `streams` stereo streams to the receiver at `address` for some seconds; says what it used when all is durable.
///
/// # Errors
/// When not all is durable in time.
pub fn sender(address: &str, streams: usize, seconds: u64, depth: &str) -> Result<()> {
    let music = music(depth)?;
    let uplink = Uplink::start(UplinkConfig { memory: 64 << 20, spool: None })?;
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
///
/// # Errors
/// Where it cannot be read.
pub fn recordings(folder: &Path) -> Result<Vec<PathBuf>> {
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
