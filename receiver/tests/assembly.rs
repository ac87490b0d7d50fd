//! From journal to parts: whatever the order of arrival, and wherever a take is interrupted, the parts together hold it.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use send_learn::archive::Progress;
use send_learn::assembly::{Advance, Assembly, Making};
use send_learn::journal::{Frame, Journal, segments};
use send_learn::store::Recording;
use send_learn::store::layout::{AutomationRow, MidiRow, ParameterRow};
use send_learn::store::verify::verify;
use send_learn::take::{State, Take};
use send_learn::timeline::crc_of;
use send_learn_protocol::packet::hello::Description;
use send_learn_protocol::record::pack::Packer;
use send_learn_protocol::record::*;
use send_learn_protocol::tap::Arrival;
use send_learn_protocol::units::*;

const TAKE: TakeId = TakeId([9; 16]);
const CHANNELS: u16 = 2;

/// A small generator, so that a failure repeats.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % limit
    }
}

fn description() -> Description {
    Description {
        stream: StreamId([1; 16]),
        take: TAKE,
        host: HostId([3; 16]),
        machine: MachineId([4; 16]),
        sample_rate: 48_000.0,
        channels: CHANNELS,
        max_block: 512,
        started_unix_nanos: 5,
        started: HostNanos(6),
        properties: Vec::new(),
    }
}

fn sample(index: u64) -> f32 {
    (index % 8_191) as f32 * 1e-4
}

/// The log of a take: blocks of random lengths, several to an entry or several entries to a block.
fn log(random: &mut Random) -> (Vec<Vec<u8>>, u64) {
    let mut packer = Packer::new(SourceNumber(0));
    packer.push(&Record::Parameter(Parameter { parameter: 8, name: "Cutoff" }));
    let mut position = 0;
    for _ in 0..random.below(60) + 5 {
        let frames = [1, 17, 64, 512, 4_096][random.below(5) as usize];
        let at = SamplePosition(position);
        let samples: Vec<f32> = (position * 2..(position + frames) * 2).map(sample).collect();
        packer.push(&Record::Midi(MidiEvent {
            position: at,
            kind: MidiKind::Message,
            bytes: [0x90, 60, 1],
            note_id: -1,
            value: 0.0,
            data: &[],
        }));
        packer.push(&Record::Automation(Automation { position: at, parameter: 8, normalized: 0.5, plain: 1.0 }));
        packer.push_audio(at, CHANNELS, &samples);
        let crc = crc_of(&samples);
        packer.push(&Record::Block(Block { position: at, frames: frames as u32, crc, host: HostNanos(1), playhead: None }));
        if random.below(3) > 0 {
            packer.flush();
        }
        position += frames;
    }
    packer.push(&Record::End(End { position: SamplePosition(position), reason: EndReason::EndOfFile }));
    packer.flush();
    (std::iter::from_fn(|| packer.pop()).collect(), position)
}

fn append(journal: &mut Journal, entry: &[u8]) {
    let number = source_number(entry).unwrap();
    journal.append(&Frame::Entry { number, arrival: Arrival::Live, arrived: HostNanos(7), entry });
}

fn follow(folder: &Path, journal: &Journal) -> Assembly {
    follow_rotating(folder, journal, None)
}

fn follow_rotating(folder: &Path, journal: &Journal, rotation: Option<Duration>) -> Assembly {
    let progress = Arc::new(Progress::default());
    progress.set_mark(journal.durable());
    Assembly::new(TAKE, folder.to_owned(), Take::load(folder).unwrap(), progress, Making { rotation, ..Making::default() })
}

#[test]
fn the_parts_of_a_take_hold_all_of_it_whatever_the_order_and_the_interruptions() {
    for seed in 0..40 {
        let mut random = Random(seed);
        let (mut entries, frames) = log(&mut random);
        // Arrival out of order: swaps over a short distance, some over a long one.
        for index in 0..entries.len() {
            let far = if random.below(10) == 0 { entries.len() as u64 } else { 4 };
            let other = (index as u64 + random.below(far)).min(entries.len() as u64 - 1);
            entries.swap(index, other as usize);
        }
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        Take::new(&description()).save(folder).unwrap();
        // Half of the takes in parts of a tenth of a second, or of more where a block is longer.
        let rotation = (random.below(2) == 0).then_some(Duration::from_millis(100));

        let mut rest = &entries[..];
        while Take::load(folder).unwrap().state != State::Complete {
            let first = Take::load(folder).unwrap().resume.segment;
            let mut journal = Journal::open(folder, TAKE, first, |_| {}).unwrap();
            let (now, later) = rest.split_at(rest.len().min(random.below(rest.len() as u64 + 1) as usize + 1));
            now.iter().for_each(|entry| append(&mut journal, entry));
            journal.sync().unwrap();
            rest = later;
            let mut assembly = follow_rotating(folder, &journal, rotation);
            // At times it is killed early, wherever it is.
            let budget = if random.below(3) == 0 { random.below(40_000) as usize } else { usize::MAX };
            match assembly.advance(budget).unwrap() {
                Advance::Ended => assembly.complete().unwrap(),
                Advance::More => drop(assembly),
                // At times the receiver is killed instead: nothing is closed.
                _ if random.below(4) == 0 => drop(assembly),
                _ => assembly.interrupt().unwrap(),
            }
        }

        let take = Take::load(folder).unwrap();
        assert_eq!(take.state, State::Complete, "seed {seed}");
        let (mut position, mut events) = (0, 0);
        for part in &take.parts {
            let path = folder.join(&part.file);
            let verdict = verify(&path).unwrap();
            assert!(verdict.is_good() && verdict.gap_frames == 0, "seed {seed}: {verdict:?}");
            let recording = Recording::open(&path).unwrap();
            assert_eq!((recording.summary.first_sample, recording.summary.frames), (position, part.frames), "seed {seed}");
            let expected: Vec<f32> = (position * 2..(position + part.frames) * 2).map(sample).collect();
            assert_eq!(recording.audio(0..part.frames).unwrap(), expected, "seed {seed}");
            let midi = recording.table::<MidiRow>().unwrap();
            assert!(midi.iter().all(|row| (position..=position + part.frames).contains(&row.sample)), "seed {seed}");
            assert_eq!(recording.table::<AutomationRow>().unwrap().len(), midi.len(), "seed {seed}");
            let names = recording.table::<ParameterRow>().unwrap();
            assert_eq!(names.last().unwrap().name.as_str(), "Cutoff", "seed {seed}");
            position += part.frames;
            events += midi.len();
        }
        assert_eq!(position, frames, "seed {seed}");
        if rotation.is_some() {
            // A part is closed with the block that makes it long enough: the longest block is 4,096 frames.
            assert!(take.parts.iter().all(|part| part.frames < 4_800 + 4_096), "seed {seed}: {:?}", take.parts);
        }
        assert_eq!(take.resume.entry, entries.len() as u64, "seed {seed}");
        let blocks = entries.iter().flat_map(|entry| records(entry)).filter(|record| matches!(record, Ok(Record::Block(_))));
        assert_eq!(events, blocks.count(), "seed {seed}");
    }
}

#[test]
fn a_part_that_is_long_enough_is_closed_and_its_journal_goes() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    Take::new(&description()).save(folder).unwrap();
    let mut packer = Packer::new(SourceNumber(0));
    let blocks = 3_000;
    (0..blocks).for_each(|block| push_samples(&mut packer, block * 4_096, &noise(block, 4_096), |crc| crc));
    packer.flush();
    let mut journal = Journal::create(folder, TAKE, 1).unwrap();
    let progress = Arc::new(Progress::default());
    let making = Making { rotation: Some(Duration::from_secs(20)), ..Making::default() };
    let mut assembly = Assembly::new(TAKE, folder.to_owned(), Take::load(folder).unwrap(), Arc::clone(&progress), making);
    for (count, entry) in std::iter::from_fn(|| packer.pop()).enumerate() {
        append(&mut journal, &entry);
        if count % 5_000 == 0 {
            journal.sync().unwrap();
            progress.set_mark(journal.durable());
            assert_eq!(assembly.advance(usize::MAX).unwrap(), Advance::CaughtUp);
        }
    }
    let take = Take::load(folder).unwrap();
    assert_eq!(take.state, State::Open);
    // 12,288,000 frames are 256 s: twelve parts of 235 blocks, and one that is not closed.
    assert!(take.parts.len() >= 11, "{:?}", take.parts);
    assert!(take.parts.iter().all(|part| part.frames == 235 * 4_096), "{:?}", take.parts);
    // 98 MB of journal make two segments; what is in closed parts is gone.
    assert_eq!(segments(folder).unwrap(), [take.resume.segment]);
    assert!(take.resume.segment > 1);
    assert!(folder.join(take.part_file(1)).exists() && folder.join(format!("{}.part", take.part_file(take.next_part()))).exists());
}

#[test]
fn an_interruption_keeps_only_what_no_part_holds() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    Take::new(&description()).save(folder).unwrap();
    let (entries, _) = log(&mut Random(3));
    let mut journal = Journal::create(folder, TAKE, 1).unwrap();
    let missing = entries.len() / 2;
    entries.iter().enumerate().filter(|(index, _)| *index != missing).for_each(|(_, entry)| append(&mut journal, entry));
    journal.sync().unwrap();
    let mut assembly = follow(folder, &journal);
    assert_eq!(assembly.advance(usize::MAX).unwrap(), Advance::CaughtUp);
    assembly.interrupt().unwrap();

    let take = Take::load(folder).unwrap();
    assert_eq!((take.state, take.parts.len()), (State::Interrupted, 1));
    assert_eq!(segments(folder).unwrap(), [take.resume.segment]);
    let mut kept = Vec::new();
    Journal::open(folder, TAKE, take.resume.segment, |frame| {
        if let Frame::Entry { number, .. } = frame {
            kept.push(number.0);
        }
    })
    .unwrap();
    let expected: Vec<u64> = (take.resume.entry..entries.len() as u64).filter(|number| *number != missing as u64).collect();
    assert_eq!(kept, expected);
    assert!(take.resume.entry <= missing as u64);
}

#[test]
fn a_take_whose_state_cannot_be_saved_is_as_it_was_and_is_closed_later() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    Take::new(&description()).save(folder).unwrap();
    let (entries, frames) = log(&mut Random(3));
    let mut journal = Journal::create(folder, TAKE, 1).unwrap();
    let (early, late) = entries.split_at(entries.len() / 2);
    early.iter().for_each(|entry| append(&mut journal, entry));
    journal.sync().unwrap();
    let before = Take::load(folder).unwrap();
    // Stands in for a full disk: `take.json` cannot be replaced.
    let obstacle = folder.join("take.json.new");
    std::fs::create_dir(&obstacle).unwrap();

    let mut assembly = follow(folder, &journal);
    assert_eq!(assembly.advance(usize::MAX).unwrap(), Advance::CaughtUp);
    assembly.interrupt().unwrap_err();
    assert_eq!(assembly.into_take(), before);

    // It goes on from what is on disk, to its end, which cannot be saved either at first.
    let mut journal = Journal::open(folder, TAKE, before.resume.segment, |_| {}).unwrap();
    late.iter().for_each(|entry| append(&mut journal, entry));
    journal.sync().unwrap();
    let mut assembly = follow(folder, &journal);
    for _ in 0..2 {
        assert_eq!(assembly.advance(usize::MAX).unwrap(), Advance::Ended);
        assembly.complete().unwrap_err();
        assembly.restart();
    }
    std::fs::remove_dir(&obstacle).unwrap();
    assert_eq!(assembly.advance(usize::MAX).unwrap(), Advance::Ended);
    assembly.complete().unwrap();

    let take = Take::load(folder).unwrap();
    assert_eq!((take.state, take.parts.len(), take.parts[0].frames), (State::Complete, 1, frames));
    assert_eq!(assembly.into_take(), take);
    assert!(verify(&folder.join(&take.parts[0].file)).unwrap().is_good());
}

/// A take whose log `write` makes, closed.
fn closed(write: impl FnOnce(&mut Packer)) -> (tempfile::TempDir, Take) {
    let folder = tempfile::tempdir().unwrap();
    Take::new(&description()).save(folder.path()).unwrap();
    let mut packer = Packer::new(SourceNumber(0));
    write(&mut packer);
    packer.flush();
    let mut journal = Journal::create(folder.path(), TAKE, 1).unwrap();
    std::iter::from_fn(|| packer.pop()).for_each(|entry| append(&mut journal, &entry));
    journal.sync().unwrap();
    let mut assembly = follow(folder.path(), &journal);
    match assembly.advance(usize::MAX).unwrap() {
        Advance::Ended => assembly.complete().unwrap(),
        _ => assembly.interrupt().unwrap(),
    }
    let take = Take::load(folder.path()).unwrap();
    (folder, take)
}

fn push_block(packer: &mut Packer, position: u64, frames: u64, crc: impl FnOnce(u32) -> u32) {
    let samples: Vec<f32> = (position * 2..(position + frames) * 2).map(sample).collect();
    push_samples(packer, position, &samples, crc);
}

fn push_samples(packer: &mut Packer, position: u64, samples: &[f32], crc: impl FnOnce(u32) -> u32) {
    let (position, frames) = (SamplePosition(position), (samples.len() / usize::from(CHANNELS)) as u32);
    packer.push_audio(position, CHANNELS, samples);
    let crc = crc(crc_of(samples));
    packer.push(&Record::Block(Block { position, frames, crc, host: HostNanos(1), playhead: None }));
}

/// Samples with all bits of a float32, which nothing makes smaller.
fn noise(seed: u64, frames: u64) -> Vec<f32> {
    let mixed = |index: u64| {
        let word = (seed << 32 | index).wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        ((word ^ word >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9) >> 41) as u32
    };
    (0..frames * u64::from(CHANNELS)).map(|index| f32::from_bits(0x3F00_0000 | mixed(index))).collect()
}

fn push_note(packer: &mut Packer, position: u64) {
    let position = SamplePosition(position);
    let bytes = [0x90, 60, 1];
    packer.push(&Record::Midi(MidiEvent { position, kind: MidiKind::Message, bytes, note_id: -1, value: 0.0, data: &[] }));
}

fn push_end(packer: &mut Packer, position: u64) {
    packer.push(&Record::End(End { position: SamplePosition(position), reason: EndReason::Stopped }));
}

#[test]
fn what_the_sender_got_wrong_does_not_make_a_file_damaged_and_what_nobody_explains_does() {
    let (_folder, take) = closed(|packer| {
        // A record that cannot be used, and a checksum that is none.
        packer.push_audio(SamplePosition(0), 1, &[0.5; 8]);
        push_block(packer, 0, 64, |crc| crc ^ 1);
        push_end(packer, 64);
    });
    assert_eq!(take.state, State::Complete);

    let disorder = |packer: &mut Packer| {
        push_note(packer, 50);
        push_note(packer, 10);
        push_block(packer, 0, 64, |crc| crc);
    };
    let (folder, take) = closed(|packer| {
        disorder(packer);
        push_end(packer, 64);
    });
    assert_eq!((take.state, segments(folder.path()).unwrap()), (State::Damaged, vec![1]));

    // Where the take may go on, a part that failed its check does not count: it is made again.
    let (folder, take) = closed(disorder);
    assert_eq!((take.state, segments(folder.path()).unwrap()), (State::Interrupted, vec![1]));
    assert_eq!((take.parts.len(), take.resume.entry), (0, 0));
}

#[test]
fn a_part_that_fails_its_check_is_not_closed_early_again_and_again() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    Take::new(&description()).save(folder).unwrap();
    let mut packer = Packer::new(SourceNumber(0));
    push_note(&mut packer, 50);
    push_note(&mut packer, 10);
    (0..10).for_each(|block| push_block(&mut packer, block * 480, 480, |crc| crc));
    push_end(&mut packer, 4_800);
    packer.flush();
    let mut journal = Journal::create(folder, TAKE, 1).unwrap();
    std::iter::from_fn(|| packer.pop()).for_each(|entry| append(&mut journal, &entry));
    journal.sync().unwrap();
    let mut assembly = follow_rotating(folder, &journal, Some(Duration::from_millis(20)));
    assert_eq!(assembly.advance(usize::MAX).unwrap(), Advance::Ended);
    assembly.complete().unwrap();
    let take = Take::load(folder).unwrap();
    assert_eq!((take.state, take.parts.len(), take.parts[0].frames), (State::Damaged, 1, 4_800));
    assert_eq!(segments(folder).unwrap(), [1], "the journal is kept");
}

#[test]
fn an_interrupted_part_ends_with_its_last_block_whatever_stands_behind_it() {
    let (folder, take) = closed(|packer| {
        push_block(packer, 0, 64, |crc| crc);
        packer.push(&Record::Gap(Gap { position: SamplePosition(64), frames: 100, reason: GapReason::Bypassed }));
    });
    assert_eq!((take.state, take.parts[0].frames, take.resume.frames), (State::Interrupted, 64, 64));
    assert!(verify(&folder.path().join(&take.parts[0].file)).unwrap().is_good());
}

#[test]
fn a_file_of_16_bit_samples_is_made_again_when_samples_of_more_bits_come() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    Take::new(&description()).save(folder).unwrap();
    let mut packer = Packer::new(SourceNumber(0));
    // Silence, then steps of 16 bits, then of 24, then anything.
    let value = |position: u64| match position / 40_960 {
        0 => 0.0,
        1 => (position % 3_000) as f32 / 32_768.0,
        2 => (position % 3_001) as f32 / 8_388_608.0,
        _ => position as f32 * 0.000_123,
    };
    let (mut stored, blocks) = (Vec::new(), 40);
    let mut journal = Journal::create(folder, TAKE, 1).unwrap();
    for block in 0..blocks {
        let position = SamplePosition(block * 4_096);
        let samples: Vec<f32> = (position.0..position.0 + 4_096).flat_map(|position| [value(position), -value(position)]).collect();
        packer.push_audio(position, CHANNELS, &samples);
        let crc = crc_of(&samples);
        packer.push(&Record::Block(Block { position, frames: 4_096, crc, host: HostNanos(1), playhead: None }));
        packer.flush();
        std::iter::from_fn(|| packer.pop()).for_each(|entry| append(&mut journal, &entry));
        journal.sync().unwrap();
        let mut assembly = follow(folder, &journal);
        while assembly.advance(usize::MAX).unwrap() == Advance::More {}
        assembly.flush().unwrap();
        let open = Recording::open(&folder.join("stream-0001.h5.part")).unwrap();
        stored.push(open.storage().unwrap().unwrap().bits());
        drop(open);
        if block + 1 == blocks {
            assembly.interrupt().unwrap();
        }
    }
    stored.dedup();
    assert_eq!(stored, [16, 24, 32]);
    let take = Take::load(folder).unwrap();
    let path = folder.join(&take.parts[0].file);
    let verdict = verify(&path).unwrap();
    assert!(verdict.is_good(), "{verdict:?}");
    let audio = Recording::open(&path).unwrap().audio(0..blocks * 4_096).unwrap();
    let expected = (0..blocks * 4_096).flat_map(|position| [value(position), -value(position)]);
    assert!(audio.iter().map(|sample| sample.to_bits()).eq(expected.map(f32::to_bits)));
}
