//! A receiver on another machine is found by name, sent to without an address, and examined by the doctor of both machines.

use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use send_learn_tests::audio::Audio;
use send_learn_tests::namespaces::{Machine, Network};
use send_learn_tests::process::Receiver;
use send_learn_tests::products::{self, Program};
use send_learn_tests::python::{self, Played};
use send_learn_tests::rig::said;
use serde_json::Value;
use tempfile::TempDir;

const RATE: u32 = 48_000;

/// How long it may take until a recording is finished.
const DELIVERY: Duration = Duration::from_secs(60);

/// Two machines, and a receiver on one of them that listens on all of its addresses.
struct Place {
    network: Network,
    receiver: Receiver,
    // Removed after the receiver has ended.
    folder: TempDir,
}

impl Place {
    fn new(listen: &str, options: &[&str]) -> Result<Option<Self>> {
        let folder = tempfile::tempdir().context("no temporary folder")?;
        Self::start(folder, listen, &[&["--open"], options].concat())
    }

    /// One whose receiver has a key, in a file of the folder.
    fn with_key() -> Result<Option<Self>> {
        let folder = tempfile::tempdir().context("no temporary folder")?;
        let key = folder.path().join("workstation.key").to_string_lossy().into_owned();
        let made = Command::new(products::program(Program::SendLearn)?).args(["key", "--file", &key]).output()?;
        ensure!(made.status.success(), "{}", said(&made));
        Self::start(folder, "0.0.0.0:9191", &["--key-file", &key])
    }

    fn start(folder: TempDir, listen: &str, options: &[&str]) -> Result<Option<Self>> {
        let Some(network) = Network::new()? else { return Ok(None) };
        let mut program = Command::new(products::program(Program::SendLearn)?);
        program.env_remove(DISCOVERY);
        let program = network.on(Machine::Workstation, &program);
        let receiver = Receiver::start_by(program, folder.path(), listen.parse()?, options)?;
        Ok(Some(Self { network, receiver, folder }))
    }

    /// Runs a program on a machine to its end, at home in the test's folder.
    fn run(&self, machine: Machine, program: Program, arguments: &[&str]) -> Result<Output> {
        let mut command = Command::new(products::program(program)?);
        command.args(arguments).env_remove(DISCOVERY).env_remove("SEND_LEARN_SERVER");
        command.env("XDG_CONFIG_HOME", self.folder.path().join("config")).env("XDG_CACHE_HOME", self.folder.path().join("cache"));
        Ok(self.network.on(machine, &command).stdin(Stdio::null()).output()?)
    }

    fn doctor(&self, machine: Machine, arguments: &[&str]) -> Result<(bool, Vec<Finding>)> {
        let data = self.receiver.data().to_string_lossy().into_owned();
        let output = self.run(machine, Program::SendLearn, &[&["doctor", "--json", "--data", &data], arguments].concat())?;
        let document: Value = serde_json::from_slice(&output.stdout).with_context(|| said(&output))?;
        ensure!(document["healthy"] == output.status.success(), "the exit status contradicts: {}", said(&output));
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let findings = document["findings"].as_array().context("no findings")?;
        let read = |finding: &Value| Finding {
            about: text(&finding["about"]),
            verdict: text(&finding["verdict"]),
            words: format!("{} {}", text(&finding["words"]), text(&finding["advice"])),
        };
        Ok((output.status.success(), findings.iter().map(read).collect()))
    }
}

/// See `send_learn_discovery::VARIABLE`.
const DISCOVERY: &str = "SEND_LEARN_DISCOVERY";

#[derive(Debug)]
struct Finding {
    about: String,
    verdict: String,
    words: String,
}

/// Whether one of them is about this, with this verdict, and says these words.
fn has(findings: &[Finding], about: &str, verdict: &str, words: &str) -> Result<()> {
    let found =
        findings.iter().any(|finding| finding.about == about && finding.verdict == verdict && finding.words.contains(words));
    ensure!(found, "nothing {verdict} about {about} says \"{words}\": {findings:#?}");
    Ok(())
}

fn save_wav(folder: &Path) -> Result<std::path::PathBuf> {
    let wav = folder.join("input.wav");
    Audio::all_kinds(RATE, 2, 3 * RATE as usize, 5).save(&wav)?;
    Ok(wav)
}

#[test]
fn a_receiver_is_found_by_name_and_gets_what_is_sent_without_an_address() -> Result<()> {
    let Some(place) = Place::new("0.0.0.0:9191", &[])? else { return Ok(()) };
    let found = place.run(Machine::Studio, Program::SendLearn, &["find", "--json"])?;
    let found: Value = serde_json::from_slice(&found.stdout).with_context(|| said(&found))?;
    ensure!(found[0]["addresses"] == serde_json::json!(["10.77.0.2:9191"]) && found[1].is_null(), "{found}");
    let listed = place.run(Machine::Studio, Program::SendLearnSend, &["--find"])?;
    ensure!(listed.status.success() && said(&listed).contains("10.77.0.2:9191"), "{}", said(&listed));

    let wav = save_wav(place.folder.path())?;
    let sent = place.run(Machine::Studio, Program::SendLearnSend, &["--fast", "--wav", &wav.to_string_lossy()])?;
    ensure!(sent.status.success(), "{}", said(&sent));
    let recordings = place.receiver.finished(1, DELIVERY)?;
    let played = Played { wav: Some(&wav), midi: None, log: None };
    println!("{}", python::compare(&products::path("SEND_LEARN_PYTHON")?, &recordings[0], played)?);
    // The receiver that was used is remembered.
    let settings = std::fs::read_to_string(place.folder.path().join("config/send-learn/plugin.toml"))?;
    let receiver = found[0]["receiver"].as_str().context("no identity")?;
    ensure!(settings.contains(&format!("receiver = \"{receiver}\"")), "{settings}");
    Ok(())
}

#[test]
fn a_receiver_is_found_over_ipv6_alone() -> Result<()> {
    let Some(place) = Place::new("[::]:9191", &[])? else { return Ok(()) };
    let found = place.run(Machine::Studio, Program::SendLearn, &["find", "--json"])?;
    let found: Value = serde_json::from_slice(&found.stdout).with_context(|| said(&found))?;
    let addresses: Vec<&str> = found[0]["addresses"].as_array().context("no receiver")?.iter().filter_map(Value::as_str).collect();
    let Some(local) = addresses.iter().find(|address| address.starts_with("[fe80")) else {
        println!("skipped: this machine has no IPv6");
        return Ok(());
    };
    ensure!(addresses.contains(&"10.77.0.2:9191"), "{addresses:?}");
    let wav = save_wav(place.folder.path())?;
    let sent = place.run(Machine::Studio, Program::SendLearnSend, &["--fast", "--to", local, "--wav", &wav.to_string_lossy()])?;
    ensure!(sent.status.success(), "{}", said(&sent));
    Ok(())
}

#[test]
fn where_nothing_answers_it_is_said_what_was_tried() -> Result<()> {
    let Some(place) = Place::new("0.0.0.0:9191", &["--no-announce"])? else { return Ok(()) };
    let wav = save_wav(place.folder.path())?;
    let sent = place.run(Machine::Studio, Program::SendLearnSend, &["--wav", &wav.to_string_lossy(), "--timeout", "4"])?;
    let words = said(&sent);
    ensure!(!sent.status.success() && words.contains("no receiver was found in this network"), "{words}");
    ensure!(words.contains("127.0.0.1:8080") && words.contains("send-learn doctor"), "{words}");
    Ok(())
}

#[test]
fn a_receiver_that_asks_for_its_key_is_left_for_no_other() -> Result<()> {
    let Some(place) = Place::with_key()? else { return Ok(()) };
    let wav = save_wav(place.folder.path())?;
    let send = || place.run(Machine::Studio, Program::SendLearnSend, &["--wav", &wav.to_string_lossy(), "--timeout", "5"]);
    let (words, (_, there)) = (said(&send()?), place.doctor(Machine::Studio, &["--to", "10.77.0.2:9191"])?);
    ensure!(words.contains("the receiver at 10.77.0.2:9191 declined: the receiver needs its key"), "{words}");
    has(&there, "receiver", "bad", "the receiver needs its key")?;

    // Now the studio machine has a key, but not that one.
    let made = place.run(Machine::Studio, Program::SendLearn, &["key"])?;
    ensure!(made.status.success(), "{}", said(&made));
    let (words, (_, there)) = (said(&send()?), place.doctor(Machine::Studio, &["--to", "10.77.0.2:9191"])?);
    ensure!(words.contains("the receiver at 10.77.0.2:9191 declined: the receiver has another key"), "{words}");
    has(&there, "receiver", "bad", "the receiver has another key")?;
    Ok(())
}

#[test]
fn the_doctor_finds_a_firewall_from_both_sides() -> Result<()> {
    let Some(place) = Place::new("0.0.0.0:9191", &[])? else { return Ok(()) };
    let (_, here) = place.doctor(Machine::Workstation, &[])?;
    has(&here, "receiver", "good", "it answers after")?;
    has(&here, "address", "good", "10.77.0.2 port 9191")?;
    has(&here, "firewall", "good", "")?;
    has(&here, "network", "good", "this one")?;
    let (healthy, there) = place.doctor(Machine::Studio, &["--to", "10.77.0.2:9191"])?;
    has(&there, "receiver", "good", "a receiver answers at 10.77.0.2:9191")?;
    ensure!(healthy, "{there:#?}");

    place.network.filter(
        Machine::Workstation,
        &["--append", "INPUT", "--in-interface", "workstation", "--protocol", "udp", "--jump", "DROP"],
    )?;
    let (healthy, here) = place.doctor(Machine::Workstation, &[])?;
    has(&here, "firewall", "bad", "UDP port 9191")?;
    ensure!(!healthy, "{here:#?}");
    let (healthy, there) = place.doctor(Machine::Studio, &["--to", "10.77.0.2:9191"])?;
    has(&there, "receiver", "bad", "nothing comes back")?;
    ensure!(!healthy, "{there:#?}");
    Ok(())
}

#[test]
fn the_doctor_tells_a_wrong_port_from_a_wrong_address() -> Result<()> {
    let Some(place) = Place::new("127.0.0.1:9191", &[])? else { return Ok(()) };
    let (_, here) = place.doctor(Machine::Workstation, &[])?;
    has(&here, "address", "note", "listens on this machine alone (127.0.0.1:9191)")?;
    has(&here, "network", "note", "no receiver announces itself")?;
    let (_, there) = place.doctor(Machine::Studio, &["--to", "10.77.0.2:9191"])?;
    has(&there, "receiver", "bad", "nothing listens at UDP port 9191")?;
    let (_, there) = place.doctor(Machine::Studio, &["--to", "192.0.2.7:9191"])?;
    has(&there, "receiver", "bad", "this machine cannot send to 192.0.2.7:9191")?;
    Ok(())
}
