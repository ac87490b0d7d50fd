//! Exports for the tests: files that a format wrote, and what went into them as `truth.json`, for a reader in Python to compare.
#![allow(dead_code, unreachable_pub, reason = "each test file is a crate that uses its part of it")]

use std::fs;
use std::path::Path;
use std::process::Command;

use send_learn::export::{Format, Layout, Shard, ShardPlan};
use send_learn::music::{Beat, Control, ControlKind, Event, Note};
use send_learn::sequences::{Sequence, Settings, Split};
use serde_json::{Value, json};

use crate::sequences::sequence;

/// The exit status by which a script says that a library is not there.
const NO_LIBRARY: i32 = 77;

/// Sequences that differ in all that formats must cope with.
pub fn varied() -> Vec<Sequence> {
    let mut rich = sequence(2, Split::Validation, 2, 30_000);
    rich.about.name = "a \"quoted\" name\nof two lines, 二".into();
    rich.about.window = u64::MAX;
    (rich.about.tempo, rich.about.meter, rich.about.key) = (None, None, None);
    let kinds = [ControlKind::Controller, ControlKind::ChannelPressure, ControlKind::KeyPressure, ControlKind::Program];
    for (index, kind) in (0_u8..).zip(kinds) {
        let value = if kind == ControlKind::Program { 5.0 } else { f64::from(index) / 3.0 };
        rich.music.controls.push(Control { sample: 100, kind, channel: index, number: 64 + index, value, track: 1 });
    }
    for (index, note) in rich.music.notes.iter_mut().enumerate() {
        *note =
            Note { sustained: note.duration + 77, held: index == 0, open: index == 1, release_velocity: 9, channel: 15, ..*note };
    }
    rich.music.beats =
        (0..5).map(|n| Beat { sample: n * 6_000, ppq: n as f64 / 2.0 - 0.5, bar: n as i32 - 1, beat: n as u16 }).collect();
    rich.music.events.push(Event { sample: 29_000, bytes: vec![0xF0, 0x7E, 1, 2, 3, 0xF7], track: 1 });
    rich.music.events.push(Event { sample: 29_001, bytes: vec![0xF0, 0xF7], track: 0 });
    rich.music.events.push(Event { sample: 29_002, bytes: vec![0xC0, 5], track: 0 });
    let mut silent = sequence(4, Split::Test, 1, 3);
    silent.music = Default::default();
    vec![
        sequence(0, Split::Train, 2, 48_000),
        sequence(1, Split::Train, 1, 20_000),
        rich,
        sequence(3, Split::Test, 0, 30_000),
        silent,
        sequence(5, Split::Train, 3, 700),
    ]
}

/// Writes an export of the sequences, one file or one for each split, and `truth.json` beside it.
pub fn export<F: Format>(format: &F, sequences: &[Sequence], audio: bool, folder: &Path) {
    let splits: Vec<Option<Split>> = if matches!(F::LAYOUT, Layout::Together | Layout::OneFile) {
        vec![None]
    } else {
        Split::ALL.into_iter().map(Some).collect()
    };
    for split in splits {
        let chosen: Vec<&Sequence> =
            sequences.iter().filter(|sequence| split.is_none_or(|split| sequence.about.split == split)).collect();
        let plan = plan(format, split, chosen.len(), audio, folder);
        let mut shard = format.shard(&plan).unwrap();
        for sequence in chosen {
            shard.add(format.encode(sequence, &plan).unwrap()).unwrap();
        }
        shard.finish().unwrap();
    }
    for (name, bytes) in format.companions(&Settings::default(), audio) {
        fs::write(folder.join(name), bytes).unwrap();
    }
    let truth = json!({
        "audio": audio,
        "settings": Settings::default(),
        "sequences": sequences.iter().map(truth).collect::<Vec<_>>(),
    });
    fs::write(folder.join("truth.json"), truth.to_string()).unwrap();
}

/// The plan of the only file of a split.
pub fn plan<F: Format>(format: &F, split: Option<Split>, sequences: usize, audio: bool, folder: &Path) -> ShardPlan {
    let name = format.file_name(split, 1, 1);
    ShardPlan { path: folder.join(&name), name, split, sequences, settings: Settings::default(), audio }
}

fn truth(sequence: &Sequence) -> Value {
    let Sequence { about, audio, features, music } = sequence;
    let events = music.events.iter().map(|event| json!({"sample": event.sample, "bytes": event.bytes, "track": event.track}));
    json!({
        "about": about,
        "audio": audio,
        "features": {
            "frames": features.frames,
            "mfcc": features.mfcc,
            "chroma": features.chroma,
            "mel": features.mel,
            "spectral_centroid": features.centroid,
            "spectral_bandwidth": features.bandwidth,
            "spectral_rolloff": features.rolloff,
            "spectral_flatness": features.flatness,
            "zero_crossing_rate": features.zero_crossing_rate,
            "rms": features.rms,
            "onset_strength": features.onset,
        },
        "music": {
            "notes": music.notes,
            "controls": music.controls,
            "tempos": music.tempos,
            "meters": music.meters,
            "beats": music.beats,
            "events": events.collect::<Vec<_>>(),
        },
    })
}

/// Has `tests/SCRIPT` compare the export in `folder` with the truth; `variable` names the variable that names the Python.
pub fn compare(variable: &str, script: &str, folder: &Path) {
    let Some(python) = std::env::var_os(variable) else {
        eprintln!("skipped: {variable} names no Python for {script}");
        return;
    };
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join(script);
    let output = Command::new(python).arg(script).arg(folder).output().expect("Python starts");
    let said = String::from_utf8_lossy(&output.stdout);
    if output.status.code() == Some(NO_LIBRARY) {
        eprintln!("skipped: {}", said.trim());
        return;
    }
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    println!("{}", said.trim());
}
