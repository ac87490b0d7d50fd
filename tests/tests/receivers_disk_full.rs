//! The receiver's disk is full while somebody plays: the sender says so and what to do, goes on, and stops saying it when there is room.
//!
//! The disk is a tmpfs of 64 MiB in a mount namespace of the receiver's own.

use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use send_learn_tests::audio::Audio;
use send_learn_tests::process::{Process, Receiver, recordings, wait_for};
use send_learn_tests::products::{self, Program};
use send_learn_tests::python::{self, Played};
use send_learn_tests::rig::DELIVERY;

/// What the sender says meanwhile.
const FULL: &str = "the receiver's disk is full: make room there";

/// The sender says how it stands every 5 s.
const SAID: Duration = Duration::from_secs(20);

/// A command in a namespace in which `data` is a disk of 64 MiB, or `None` where this system lets nobody mount one.
fn on_a_small_disk(data: &Path, program: &Path) -> Option<Command> {
    let small = |then: &str| {
        let mut command = Command::new("unshare");
        command.args(["--mount", "--map-root-user", "sh", "-c"]);
        command.arg(format!("mount -t tmpfs -o size=64m none \"$0\" && {then}")).arg(data);
        command
    };
    let can = small("true").stderr(Stdio::null()).status().is_ok_and(|status| status.success());
    let mut command = small("exec \"$@\"");
    command.arg(program);
    can.then_some(command)
}

/// Whether a line says that the receiver's disk is full, of those that were written from `begin` on; `None` before there is one.
fn newest_says_full(words: &Path, begin: u64) -> Option<bool> {
    let text = fs::read_to_string(words).ok()?;
    text.get(begin as usize..)?.lines().rfind(|line| line.contains("on disk")).map(|line| line.contains(FULL))
}

#[test]
#[cfg(target_os = "linux")]
fn a_sender_says_that_the_receivers_disk_is_full_until_there_is_room() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let outside = folder.path().join("data");
    fs::create_dir_all(&outside)?;
    let Some(command) = on_a_small_disk(&outside, &products::program(Program::SendLearn)?) else {
        println!("skipped: this system does not let the test mount a file system of its own (unshare --mount)");
        return Ok(());
    };
    let listen = ([127, 0, 0, 1], 0).into();
    let options = ["--reserve", "8", "--low-space", "0.01", "--no-announce"];
    let mut receiver = Receiver::start_by(command, folder.path(), listen, &options)?;
    let root = PathBuf::from(format!("/proc/{}/root", receiver.process().child().id()));
    let data = root.join(outside.strip_prefix("/")?);

    let (wav, words) = (folder.path().join("input.wav"), folder.path().join("words"));
    Audio::all_kinds(48_000, 2, 48_000 * 32, 9).save(&wav)?;
    let mut sender = Command::new(products::program(Program::SendLearnSend)?);
    sender.args(["--to", &receiver.address().to_string(), "--wav"]).arg(&wav).env("SEND_LEARN_DISCOVERY", "off");
    sender.env("XDG_CONFIG_HOME", folder.path().join("config")).env("XDG_CACHE_HOME", folder.path().join("cache"));
    let mut sender = Process::start(sender.stdin(Stdio::null()).stdout(Stdio::null()).stderr(File::create(&words)?))?;
    wait_for(DELIVERY, || recordings(&data).1.pop()).context("nothing is recorded")?;
    ensure!(newest_says_full(&words, 0) != Some(true));

    let filler = data.join("something-else");
    let filled = File::create(&filler).and_then(|mut file| std::io::copy(&mut std::io::repeat(1).take(64 << 20), &mut file));
    ensure!(filled.is_err(), "the disk is larger than it should be");
    wait_for(SAID, || newest_says_full(&words, 0).filter(|full| *full)).context("the sender does not say it")?;
    fs::remove_file(&filler)?;
    let begin = fs::metadata(&words)?.len();
    wait_for(SAID, || newest_says_full(&words, begin).filter(|full| !*full)).context("the sender goes on saying it")?;

    ensure!(sender.wait(DELIVERY)?.success(), "{}", fs::read_to_string(&words)?);
    let done = || Some(recordings(&data)).filter(|(closed, open)| closed.len() == 1 && open.is_empty());
    let (closed, _) = wait_for(DELIVERY, done).context("the recording is not finished")?;
    println!(
        "{}",
        python::compare(&products::path("SEND_LEARN_PYTHON")?, &closed[0], Played { wav: Some(&wav), midi: None, log: None })?
    );
    receiver.stop()
}
