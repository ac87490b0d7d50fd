//! The bundle holds two plugins: the effect, and the instrument for MIDI alone, for hosts that give effects no MIDI.

use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};
use send_learn_tests::audio::Audio;
use send_learn_tests::host::{EFFECT, INSTRUMENT};
use send_learn_tests::process::Process;
use send_learn_tests::products;
use send_learn_tests::python::Played;
use send_learn_tests::rig::{Rig, said};
use send_learn_tests::tunes::cut_piece;
use serde_json::{Value, json};

#[test]
fn both_are_found_and_nothing_opens_a_socket_or_a_thread_before_activation() -> Result<()> {
    let rig = Rig::new()?;
    let mut host = Process::start(&mut rig.test_host("look", 0)?)?;
    let said: Value = serde_json::from_str(&host.report()?)?;
    ensure!(said["plugins"] == json!([[EFFECT, "Send Learn"], [INSTRUMENT, "Send Learn MIDI"]]), "plugins: {}", said["plugins"]);
    let seen = said["seen"].as_array().context("nothing was seen")?;
    ensure!(seen.len() == 5, "{seen:?}");
    for moment in seen {
        ensure!(moment["sockets"] == json!(0) && moment["threads"] == json!([]), "before activation: {moment}");
    }
    ensure!(said["active"] != json!([]), "this test cannot see threads");
    Ok(())
}

#[test]
fn midi_alone_passes_and_is_recorded_without_a_sound() -> Result<()> {
    let rig = Rig::new()?;
    let (wav, midi) = (rig.file("input.wav"), cut_piece(&rig.file("input.mid"), 5)?);
    Audio::all_kinds(48_000, 2, 48_000 * 5, 3).save(&wav)?;
    let mut host = rig.host(&products::path("SEND_LEARN_CLAP")?)?;
    host.arg("--wav").arg(&wav).arg("--midi").arg(&midi).args(["--midi-alone", "--track", "Keys"]);
    let recording = rig.record(&mut host)?;
    rig.compare(&recording, Played { wav: None, midi: Some(&midi), log: Some(&rig.file("played.json")) })?;
    let script =
        "import sys, h5py; file = h5py.File(sys.argv[1]); print(file.attrs['channels'], 'audio' in file, file.attrs['name'])";
    let output = Command::new(products::path("SEND_LEARN_PYTHON")?).args(["-c", script]).arg(&recording).output()?;
    ensure!(said(&output).trim() == "0 False Keys", "{}", said(&output));
    Ok(())
}

#[test]
fn a_vst3_host_finds_both() -> Result<()> {
    let rig = Rig::new()?;
    let python = products::path("SEND_LEARN_PYTHON")?;
    let probe = Command::new(&python).args(["-c", "import pedalboard"]).stderr(Stdio::null()).status()?;
    if !probe.success() {
        println!("skipped: pedalboard is not there (`cargo xtask setup` installs it where PyPI has it for this system)");
        return Ok(());
    }
    let script = "import sys, pedalboard; print(sorted(pedalboard.VST3Plugin.get_plugin_names_for_file(sys.argv[1])))";
    let mut command = Command::new(&python);
    command.args(["-c", script]).arg(products::path("SEND_LEARN_VST3")?);
    rig.make_at_home(&mut command);
    let output = command.output()?;
    ensure!(String::from_utf8_lossy(&output.stdout).trim() == "['Send Learn', 'Send Learn MIDI']", "{}", said(&output));
    Ok(())
}
