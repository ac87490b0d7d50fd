//! Real programs with a key: what members play is recorded; what others play is not, and they keep it until they have the key.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};
use send_learn_protocol::secure::Key;
use send_learn_tests::audio::Audio;
use send_learn_tests::process::{Process, recordings};
use send_learn_tests::products::{self, Program};
use send_learn_tests::python::Played;
use send_learn_tests::rig::{DELIVERY, Rig, said};

const RATE: usize = 48_000;

/// Runs a program of the rig to its end.
fn run(rig: &Rig, program: Program, arguments: &[&str], stdin: &str) -> Result<std::process::Output> {
    let mut command = Command::new(products::program(program)?);
    rig.make_at_home(&mut command);
    command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn()?;
    std::io::Write::write_all(&mut child.stdin.take().context("its input is piped")?, stdin.as_bytes())?;
    Ok(child.wait_with_output()?)
}

/// Makes a key where all programs of the rig find it, and starts the receiver again with it.
fn with_key(rig: &mut Rig) -> Result<Key> {
    let made = run(rig, Program::SendLearn, &["key"], "")?;
    ensure!(made.status.success(), "{}", said(&made));
    let key = String::from_utf8(made.stdout)?.trim().parse()?;
    rig.kill_and_restart()?;
    Ok(key)
}

fn enter(rig: &Rig, key: &Key) -> Result<()> {
    let entered = run(rig, Program::SendLearnSend, &["--set-key"], &key.to_string())?;
    ensure!(entered.status.success(), "{}", said(&entered));
    Ok(())
}

fn nothing_is_recorded(folder: &Path) -> Result<()> {
    let (closed, open) = recordings(folder);
    ensure!(closed.is_empty() && open.is_empty(), "{closed:?} {open:?}");
    Ok(())
}

#[test]
fn files_are_recorded_with_the_key_and_refused_in_words_without() -> Result<()> {
    let mut rig = Rig::new()?;
    let wav = rig.file("input.wav");
    Audio::all_kinds(RATE as u32, 2, RATE * 3, 3).save(&wav)?;
    let key = with_key(&mut rig)?;
    let send =
        |rig: &Rig| Ok::<_, anyhow::Error>(rig.sender(rig.receiver().address())?.args(["--fast", "--wav"]).arg(&wav).output()?);

    let kept = rig.file("config").join("send-learn").join("key");
    fs::remove_file(&kept)?;
    let output = send(&rig)?;
    ensure!(!output.status.success() && said(&output).contains("needs its key"), "{}", said(&output));
    enter(&rig, &send_learn_key::new()?)?;
    let output = send(&rig)?;
    ensure!(!output.status.success() && said(&output).contains("another key"), "{}", said(&output));
    nothing_is_recorded(rig.receiver().data())?;

    enter(&rig, &key)?;
    let output = send(&rig)?;
    ensure!(output.status.success(), "{}", said(&output));
    rig.compare(&rig.recording()?, Played { wav: Some(&wav), midi: None, log: None })
}

#[test]
fn what_the_plugin_played_with_another_key_is_kept_and_recorded_with_the_right_one() -> Result<()> {
    let mut rig = Rig::new()?;
    let wav = rig.file("input.wav");
    Audio::all_kinds(RATE as u32, 2, RATE * 4, 3).save(&wav)?;
    let key = with_key(&mut rig)?;
    enter(&rig, &send_learn_key::new()?)?;
    let mut daw = rig.host(&products::path("SEND_LEARN_CLAP")?)?;
    daw.args(["--block", "512", "--track", "Lead", "--wav"]).arg(&wav);
    let mut daw = Process::start(daw.stdin(Stdio::piped()).stdout(Stdio::piped()))?;
    daw.wait_for_line("played").context("the host did not play to the end")?;
    drop(daw.child().stdin.take());
    ensure!(daw.wait(DELIVERY)?.success(), "the host ended badly");
    nothing_is_recorded(rig.receiver().data())?;

    enter(&rig, &key)?;
    let sent = run(&rig, Program::SendLearnSend, &["--rest"], "")?;
    ensure!(sent.status.success() && said(&sent).contains("(takes: 1)"), "{}", said(&sent));
    rig.compare(&rig.recording()?, Played { wav: Some(&rig.file("played.wav")), midi: None, log: None })
}
