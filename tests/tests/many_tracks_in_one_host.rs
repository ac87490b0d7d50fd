//! 64 tracks in one host, all duplicates of the first: one uplink, one socket, little memory, and a recording for each under its
//! track's name.

use std::collections::BTreeSet;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use send_learn_tests::process::Process;
use send_learn_tests::products;
use send_learn_tests::rig::{DELIVERY, Rig, said};
use serde_json::{Value, json};

const TRACKS: usize = 64;

/// KiB that an instance may take, besides what is kept for the receiver.
const EACH: u64 = 2_048;

/// Prints name, stream, host process and frames of each recording.
const READ: &str = "\
import json, sys, h5py
rows = []
for path in sys.argv[1:]:
    with h5py.File(path) as file:
        a = file.attrs
        rows.append([a['name'], a['stream_id'], a['host_id'], int(a['frames'])])
print(json.dumps(rows))";

#[test]
fn sixty_four_duplicated_tracks_share_an_uplink_and_are_streams_of_their_own() -> Result<()> {
    let rig = Rig::new()?;
    let mut host = Process::start(&mut rig.test_host("many", TRACKS as u64)?)?;
    let seen: Value = serde_json::from_str(&host.report()?)?;
    println!("{seen}");
    let threads: Vec<String> = serde_json::from_value(seen["threads"].clone())?;
    let uplinks = threads.iter().filter(|name| name.starts_with("send-learn-upl")).count();
    ensure!(uplinks == 1 && threads.len() <= 2, "threads: {threads:?}");
    ensure!(seen["sockets"] == json!(1), "sockets: {}", seen["sockets"]);
    let each = seen["kib_each"].as_u64().context("no memory")?;
    ensure!(each < EACH, "{each} KiB for each instance");

    let recordings = rig.receiver().finished(TRACKS, DELIVERY)?;
    let output = Command::new(products::path("SEND_LEARN_PYTHON")?).args(["-c", READ]).args(&recordings).output()?;
    let rows: Vec<(String, String, String, u64)> = serde_json::from_slice(&output.stdout).with_context(|| said(&output))?;
    let distinct = |texts: Vec<&String>| texts.into_iter().collect::<BTreeSet<_>>().len();
    ensure!(distinct(rows.iter().map(|(name, ..)| name).collect()) == TRACKS, "names: {rows:?}");
    ensure!(distinct(rows.iter().map(|(_, stream, ..)| stream).collect()) == TRACKS, "duplicates share a stream: {rows:?}");
    ensure!(distinct(rows.iter().map(|(_, _, host, _)| host).collect()) == 1, "the host is not one: {rows:?}");
    // The first one played a block more.
    let lengths: BTreeSet<u64> = rows.iter().filter(|(name, ..)| name != "Track 1").map(|(.., frames)| *frames).collect();
    ensure!(lengths.len() == 1, "lengths: {rows:?}");
    Ok(())
}
