//! A person's own files, looked into before anything is built that would only find them bad.

use std::fs::{self, File};
use std::io::{BufReader, Read, Seek};
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use hound::WavReader;

/// Refuses what is no WAV file, or is cut off, or holds no sound.
pub(crate) fn check_wav(path: &Path) -> Result<()> {
    let shown = path.display();
    let file = File::open(path).with_context(|| format!("cannot read {shown}"))?;
    let reader = WavReader::new(BufReader::new(file)).with_context(|| format!("{shown} is not a WAV file that can be read"))?;
    let sample = u64::from(reader.spec().bits_per_sample.div_ceil(8));
    let stated = u64::from(reader.len()) * sample;
    let mut sound = reader.into_inner();
    let present = sound.get_ref().metadata()?.len().saturating_sub(sound.stream_position()?);
    ensure!(stated > 0, "{shown} holds no sound");
    ensure!(present >= stated, "{shown} is cut off: {present} of {stated} bytes of sound are there; copy the file again");
    Ok(())
}

/// Refuses what is no MIDI file.
pub(crate) fn check_midi(path: &Path) -> Result<()> {
    let bytes = fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    match midly::parse(&bytes) {
        Ok(_) => Ok(()),
        Err(reason) => bail!("{} is not a MIDI file that can be read: {reason}", path.display()),
    }
}

/// Refuses what is no SoundFont.
pub(crate) fn check_soundfont(path: &Path) -> Result<()> {
    let mut head = [0; 12];
    let read = File::open(path).and_then(|mut file| file.read_exact(&mut head));
    ensure!(read.is_ok() && head.starts_with(b"RIFF") && head.ends_with(b"sfbk"), "{} is not a SoundFont", path.display());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is said of a file that holds these bytes.
    fn said(name: &str, bytes: &[u8], check: fn(&Path) -> Result<()>) -> String {
        let path = std::env::temp_dir().join(format!("send-learn-{}-{name}", std::process::id()));
        fs::write(&path, bytes).unwrap();
        let said = check(&path).map_or_else(|error| format!("{error:#}"), |()| String::new());
        fs::remove_file(path).unwrap();
        said
    }

    /// A WAV file of 16 bits, one channel and four samples.
    fn wav() -> Vec<u8> {
        let spec = hound::WavSpec { channels: 1, sample_rate: 8_000, bits_per_sample: 16, sample_format: hound::SampleFormat::Int };
        let mut bytes = std::io::Cursor::new(Vec::new());
        let mut writer = hound::WavWriter::new(&mut bytes, spec).unwrap();
        (1..5_i16).for_each(|sample| writer.write_sample(sample).unwrap());
        writer.finalize().unwrap();
        bytes.into_inner()
    }

    #[test]
    fn good_files_are_taken_and_others_refused_in_one_line_with_their_name() {
        let whole = wav();
        assert_eq!(said("good.wav", &whole, check_wav), "");
        assert_eq!(said("good.mid", include_bytes!("../../demo/piece.mid"), check_midi), "");
        for (name, bytes, check, words) in [
            ("text.wav", b"a shopping list".as_slice(), check_wav as fn(&Path) -> Result<()>, "is not a WAV file"),
            ("empty.wav", b"", check_wav, "is not a WAV file"),
            ("half.wav", &whole[..whole.len() - 3], check_wav, "is cut off: 5 of 8 bytes"),
            ("text.mid", b"a shopping list", check_midi, "is not a MIDI file"),
            ("text.sf2", b"a shopping list", check_soundfont, "is not a SoundFont"),
        ] {
            let said = said(name, bytes, check);
            assert!(said.contains(name) && said.contains(words) && said.lines().count() == 1, "{said}");
        }
    }
}
