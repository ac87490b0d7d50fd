//! Recordings for the tests of sequences: written by the store itself, with any events, gaps and marks.
#![allow(dead_code, unreachable_pub, reason = "each test file is a crate that uses its part of it")]

use std::path::{Path, PathBuf};

use send_learn::source::{Sources, files};
use send_learn::store::PartWriter;
use send_learn::store::layout::*;
use send_learn::store::writer::Part;
use send_learn::take::slug;
use send_learn::timeline::{Batch, Faults, Piece, crc_of};
use send_learn_protocol::packet::hello::{Description, PropertyKey};
use send_learn_protocol::units::{HostId, HostNanos, MachineId, StreamId, TakeId};

pub const RATE: u64 = 48_000;
const BLOCK: u64 = 480;

/// A take to be written; change its fields before [`Take::write`].
pub struct Take {
    pub number: u8,
    pub name: &'static str,
    pub host: u8,
    pub machine: u8,
    pub channels: u16,
    pub seconds: u64,
    /// Host's monotonic clock at the begin, ns.
    pub host_nanos: u64,
    /// Seconds of the host's clock that its sample clock takes for a second.
    pub second: f64,
    /// Wall clock at the begin, seconds after that of all.
    pub begins: f64,
    /// Playhead at the begin; none while it stands.
    pub playhead: Option<i64>,
    pub consent: &'static str,
    /// Samples and pitches of notes of a quarter of a second.
    pub notes: Vec<(u64, u8)>,
    /// Samples and bytes of further messages.
    pub messages: Vec<(u64, [u8; 3])>,
    pub gaps: Vec<GapRow>,
    pub markers: Vec<MarkerRow>,
    pub clock: Vec<ClockRow>,
    /// Its sound: take's number, position and channel give the sample.
    pub sound: fn(u8, u64, u64) -> f32,
    /// How the block at a position came: arrival and quality level.
    pub delivery: fn(u64) -> (u8, f32),
}

/// A stereo take of 100 s with the given number, two notes a second, all by itself: another host, machine, and day than others.
pub fn take(number: u8) -> Take {
    Take {
        number,
        name: "Keys",
        host: number,
        machine: number,
        channels: 2,
        seconds: 100,
        host_nanos: 1_000_000_000 * u64::from(number),
        second: 1.0,
        begins: 86_400.0 * f64::from(number),
        playhead: Some(0),
        consent: "May be used to train models.",
        notes: melody(number, 100),
        messages: Vec::new(),
        gaps: Vec::new(),
        markers: Vec::new(),
        clock: Vec::new(),
        sound: sample,
        delivery: |_| (0, 1.0),
    }
}

/// Two notes a second that no other seed gives.
pub fn melody(seed: u8, seconds: u64) -> Vec<(u64, u8)> {
    let mut state = u32::from(seed).wrapping_mul(2_654_435_761) | 1;
    let mut note = |index: u64| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (index * RATE / 2 + 100, 40 + (state >> 24) as u8 % 48)
    };
    (0..seconds * 2).map(&mut note).collect()
}

pub fn marker(sample: u64, kind: u8) -> MarkerRow {
    MarkerRow { sample, kind, text: fixed("") }
}

/// Sample `position` of channel `channel` of take `number`, exact in 16 bits.
pub fn sample(number: u8, position: u64, channel: u64) -> f32 {
    let turn = std::f64::consts::TAU * (100.0 + 10.0 * f64::from(number) + channel as f64) / RATE as f64;
    ((position as f64 * turn).sin() * 8_000.0).round() as f32 / 32_768.0
}

/// A click at every note of [`melody`], which begins each half second, 100 samples late, that has nearly died away when the next comes.
pub fn clicks(_: u8, position: u64, _: u64) -> f32 {
    let since = (position + RATE / 2 - 100) % (RATE / 2);
    let decay = (-(since as f64) / 6000.0).exp() * (since as f64 * 0.25).sin();
    if position < 100 { 0.0 } else { (decay * 0.5) as f32 }
}

impl Take {
    /// Writes it as one closed part in a take's folder below `data`.
    pub fn write(&self, data: &Path) -> PathBuf {
        let folder = data.join("2026-11-22").join(format!("{:06}-{}", self.number, slug(self.name)));
        std::fs::create_dir_all(&folder).unwrap();
        let path = folder.join(format!("{}-0001.h5", slug(self.name)));
        let description = Description {
            stream: StreamId([self.number; 16]),
            take: TakeId([self.number; 16]),
            host: HostId([self.host; 16]),
            machine: MachineId([self.machine; 16]),
            sample_rate: RATE as f64,
            channels: self.channels,
            max_block: BLOCK as u32,
            started_unix_nanos: 1_790_000_000_000_000_000 + (self.begins * 1e9) as u64,
            started: HostNanos(self.host_nanos),
            properties: vec![(PropertyKey::NAME, self.name.into()), (PropertyKey::CONSENT, self.consent.into())],
        };
        let mut writer = PartWriter::create(&path, &description, Part::FIRST).unwrap();
        let frames = self.seconds * RATE;
        for position in (0..frames).step_by(BLOCK as usize) {
            let channels = u64::from(self.channels);
            let samples: Vec<f32> = (position..position + BLOCK)
                .flat_map(|position| (0..channels).map(move |channel| (position, channel)))
                .map(
                    |(position, channel)| {
                        if self.is_missing(position) { 0.0 } else { (self.sound)(self.number, position, channel) }
                    },
                )
                .collect();
            let (arrival, level) = (self.delivery)(position);
            let block = BlockRow {
                sample: position,
                frames: BLOCK as u32,
                crc: crc_of(&samples),
                host_nanos: self.host_nanos + ((position * 1_000_000_000 / RATE) as f64 * self.second) as u64,
                arrival_nanos: 0,
                playhead: self.playhead.map_or(i64::MIN, |playhead| playhead + position as i64),
                arrival,
                level,
            };
            let piece = if self.channels > 0 { Piece::Samples(samples) } else { Piece::Missing(BLOCK) };
            let blocks = if self.is_missing(position) { Vec::new() } else { vec![block] };
            writer.append(Batch { audio: vec![piece], blocks, ..Batch::default() }).unwrap();
        }
        let event = |(sample, [status, data1, data2]): (u64, [u8; 3])| MidiRow {
            sample,
            status,
            data1,
            data2,
            kind: 0,
            note_id: -1,
            value: 0.0,
            sysex_offset: 0,
            sysex_length: 0,
        };
        let notes = self.notes.iter().flat_map(|&(sample, key)| [(sample, [0x90, key, 100]), (sample + RATE / 4, [0x80, key, 0])]);
        let mut midi: Vec<MidiRow> = notes.chain(self.messages.iter().copied()).map(event).collect();
        midi.sort_by_key(|row| row.sample);
        let transport = |second: u64| TransportRow {
            sample: second * RATE,
            flags: 1 | 0b1_1111 << 3,
            numerator: 4,
            denominator: 4,
            bar: 0,
            tempo: 120.0,
            playhead: self.playhead.unwrap_or_default() + (second * RATE) as i64,
            seconds: (self.playhead.unwrap_or_default() as f64 / RATE as f64) + second as f64,
            ppq: (self.playhead.unwrap_or_default() as f64 / RATE as f64 + second as f64) * 2.0,
            bar_start: 0.0,
            loop_start: 0.0,
            loop_end: 0.0,
        };
        let tables = Batch {
            midi,
            transport: (0..self.seconds).map(transport).collect(),
            gaps: self.gaps.clone(),
            markers: self.markers.clone(),
            clock: self.clock.clone(),
            ..Batch::default()
        };
        writer.append(tables).unwrap();
        writer.finish("stopped", frames, Faults::default()).unwrap();
        path
    }

    fn is_missing(&self, position: u64) -> bool {
        self.gaps.iter().any(|gap| (gap.sample..gap.sample + gap.frames).contains(&position))
    }
}

/// Writes all takes to a new folder, and opens it.
pub fn written(takes: &[Take]) -> (tempfile::TempDir, Sources) {
    let data = tempfile::tempdir().unwrap();
    for take in takes {
        take.write(data.path());
    }
    let sources = Sources::open(&files(data.path()).unwrap());
    assert!(sources.broken.is_empty(), "{:?}", sources.broken);
    (data, sources)
}
