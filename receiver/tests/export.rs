//! `send-learn export` on recordings: every format, what is bad among what is good, and exports that were interrupted.

#[path = "common/takes.rs"]
mod takes;

use std::cell::Cell;
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::process::{Command, Output};

use send_learn::export::{ExportError, FORMATS, MANIFEST, Manifest, Request, export};
use send_learn::sequences::{Plan, Settings};
use send_learn::source::{Sources, files};
use send_learn::store::layout::AUDIO_CHUNK;
use takes::{Take, melody, take, written};

fn command(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_send-learn")).args(arguments).output().unwrap()
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

fn manifest(out: &Path) -> Manifest {
    serde_json::from_slice(&fs::read(out.join(MANIFEST)).unwrap()).unwrap()
}

/// Short sequences, so that the tests are.
fn settings() -> Settings {
    Settings { sequence_length: 2.0, overlap: 0.5, min_midi_events: 4, validation: 0.3, test: 0.3, ..Settings::default() }
}

const SHORT: [&str; 10] =
    ["--sequence-length", "2", "--overlap", "0.5", "--min-midi-events", "4", "--validation", "0.3", "--test", "0.3"];

fn short_take(number: u8) -> Take {
    Take { seconds: 8, notes: melody(number, 8), ..take(number) }
}

/// All files of an export but its manifest, with what is in them.
fn contents(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let mut found = Vec::new();
    for item in fs::read_dir(folder).unwrap() {
        let path = item.unwrap().path();
        if path.is_dir() {
            found.extend(contents(&path));
        } else if path.file_name().unwrap() != MANIFEST {
            found.push((path.file_name().unwrap().to_string_lossy().into_owned(), fs::read(&path).unwrap()));
        }
    }
    found.sort();
    found
}

#[test]
fn every_format_is_exported_with_a_manifest_that_names_its_files() {
    let (data, _sources) = written(&[short_take(1), short_take(2), short_take(3), short_take(4)]);
    let recordings = data.path().join("2026-11-22");
    for format in FORMATS {
        let out = data.path().join("out").join(format);
        let arguments = [&["export", format, recordings.to_str().unwrap(), "--out", out.to_str().unwrap()], &SHORT[..]];
        let output = command(&arguments.concat());
        assert!(output.status.success(), "{format}: {}", said(&output));
        let manifest = manifest(&out);
        // 8 s in windows of 2 s that begin each 1.5 s.
        assert_eq!(manifest.contents.total(), 4 * 5, "{format}");
        assert_eq!(manifest.export, format);
        let named: u64 = manifest.files.iter().map(|file| file.bytes).sum();
        let there: u64 = contents(&out).iter().map(|(_, bytes)| bytes.len() as u64).sum();
        assert_eq!(named, there, "{format}: every file is named, and nothing else is left");
        let card = fs::read_to_string(out.join("README.md")).unwrap();
        assert!(card.contains("20 sequences of 2 s") && card.contains("May be used to train models."), "{card}");
    }
}

#[test]
fn what_cannot_be_exported_is_said_and_nothing_is_left() {
    let (data, _sources) = written(&[Take { seconds: 3, ..take(1) }]);
    let recordings = data.path().join("2026-11-22");
    let out = data.path().join("out");
    let run = |more: &[&str]| {
        let arguments = ["export", "pytorch", recordings.to_str().unwrap(), "--out", out.to_str().unwrap()];
        let output = command(&[&arguments[..], more].concat());
        assert_eq!(output.status.code(), Some(1), "{}", said(&output));
        assert!(!out.exists());
        said(&output)
    };
    assert!(run(&[]).contains("take shorter than a sequence; --sequence-length takes fewer seconds"));
    assert!(run(&["--sequence-length", "2", "--overlap", "2"]).contains("overlap"));
    assert!(run(&["--sequence-length", "2", "--overlap", "0", "--n-fft", "7"]).contains("n_fft"));
    let (data, _sources) = written(&[Take { consent: "Nein.", ..short_take(1) }]);
    let output = command(&[&["export", "pytorch", data.path().to_str().unwrap(), "--own"], &SHORT[..]].concat());
    assert!(said(&output).contains("consent was refused") && !said(&output).contains("say --own"), "{}", said(&output));
    let (data, _sources) = written(&[Take { notes: Vec::new(), ..short_take(1) }]);
    let output = command(&[&["export", "pytorch", data.path().to_str().unwrap()], &SHORT[..]].concat());
    assert!(said(&output).contains("too few MIDI events; --min-midi-events takes fewer"), "{}", said(&output));
    let empty = tempfile::tempdir().unwrap();
    let output = command(&["export", "pytorch", empty.path().to_str().unwrap()]);
    assert!(!output.status.success() && said(&output).contains("holds no recording"), "{}", said(&output));
    assert!(said(&command(&["export", "mp3"])).contains("tokens"));
}

#[test]
fn a_broken_file_among_good_ones_is_named_and_the_others_are_exported() {
    let (data, _sources) = written(&[short_take(1), short_take(2)]);
    let recordings = data.path().join("2026-11-22");
    let broken = files(&recordings).unwrap()[0].clone();
    fs::OpenOptions::new().write(true).open(&broken).unwrap().set_len(5_000).unwrap();
    let out = data.path().join("out");
    let arguments = [&["export", "parquet", recordings.to_str().unwrap(), "--out", out.to_str().unwrap()], &SHORT[..]];
    let output = command(&arguments.concat());
    assert_eq!(output.status.code(), Some(1));
    assert!(said(&output).contains(broken.to_str().unwrap()), "{}", said(&output));
    let manifest = manifest(&out);
    assert_eq!((manifest.contents.total(), manifest.broken.len()), (5, 1));
    // What is given to others says nothing of the machine that recorded.
    let card = fs::read_to_string(out.join("README.md")).unwrap();
    let written = fs::read_to_string(out.join(MANIFEST)).unwrap();
    let folder = data.path().to_str().unwrap();
    assert!(card.contains("- 2026-11-22/") && !card.contains(folder), "{card}");
    assert!(!written.contains(folder), "{written}");
}

#[test]
fn a_file_in_which_a_note_was_changed_on_disk_is_named_and_left_out() {
    let (data, _sources) = written(&[short_take(1), short_take(2)]);
    let broken = files(data.path()).unwrap()[0].clone();
    let offset = hdf5::File::open(&broken).unwrap().dataset("midi").unwrap().chunk_info(0).unwrap().addr as usize;
    let mut bytes = fs::read(&broken).unwrap();
    // The first event's velocity: an order, or a length, would not tell of it.
    bytes[offset + 10] ^= 1;
    fs::write(&broken, bytes).unwrap();
    let out = data.path().join("out");
    let arguments = [&["export", "parquet", data.path().to_str().unwrap(), "--out", out.to_str().unwrap()], &SHORT[..]];
    let output = command(&arguments.concat());
    assert_eq!(output.status.code(), Some(1));
    let words = format!("{} is damaged: the rows of /midi are not those that were written", broken.display());
    assert!(said(&output).contains(&words), "{}", said(&output));
    assert_eq!((manifest(&out).contents.total(), manifest(&out).broken.len()), (5, 1));
    let output = command(&["verify", broken.to_str().unwrap()]);
    assert!(!output.status.success() && said(&output).contains("/midi"), "{}", said(&output));
}

#[test]
fn sound_that_was_changed_on_disk_is_named_by_its_samples_and_its_windows_are_left_out() {
    let (data, _sources) = written(&[short_take(1), short_take(2)]);
    let broken = files(data.path()).unwrap()[0].clone();
    let chunk = hdf5::File::open(&broken).unwrap().dataset("audio").unwrap().chunk_info(2).unwrap();
    let mut bytes = fs::read(&broken).unwrap();
    bytes[chunk.addr as usize + 1_000] ^= 1;
    fs::write(&broken, bytes).unwrap();
    let out = data.path().join("out");
    let arguments = [&["export", "parquet", data.path().to_str().unwrap(), "--out", out.to_str().unwrap()], &SHORT[..]];
    let output = command(&arguments.concat());
    assert_eq!(output.status.code(), Some(1));
    let words = format!("{} is damaged: samples {} and on cannot be read", "Keys-0001.h5", 2 * AUDIO_CHUNK);
    assert!(said(&output).contains(&words), "{}", said(&output));
    // Windows of 2 s, each 1.5 s later: the chunk lies in the first alone.
    assert_eq!((manifest(&out).contents.total(), manifest(&out).contents.skipped.len()), (9, 1));
    // The rest of the file is still checked: 800 blocks of 480 frames, of which 35 touch the chunk.
    let output = command(&["verify", broken.to_str().unwrap()]);
    let words = format!("samples {} to {} cannot be read", 2 * AUDIO_CHUNK, 3 * AUDIO_CHUNK - 1);
    assert!(!output.status.success() && said(&output).contains(&words), "{}", said(&output));
    assert!(said(&output).contains("765 blocks checked"), "{}", said(&output));
}

#[test]
fn a_split_that_stays_empty_is_told() {
    let (data, _sources) = written(&[short_take(1)]);
    let export = |out: &str, shares: &[&str]| {
        let out = data.path().join(out);
        let arguments = ["export", "parquet", data.path().to_str().unwrap(), "--out", out.to_str().unwrap()];
        said(&command(&[&arguments[..], &SHORT[..6], shares].concat()))
    };
    assert!(export("one", &[]).contains("nothing for validation and test: whole performances are drawn"));
    assert!(!export("two", &["--validation", "0", "--test", "0"]).contains("nothing for"));
}

#[test]
fn a_card_calls_midi_alone_no_sound() {
    let card = |takes: &[Take]| {
        let (data, _sources) = written(takes);
        let out = data.path().join("out");
        let arguments = [&["export", "parquet", data.path().to_str().unwrap(), "--out", out.to_str().unwrap()], &SHORT[..]];
        let output = command(&arguments.concat());
        assert!(output.status.success(), "{}", said(&output));
        fs::read_to_string(out.join("README.md")).unwrap()
    };
    let midi = || Take { channels: 0, ..short_take(2) };
    assert!(card(&[midi()]).contains(" hours of MIDI alone ("));
    assert!(card(&[short_take(1)]).contains(" hours of sound ("));
    assert!(card(&[short_take(1), midi()]).contains(" hours, 5 of the sequences MIDI alone ("));
}

#[test]
fn a_card_tells_of_features_and_notes_only_where_there_are_some() {
    let (data, _sources) = written(&[Take { notes: Vec::new(), ..short_take(1) }]);
    let card = |format: &str| {
        let out = data.path().join(format);
        let arguments = ["export", format, data.path().to_str().unwrap(), "--out", out.to_str().unwrap()];
        let output = command(&[&arguments[..], &["--sequence-length", "2", "--overlap", "0.5", "--min-midi-events", "0"]].concat());
        assert!(output.status.success(), "{}", said(&output));
        let card = fs::read_to_string(out.join("README.md")).unwrap();
        assert!(!card.contains("aligned") && !card.contains("at least"), "{card}");
        card
    };
    assert!(card("parquet").contains("Features: 13 MFCC"));
    assert!(!card("tokens").contains("Features"));
}

#[test]
fn a_broken_file_is_named_where_it_leaves_nothing_to_export() {
    let (data, _sources) = written(&[short_take(1)]);
    let broken = files(data.path()).unwrap()[0].clone();
    fs::OpenOptions::new().write(true).open(&broken).unwrap().set_len(5_000).unwrap();
    let out = data.path().join("out");
    let output = command(&["export", "parquet", data.path().to_str().unwrap(), "--out", out.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(1));
    assert!(said(&output).contains(broken.to_str().unwrap()), "{}", said(&output));
    assert!(said(&output).contains("there is no sequence to export") && !out.exists(), "{}", said(&output));
}

#[test]
fn a_file_that_lies_where_none_belongs_hides_no_recording() {
    let (data, _sources) = written(&[short_take(1), short_take(2)]);
    let day = data.path().join("2026-11-22");
    let strays = [data.path().join("notes.h5"), day.join("backup.h5")];
    strays.iter().for_each(|stray| fs::write(stray, "no recording").unwrap());
    let sources = Sources::open(&files(data.path()).unwrap());
    assert_eq!((sources.takes.len(), sources.broken.len()), (2, 2));
    let sources = Sources::open(&files(&day).unwrap());
    assert_eq!((sources.takes.len(), sources.broken.len()), (2, 1));
}

#[test]
fn an_interrupted_export_goes_on_where_it_stopped_and_ends_the_same() {
    let (data, sources) = written(&[short_take(1), short_take(2), short_take(3), short_take(4)]);
    let settings = settings();
    let plan = Plan::new(&sources, &settings);
    for format in FORMATS {
        let (whole, again) = (data.path().join(format!("whole-{format}")), data.path().join(format!("again-{format}")));
        // Files of a few sequences each, so that there are several.
        let request = |out| Request {
            sources: &sources,
            plan: &plan,
            settings: &settings,
            out,
            audio: false,
            file_limit: 1_000_000,
            threads: 2,
        };
        export(format, &request(&whole), &|_| ()).unwrap();
        // The power goes in the middle: a panic unwinds through the export at its 13th sequence.
        let interrupted =
            catch_unwind(AssertUnwindSafe(|| export(format, &request(&again), &|done| assert!(done < 13, "power failure"))));
        assert!(interrupted.is_err() && !again.join(MANIFEST).exists(), "{format}");
        let finished: Vec<_> =
            contents(&again).into_iter().filter(|(name, _)| name != "plan" && !name.ends_with(".json")).collect();
        let first = Cell::new(None);
        export(format, &request(&again), &|done| first.set(first.get().or(Some(done)))).unwrap();
        assert!(contents(&whole) == contents(&again), "{format}: the files differ");
        assert_eq!(manifest(&whole), manifest(&again));
        if ["pytorch", "tensorflow", "safetensors", "webdataset"].contains(&format) {
            assert!(!finished.is_empty() && first.get().unwrap() > 1, "{format}: nothing of the first run was used again");
        }
        // Whether samples are asked for says nothing where they go along always or never.
        if ["midi+audio", "tokens", "parquet"].contains(&format) {
            export(format, &Request { audio: true, ..request(&again) }, &|_| ()).unwrap();
        }
        // Done is done.
        export(format, &request(&again), &|done| assert_eq!(done, plan.sequences.len() as u64)).unwrap();
    }
}

#[test]
fn a_finished_export_from_which_a_file_is_gone_is_made_whole() {
    let (data, sources) = written(&[short_take(1), short_take(2)]);
    let settings = settings();
    let plan = Plan::new(&sources, &settings);
    // One of files, one of folders.
    for format in ["pytorch", "midi+audio"] {
        let out = data.path().join(format);
        let request = Request {
            sources: &sources,
            plan: &plan,
            settings: &settings,
            out: &out,
            audio: false,
            file_limit: 1 << 30,
            threads: 2,
        };
        let whole = export(format, &request, &|_| ()).unwrap();
        let before = contents(&out);
        for gone in [&whole.files[0], whole.files.last().unwrap()] {
            fs::remove_file(out.join(&gone.name)).unwrap();
            assert_eq!(export(format, &request, &|_| ()).unwrap(), whole, "{format}: without {}", gone.name);
            assert!(contents(&out) == before, "{format}: without {}", gone.name);
        }
        fs::write(out.join(&whole.files[0].name), "cut").unwrap();
        // What a kill right after the manifest leaves goes too.
        fs::create_dir_all(out.join(".unfinished")).unwrap();
        export(format, &request, &|_| ()).unwrap();
        assert!(contents(&out) == before && !out.join(".unfinished").exists(), "{format}");
    }
}

#[test]
fn a_finished_export_tells_what_was_left_out_since() {
    let (data, sources) = written(&[short_take(1), short_take(2)]);
    let settings = settings();
    let plan = Plan::new(&sources, &settings);
    let out = data.path().join("out");
    let request =
        Request { sources: &sources, plan: &plan, settings: &settings, out: &out, audio: false, file_limit: 1 << 30, threads: 2 };
    let first = export("parquet", &request, &|_| ()).unwrap();
    fs::write(data.path().join("2026-11-22/stray.h5"), "no recording").unwrap();
    Take { consent: "no", ..short_take(3) }.write(data.path());
    let sources = Sources::open(&files(&data.path().join("2026-11-22")).unwrap());
    let plan = Plan::new(&sources, &settings);
    let again = export("parquet", &Request { sources: &sources, plan: &plan, ..request_like(&request) }, &|_| ()).unwrap();
    assert_eq!((again.plan.as_str(), again.broken.len()), (first.plan.as_str(), 1));
    assert!(first.left_out.is_empty() && !again.left_out.is_empty());
    assert_eq!(manifest(&out), again);
    let card = fs::read_to_string(out.join("README.md")).unwrap();
    assert!(card.contains("2026-11-22/stray.h5") && !card.contains("No window was left out"), "{card}");
}

#[test]
fn an_export_within_the_data_folder_is_taken_for_no_recording() {
    let (data, _sources) = written(&[short_take(1)]);
    let out = data.path().join("my-dataset");
    let folder = data.path().to_str().unwrap();
    let export = || command(&[&["export", "hdf5", folder, "--out", out.to_str().unwrap()], &SHORT[..]].concat());
    for _ in 0..2 {
        let output = export();
        assert!(output.status.success(), "{}", said(&output));
    }
    assert_eq!(files(data.path()).unwrap().len(), 1);
}

#[cfg(target_os = "linux")]
#[test]
fn more_recordings_than_a_process_may_have_open_are_exported() {
    let takes: Vec<Take> = (1..=60).map(|number| Take { seconds: 2, notes: melody(number, 2), ..take(number) }).collect();
    let (data, _sources) = written(&takes);
    let out = data.path().join("out");
    let mut shell = Command::new("sh");
    shell.args(["-c", "ulimit -n 40 && exec \"$@\"", "sh", env!("CARGO_BIN_EXE_send-learn"), "export", "tokens"]);
    let output = shell.args(SHORT).arg("--out").arg(&out).arg(data.path()).output().unwrap();
    assert!(output.status.success(), "{}", said(&output));
    assert_eq!(manifest(&out).contents.total(), 60);
}

#[test]
fn a_folder_that_cannot_be_made_is_named_and_nothing_more_is_promised() {
    let (data, _sources) = written(&[short_take(1)]);
    let file = data.path().join("afile");
    fs::write(&file, "something").unwrap();
    for out in [file.to_str().unwrap(), "/proc/send-learn-export"] {
        let arguments = [&["export", "tokens", data.path().to_str().unwrap(), "--out", out], &SHORT[..]];
        let output = command(&arguments.concat());
        assert_eq!(output.status.code(), Some(1));
        let said = said(&output);
        assert!(said.contains("cannot make the folder") && said.contains(out) && !said.contains("is kept"), "{said}");
    }
}

#[test]
fn a_folder_with_something_else_in_it_is_left_alone() {
    let (data, sources) = written(&[short_take(1)]);
    let settings = settings();
    let plan = Plan::new(&sources, &settings);
    let out = data.path().join("out");
    fs::create_dir(&out).unwrap();
    fs::write(out.join("thesis.txt"), "years of work").unwrap();
    let request =
        Request { sources: &sources, plan: &plan, settings: &settings, out: &out, audio: false, file_limit: 1 << 30, threads: 2 };
    assert!(matches!(export("tokens", &request, &|_| ()), Err(ExportError::Occupied { .. })));
    assert_eq!(contents(&out).len(), 1);

    let other = data.path().join("other");
    let other_request = |settings, plan| Request { settings, plan, out: &other, ..request_like(&request) };
    export("tokens", &other_request(&settings, &plan), &|_| ()).unwrap();
    let before = contents(&other);
    let changed = Settings { seed: 7, ..settings.clone() };
    let plan = Plan::new(&sources, &changed);
    assert!(matches!(export("tokens", &other_request(&changed, &plan), &|_| ()), Err(ExportError::Occupied { .. })));
    assert!(contents(&other) == before);
}

fn request_like<'a>(request: &Request<'a>) -> Request<'a> {
    Request { ..*request }
}

#[test]
fn a_recording_of_many_parts_is_one_take() {
    let (data, _sources) = written(&[short_take(1)]);
    let sources = Sources::open(&files(data.path()).unwrap());
    assert_eq!(sources.takes.len(), 1);
    assert_eq!(sources.takes[0].audio(100..110).unwrap().len(), 20);
}
