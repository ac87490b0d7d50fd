//! `tokens`: REMI token ids, as MidiTok makes them of the MIDI file that `midi+audio` writes for the same sequence.
//!
//! Tokens are derived from the notes, and never stand for them: time is rounded to a twelfth of a beat, tempo to a whole
//! number, velocity to one of 32, and bars are counted from the begin of the window.

mod music;
mod remi;
mod vocabulary;

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::PathBuf;

use serde::Serialize;
use serde_json::Value;

use super::smf::MidiFile;
use super::{ExportError, Format, Layout, Shard, ShardPlan, write_error};
use crate::sequences::{Sequence, Settings, Split};

/// The format `tokens`.
#[derive(Clone, Copy, Debug, Default)]
pub struct Tokens;

/// A file of sequences, one to the line.
#[derive(Debug)]
pub struct Lines {
    path: PathBuf,
    file: BufWriter<File>,
}

#[derive(Serialize)]
struct Line<'a> {
    id: &'a str,
    split: Split,
    performance: &'a str,
    window: u64,
    name: &'a str,
    contributor: &'a str,
    licence: &'a str,
    ids: Vec<u16>,
}

impl Format for Tokens {
    type Item = String;
    type Shard = Lines;

    const NAME: &'static str = "tokens";
    const LAYOUT: Layout = Layout::PerSplit;
    const FEATURES: bool = false;
    const OPTIONAL_AUDIO: bool = false;

    fn file_name(&self, split: Option<Split>, number: usize, _count: usize) -> String {
        format!("{}-{number:05}.jsonl", split.unwrap_or(Split::Train).name())
    }

    fn encode(&self, sequence: &Sequence, _plan: &ShardPlan) -> Result<String, String> {
        let about = &sequence.about;
        let line = Line {
            id: &about.id,
            split: about.split,
            performance: &about.performance,
            window: about.window,
            name: &about.name,
            contributor: &about.contributor,
            licence: &about.licence,
            ids: remi::tokens(&music::Quantized::new(&MidiFile::new(sequence))),
        };
        serde_json::to_string(&line).map_err(|error| error.to_string())
    }

    fn shard(&self, plan: &ShardPlan) -> Result<Lines, ExportError> {
        let path = plan.path.clone();
        let file = File::create(&path).map_err(write_error(&path))?;
        Ok(Lines { path, file: BufWriter::new(file) })
    }

    /// `tokenizer.json` is MidiTok's description of the tokenizer, `vocabulary.json` the list of all tokens by id.
    fn companions(&self, _settings: &Settings, _audio: bool) -> Vec<(String, Vec<u8>)> {
        let file = |name: &str, json: Value| (name.to_owned(), format!("{json:#}\n").into_bytes());
        vec![file("tokenizer.json", vocabulary::tokenizer()), file("vocabulary.json", vocabulary::names().into())]
    }
}

impl Shard for Lines {
    type Item = String;

    fn add(&mut self, item: String) -> Result<(), ExportError> {
        writeln!(self.file, "{item}").map_err(write_error(&self.path))
    }

    fn finish(mut self) -> Result<(), ExportError> {
        self.file.flush().map_err(write_error(&self.path))
    }
}
