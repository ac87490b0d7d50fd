//! Music for the tests of exports: tunes from Debian, cut into windows, and random playing.
#![allow(dead_code, unreachable_pub, reason = "each test file is a crate that uses its part of it")]

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::{fs, io};

use midly::{MetaMessage, Smf, Timing, TrackEventKind};
use send_learn::export::{Format, Shard, ShardPlan};
use send_learn::music::{Beat, Control, ControlKind, Event, Meter, Music, Note, Tempo};
use send_learn::sequences::{Sequence, Settings, Split};

const TUNES: &str = "/usr/share/games/openttd/baseset/openmsx";

/// The tunes, in order of their names.
pub fn tunes() -> Result<Vec<PathBuf>, String> {
    let list = || -> io::Result<Vec<PathBuf>> { fs::read_dir(TUNES)?.map(|file| Ok(file?.path())).collect() };
    let mut files = list().map_err(|error| format!("{TUNES}: {error}; Debian's openttd-openmsx has it"))?;
    files.retain(|file| file.extension().is_some_and(|extension| extension == "mid"));
    files.sort();
    Ok(files)
}

/// A tune as it would be recorded at `rate`: tempi, meters and messages. Each of its tracks is a note source.
pub fn tune(path: &Path, rate: f64) -> Music {
    let bytes = fs::read(path).expect("the tune is there");
    let smf = Smf::parse(&bytes).expect("a MIDI file");
    let Timing::Metrical(per_quarter) = smf.header.timing else { panic!("{} counts frames of film", path.display()) };
    let mut events = Vec::new();
    for (track, messages) in smf.tracks.iter().enumerate() {
        let mut tick = 0_u64;
        for message in messages {
            tick += u64::from(message.delta.as_int());
            events.push((tick, track, message.kind));
        }
    }
    events.sort_by_key(|event| event.0);
    let (mut music, mut samples, mut last, mut micros) = (Music::default(), 0.0, 0, 500_000);
    music.tempos.push(Tempo { sample: 0, tempo: 120.0 });
    for (tick, track, kind) in events {
        samples += (tick - last) as f64 * f64::from(micros) * 1e-6 / f64::from(per_quarter.as_int()) * rate;
        last = tick;
        let sample = f64::round(samples) as u64;
        match kind {
            TrackEventKind::Midi { channel, message } => {
                let mut bytes = Vec::new();
                midly::live::LiveEvent::Midi { channel, message }.write_std(&mut bytes).expect("a message");
                music.events.push(Event { sample, bytes, track: track as u16 });
            }
            TrackEventKind::SysEx(data) => {
                music.events.push(Event { sample, bytes: [&[0xF0], data].concat(), track: track as u16 });
            }
            TrackEventKind::Meta(MetaMessage::Tempo(tempo)) => {
                micros = tempo.as_int();
                music.tempos.push(Tempo { sample, tempo: 60e6 / f64::from(micros) });
            }
            TrackEventKind::Meta(MetaMessage::TimeSignature(numerator, power, ..)) => {
                music.meters.push(Meter { sample, numerator: numerator.into(), denominator: 1 << power });
            }
            _ => {}
        }
    }
    music
}

/// What a window shows of `music`: what holds from before stands at 0.
pub fn window(music: &Music, range: Range<u64>) -> Music {
    let mut cut = Music::default();
    let mut held: BTreeMap<(u16, u8, u8), Vec<u8>> = BTreeMap::new();
    let mut sounding: Vec<(u16, [u8; 3])> = Vec::new();
    for event in &music.events {
        let bytes = &event.bytes;
        if event.sample >= range.start {
            let sample = event.sample - range.start;
            if event.sample < range.end {
                cut.events.push(Event { sample, ..event.clone() });
            }
            continue;
        }
        match bytes[..] {
            [status @ 0x90..=0x9F, pitch, velocity @ 1..=127] => sounding.push((event.track, [status, pitch, velocity])),
            [status @ 0x80..=0x9F, pitch, _] => {
                sounding.retain(|(track, strike)| (*track, strike[0] & 15, strike[1]) != (event.track, status & 15, pitch));
            }
            [status @ 0xB0..=0xBF, number, _] => _ = held.insert((event.track, status, number), bytes.clone()),
            [status @ 0xC0..=0xEF, ..] => _ = held.insert((event.track, status, 0), bytes.clone()),
            _ => {}
        }
    }
    for ((track, status, number), bytes) in held {
        let (kind, value) = match status & 0xF0 {
            0xB0 => (ControlKind::Controller, f64::from(bytes[2]) / 127.0),
            0xC0 => (ControlKind::Program, f64::from(bytes[1])),
            0xD0 => (ControlKind::ChannelPressure, f64::from(bytes[1]) / 127.0),
            _ => (ControlKind::PitchBend, (f64::from(bytes[1]) + f64::from(bytes[2]) * 128.0 - 8192.0) / 8192.0),
        };
        cut.controls.push(Control { sample: 0, kind, channel: status & 15, number, value, track });
    }
    for (track, [status, pitch, velocity]) in sounding {
        cut.notes.push(note(0, pitch, velocity, status & 15, track));
    }
    cut.tempos = from(&music.tempos, &range, |tempo, sample| Tempo { sample, ..*tempo }, |tempo| tempo.sample);
    cut.meters = from(&music.meters, &range, |meter, sample| Meter { sample, ..*meter }, |meter| meter.sample);
    cut
}

/// The values in `range`, and at 0 that which holds there.
fn from<T>(all: &[T], range: &Range<u64>, at: impl Fn(&T, u64) -> T, sample: impl Fn(&T) -> u64) -> Vec<T> {
    let begun = all.iter().rposition(|value| sample(value) <= range.start).unwrap_or(0);
    let within = all[begun.min(all.len())..].iter().filter(|value| sample(value) < range.end);
    within.map(|value| at(value, sample(value).saturating_sub(range.start))).collect()
}

fn note(onset: u64, pitch: u8, velocity: u8, channel: u8, track: u16) -> Note {
    let (duration, release_velocity) = (1, 0);
    Note { onset, duration, sustained: duration, pitch, velocity, release_velocity, channel, track, held: true, open: false }
}

/// Small random numbers, the same each time.
#[derive(Clone)]
pub struct Dice(u64);

impl Dice {
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    /// A number below `sides`.
    pub fn roll(&mut self, sides: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % sides
    }
}

/// Somebody hitting everything: all kinds of messages, keys struck twice, some on the same sample, system messages,
/// two note sources, programs that change, drums.
pub fn noise(seed: u64, frames: u64, count: u64) -> Music {
    let mut dice = Dice::new(seed);
    let mut music = Music::default();
    let mut samples: Vec<u64> = (0..count).map(|_| dice.roll(frames)).collect();
    samples.sort_unstable();
    for sample in samples {
        let sample = if dice.roll(4) == 0 { music.events.last().map_or(sample, |last| last.sample) } else { sample };
        let channel = [0, 0, 1, 9][dice.roll(4) as usize];
        let (key, value) = (60 + dice.roll(4) as u8, dice.roll(128) as u8);
        let bytes = match dice.roll(24) {
            0 => vec![0xC0 | channel, dice.roll(3) as u8],
            1 => vec![0xB0 | channel, 64, value],
            2 => vec![0xE0 | channel, 0, value],
            3 => vec![0xA0 | channel, key, value],
            4 => vec![0xD0 | channel, value],
            5 => vec![0xF0, 0x7D, value, 0xF7],
            6 => vec![0xF8],
            7 => vec![0xF0, 0x7D, 0x80, 0x01],
            8..16 => vec![0x90 | channel, key, value],
            _ => vec![0x80 | channel, key, value],
        };
        music.events.push(Event { sample, bytes, track: dice.roll(2) as u16 });
    }
    music.notes = (0..3).map(|key| note(0, 61 + key, 99, 0, 0)).collect();
    music.controls.push(Control { sample: 0, kind: ControlKind::Program, channel: 0, number: 0, value: 2.0, track: 0 });
    music.beats = (0..frames).step_by(24_000).zip(0..).map(|(sample, n)| beat(sample, n)).collect();
    music
}

fn beat(sample: u64, n: u16) -> Beat {
    Beat { sample, ppq: f64::from(n), bar: i32::from(n / 4) - 1, beat: n % 4 }
}

/// Writes `sequences` as the driver does: a file or folder for each split, and what goes with all of them.
pub fn export<F: Format>(format: &F, sequences: &[Sequence], folder: &Path) {
    for split in Split::ALL {
        let of_split: Vec<&Sequence> = sequences.iter().filter(|sequence| sequence.about.split == split).collect();
        if of_split.is_empty() {
            continue;
        }
        let name = format.file_name(Some(split), 1, 1);
        let path = folder.join(&name);
        let (settings, sequences) = (Settings::default(), of_split.len());
        let plan = ShardPlan { path, name, split: Some(split), sequences, settings, audio: true };
        let mut shard = format.shard(&plan).expect("a shard begins");
        for sequence in of_split {
            shard.add(format.encode(sequence, &plan).expect("a sequence is encoded")).expect("a sequence is written");
        }
        shard.finish().expect("a shard is finished");
    }
    for (name, bytes) in format.companions(&Settings::default(), true) {
        fs::write(folder.join(name), bytes).expect("a companion is written");
    }
}

/// Runs a script of this folder's parent with the Python of `SEND_LEARN_PYTHON`. Prints what it says; a script that lacks
/// its libraries ends with 77.
pub fn python(script: &str, folder: &Path) {
    let Some(python) = std::env::var_os("SEND_LEARN_PYTHON") else {
        eprintln!("skipped: SEND_LEARN_PYTHON names no Python");
        return;
    };
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join(script);
    let output = std::process::Command::new(python).arg(script).arg(folder).output().expect("Python starts");
    let said = String::from_utf8_lossy(&output.stdout);
    if output.status.code() == Some(77) {
        eprintln!("skipped: {}", said.trim());
        return;
    }
    println!("{}", said.trim());
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
}
