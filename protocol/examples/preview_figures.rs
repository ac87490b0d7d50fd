//! What previews take and how far they are off, in real music: the figures of spec/quality.md, section 6.
//!
//!     cargo run -p send-learn-protocol --example preview_figures -- RENDERED.wav...
//!
//! Each file is 16-bit PCM with a header of 44 bytes, as FluidSynth writes it. It is taken in blocks of 512 frames, halved in level, so that
//! the samples are no 16-bit integers any more: as a host would hand over what a mixer made of them.

use send_learn_protocol::packet::HEADER_LEN;
use send_learn_protocol::quality::Level;
use send_learn_protocol::record::pack::Packer;
use send_learn_protocol::record::{Record, records};
use send_learn_protocol::units::{SamplePosition, SourceNumber};

const BLOCK: usize = 512;
const CHANNELS: usize = 2;

fn main() -> std::io::Result<()> {
    println!("| piece | seconds | level | datagrams/s | kB/s | of 1.0 | error, dB below the music |");
    println!("| --- | --- | --- | --- | --- | --- | --- |");
    for path in std::env::args().skip(1) {
        let bytes = std::fs::read(&path)?;
        let word = |pair: &[u8]| f32::from(i16::from_le_bytes([pair[0], pair[1]])) / 65_536.0 * 0.999;
        let samples: Vec<f32> = bytes[44..].chunks_exact(2).map(word).collect();
        let name = path.rsplit('/').next().unwrap_or_default();
        let seconds = samples.len() as f64 / CHANNELS as f64 / 48_000.0;
        let mut whole = 0.0;
        for level in [Level::Full, Level::Reduced, Level::Coarse] {
            let (datagrams, bytes, error) = measure(level, &samples);
            let rate = bytes as f64 / seconds / 1_000.0;
            whole = if level == Level::Full { rate } else { whole };
            println!(
                "| {name} | {seconds:.0} | {} | {:.0} | {rate:.0} | {:.0} % | {error:.0} |",
                level.value(),
                datagrams as f64 / seconds,
                rate / whole * 100.0
            );
        }
    }
    Ok(())
}

/// Datagrams, their bytes, and the power of the music over that of the error, in dB.
fn measure(level: Level, samples: &[f32]) -> (u64, usize, f64) {
    let mut packer = if level == Level::Full { Packer::new(SourceNumber(0)) } else { Packer::of_previews(level, 0) };
    let (mut datagrams, mut bytes, mut music, mut error) = (0, 0, 0.0, 0.0);
    for (index, block) in samples.chunks(BLOCK * CHANNELS).enumerate() {
        packer.push_audio(SamplePosition((index * BLOCK) as u64), CHANNELS as u16, block);
        packer.flush();
        let mut decoded = Vec::new();
        while let Some(entry) = packer.pop() {
            datagrams += 1;
            bytes += entry.len() + HEADER_LEN;
            for record in records(&entry).flatten() {
                if let Record::Audio(fragment) = record {
                    let _ = fragment.decode(&mut decoded);
                }
            }
        }
        for (played, heard) in block.iter().zip(&decoded) {
            music += f64::from(*played).powi(2);
            error += f64::from(played - heard).powi(2);
        }
    }
    (datagrams, bytes, 10.0 * (music / error).log10())
}
