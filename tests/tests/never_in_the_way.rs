//! On a machine with twice as much to do as it can, and whatever becomes of the receiver, the sound goes on: bit-exact, and never
//! late because of the plugin.

use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use send_learn_tests::namespaces::{Machine, Network};
use send_learn_tests::process::{Process, recordings};
use send_learn_tests::python::Played;
use send_learn_tests::rig::{DELIVERY, Rig};
use serde_json::Value;

/// What the plugin may take of a block's time in 999 of 1,000 blocks, in a build without optimisations.
const SHARE: f64 = 0.1;

/// How often the audio thread may wait for a page of the program that is used for the first time, in a whole run.
const PAGES: f64 = 2.0;

/// Plays for `seconds`; `meanwhile` does what a person would rather not see. The output is compared by the host itself.
fn play(
    rig: &mut Rig,
    seconds: u64,
    change: impl FnOnce(&mut Command),
    meanwhile: impl FnOnce(&mut Rig) -> Result<()>,
) -> Result<Process> {
    let mut command = rig.test_host("deadlines", seconds)?;
    command.env("SEND_LEARN_PLAYED", rig.file("played.wav"));
    change(&mut command);
    let mut host = Process::start(&mut command)?;
    meanwhile(rig)?;
    let seen: Value = serde_json::from_str(&host.report()?)?;
    println!("{seen}");
    let number = |value: &Value| value.as_f64().context("not a number");
    ensure!(number(&seen["waits_in_the_plugin"])? == 0.0, "the audio thread had to wait in the plugin: {seen}");
    ensure!(number(&seen["waits_for_pages"])? <= PAGES, "the plugin touches memory for the first time while it plays: {seen}");
    let (most, of) = (number(&seen["nanos"]["p99.9"])?, number(&seen["nanos"]["of"])?);
    ensure!(most < SHARE * of, "the plugin takes {most} ns of a block of {of}");
    Ok(host)
}

fn pause(seconds: u64) {
    thread::sleep(Duration::from_secs(seconds));
}

#[test]
#[cfg(unix)]
fn a_receiver_that_stalls_is_killed_and_comes_back_delays_no_block_and_loses_none() -> Result<()> {
    let mut rig = Rig::new()?;
    let _host = play(
        &mut rig,
        9,
        |_| {},
        |rig| {
            pause(2);
            rig.freeze_receiver(true)?;
            pause(2);
            rig.freeze_receiver(false)?;
            pause(1);
            rig.kill_receiver()?;
            pause(2);
            rig.restart_receiver()
        },
    )?;
    let recordings = rig.receiver().finished(1, DELIVERY)?;
    let recording = recordings.last().context("no recording")?;
    rig.compare(recording, Played { wav: Some(&rig.file("played.wav")), midi: None, log: None })
}

#[test]
fn without_a_receiver_no_block_is_delayed() -> Result<()> {
    let mut rig = Rig::new()?;
    rig.kill_receiver()?;
    play(&mut rig, 3, |_| {}, |_| Ok(())).map(drop)
}

#[test]
fn with_another_key_than_the_receivers_no_block_is_delayed() -> Result<()> {
    let mut rig = Rig::new()?;
    let key = rig.file("config").join("send-learn").join("key");
    send_learn_key::save(&key, &send_learn_key::new()?)?;
    rig.kill_and_restart()?;
    send_learn_key::save(&key, &send_learn_key::new()?)?;
    let _host = play(&mut rig, 3, |_| {}, |_| Ok(()))?;
    let (closed, open) = recordings(rig.receiver().data());
    ensure!(closed.is_empty() && open.is_empty(), "the receiver took it: {closed:?} {open:?}");
    Ok(())
}

#[test]
fn while_the_network_is_unplugged_no_block_is_delayed_and_none_is_lost() -> Result<()> {
    let Some(network) = Network::new()? else { return Ok(()) };
    let mut rig = Rig::in_network(&network)?;
    let in_the_studio = |host: &mut Command| {
        *host = network.on(Machine::Studio, host);
        host.stdin(Stdio::piped()).stdout(Stdio::piped());
    };
    let _host = play(&mut rig, 7, in_the_studio, |_| {
        pause(2);
        network.plug(false)?;
        pause(2);
        network.plug(true)
    })?;
    let recordings = rig.receiver().finished(1, DELIVERY)?;
    let recording = recordings.last().context("no recording")?;
    rig.compare(recording, Played { wav: Some(&rig.file("played.wav")), midi: None, log: None })
}

#[test]
#[cfg(target_os = "linux")]
fn with_a_full_disk_and_no_receiver_no_block_is_delayed() -> Result<()> {
    let mut rig = Rig::new()?;
    rig.kill_receiver()?;
    rig.settings("memory_mib = 1")?;
    let cache = rig.file("cache");
    std::fs::create_dir_all(&cache)?;
    let Some(_disk) = SmallDisk::mount(&cache)? else {
        println!("skipped: only root may mount a small disk");
        return Ok(());
    };
    play(&mut rig, 5, |_| {}, |_| Ok(())).map(drop)
}

/// A disk of a quarter of a megabyte.
#[cfg(target_os = "linux")]
struct SmallDisk<'a>(&'a Path);

#[cfg(target_os = "linux")]
impl<'a> SmallDisk<'a> {
    fn mount(folder: &'a Path) -> Result<Option<Self>> {
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", "size=256k", "tmpfs"]).arg(folder).output();
        Ok(mounted.is_ok_and(|output| output.status.success()).then_some(Self(folder)))
    }
}

#[cfg(target_os = "linux")]
impl Drop for SmallDisk<'_> {
    fn drop(&mut self) {
        // Lazily: the host may still have files open in it.
        let _ = Command::new("umount").arg("--lazy").arg(self.0).status();
    }
}
