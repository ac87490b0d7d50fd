//! The tools for recordings: verify, packet, repair, replay, each as a process, on what a receiver recorded.

mod common;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use common::*;
use send_learn::journal::{Frame, Journal};
use send_learn::source::{Source, Sources, files};
use send_learn::store::layout::*;
use send_learn::store::{Recording, Storage};
use send_learn::take::{State, Take, folders};
use send_learn::timeline::crc_of;
use send_learn_protocol::record::pack::Packer;
use send_learn_protocol::record::*;
use send_learn_protocol::tap::Arrival;
use send_learn_protocol::units::*;
use serde_json::Value;

/// The only take's folder.
fn folder(data: &Path) -> PathBuf {
    let mut folders = folders(data).unwrap();
    assert_eq!(folders.len(), 1, "{folders:?}");
    folders.remove(0)
}

fn copy_folder(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for item in fs::read_dir(from).unwrap() {
        let path = item.unwrap().path();
        fs::copy(&path, to.join(path.file_name().unwrap())).unwrap();
    }
}

fn run(arguments: &[&str], path: &Path) -> std::process::Output {
    let (name, rest) = arguments.split_first().unwrap();
    command(&[&[*name, path.to_str().unwrap()], rest].concat())
}

/// A take in three parts, recorded by a receiver that is told to rotate.
fn in_three_parts(data: &Path) -> PathBuf {
    let server = Server::start(data, "127.0.0.1:0");
    let mut player = Player::new(server.address, "Lead vox", 2);
    for parts in 1..3 {
        player.play(100);
        player.turn_until_durable();
        let deadline = Instant::now() + PATIENCE;
        while folders(data).unwrap().is_empty() || Take::load(&folder(data)).unwrap().parts.len() < parts {
            assert!(command(&["rotate", "--data", data.to_str().unwrap()]).status.success());
            player.play(1);
            player.turn_until_durable();
            std::thread::sleep(std::time::Duration::from_millis(50));
            assert!(Instant::now() < deadline, "no part was closed");
        }
    }
    player.play(50);
    player.finish();
    complete_parts(data);
    server.stop();
    folder(data)
}

#[test]
fn verify_tells_scripts_what_is_good_unfinished_or_bad_and_sees_a_part_that_is_not_there() {
    let data = tempfile::tempdir().unwrap();
    let take = in_three_parts(data.path());
    for path in [data.path(), take.parent().unwrap(), take.as_path()] {
        let output = run(&["verify", "--json"], path);
        assert_eq!(output.status.code(), Some(0), "{}", text(&output));
        let document: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(document["state"], "good");
        assert!(document["files"].as_array().unwrap().len() >= 3, "{document}");
        assert_eq!(document["takes"][0]["problems"], Value::Array(Vec::new()), "{document}");
        assert!(document["files"][0]["clocks"]["estimates"].as_u64().is_some(), "{document}");
    }
    // Several at once, and the same one twice: two files alone do not miss the one between them.
    let parts: Vec<PathBuf> = Take::load(&take).unwrap().parts.iter().map(|part| take.join(&part.file)).collect();
    let output = command(&["verify", parts[0].to_str().unwrap(), parts[2].to_str().unwrap(), parts[0].to_str().unwrap()]);
    assert!(output.status.success() && text(&output).contains("2 of 2 recordings are whole"), "{}", text(&output));
    let output = command(&["info", parts[0].to_str().unwrap(), take.to_str().unwrap()]);
    assert!(output.status.success(), "{}", text(&output));
    let second = Take::load(&take).unwrap().parts[1].file.clone();
    let away = data.path().join("away");
    fs::rename(take.join(&second), &away).unwrap();
    let output = run(&["verify"], data.path());
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output).contains("part 2 is not here"), "{}", text(&output));
    assert!(text(&output).contains(&format!("{second} is named by take.json")), "{}", text(&output));
    // One bit of one sample.
    fs::rename(&away, take.join(&second)).unwrap();
    let mut bytes = fs::read(take.join(&second)).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(take.join(&second), bytes).unwrap();
    assert_eq!(run(&["verify"], data.path()).status.code(), Some(1));
}

#[test]
fn a_take_that_is_not_finished_is_neither_good_nor_bad() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path(), "127.0.0.1:0");
    let mut player = Player::new(server.address, "Bass", 1);
    player.play(300);
    player.turn_until_durable();
    let deadline = Instant::now() + PATIENCE;
    while files(data.path()).is_err() {
        assert!(Instant::now() < deadline);
    }
    let output = run(&["verify"], data.path());
    assert_eq!(output.status.code(), Some(3), "{}", text(&output));
}

#[test]
fn a_packet_is_the_block_at_a_sample_with_what_was_played_in_it() {
    let data = tempfile::tempdir().unwrap();
    let take = in_three_parts(data.path());
    let (begin, at) = (512 * 120, 512 * 120 + 99);
    let output = run(&["packet", "--at", &at.to_string()], &take);
    assert!(output.status.success(), "{}", text(&output));
    let packet: Value = serde_json::from_slice(&output.stdout).unwrap();
    let samples: Vec<f32> = (begin..begin + 512).flat_map(|frame| [sample(0, frame), sample(1, frame)]).collect();
    for channel in [0, 1] {
        let expected: Vec<f32> = samples.iter().skip(channel).step_by(2).copied().collect();
        let given: Vec<f32> = serde_json::from_value(packet["audioChannels"][channel].clone()).unwrap();
        assert_eq!(given, expected);
    }
    assert_eq!(packet["dataHash"], format!("crc32:{:08x}", crc_of(&samples)));
    assert_eq!((&packet["sampleRate"], &packet["blockSize"]), (&Value::from(48_000.0), &Value::from(512)));
    assert_eq!((&packet["samplePosition"], &packet["playheadPosition"]), (&Value::from(begin), &Value::from(begin)));
    let note = &packet["midiMessages"][0];
    assert_eq!((&note["offset"], &note["bytes"]), (&Value::from(7), &serde_json::json!([0x90, 120, 100])));
    assert_eq!((&packet["playbackInfo"]["isPlaying"], &packet["playbackInfo"]["tempo"]), (&Value::Bool(true), &Value::from(120.0)));
    assert!(packet["hostTimeStamp"].as_u64().unwrap() > 0);

    let beyond = run(&["packet", "--at", "999999999"], &take);
    assert!(!beyond.status.success() && text(&beyond).contains("the take ends at"), "{}", text(&beyond));
}

#[test]
fn what_a_killed_receiver_left_is_made_whole_in_a_copy_and_again_of_each_half_alone() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path(), "127.0.0.1:0");
    let mut player = Player::new(server.address, "Strings", 2);
    player.play(400);
    player.turn_until_durable();
    let durable = player.position;
    // A second later the unfinished file is readable, too.
    let deadline = Instant::now() + PATIENCE;
    let part = || files(data.path()).ok().and_then(|files| Recording::open(&files[0]).ok());
    while part().is_none_or(|part| part.summary.committed_frames < 8 * 16_384) {
        assert!(Instant::now() < deadline, "the file does not grow");
        player.turn();
    }
    let refused = run(&["repair"], data.path());
    assert!(!refused.status.success() && text(&refused).contains("a receiver records to"), "{}", text(&refused));
    server.kill();
    let (left, copies) = (folder(data.path()), tempfile::tempdir().unwrap());

    let whole = copies.path().join("whole");
    copy_folder(&left, &whole);
    let dry = run(&["repair", "--dry-run"], &whole);
    assert!(text(&dry).contains("would be made of the journal"), "{}", text(&dry));
    let output = run(&["repair"], &whole);
    assert!(output.status.success(), "{}", text(&output));
    let file = Take::load(&whole).unwrap().parts[0].file.clone();
    let refused = run(&["repair"], &whole.join(&file));
    assert!(!refused.status.success() && text(&refused).contains("Name the folder"), "{}", text(&refused));
    assert_eq!(assert_holds_what_was_played(&whole.join(&file)), durable, "{}", text(&output));
    assert_eq!(run(&["repair"], &whole).status.code(), Some(0), "a second time there is nothing to do");
    assert_eq!(assert_holds_what_was_played(&whole.join(&file)), durable);
    let names = || fs::read_dir(&whole).unwrap().map(|item| item.unwrap().file_name().into_string().unwrap()).collect::<Vec<_>>();
    assert!(names().iter().all(|name| !name.contains("before-repair") && !name.ends_with(".part")), "{:?}", names());

    // The journal is lost: the unfinished file is closed as far as it can be trusted, and kept.
    let no_journal = copies.path().join("no-journal");
    copy_folder(&left, &no_journal);
    fs::remove_file(no_journal.join("journal-000001.slj")).unwrap();
    let output = run(&["repair"], &no_journal);
    assert_eq!(output.status.code(), Some(1), "{}", text(&output));
    assert!(text(&output).contains("the journal is not here"), "{}", text(&output));
    assert!(assert_holds_what_was_played(&no_journal.join(&file)) >= 7 * 16_384);
    assert!(no_journal.join(format!("{file}.part")).is_file());

    // take.json is lost: the file says what the take is.
    let nameless = copies.path().join("nameless");
    copy_folder(&left, &nameless);
    fs::remove_file(nameless.join("take.json")).unwrap();
    let output = run(&["repair"], &nameless);
    assert!(output.status.success(), "{}", text(&output));
    assert_eq!(assert_holds_what_was_played(&nameless.join(&file)), durable);
    assert_eq!(Take::load(&nameless).unwrap().name(), "Strings");

    // The closed file is damaged after it was closed, and the journal of before is put beside it.
    fs::write(whole.join(&file), b"not HDF5").unwrap();
    let lost = run(&["repair"], &whole);
    assert_eq!(lost.status.code(), Some(1), "{}", text(&lost));
    fs::remove_file(segment(&whole)).unwrap();
    fs::copy(segment(&left), segment(&whole)).unwrap();
    let output = run(&["repair"], &whole);
    assert!(output.status.success(), "{}", text(&output));
    assert_eq!(assert_holds_what_was_played(&whole.join(&file)), durable);
}

/// The first journal segment in a folder.
fn segment(folder: &Path) -> PathBuf {
    let first = send_learn::journal::segments(folder).unwrap().first().copied().unwrap_or(1);
    send_learn::journal::segment_path(folder, first)
}

#[test]
fn entries_that_never_arrived_are_told_and_become_gaps_only_when_asked() {
    let data = tempfile::tempdir().unwrap();
    let take = TakeId([8; 16]);
    let mut description = description("Holes", 1);
    description.take = take;
    Take::new(&description).save(data.path()).unwrap();
    let mut packer = Packer::new(SourceNumber(0));
    let mut journal = Journal::create(data.path(), take, 1).unwrap();
    for block in 0..6_u64 {
        let position = SamplePosition(block * 512);
        let samples: Vec<f32> = (block * 512..(block + 1) * 512).map(|frame| sample(0, frame)).collect();
        packer.push_audio(position, 1, &samples);
        packer.push(&Record::Block(Block { position, frames: 512, crc: crc_of(&samples), host: HostNanos(block), playhead: None }));
        packer.flush();
        for entry in std::iter::from_fn(|| packer.pop()) {
            let number = source_number(&entry).unwrap();
            // Those of the third block never came.
            if block != 2 {
                journal.append(&Frame::Entry { number, arrival: Arrival::Live, arrived: HostNanos(7), entry: &entry });
            }
        }
    }
    journal.sync().unwrap();
    drop(journal);
    let output = run(&["repair"], data.path());
    assert_eq!(output.status.code(), Some(1), "{}", text(&output));
    assert!(text(&output).contains("never arrived"), "{}", text(&output));
    assert_eq!(Take::load(data.path()).unwrap().parts.last().unwrap().frames, 1_024);
    let output = run(&["repair", "--without-missing"], data.path());
    assert!(text(&output).contains("gaps name the samples"), "{}", text(&output));
    let sources = Sources::open(&files(data.path()).unwrap());
    let source = &sources.takes[0];
    assert_eq!(source.end(), 6 * 512);
    let gaps: Vec<_> = source.table::<GapRow>().unwrap().iter().map(|gap| (gap.sample, gap.frames)).collect();
    assert_eq!(gaps, [(1_024, 512)]);
    let expected: Vec<f32> =
        (0..6 * 512).map(|frame| if (1_024..1_536).contains(&frame) { 0.0 } else { sample(0, frame) }).collect();
    assert_eq!(source.audio(0..6 * 512).unwrap(), expected);
}

/// A stereo take of 16-bit samples with everything that a take can have: system exclusive messages, automation, markers, gaps.
fn write_full_take(folder: &Path) -> PathBuf {
    use send_learn::store::PartWriter;
    use send_learn::store::writer::Part;
    use send_learn::timeline::{Batch, Faults, Piece};
    let path = folder.join("full.h5");
    let part = Part::FIRST;
    let mut writer = PartWriter::create_for(&path, &description("Full", 2), part, Some(Storage::Fixed16)).unwrap();
    let parameters = vec![ParameterRow { parameter: 3, name: fixed("Cutoff") }];
    writer.append(Batch { parameters, ..Batch::default() }).unwrap();
    let steps = |frame: u64| [((frame * 37) % 65_536) as f32 / 32_768.0 - 1.0, (frame % 100) as f32 / 32_768.0];
    for block in 0..200_u64 {
        let sample = block * 512;
        if (50..60).contains(&block) {
            let gaps = vec![GapRow { sample, frames: 512, reason: if block < 55 { 1 } else { 8 } }];
            writer.append(Batch { audio: vec![Piece::Missing(512)], gaps, ..Batch::default() }).unwrap();
            continue;
        }
        let samples: Vec<f32> = (sample..sample + 512).flat_map(steps).collect();
        let crc = crc_of(&samples);
        let message = |sample, bytes: [u8; 3], kind, value, sysex: (u64, u32)| MidiRow {
            sample,
            status: bytes[0],
            data1: bytes[1],
            data2: bytes[2],
            kind,
            note_id: if kind == 3 { 12 } else { -1 },
            value,
            sysex_offset: sysex.0,
            sysex_length: sysex.1,
        };
        let long: Vec<u8> = [0xF0].into_iter().chain((0..3_000).map(|byte| (byte % 128) as u8)).chain([0xF7]).collect();
        let mut midi =
            vec![message(sample + 3, [0x91, 60, 100], 0, 0.787, (0, 0)), message(sample + 5, [2, 60, 1], 3, 0.25, (0, 0))];
        let mut sysex = Vec::new();
        if block % 50 == 0 {
            midi.push(message(sample + 9, [0xF0, 0, 0], 1, 0.0, (0, long.len() as u32)));
            sysex = long;
        }
        writer
            .append(Batch {
                audio: vec![Piece::Samples(samples)],
                midi,
                sysex,
                automation: vec![AutomationRow { sample: sample + 1, parameter: 3, normalized: 0.1, plain: -6.0 }],
                transport: vec![TransportRow {
                    sample,
                    flags: 0b1_1111_1001,
                    numerator: 7,
                    denominator: 8,
                    bar: block as i32,
                    tempo: 93.25,
                    playhead: sample as i64 - 9_600,
                    seconds: sample as f64 / 48_000.0,
                    ppq: sample as f64 / 12_345.0,
                    bar_start: 1.5,
                    loop_start: 0.0,
                    loop_end: 0.0,
                }],
                blocks: vec![BlockRow {
                    sample,
                    frames: 512,
                    crc,
                    host_nanos: 1_000_000 + block * 10_666_667,
                    arrival_nanos: 5,
                    playhead: sample as i64 - 9_600,
                    arrival: 0,
                    level: 1.0,
                }],
                markers: if block == 100 {
                    vec![MarkerRow { sample: sample + 7, kind: 1, text: fixed("Strophe ä") }]
                } else {
                    Vec::new()
                },
                ..Batch::default()
            })
            .unwrap();
    }
    writer.finish("end-of-file", 200 * 512, Faults::default()).unwrap();
    path
}

/// Everything that was played, in a form that can be compared.
fn played(source: &Source) -> (Vec<u32>, Vec<String>) {
    let (midi, sysex) = source.midi().unwrap();
    let mut rows: Vec<String> = midi
        .into_iter()
        .map(|row| {
            let bytes = &sysex[row.sysex_offset as usize..][..row.sysex_length as usize];
            format!("{:?} {bytes:?}", MidiRow { sysex_offset: 0, ..row })
        })
        .collect();
    rows.extend(source.table::<AutomationRow>().unwrap().iter().map(|row| format!("{row:?}")));
    rows.extend(source.table::<TransportRow>().unwrap().iter().map(|row| format!("{row:?}")));
    rows.extend(source.table::<MarkerRow>().unwrap().iter().map(|row| format!("{row:?}")));
    rows.extend(source.table::<ParameterRow>().unwrap().iter().map(|row| format!("{row:?}")));
    let blocks = source.table::<BlockRow>().unwrap();
    rows.extend(blocks.iter().map(|row| format!("{:?}", (row.sample, row.frames, row.crc, row.playhead))));
    // Gaps that touch and have one reason are one.
    let mut gaps: Vec<GapRow> = Vec::new();
    for gap in source.table::<GapRow>().unwrap() {
        match gaps.last_mut().filter(|last| last.reason == gap.reason && last.sample + last.frames == gap.sample) {
            Some(last) => last.frames += gap.frames,
            None => gaps.push(gap),
        }
    }
    rows.extend(gaps.iter().map(|row| format!("{row:?}")));
    (source.audio(0..source.end()).unwrap().iter().map(|sample| sample.to_bits()).collect(), rows)
}

#[test]
fn a_replay_is_recorded_as_a_take_of_its_own_that_equals_the_original() {
    let original = tempfile::tempdir().unwrap();
    let path = write_full_take(original.path());
    let before = Sources::open(std::slice::from_ref(&path));
    assert_eq!(run(&["verify"], &path).status.code(), Some(0), "{}", text(&run(&["verify"], &path)));
    for speed in ["1", "8", "max"] {
        let data = tempfile::tempdir().unwrap();
        let server = Server::start(data.path(), "127.0.0.1:0");
        let begun = Instant::now();
        let output = run(&["replay", "--to", &server.address.to_string(), "--speed", speed], &path);
        assert!(output.status.success(), "{}", text(&output));
        if speed == "1" {
            assert!(begun.elapsed().as_secs_f64() > 199.0 * 512.0 / 48_000.0, "2.1 s as if live: {:?}", begun.elapsed());
        }
        wait_for_state(data.path(), State::Complete);
        server.stop();
        let after = Sources::open(&files(data.path()).unwrap());
        let (one, two) = (&before.takes[0], &after.takes[0]);
        assert!(played(one) == played(two), "at speed {speed}, the replay differs");
        assert_eq!(two.summary.replay_of, one.summary.take_id);
        assert_ne!(two.summary.take_id, one.summary.take_id);
        assert_eq!((&two.summary.name, &two.summary.consent), (&one.summary.name, &one.summary.consent));
        assert_eq!(two.summary.end_reason, "end-of-file");
        // 16-bit samples are stored in 16 bits again.
        assert_eq!(two.parts().next().unwrap().unwrap().storage().unwrap(), Some(Storage::Fixed16));
        assert_eq!(run(&["verify"], data.path()).status.code(), Some(0));
    }
}

#[test]
fn a_replay_to_nobody_ends_with_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let path = write_full_take(folder.path());
    let output = run(&["replay", "--to", "127.0.0.1:9", "--timeout", "1"], &path);
    assert!(!output.status.success() && text(&output).contains("no receiver answers"), "{}", text(&output));
}
