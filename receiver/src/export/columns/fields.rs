//! What the arrays of a dataset are: their names, types, axes and columns.

use serde::Serialize;

/// The type of an array's values.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Kind {
    /// IEEE 754 single precision.
    Float32,
    /// Two's complement.
    Int64,
    /// Bytes.
    Uint8,
}

/// What an array of a dataset is, whatever the sequence.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(crate) struct Field {
    /// Its name in every format.
    pub(crate) name: &'static str,
    /// The type of its values.
    pub(crate) kind: Kind,
    /// What is counted along each axis, the slowest first.
    pub(crate) axes: &'static [&'static str],
    /// The names of the columns, where the last axis is `column`.
    pub(crate) columns: &'static [&'static str],
    /// What it holds, with units.
    pub(crate) about: &'static str,
}

/// All arrays that a sequence of this export has, in the order of [`arrays`](super::arrays).
pub(crate) fn fields(audio: bool) -> impl Iterator<Item = Field> {
    MUSIC.into_iter().chain(FEATURES).chain(audio.then_some(AUDIO))
}

const fn feature(name: &'static str, axes: &'static [&'static str], about: &'static str) -> Field {
    Field { name, kind: Kind::Float32, axes, columns: &[], about }
}

/// Notes for people and models.
pub(super) const MIDI_NOTES: Field = Field {
    name: "midi_notes",
    kind: Kind::Float32,
    axes: &["note", "column"],
    columns: &["onset", "duration", "pitch", "velocity", "channel", "sustained", "track"],
    about: "Notes. onset, duration, sustained (duration with the pedal applied): s. pitch: MIDI key. velocity: 1 to 127. channel: 0 to 15. \
     track: place in metadata's note_sources.",
};

/// The same notes, to the sample.
pub(super) const NOTE_SAMPLES: Field = Field {
    name: "note_samples",
    kind: Kind::Int64,
    axes: &["note", "column"],
    columns: &["onset", "duration", "sustained", "release_velocity", "held", "open"],
    about: "The notes of midi_notes, row by row. onset, duration, sustained: samples. release_velocity: 0 to 127. held: 1 where it sounded \
     before the window. open: 1 where no note-off came.",
};

/// Everything that was played, byte by byte.
pub(super) const MIDI_EVENTS: Field = Field {
    name: "midi_events",
    kind: Kind::Int64,
    axes: &["event", "column"],
    columns: &["sample", "track", "status", "data1", "data2", "sysex_offset", "sysex_length"],
    about: "MIDI messages as they were played. sample: samples. status, data1, data2: bytes, 0 where there is none. sysex_offset, \
     sysex_length: where the bytes of a system exclusive message lie in sysex; 0, 0 for others.",
};

/// What [`MIDI_EVENTS`] points into.
pub(super) const SYSEX: Field = Field {
    name: "sysex",
    kind: Kind::Uint8,
    axes: &["byte"],
    columns: &[],
    about: "The system exclusive messages of midi_events, with F0 and F7.",
};

/// Controllers, pressures and programs.
pub(super) const CONTROLS: Field = Field {
    name: "controls",
    kind: Kind::Float32,
    axes: &["change", "column"],
    columns: &["time", "status", "channel", "number", "value", "track"],
    about: "Controllers, pressures and programs. time: s. status: upper four bits of the MIDI status byte: 10 key pressure, 11 controller, \
     12 program, 13 channel pressure. number: controller or key, or 0. value: 0 to 1; the number of a program.",
};

/// Pitch bend.
pub(super) const PITCH_BEND: Field = Field {
    name: "pitch_bend",
    kind: Kind::Float32,
    axes: &["change", "column"],
    columns: &["time", "channel", "value", "track"],
    about: "Pitch bend. time: s. value: -1 to 1.",
};

/// The tempo map.
pub(super) const TEMPO_MAP: Field = Field {
    name: "tempo_map",
    kind: Kind::Float32,
    axes: &["change", "column"],
    columns: &["time", "tempo"],
    about: "Tempo. time: s, from where it holds. tempo: quarter notes per minute.",
};

/// The meter map.
pub(super) const METER_MAP: Field = Field {
    name: "meter_map",
    kind: Kind::Float32,
    axes: &["change", "column"],
    columns: &["time", "numerator", "denominator"],
    about: "Meter. time: s, from where it holds.",
};

/// Beats and bars.
pub(super) const BEATS: Field = Field {
    name: "beats",
    kind: Kind::Float32,
    axes: &["beat", "column"],
    columns: &["time", "ppq", "bar", "beat"],
    about: "Beats. time: s. ppq: playhead in quarter notes. bar: from 0. beat: within the bar, 0 is the downbeat.",
};

/// Samples.
pub(super) const AUDIO: Field =
    Field { name: "audio", kind: Kind::Float32, axes: &["channel", "sample"], columns: &[], about: "Samples, full scale is 1." };

/// The features, in the order of [`arrays`](super::arrays).
pub(super) const FEATURES: [Field; 10] = [
    feature("mfcc", &["frame", "mfcc"], "Mel-frequency cepstral coefficients, dB."),
    feature("chroma", &["frame", "chroma"], "Chroma, 0 to 1, from C up."),
    feature("mel", &["frame", "mel"], "Mel spectrum, power."),
    feature("spectral_centroid", &["frame"], "Spectral centroid, Hz."),
    feature("spectral_bandwidth", &["frame"], "Spectral bandwidth, Hz."),
    feature("spectral_rolloff", &["frame"], "Spectral rolloff at 85 %, Hz."),
    feature("spectral_flatness", &["frame"], "Spectral flatness, 0 to 1."),
    feature("zero_crossing_rate", &["frame"], "Zero crossings per sample, 0 to 1."),
    feature("rms", &["frame"], "Root mean square, full scale is 1."),
    feature("onset_strength", &["frame"], "Onset strength, dB, 0 or more."),
];

/// The music, in the order of [`arrays`](super::arrays).
pub(super) const MUSIC: [Field; 9] =
    [MIDI_NOTES, NOTE_SAMPLES, MIDI_EVENTS, SYSEX, CONTROLS, PITCH_BEND, TEMPO_MAP, METER_MAP, BEATS];
