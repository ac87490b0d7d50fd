//! The VST3 plugin in pedalboard, a host on JUCE that renders files: output and recording equal the input bit for bit in every layout and
//! block size. It sends effects no MIDI, and needs a minute to load a plugin whose controllers are hidden parameters, so it gets a
//! build without those.

use std::collections::BTreeSet;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use send_learn_tests::audio::Audio;
use send_learn_tests::process::Process;
use send_learn_tests::products;
use send_learn_tests::python::{Played, script};
use send_learn_tests::rig::{DELIVERY, Rig, said};
use serde_json::Value;

/// Channels, frames to a block, frames in all.
const WAYS: [(usize, usize, usize); 7] =
    [(2, 1, 4_800), (2, 64, 48_000), (2, 511, 48_000), (2, 512, 48_000), (2, 4_096, 96_000), (1, 512, 48_000), (6, 512, 48_000)];

/// What Python and the allocator may keep of the last fifty instances, in KiB: what eight lost ones would cost.
const KEPT: i64 = 8_192;

#[test]
fn every_layout_and_block_size_is_passed_on_and_recorded_exactly() -> Result<()> {
    let rig = Rig::new()?;
    let mut known = BTreeSet::new();
    for (channels, block, frames) in WAYS {
        let Some(mut command) = pedalboard(&rig, "play")? else { return Ok(()) };
        let wav = rig.file(&format!("{channels}-{block}.wav"));
        Audio::all_kinds(48_000, channels, frames, block as u64).save(&wav)?;
        command.arg(&wav).arg(block.to_string()).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut host = Process::start(&mut command)?;
        host.wait_for_line("played").with_context(|| format!("{channels} channels in blocks of {block} were not played"))?;
        drop(host.child().stdin.take());
        let status = host.wait(DELIVERY)?;
        ensure!(status.success(), "pedalboard ended with {status}");
        // The host tries each instance out with a few blocks of silence, in stereo first: takes of their own.
        let limit = Instant::now() + DELIVERY;
        loop {
            let mut new = rig.receiver().finished(known.len() + 1, DELIVERY)?;
            new.retain(|take| !known.contains(take));
            let played = Played { wav: Some(&wav), midi: None, log: None };
            if new.iter().any(|take| rig.compare(take, played).is_ok()) {
                known.extend(new);
                break;
            }
            ensure!(Instant::now() < limit, "no recording equals {channels} channels in blocks of {block}");
            thread::sleep(Duration::from_millis(200));
        }
    }
    Ok(())
}

/// Positions, frames and reasons of the gaps, and frames in all, of the longest of these recordings.
const GAPS: &str = "
import json, sys, h5py
files = [h5py.File(name) for name in sys.argv[1:]]
longest = max(files, key=lambda file: int(file.attrs['committed_frames']))
gaps = [[int(gap[name]) for name in ('sample', 'frames', 'reason')] for gap in longest['gaps']]
print(json.dumps([gaps, int(longest.attrs['committed_frames'])]))
";

#[test]
fn a_render_is_not_recorded_unless_asked_for_and_what_is_played_after_it_is() -> Result<()> {
    let rig = Rig::new()?;
    let Some(mut command) = pedalboard(&rig, "render")? else { return Ok(()) };
    let mut host = Process::start(command.env_remove("SEND_LEARN_CAPTURE_OFFLINE").stdin(Stdio::piped()).stdout(Stdio::piped()))?;
    host.wait_for_line("played")?;
    drop(host.child().stdin.take());
    ensure!(host.wait(DELIVERY)?.success(), "pedalboard failed");
    let recordings = rig.receiver().finished(1, DELIVERY)?;
    let output = Command::new(products::path("SEND_LEARN_PYTHON")?).args(["-c", GAPS]).args(&recordings).output()?;
    let (gaps, frames): (Vec<[u64; 3]>, u64) = serde_json::from_slice(&output.stdout).with_context(|| said(&output))?;
    println!("{gaps:?} of {frames} frames");
    let left_out: u64 = gaps.iter().filter(|[_, _, reason]| *reason == 7).map(|[_, frames, _]| frames).sum();
    ensure!(left_out > 25 * 48_000, "of a render of 30 s only {left_out} frames are left out");
    ensure!(left_out < 31 * 48_000, "of what was played in 3 s after it, too much is missing: {gaps:?}");
    Ok(())
}

#[test]
fn what_a_project_keeps_holds_in_another_instance() -> Result<()> {
    let rig = Rig::new()?;
    let Some(mut command) = pedalboard(&rig, "keep")? else { return Ok(()) };
    let output = command.output()?;
    ensure!(output.status.success(), "{}", said(&output));
    Ok(())
}

#[test]
fn two_hundred_instances_leave_no_thread_and_no_memory() -> Result<()> {
    let rig = Rig::new()?;
    let Some(mut command) = pedalboard(&rig, "cycle")? else { return Ok(()) };
    let output = command.arg("200").output()?;
    ensure!(output.status.success(), "{}", said(&output));
    let seen: Value = serde_json::from_slice(&output.stdout)?;
    println!("{seen}");
    ensure!(seen["threads"].as_array().is_some_and(Vec::is_empty), "threads are left: {seen}");
    ensure!(seen["grown_kib"].as_i64().context("no memory")? <= KEPT, "memory grew: {seen}");
    Ok(())
}

/// The host with `task` and the plugin as its first arguments, or none where pedalboard is not there.
fn pedalboard(rig: &Rig, task: &str) -> Result<Option<Command>> {
    let python = products::path("SEND_LEARN_PYTHON")?;
    let probe = Command::new(&python).args(["-c", "import pedalboard"]).stderr(Stdio::null()).status()?;
    if !probe.success() {
        println!("skipped: pedalboard is not there (`cargo xtask setup` installs it where PyPI has it for this system)");
        return Ok(None);
    }
    let mut command = Command::new(&python);
    command.arg(script("pedalboard_host.py")).arg(task).arg(products::path("SEND_LEARN_VST3_BASIC")?);
    command.env("SEND_LEARN_SERVER", rig.receiver().address().to_string()).env("SEND_LEARN_CAPTURE_OFFLINE", "1");
    rig.make_at_home(&mut command);
    Ok(Some(command))
}
