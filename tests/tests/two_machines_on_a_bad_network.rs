//! A studio machine and a workstation, joined by a cable that loses 5 % both ways, is narrow, and is pulled out for three seconds:
//! the recordings of the plugin and of `send-learn-send` are bit-exact and whole, and live is late only while the cable is out.

use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use send_learn_plugin::clock;
use send_learn_tests::audio::Audio;
use send_learn_tests::namespaces::{Machine, Network};
use send_learn_tests::process::Process;
use send_learn_tests::products;
use send_learn_tests::python::{self, Played};
use send_learn_tests::rig::{DELIVERY, Rig, said};
use send_learn_tests::tunes::cut_piece;

const RATE: u32 = 48_000;
const SECONDS: usize = 14;

/// Two stereo streams of float32 need 6.6 Mbit/s, and some parity.
const WIDTH: u64 = 16_000_000;

const BEFORE: Duration = Duration::from_secs(4);
const OUTAGE: Duration = Duration::from_secs(3);

/// What is there after so long is in time for a live view: 60 ms, a block, and what a busy machine takes.
const IN_TIME: i64 = 150_000_000;

/// The share of blocks that may be later, while the cable is in: what 5 % of losses in 100 ms of patience, and other work on the
/// machine, leave.
const LATE: f64 = 0.03;

/// How soon after the cable's return live goes on.
const RETURN: u64 = 1_500_000_000;

/// What was only previewed, where the live path had to go below its full level, comes to the recording as back-fill, and says nothing
/// of how late live was. The cable is wide enough for nine in ten to go at full level; while the machine does other work, fewer do.
const PREVIEWED: f64 = 0.8;
const BACK_FILLED: u8 = 3;

/// How soon after it all that was missed is there.
const CAUGHT_UP: u64 = 12_000_000_000;

/// When a block was handed over, how much later it was there, and how it came.
struct Heard {
    host: u64,
    delay: i64,
    arrival: u8,
}

#[test]
fn a_lossy_narrow_cable_that_is_pulled_out_costs_the_recordings_nothing() -> Result<()> {
    let Some(network) = Network::new()? else { return Ok(()) };
    let rig = Rig::in_network(&network)?;
    network.lose(0.05)?;
    network.limit(WIDTH);
    let (wav, midi) = (rig.file("input.wav"), cut_piece(&rig.file("input.mid"), SECONDS as u32 - 1)?);
    Audio::all_kinds(RATE, 2, SECONDS * RATE as usize + 77, 5).save(&wav)?;

    let mut daw = rig.host(&products::path("SEND_LEARN_CLAP")?)?;
    daw.arg("--wav").arg(&wav).arg("--midi").arg(&midi).args(["--block", "512", "--track", "Plugin"]);
    let mut daw = Process::start(network.on(Machine::Studio, &daw).stdin(Stdio::piped()).stdout(Stdio::piped()))?;
    let mut sender = rig.sender(rig.receiver().address())?;
    sender.args(["--name", "Files", "--wav"]).arg(&wav).arg("--midi").arg(&midi);
    let quiet = Stdio::null;
    let mut sender = Process::start(network.on(Machine::Studio, &sender).stdin(quiet()).stdout(quiet()).stderr(quiet()))?;

    thread::sleep(BEFORE);
    let down = clock::now().0;
    network.plug(false)?;
    thread::sleep(OUTAGE);
    network.plug(true)?;
    let up = clock::now().0;

    daw.wait_for_line("played").context("the host did not play to the end")?;
    ensure!(sender.wait(DELIVERY)?.success(), "send-learn-send failed; the receiver said: {}", rig.receiver().messages());
    let recordings = rig.receiver().finished(2, DELIVERY)?;
    drop(daw.child().stdin.take());
    ensure!(daw.wait(DELIVERY)?.success(), "the host ended badly");

    for machine in Machine::ALL {
        ensure!(network.lost(machine)? > 50, "the cable lost only {} datagrams to {machine:?}", network.lost(machine)?);
    }
    for recording in &recordings {
        let of_plugin = recording.to_string_lossy().contains("Plugin");
        let (played, log) = (rig.file("played.wav"), rig.file("played.json"));
        let (wav, log) = if of_plugin { (&played, Some(log.as_path())) } else { (&wav, None) };
        rig.compare(recording, Played { wav: Some(wav), midi: Some(&midi), log })?;
        live_was_in_time(&heard(recording)?, down, up).with_context(|| recording.display().to_string())?;
    }
    Ok(())
}

fn live_was_in_time(blocks: &[Heard], down: u64, up: u64) -> Result<()> {
    let late = |block: &&Heard| block.delay > IN_TIME;
    // What was on its way when the cable was pulled out is lost with it.
    let (out, missed): (Vec<_>, Vec<_>) =
        blocks.iter().partition(|block| block.host + 200_000_000 < down || block.host > up + RETURN);
    let (previewed, out): (Vec<_>, Vec<_>) = out.into_iter().partition(|block| block.arrival == BACK_FILLED);
    let previewed = previewed.len() as f64 / (previewed.len() + out.len()) as f64;
    let share = out.iter().copied().filter(late).count() as f64 / out.len() as f64;
    let mut delays: Vec<i64> = out.iter().map(|block| block.delay).collect();
    delays.sort_unstable();
    let millis = |share: f64| delays[((delays.len() - 1) as f64 * share) as usize] as f64 / 1e6;
    let there = |block: &&Heard| block.host.saturating_add_signed(block.delay);
    let complete = missed.iter().map(there).max().context("no block of the outage")?.saturating_sub(up);
    println!(
        "{} blocks while the cable was in: p50 {:.1} ms, p99 {:.1} ms, {:.2} % after {} ms; {:.1} % more were previewed; the outage's were \
         there {:.1} s after it",
        out.len(),
        millis(0.5),
        millis(0.99),
        share * 100.0,
        IN_TIME / 1_000_000,
        previewed * 100.0,
        complete as f64 / 1e9,
    );
    ensure!(out.len() > 300 && missed.len() > 200, "{} and {} blocks", out.len(), missed.len());
    ensure!(previewed <= PREVIEWED, "{previewed} of the blocks were only previewed");
    ensure!(share <= LATE, "{share} of the blocks were late");
    ensure!(complete < CAUGHT_UP, "the outage's blocks came {complete} ns after it");
    let back_filled = missed.iter().filter(|block| block.arrival >= 2).count();
    ensure!(back_filled > 200, "{back_filled} blocks of the outage came late");
    Ok(())
}

/// What the recording says of its blocks, by a reader that shares no code with the receiver.
fn heard(recording: &Path) -> Result<Vec<Heard>> {
    let mut reader = Command::new(products::path("SEND_LEARN_PYTHON")?);
    let output = reader.arg(python::script("live_delays.py")).arg(recording).stdin(Stdio::null()).output()?;
    ensure!(output.status.success(), "{}", said(&output));
    let lines = String::from_utf8_lossy(&output.stdout).into_owned();
    let block = |line: &str| {
        let mut words = line.split(' ');
        let mut next = || words.next().context("too few words");
        Ok(Heard { host: next()?.parse()?, delay: next()?.parse()?, arrival: next()?.parse()? })
    };
    lines.lines().map(block).collect()
}
