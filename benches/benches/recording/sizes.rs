//! How much disk an hour takes, beside what shuffle and gzip make of the bare samples.

use std::io::Write;

use anyhow::Result;
use flate2::Compression;
use flate2::write::ZlibEncoder;
use send_learn::store::layout::{AUDIO_CHUNK, DEFLATE_LEVEL};
use send_learn::store::writer::Part;
use send_learn::store::{PartWriter, Storage};
use send_learn::timeline::{Batch, Faults, Piece};
use send_learn_benches::music::{RATE, music};

use super::paths::description;
use super::row;

pub(super) fn hour() -> Result<()> {
    for (depth, asked) in [("float32", "about 1.0"), ("16-bit", "at most 1.1 of int16")] {
        let music = music(depth)?;
        let samples: Vec<f32> = (0..music[0].len()).flat_map(|frame| [music[0][frame], music[1][frame]]).collect();
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("hour.h5");
        let mut writer = PartWriter::create_for(&path, &description(), Part::FIRST, Some(Storage::of(&samples)))?;
        writer.append(Batch { audio: vec![Piece::Samples(samples.clone())], ..Batch::default() })?;
        writer.finish("stopped", music[0].len() as u64, Faults::default())?;
        let ours = path.metadata()?.len() as f64;
        let bare = match depth {
            "16-bit" => {
                let integers = samples.iter().map(|sample| (sample * 32_768.0) as i16);
                packed(&integers.map(i16::to_le_bytes).collect::<Vec<_>>())?
            }
            _ => packed(&samples.iter().map(|sample| sample.to_le_bytes()).collect::<Vec<_>>())?,
        };
        let hours = music[0].len() as f64 / f64::from(RATE) / 3_600.0;
        let kind = if depth == "16-bit" { "int16" } else { "float32" };
        row(
            &format!("size of an hour, stereo, {depth} samples"),
            &format!("{:.0} MB", ours / hours / 1e6),
            &format!("shuffle and gzip {DEFLATE_LEVEL} of {kind} alone: {:.0} MB", bare / hours / 1e6),
            &format!("{:.2}", ours / bare),
            asked,
        )?;
    }
    Ok(())
}

/// Bytes that shuffle and gzip leave of interleaved stereo samples, in chunks as long as a recording's.
fn packed<const N: usize>(samples: &[[u8; N]]) -> Result<f64> {
    let mut total = 0;
    for chunk in samples.chunks(AUDIO_CHUNK * 2) {
        let shuffled: Vec<u8> = (0..N).flat_map(|byte| chunk.iter().map(move |sample| sample[byte])).collect();
        let mut encoder = ZlibEncoder::new(Vec::new(), Compression::new(u32::from(DEFLATE_LEVEL)));
        encoder.write_all(&shuffled)?;
        total += encoder.finish()?.len();
    }
    Ok(total as f64)
}
