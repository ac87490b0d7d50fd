//! Everything that CLAP can say of notes: expressions of each kind, MPE, release velocity, programs, chokes.

use anyhow::{Result, ensure};
use clack_host::events::event_types::*;
use clack_host::events::{Match, Pckn};
use clack_host::prelude::*;
use send_learn_tests::host::{Block, EFFECT, Rack};
use serde_json::{Value, json};

const BLOCK: usize = 512;

/// Plays them in the second of three blocks. Says what the recording must hold: sample, kind, three bytes, note, value.
pub(crate) fn play(rack: &mut Rack) -> Result<Value> {
    let slot = rack.add(EFFECT, "Expressive")?;
    rack.activate(slot, 48_000.0, BLOCK)?;
    let mut events = EventBuffer::new();
    let mut expected = Vec::new();
    let start = BLOCK as u64;
    let note = |channel: u16, key: u16, id: u32| Pckn::new(0u16, channel, key, id);
    let mut time = 3;
    let mut say = |time: u32, kind: u8, bytes: [u8; 3], id: i64, value: f64| {
        expected.push(json!([start + u64::from(time), kind, bytes, id, f64::from(value as f32)]));
    };

    events.push(&NoteOnEvent::new(time, note(1, 60, 7), 100.0 / 127.0));
    say(time, 0, [0x91, 60, 100], 7, 100.0 / 127.0);
    let kinds = [
        (NoteExpressionType::Volume, 1.5),
        (NoteExpressionType::Pan, 0.25),
        (NoteExpressionType::Tuning, -0.5),
        (NoteExpressionType::Vibrato, 0.125),
        (NoteExpressionType::Expression, 0.75),
        (NoteExpressionType::Brightness, 0.0625),
    ];
    for (number, (kind, value)) in kinds.into_iter().enumerate() {
        time += 11;
        events.push(&NoteExpressionEvent::new(time, note(1, 60, 7), kind, value));
        say(time, 3, [number as u8, 60, 1], 7, value);
    }
    time += 11;
    events.push(&NoteExpressionEvent::new(time, note(1, 60, 7), NoteExpressionType::Pressure, 64.0 / 127.0));
    say(time, 0, [0xA1, 60, 64], 7, 64.0 / 127.0);
    // MPE: each note on a channel of its own, with its bend, slide and pressure.
    for (channel, key) in [(2u16, 64u16), (3, 67)] {
        time += 5;
        events.push(&NoteOnEvent::new(time, Pckn::new(0u16, channel, key, Match::All), 1.0));
        say(time, 0, [0x90 | channel as u8, key as u8, 127], -1, 1.0);
        for (bytes, value) in [
            ([0xE0 | channel as u8, 0x11, 0x42], f64::from((0x42 << 7) | 0x11) / 16_383.0),
            ([0xB0 | channel as u8, 74, 99], 99.0 / 127.0),
            ([0xD0 | channel as u8, 33, 0], 33.0 / 127.0),
        ] {
            time += 1;
            events.push(&MidiEvent::new(time, 0, bytes));
            say(time, 0, bytes, -1, value);
        }
    }
    time += 5;
    events.push(&MidiEvent::new(time, 0, [0xC4, 12, 0]));
    say(time, 0, [0xC4, 12, 0], -1, 0.0);
    time += 5;
    events.push(&NoteOffEvent::new(time, note(1, 60, 7), 33.0 / 127.0));
    say(time, 0, [0x81, 60, 33], 7, 33.0 / 127.0);
    time += 5;
    events.push(&NoteChokeEvent::new(time, Pckn::new(0u16, 2u16, 64u16, Match::All)));
    say(time, 3, [255, 64, 2], -1, 0.0);

    let (none, silence) = (EventBuffer::new(), vec![0.0; BLOCK]);
    for (number, events) in [&none, &events, &none].into_iter().enumerate() {
        let block = Block { start: number as u64 * start, input: [&silence, &silence], events };
        let (_, heard) = rack.play(slot, block)?;
        if number == 1 {
            ensure!(heard.iter().any(|event| event.bytes == [0x81, 60, 33]), "release velocity does not pass");
            ensure!(heard.iter().any(|event| event.bytes == [0xC4, 12]), "a program change does not pass");
        }
    }
    rack.deactivate(slot);
    Ok(json!(expected))
}
