//! Bad input gets a clear error, and loses nothing.

use std::ffi::OsStr;
use std::fs;
use std::net::{Ipv4Addr, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use send_learn_tests::audio::{Audio, Random};
use send_learn_tests::piece;
use send_learn_tests::process::Process;
use send_learn_tests::products::{self, Program};
use send_learn_tests::python::Played;
use send_learn_tests::rig::{DELIVERY, Rig, said};

/// The program must fail with a message that holds `words`, and must not panic.
fn fails_clearly(output: &Output, words: &[&str]) -> Result<()> {
    let message = said(output);
    ensure!(!output.status.success(), "it succeeded: {message}");
    ensure!(!message.contains("panicked"), "it panicked: {message}");
    for word in words {
        ensure!(message.to_lowercase().contains(&word.to_lowercase()), "{word:?} is not in: {message}");
    }
    Ok(())
}

fn send(rig: &Rig, option: &str, file: &Path) -> Result<Output> {
    let address = rig.receiver().address();
    Ok(rig.sender(address)?.arg(option).arg(file).arg("--fast").output()?)
}

#[test]
fn a_wav_file_that_is_cut_off_is_refused_by_name() -> Result<()> {
    let rig = Rig::new()?;
    let wav = rig.file("cut.wav");
    Audio::all_kinds(48_000, 2, 48_000, 1).save(&wav)?;
    let bytes = fs::read(&wav)?;
    for length in [0, 3, 20, 50] {
        fs::write(&wav, &bytes[..length])?;
        fails_clearly(&send(&rig, "--wav", &wav)?, &["cut.wav"])?;
    }
    fs::write(&wav, &bytes[..bytes.len() / 2 + 1])?;
    fails_clearly(&send(&rig, "--wav", &wav)?, &["cut.wav"])
}

#[test]
fn a_file_that_is_no_wav_or_no_midi_is_refused_by_name() -> Result<()> {
    let rig = Rig::new()?;
    let mut random = Random(3);
    for (option, name) in [("--wav", "noise.wav"), ("--midi", "noise.mid")] {
        let file = rig.file(name);
        fs::write(&file, (0..5_000).map(|_| random.next() as u8).collect::<Vec<_>>())?;
        fails_clearly(&send(&rig, option, &file)?, &[name])?;
    }
    Ok(())
}

#[test]
fn a_midi_file_that_is_cut_off_is_refused_by_name() -> Result<()> {
    let rig = Rig::new()?;
    let midi = rig.file("cut.mid");
    let bytes = piece::file()?;
    for length in [0, 10, 14, 30, bytes.len() / 2] {
        fs::write(&midi, &bytes[..length])?;
        fails_clearly(&send(&rig, "--midi", &midi)?, &["cut.mid"])?;
    }
    Ok(())
}

#[test]
fn a_missing_file_is_named() -> Result<()> {
    let rig = Rig::new()?;
    let file = rig.file("nowhere.wav");
    fails_clearly(&send(&rig, "--wav", &file)?, &["nowhere.wav"])
}

fn serve(listen: &str, data: &Path) -> Result<Output> {
    let mut command = Command::new(products::program(Program::SendLearn)?);
    command.args(["serve", "--listen", listen, "--data"]).arg(data).stdin(Stdio::null());
    command.env("XDG_CONFIG_HOME", data.join("no settings"));
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut process = Process::start(&mut command)?;
    let status = process.wait(Duration::from_secs(20)).context("the receiver goes on")?;
    let mut output = Output { status, stdout: Vec::new(), stderr: Vec::new() };
    let child = process.child();
    for (pipe, text) in [
        (child.stdout.take().map(|pipe| Box::new(pipe) as Box<dyn std::io::Read>), &mut output.stdout),
        (child.stderr.take().map(|pipe| Box::new(pipe) as Box<dyn std::io::Read>), &mut output.stderr),
    ] {
        pipe.context("a pipe")?.read_to_end(text)?;
    }
    Ok(output)
}

#[test]
fn a_data_folder_that_cannot_be_written_is_named() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("a-file");
    fs::write(&file, "not a folder")?;
    // Below a file nobody can write, not even root.
    fails_clearly(&serve("127.0.0.1:0", &file.join("data"))?, &["a-file"])
}

#[test]
fn a_port_in_use_is_named_with_what_to_do() -> Result<()> {
    let rig = Rig::new()?;
    let address = rig.receiver().address().to_string();
    let other = rig.file("other");
    fails_clearly(&serve(&address, &other)?, &[&address, "in use"])
}

#[test]
fn datagrams_of_noise_do_not_harm_a_recording() -> Result<()> {
    const DATAGRAMS: usize = 20_000;
    let rig = Rig::new()?;
    let wav = rig.file("input.wav");
    Audio::all_kinds(48_000, 2, 48_000 * 5, 7).save(&wav)?;
    let receiver = rig.receiver().address();
    let mut sender = Process::start(rig.sender(receiver)?.arg("--wav").arg(&wav).stdout(Stdio::null()).stderr(Stdio::null()))?;
    let noise = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
    let mut random = Random(11);
    let mut datagram = vec![0u8; 1_472];
    for number in 0..DATAGRAMS {
        let length = random.next() as usize % datagram.len();
        datagram[..length].iter_mut().for_each(|byte| *byte = random.next() as u8);
        if number.is_multiple_of(2) {
            // Half of them begin like real ones.
            let magic = send_learn_protocol::packet::header::MAGIC;
            datagram[..magic.len()].copy_from_slice(&magic);
        }
        // A full queue of the operating system is no matter here.
        let _ = noise.send_to(&datagram[..length], receiver);
        if number.is_multiple_of(100) {
            std::thread::sleep(Duration::from_millis(15));
        }
    }
    let status = sender.wait(DELIVERY)?;
    ensure!(status.success(), "send-learn-send ended with {status}; the receiver said: {}", rig.receiver().messages());
    let recording = rig.recording()?;
    rig.compare(&recording, Played { wav: Some(&wav), midi: None, log: None })
}

/// A good recording of one second, copied to a file that a test may spoil.
fn small_recording(rig: &Rig) -> Result<PathBuf> {
    let wav = rig.file("input.wav");
    Audio::all_kinds(48_000, 2, 48_000, 2).save(&wav)?;
    let output = send(rig, "--wav", &wav)?;
    ensure!(output.status.success(), "{}", said(&output));
    let copy = rig.file("copy.h5");
    fs::copy(rig.recording()?, &copy)?;
    Ok(copy)
}

#[test]
fn a_recording_file_cut_off_in_the_middle_is_reported() -> Result<()> {
    let rig = Rig::new()?;
    let copy = small_recording(&rig)?;
    let bytes = fs::read(&copy)?;
    for length in [0, 100, bytes.len() / 2, bytes.len() - 1_000] {
        fs::write(&copy, &bytes[..length])?;
        fails_clearly(&rig.tool([OsStr::new("verify"), copy.as_os_str()])?, &["copy.h5"])?;
        fails_clearly(&rig.tool([OsStr::new("info"), copy.as_os_str()])?, &["copy.h5"])?;
    }
    Ok(())
}

#[test]
fn a_recording_with_a_flipped_bit_in_its_sound_does_not_verify() -> Result<()> {
    let rig = Rig::new()?;
    let copy = small_recording(&rig)?;
    let sound = rig.tool([OsStr::new("verify"), copy.as_os_str()])?;
    ensure!(sound.status.success(), "{}", said(&sound));
    let script = "import h5py, sys\nwith h5py.File(sys.argv[1], 'r+') as file:\n    file['audio'][4321, 1] += 0.25";
    let spoilt = Command::new(products::path("SEND_LEARN_PYTHON")?).args(["-c", script]).arg(&copy).status()?;
    ensure!(spoilt.success(), "the copy could not be changed");
    fails_clearly(&rig.tool([OsStr::new("verify"), copy.as_os_str()])?, &[])
}

#[test]
fn a_path_that_is_no_recording_is_reported() -> Result<()> {
    let rig = Rig::new()?;
    let nowhere = rig.file("nowhere.h5");
    fails_clearly(&rig.tool([OsStr::new("info"), nowhere.as_os_str()])?, &["nowhere.h5"])?;
    fails_clearly(&rig.tool([OsStr::new("verify"), nowhere.as_os_str()])?, &["nowhere.h5"])
}
