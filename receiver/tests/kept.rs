//! What is made of recordings to keep them: smaller files, archives, sessions' indices, pictures; and what goes. Readers are other
//! people's programs: h5py and libsndfile, in the Python that `SEND_LEARN_PYTHON` names.

mod common;
#[path = "common/takes.rs"]
mod takes;

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use common::{command, description, text};
use send_learn::store::layout::*;
use send_learn::store::writer::Part;
use send_learn::store::{PartWriter, Recording, Storage};
use send_learn::take::{ClosedPart, State};
use send_learn::timeline::{Batch, Faults, Piece, crc_of};
use serde_json::Value;
use takes::{RATE, take};

fn python(script: &str, arguments: &[&dyn AsRef<OsStr>]) {
    let Some(python) = std::env::var_os("SEND_LEARN_PYTHON") else {
        return eprintln!("skipped: SEND_LEARN_PYTHON names no Python with h5py and soundfile (`cargo xtask test` does)");
    };
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join(script);
    let output = Command::new(python).arg(script).args(arguments.iter().map(|argument| argument.as_ref())).output().unwrap();
    assert!(output.status.success(), "{}", text(&output));
}

fn run(arguments: &[&str]) -> Output {
    command(arguments)
}

fn succeeds(arguments: &[&str]) -> String {
    let output = run(arguments);
    assert!(output.status.success(), "{arguments:?}: {}", text(&output));
    text(&output)
}

/// Ten seconds of stereo that sounds like something: chords that decay, in steps of `bits` bits.
fn music(bits: i32) -> Vec<f32> {
    let scale = 2_f64.powi(bits - 1);
    let note = |position: u64, hertz: f64| {
        let since = (position % 24_000) as f64 / RATE as f64;
        (since * hertz * std::f64::consts::TAU).sin() * (-3.0 * since).exp()
    };
    let mut noise = 1_u32;
    (0..10 * RATE)
        .flat_map(|position| {
            let root = [110.0, 146.8, 164.8, 98.0][(position / 24_000 % 4) as usize];
            [(1.0, 1.5), (2.0, 2.52)].map(|(one, two)| {
                noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                let hiss = f64::from(noise) / f64::from(u32::MAX) * 2e-3 - 1e-3;
                let value = 0.3 * note(position, root * one) + 0.2 * note(position, root * two * 2.0) + hiss;
                ((value * scale).round() / scale) as f32
            })
        })
        .collect()
}

/// A recording of interleaved stereo samples, in blocks of 480.
fn write(folder: &Path, name: &str, samples: &[f32], rate: f64, storage: Storage) -> PathBuf {
    let path = folder.join(format!("{name}.h5"));
    let mut description = description(name, 2);
    description.sample_rate = rate;
    let part = Part::FIRST;
    let mut writer = PartWriter::create_for(&path, &description, part, Some(storage)).unwrap();
    for (index, block) in samples.chunks(960).enumerate() {
        let row = BlockRow {
            sample: index as u64 * 480,
            frames: block.len() as u32 / 2,
            crc: crc_of(block),
            host_nanos: index as u64 * 10_000_000,
            arrival_nanos: 0,
            playhead: i64::MIN,
            arrival: 0,
            level: 1.0,
        };
        writer.append(Batch { audio: vec![Piece::Samples(block.to_vec())], blocks: vec![row], ..Batch::default() }).unwrap();
    }
    writer.finish("stopped", samples.len() as u64 / 2, Faults::default()).unwrap();
    path
}

/// The samples as they lie in memory, for Python.
fn raw(path: &Path, samples: &[f32]) -> PathBuf {
    let raw = path.with_extension("f32");
    fs::write(&raw, samples.iter().flat_map(|sample| sample.to_le_bytes()).collect::<Vec<u8>>()).unwrap();
    raw
}

#[test]
fn plain_readers_get_the_same_float32_from_fewer_bits() {
    let folder = tempfile::tempdir().unwrap();
    for (bits, storage) in [(16, Storage::Fixed16), (24, Storage::Fixed24), (30, Storage::Float32)] {
        let mut samples = music(bits);
        if bits < 30 {
            let step = 2_f32.powi(1 - bits);
            for (index, edge) in
                [0.0, -0.0, 1.0, -1.0, step, -step, 1.0 - step, step - 1.0, 2.0 - step, step - 2.0].into_iter().enumerate()
            {
                samples[40_000 + index] = edge;
            }
            assert_eq!(Storage::of(&samples), storage);
        }
        let path = write(folder.path(), &format!("bits-{bits}"), &samples, 48_000.0, storage);
        let recording = Recording::open(&path).unwrap();
        assert_eq!(recording.storage().unwrap(), Some(storage));
        let read = recording.audio(0..samples.len() as u64 / 2).unwrap();
        assert!(read.iter().map(|sample| sample.to_bits()).eq(samples.iter().map(|sample| sample.to_bits())));
        drop(recording);
        assert_eq!(run(&["verify", path.to_str().unwrap()]).status.code(), Some(0));
        python("read_storage.py", &[&path, &raw(&path, &samples), &bits.to_string()]);
    }
}

#[test]
fn archives_hold_what_they_say_and_refuse_to_lose_bits_unasked() {
    let (folder, out) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let sixteen = music(16);
    let path = write(folder.path(), "sixteen", &sixteen, 48_000.0, Storage::Float32);
    let raw_path = raw(&path, &sixteen);
    let to = |name: &str| out.path().join(name);
    for profile in ["exact", "flac24", "flac16", "opus"] {
        let folder = to(profile);
        let said = succeeds(&["archive", path.to_str().unwrap(), "-o", folder.to_str().unwrap(), "--profile", profile]);
        assert!(said.contains("MB per hour"), "{said}");
        assert_eq!(run(&["verify", folder.to_str().unwrap()]).status.code(), Some(0), "{profile}");
        python("read_archive.py", &[&folder.join("sixteen.h5"), &raw_path, &path]);
        let again = run(&["archive", path.to_str().unwrap(), "-o", folder.to_str().unwrap(), "--profile", profile]);
        assert!(!again.status.success() && text(&again).contains("is there already"), "{}", text(&again));
    }
    // One bit of the audio file.
    let flac = to("flac16").join("sixteen.flac");
    let mut bytes = fs::read(&flac).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&flac, bytes).unwrap();
    assert_eq!(run(&["verify", to("flac16").to_str().unwrap()]).status.code(), Some(1));

    let mut wide = music(24);
    let path = write(folder.path(), "wide", &wide, 44_100.0, Storage::Fixed24);
    let refused = run(&["archive", path.to_str().unwrap(), "-o", to("wide").to_str().unwrap(), "--profile", "flac16"]);
    assert!(!refused.status.success() && text(&refused).contains("would lose bits"), "{}", text(&refused));
    assert!(fs::read_dir(to("wide")).unwrap().next().is_none(), "something was left");
    let said =
        succeeds(&["archive", path.to_str().unwrap(), "-o", to("wide").to_str().unwrap(), "--profile", "flac16", "--allow-loss"]);
    assert!(said.contains("rounded"), "{said}");
    succeeds(&["archive", path.to_str().unwrap(), "-o", to("wide24").to_str().unwrap(), "--profile", "flac24"]);
    python("read_archive.py", &[&to("wide24").join("wide.h5"), &raw(&path, &wide), &path]);
    succeeds(&["archive", path.to_str().unwrap(), "-o", to("wide-opus").to_str().unwrap(), "--profile", "opus"]);
    python("read_archive.py", &[&to("wide-opus").join("wide.h5"), &raw(&path, &wide), &path]);

    wide[5_000] = 1.5;
    let path = write(folder.path(), "loud", &wide, 48_000.0, Storage::Fixed24);
    let refused = run(&["archive", path.to_str().unwrap(), "-o", to("loud").to_str().unwrap(), "--profile", "flac24"]);
    assert!(!refused.status.success() && text(&refused).contains("1 of them beyond full scale"), "{}", text(&refused));
}

/// Writes a take's `take.json` beside its file, as a receiver does.
fn with_take_json(path: &Path, state: State) -> PathBuf {
    let recording = Recording::open(path).unwrap();
    let mut take = send_learn::take::Take::new(&recording.description().unwrap());
    let file = path.file_name().unwrap().to_str().unwrap().to_owned();
    take.parts.push(ClosedPart { file, first_sample: 0, frames: recording.summary.frames });
    take.state = state;
    let folder = path.parent().unwrap().to_owned();
    take.save(&folder).unwrap();
    folder
}

/// A click each second of the receiver's clock.
fn clicks(number: u8, position: u64, channel: u64) -> f32 {
    // The second machine's sample clock is slow by 100 parts per million.
    let second = if number == 2 { 1.000_1 } else { 1.0 };
    let at = |position: u64| (position as f64 * second / RATE as f64).floor();
    let is_click = position == 0 || at(position) > at(position - 1);
    if is_click { 0.5 + f32::from(number) * 0.1 + channel as f32 * 0.01 } else { 0.0 }
}

#[test]
fn streams_of_two_machines_lie_on_one_timeline_wherever_their_folder_is() {
    let data = tempfile::tempdir().unwrap();
    let clock = |host_nanos: u64, offset_nanos: i64| ClockRow {
        sample: 0,
        host_nanos,
        offset_nanos,
        round_trip_nanos: 100_000,
        uncertainty_nanos: 50_000,
        drift_ppb: 0.0,
    };
    let first = takes::Take { name: "First", clock: vec![clock(1_000_000_000, 0)], begins: 0.0, sound: clicks, ..take(1) };
    // Three seconds later on the receiver's clock, on a machine whose clock shows 500 s.
    let second = takes::Take {
        name: "Second",
        host_nanos: 500_000_000_000,
        second: 1.000_1,
        begins: 3.0,
        playhead: None,
        clock: vec![clock(500_000_000_000, 4_000_000_000 - 500_000_000_000)],
        sound: clicks,
        ..take(2)
    };
    // On the first machine, in the same host, a second of playhead later.
    let third = takes::Take {
        name: "Third",
        host: 1,
        machine: 1,
        host_nanos: 2_000_000_000,
        begins: 1.0,
        playhead: Some(RATE as i64),
        clock: vec![clock(2_000_000_000, 0)],
        sound: clicks,
        ..take(3)
    };
    // Another day's, alone.
    let alone = takes::Take { name: "Alone", seconds: 2, notes: Vec::new(), ..take(9) };
    for take in [&first, &second, &third, &alone] {
        with_take_json(&take.write(data.path()), State::Complete);
    }
    let said = succeeds(&["index", data.path().to_str().unwrap()]);
    assert!(said.contains("3 streams") && said.contains("1 stream"), "{said}");
    let day = data.path().join("2026-11-22");
    let indices = |day: &Path| {
        let items = fs::read_dir(day).unwrap().map(|item| item.unwrap().path());
        let mut found: Vec<PathBuf> = items.filter(|path| path.extension().is_some_and(|end| end == "json")).collect();
        found.sort();
        found
    };
    let json = indices(&day).into_iter().find(|path| fs::read_to_string(path).unwrap().contains("Second")).unwrap();
    let session: Value = serde_json::from_slice(&fs::read(&json).unwrap()).unwrap();
    let streams = session["streams"].as_array().unwrap();
    let of = |name: &str| streams.iter().find(|stream| stream["name"] == name).unwrap();
    assert_eq!(of("First")["alignment"], "reference");
    assert_eq!((&of("Third")["alignment"], of("Third")["offset"].as_f64()), (&Value::from("playhead"), Some(48_000.0)));
    let placed = of("Second");
    assert_eq!(placed["alignment"], "clock");
    assert!((placed["offset"].as_f64().unwrap() - 3.0 * 48_000.0).abs() < 100.0, "{placed}");
    assert!((placed["rate"].as_f64().unwrap() - 1.000_1).abs() < 2e-6, "{placed}");
    python("read_session.py", &[&json.with_extension("hdf5")]);
    // Other tools see nothing of the indices.
    assert_eq!(run(&["verify", data.path().to_str().unwrap()]).status.code(), Some(0));

    let moved = data.path().join("elsewhere");
    fs::rename(&day, &moved).unwrap();
    python("read_session.py", &[&moved.join(json.file_name().unwrap()).with_extension("hdf5")]);
}

#[test]
fn only_whole_finished_takes_are_pruned_and_only_when_told() {
    let data = tempfile::tempdir().unwrap();
    let short = |number: u8| takes::Take { seconds: 2, notes: Vec::new(), ..take(number) };
    let complete = with_take_json(&short(1).write(data.path()), State::Complete);
    let interrupted = with_take_json(&short(2).write(data.path()), State::Interrupted);
    let annotated = with_take_json(&short(3).write(data.path()), State::Complete);
    fs::write(annotated.join("notes.txt"), "the good one").unwrap();
    succeeds(&["index", data.path().to_str().unwrap()]);
    let prune = |more: &[&str]| run(&[&["prune", "--data", data.path().to_str().unwrap()], more].concat());
    assert!(!prune(&[]).status.success(), "without a rule nothing goes");
    assert!(text(&prune(&["--older-than", "1", "--yes"])).contains("nothing to remove"));
    assert!(text(&prune(&["--older-than", "0", "--dry-run"])).contains("would remove 1 take"));
    let asked = prune(&["--older-than", "0"]);
    assert!(!asked.status.success() && text(&asked).contains("say --yes"), "{}", text(&asked));
    assert!(complete.is_dir());
    let done = prune(&["--older-than", "0", "--yes"]);
    assert!(done.status.success() && text(&done).contains("removed 1 take"), "{}", text(&done));
    assert!(text(&done).contains("notes.txt lies in it"), "{}", text(&done));
    assert!(!complete.exists() && interrupted.is_dir() && annotated.is_dir());
    // The index names what is left.
    let day = interrupted.parent().unwrap();
    let indices: String = fs::read_dir(day)
        .unwrap()
        .map(|item| item.unwrap().path())
        .filter(|path| path.extension().is_some_and(|end| end == "json"))
        .map(|path| fs::read_to_string(path).unwrap())
        .collect();
    assert!(!indices.contains("00000001-Keys") && !indices.contains("000001-Keys") && indices.contains("000002-Keys"), "{indices}");
    // A size that no disk has: all that is finished and ours would go, and it is said that this is not enough.
    assert!(text(&prune(&["--keep-free", "900000 TB", "--dry-run"])).contains("lacking"));
}

#[test]
fn a_picture_shows_what_was_played_and_what_is_missing() {
    let data = tempfile::tempdir().unwrap();
    let gap = GapRow { sample: 20 * RATE, frames: 5 * RATE, reason: 8 };
    let path = takes::Take { name: "Keys <&> \"more\"", gaps: vec![gap], ..take(1) }.write(data.path());
    let (png, svg) = (data.path().join("picture.png"), data.path().join("picture.svg"));
    for picture in [&png, &svg] {
        succeeds(&["plot", path.to_str().unwrap(), "-o", picture.to_str().unwrap()]);
    }
    let bytes = fs::read(&png).unwrap();
    assert_eq!(bytes[..8], *b"\x89PNG\r\n\x1a\n");
    assert_eq!(u32::from_be_bytes(bytes[16..20].try_into().unwrap()), 1_600);
    let svg = fs::read_to_string(svg).unwrap();
    for words in [
        "Waveform",
        "Spectrogram",
        "Notes (200)",
        "Tempo: 120.00",
        "Levels",
        "private, and therefore not sent",
        "Keys &lt;&amp;&gt;",
    ] {
        assert!(svg.contains(words), "{words}");
    }
    // A few samples, and MIDI alone.
    succeeds(&["plot", path.to_str().unwrap(), "-o", png.to_str().unwrap(), "--from", "3", "--to", "3.002"]);
    let midi = takes::Take { channels: 0, seconds: 4, ..take(2) }.write(data.path());
    succeeds(&["plot", midi.to_str().unwrap(), "-o", png.to_str().unwrap()]);
    let beyond = run(&["plot", path.to_str().unwrap(), "-o", png.to_str().unwrap(), "--from", "1000"]);
    assert!(!beyond.status.success() && text(&beyond).contains("holds nothing"), "{}", text(&beyond));
}
