//! Names, types and constants of a recording (spec/hdf5-layout.md).

use hdf5::H5Type;
use hdf5::types::FixedUnicode;
use send_learn_protocol::packet::hello::PropertyKey;

use super::checksum::Packed;
use crate::features;

/// Root attribute `format` of every recording.
pub const FORMAT: &str = "send-learn";

/// Root attribute `schema_version`: raised when a reader of older files would misread newer ones.
pub const SCHEMA_VERSION: u32 = 1;

/// Frames in one chunk of `/audio`.
pub const AUDIO_CHUNK: usize = 16_384;

/// The zlib level of audio chunks: 1, because higher ones cost much time and gain little on music.
pub const DEFLATE_LEVEL: u8 = 1;

/// The highest sample position that a recording takes: 2^48, some 186 years at 48 kHz. Beyond it a position is an error.
pub const MAX_POSITION: u64 = 1 << 48;

/// A row of one of the tables.
pub trait Row: H5Type + Clone + Packed {
    /// The dataset's name.
    const NAME: &'static str;
    /// Rows in one chunk.
    const CHUNK: usize;
    /// Attribute `about`: what a row is, and the columns' units.
    const ABOUT: &'static str;
    /// The sample position of the row, for tables sorted by it.
    fn sample(&self) -> Option<u64>;
}

macro_rules! tables {
    ($($(#[$doc:meta])* $name:ident($table:literal, $chunk:literal, $about:literal) {
        $($(#[$field_doc:meta])* $field:ident: $type:ty,)*
    })*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, H5Type)]
        #[repr(C)]
        pub struct $name {
            $($(#[$field_doc])* pub $field: $type,)*
        }

        impl Packed for $name {
            fn pack(&self, bytes: &mut Vec<u8>) {
                $(self.$field.pack(bytes);)*
            }
        }

        impl Row for $name {
            const NAME: &'static str = $table;
            const CHUNK: usize = $chunk;
            const ABOUT: &'static str = $about;

            fn sample(&self) -> Option<u64> {
                Some(self.sample)
            }
        }
    )*};
}

tables! {
    /// A MIDI event.
    MidiRow("midi", 512, "MIDI events. sample: position in samples. kind: 0 message, 1 system exclusive, 2 further part of \
        one, 3 CLAP note expression (status = its number, data1 = key, data2 = channel). value: full resolution, 0 to 1; 0 \
        where the bytes say all. note_id: the host's, or -1. sysex_offset, sysex_length: bytes in /sysex.") {
        /// Position in samples since the take began.
        sample: u64,
        /// Status byte.
        status: u8,
        /// First data byte.
        data1: u8,
        /// Second data byte.
        data2: u8,
        /// `MidiKind` of the protocol.
        kind: u8,
        /// The host's note identity; -1 for none.
        note_id: i32,
        /// Value in the host's full resolution.
        value: f64,
        /// First byte in `/sysex`.
        sysex_offset: u64,
        /// Bytes in `/sysex`; 0 for none.
        sysex_length: u32,
    }

    /// A point of automation.
    AutomationRow("automation", 512, "Parameter values. sample: position from which the value holds. parameter: see \
        /parameters. normalized: 0 to 1. plain: in the parameter's own unit.") {
        /// Position in samples from which the value holds.
        sample: u64,
        /// The parameter's number.
        parameter: u32,
        /// 0 to 1.
        normalized: f64,
        /// In the parameter's own unit.
        plain: f64,
    }

    /// The host's transport.
    TransportRow("transport", 128, "Transport changes. sample: position from which the row holds. flags: bit 0 playing, \
        1 recording, 2 looping; the others say which fields the host gave: 3 tempo, 4 meter, 5 playhead, 6 seconds, 7 ppq, \
        8 bar_start and bar. tempo: quarter notes per minute. playhead: samples. seconds: s. ppq, bar_start, loop_start, \
        loop_end: quarter notes. bar: from 0.") {
        /// Position in samples from which the row holds.
        sample: u64,
        /// `TransportFlags` of the protocol.
        flags: u16,
        /// Beats per bar.
        numerator: u16,
        /// Note value of a beat.
        denominator: u16,
        /// Bar number from 0.
        bar: i32,
        /// Quarter notes per minute.
        tempo: f64,
        /// Playhead in samples.
        playhead: i64,
        /// Playhead in seconds.
        seconds: f64,
        /// Playhead in quarter notes.
        ppq: f64,
        /// Begin of the bar in quarter notes.
        bar_start: f64,
        /// Begin of the loop in quarter notes.
        loop_start: f64,
        /// End of the loop in quarter notes.
        loop_end: f64,
    }

    /// A host block.
    BlockRow("blocks", 512, "Host blocks. sample, frames: which samples. crc: CRC-32 (IEEE 802.3) of them as little-endian \
        float32, interleaved by frame. host_nanos: the studio machine's monotonic clock when the host handed the block over. \
        arrival_nanos: the receiver's monotonic clock when its last part came. playhead: host playhead in samples, -2^63 \
        where unknown. arrival: 0 live, 1 repaired by FEC, 2 sent again, 3 back-filled (the latest of its parts). level: \
        quality, 1.0 is bit-exact.") {
        /// Position of the first frame.
        sample: u64,
        /// Frames.
        frames: u32,
        /// CRC-32 of the samples.
        crc: u32,
        /// Studio machine's monotonic clock, ns.
        host_nanos: u64,
        /// Receiver's monotonic clock, ns.
        arrival_nanos: u64,
        /// Host playhead in samples; `i64::MIN` for unknown.
        playhead: i64,
        /// `tap::Arrival` of the protocol.
        arrival: u8,
        /// Quality level, 1.0 is bit-exact.
        level: f32,
    }

    /// Samples that are not there.
    GapRow("gaps", 64, "Samples that are missing; /audio holds zeros there. sample, frames: which. reason: 1 ring full, \
        2 bypassed, 3 retention full, 4 sender restarted, 5 interrupted, 6 the sent file's audio had ended, 7 capture was off, \
        8 private and not sent, 255 other.") {
        /// Position of the first missing frame.
        sample: u64,
        /// Missing frames.
        frames: u64,
        /// `GapReason` of the protocol.
        reason: u8,
    }

    /// A measurement of the clocks.
    ClockRow("clock", 64, "Clock measurements. host_nanos: the studio machine's monotonic clock. offset_nanos: receiver's \
        monotonic clock less the studio machine's. round_trip_nanos, uncertainty_nanos: ns. drift_ppb: change of the offset, \
        parts per billion.") {
        /// The take's sample counter.
        sample: u64,
        /// Studio machine's monotonic clock, ns.
        host_nanos: u64,
        /// Receiver's clock less the studio machine's, ns.
        offset_nanos: i64,
        /// Round trip, ns.
        round_trip_nanos: u64,
        /// The true offset is within this, ns.
        uncertainty_nanos: u64,
        /// Drift in parts per billion.
        drift_ppb: f64,
    }

    /// Features of a frame of the audio.
    FeatureRow("features", 128, "Features of the mean of the channels, as they are computed while recording: frames of \
        2,048 samples each 512, as librosa defines them (mfcc: 80 dB below the loudest frame so far count as silent). \
        sample: position of the frame's centre. mfcc: dB. chroma: C upwards, 0 to 1. centroid, bandwidth, rolloff: Hz. \
        flatness: 0 to 1. zero_crossing_rate: per sample. rms: full scale. onset: dB.") {
        /// Position of the frame's centre.
        sample: u64,
        /// Mel-frequency cepstral coefficients, dB.
        mfcc: [f32; 13],
        /// Share of each pitch class from C upwards, the strongest 1.
        chroma: [f32; 12],
        /// Hz.
        centroid: f32,
        /// Hz.
        bandwidth: f32,
        /// Hz.
        rolloff: f32,
        /// 0 to 1.
        flatness: f32,
        /// Changes of sign per sample.
        zero_crossing_rate: f32,
        /// Root mean square; 1 is full scale.
        rms: f32,
        /// Onset strength, dB.
        onset: f32,
    }

    /// A marker.
    MarkerRow("markers", 32, "Markers. kind: 1 text of the music, 2 playhead jumped, 3 loop, 4 bypass on, 5 bypass off, \
        6 private on, 7 private off, 8 capture off, 9 capture on, 10 tempo jumped, 255 other. text: UTF-8, cut at 128 bytes.") {
        /// Position in samples.
        sample: u64,
        /// `MarkerKind` of the protocol.
        kind: u8,
        /// In words.
        text: FixedUnicode<128>,
    }
}

impl FeatureRow {
    /// The row for the frame whose centre is at `sample`.
    ///
    /// # Panics
    /// When the features have other counts than the defaults.
    pub fn new(sample: u64, row: features::Row<'_>) -> Self {
        let frame = row.frame;
        Self {
            sample,
            mfcc: row.mfcc.try_into().expect("13 coefficients"),
            chroma: frame.chroma[..].try_into().expect("12 pitch classes"),
            centroid: frame.centroid,
            bandwidth: frame.bandwidth,
            rolloff: frame.rolloff,
            flatness: frame.flatness,
            zero_crossing_rate: frame.zero_crossing_rate,
            rms: frame.rms,
            onset: row.onset,
        }
    }
}

/// A parameter's name.
#[derive(Clone, Copy, Debug, PartialEq, H5Type)]
#[repr(C)]
pub struct ParameterRow {
    /// The number that `/automation` uses.
    pub parameter: u32,
    /// What the host shows.
    pub name: FixedUnicode<64>,
}

impl Packed for ParameterRow {
    fn pack(&self, bytes: &mut Vec<u8>) {
        self.parameter.pack(bytes);
        self.name.pack(bytes);
    }
}

impl Row for ParameterRow {
    const NAME: &'static str = "parameters";
    const CHUNK: usize = 32;
    const ABOUT: &'static str = "Names of the parameters in /automation. name: UTF-8, cut at 64 bytes.";

    fn sample(&self) -> Option<u64> {
        None
    }
}

/// The root attribute for a text of the description; `None` for keys that this version does not know. The protocol's
/// `format` (CLAP, VST3, file) would be taken for the recording's own.
pub fn property_attribute(key: PropertyKey) -> Option<&'static str> {
    if key == PropertyKey::FORMAT { Some("plugin_format") } else { key.label() }
}

/// `text` as a fixed string of `N` bytes, cut at a character boundary and at the first NUL.
pub fn fixed<const N: usize>(text: &str) -> FixedUnicode<N> {
    let text = text.split('\0').next().unwrap_or_default();
    text[..text.floor_char_boundary(N)].parse().unwrap_or_default()
}
