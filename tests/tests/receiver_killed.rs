//! A receiver that is killed in the middle of a recording and started again finishes it: nothing is missing.

use std::fs;
use std::process::Stdio;

use anyhow::{Context, Result, bail, ensure};
use send_learn_tests::audio::Audio;
use send_learn_tests::process::{Process, recordings, wait_for};
use send_learn_tests::python::Played;
use send_learn_tests::rig::{DELIVERY, Rig, said};

/// Bytes that the growing recording has when the receiver is killed: some seconds of sound.
const ENOUGH: u64 = 1_500_000;

fn survives(kills: usize) -> Result<()> {
    let mut rig = Rig::new()?;
    let wav = rig.file("input.wav");
    Audio::all_kinds(48_000, 2, 48_000 * 20 + 1_234, 9).save(&wav)?;
    let mut sender = rig.sender(rig.receiver().address())?;
    let mut sender = Process::start(sender.arg("--wav").arg(&wav).stdout(Stdio::null()).stderr(Stdio::null()))?;
    for kill in 1..=kills {
        let data = rig.receiver().data().to_owned();
        let grown = || (size(&data) > ENOUGH * kill as u64).then_some(());
        wait_for(DELIVERY, grown).context("the recording does not grow")?;
        rig.kill_and_restart()?;
    }
    let status = sender.wait(DELIVERY)?;
    ensure!(status.success(), "send-learn-send ended with {status}; the receiver said: {}", rig.receiver().messages());
    let recording = rig.recording()?;
    rig.compare(&recording, Played { wav: Some(&wav), midi: None, log: None })
}

#[test]
fn a_recording_is_complete_after_kill_9_and_restart() -> Result<()> {
    survives(1)
}

#[test]
fn a_recording_is_complete_after_three_times_kill_9() -> Result<()> {
    survives(3)
}

#[test]
fn a_recording_cut_off_by_kill_9_is_reported_as_unfinished() -> Result<()> {
    let mut rig = Rig::new()?;
    let wav = rig.file("input.wav");
    Audio::all_kinds(48_000, 2, 48_000 * 20, 10).save(&wav)?;
    let mut sender = rig.sender(rig.receiver().address())?;
    let mut sender = Process::start(sender.arg("--wav").arg(&wav).stdout(Stdio::null()).stderr(Stdio::null()))?;
    let data = rig.receiver().data().to_owned();
    wait_for(DELIVERY, || (size(&data) > ENOUGH).then_some(())).context("the recording does not grow")?;
    rig.kill_receiver()?;
    sender.kill()?;

    let (closed, open) = recordings(&data);
    let [part] = open.as_slice() else { bail!("{} open recordings, {} closed ones", open.len(), closed.len()) };
    let verified = rig.tool(["verify".as_ref(), part.as_os_str()])?;
    // What is in it is good, but it must not pass for whole.
    ensure!(!verified.status.success() && said(&verified).contains("UNFINISHED"), "{}", said(&verified));
    let info = rig.tool(["info".as_ref(), part.as_os_str()])?;
    ensure!(info.status.success() && !said(&info).contains("state        closed"), "{}", said(&info));
    Ok(())
}

/// Bytes of all files below a folder.
fn size(folder: &std::path::Path) -> u64 {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries
        .map(|entry| if entry.path().is_dir() { size(&entry.path()) } else { entry.metadata().map_or(0, |data| data.len()) })
        .sum()
}
