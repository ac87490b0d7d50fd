//! Sends all WAV files of a folder, each with its MIDI.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use send_learn_plugin::files::{Song, Wav};

use super::{Options, send as send_one, watch_interrupts};

/// A sound, and the notes of the same name beside it.
#[derive(Debug, PartialEq, Eq)]
struct Pair {
    wav: PathBuf,
    midi: Option<PathBuf>,
}

/// True when all of it is durable, false when a person stopped it. A file that cannot be read is named, and the next one follows.
pub(crate) fn send(options: &Options, folder: &Path) -> Result<bool> {
    let pairs = pairs(folder)?;
    if pairs.is_empty() {
        bail!("there is no WAV file in {}", folder.display());
    }
    let interrupts = watch_interrupts()?;
    let mut failed = 0;
    for (number, Pair { wav, midi }) in pairs.iter().enumerate() {
        let with = midi.as_ref().map_or("", |_| " with its MIDI");
        eprintln!("{} of {}: {}{with}", number + 1, pairs.len(), wav.display());
        let one = Options { wav: Some(wav.clone()), midi: midi.clone(), folder: None, ..options.clone() };
        if let Err(error) = look(wav, midi.as_deref()) {
            eprintln!("send-learn-send: left out: {error:#}");
            failed += 1;
        } else if !send_one(&one, interrupts.clone())? {
            return Ok(false);
        }
    }
    if failed > 0 {
        bail!("{failed} of {} files were not sent", pairs.len());
    }
    Ok(true)
}

/// Whether both can be read.
fn look(wav: &Path, midi: Option<&Path>) -> Result<()> {
    Wav::open(wav)?;
    midi.map(Song::open).transpose()?;
    Ok(())
}

/// All WAV files below `folder`, in the order of their names. Links to folders are not followed.
fn pairs(folder: &Path) -> Result<Vec<Pair>> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        let mut files = Vec::new();
        let entries = std::fs::read_dir(&folder).with_context(|| format!("cannot read {}", folder.display()))?;
        for entry in entries {
            let entry = entry.with_context(|| format!("cannot read {}", folder.display()))?;
            match entry.file_type()?.is_dir() {
                true => folders.push(entry.path()),
                false => files.push(entry.path()),
            }
        }
        let is = |path: &Path, kinds: &[&str]| {
            let extension = path.extension().map(|extension| extension.to_string_lossy().to_lowercase());
            extension.is_some_and(|extension| kinds.contains(&extension.as_str()))
        };
        let midi =
            |wav: &Path| files.iter().find(|file| file.file_stem() == wav.file_stem() && is(file, &["mid", "midi"])).cloned();
        found.extend(files.iter().filter(|file| is(file, &["wav"])).map(|wav| Pair { wav: wav.clone(), midi: midi(wav) }));
    }
    found.sort_by(|one, other| one.wav.cmp(&other.wav));
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_wav_is_found_with_the_midi_of_its_name_beside_it() {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str| folder.path().join(name);
        std::fs::create_dir(file("more")).unwrap();
        for name in ["b.WAV", "b.mid", "a.wav", "c.mid", "notes.txt", "more/b.wav", "more/b.MIDI"] {
            std::fs::write(file(name), "").unwrap();
        }
        let pair = |wav: &str, midi: Option<&str>| Pair { wav: file(wav), midi: midi.map(file) };
        let expected = [pair("a.wav", None), pair("b.WAV", Some("b.mid")), pair("more/b.wav", Some("more/b.MIDI"))];
        assert_eq!(pairs(folder.path()).unwrap(), expected);
        assert!(pairs(&file("nowhere")).is_err());
    }
}
