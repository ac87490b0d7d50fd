//! `send-learn-send` with a folder, and with sound from a pipe.

use std::io::Write;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};
use send_learn_tests::audio::Audio;
use send_learn_tests::process::Process;
use send_learn_tests::products;
use send_learn_tests::python::Played;
use send_learn_tests::rig::{DELIVERY, Rig, said};
use send_learn_tests::tunes::cut_piece;

#[test]
fn all_sounds_of_a_folder_are_sent_each_with_its_notes() -> Result<()> {
    let rig = Rig::new()?;
    let folder = rig.file("songs");
    std::fs::create_dir_all(folder.join("more"))?;
    Audio::all_kinds(48_000, 2, 48_000, 1).save(&folder.join("one.wav"))?;
    cut_piece(&folder.join("one.mid"), 1)?;
    Audio::all_kinds(44_100, 1, 30_000, 2).save(&folder.join("more/two.wav"))?;
    std::fs::write(folder.join("broken.wav"), "not a sound")?;
    let output = rig.sender(rig.receiver().address())?.arg("--fast").arg("--folder").arg(&folder).output()?;
    let words = said(&output);
    ensure!(!output.status.success() && words.contains("broken.wav") && words.contains("1 of 3 files"), "{words}");

    let recordings = rig.receiver().finished(2, DELIVERY)?;
    ensure!(recordings.len() == 2, "{recordings:?}");
    for recording in &recordings {
        let one = name(recording)? == "one";
        let file = |name: &str| folder.join(name);
        let (wav, midi) = if one { (file("one.wav"), Some(file("one.mid"))) } else { (file("more/two.wav"), None) };
        rig.compare(recording, Played { wav: Some(&wav), midi: midi.as_deref(), log: None })?;
    }
    Ok(())
}

#[test]
fn a_wav_file_through_a_pipe_arrives_bit_for_bit() -> Result<()> {
    let rig = Rig::new()?;
    let wav = rig.file("input.wav");
    Audio::all_kinds(48_000, 2, 70_001, 3).save(&wav)?;
    let bytes = std::fs::read(&wav)?;
    pipe(&rig, &["--stdin", "--name", "Piped"], &bytes)?;
    let recording = rig.recording()?;
    ensure!(name(&recording)? == "Piped");
    rig.compare(&recording, Played { wav: Some(&wav), midi: None, log: None })
}

#[test]
fn raw_samples_through_a_pipe_arrive_bit_for_bit() -> Result<()> {
    let rig = Rig::new()?;
    let audio = Audio::all_kinds(44_100, 1, 50_000, 4);
    let wav = rig.file("input.wav");
    audio.save(&wav)?;
    let bytes: Vec<u8> = audio.samples.iter().flat_map(|sample| sample.to_le_bytes()).collect();
    pipe(&rig, &["--stdin", "--raw", "f32:44100:1"], &bytes)?;
    rig.compare(&rig.recording()?, Played { wav: Some(&wav), midi: None, log: None })
}

fn pipe(rig: &Rig, options: &[&str], bytes: &[u8]) -> Result<()> {
    let mut sender = rig.sender(rig.receiver().address())?;
    let mut process = Process::start(sender.args(options).stdin(Stdio::piped()))?;
    let mut input = process.child().stdin.take().context("no pipe")?;
    // Cut anywhere, as pipes do.
    bytes.chunks(7_777).try_for_each(|part| input.write_all(part))?;
    drop(input);
    ensure!(process.wait(DELIVERY)?.success(), "send-learn-send failed");
    Ok(())
}

fn name(recording: &std::path::Path) -> Result<String> {
    let script = "import sys, h5py; print(h5py.File(sys.argv[1]).attrs['name'])";
    let output = Command::new(products::path("SEND_LEARN_PYTHON")?).args(["-c", script]).arg(recording).output()?;
    Ok(said(&output).trim().to_owned())
}
