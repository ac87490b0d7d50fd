//! What must not leave the studio machine does not: the socket is watched while the real plugin plays with capture off, or
//! private and withheld. What is private is recorded as such, at the exact sample, and no dataset holds it.

use std::net::UdpSocket;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use send_learn_protocol::packet::header::{self, Kind};
use send_learn_protocol::record::{Record, records};
use send_learn_tests::audio::Audio;
use send_learn_tests::process::Process;
use send_learn_tests::products;
use send_learn_tests::python::script;
use send_learn_tests::relay::{Relay, Seen};
use send_learn_tests::rig::{DELIVERY, Rig, said};
use send_learn_tests::tunes::{cut_piece, tune};
use serde_json::{Value, json};

const RATE: usize = 48_000;
const BLOCK: u64 = 512;

/// Neither begins nor ends with a block.
const FROM: u64 = 60 * BLOCK + 101;
const TO: u64 = 190 * BLOCK + 7;

/// Once the last datagram with sound from before a pause is sent, at most so many bytes follow until there is sound again:
/// parity of what was sent, clock probes, feedback. The pause itself is half a megabyte of noise.
const MURMUR: usize = 20_000;

/// Settings by which what is private is not sent.
const WITHHELD: &str = "private = \"withhold\"";

struct Scene {
    rig: Rig,
    wav: PathBuf,
    midi: PathBuf,
}

impl Scene {
    /// Five seconds of all kinds of samples and a piece with all kinds of messages.
    fn new(settings: &str) -> Result<Self> {
        Self::of(5, settings)
    }

    fn of(seconds: u32, settings: &str) -> Result<Self> {
        let rig = Rig::new()?;
        rig.settings(settings)?;
        let wav = rig.file("input.wav");
        Audio::all_kinds(RATE as u32, 2, seconds as usize * RATE, 3).save(&wav)?;
        let midi = cut_piece(&rig.file("input.mid"), seconds)?;
        Ok(Self { rig, wav, midi })
    }

    fn host(&self, switches: &[&str]) -> Result<Command> {
        let mut host = self.rig.host(&products::path("SEND_LEARN_CLAP")?)?;
        host.arg("--wav").arg(&self.wav).arg("--midi").arg(&self.midi).args(["--block", &BLOCK.to_string()]);
        switches.iter().for_each(|switch| _ = host.args(["--set", switch]));
        Ok(host)
    }

    /// Plays to the end against a socket that only listens; gives the datagrams that came.
    fn datagrams_sent(&self, switches: &[&str]) -> Result<usize> {
        self.datagrams_sent_to(&UdpSocket::bind("127.0.0.1:0")?, switches)
    }

    fn datagrams_sent_to(&self, ear: &UdpSocket, switches: &[&str]) -> Result<usize> {
        let mut host = self.host(switches)?;
        host.env("SEND_LEARN_SERVER", ear.local_addr()?.to_string());
        let mut process = Process::start(host.stdin(Stdio::piped()).stdout(Stdio::piped()))?;
        process.wait_for_line("played").context("the host did not play to the end")?;
        drop(process.child().stdin.take());
        ensure!(process.wait(DELIVERY)?.success(), "the host failed");
        ear.set_read_timeout(Some(Duration::from_millis(200)))?;
        Ok(std::iter::from_fn(|| ear.recv(&mut [0; 2_048]).ok()).count())
    }

    /// Has an independent reader compare the recording with what was played, but for the stretch, of which the recording says
    /// `kind`.
    fn compare(&self, recording: &Path, kind: &str, (from, to): (u64, u64)) -> Result<()> {
        let mut compare = Command::new(products::path("SEND_LEARN_PYTHON")?);
        compare.arg(script("compare_stretch.py")).arg(recording).arg(self.rig.file("played.wav")).arg(&self.midi);
        let output = compare.args([kind, &from.to_string(), &to.to_string()]).output()?;
        println!("{}", said(&output));
        if !output.status.success() {
            bail!("the recording is not as it should be: {}", said(&output));
        }
        Ok(())
    }

    /// Plays with the switch on between two samples. Nothing of that may pass the network, and in the end nothing at all. Gives for how
    /// long nothing did.
    fn stays_here(&self, [on, off]: [&str; 2], (from, to): (u64, u64), kind: &str) -> Result<Duration> {
        let relay = Relay::watch(self.rig.receiver().address())?;
        let mut host = self.host(&[&on.replace('@', &format!("@{from}")), &off.replace('@', &format!("@{to}"))])?;
        let recording = self.rig.record(host.env("SEND_LEARN_SERVER", relay.address().to_string()))?;
        let sent: Vec<Seen> = relay.seen().into_iter().filter(|seen| seen.there).collect();
        let quiet = nothing_of_the_stretch(&sent, (from, to))?;
        self.compare(&recording, kind, (from, to))?;
        Ok(quiet)
    }
}

/// No record of sound or music within the stretch, and between the sound before it and the sound after it hardly a byte, and a time
/// without any: the longest pause between two datagrams is given.
fn nothing_of_the_stretch(sent: &[Seen], (begin, end): (u64, u64)) -> Result<Duration> {
    let (mut last_before, mut first_after) = (None, None);
    for (index, seen) in sent.iter().enumerate() {
        let (head, payload) = header::read(&seen.datagram)?;
        if head.kind != Kind::Source {
            continue;
        }
        for record in records(payload) {
            let (from, to) = match record? {
                Record::Audio(audio) => (audio.position.0, audio.position.0 + u64::from(audio.frames)),
                Record::Block(block) => (block.position.0, block.position.0 + u64::from(block.frames)),
                Record::Midi(midi) => (midi.position.0, midi.position.0 + 1),
                Record::Automation(point) => (point.position.0, point.position.0 + 1),
                Record::Transport(transport) => (transport.position.0, transport.position.0 + 1),
                _ => continue,
            };
            ensure!(to <= begin || from >= end, "datagram {index} tells of {from} to {to}");
            if to <= begin {
                last_before = Some(index);
            } else {
                first_after.get_or_insert(index);
            }
        }
    }
    let (before, after) = last_before.zip(first_after).context("no sound before and after the stretch was sent")?;
    ensure!(before < after, "sound from before the stretch came after it");
    let murmur: usize = sent[before + 1..after].iter().map(|seen| seen.datagram.len()).sum();
    let quiet = sent[before..=after].windows(2).map(|pair| pair[1].at - pair[0].at).max().unwrap_or_default();
    println!("{murmur} bytes in {} datagrams between the sound before and after, none for {quiet:?}", after - before - 1);
    ensure!(murmur < MURMUR, "{murmur} bytes were sent in between");
    Ok(quiet)
}

#[test]
fn with_capture_off_not_one_datagram_leaves() -> Result<()> {
    let scene = Scene::new("")?;
    ensure!(scene.datagrams_sent(&["Capture@0=0"])? == 0, "something was sent");
    ensure!(scene.datagrams_sent(&[])? > 0, "this test cannot hear");
    Ok(())
}

#[test]
fn with_private_on_and_withheld_not_one_datagram_leaves() -> Result<()> {
    let scene = Scene::new(WITHHELD)?;
    ensure!(scene.datagrams_sent(&["Private@0=1"])? == 0, "something was sent");
    Ok(())
}

#[test]
fn what_is_played_while_capture_is_off_stays_here_and_the_recording_says_so() -> Result<()> {
    let scene = Scene::new("")?;
    scene.stays_here(["Capture@=0", "Capture@=1"], (FROM, TO), "capture-off").map(drop)
}

/// Longer than a receiver waits for a sign of life: what was on its way is acknowledged first, then nothing comes, and the take goes on
/// in a new session.
#[test]
fn while_capture_is_off_for_long_no_sign_of_life_leaves_and_the_take_goes_on_after_it() -> Result<()> {
    let scene = Scene::of(16, "")?;
    let (from, to) = (FROM, 14 * RATE as u64 + 3);
    let quiet = scene.stays_here(["Capture@=0", "Capture@=1"], (from, to), "capture-off")?;
    let stretch = Duration::from_secs_f64((to - from) as f64 / RATE as f64);
    ensure!(quiet + Duration::from_secs(2) > stretch, "of {stretch:?}, nothing was sent for {quiet:?} only");
    Ok(())
}

#[test]
fn with_capture_off_what_an_earlier_session_left_stays_here_until_something_is_captured() -> Result<()> {
    let scene = Scene::new("")?;
    let ear = UdpSocket::bind("127.0.0.1:0")?;
    ensure!(scene.datagrams_sent_to(&ear, &[])? > 0, "this test cannot hear");
    let spool = scene.rig.file("cache").join("send-learn-spool");
    ensure!(std::fs::read_dir(&spool)?.next().is_some(), "the first session left nothing in {}", spool.display());
    ensure!(scene.datagrams_sent_to(&ear, &["Capture@0=0"])? == 0, "something was sent");
    Ok(())
}

#[test]
fn what_is_private_and_withheld_stays_here_and_the_recording_says_so() -> Result<()> {
    let scene = Scene::new(WITHHELD)?;
    scene.stays_here(["Private@=1", "Private@=0"], (FROM, TO), "withheld").map(drop)
}

#[test]
fn what_is_private_is_recorded_and_marked_at_the_exact_samples() -> Result<()> {
    let scene = Scene::new("")?;
    let mut host = scene.host(&[&format!("Private@{FROM}=1"), &format!("Private@{TO}=0")])?;
    let recording = scene.rig.record(&mut host)?;
    scene.compare(&recording, "private", (FROM, TO))
}

#[test]
fn no_dataset_holds_what_is_private() -> Result<()> {
    let rig = Rig::new()?;
    let tune = tune("coconut_run2", 10_000, RATE as u32)?;
    let mut host = rig.host(&products::path("SEND_LEARN_CLAP")?)?;
    host.arg("--wav").arg(&tune.wav).arg("--midi").arg(&tune.midi).args(["--speed", "inf"]);
    // Of the two sequences, of 0 to 30 s and of 25 to 55 s, the second holds a second that is private.
    host.args(["--set", "Private@1500001=1", "--set", "Private@1548001=0"]).env("SEND_LEARN_CAPTURE_OFFLINE", "1");
    rig.record(&mut host)?;
    let out = rig.file("dataset");
    let arguments = ["export", "pytorch", "--own", "--json", "-o"].into_iter().map(AsRef::as_ref);
    let output = rig.tool(arguments.chain([out.as_os_str(), rig.receiver().data().as_os_str()]))?;
    ensure!(output.status.success(), "send-learn export ended with {}: {}", output.status, said(&output));
    let manifest: Value = serde_json::from_slice(&output.stdout)?;
    ensure!(manifest["left_out"] == json!({ "private": 1 }), "left out: {}", manifest["left_out"]);
    ensure!(manifest["contents"]["sequences"]["train"] == json!(1), "sequences: {}", manifest["contents"]);
    Ok(())
}
