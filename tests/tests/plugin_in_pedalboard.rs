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
