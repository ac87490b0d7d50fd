//! What the benches play.

use anyhow::{Result, bail};
use send_learn_tests::score::Score;
use send_learn_tests::{piece, synth};

/// Samples per second.
pub const RATE: u32 = 48_000;

/// The demo's piece as a synthesizer renders it at [`RATE`], left and right; `depth` is `float32` or `16-bit`.
///
/// # Errors
/// Where no SoundFont is found, or of an unknown depth.
pub fn music(depth: &str) -> Result<[Vec<f32>; 2]> {
    let score = Score::parse(&piece::file()?, RATE)?;
    let mut samples = synth::render(&score, &synth::find_soundfont()?, 0.0)?;
    match depth {
        "float32" => {}
        "16-bit" => {
            for sample in &mut samples {
                *sample = (*sample * 32_768.0).round().clamp(-32_768.0, 32_767.0) / 32_768.0;
            }
        }
        other => bail!("unknown sample format {other}"),
    }
    let channel = |channel: usize| samples.iter().skip(channel).step_by(2).copied().collect();
    Ok([channel(0), channel(1)])
}
