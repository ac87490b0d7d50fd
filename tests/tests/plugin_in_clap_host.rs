//! The CLAP plugin in a host: its output equals its input bit for bit (the host checks that), and so does the recording,
//! whatever the rate, the block size and the layout. The bundles are those with the allocation check: an audio thread that
//! allocated would abort the host.

use anyhow::{Context, Result};
use send_learn_tests::audio::Audio;
use send_learn_tests::products;
use send_learn_tests::python::Played;
use send_learn_tests::rig::Rig;

/// Half as long for the smallest blocks, where a host calls 48,000 times a second.
const SECONDS: usize = 6;

fn is_recorded(rate: u32, block: u32, channels: usize) -> Result<()> {
    let rig = Rig::new()?;
    let seconds = if block < 64 { SECONDS / 2 } else { SECONDS };
    // An odd number of frames: the last block is a short one.
    let audio = Audio::all_kinds(rate, channels, seconds * rate as usize + 77, u64::from(block));
    let wav = rig.file("input.wav");
    audio.save(&wav)?;
    let midi = send_learn_tests::tunes::cut_piece(&rig.file("input.mid"), seconds as u32)?;
    let mut host = rig.host(&products::path("SEND_LEARN_CLAP")?)?;
    host.arg("--wav").arg(&wav).arg("--midi").arg(&midi).args(["--block", &block.to_string(), "--track", "Lead"]);
    let recording = rig.record(&mut host).with_context(|| format!("{rate} Hz, {block} frames, {channels} channels"))?;
    rig.compare(&recording, Played { wav: Some(&rig.file("played.wav")), midi: Some(&midi), log: Some(&rig.file("played.json")) })
}

#[test]
fn stereo_at_48000_hz_in_blocks_of_512_is_recorded_exactly() -> Result<()> {
    is_recorded(48_000, 512, 2)
}

#[test]
fn stereo_at_44100_hz_in_blocks_of_511_is_recorded_exactly() -> Result<()> {
    is_recorded(44_100, 511, 2)
}

#[test]
fn stereo_at_48000_hz_in_blocks_of_a_single_frame_is_recorded_exactly() -> Result<()> {
    is_recorded(48_000, 1, 2)
}

#[test]
fn mono_at_44100_hz_in_blocks_of_64_is_recorded_exactly() -> Result<()> {
    is_recorded(44_100, 64, 1)
}

#[test]
fn mono_at_48000_hz_in_blocks_of_512_is_recorded_exactly() -> Result<()> {
    is_recorded(48_000, 512, 1)
}

#[test]
fn surround_at_48000_hz_in_blocks_of_4096_is_recorded_exactly() -> Result<()> {
    is_recorded(48_000, 4_096, 6)
}

#[test]
fn surround_at_44100_hz_in_blocks_of_511_is_recorded_exactly() -> Result<()> {
    is_recorded(44_100, 511, 6)
}

#[test]
fn stereo_at_44100_hz_in_blocks_of_4096_is_recorded_exactly() -> Result<()> {
    is_recorded(44_100, 4_096, 2)
}
