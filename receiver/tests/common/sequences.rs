//! Sequences for the tests of exports: small, different from one another, the same each time.
#![allow(dead_code, unreachable_pub, reason = "each test file is a crate that uses its part of it")]

use send_learn::features::{Plan, extract, mix_down};
use send_learn::music::{Control, ControlKind, Event, Meter, Music, Note, Tempo};
use send_learn::sequences::{About, NoteSource, Sequence, Settings, Split};

pub const RATE: f64 = 48_000.0;

/// Sequence `number`: `frames` frames of `channels` sines in 16-bit steps, a note each quarter of a second. None of it for 0 channels.
pub fn sequence(number: u64, split: Split, channels: u16, frames: u64) -> Sequence {
    let settings = Settings::default();
    let sample = |frame: u64, channel: u64| {
        let turn = std::f64::consts::TAU * 110.0 * (number + channel + 1) as f64 / RATE;
        ((frame as f64 * turn).sin() * 0.5 * 32_768.0).round() as f32 / 32_768.0
    };
    let audio: Vec<f32> =
        (0..frames).flat_map(|frame| (0..u64::from(channels)).map(move |channel| sample(frame, channel))).collect();
    let plan = Plan::new(send_learn::features::Settings {
        n_fft: settings.n_fft,
        hop_length: settings.hop_length,
        n_mels: settings.n_mels,
        mfcc_n: settings.mfcc_n,
        chroma_n: settings.chroma_n,
        ..send_learn::features::Settings::new(RATE)
    });
    let mut mono = Vec::new();
    mix_down(&audio, usize::from(channels.max(1)), &mut mono);
    let features = extract(&plan.unwrap(), &mono).unwrap();
    let music = music(number, frames);
    let about = About {
        id: format!("{number:08x}-{:012}", number * 1_200_000),
        split,
        performance: format!("performance-{}", number / 2),
        window: number,
        name: format!("Träck {number}"),
        contributor: "A. Player".into(),
        licence: "CC-BY-4.0".into(),
        consent: "May be used to train models.".into(),
        project: "Song".into(),
        host: "Host".into(),
        machine: "studio".into(),
        stream_id: format!("00000000-0000-4000-8000-{number:012x}"),
        take_id: format!("{number:08x}-0000-4000-8000-000000000000"),
        source: format!("2026-11-22/take-{number}/stream-0001.h5"),
        sample_rate: RATE,
        channels,
        frames,
        first_sample: number * 1_200_000,
        started_unix_nanos: 1_790_000_000_000_000_000,
        ppq: Some(number as f64 * 50.0),
        tempo: Some(120.5),
        meter: Some("4/4".into()),
        key: Some("C major".into()),
        key_score: Some(0.75),
        midi_events: music.events.len() as u64,
        notes: music.notes.len() as u64,
        polyphony: 1,
        peak_dbfs: (channels > 0).then_some(-6.0),
        rms_dbfs: (channels > 0).then_some(-9.0),
        audio_sha256: if channels > 0 { "ab".repeat(32) } else { String::new() },
        note_sources: vec![NoteSource {
            name: format!("Träck {number}"),
            stream_id: format!("00000000-0000-4000-8000-{number:012x}"),
            take_id: format!("{number:08x}-0000-4000-8000-000000000000"),
            contributor: "Ada".into(),
            licence: String::new(),
            consent: "May be used.".into(),
            alignment: "same-stream".into(),
            uncertainty_seconds: 0.0,
        }],
    };
    Sequence { about, audio, features, music }
}

fn music(number: u64, frames: u64) -> Music {
    let mut music = Music {
        tempos: vec![Tempo { sample: 0, tempo: 121.0 }, Tempo { sample: frames / 2 + 1, tempo: 120.0 }],
        meters: vec![Meter { sample: 0, numerator: 4, denominator: 4 }],
        ..Music::default()
    };
    for (index, onset) in (number..frames).step_by(12_000).enumerate() {
        let (pitch, velocity) = (48 + (index as u64 * 7 + number) as u8 % 36, 64 + index as u8 % 32);
        let duration = 6_000.min(frames - onset);
        music.notes.push(Note {
            onset,
            duration,
            sustained: duration,
            pitch,
            velocity,
            release_velocity: 0,
            channel: 0,
            track: 0,
            held: false,
            open: false,
        });
        music.events.push(Event { sample: onset, bytes: vec![0x90, pitch, velocity], track: 0 });
        music.events.push(Event { sample: onset + duration - 1, bytes: vec![0x80, pitch, 0], track: 0 });
    }
    let bend = Control { sample: 5, kind: ControlKind::PitchBend, channel: 0, number: 0, value: 0.5, track: 0 };
    music.controls.push(bend);
    music.events.push(Event { sample: 5, bytes: vec![0xE0, 0, 0x60], track: 0 });
    music.events.sort_by_key(|event| event.sample);
    music
}
