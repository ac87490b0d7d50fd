//! Real music, sent through a network that loses 5 % of all datagrams in both directions, reorders and doubles them, is
//! recorded bit for bit, with every MIDI event at its exact sample.

use std::sync::atomic::Ordering;

use anyhow::{Result, ensure};
use send_learn_tests::python::Played;
use send_learn_tests::relay::{Badness, Relay};
use send_learn_tests::rig::{Rig, said};
use send_learn_tests::tunes::{Tune, tune};

fn arrives_whole(tune: &Tune, fast: bool, seed: u64) -> Result<()> {
    let rig = Rig::new()?;
    let relay = Relay::start(rig.receiver().address(), Badness::TYPICAL, seed)?;
    let mut sender = rig.sender(relay.address())?;
    sender.arg("--wav").arg(&tune.wav).arg("--midi").arg(&tune.midi);
    if fast {
        sender.arg("--fast");
    }
    let output = sender.output()?;
    ensure!(output.status.success(), "send-learn-send ended with {}: {}", output.status, said(&output));
    let recording = rig.recording()?;
    ensure!(relay.counts().lost.load(Ordering::Relaxed) > 20, "the network was not bad: {:?}", relay.counts());
    rig.compare(&recording, Played { wav: Some(&tune.wav), midi: Some(&tune.midi), log: None })
}

#[test]
fn a_whole_tune_sent_fast_is_recorded_exactly() -> Result<()> {
    arrives_whole(&tune("coconut_run2", 10_000, 48_000)?, true, 1)
}

#[test]
fn a_tune_at_44100_hz_sent_fast_is_recorded_exactly() -> Result<()> {
    arrives_whole(&tune("flying_scotsman", 10_000, 44_100)?, true, 2)
}

#[test]
fn a_tune_with_many_changes_of_tempo_sent_fast_is_recorded_exactly() -> Result<()> {
    arrives_whole(&tune("midnight_snow_run", 200, 48_000)?, true, 3)
}

#[test]
fn a_tune_sent_in_real_time_is_recorded_exactly() -> Result<()> {
    arrives_whole(&tune("busy_schedule", 32, 48_000)?, false, 4)
}
