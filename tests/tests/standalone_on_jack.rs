//! The plugin as a program of its own in a real JACK server, whose driver is its dummy: sound and notes of another client go in and come out
//! as they are, and are recorded to the bit and to the sample.
#![cfg(target_os = "linux")]

use std::fs;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use send_learn_tests::process::Process;
use send_learn_tests::products::{self, Program};
use send_learn_tests::python::script;
use send_learn_tests::rig::{DELIVERY, Rig, said};

/// The server's name, so that another one that runs here is left alone.
const SERVER: &str = "send-learn-test";

#[test]
fn what_another_client_plays_is_passed_on_and_recorded_exactly() -> Result<()> {
    let python = products::path("SEND_LEARN_PYTHON")?;
    if !can("jackd", &["--version"]) || !can(&python.to_string_lossy(), &["-c", "import jack"]) {
        println!("skipped: jackd, or the Python package JACK-Client, is not installed");
        return Ok(());
    }
    let rig = Rig::new()?;
    let mut server = Command::new("jackd");
    server.args(["--name", SERVER]).args("--no-realtime --sync --timeout 5000 -d dummy -r 48000 -p 512".split(' '));
    let _server = Process::start(server.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()))?;
    let limit = Instant::now() + DELIVERY;
    while !can("jack_lsp", &["-s", SERVER]) {
        ensure!(Instant::now() < limit, "the JACK server does not answer");
        thread::sleep(Duration::from_millis(50));
    }

    let log = rig.file("standalone.log");
    let mut command = Command::new(products::program(Program::Standalone)?);
    command.args(["--name", "Jack", "--backend", "jack", "--to", &rig.receiver().address().to_string()]);
    command.env("JACK_DEFAULT_SERVER", SERVER).env_remove("DISPLAY").env_remove("WAYLAND_DISPLAY").stdin(Stdio::null());
    rig.make_at_home(&mut command);
    let mut standalone = Process::start(command.stdout(Stdio::null()).stderr(fs::File::create(&log)?))?;
    let spoke = || fs::read_to_string(&log).unwrap_or_default();

    let played = rig.file("played.npz");
    let player = |task: &str| {
        let mut command = Command::new(&python);
        command.arg(script("jack_player.py")).arg(task).arg(&played).env("JACK_DEFAULT_SERVER", SERVER);
        command
    };
    let output = player("play").output()?;
    ensure!(output.status.success(), "{}{}", said(&output), spoke());
    standalone.interrupt()?;
    standalone.wait(DELIVERY).with_context(spoke)?;
    let output = player("check").arg(rig.recording()?).output()?;
    ensure!(output.status.success(), "{}{}", said(&output), spoke());
    Ok(())
}

/// Whether a program is there and runs.
fn can(program: &str, arguments: &[&str]) -> bool {
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}
