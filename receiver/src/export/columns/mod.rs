//! A sequence as arrays: the names, shapes, columns and values that all formats of arrays share.
//!
//! Times are float32 seconds since the sequence's begin. Rounding `time * sample_rate` gives the exact sample up to 2^23
//! samples (174 s at 48 kHz), because float32 errs by at most one part in 2^24. For longer sequences [`NOTE_SAMPLES`] and
//! [`MIDI_EVENTS`] hold the positions as integers. `spec/dataset-exports-tensors.md` has the table of all arrays.

mod fields;

use std::borrow::Cow;

use serde_json::{Map, Value, json};

use super::ShardPlan;
use crate::music::{Control, ControlKind, Event, Music};
use crate::sequences::Sequence;

use fields::{
    AUDIO, BEATS, CONTROLS, FEATURES, METER_MAP, MIDI_EVENTS, MIDI_NOTES, MUSIC, NOTE_SAMPLES, PITCH_BEND, SYSEX, TEMPO_MAP,
};
pub(crate) use fields::{Field, Kind, fields};

/// The values of an array, the last axis running fastest.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Data<'a> {
    /// Of [`Kind::Float32`].
    Float32(Cow<'a, [f32]>),
    /// Of [`Kind::Int64`].
    Int64(Vec<i64>),
    /// Of [`Kind::Uint8`].
    Uint8(Vec<u8>),
}

impl Data<'_> {
    /// The values in little-endian bytes.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        match self {
            Self::Float32(values) => values.iter().flat_map(|value| value.to_le_bytes()).collect(),
            Self::Int64(values) => values.iter().flat_map(|value| value.to_le_bytes()).collect(),
            Self::Uint8(values) => values.clone(),
        }
    }
}

/// An array of one sequence.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Array<'a> {
    /// What it is.
    pub(crate) field: Field,
    /// Its length along each of the field's axes; 0 where there is nothing.
    pub(crate) shape: Vec<usize>,
    /// As many values as the shape says.
    pub(crate) data: Data<'a>,
}

/// All arrays of a sequence: each of [`fields`], also where it is empty. Samples are among them where the plan wants them.
pub(crate) fn arrays<'a>(sequence: &'a Sequence, plan: &ShardPlan) -> Vec<Array<'a>> {
    let mut arrays = music(&sequence.music, sequence.about.sample_rate);
    arrays.extend(features(sequence, plan));
    arrays.extend(plan.audio.then(|| audio(sequence)));
    arrays
}

/// What a sequence is: all of its [`About`](crate::sequences::About), `feature_settings`, and `columns`, the names of the
/// columns of every table.
pub(crate) fn metadata(sequence: &Sequence, plan: &ShardPlan) -> Map<String, Value> {
    let Ok(Value::Object(mut metadata)) = serde_json::to_value(&sequence.about) else {
        unreachable!("a struct with texts as keys is a JSON object");
    };
    let settings = &plan.settings;
    let feature_settings = json!({
        "n_fft": settings.n_fft,
        "hop_length": settings.hop_length,
        "n_mels": settings.n_mels,
        "mfcc_n": settings.mfcc_n,
        "chroma_n": settings.chroma_n,
    });
    let tables = MUSIC.into_iter().filter(|field| !field.columns.is_empty());
    let columns = tables.map(|field| (field.name.to_owned(), json!(field.columns))).collect();
    metadata.insert("feature_settings".to_owned(), feature_settings);
    metadata.insert("columns".to_owned(), Value::Object(columns));
    metadata
}

/// The music as tables. `sample_rate` is in samples per second.
pub(crate) fn music(music: &Music, sample_rate: f64) -> Vec<Array<'static>> {
    let seconds = |samples: u64| (samples as f64 / sample_rate) as f32;
    let (bends, controls): (Vec<&Control>, Vec<&Control>) =
        music.controls.iter().partition(|control| control.kind == ControlKind::PitchBend);
    let notes = music.notes.iter();
    let note_samples = notes.clone().map(|note| {
        let places = [note.onset, note.duration, note.sustained].map(u64::cast_signed);
        let [onset, duration, sustained] = places;
        [onset, duration, sustained, note.release_velocity.into(), note.held.into(), note.open.into()]
    });
    let notes = notes.map(|note| {
        let [onset, duration, sustained] = [note.onset, note.duration, note.sustained].map(seconds);
        let [pitch, velocity, channel] = [note.pitch, note.velocity, note.channel].map(f32::from);
        [onset, duration, pitch, velocity, channel, sustained, note.track.into()]
    });
    let controls = controls.into_iter().map(|control| {
        let [status, channel, number] = [status(control.kind), control.channel, control.number].map(f32::from);
        [seconds(control.sample), status, channel, number, control.value as f32, control.track.into()]
    });
    let bends = bends.into_iter().map(|bend| [seconds(bend.sample), bend.channel.into(), bend.value as f32, bend.track.into()]);
    let tempos = music.tempos.iter().map(|tempo| [seconds(tempo.sample), tempo.tempo as f32]);
    let meters = music.meters.iter().map(|meter| [seconds(meter.sample), meter.numerator.into(), meter.denominator.into()]);
    let beats = music.beats.iter().map(|beat| [seconds(beat.sample), beat.ppq as f32, beat.bar as f32, beat.beat.into()]);
    let (events, sysex) = events(&music.events);
    vec![
        floats(MIDI_NOTES, notes),
        integers(NOTE_SAMPLES, note_samples),
        integers(MIDI_EVENTS, events.into_iter()),
        Array { field: SYSEX, shape: vec![sysex.len()], data: Data::Uint8(sysex) },
        floats(CONTROLS, controls),
        floats(PITCH_BEND, bends),
        floats(TEMPO_MAP, tempos),
        floats(METER_MAP, meters),
        floats(BEATS, beats),
    ]
}

fn floats<const N: usize>(field: Field, rows: impl Iterator<Item = [f32; N]>) -> Array<'static> {
    let values: Vec<f32> = rows.flatten().collect();
    Array { field, shape: vec![values.len() / N, N], data: Data::Float32(values.into()) }
}

fn integers<const N: usize>(field: Field, rows: impl Iterator<Item = [i64; N]>) -> Array<'static> {
    let values: Vec<i64> = rows.flatten().collect();
    Array { field, shape: vec![values.len() / N, N], data: Data::Int64(values) }
}

/// The upper four bits of the MIDI status byte.
fn status(kind: ControlKind) -> u8 {
    match kind {
        ControlKind::KeyPressure => 10,
        ControlKind::Controller => 11,
        ControlKind::Program => 12,
        ControlKind::ChannelPressure => 13,
        ControlKind::PitchBend => 14,
    }
}

/// The rows of [`MIDI_EVENTS`], and the bytes of those that do not fit in a row.
fn events(events: &[Event]) -> (Vec<[i64; 7]>, Vec<u8>) {
    const SYSTEM_EXCLUSIVE: u8 = 0xF0;
    let mut sysex = Vec::new();
    let mut row = |event: &Event| {
        let byte = |at: usize| event.bytes.get(at).copied().unwrap_or_default();
        let (sample, track) = (event.sample.cast_signed(), event.track.into());
        if byte(0) != SYSTEM_EXCLUSIVE && event.bytes.len() <= 3 {
            return [sample, track, byte(0).into(), byte(1).into(), byte(2).into(), 0, 0];
        }
        let offset = sysex.len();
        sysex.extend_from_slice(&event.bytes);
        [sample, track, byte(0).into(), 0, 0, offset as i64, event.bytes.len() as i64]
    };
    let rows = events.iter().map(&mut row).collect();
    (rows, sysex)
}

fn features<'a>(sequence: &'a Sequence, plan: &ShardPlan) -> impl Iterator<Item = Array<'a>> {
    let (features, settings) = (&sequence.features, &plan.settings);
    let values: [(&[f32], Option<usize>); 10] = [
        (&features.mfcc, Some(settings.mfcc_n)),
        (&features.chroma, Some(settings.chroma_n)),
        (&features.mel, Some(settings.n_mels)),
        (&features.centroid, None),
        (&features.bandwidth, None),
        (&features.rolloff, None),
        (&features.flatness, None),
        (&features.zero_crossing_rate, None),
        (&features.rms, None),
        (&features.onset, None),
    ];
    FEATURES.into_iter().zip(values).map(|(field, (values, width))| {
        let shape = std::iter::once(features.frames).chain(width).collect();
        Array { field, shape, data: Data::Float32(values.into()) }
    })
}

/// The samples, channel by channel.
fn audio(sequence: &Sequence) -> Array<'_> {
    let channels = usize::from(sequence.about.channels);
    let data = if channels < 2 {
        Cow::from(&sequence.audio)
    } else {
        (0..channels).flat_map(|channel| sequence.audio.iter().skip(channel).step_by(channels).copied()).collect()
    };
    let frames = data.len() / channels.max(1);
    Array { field: AUDIO, shape: vec![channels, frames], data: Data::Float32(data) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::features::Features;
    use crate::music::{Beat, Meter, Note, Tempo};

    fn played() -> Music {
        let note = Note {
            onset: 8_388_607,
            duration: 24_000,
            sustained: 48_000,
            pitch: 60,
            velocity: 100,
            release_velocity: 64,
            channel: 9,
            track: 2,
            held: false,
            open: true,
        };
        let control = |kind, number, value| Control { sample: 480, kind, channel: 1, number, value, track: 3 };
        Music {
            ppq: None,
            notes: vec![note, Note { held: true, open: false, ..note }],
            controls: vec![
                control(ControlKind::Controller, 64, 1.0),
                control(ControlKind::PitchBend, 0, -0.25),
                control(ControlKind::Program, 5, 5.0),
            ],
            tempos: vec![Tempo { sample: 96_000, tempo: 121.5 }],
            meters: vec![Meter { sample: 0, numerator: 7, denominator: 8 }],
            beats: vec![Beat { sample: 12_000, ppq: 3.5, bar: -1, beat: 6 }],
            events: vec![
                Event { sample: 1, bytes: vec![0x90, 60, 100], track: 0 },
                Event { sample: 2, bytes: vec![0xF0, 1, 0xF7], track: 0 },
                Event { sample: 3, bytes: vec![0xC0, 5], track: 1 },
                Event { sample: 4, bytes: vec![0xF0, 2, 3, 0xF7], track: 0 },
            ],
        }
    }

    fn named<'a>(arrays: &'a [Array<'_>], name: &str) -> &'a Array<'a> {
        arrays.iter().find(|array| array.field.name == name).expect("an array of this name")
    }

    fn floats_of<'a>(arrays: &'a [Array<'_>], name: &str) -> &'a [f32] {
        let Data::Float32(values) = &named(arrays, name).data else { panic!("{name} is float32") };
        values
    }

    #[test]
    fn music_stands_in_its_columns() {
        let arrays = music(&played(), 48_000.0);
        let onset = (8_388_607.0 / 48_000.0) as f32;
        assert_eq!(floats_of(&arrays, "midi_notes")[..7], [onset, 0.5, 60.0, 100.0, 9.0, 1.0, 2.0]);
        let places = vec![8_388_607, 24_000, 48_000, 64, 0, 1, 8_388_607, 24_000, 48_000, 64, 1, 0];
        assert_eq!(named(&arrays, "note_samples").data, Data::Int64(places));
        assert_eq!(floats_of(&arrays, "controls"), [0.01, 11.0, 1.0, 64.0, 1.0, 3.0, 0.01, 12.0, 1.0, 5.0, 5.0, 3.0]);
        assert_eq!(floats_of(&arrays, "pitch_bend"), [0.01, 1.0, -0.25, 3.0]);
        assert_eq!(floats_of(&arrays, "tempo_map"), [2.0, 121.5]);
        assert_eq!(floats_of(&arrays, "meter_map"), [0.0, 7.0, 8.0]);
        assert_eq!(floats_of(&arrays, "beats"), [0.25, 3.5, -1.0, 6.0]);
    }

    #[test]
    fn system_exclusive_messages_keep_all_their_bytes() {
        let arrays = music(&played(), 48_000.0);
        let events = [[1, 0, 0x90, 60, 100, 0, 0], [2, 0, 0xF0, 0, 0, 0, 3], [3, 1, 0xC0, 5, 0, 0, 0], [4, 0, 0xF0, 0, 0, 3, 4]];
        assert_eq!(named(&arrays, "midi_events").data, Data::Int64(events.concat()));
        assert_eq!(named(&arrays, "sysex").data, Data::Uint8(vec![0xF0, 1, 0xF7, 0xF0, 2, 3, 0xF7]));
    }

    #[test]
    fn rounded_seconds_are_exact_samples_up_to_two_to_the_23() {
        for rate in [8_000.0, 44_100.0, 48_000.0, 96_000.0, 192_000.0] {
            for sample in (0..=1 << 23).rev().step_by(997) {
                let seconds = (f64::from(sample) / rate) as f32;
                assert_eq!((f64::from(seconds) * rate).round(), f64::from(sample), "at {rate} Hz");
            }
        }
    }

    #[test]
    fn shapes_fit_the_fields_also_where_there_is_nothing() {
        let about = serde_json::json!({
            "id": "", "split": "train", "performance": "", "window": 0, "name": "", "contributor": "", "licence": "",
            "consent": "", "project": "", "host": "", "machine": "", "stream_id": "", "take_id": "", "source": "",
            "sample_rate": 48_000.0, "channels": 2, "frames": 3, "first_sample": 0, "started_unix_nanos": 0,
            "midi_events": 0, "notes": 0, "polyphony": 0, "audio_sha256": "", "note_sources": []
        });
        let sequence = Sequence {
            about: serde_json::from_value(about).expect("an About"),
            audio: vec![0.0, 1.0, 2.0, 3.0, 4.0, 5.0],
            features: Features::default(),
            music: Music::default(),
        };
        let settings = crate::sequences::Settings::default();
        let plan = |audio| ShardPlan {
            path: "file".into(),
            name: "file".into(),
            split: None,
            sequences: 1,
            settings: settings.clone(),
            audio,
        };
        for audio in [false, true] {
            let arrays = arrays(&sequence, &plan(audio));
            assert!(arrays.iter().map(|array| array.field).eq(fields(audio)));
            for Array { field, shape, data } in &arrays {
                let values = match data {
                    Data::Float32(values) => values.len(),
                    Data::Int64(values) => values.len(),
                    Data::Uint8(values) => values.len(),
                };
                assert_eq!(shape.iter().product::<usize>(), values, "{}", field.name);
                assert_eq!(shape.len(), field.axes.len(), "{}", field.name);
                let columns = if field.columns.is_empty() { 1 } else { field.columns.len() };
                assert!(columns == 1 || *shape.last().expect("an axis") == columns, "{}", field.name);
            }
        }
        let arrays = arrays(&sequence, &plan(true));
        assert_eq!(named(&arrays, "mfcc").shape, [0, 13]);
        assert_eq!(named(&arrays, "audio").shape, [2, 3]);
        assert_eq!(floats_of(&arrays, "audio"), [0.0, 2.0, 4.0, 1.0, 3.0, 5.0]);
        let metadata = metadata(&sequence, &plan(true));
        assert_eq!(metadata["columns"]["tempo_map"], json!(["time", "tempo"]));
        assert_eq!(metadata["feature_settings"]["hop_length"], 512);
        assert_eq!(metadata["split"], "train");
    }
}
