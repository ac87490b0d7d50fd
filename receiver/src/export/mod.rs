//! Exports: sequences in the file formats of those who train models.
//!
//! A [`Format`] says how a sequence becomes bytes (`encode`, on all cores) and how these stand in files (`Shard`, one at a
//! time). The driver plans the shards, prepares sequences, writes each shard under a temporary name and renames it, goes on
//! where an interrupted export stopped, and writes the manifest last.

mod card;
mod columns;
mod hdf5;
mod manifest;
mod midi_audio;
mod npy;
mod order;
mod parquet;
mod pytorch;
mod run;
mod safetensors;
mod shards;
mod smf;
mod tensorflow;
mod tokens;
mod webdataset;

use std::io;
use std::path::{Path, PathBuf};

pub use self::hdf5::Hdf5;
pub use self::parquet::Parquet;
pub use manifest::{Contents, ExportedFile, MANIFEST, Manifest, Skipped};
pub use midi_audio::MidiAudio;
pub use pytorch::Pytorch;
pub use run::Request;
pub use safetensors::Safetensors;
pub use tensorflow::Tensorflow;
pub use tokens::Tokens;
pub use webdataset::WebDataset;

use crate::sequences::{Reason, Sequence, Settings, Split};

/// Why an export failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ExportError {
    /// A file cannot be written.
    #[error("cannot write {path}: {source}. What was finished is kept: run the same command again to go on.", path = path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// The folder for the export cannot be made.
    #[error("cannot make the folder {out}: {source}. Choose another with --out.", out = out.display())]
    Folder {
        /// The folder.
        out: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// A library that makes a format refused.
    #[error("cannot write {path}: {why}. What was finished is kept: run the same command again to go on.", path = path.display())]
    Encode {
        /// The file.
        path: PathBuf,
        /// What it said.
        why: String,
    },
    /// There is no such format.
    #[error("there is no export format \"{format}\"; there are {}", FORMATS.join(", "))]
    Unknown {
        /// What was asked for.
        format: String,
    },
    /// There is no sequence to export.
    #[error("there is no sequence to export{why}", why = nothing(left_out))]
    Nothing {
        /// Windows that were left out, by reason.
        left_out: Vec<(Reason, u64)>,
    },
    /// Something else is in the folder.
    #[error(
        "{out} holds something else: another export, one of other recordings or settings, or files of yours. Choose another folder \
         with --out, or remove it.",
        out = out.display()
    )]
    Occupied {
        /// The folder.
        out: PathBuf,
    },
}

impl From<io::Error> for ExportError {
    /// No thread can be made, or no memory had.
    fn from(source: io::Error) -> Self {
        Self::Write { path: PathBuf::new(), source }
    }
}

/// Why nothing is left, in words.
fn nothing(left_out: &[(Reason, u64)]) -> String {
    let mut words: Vec<String> = left_out.iter().map(|(reason, count)| format!("{count} left out: {}", reason.words())).collect();
    if words.is_empty() {
        words.push("no take was found".to_owned());
    }
    if left_out.iter().any(|(reason, _)| *reason == Reason::Consent) {
        words.push("if these recordings are your own, say --own".to_owned());
    }
    if left_out.iter().any(|(reason, _)| *reason == Reason::ShortTake) {
        words.push("--sequence-length takes fewer seconds".to_owned());
    }
    if left_out.iter().any(|(reason, _)| *reason == Reason::FewEvents) {
        words.push("--min-midi-events takes fewer, and with 0 sound alone".to_owned());
    }
    format!(" ({})", words.join("; "))
}

/// How an export is divided into files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// One file, or numbered ones when it would be larger than the limit; splits are told apart by a field.
    Together,
    /// One file whatever its size.
    OneFile,
    /// As [`Layout::Together`], for each split by itself.
    PerSplit,
    /// A folder of files for each split.
    Folders,
}

/// What a shard holds.
#[derive(Clone, Debug)]
pub struct ShardPlan {
    /// The file or folder to write: a temporary name beside the final one.
    pub path: PathBuf,
    /// The final name without its folder.
    pub name: String,
    /// The split of all its sequences; none where splits stand together.
    pub split: Option<Split>,
    /// How many sequences will be added.
    pub sequences: usize,
    /// With which settings they were made.
    pub settings: Settings,
    /// Whether samples are wanted in formats where they are optional.
    pub audio: bool,
}

/// A file format for sequences.
pub trait Format: Sync {
    /// A sequence in the format's own terms.
    type Item: Send;
    /// A file that is being written.
    type Shard: Shard<Item = Self::Item>;

    /// The word that a person types.
    const NAME: &'static str;
    /// How the export is divided.
    const LAYOUT: Layout;
    /// Whether it holds the features of the sound.
    const FEATURES: bool = true;
    /// Whether samples go along where they are asked for, and only there.
    const OPTIONAL_AUDIO: bool = true;
    /// The most sequences in a file of those that are divided, however small they are.
    const MOST_SEQUENCES: usize = usize::MAX;

    /// The name of file `number` of `count` (from 1), for one split where the layout says so.
    fn file_name(&self, split: Option<Split>, number: usize, count: usize) -> String;

    /// Turns a sequence into the format's terms. Called on all cores at once; whatever takes long belongs here.
    ///
    /// # Errors
    /// In words: the sequence cannot be expressed in this format.
    fn encode(&self, sequence: &Sequence, plan: &ShardPlan) -> Result<Self::Item, String>;

    /// Begins a file.
    ///
    /// # Errors
    /// [`ExportError`].
    fn shard(&self, plan: &ShardPlan) -> Result<Self::Shard, ExportError>;

    /// Further files of the whole export, by name: a feature specification, a tokenizer.
    /// `audio`: whether samples go along.
    fn companions(&self, settings: &Settings, audio: bool) -> Vec<(String, Vec<u8>)> {
        let _ = (settings, audio);
        Vec::new()
    }
}

/// A file of an export that is being written.
pub trait Shard {
    /// As [`Format::Item`].
    type Item;

    /// Adds the next sequence.
    ///
    /// # Errors
    /// [`ExportError`].
    fn add(&mut self, item: Self::Item) -> Result<(), ExportError>;

    /// Completes the file. Without it, what was written is worth nothing.
    ///
    /// # Errors
    /// [`ExportError`].
    fn finish(self) -> Result<(), ExportError>;
}

/// Wraps what the operating system says about `path`.
pub(crate) fn write_error(path: &Path) -> impl Fn(io::Error) -> ExportError + '_ {
    |source| ExportError::Write { path: path.to_owned(), source }
}

/// The formats, by the words that a person types.
pub const FORMATS: [&str; 8] = ["pytorch", "tensorflow", "hdf5", "midi+audio", "safetensors", "parquet", "webdataset", "tokens"];

/// Exports in the format of that name; `progress` hears how many sequences are done.
///
/// # Errors
/// [`ExportError`]. What was finished is kept, and the same call goes on there.
pub fn export(format: &str, request: &Request<'_>, progress: &dyn Fn(u64)) -> Result<Manifest, ExportError> {
    match format {
        Pytorch::NAME => run::run(&Pytorch, request, progress),
        Tensorflow::NAME => run::run(&Tensorflow, request, progress),
        Hdf5::NAME => run::run(&Hdf5, request, progress),
        MidiAudio::NAME => run::run(&MidiAudio, request, progress),
        Safetensors::NAME => run::run(&Safetensors, request, progress),
        Parquet::NAME => run::run(&Parquet, request, progress),
        WebDataset::NAME => run::run(&WebDataset, request, progress),
        Tokens::NAME => run::run(&Tokens, request, progress),
        unknown => Err(ExportError::Unknown { format: unknown.to_owned() }),
    }
}
