//! What is written comes back, also while the file grows.

use send_learn::store::layout::*;
use send_learn::store::verify::verify;
use send_learn::store::writer::Part;
use send_learn::store::{PartWriter, Recording};
use send_learn::timeline::{Batch, Faults, Piece, crc_of};
use send_learn_protocol::packet::hello::{Description, PropertyKey};
use send_learn_protocol::units::{HostId, HostNanos, MachineId, StreamId, TakeId};

fn description(channels: u16) -> Description {
    Description {
        stream: StreamId([1; 16]),
        take: TakeId([2; 16]),
        host: HostId([3; 16]),
        machine: MachineId([4; 16]),
        sample_rate: 44_100.0,
        channels,
        max_block: 256,
        started_unix_nanos: 5,
        started: HostNanos(6),
        properties: vec![(PropertyKey::NAME, "Flöte".into()), (PropertyKey::FORMAT, "CLAP".into())],
    }
}

fn block_row(sample: u64, samples: &[f32], channels: usize) -> BlockRow {
    BlockRow {
        sample,
        frames: (samples.len() / channels) as u32,
        crc: crc_of(samples),
        host_nanos: sample,
        arrival_nanos: sample,
        playhead: i64::MIN,
        arrival: 1,
        level: 1.0,
    }
}

fn samples(from: u64, frames: u64, channels: u64) -> Vec<f32> {
    (from * channels..(from + frames) * channels).map(|index| f32::from_bits((index as u32).wrapping_mul(2_654_435_761))).collect()
}

/// A block's batch, with a row in every table.
fn batch(position: u64, frames: u64, channels: u64) -> Batch {
    let audio = samples(position, frames, channels);
    let midi = MidiRow {
        sample: position,
        status: 0xF0,
        data1: 1,
        data2: 2,
        kind: 1,
        note_id: -1,
        value: 0.5,
        sysex_offset: 0,
        sysex_length: 3,
    };
    Batch {
        blocks: vec![block_row(position, &audio, channels as usize)],
        audio: vec![Piece::Samples(audio)],
        midi: vec![midi],
        sysex: vec![0xF0, position as u8, 0xF7],
        automation: vec![AutomationRow { sample: position, parameter: 3, normalized: 0.25, plain: -6.0 }],
        markers: vec![MarkerRow { sample: position, kind: 1, text: fixed("Strophe ä") }],
        ..Batch::default()
    }
}

const PART: Part = Part::FIRST;

#[test]
fn everything_comes_back_bit_for_bit_whatever_the_lengths_of_blocks_and_gaps() {
    for channels in [1_u16, 2, 7] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("take.h5");
        let width = u64::from(channels);
        let mut writer = PartWriter::create(&path, &description(channels), PART).unwrap();
        let (mut position, mut expected, mut gaps) = (0, Vec::new(), Vec::new());
        for (index, frames) in [1, 512, 16_383, 16_384, 16_385, 40_000, 3].into_iter().cycle().take(12).enumerate() {
            writer.append(batch(position, frames, width)).unwrap();
            expected.extend(samples(position, frames, width));
            position += frames;
            if index % 3 == 1 {
                let frames = [70_000, 5][index / 3 % 2];
                let gap = GapRow { sample: position, frames, reason: 1 };
                gaps.push(gap);
                writer.append(Batch { audio: vec![Piece::Missing(frames)], gaps: vec![gap], ..Batch::default() }).unwrap();
                expected.resize(expected.len() + (frames * width) as usize, 0.0);
                position += frames;
            }
            writer.flush().unwrap();
            // While it grows it can be read, as far as it says.
            let growing = Recording::open(&path).unwrap();
            let committed = growing.summary.committed_frames;
            assert!(!growing.summary.closed && committed <= position);
            let read = growing.audio(0..committed).unwrap();
            assert!(read.iter().zip(&expected).all(|(read, expected)| read.to_bits() == expected.to_bits()));
            assert!(verify(&path).unwrap().is_good(), "{:?}", verify(&path).unwrap());
        }
        writer.finish("stopped", position, Faults::default()).unwrap();
        let recording = Recording::open(&path).unwrap();
        assert_eq!(
            (recording.summary.frames, recording.summary.closed, recording.summary.name.as_str()),
            (position, true, "Flöte")
        );
        let read = recording.audio(0..position).unwrap();
        assert!(read.len() == expected.len() && read.iter().zip(&expected).all(|(a, b)| a.to_bits() == b.to_bits()));
        assert_eq!(recording.table::<GapRow>().unwrap(), gaps);
        let midi = recording.table::<MidiRow>().unwrap();
        let sysex = recording.sysex().unwrap();
        assert_eq!(midi.len(), 12);
        for (index, row) in midi.iter().enumerate() {
            assert_eq!(row.sysex_offset, index as u64 * 3);
            assert_eq!(sysex[row.sysex_offset as usize + 1], row.sample as u8);
        }
        assert_eq!(recording.table::<MarkerRow>().unwrap()[0].text.as_str(), "Strophe ä");
        let verdict = verify(&path).unwrap();
        assert!(verdict.is_good() && verdict.checked_blocks == 12, "{verdict:?}");
    }
}

#[test]
fn a_very_long_gap_and_digital_silence_cost_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("take.h5");
    let mut writer = PartWriter::create(&path, &description(2), PART).unwrap();
    let frames = 1 << 40;
    let gap = GapRow { sample: 0, frames, reason: 2 };
    writer.append(Batch { audio: vec![Piece::Missing(frames)], gaps: vec![gap], ..Batch::default() }).unwrap();
    writer.append(batch(frames, 100, 2)).unwrap();
    let silence = vec![0.0; 2 * 1_000_000];
    let row = block_row(frames + 100, &silence, 2);
    writer.append(Batch { audio: vec![Piece::Samples(silence)], blocks: vec![row], ..Batch::default() }).unwrap();
    writer.finish("stopped", frames + 1_000_100, Faults::default()).unwrap();
    assert!(std::fs::metadata(&path).unwrap().len() < 200_000);
    let recording = Recording::open(&path).unwrap();
    assert_eq!(recording.audio_shape().unwrap(), (frames + 1_000_100, 2));
    assert_eq!(recording.audio(frames..frames + 100).unwrap().len(), 200);
}

/// What a check must find, and a change to a good batch that causes it.
type Fault = (&'static str, fn(&mut Batch));

#[test]
fn a_check_finds_what_is_wrong() {
    let faults: [Fault; 5] = [
        ("checksum", |batch| batch.blocks[0].crc ^= 1),
        ("no block and no gap", |batch| batch.blocks[0].frames -= 1),
        ("holds samples", |batch| batch.gaps.push(GapRow { sample: 1_000, frames: 10, reason: 1 })),
        ("/midi is not in order", |batch| batch.midi[0].sample = 0),
        ("beyond /sysex", |batch| batch.midi[0].sysex_length = 9),
    ];
    for (expected, spoil) in faults {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("take.h5");
        let mut writer = PartWriter::create(&path, &description(2), PART).unwrap();
        writer.append(Batch { midi: vec![batch(0, 1, 2).midi[0]; 1], ..batch(0, 512, 2) }).unwrap();
        let mut second = batch(512, 1_000, 2);
        second.midi.push(second.midi[0]);
        second.midi[0].sysex_length = 0;
        spoil(&mut second);
        if expected.contains("order") {
            second.midi.reverse();
        }
        writer.append(second).unwrap();
        writer.finish("stopped", 1_512, Faults::default()).unwrap();
        let verdict = verify(&path).unwrap();
        assert!(verdict.problems.iter().any(|problem| problem.contains(expected)), "{expected}: {verdict:?}");
        assert_eq!(verdict.damage, expected != "checksum", "{expected}: {verdict:?}");
    }
}

#[test]
fn a_check_goes_on_to_the_samples_whatever_it_found_before() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("take.h5");
    let mut writer = PartWriter::create(&path, &description(2), PART).unwrap();
    let mut spoilt = batch(0, 512, 2);
    spoilt.midi[0].sysex_length = 9;
    spoilt.blocks[0].crc ^= 1;
    writer.append(spoilt).unwrap();
    writer.finish("stopped", 512, Faults { bad_records: 1, ..Faults::default() }).unwrap();
    let verdict = verify(&path).unwrap();
    assert_eq!((verdict.damage, verdict.checked_blocks, verdict.crc_mismatches), (true, 1, 1), "{verdict:?}");
}
