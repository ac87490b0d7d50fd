//! What an export is: written last, so that a folder with a manifest is complete.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::{fs, io};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::digest::hexadecimal;
use crate::sequences::{About, NoteSource, Reason, Settings, Split};

/// The manifest's file.
pub const MANIFEST: &str = "manifest.json";

/// A file of an export.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExportedFile {
    /// Its path within the export, with `/`.
    pub name: String,
    /// Its length.
    pub bytes: u64,
    /// Its SHA-256, in hexadecimal digits.
    pub sha256: String,
}

/// A sequence that was planned and could not be made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Skipped {
    /// The take's file, by its place in the data folder, and what is wrong with it.
    pub why: String,
}

/// What some sequences hold, for the card and the totals.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Contents {
    /// Sequences on each side.
    pub sequences: BTreeMap<Split, u64>,
    /// Their length, in seconds of sound; overlaps count each time.
    pub seconds: BTreeMap<Split, f64>,
    /// Notes that begin in them.
    pub notes: u64,
    /// MIDI events in them.
    pub midi_events: u64,
    /// Slowest and fastest mean tempo, quarter notes per minute.
    pub tempo: Option<(f64, f64)>,
    /// Sequences of each key.
    pub keys: BTreeMap<String, u64>,
    /// Sequences of each sample rate, in hertz.
    pub sample_rates: BTreeMap<String, u64>,
    /// Sequences of each number of channels.
    pub channels: BTreeMap<u16, u64>,
    /// Sequences of each contributor, who plays their sound or their notes; those who are not named under an empty name.
    pub contributors: BTreeMap<String, u64>,
    /// Sequences under each licence, that of their sound or of their notes.
    pub licences: BTreeMap<String, u64>,
    /// Sequences under each statement of consent, as those.
    pub consents: BTreeMap<String, u64>,
    /// Sequences by the program that sent them: the host application, or `send-learn-send` for files.
    #[serde(default)]
    pub hosts: BTreeMap<String, u64>,
    /// Sequences of each track.
    pub tracks: BTreeMap<String, u64>,
    /// Sequences by how their notes were aligned.
    pub alignments: BTreeMap<String, u64>,
    /// The largest uncertainty of an alignment, in seconds.
    pub worst_uncertainty_seconds: f64,
    /// Sequences that could not be made.
    pub skipped: Vec<Skipped>,
}

impl Contents {
    /// Counts a sequence.
    pub fn count(&mut self, about: &About) {
        fn more<K: Ord>(counts: &mut BTreeMap<K, u64>, key: K) {
            *counts.entry(key).or_default() += 1;
        }
        more(&mut self.sequences, about.split);
        *self.seconds.entry(about.split).or_default() += about.frames as f64 / about.sample_rate;
        self.notes += about.notes;
        self.midi_events += about.midi_events;
        if let Some(tempo) = about.tempo {
            let (slowest, fastest) = self.tempo.unwrap_or((tempo, tempo));
            self.tempo = Some((slowest.min(tempo), fastest.max(tempo)));
        }
        if let Some(key) = &about.key {
            more(&mut self.keys, key.clone());
        }
        more(&mut self.sample_rates, about.sample_rate.to_string());
        more(&mut self.channels, about.channels);
        let of_all = |own: &String, of_source: fn(&NoteSource) -> &String| -> BTreeSet<String> {
            about.note_sources.iter().map(of_source).chain([own]).cloned().collect()
        };
        let told = [
            (&mut self.contributors, of_all(&about.contributor, |source| &source.contributor)),
            (&mut self.licences, of_all(&about.licence, |source| &source.licence)),
            (&mut self.consents, of_all(&about.consent, |source| &source.consent)),
        ];
        for (counts, all) in told {
            all.into_iter().for_each(|stated| more(counts, stated));
        }
        more(&mut self.hosts, about.host.clone());
        more(&mut self.tracks, about.name.clone());
        for source in &about.note_sources {
            more(&mut self.alignments, source.alignment.clone());
            self.worst_uncertainty_seconds = self.worst_uncertainty_seconds.max(source.uncertainty_seconds);
        }
    }

    /// Adds what others counted.
    pub fn add(&mut self, other: &Self) {
        fn sum<K: Ord + Clone>(counts: &mut BTreeMap<K, u64>, more: &BTreeMap<K, u64>) {
            for (key, count) in more {
                *counts.entry(key.clone()).or_default() += count;
            }
        }
        sum(&mut self.sequences, &other.sequences);
        for (split, seconds) in &other.seconds {
            *self.seconds.entry(*split).or_default() += seconds;
        }
        self.notes += other.notes;
        self.midi_events += other.midi_events;
        if let Some((slowest, fastest)) = other.tempo {
            let tempo = self.tempo.unwrap_or((slowest, fastest));
            self.tempo = Some((tempo.0.min(slowest), tempo.1.max(fastest)));
        }
        sum(&mut self.keys, &other.keys);
        sum(&mut self.sample_rates, &other.sample_rates);
        sum(&mut self.channels, &other.channels);
        sum(&mut self.contributors, &other.contributors);
        sum(&mut self.licences, &other.licences);
        sum(&mut self.consents, &other.consents);
        sum(&mut self.hosts, &other.hosts);
        sum(&mut self.tracks, &other.tracks);
        sum(&mut self.alignments, &other.alignments);
        self.worst_uncertainty_seconds = self.worst_uncertainty_seconds.max(other.worst_uncertainty_seconds);
        self.skipped.extend(other.skipped.iter().cloned());
    }

    /// All sequences.
    pub fn total(&self) -> u64 {
        self.sequences.values().sum()
    }
}

/// What an export is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// `send-learn-dataset`.
    pub format: String,
    /// 1; raised when a reader of older manifests would misread newer ones.
    pub version: u32,
    /// The export's format, as typed.
    pub export: String,
    /// The version of the program that made it.
    pub writer_version: String,
    /// SHA-256 over format, settings and the planned sequences: the same again for the same recordings.
    pub plan: String,
    /// With which settings it was made.
    pub settings: Settings,
    /// Whether samples are in it, where the format leaves the choice.
    pub audio: bool,
    /// What is in it.
    pub contents: Contents,
    /// Performances on each side.
    pub performances: BTreeMap<Split, u64>,
    /// Takes that repeat another one.
    pub repeated_takes: u64,
    /// Windows that were left out, by reason.
    pub left_out: BTreeMap<Reason, u64>,
    /// Recordings that could not be read, by their place in the data folder, and why.
    pub broken: Vec<String>,
    /// All files but this one.
    pub files: Vec<ExportedFile>,
}

/// What stands in a file, or in all files below a folder; `name` is its path within the export.
pub(super) fn describe(path: &Path, name: &str) -> io::Result<Vec<ExportedFile>> {
    if !path.is_dir() {
        let mut hasher = Sha256::new();
        let bytes = io::copy(&mut fs::File::open(path)?, &mut hasher)?;
        return Ok(vec![ExportedFile { name: name.to_owned(), bytes, sha256: hexadecimal(&hasher.finalize()) }]);
    }
    let mut names: Vec<_> = fs::read_dir(path)?.map(|item| Ok(item?.file_name())).collect::<io::Result<_>>()?;
    names.sort_unstable();
    let below = names.iter().map(|item| describe(&path.join(item), &format!("{name}/{}", item.to_string_lossy())));
    Ok(below.collect::<io::Result<Vec<_>>>()?.into_iter().flatten().collect())
}
