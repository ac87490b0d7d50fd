//! A recording made by hand (spec/hdf5-layout.md): as much of one as a replay reads, the same each time.

use std::path::Path;
use std::str::FromStr;

use hdf5::types::{FixedUnicode, VarLenUnicode};
use hdf5::{File, H5Type};

/// Samples per second.
pub const RATE: f64 = 48_000.0;

#[derive(Clone, Copy, H5Type)]
#[repr(C)]
pub struct MidiRow {
    pub sample: u64,
    pub status: u8,
    pub data1: u8,
    pub data2: u8,
    pub kind: u8,
}

#[derive(Clone, Copy, H5Type)]
#[repr(C)]
pub struct AutomationRow {
    pub sample: u64,
    pub parameter: u32,
    pub normalized: f64,
}

#[derive(Clone, Copy, H5Type)]
#[repr(C)]
struct ParameterRow {
    parameter: u32,
    name: FixedUnicode<64>,
}

#[derive(Clone, Copy, H5Type)]
#[repr(C)]
struct TransportRow {
    sample: u64,
    flags: u16,
    numerator: u16,
    denominator: u16,
    bar: i32,
    tempo: f64,
    ppq: f64,
    bar_start: f64,
}

#[derive(Clone, Copy, H5Type)]
#[repr(C)]
struct BlockRow {
    sample: u64,
    frames: u32,
    host_nanos: u64,
    arrival_nanos: u64,
    arrival: u8,
    level: f32,
}

#[derive(Clone, Copy, H5Type)]
#[repr(C)]
struct GapRow {
    sample: u64,
    frames: u64,
}

#[derive(Clone, Copy, H5Type)]
#[repr(C)]
struct ClockRow {
    sample: u64,
    host_nanos: u64,
    offset_nanos: i64,
}

fn text(file: &File, name: &str, value: &str) {
    file.new_attr::<VarLenUnicode>().create(name).unwrap().write_scalar(&VarLenUnicode::from_str(value).unwrap()).unwrap();
}

fn number<T: H5Type>(file: &File, name: &str, value: T) {
    file.new_attr::<T>().create(name).unwrap().write_scalar(&value).unwrap();
}

fn table<T: H5Type + Clone>(file: &File, name: &str, rows: &[T]) {
    file.new_dataset_builder().with_data(rows).create(name).unwrap();
}

/// Writes a closed stereo take with these samples (interleaved), 120 quarters a minute from its begin on. Every fourth block from `bad`
/// seconds on was rebuilt from parity.
pub fn write(path: &Path, name: &str, samples: &[f32], midi: &[MidiRow], automation: &[AutomationRow], bad: f64) {
    let file = File::create(path).unwrap();
    let frames = samples.len() / 2;
    for (key, value) in
        [("format", "send-learn"), ("name", name), ("host", "Example host"), ("machine", "studio"), ("audio_file", "")]
    {
        text(&file, key, value);
    }
    for (key, digit) in [("stream_id", "1"), ("take_id", "2"), ("host_id", "3"), ("machine_id", "4")] {
        text(&file, key, &format!("{0}-{1}-{1}-{1}-{0}{1}", digit.repeat(8), digit.repeat(4)));
    }
    number(&file, "schema_version", 1_u32);
    number(&file, "sample_rate", RATE);
    number(&file, "channels", 2_u16);
    number(&file, "max_block", 512_u32);
    number(&file, "started_unix_nanos", 1_u64);
    number(&file, "started_host_nanos", 1_u64);
    number(&file, "first_sample", 0_u64);
    number(&file, "frames", frames as u64);
    number(&file, "closed", 1_u8);
    let audio = file.new_dataset::<f32>().shape((frames, 2)).create("audio").unwrap();
    audio.write_raw(samples).unwrap();
    table(&file, "midi", midi);
    table(&file, "automation", automation);
    table(&file, "parameters", &[ParameterRow { parameter: 5, name: FixedUnicode::from_str("Cutoff").unwrap() }]);
    // Playing; tempo, meter, quarter notes and bar are given.
    let flags = 1 | 8 | 16 | 128 | 256;
    let transport = TransportRow { sample: 0, flags, numerator: 4, denominator: 4, bar: 0, tempo: 120.0, ppq: 0.0, bar_start: 0.0 };
    table(&file, "transport", &[transport]);
    let blocks = (0..frames as u64).step_by(512).map(|sample| {
        let host_nanos = (sample as f64 / RATE * 1e9) as u64;
        let arrival = u8::from(sample as f64 > bad * RATE && sample / 512 % 4 == 0);
        let frames = (frames as u64 - sample).min(512) as u32;
        BlockRow { sample, frames, host_nanos, arrival_nanos: host_nanos + 3_200_000, arrival, level: 1.0 }
    });
    table(&file, "blocks", &blocks.collect::<Vec<_>>());
    // Behind the end: none.
    table(&file, "gaps", &[GapRow { sample: frames as u64, frames: 0 }]);
    table(&file, "clock", &[ClockRow { sample: 0, host_nanos: 0, offset_nanos: 0 }]);
}
