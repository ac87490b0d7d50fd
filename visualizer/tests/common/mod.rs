//! What the tests and the feeder share: the receiver's side of the tap, and made-up music.
#![allow(dead_code, unreachable_pub, reason = "each user takes its own part")]

pub mod band;
pub mod picture;
pub mod recording;
pub mod studio;

use std::time::Instant;

use send_learn_protocol::packet::hello::{Description, PropertyKey};
use send_learn_protocol::record::Record;
use send_learn_protocol::record::pack::Packer;
use send_learn_protocol::tap::{Arrival, Frame, GREETING};
use send_learn_protocol::units::{HostId, HostNanos, MachineId, SamplePosition, StreamId, TakeId};
use send_learn_visualizer::source::Delivery;

/// What a receiver sends first.
pub fn greeting() -> Vec<u8> {
    GREETING.to_vec()
}

/// Audio that came at once.
pub fn live() -> Delivery {
    Delivery { arrival: Arrival::Live, tap: None, read: Instant::now() }
}

/// A stereo stream at 48 kHz.
pub fn description(name: &str) -> Description {
    Description {
        stream: StreamId::random(),
        take: TakeId::random(),
        host: HostId([1; 16]),
        machine: MachineId([2; 16]),
        sample_rate: 48_000.0,
        channels: 2,
        max_block: 512,
        started_unix_nanos: 0,
        started: HostNanos(0),
        properties: vec![
            (PropertyKey::NAME, name.into()),
            (PropertyKey::HOST, "Example host".into()),
            (PropertyKey::MACHINE, "studio".into()),
        ],
    }
}

/// Appends the frames of all entries that `packer` has closed.
pub fn write_entries(out: &mut Vec<u8>, key: u32, packer: &mut Packer) {
    packer.flush();
    while let Some(entry) = packer.pop() {
        Frame::Entry { key, arrival: Arrival::Live, arrived: HostNanos(0), entry }.write(out);
    }
}

/// The frame of one entry with `samples`, interleaved stereo.
pub fn audio_frame(key: u32, packer: &mut Packer, position: u64, samples: &[f32]) -> Vec<u8> {
    let mut out = Vec::new();
    packer.push_audio(SamplePosition(position), 2, samples);
    write_entries(&mut out, key, packer);
    out
}

/// The frame of one entry with one record.
pub fn record_frame(key: u32, packer: &mut Packer, record: &Record<'_>) -> Vec<u8> {
    let mut out = Vec::new();
    packer.push(record);
    write_entries(&mut out, key, packer);
    out
}
