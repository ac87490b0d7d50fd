//! The rows that describe a sequence's files.

use serde::Serialize;
use time::OffsetDateTime;

use super::flac::Flac;
use crate::sequences::About;

/// The first seven columns are those of MAESTRO v3; the others are ours.
pub(super) const MAESTRO_HEADER: &str = "canonical_composer,canonical_title,split,year,midi_filename,audio_filename,duration,\
    id,performance,window,project,licence,tempo,meter,key,notes";

/// A line of `metadata.jsonl`. File names are relative to its folder.
#[derive(Debug, Serialize)]
pub(super) struct Entry<'a> {
    /// The FLAC file; the MIDI file where there is no audio.
    file_name: String,
    midi_filename: String,
    audio_filename: Option<String>,
    /// Bits per sample of the FLAC file.
    audio_bits: Option<u8>,
    /// Samples that 24 bits cannot say, put on the nearest step.
    audio_rounded: u64,
    /// Samples beyond full scale, clipped.
    audio_clipped: u64,
    /// The largest difference between a sample and the FLAC file's, in full scales; 0 where it is bit-exact.
    audio_largest_error: f64,
    #[serde(flatten)]
    about: &'a About,
}

impl<'a> Entry<'a> {
    pub(super) fn new(about: &'a About, flac: Option<&Flac>) -> Self {
        let midi_filename = format!("{}.mid", about.id);
        let audio_filename = flac.map(|_| format!("{}.flac", about.id));
        Self {
            file_name: audio_filename.as_ref().unwrap_or(&midi_filename).clone(),
            midi_filename,
            audio_filename,
            audio_bits: flac.map(|flac| flac.bits),
            audio_rounded: flac.map_or(0, |flac| flac.rounded),
            audio_clipped: flac.map_or(0, |flac| flac.clipped),
            audio_largest_error: flac.map_or(0.0, |flac| flac.largest_error),
            about,
        }
    }

    /// The sequence's row in `maestro.csv`.
    pub(super) fn maestro_row(&self) -> String {
        let about = self.about;
        let year = OffsetDateTime::from_unix_timestamp_nanos(about.started_unix_nanos.into()).map_or(0, OffsetDateTime::year);
        let row = [
            about.contributor.clone(),
            about.name.clone(),
            about.split.name().into(),
            year.to_string(),
            self.midi_filename.clone(),
            self.audio_filename.clone().unwrap_or_default(),
            (about.frames as f64 / about.sample_rate).to_string(),
            about.id.clone(),
            about.performance.clone(),
            about.window.to_string(),
            about.project.clone(),
            about.licence.clone(),
            about.tempo.map(|tempo| tempo.to_string()).unwrap_or_default(),
            about.meter.clone().unwrap_or_default(),
            about.key.clone().unwrap_or_default(),
            about.notes.to_string(),
        ];
        row.map(|field| quoted(&field)).join(",")
    }
}

/// A field as RFC 4180 wants it.
fn quoted(field: &str) -> String {
    if field.contains(['"', ',', '\n', '\r']) { format!("\"{}\"", field.replace('"', "\"\"")) } else { field.into() }
}
