//! The index: what a sequence is, in columns that a person chooses by.

use hdf5::H5Type;
use hdf5::types::FixedUnicode;

use crate::sequences::About;
use crate::store::layout::fixed;

/// Attribute `about` of `/index`.
pub(super) const ABOUT: &str = "What each sequence is. Texts are UTF-8, cut where they are longer than their column: /metadata has \
    them whole. split: train, validation or test. performance: takes played together, or that repeat one another; none has two \
    splits. window: sequences of one performance that share it sound at once. sample_rate: samples per second. channels: of audio, \
    0 for MIDI alone. frames: length in samples. first_sample: in the take. started_unix_nanos: ns since 1970-01-01 UTC. ppq: \
    playhead at the begin, in quarter notes. tempo: mean, in quarter notes per minute. key_score: correlation with the key's \
    profile, -1 to 1. notes: that begin in it. polyphony: the most notes at once. peak_dbfs, rms_dbfs: dB of full scale. NaN or an \
    empty text: not known.";

/// A row of `/index`: what [`About`] has, where not said otherwise.
#[derive(Clone, Copy, Debug, H5Type)]
#[repr(C)]
pub(super) struct IndexRow {
    id: FixedUnicode<32>,
    split: FixedUnicode<16>,
    performance: FixedUnicode<64>,
    window: u64,
    name: FixedUnicode<64>,
    contributor: FixedUnicode<64>,
    licence: FixedUnicode<64>,
    project: FixedUnicode<64>,
    stream_id: FixedUnicode<36>,
    take_id: FixedUnicode<36>,
    sample_rate: f64,
    channels: u16,
    frames: u64,
    first_sample: u64,
    started_unix_nanos: u64,
    ppq: f64,
    tempo: f64,
    meter: FixedUnicode<16>,
    key: FixedUnicode<16>,
    key_score: f64,
    midi_events: u64,
    notes: u64,
    polyphony: u32,
    peak_dbfs: f64,
    rms_dbfs: f64,
    audio_sha256: FixedUnicode<64>,
}

impl IndexRow {
    pub(super) fn new(about: &About) -> Self {
        let known = |number: Option<f64>| number.unwrap_or(f64::NAN);
        Self {
            id: fixed(&about.id),
            split: fixed(about.split.name()),
            performance: fixed(&about.performance),
            window: about.window,
            name: fixed(&about.name),
            contributor: fixed(&about.contributor),
            licence: fixed(&about.licence),
            project: fixed(&about.project),
            stream_id: fixed(&about.stream_id),
            take_id: fixed(&about.take_id),
            sample_rate: about.sample_rate,
            channels: about.channels,
            frames: about.frames,
            first_sample: about.first_sample,
            started_unix_nanos: about.started_unix_nanos,
            ppq: known(about.ppq),
            tempo: known(about.tempo),
            meter: fixed(about.meter.as_deref().unwrap_or_default()),
            key: fixed(about.key.as_deref().unwrap_or_default()),
            key_score: known(about.key_score),
            midi_events: about.midi_events,
            notes: about.notes,
            polyphony: about.polyphony,
            peak_dbfs: known(about.peak_dbfs),
            rms_dbfs: known(about.rms_dbfs),
            audio_sha256: fixed(&about.audio_sha256),
        }
    }
}
