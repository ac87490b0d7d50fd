//! `midi+audio`: for each sequence a Standard MIDI File and a FLAC file that begin and end together, in a folder per split
//! with `metadata.jsonl` (the convention of Hugging Face's audiofolder) and `maestro.csv` (the columns of MAESTRO v3).

mod flac;
mod listing;

use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use listing::{Entry, MAESTRO_HEADER};

use super::smf::MidiFile;
use super::{ExportError, Format, Layout, Shard, ShardPlan, write_error};
use crate::sequences::{Sequence, Split};

/// The format `midi+audio`.
#[derive(Clone, Copy, Debug, Default)]
pub struct MidiAudio;

/// A sequence's files and its rows in the listings.
#[derive(Debug)]
pub struct Files {
    id: String,
    midi: Vec<u8>,
    flac: Option<Vec<u8>>,
    metadata: String,
    maestro: String,
}

/// A folder that is being filled.
#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
    metadata: Listing,
    maestro: Listing,
}

impl Format for MidiAudio {
    type Item = Files;
    type Shard = Folder;

    const NAME: &'static str = "midi+audio";
    const LAYOUT: Layout = Layout::Folders;
    const FEATURES: bool = false;
    const OPTIONAL_AUDIO: bool = false;

    fn file_name(&self, split: Option<Split>, _number: usize, _count: usize) -> String {
        split.unwrap_or(Split::Train).name().into()
    }

    /// Fails where FLAC cannot hold the samples: more than eight channels, or a sample rate that is not a whole number
    /// below 2^20.
    fn encode(&self, sequence: &Sequence, _plan: &ShardPlan) -> Result<Files, String> {
        let about = &sequence.about;
        let audio = match sequence.audio.as_slice() {
            [] => None,
            samples => Some(flac::encode(samples, about.channels, about.sample_rate)?),
        };
        let entry = Entry::new(about, audio.as_ref());
        Ok(Files {
            id: about.id.clone(),
            midi: MidiFile::new(sequence).to_bytes(),
            metadata: serde_json::to_string(&entry).map_err(|error| error.to_string())?,
            maestro: entry.maestro_row(),
            flac: audio.map(|audio| audio.bytes),
        })
    }

    fn shard(&self, plan: &ShardPlan) -> Result<Folder, ExportError> {
        let path = plan.path.clone();
        fs::create_dir(&path).map_err(write_error(&path))?;
        let metadata = Listing::create(path.join("metadata.jsonl"))?;
        let mut maestro = Listing::create(path.join("maestro.csv"))?;
        maestro.line(MAESTRO_HEADER)?;
        Ok(Folder { path, metadata, maestro })
    }
}

impl Shard for Folder {
    type Item = Files;

    fn add(&mut self, item: Files) -> Result<(), ExportError> {
        write(&self.path.join(format!("{}.mid", item.id)), &item.midi)?;
        if let Some(flac) = &item.flac {
            write(&self.path.join(format!("{}.flac", item.id)), flac)?;
        }
        self.metadata.line(&item.metadata)?;
        self.maestro.line(&item.maestro)
    }

    fn finish(self) -> Result<(), ExportError> {
        self.metadata.finish()?;
        self.maestro.finish()
    }
}

fn write(path: &Path, bytes: &[u8]) -> Result<(), ExportError> {
    fs::write(path, bytes).map_err(write_error(path))
}

/// A text file that is written line by line.
#[derive(Debug)]
struct Listing {
    path: PathBuf,
    file: BufWriter<File>,
}

impl Listing {
    fn create(path: PathBuf) -> Result<Self, ExportError> {
        let file = File::create(&path).map_err(write_error(&path))?;
        Ok(Self { path, file: BufWriter::new(file) })
    }

    fn line(&mut self, line: &str) -> Result<(), ExportError> {
        writeln!(self.file, "{line}").map_err(write_error(&self.path))
    }

    fn finish(mut self) -> Result<(), ExportError> {
        self.file.flush().map_err(write_error(&self.path))
    }
}
