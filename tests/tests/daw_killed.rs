//! A DAW that is killed while no receiver is there, and opened again later: what it had played arrives, bit for bit.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use send_learn_tests::audio::Audio;
use send_learn_tests::process::{Process, wait_for};
use send_learn_tests::products;
use send_learn_tests::python::Played;
use send_learn_tests::rig::{DELIVERY, Rig, said};

const RATE: usize = 48_000;

/// Bytes that the growing recording has when the receiver goes: some seconds of sound.
const ENOUGH: u64 = 1_000_000;

/// How long the DAW plays on without it.
const OUTAGE: Duration = Duration::from_secs(5);

/// Frames of what is played after the restart.
const SECOND: usize = 2 * RATE + 77;

#[test]
fn a_daw_killed_in_an_outage_and_opened_again_sends_the_rest_of_its_take() -> Result<()> {
    let mut rig = Rig::new()?;
    let plugin = products::path("SEND_LEARN_CLAP")?;
    let (first, second) = (rig.file("first.wav"), rig.file("second.wav"));
    Audio::all_kinds(RATE as u32, 2, RATE * 60, 3).save(&first)?;
    Audio::all_kinds(RATE as u32, 2, SECOND, 4).save(&second)?;

    let mut daw = rig.host(&plugin)?;
    daw.args(["--block", "512", "--track", "Lead", "--wav"]).arg(&first);
    let mut daw = Process::start(daw.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()))?;
    let data = rig.receiver().data().to_owned();
    wait_for(DELIVERY, || (size(&data) > ENOUGH).then_some(())).context("the recording does not grow")?;
    rig.kill_receiver()?;
    thread::sleep(OUTAGE);
    daw.kill()?;
    let spool = rig.file("cache").join("send-learn-spool");
    ensure!(size(&spool) > ENOUGH, "the DAW kept {} bytes of 5 s", size(&spool));
    rig.restart_receiver()?;

    // Opened again, it plays something else, and stays open.
    let mut daw = rig.host(&plugin)?;
    daw.args(["--block", "512", "--track", "Lead", "--wav"]).arg(&second);
    let mut daw = Process::start(daw.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()))?;
    daw.wait_for_line("played").context("the host did not play to the end")?;
    let recordings = rig.receiver().finished(2, DELIVERY)?;
    drop(daw.child().stdin.take());
    ensure!(daw.wait(DELIVERY)?.success(), "the host ended badly");

    let [one, two] = recordings.as_slice() else { bail!("{} recordings, not two", recordings.len()) };
    let (old, new) = if frames(one)? == SECOND { (two, one) } else { (one, two) };
    rig.compare(new, Played { wav: Some(&second), midi: None, log: None })?;
    // All that it had played 100 ms before it was killed, and whatever the system's own delays left of that.
    let played = frames(old)?;
    let least = (OUTAGE.as_secs() as usize + 1) * RATE;
    ensure!(played > least, "{played} frames of the first take, not {least}");
    let mut audio = Audio::open(&first)?;
    audio.samples.truncate(played * 2);
    let cut = rig.file("cut.wav");
    audio.save(&cut)?;
    rig.compare(old, Played { wav: Some(&cut), midi: None, log: None })?;
    ensure!(fs::read_dir(&spool)?.next().is_none(), "something is left in {}", spool.display());
    Ok(())
}

#[test]
fn what_a_sender_could_not_send_is_sent_by_a_command() -> Result<()> {
    let mut rig = Rig::new()?;
    let wav = rig.file("input.wav");
    Audio::all_kinds(RATE as u32, 2, RATE * 20, 6).save(&wav)?;
    let address = rig.receiver().address();
    let mut sender = rig.sender(address)?;
    sender.args(["--timeout", "3", "--wav"]).arg(&wav);
    let mut sender = Process::start(sender.stdout(Stdio::null()).stderr(Stdio::null()))?;
    let data = rig.receiver().data().to_owned();
    wait_for(DELIVERY, || (size(&data) > ENOUGH).then_some(())).context("the recording does not grow")?;
    rig.kill_receiver()?;
    ensure!(!sender.wait(DELIVERY)?.success(), "it must not end well without a receiver");
    rig.restart_receiver()?;

    let mut rest = Command::new(products::program(products::Program::SendLearnSend)?);
    rig.make_at_home(&mut rest);
    let sent = rest.arg("--rest").stdin(Stdio::null()).output()?;
    ensure!(sent.status.success() && said(&sent).contains("(takes: 1)"), "{}", said(&sent));
    let recording = rig.recording()?;
    let played = frames(&recording)?;
    ensure!(played > 4 * RATE, "{played} frames");
    let mut audio = Audio::open(&wav)?;
    audio.samples.truncate(played * 2);
    let cut = rig.file("cut.wav");
    audio.save(&cut)?;
    rig.compare(&recording, Played { wav: Some(&cut), midi: None, log: None })?;
    let again = rest.output()?;
    ensure!(again.status.success() && said(&again).contains("nothing is left"), "{}", said(&again));
    Ok(())
}

/// Frames of audio in a recording.
fn frames(recording: &Path) -> Result<usize> {
    let script = "import sys, h5py; print(len(h5py.File(sys.argv[1])['audio']))";
    let python = products::path("SEND_LEARN_PYTHON")?;
    let output = Command::new(python).args(["-c", script]).arg(recording).output()?;
    String::from_utf8_lossy(&output.stdout).trim().parse().with_context(|| format!("{}: {}", recording.display(), said(&output)))
}

/// Bytes of all files below a folder.
fn size(folder: &Path) -> u64 {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let bytes = |path: PathBuf| if path.is_dir() { size(&path) } else { path.metadata().map_or(0, |data| data.len()) };
    entries.map(|entry| bytes(entry.path())).sum()
}
