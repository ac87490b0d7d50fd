//! A finished recording opens in HDF5's own tools, without a plug-in.

use std::process::{Command, Stdio};

use anyhow::{Result, ensure};
use send_learn_tests::audio::Audio;
use send_learn_tests::rig::{Rig, said};

#[test]
fn h5dump_shows_every_dataset_and_the_samples() -> Result<()> {
    if !Command::new("h5dump")
        .arg("--version")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
    {
        println!("skipped: h5dump is not there (`cargo xtask setup` installs it on Debian and Ubuntu)");
        return Ok(());
    }
    let rig = Rig::new()?;
    let wav = rig.file("input.wav");
    let audio = Audio { rate: 48_000, channels: 1, samples: (0..48_000u16).map(|n| f32::from(n % 64) / 64.0).collect() };
    audio.save(&wav)?;
    let sent = rig.sender(rig.receiver().address())?.arg("--wav").arg(&wav).arg("--fast").output()?;
    ensure!(sent.status.success(), "{}", said(&sent));
    let recording = rig.recording()?;

    let header = Command::new("h5dump").arg("--header").arg(&recording).output()?;
    ensure!(header.status.success(), "{}", said(&header));
    for dataset in ["audio", "midi", "automation", "transport", "blocks", "gaps", "clock"] {
        ensure!(said(&header).contains(&format!("DATASET \"{dataset}\"")), "no {dataset} in {}", said(&header));
    }
    let cut = ["--dataset=/audio", "--start=20001,0", "--count=3,1", "--noindex"];
    let samples = Command::new("h5dump").args(cut).arg(&recording).output()?;
    // 20,001 is 33 more than a multiple of 64.
    ensure!(said(&samples).contains("0.515625"), "{}", said(&samples));
    Ok(())
}
