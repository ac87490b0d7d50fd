//! The demo's piece: Beethoven's "Ode to Joy" (1824, public domain), arranged for this project. It says in 20 seconds all
//! that MIDI can say: five parts, changes of tempo and meter, controllers, pedal, bends, both kinds of pressure, changes of
//! program, system exclusive messages. `demo/piece.mid` is what [`file()`] returns.

mod part;

use midly::num::{u4, u7, u15, u24, u28};
use midly::{Format, Header, MetaMessage, MidiMessage, Smf, Timing, Track, TrackEvent, TrackEventKind};

use part::{BEAT, Part};

/// Ticks of a bar of four quarters, and of three.
const BAR: u32 = 4 * BEAT;
const WALTZ_BAR: u32 = 3 * BEAT;
/// Where the sections begin: the flute alone, all together, the waltz, the last chord.
const TUTTI: u32 = 4 * BAR;
const WALTZ: u32 = 8 * BAR;
const CLOSE: u32 = WALTZ + 4 * WALTZ_BAR;
const END: u32 = CLOSE + BAR;

/// The melody in D major: keys, and lengths in eighths.
const THEME: [(u8, u32); 15] = [
    (66, 2),
    (66, 2),
    (67, 2),
    (69, 2),
    (69, 2),
    (67, 2),
    (66, 2),
    (64, 2),
    (62, 2),
    (62, 2),
    (64, 2),
    (66, 2),
    (66, 3),
    (64, 1),
    (64, 4),
];
/// How it ends the second time.
const ANSWER: [(u8, u32); 3] = [(64, 3), (62, 1), (62, 4)];
/// What becomes of it in the waltz, up to the last note.
const DANCE: [(u8, u32); 12] =
    [(66, 2), (67, 2), (69, 2), (69, 3), (67, 1), (66, 2), (64, 2), (62, 2), (64, 2), (66, 3), (64, 1), (61, 2)];

/// Chords: length in eighths, bass, and the three keys above.
type Chord = (u32, u8, [u8; 3]);
const D: [u8; 3] = [57, 62, 66];
const A: [u8; 3] = [57, 61, 64];
const B_MINOR: [u8; 3] = [59, 62, 66];
const E_MINOR: [u8; 3] = [59, 62, 64];
const G: [u8; 3] = [59, 62, 67];
const THEME_CHORDS: [Chord; 7] = [(8, 38, D), (4, 42, D), (4, 45, A), (4, 47, B_MINOR), (4, 43, G), (3, 45, D), (5, 45, A)];
const ANSWER_CHORDS: [Chord; 7] = [(8, 38, D), (4, 42, D), (4, 45, A), (4, 47, B_MINOR), (4, 43, G), (3, 45, A), (5, 38, D)];
const DANCE_CHORDS: [Chord; 4] = [(6, 38, D), (6, 47, B_MINOR), (6, 40, E_MINOR), (6, 45, A)];

/// Channels of the parts; 9 is General MIDI's drums.
const MELODY: u8 = 0;
const STRINGS: u8 = 1;
const PIANO: u8 = 2;
const BASS: u8 = 3;
const DRUMS: u8 = 9;

/// The bytes of `demo/piece.mid`.
///
/// # Errors
/// Never in practice: it writes to memory.
pub fn file() -> std::io::Result<Vec<u8>> {
    let tracks = vec![conductor(), melody().track(), strings().track(), piano().track(), bass().track(), drums().track()];
    let smf = Smf { header: Header::new(Format::Parallel, Timing::Metrical(u15::new(BEAT as u16))), tracks };
    let mut bytes = Vec::new();
    smf.write_std(&mut bytes)?;
    Ok(bytes)
}

/// Title, tempo, meter, and the messages to the whole instrument.
fn conductor() -> Track<'static> {
    let tempo = |per_minute: f64| MetaMessage::Tempo(u24::new((60e6 / per_minute).round() as u32));
    let meter = |beats| MetaMessage::TimeSignature(beats, 2, 24, 8);
    let meta = TrackEventKind::Meta;
    let mut events = vec![
        (0, meta(MetaMessage::TrackName(b"Ode to Joy"))),
        (0, meta(MetaMessage::Text(b"Ludwig van Beethoven, 1824; arranged for Send Learn"))),
        (0, meta(tempo(138.0))),
        (0, meta(meter(4))),
        (0, meta(MetaMessage::KeySignature(2, false))),
        (0, TrackEventKind::SysEx(&[0x7E, 0x7F, 0x09, 0x01, 0xF7])), // General MIDI on
        (TUTTI, TrackEventKind::SysEx(&[0x7F, 0x7F, 0x04, 0x01, 0x00, 0x7F, 0xF7])), // master volume
        (TUTTI, meta(MetaMessage::Marker(b"All together"))),
        (WALTZ, meta(MetaMessage::Marker(b"Waltz"))),
        (WALTZ, meta(tempo(168.0))),
        (WALTZ, meta(meter(3))),
    ];
    // It slows down into the last chord.
    for (beat, per_minute) in [(9, 156.0), (10, 138.0), (11, 112.0)] {
        events.push((WALTZ + beat * BEAT, meta(tempo(per_minute))));
    }
    events.extend([(CLOSE, meta(tempo(88.0))), (CLOSE, meta(meter(4))), (END, meta(MetaMessage::EndOfTrack))]);
    in_time(events)
}

fn melody() -> Part {
    let mut part = Part::new(MELODY, b"Melody");
    part.sound(0, 73, 104, 56);
    sing(&mut part, 0, 12, 84, &THEME);
    part.sound(TUTTI, 56, 96, 56);
    sing(&mut part, TUTTI, 0, 100, &[&THEME[..12], &ANSWER].concat());
    part.sound(WALTZ, 68, 110, 56);
    sing(&mut part, WALTZ, 12, 92, &DANCE);
    // The last note is reached from below, and trembles.
    for step in 0..16u16 {
        part.bend(CLOSE + u32::from(step) * BEAT / 16, 4_096 + step * 256);
    }
    part.bend(CLOSE + BEAT, 8_192);
    part.note(CLOSE, 7 * BEAT / 2, 74, 96);
    part.swell(1, CLOSE + BEAT, CLOSE + 3 * BEAT, 0, 90);
    part.control(CLOSE + 7 * BEAT / 2, 1, 0);
    part
}

/// The melody from `start`, raised by `up` semitones, each bar's first note a little louder. Long notes get some vibrato.
fn sing(part: &mut Part, start: u32, up: u8, velocity: u8, notes: &[(u8, u32)]) {
    let mut tick = start;
    for (key, eighths) in notes {
        let length = eighths * BEAT / 2;
        let accent = if (tick - start).is_multiple_of(BAR) { 10 } else { 0 };
        part.note(tick, length - BEAT / 12, key + up, velocity + accent);
        if *eighths >= 4 {
            part.swell(1, tick + length / 4, tick + length - BEAT / 4, 0, 70);
            part.control(tick + length, 1, 0);
        }
        tick += length;
    }
}

fn strings() -> Part {
    let mut part = Part::new(STRINGS, b"Strings");
    part.sound(0, 48, 88, 76);
    part.control(0, 11, 40);
    let bars = [(TUTTI, &ANSWER_CHORDS[..]), (WALTZ, &DANCE_CHORDS[..]), (CLOSE, &[(8, 38, D)][..])];
    for (tick, length, _, keys) in bars.into_iter().flat_map(|(start, chords)| placed(start, chords)) {
        for key in keys {
            part.note(tick, length - BEAT / 16, key, 72);
        }
        part.swell(11, tick, tick + length / 2, 70, 112);
        part.swell(11, tick + length / 2, tick + length - BEAT / 8, 112, 80);
    }
    // Pressure on the whole part in the tutti, on single notes of the last chord.
    for step in 0..16 {
        part.channel_pressure(TUTTI + 2 * BAR + step * BEAT / 4, 4 * step as u8);
    }
    part.channel_pressure(TUTTI + 3 * BAR, 0);
    for (index, key) in D.into_iter().enumerate() {
        for step in 0..8 {
            part.key_pressure(CLOSE + BEAT + step * BEAT / 4 + index as u32 * 10, key, 12 * step as u8);
        }
    }
    part
}

fn piano() -> Part {
    let mut part = Part::new(PIANO, b"Piano");
    part.sound(0, 0, 92, 48);
    let sections = [(0, &THEME_CHORDS[..], 54), (TUTTI, &ANSWER_CHORDS[..], 66), (WALTZ, &DANCE_CHORDS[..], 62)];
    for (start, chords, velocity) in sections {
        for (tick, length, _, keys) in placed(start, chords) {
            part.control(tick, 64, 127);
            let wave = [keys[0], keys[1], keys[2], keys[1] + 12, keys[2], keys[1]];
            for (step, key) in (0..length / (BEAT / 2)).zip(wave.into_iter().cycle()) {
                let accent = if step == 0 { 10 } else { 0 };
                part.note(tick + step * BEAT / 2, BEAT / 2 - 10, key, velocity + accent);
            }
            part.control(tick + length - 20, 64, 0);
        }
    }
    part.control(CLOSE, 64, 127);
    for (index, key) in [38, 50, 57, 62, 66, 69, 74].into_iter().enumerate() {
        let roll = index as u32 * BEAT / 16;
        part.note(CLOSE + roll, 7 * BEAT / 2 - roll, key, 70);
    }
    part.control(END - 20, 64, 0);
    part
}

fn bass() -> Part {
    let mut part = Part::new(BASS, b"Bass");
    part.sound(0, 32, 108, 64);
    for (tick, length, key, _) in placed(0, &THEME_CHORDS) {
        part.note(tick, length - BEAT / 4, key, 74);
    }
    for (tick, length, key, _) in placed(TUTTI, &ANSWER_CHORDS) {
        for beat in 0..length.div_ceil(BEAT) {
            let octave = if beat % 2 == 1 { 12 } else { 0 };
            part.note(tick + beat * BEAT, (length - beat * BEAT).min(BEAT) - BEAT / 6, key + octave, 90);
        }
    }
    for (tick, length, key, _) in placed(WALTZ, &DANCE_CHORDS) {
        part.note(tick, length - BEAT / 2, key, 88);
    }
    part.note(CLOSE, 7 * BEAT / 2, 38, 92);
    part
}

fn drums() -> Part {
    const KICK: u8 = 36;
    const SNARE: u8 = 38;
    const HAT: u8 = 42;
    const OPEN_HAT: u8 = 46;
    const CRASH: u8 = 49;
    const TOMS: [u8; 4] = [50, 48, 47, 45];
    let mut part = Part::new(DRUMS, b"Drums");
    part.control(0, 7, 92);
    let mut hit = |tick: u32, key: u8, velocity: u8| part.note(tick, BEAT / 8, key, velocity);
    hit(TUTTI, CRASH, 90);
    for bar in 0..4 {
        let start = TUTTI + bar * BAR;
        for eighth in 0..8 {
            hit(start + eighth * BEAT / 2, HAT, if eighth % 2 == 0 { 64 } else { 44 });
        }
        for (eighth, key, velocity) in [(0, KICK, 100), (2, SNARE, 88), (4, KICK, 96), (5, KICK, 70), (6, SNARE, 92)] {
            if bar < 3 || eighth < 4 {
                hit(start + eighth * BEAT / 2, key, velocity);
            }
        }
    }
    // A fill into the waltz.
    for (step, key) in TOMS.into_iter().flat_map(|tom| [tom, tom]).enumerate() {
        hit(WALTZ - 2 * BEAT + step as u32 * BEAT / 4, key, 70 + 5 * step as u8);
    }
    for bar in 0..4 {
        let start = WALTZ + bar * WALTZ_BAR;
        hit(start, KICK, 92);
        hit(start + BEAT, HAT, 60);
        hit(start + 2 * BEAT, OPEN_HAT, 52);
    }
    hit(CLOSE, CRASH, 100);
    hit(CLOSE, KICK, 104);
    part
}

/// The chords with their ticks: start, length, bass, keys.
fn placed(start: u32, chords: &[Chord]) -> impl Iterator<Item = (u32, u32, u8, [u8; 3])> {
    chords.iter().scan(start, |tick, (eighths, bass, keys)| {
        let (begin, length) = (*tick, eighths * BEAT / 2);
        *tick += length;
        Some((begin, length, *bass, *keys))
    })
}

/// A track of events that are in the order of time.
fn in_time<'a>(events: Vec<(u32, TrackEventKind<'a>)>) -> Track<'a> {
    let mut last = 0;
    let with_delta = |(tick, kind)| {
        let delta = u28::new(tick - last);
        last = tick;
        TrackEvent { delta, kind }
    };
    events.into_iter().map(with_delta).collect()
}

/// A channel message as an event.
fn message(channel: u8, message: MidiMessage) -> TrackEventKind<'static> {
    TrackEventKind::Midi { channel: u4::new(channel), message }
}

/// A data byte.
fn data(value: u8) -> u7 {
    u7::new(value.min(127))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::score::Score;

    #[test]
    fn the_piece_is_about_twenty_seconds_long_and_changes_tempo_and_meter() {
        let score = Score::parse(&file().expect("writing to memory"), 48_000).expect("a valid file");
        let seconds = score.end as f64 / 48_000.0;
        assert!((19.0..22.0).contains(&seconds), "{seconds} s");
        assert!(score.changes.len() >= 5);
        let meters: std::collections::BTreeSet<_> = score.changes.iter().map(|change| change.meter).collect();
        assert_eq!(meters.len(), 2);
    }

    #[test]
    fn every_kind_of_message_occurs() {
        let score = Score::parse(&file().expect("writing to memory"), 48_000).expect("a valid file");
        let kinds: std::collections::BTreeSet<u8> = score.events.iter().map(|event| event.bytes[0] & 0xF0).collect();
        assert_eq!(kinds.into_iter().collect::<Vec<_>>(), [0x80, 0x90, 0xA0, 0xB0, 0xC0, 0xD0, 0xE0, 0xF0]);
    }

    #[test]
    fn no_key_is_struck_while_it_sounds_and_every_note_ends() {
        let score = Score::parse(&file().expect("writing to memory"), 48_000).expect("a valid file");
        let mut sounding = std::collections::BTreeSet::new();
        for event in &score.events {
            match event.bytes[..] {
                [status @ 0x90..=0x9F, key, _] => assert!(sounding.insert((status & 15, key)), "{event:?} sounds already"),
                [status @ 0x80..=0x8F, key, _] => assert!(sounding.remove(&(status & 15, key)), "{event:?} does not sound"),
                _ => {}
            }
        }
        assert!(sounding.is_empty());
    }
}
