//! The notes, controls, tempos, beats and keys of real tunes are those that an independent reader finds in the same files.
//!
//! The tunes are played into a recording's tables as a host would, at 48 kHz. The reader is `music_reference.py`, with mido
//! and numpy, in the Python that `SEND_LEARN_PYTHON` names. Where it or the tunes are missing, the test says so.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use midly::live::LiveEvent;
use midly::{MetaMessage, Smf, Timing, TrackEventKind};
use send_learn::music::{Score, key};
use send_learn::store::layout::{MidiRow, TransportRow};
use send_learn_protocol::record::TransportFlags;
use serde::Deserialize;

const TUNES: &str = "/usr/share/games/openttd/baseset/openmsx";
const RATE: u64 = 48_000;

/// The exit status by which the script says that mido is not there.
const NO_MIDO: i32 = 77;

/// What the reference says of a tune.
#[derive(Deserialize)]
struct Reference {
    /// Onset, duration, sustained duration, pitch, velocity, release velocity, channel.
    notes: Vec<(u64, u64, u64, u8, u8, u8, u8)>,
    controls: Vec<(u64, String, u8, u8, f64)>,
    tempos: Vec<(u64, f64)>,
    beats: Vec<u64>,
    key: (String, f64),
}

#[test]
fn music_of_tunes_is_that_of_mido() {
    let tunes = match tunes() {
        Ok(tunes) => tunes,
        Err(reason) => return eprintln!("skipped: {reason}"),
    };
    let Some(python) = std::env::var_os("SEND_LEARN_PYTHON") else {
        return eprintln!("skipped: SEND_LEARN_PYTHON names no Python with mido and numpy");
    };
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/music_reference.py");
    let output = Command::new(python).arg(script).arg(RATE.to_string()).args(&tunes).output().expect("Python starts");
    let said = String::from_utf8_lossy(&output.stdout);
    if output.status.code() == Some(NO_MIDO) {
        return eprintln!("skipped: {}", said.trim());
    }
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    let references: Vec<Reference> = said.lines().map(|line| serde_json::from_str(line).expect("a reference")).collect();
    assert_eq!(references.len(), tunes.len());
    let (mut notes, mut controls, mut beats) = (0, 0, 0);
    for (tune, reference) in tunes.iter().zip(&references) {
        let score = play(tune);
        compare(&tune.file_stem().unwrap_or_default().to_string_lossy(), &score, reference);
        notes += reference.notes.len();
        controls += reference.controls.len();
        beats += reference.beats.len();
    }
    println!("{} tunes: {notes} notes, {controls} controls and {beats} beats are the same", tunes.len());
}

fn compare(tune: &str, score: &Score, reference: &Reference) {
    let music = score.whole();
    let mut notes: Vec<_> = music
        .notes
        .iter()
        .map(|note| (note.onset, note.duration, note.sustained, note.pitch, note.velocity, note.release_velocity, note.channel))
        .collect();
    notes.sort_unstable();
    for (note, expected) in notes.iter().zip(&reference.notes) {
        assert_eq!(note, expected, "{tune}");
    }
    assert_eq!(notes.len(), reference.notes.len(), "{tune}");

    let controls = music.controls.iter().map(|control| {
        let kind = serde_json::to_value(control.kind).expect("a name").as_str().unwrap_or_default().to_owned();
        ((control.sample, kind, control.channel, control.number), control.value)
    });
    for ((control, value), (sample, kind, channel, number, expected)) in controls.zip(&reference.controls) {
        assert_eq!(control, (*sample, kind.clone(), *channel, *number), "{tune}");
        assert!(is_same(value, *expected), "{tune}: {control:?} is {value}, not {expected}");
    }
    assert_eq!(music.controls.len(), reference.controls.len(), "{tune}");

    let expected = at_their_last(&reference.tempos);
    assert_eq!(music.tempos.len(), expected.len(), "{tune}");
    for (tempo, (sample, expected)) in music.tempos.iter().zip(expected) {
        assert!(tempo.sample == sample && is_same(tempo.tempo, expected), "{tune}: {tempo:?}, not {expected} at {sample}");
    }

    let beats: Vec<_> = music.beats.iter().map(|beat| beat.sample).collect();
    assert_eq!(beats, reference.beats, "{tune}");

    let found = key(&music.notes).expect("a key");
    assert_eq!(found.to_string(), reference.key.0, "{tune}");
    assert!(is_same(found.score, reference.key.1), "{tune}");
}

/// Equal but for what text loses: the parser of JSON is a bit off.
fn is_same(ours: f64, reference: f64) -> bool {
    (ours - reference).abs() <= 1e-12 * reference.abs().max(1.0)
}

/// The last tempo of each sample, where it differs from the one before.
fn at_their_last(tempos: &[(u64, f64)]) -> Vec<(u64, f64)> {
    let mut last: Vec<(u64, f64)> = Vec::new();
    for &(sample, tempo) in tempos {
        last.retain(|(other, _)| *other != sample);
        if last.last().is_none_or(|(_, before)| *before != tempo) {
            last.push((sample, tempo));
        }
    }
    last
}

/// The tempo map of a tune: from each tick on, microseconds per quarter note, and the time in ticks times microseconds.
struct TempoMap {
    per_quarter: u64,
    changes: Vec<(u64, u64, u64)>,
}

impl TempoMap {
    fn sample(&self, tick: u64) -> u64 {
        let (begin, tempo, time) = *self.changes.iter().rfind(|(begin, ..)| *begin <= tick).expect("a tempo at 0");
        let time = u128::from(time + (tick - begin) * tempo);
        let second = u128::from(self.per_quarter) * 1_000_000;
        ((time * u128::from(RATE) + second / 2) / second) as u64
    }

    /// Quarter notes at a sample.
    fn quarter(&self, sample: u64) -> f64 {
        let time = sample as f64 / RATE as f64 * 1e6 * self.per_quarter as f64;
        let (begin, tempo, since) = *self.changes.iter().rfind(|(.., since)| *since as f64 <= time).expect("a tempo at 0");
        (begin as f64 + (time - since as f64) / tempo as f64) / self.per_quarter as f64
    }
}

/// Plays a tune into the tables of a recording, and reads the score out of them.
fn play(tune: &Path) -> Score {
    let bytes = fs::read(tune).expect("a tune");
    let smf = Smf::parse(&bytes).expect("a MIDI file");
    let Timing::Metrical(per_quarter) = smf.header.timing else { panic!("{} counts in frames", tune.display()) };
    let mut events = Vec::new();
    for track in &smf.tracks {
        let mut tick = 0;
        for event in track {
            tick += u64::from(event.delta.as_int());
            events.push((tick, event.kind));
        }
    }
    events.sort_by_key(|(tick, _)| *tick);
    let mut map = TempoMap { per_quarter: u64::from(per_quarter.as_int()), changes: vec![(0, 500_000, 0)] };
    for (tick, event) in &events {
        if let TrackEventKind::Meta(MetaMessage::Tempo(tempo)) = event {
            let (begin, before, time) = map.changes[map.changes.len() - 1];
            map.changes.push((*tick, u64::from(tempo.as_int()), time + (tick - begin) * before));
        }
    }
    let midi: Vec<MidiRow> = events.iter().filter_map(|(tick, event)| row(map.sample(*tick), event)).collect();
    let length = map.sample(events[events.len() - 1].0) + 1;
    Score::new(&midi, &[], &transport(&map, length), &[], length, RATE as f64)
}

fn row(sample: u64, event: &TrackEventKind<'_>) -> Option<MidiRow> {
    let TrackEventKind::Midi { channel, message } = *event else { return None };
    let mut bytes = Vec::new();
    LiveEvent::Midi { channel, message }.write_std(&mut bytes).expect("room");
    bytes.resize(3, 0);
    let (status, data1, data2) = (bytes[0], bytes[1], bytes[2]);
    Some(MidiRow { sample, status, data1, data2, kind: 0, note_id: -1, value: 0.0, sysex_offset: 0, sysex_length: 0 })
}

/// A row a second, and one wherever the tempo changes.
fn transport(map: &TempoMap, length: u64) -> Vec<TransportRow> {
    let changes = map.changes.iter().map(|(tick, ..)| map.sample(*tick));
    let mut samples: Vec<u64> = (0..length).step_by(RATE as usize).chain(changes).filter(|sample| *sample < length).collect();
    samples.sort_unstable();
    samples.dedup();
    let given = [TransportFlags::PLAYING, TransportFlags::TEMPO, TransportFlags::METER, TransportFlags::PLAYHEAD];
    let given = given.into_iter().chain([TransportFlags::SECONDS, TransportFlags::PPQ]);
    let flags = given.fold(TransportFlags::default(), |flags, flag| flags.with(flag, true)).0;
    let row = |sample: u64| {
        let (_, tempo, _) = *map.changes.iter().rfind(|(tick, ..)| map.sample(*tick) <= sample).expect("a tempo at 0");
        TransportRow {
            sample,
            flags,
            numerator: 4,
            denominator: 4,
            bar: 0,
            tempo: 60e6 / tempo as f64,
            playhead: sample as i64,
            seconds: sample as f64 / RATE as f64,
            ppq: map.quarter(sample),
            bar_start: 0.0,
            loop_start: 0.0,
            loop_end: 0.0,
        }
    };
    samples.into_iter().map(row).collect()
}

fn tunes() -> Result<Vec<PathBuf>, String> {
    let files = fs::read_dir(TUNES).map_err(|error| format!("{TUNES}: {error}"))?;
    let mut files: Vec<PathBuf> = files.filter_map(|file| file.ok().map(|file| file.path())).collect();
    files.retain(|file| file.extension().is_some_and(|extension| extension == "mid"));
    files.sort();
    if files.is_empty() { Err(format!("no tunes in {TUNES}")) } else { Ok(files) }
}
