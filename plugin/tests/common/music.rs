//! Music that the tests play, whose every sample is known.
#![allow(dead_code, unreachable_pub, reason = "each test file is a crate that uses its part of it")]

use send_learn_plugin::capture::{Capture, CaptureConfig, Wanted, capture};
use send_learn_plugin::clock;
use send_learn_plugin::transport::Observed;
use send_learn_plugin::uplink::{StreamHandle, TakeConfig};
use send_learn_protocol::packet::hello::{Description, PropertyKey};
use send_learn_protocol::record::MidiKind;
use send_learn_protocol::sender::SendMode;
use send_learn_protocol::units::{HostId, HostNanos, MachineId, StreamId, TakeId};

pub const RATE: f64 = 48_000.0;
pub const BLOCK: u32 = 256;

pub fn begin(stream: &StreamHandle, mode: SendMode) -> (Capture, TakeId) {
    let config = CaptureConfig { sample_rate: RATE, channels: 2, max_block: BLOCK, patient: true };
    let (audio, captured) = capture(config);
    let take = TakeId::random();
    let mut description = Description {
        stream: StreamId::random(),
        take,
        host: HostId::random(),
        machine: MachineId::random(),
        sample_rate: RATE,
        channels: 2,
        max_block: BLOCK,
        started_unix_nanos: 0,
        started: HostNanos(0),
        properties: Vec::new(),
    };
    description.set_property(PropertyKey::NAME, "Lead");
    stream.start(TakeConfig { description, parameters: Vec::new(), mode }, captured);
    (audio, take)
}

pub fn sample(channel: usize, position: u64) -> f32 {
    ((position as f32 * 0.013 + channel as f32).sin() * 0.7 + (position % 97) as f32 * 1e-3) * 0.9
}

/// Plays `blocks` blocks as fast as there is room, with a note in each.
pub fn play(audio: &mut Capture, blocks: u32) {
    for _ in 0..blocks {
        let position = audio.position().0;
        let channels: [Vec<f32>; 2] =
            std::array::from_fn(|channel| (position..position + u64::from(BLOCK)).map(|n| sample(channel, n)).collect());
        audio.begin(BLOCK, clock::now(), &Observed::default(), Wanted::Captured);
        audio.midi(7, MidiKind::Message, [0x90, (position % 128) as u8, 1], -1, 0.0);
        audio.end(&channels);
    }
}

pub fn expected(frames: u64) -> Vec<f32> {
    (0..frames).flat_map(|n| [sample(0, n), sample(1, n)]).collect()
}
