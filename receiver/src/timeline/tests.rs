use super::*;
use send_learn_protocol::record::pack::Packer;
use send_learn_protocol::record::{Gap, records};
use send_learn_protocol::units::{SamplePosition, SourceNumber};

const LIVE: Came = Came { arrival: Arrival::Live, at: HostNanos(10) };

/// What the sender would log for a block of one channel.
fn block(position: u64, samples: &[f32], crc: u32) -> Vec<Vec<u8>> {
    log(|packer| {
        packer.push_audio(SamplePosition(position), 1, samples);
        let frames = samples.len() as u32;
        packer.push(&Record::Block(Block { position: SamplePosition(position), frames, crc, host: HostNanos(1), playhead: None }));
    })
}

fn log(write: impl FnOnce(&mut Packer)) -> Vec<Vec<u8>> {
    let mut packer = Packer::new(SourceNumber(0));
    write(&mut packer);
    packer.flush();
    std::iter::from_fn(|| packer.pop()).collect()
}

/// Feeds entries; true if the last record completed a batch.
fn feed(timeline: &mut Timeline, entries: &[Vec<u8>], came: Came) -> bool {
    entries.iter().flat_map(|entry| records(entry)).fold(false, |_, record| timeline.record(record, came))
}

fn good_block(position: u64, frames: usize) -> (Vec<f32>, Vec<Vec<u8>>) {
    let samples: Vec<f32> = (0..frames).map(|frame| (position as f32 + frame as f32) * 0.001).collect();
    let entries = block(position, &samples, crc_of(&samples));
    (samples, entries)
}

#[test]
fn a_block_becomes_its_samples_and_one_row_that_says_how_its_latest_part_came() {
    let mut timeline = Timeline::new(1, 100);
    let (samples, entries) = good_block(100, 900);
    assert!(entries.len() > 1);
    feed(&mut timeline, &entries[..1], Came { arrival: Arrival::Resent, at: HostNanos(99) });
    assert!(feed(&mut timeline, &entries[1..], LIVE));
    let batch = timeline.take_batch();
    assert_eq!(batch.audio, [Piece::Samples(samples)]);
    assert_eq!((batch.blocks[0].sample, batch.blocks[0].arrival, batch.blocks[0].arrival_nanos), (100, 2, 99));
    assert!(batch.gaps.is_empty());
    assert_eq!((timeline.position(), timeline.faults()), (1_000, Faults::default()));
}

#[test]
fn a_wrong_checksum_is_counted() {
    let mut timeline = Timeline::new(1, 0);
    assert!(feed(&mut timeline, &block(0, &[0.5; 64], 7), LIVE));
    assert_eq!(timeline.faults().crc_mismatches, 1);
}

#[test]
fn a_gap_record_and_the_jump_after_it_are_one_row() {
    let mut timeline = Timeline::new(1, 0);
    feed(&mut timeline, &good_block(0, 64).1, LIVE);
    timeline.take_batch();
    let gap = Gap { position: SamplePosition(64), frames: 1_000_000_000, reason: GapReason::Bypassed };
    feed(&mut timeline, &log(|packer| packer.push(&Record::Gap(gap))), LIVE);
    let (samples, entries) = good_block(1_000_000_064, 32);
    assert!(feed(&mut timeline, &entries, LIVE));
    let batch = timeline.take_batch();
    assert_eq!(batch.gaps, [GapRow { sample: 64, frames: 1_000_000_000, reason: 2 }]);
    assert_eq!(batch.audio, [Piece::Missing(1_000_000_000), Piece::Samples(samples)]);
}

#[test]
fn what_the_sender_lost_is_missing_for_its_reason() {
    let mut timeline = Timeline::new(1, 0);
    feed(&mut timeline, &good_block(0, 64).1, LIVE);
    timeline.gone(GoneReason::RetentionFull, 5);
    feed(&mut timeline, &good_block(500, 64).1, LIVE);
    let batch = timeline.take_batch();
    assert_eq!(batch.gaps, [GapRow { sample: 64, frames: 436, reason: 3 }]);
    assert_eq!(timeline.faults().gone_entries, 5);
}

#[test]
fn a_block_whose_tail_is_gone_is_filled_and_not_called_wrong() {
    let mut timeline = Timeline::new(1, 0);
    let (_, mut entries) = good_block(0, 900);
    entries.remove(1);
    timeline.gone(GoneReason::SenderRestarted, 1);
    assert!(feed(&mut timeline, &entries, LIVE));
    let batch = timeline.take_batch();
    assert_eq!(timeline.position(), 900);
    assert!(batch.gaps.iter().map(|gap| gap.frames).sum::<u64>() > 0);
    assert_eq!(timeline.faults().crc_mismatches, 0);
}

#[test]
fn samples_that_come_twice_and_positions_beyond_reason_are_left_out_and_counted() {
    let mut timeline = Timeline::new(1, 0);
    feed(&mut timeline, &good_block(0, 64).1, LIVE);
    feed(&mut timeline, &good_block(32, 64).1, LIVE);
    assert_eq!((timeline.position(), timeline.faults().overlapping_frames), (96, 32));
    assert_eq!(timeline.faults().crc_mismatches, 0);
    feed(&mut timeline, &block(MAX_POSITION, &[0.5; 64], 0), LIVE);
    assert_eq!((timeline.position(), timeline.faults().bad_records), (96, 2));
}

#[test]
fn a_long_system_exclusive_message_is_one_row() {
    let message: Vec<u8> = std::iter::once(0xF0).chain((0..5_000).map(|n| (n % 100) as u8)).chain([0xF7]).collect();
    let event = MidiEvent {
        position: SamplePosition(3),
        kind: MidiKind::SysEx,
        bytes: [0xF0, 0, 0],
        note_id: -1,
        value: 0.0,
        data: &message,
    };
    let mut timeline = Timeline::new(1, 0);
    feed(&mut timeline, &log(|packer| packer.push(&Record::Midi(event))), LIVE);
    let batch = timeline.take_batch();
    assert_eq!(batch.sysex, message);
    assert_eq!((batch.midi.len(), batch.midi[0].sysex_length as usize), (1, message.len()));
}

#[test]
fn nothing_counts_after_the_end() {
    let mut timeline = Timeline::new(1, 0);
    let end = End { position: SamplePosition(10), reason: EndReason::EndOfFile };
    assert!(feed(&mut timeline, &log(|packer| packer.push(&Record::End(end))), LIVE));
    assert_eq!(timeline.take_batch().gaps, [GapRow { sample: 0, frames: 10, reason: 255 }]);
    feed(&mut timeline, &good_block(10, 64).1, LIVE);
    assert_eq!((timeline.position(), timeline.ended()), (10, Some(EndReason::EndOfFile)));
    assert_eq!(timeline.take_batch(), Batch::default());
}

#[test]
fn the_rest_of_a_message_whose_begin_is_lost_is_a_row_of_its_own() {
    let part = |position, kind, data| {
        let position = SamplePosition(position);
        log(|packer| packer.push(&Record::Midi(MidiEvent { position, kind, bytes: [0xF0, 0, 0], note_id: -1, value: 0.0, data })))
    };
    let mut timeline = Timeline::new(1, 0);
    feed(&mut timeline, &part(3, MidiKind::SysEx, &[0xF0, 1, 0xF7]), LIVE);
    feed(&mut timeline, &part(9, MidiKind::SysExContinued, &[2, 0xF7]), LIVE);
    let rows: Vec<_> = timeline.take_batch().midi.iter().map(|row| (row.sample, row.kind, row.sysex_length)).collect();
    assert_eq!(rows, [(3, 1, 3), (9, 2, 2)]);
}

#[test]
fn lost_events_are_marked_and_are_no_reason_for_a_later_gap() {
    let mut timeline = Timeline::new(1, 0);
    feed(&mut timeline, &good_block(0, 64).1, LIVE);
    timeline.gone(GoneReason::RetentionFull, 2);
    timeline.gone(GoneReason::RetentionFull, 3);
    feed(&mut timeline, &good_block(64, 64).1, LIVE);
    feed(&mut timeline, &good_block(200, 64).1, LIVE);
    let batch = timeline.take_batch();
    assert_eq!(batch.gaps, [GapRow { sample: 128, frames: 72, reason: GapReason::Other as u8 }]);
    let text = fixed("5 entries of the sender's log are lost");
    assert_eq!(batch.markers, [MarkerRow { sample: 64, kind: MarkerKind::Other as u8, text }]);
}

#[test]
fn losses_of_a_stream_without_audio_are_marked_too() {
    let mut timeline = Timeline::new(0, 0);
    timeline.gone(GoneReason::SenderRestarted, 1);
    let block = Block { position: SamplePosition(0), frames: 64, crc: 0, host: HostNanos(1), playhead: None };
    assert!(feed(&mut timeline, &log(|packer| packer.push(&Record::Block(block))), LIVE));
    assert_eq!(timeline.take_batch().markers.len(), 1);
}
