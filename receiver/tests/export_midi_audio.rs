//! `midi+audio` holds every event at its sample and every sample bit by bit, as mido and soundfile read it.
//!
//! They run in the Python that `SEND_LEARN_PYTHON` names. Where it or the tunes are missing, the test says so.

#[path = "common/played.rs"]
mod played;
#[path = "common/sequences.rs"]
mod sequences;

use std::fs;
use std::path::Path;

use played::{Dice, export, noise, python, tune, tunes, window};
use send_learn::export::{Format, MidiAudio, ShardPlan};
use send_learn::music::{Control, ControlKind, Meter, Music, Tempo};
use send_learn::sequences::{Sequence, Settings, Split};
use sequences::sequence;

/// Writes the export and what it was made of, and has Python compare the two.
fn compare(sequences: &[Sequence]) {
    let folder = tempfile::tempdir().expect("a folder");
    export(&MidiAudio, sequences, folder.path());
    let expected = folder.path().join("expected");
    fs::create_dir(&expected).expect("a folder");
    for sequence in sequences {
        write_expected(sequence, &expected);
    }
    python("midi_audio_reference.py", folder.path());
}

fn write_expected(sequence: &Sequence, folder: &Path) {
    let music = &sequence.music;
    let events: Vec<_> = music.events.iter().map(|event| (event.sample, event.track, &event.bytes)).collect();
    let downbeats = music.beats.iter().filter(|beat| beat.beat == 0);
    let expected = serde_json::json!({
        "about": sequence.about,
        "events": events,
        "tempos": music.tempos,
        "meters": music.meters,
        "held": held(music),
        "bars": downbeats.map(|beat| (beat.sample, beat.bar)).collect::<Vec<_>>(),
    });
    let id = &sequence.about.id;
    fs::write(folder.join(format!("{id}.json")), expected.to_string()).expect("events are written");
    let samples: Vec<u8> = sequence.audio.iter().flat_map(|sample| sample.to_le_bytes()).collect();
    fs::write(folder.join(format!("{id}.f32")), samples).expect("samples are written");
}

/// The messages that say what holds from before the window: keys, controllers, programs, bends. What is said again at its begin
/// needs no saying.
fn held(music: &Music) -> Vec<Vec<u8>> {
    let bytes = |control: &Control| {
        let (channel, value) = (control.channel, (control.value * 127.0).round() as u8);
        match control.kind {
            ControlKind::Controller => vec![0xB0 | channel, control.number, value],
            ControlKind::KeyPressure => vec![0xA0 | channel, control.number, value],
            ControlKind::ChannelPressure => vec![0xD0 | channel, value],
            ControlKind::Program => vec![0xC0 | channel, control.value as u8],
            ControlKind::PitchBend => {
                let bend = (control.value * 8192.0) as i32 + 8192;
                vec![0xE0 | channel, (bend % 128) as u8, (bend / 128) as u8]
            }
        }
    };
    let controls = music.controls.iter().filter(|control| control.sample == 0).map(|control| (control.track, bytes(control)));
    let said = |(track, bytes): &(u16, Vec<u8>)| {
        music.events.iter().any(|event| event.sample == 0 && event.track == *track && event.bytes == *bytes)
    };
    let keys = music.notes.iter().filter(|note| note.held);
    let keys = keys.map(|note| vec![0x90 | note.channel, note.pitch, note.velocity]);
    controls.filter(|control| !said(control)).map(|(_, bytes)| bytes).chain(keys).collect()
}

/// A sequence of MIDI alone.
fn playing(number: u64, rate: f64, frames: u64, music: Music) -> Sequence {
    let mut sequence = sequence(number, Split::ALL[number as usize % 3], 0, 0);
    sequence.about.sample_rate = rate;
    sequence.about.frames = frames;
    Sequence { music, ..sequence }
}

#[test]
fn sequences_come_back_with_their_listings() {
    let mut sequences: Vec<Sequence> = (0..6).map(|number| sequence(number, Split::ALL[number as usize % 3], 2, 48_000)).collect();
    sequences[1].about.contributor = "Quoted \"Name\", and a comma".into();
    sequences.push(sequence(6, Split::Train, 0, 48_000));
    compare(&sequences);
}

#[test]
fn events_come_back_at_their_samples_at_every_rate_and_tempo() {
    let mut sequences = Vec::new();
    for rate in [44_100.0, 48_000.0, 96_000.0, 192_000.0] {
        for tempo in (30..=300).step_by(15) {
            let number = sequences.len() as u64;
            let frames = 4 * rate as u64;
            let mut music = noise(number + 1, frames, 1500);
            music.tempos = vec![Tempo { sample: 0, tempo: f64::from(tempo) + 0.37 }];
            music.meters = vec![Meter { sample: 0, numerator: 7, denominator: 8 }];
            sequences.push(playing(number, rate, frames, music));
        }
    }
    compare(&sequences);
}

#[test]
fn events_come_back_through_a_tempo_that_never_rests() {
    let frames = 30 * 48_000;
    let mut sequences = Vec::new();
    for number in 0..6 {
        let mut dice = Dice::new(number + 100);
        let mut music = noise(number + 50, frames, 4000);
        music.tempos =
            (0..frames).step_by(512).map(|sample| Tempo { sample, tempo: 30.0 + dice.roll(27_000) as f64 / 100.0 }).collect();
        music.meters = vec![
            Meter { sample: 0, numerator: 4, denominator: 4 },
            Meter { sample: 100_001, numerator: 5, denominator: 16 },
            Meter { sample: 200_003, numerator: 3, denominator: 2 },
        ];
        sequences.push(playing(number, 48_000.0, frames, music));
    }
    compare(&sequences);
}

#[test]
fn windows_of_tunes_come_back() {
    let tunes = match tunes() {
        Ok(tunes) => tunes,
        Err(reason) => return eprintln!("skipped: {reason}"),
    };
    let mut sequences = Vec::new();
    for (path, rate) in tunes.iter().zip([44_100.0, 48_000.0].into_iter().cycle()) {
        let whole = tune(path, rate);
        for seconds in [0, 25, 50] {
            let (begin, frames) = (seconds * rate as u64, 30 * rate as u64);
            let number = sequences.len() as u64;
            sequences.push(playing(number, rate, frames, window(&whole, begin..begin + frames)));
        }
    }
    compare(&sequences);
}

#[test]
fn audio_comes_back_bit_by_bit() {
    let shapes = [
        (1, 8_000.0),
        (2, 44_100.0),
        (6, 48_000.0),
        (8, 96_000.0),
        (2, 192_000.0),
        (3, 12_345.0),
        (2, 705_600.0),
        (1, 1_048_575.0),
    ];
    let steps = [32_768.0, 8_388_608.0, 1e9];
    let mut sequences = Vec::new();
    for (channels, rate) in shapes {
        for step in steps {
            let number = sequences.len() as u64;
            let mut sequence = sequence(number, Split::Train, channels, 9_001);
            let mut dice = Dice::new(number + 1);
            for sample in &mut sequence.audio {
                let full = dice.roll(u64::MAX >> 11) as f64 / 2_f64.powi(41) - 2048.0;
                *sample = ((full / 4096.0 * step).round() / step) as f32;
            }
            sequence.about.sample_rate = rate;
            sequences.push(sequence);
        }
    }
    let loudest = sequences.len() - 1;
    sequences[loudest].audio[..5].copy_from_slice(&[1.0, -1.0, 1.5, -1000.0, 0.999_999_94]);
    compare(&sequences);
}

#[test]
fn more_than_eight_channels_are_refused_in_words() {
    let sequence = sequence(0, Split::Train, 10, 100);
    let plan = ShardPlan {
        path: "train".into(),
        name: "train".into(),
        split: Some(Split::Train),
        sequences: 1,
        settings: Settings::default(),
        audio: true,
    };
    let refusal = MidiAudio.encode(&sequence, &plan).expect_err("FLAC has eight channels");
    assert!(refusal.contains("at most 8 channels, it has 10"), "{refusal}");
}
