//! The check that the audio thread allocates nothing is on in the tests' bundles, and it bites.

use std::process::Stdio;
use std::time::Duration;

use anyhow::{Result, ensure};
use send_learn_tests::audio::Audio;
use send_learn_tests::process::Process;
use send_learn_tests::products;
use send_learn_tests::rig::Rig;

const LIMIT: Duration = Duration::from_secs(30);

#[test]
fn a_plugin_that_allocates_in_process_aborts_its_host() -> Result<()> {
    let rig = Rig::new()?;
    let wav = rig.file("input.wav");
    Audio::all_kinds(48_000, 2, 48_000, 1).save(&wav)?;
    let mut host = rig.host(&products::path("SEND_LEARN_CLAP_FAULTY")?)?;
    let mut process = Process::start(host.arg("--wav").arg(&wav).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()))?;
    let status = process.wait(LIMIT)?;
    ensure!(!status.success(), "the deliberate allocation was not noticed");
    #[cfg(unix)]
    {
        use std::os::unix::process::ExitStatusExt;
        const SIGABRT: i32 = 6;
        ensure!(status.signal() == Some(SIGABRT), "the host ended with {status}, not by abort");
    }
    Ok(())
}

#[test]
fn a_plugin_without_that_fault_plays_to_the_end() -> Result<()> {
    let rig = Rig::new()?;
    let wav = rig.file("input.wav");
    Audio::all_kinds(48_000, 2, 48_000, 1).save(&wav)?;
    rig.record(rig.host(&products::path("SEND_LEARN_CLAP")?)?.arg("--wav").arg(&wav))?;
    Ok(())
}
