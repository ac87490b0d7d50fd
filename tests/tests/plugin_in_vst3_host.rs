//! The VST3 plugin in dawdreamer, a host built on JUCE: its output equals its input bit for bit, and so does the recording.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail, ensure};
use send_learn_tests::audio::Audio;
use send_learn_tests::process::Process;
use send_learn_tests::products;
use send_learn_tests::python::{Played, script};
use send_learn_tests::rig::{DELIVERY, Rig, said};
use send_learn_tests::tunes::cut_piece;

/// Whole blocks, 10 seconds. dawdreamer renders many times faster than real time without saying so; told to capture offline
/// renders, the plugin waits for room.
const FRAMES: usize = 512 * 938;

#[test]
fn stereo_and_notes_through_vst3_are_recorded_exactly() -> Result<()> {
    are_recorded_exactly(2)
}

#[test]
fn mono_and_notes_through_vst3_are_recorded_exactly() -> Result<()> {
    are_recorded_exactly(1)
}

fn are_recorded_exactly(channels: usize) -> Result<()> {
    let rig = Rig::new()?;
    let python = products::path("SEND_LEARN_PYTHON")?;
    let probe = Command::new(&python).args(["-c", "import dawdreamer"]).stderr(Stdio::null()).status()?;
    if !probe.success() {
        println!("skipped: dawdreamer is not there (`cargo xtask setup` installs it where PyPI has it for this system)");
        return Ok(());
    }
    let wav = rig.file("input.wav");
    Audio::all_kinds(48_000, channels, FRAMES, 5).save(&wav)?;
    let midi = cut_piece(&rig.file("input.mid"), 9)?;

    let mut command = Command::new(&python);
    command.arg(script("vst3_host.py")).arg(products::path("SEND_LEARN_VST3")?).arg(&wav).arg(&midi);
    command.env("SEND_LEARN_SERVER", rig.receiver().address().to_string()).env("SEND_LEARN_CAPTURE_OFFLINE", "1");
    rig.make_at_home(&mut command);
    let mut host = Process::start(command.stdin(Stdio::piped()).stdout(Stdio::piped()))?;
    host.wait_for_line("played").context("dawdreamer did not play to the end")?;
    // The host keeps the plugin active as long as it lives.
    drop(host.child().stdin.take());
    let status = host.wait(DELIVERY)?;
    ensure!(status.success(), "dawdreamer ended with {status}");

    // The host tries the plugin out with a few blocks of silence first: a take of its own.
    let takes = rig.receiver().finished(2, DELIVERY)?;
    let size = |path: &PathBuf| fs::metadata(path).map_or(0, |data| data.len());
    let recording = takes.into_iter().max_by_key(size).context("no recording")?;
    rig.compare(&recording, Played { wav: Some(&wav), midi: None, log: None })?;
    let notes = Command::new(&python).arg(script("notes.py")).arg(&recording).arg(&midi).output()?;
    if !notes.status.success() {
        bail!("the recorded notes differ: {}", said(&notes));
    }
    Ok(())
}
