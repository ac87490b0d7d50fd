//! The CLAP plugin in a host: its output equals its input bit for bit (the host checks that), and so does the recording,
//! whatever the rate, the block size and the layout. The bundles are those with the allocation check: an audio thread that
//! allocated would abort the host.

use anyhow::{Context, Result};
use send_learn_tests::audio::Audio;
use send_learn_tests::products;
use send_learn_tests::python::Played;
use send_learn_tests::rig::Rig;

const SECONDS: usize = 2;

/// Frames per block: the least, a usual one, an odd one and its neighbour, and the most that hosts use.
const BLOCKS: [u32; 5] = [1, 64, 511, 512, 4_096];

fn every_block_size_is_recorded(rate: u32, channels: usize) -> Result<()> {
    BLOCKS.into_iter().try_for_each(|block| is_recorded(rate, block, channels))
}

fn is_recorded(rate: u32, block: u32, channels: usize) -> Result<()> {
    are_recorded(SECONDS, rate, block, channels)
}

fn are_recorded(seconds: usize, rate: u32, block: u32, channels: usize) -> Result<()> {
    let rig = Rig::new()?;
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
fn every_other_layout_is_recorded_exactly() -> Result<()> {
    [3, 4, 5, 7, 8, 10, 12, 16].into_iter().try_for_each(|channels| are_recorded(1, 48_000, 512, channels))
}

#[test]
fn mono_at_44100_hz_is_recorded_exactly_in_blocks_of_every_size() -> Result<()> {
    every_block_size_is_recorded(44_100, 1)
}

#[test]
fn stereo_at_44100_hz_is_recorded_exactly_in_blocks_of_every_size() -> Result<()> {
    every_block_size_is_recorded(44_100, 2)
}

#[test]
fn surround_at_44100_hz_is_recorded_exactly_in_blocks_of_every_size() -> Result<()> {
    every_block_size_is_recorded(44_100, 6)
}

#[test]
fn mono_at_48000_hz_is_recorded_exactly_in_blocks_of_every_size() -> Result<()> {
    every_block_size_is_recorded(48_000, 1)
}

#[test]
fn stereo_at_48000_hz_is_recorded_exactly_in_blocks_of_every_size() -> Result<()> {
    every_block_size_is_recorded(48_000, 2)
}

#[test]
fn surround_at_48000_hz_is_recorded_exactly_in_blocks_of_every_size() -> Result<()> {
    every_block_size_is_recorded(48_000, 6)
}
