//! The columns of the index.

use std::collections::HashMap;
use std::sync::Arc;

use arrow_array::types::Float64Type;
use arrow_array::{
    Array, ArrayRef, BooleanArray, Float64Array, ListArray, RecordBatch, StringArray, StructArray, TimestampNanosecondArray,
    UInt8Array, UInt16Array, UInt32Array, UInt64Array,
};
use arrow_buffer::OffsetBuffer;
use arrow_schema::{ArrowError, DataType, Field, FieldRef, Fields, Schema};

use super::Row;
use super::moments::{Moments, told};
use crate::export::columns::fields;
use crate::music::Note;
use crate::sequences::{About, NoteSource};

/// `rows` as columns.
pub(super) fn batch(rows: &[Row]) -> Result<RecordBatch, ArrowError> {
    let columns = [about(rows), vec![note_sources(rows)?, notes(rows)?], features(rows)].concat();
    let (fields, arrays): (Vec<FieldRef>, Vec<ArrayRef>) = columns.into_iter().unzip();
    RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays)
}

/// A column and what it is called; its `about` text stands in the field's metadata.
type Column = (FieldRef, ArrayRef);

fn column(name: &str, about: &str, array: ArrayRef) -> Column {
    (field(name, about, array.data_type(), false), array)
}

fn optional(name: &str, about: &str, array: ArrayRef) -> Column {
    (field(name, about, array.data_type(), true), array)
}

fn field(name: &str, about: &str, kind: &DataType, nullable: bool) -> FieldRef {
    let metadata = HashMap::from([("about".to_owned(), about.to_owned())]);
    Arc::new(Field::new(name, kind.clone(), nullable).with_metadata(metadata))
}

/// What [`About`] has, but for the note sources.
fn about(rows: &[Row]) -> Vec<Column> {
    let all = || rows.iter().map(|row| &row.about);
    let text = |of: fn(&About) -> &str| -> ArrayRef { Arc::new(StringArray::from_iter_values(all().map(of))) };
    let count = |of: fn(&About) -> u64| -> ArrayRef { Arc::new(UInt64Array::from_iter_values(all().map(of))) };
    let maybe_text = |of: fn(&About) -> Option<&str>| -> ArrayRef { Arc::new(StringArray::from_iter(all().map(of))) };
    let maybe_number = |of: fn(&About) -> Option<f64>| -> ArrayRef { Arc::new(Float64Array::from_iter(all().map(of))) };
    let sample_rate = Float64Array::from_iter_values(all().map(|about| about.sample_rate));
    let channels = UInt16Array::from_iter_values(all().map(|about| about.channels));
    let polyphony = UInt32Array::from_iter_values(all().map(|about| about.polyphony));
    let started = TimestampNanosecondArray::from_iter_values(all().map(|about| about.started_unix_nanos.cast_signed()));
    vec![
        column("id", "The sequence: eight digits of the take's id, and its first sample", text(|about| &about.id)),
        column("split", "train, validation or test", text(|about| about.split.name())),
        column("performance", "Takes played together, or that repeat one another", text(|about| &about.performance)),
        column("window", "Sequences of one performance that share it sound at once", count(|about| about.window)),
        column("name", "The track", text(|about| &about.name)),
        column("contributor", "Who plays, as stated", text(|about| &about.contributor)),
        column("licence", "As stated", text(|about| &about.licence)),
        column("consent", "In the words that were shown; empty where none was stated", text(|about| &about.consent)),
        column("project", "The DAW project", text(|about| &about.project)),
        column("host", "The host application", text(|about| &about.host)),
        column("machine", "The studio machine", text(|about| &about.machine)),
        column("stream_id", "UUID", text(|about| &about.stream_id)),
        column("take_id", "UUID", text(|about| &about.take_id)),
        column("source", "The recording that its first sample comes from", text(|about| &about.source)),
        column("sample_rate", "Samples per second", Arc::new(sample_rate)),
        column("channels", "Audio channels; 0 for MIDI alone", Arc::new(channels)),
        column("frames", "Length in samples", count(|about| about.frames)),
        column("first_sample", "The take's sample at which it begins", count(|about| about.first_sample)),
        column("started", "When it began, by the studio machine's clock", Arc::new(started.with_timezone("UTC"))),
        optional("ppq", "Playhead at its begin, in quarter notes", maybe_number(|about| about.ppq)),
        optional("tempo", "Mean tempo, in quarter notes per minute", maybe_number(|about| about.tempo)),
        optional("meter", "Meter at its begin", maybe_text(|about| about.meter.as_deref())),
        optional("key", "The key that its notes suggest", maybe_text(|about| about.key.as_deref())),
        optional("key_score", "Correlation with that key's profile, -1 to 1", maybe_number(|about| about.key_score)),
        column("midi_events", "MIDI events in it", count(|about| about.midi_events)),
        column("note_count", "Notes that begin in it", count(|about| about.notes)),
        column("polyphony", "The most notes that sound at once", Arc::new(polyphony)),
        optional("peak_dbfs", "Highest absolute sample, in dB of full scale", maybe_number(|about| about.peak_dbfs)),
        optional("rms_dbfs", "Root mean square of all samples, in dB of full scale", maybe_number(|about| about.rms_dbfs)),
        column("audio_sha256", "SHA-256 of the samples; empty without audio", text(|about| &about.audio_sha256)),
    ]
}

fn note_sources(rows: &[Row]) -> Result<Column, ArrowError> {
    let all = || rows.iter().flat_map(|row| &row.about.note_sources);
    let text = |of: fn(&NoteSource) -> &str| -> ArrayRef { Arc::new(StringArray::from_iter_values(all().map(of))) };
    let uncertainty = Float64Array::from_iter_values(all().map(|source| source.uncertainty_seconds));
    let columns = vec![
        column("name", "The stream's name", text(|source| &source.name)),
        column("stream_id", "UUID", text(|source| &source.stream_id)),
        column("take_id", "UUID", text(|source| &source.take_id)),
        column("contributor", "Who plays it; empty where not stated", text(|source| &source.contributor)),
        column("licence", "Its licence; empty where not stated", text(|source| &source.licence)),
        column("consent", "Its consent, in the words that were shown; empty where not stated", text(|source| &source.consent)),
        column("alignment", "same-stream, playhead, host-time or clock", text(|source| &source.alignment)),
        column("uncertainty_seconds", "Its events lie within this of their stated positions", Arc::new(uncertainty)),
    ];
    let lengths = rows.iter().map(|row| row.about.note_sources.len());
    Ok(column("note_sources", "Where its notes come from", list(lengths, columns)?))
}

fn notes(rows: &[Row]) -> Result<Column, ArrowError> {
    let all = || rows.iter().flat_map(|row| &row.notes);
    let samples = |of: fn(&Note) -> u64| -> ArrayRef { Arc::new(UInt64Array::from_iter_values(all().map(of))) };
    let byte = |of: fn(&Note) -> u8| -> ArrayRef { Arc::new(UInt8Array::from_iter_values(all().map(of))) };
    let flag = |of: fn(&Note) -> bool| -> ArrayRef { Arc::new(all().map(|note| Some(of(note))).collect::<BooleanArray>()) };
    let track = UInt16Array::from_iter_values(all().map(|note| note.track));
    let columns = vec![
        column("onset", "In samples since the sequence's begin", samples(|note| note.onset)),
        column("duration", "How long the key was down, in samples", samples(|note| note.duration)),
        column("sustained", "How long it sounded with the pedal, in samples", samples(|note| note.sustained)),
        column("pitch", "MIDI key; 60 is middle C", byte(|note| note.pitch)),
        column("velocity", "1 to 127", byte(|note| note.velocity)),
        column("release_velocity", "0 to 127", byte(|note| note.release_velocity)),
        column("channel", "0 to 15", byte(|note| note.channel)),
        column("track", "Which of note_sources plays it", Arc::new(track)),
        column("held", "It was sounding before the begin", flag(|note| note.held)),
        column("open", "No note-off came", flag(|note| note.open)),
    ];
    Ok(column("notes", "Notes in order of their onset", list(rows.iter().map(|row| row.notes.len()), columns)?))
}

/// One of the [`Moments`].
type Moment = fn(&Moments) -> &Vec<f64>;

/// `NAME_mean` and `NAME_std` of features; lists where these have several values per frame.
fn features(rows: &[Row]) -> Vec<Column> {
    let moments: [(&str, &str, Moment); 2] =
        [("mean", "Mean", |moments| &moments.mean), ("std", "Standard deviation", |moments| &moments.std)];
    let mut columns = Vec::new();
    for (index, feature) in fields(false).filter(told).enumerate() {
        for (suffix, what, of) in moments {
            let values = rows.iter().map(|row| row.features[index].as_ref().map(of));
            let array: ArrayRef = if feature.axes.len() > 1 {
                let lists = values.map(|values| values.map(|values| values.iter().copied().map(Some)));
                Arc::new(ListArray::from_iter_primitive::<Float64Type, _, _>(lists))
            } else {
                Arc::new(values.map(|values| values.map(|values| values[0])).collect::<Float64Array>())
            };
            let about = format!("{what} over all frames. {}", feature.about);
            columns.push(optional(&format!("{}_{suffix}", feature.name), &about, array));
        }
    }
    columns
}

/// Lists of structs, of which the columns hold all items of all lists.
fn list(lengths: impl Iterator<Item = usize>, columns: Vec<Column>) -> Result<ArrayRef, ArrowError> {
    let (fields, arrays): (Vec<FieldRef>, Vec<ArrayRef>) = columns.into_iter().unzip();
    let structs = StructArray::try_new(Fields::from(fields), arrays, None)?;
    let item = Arc::new(Field::new_list_field(structs.data_type().clone(), false));
    let lists = ListArray::try_new(item, OffsetBuffer::from_lengths(lengths), Arc::new(structs), None)?;
    Ok(Arc::new(lists))
}
