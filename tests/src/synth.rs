//! A synthesizer that sounds a score with a SoundFont.

use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use rustysynth::{SoundFont, Synthesizer, SynthesizerSettings};

use crate::score::Score;

/// Where Debian, Fedora, Arch and Homebrew put General MIDI SoundFonts, a place a line, the preferred first.
const PLACES: &str = include_str!("../soundfonts.txt");

/// Loud enough to be heard well; with this, the demo's piece has a peak of -4 dB.
const MASTER_VOLUME: f32 = 1.2;

/// A General MIDI SoundFont of this system.
///
/// # Errors
/// When there is none where they usually are.
pub fn find_soundfont() -> Result<PathBuf> {
    match PLACES.lines().map(Path::new).find(|path| path.exists()) {
        Some(path) => Ok(path.to_owned()),
        None => bail!(
            "no General MIDI SoundFont found: `cargo xtask demo` installs one, or says how; or name one with --soundfont FILE.sf2"
        ),
    }
}

/// The score in sound: stereo, interleaved, at the score's rate, with `tail` seconds after its end.
///
/// # Errors
/// When the SoundFont cannot be read or the rate is not one that the synthesizer takes.
pub fn render(score: &Score, soundfont: &Path, tail: f64) -> Result<Vec<f32>> {
    let file = File::open(soundfont).with_context(|| format!("cannot read {}", soundfont.display()))?;
    let sounds =
        SoundFont::new(&mut BufReader::new(file)).with_context(|| format!("{} is not a SoundFont", soundfont.display()))?;
    let settings = SynthesizerSettings::new(score.rate as i32);
    let mut synthesizer = Synthesizer::new(&Arc::new(sounds), &settings).context("the synthesizer does not take this rate")?;
    synthesizer.set_master_volume(MASTER_VOLUME);

    let frames = score.end as usize + (tail * f64::from(score.rate)) as usize;
    let (mut left, mut right) = (vec![0.0; frames], vec![0.0; frames]);
    let mut done = 0;
    for event in &score.events {
        let next = (event.sample as usize).min(frames);
        synthesizer.render(&mut left[done..next], &mut right[done..next]);
        done = next;
        if let [status @ 0x80..0xF0, data @ ..] = event.bytes.as_slice() {
            let byte = |index: usize| data.get(index).copied().map_or(0, i32::from);
            synthesizer.process_midi_message(i32::from(status & 0x0F), i32::from(status & 0xF0), byte(0), byte(1));
        }
    }
    synthesizer.render(&mut left[done..], &mut right[done..]);
    Ok(left.into_iter().zip(right).flat_map(|(left, right)| [left, right]).collect())
}
