//! The VST3 plugin in dawdreamer, a host built on JUCE: its output equals its input bit for bit, and so does the recording, with every
//! note at its sample.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};
use midly::num::{u4, u7, u15, u28};
use midly::{Format, Header, MidiMessage, Smf, Timing, TrackEvent, TrackEventKind};
use send_learn_tests::audio::Audio;
use send_learn_tests::process::Process;
use send_learn_tests::products;
use send_learn_tests::python::{Played, script};
use send_learn_tests::rig::{DELIVERY, Rig, said};

/// Samples per second.
const RATES: [u32; 2] = [48_000, 44_100];

/// Frames to a block, and blocks. dawdreamer renders many times faster than real time without saying so; told to capture offline
/// renders, the plugin waits for room.
const BLOCKS: [(usize, usize); 5] = [(1, 24_000), (64, 750), (511, 94), (512, 94), (4_096, 24)];

#[test]
fn stereo_and_notes_through_vst3_are_recorded_exactly_at_every_rate_and_block_size() -> Result<()> {
    for rate in RATES {
        for (block, blocks) in BLOCKS {
            are_recorded_exactly(rate, 2, block, blocks).with_context(|| format!("blocks of {block} at {rate} Hz"))?;
        }
    }
    Ok(())
}

#[test]
fn mono_and_notes_through_vst3_are_recorded_exactly() -> Result<()> {
    are_recorded_exactly(48_000, 1, 512, 94)
}

fn are_recorded_exactly(rate: u32, channels: usize, block: usize, blocks: usize) -> Result<()> {
    let rig = Rig::new()?;
    let python = products::path("SEND_LEARN_PYTHON")?;
    let probe = Command::new(&python).args(["-c", "import dawdreamer"]).stderr(Stdio::null()).status()?;
    if !probe.success() {
        println!("skipped: dawdreamer is not there (`cargo xtask setup` installs it where PyPI has it for this system)");
        return Ok(());
    }
    let (wav, midi) = (rig.file("input.wav"), rig.file("input.mid"));
    Audio::all_kinds(rate, channels, block * blocks, 5).save(&wav)?;
    write_notes(&midi, block * blocks * 1_000 / rate as usize)?;

    let mut command = Command::new(&python);
    command.arg(script("vst3_host.py")).arg(products::path("SEND_LEARN_VST3")?).arg(&wav).arg(&midi).arg(block.to_string());
    command.env("SEND_LEARN_SERVER", rig.receiver().address().to_string()).env("SEND_LEARN_CAPTURE_OFFLINE", "1");
    rig.make_at_home(&mut command);
    let mut host = Process::start(command.stdin(Stdio::piped()).stdout(Stdio::piped()))?;
    host.wait_for_line("played").context("dawdreamer did not play to the end")?;
    // The host keeps the plugin active as long as it lives.
    drop(host.child().stdin.take());
    let status = host.wait(DELIVERY)?;
    ensure!(status.success(), "dawdreamer ended with {status}");

    // The host tries the plugin out with a few blocks of silence first: a take of its own.
    let takes = rig.receiver().finished(2, DELIVERY)?;
    let size = |path: &PathBuf| fs::metadata(path).map_or(0, |data| data.len());
    let recording = takes.into_iter().max_by_key(size).context("no recording")?;
    rig.compare(&recording, Played { wav: Some(&wav), midi: None, log: None })?;
    let notes = Command::new(&python).arg(script("notes.py")).arg(&recording).arg(&midi).output()?;
    println!("{}", said(&notes));
    ensure!(notes.status.success(), "the recorded notes differ: {}", said(&notes));
    Ok(())
}

/// Writes a MIDI file of short notes for so many milliseconds. They fall between samples, so that it is certain at which one the host plays them.
fn write_notes(path: &Path, milliseconds: usize) -> Result<()> {
    // At 120 quarters a minute, the tempo of a file that states none. Ticks are no whole number of samples at any rate.
    let (ticks_per_quarter, milliseconds_per_quarter) = (961, 500);
    let notes = milliseconds * ticks_per_quarter / milliseconds_per_quarter / 36;
    let event = |delta: u32, message: MidiMessage| TrackEvent {
        delta: u28::new(delta),
        kind: TrackEventKind::Midi { channel: u4::new(0), message },
    };
    let note = |index: usize| {
        let (key, vel) = (u7::new(36 + index as u8 % 48), u7::new(1 + index as u8 % 127));
        [event(7, MidiMessage::NoteOn { key, vel }), event(29, MidiMessage::NoteOff { key, vel: u7::new(64) })]
    };
    let header = Header::new(Format::SingleTrack, Timing::Metrical(u15::new(ticks_per_quarter as u16)));
    let mut smf = Smf::new(header);
    smf.tracks.push((0..notes).flat_map(note).collect());
    smf.save(path).with_context(|| format!("cannot write {}", path.display()))
}
