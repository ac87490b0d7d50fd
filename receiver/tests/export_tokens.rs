//! The ids of `tokens` are those that MidiTok makes of the MIDI files of `midi+audio`.
//!
//! MidiTok runs in the Python that `SEND_LEARN_PYTHON` names. Where it or the tunes are missing, the test says so.

#[path = "common/played.rs"]
mod played;
#[path = "common/sequences.rs"]
mod sequences;

use played::{Dice, export, noise, python, tune, tunes, window};
use send_learn::export::{MidiAudio, Tokens};
use send_learn::music::{Meter, Music, Tempo};
use send_learn::sequences::{Sequence, Split};
use sequences::sequence;

const RATE: f64 = 48_000.0;

/// Writes both exports, and has MidiTok read the one and compare with the other.
fn compare(sequences: &[Sequence]) {
    let folder = tempfile::tempdir().expect("a folder");
    export(&MidiAudio, sequences, folder.path());
    export(&Tokens, sequences, folder.path());
    python("miditok_reference.py", folder.path());
}

/// A sequence of MIDI alone.
fn playing(number: usize, frames: u64, music: Music) -> Sequence {
    let mut sequence = sequence(number as u64, Split::ALL[number % 3], 0, 0);
    sequence.about.frames = frames;
    Sequence { music, ..sequence }
}

#[test]
fn tunes_and_windows_of_them_have_the_tokens_of_miditok() {
    let tunes = match tunes() {
        Ok(tunes) => tunes,
        Err(reason) => return eprintln!("skipped: {reason}"),
    };
    let mut sequences = Vec::new();
    for path in tunes {
        let whole = tune(&path, RATE);
        let end = whole.events.last().map_or(0, |event| event.sample) + 48_000;
        let cuts = [0..end, 0..1_440_000, 1_200_000..2_640_000, 2_400_000..3_840_000];
        sequences.extend(cuts.into_iter().map(|cut| (cut.end - cut.start, window(&whole, cut))));
    }
    let sequences: Vec<_> =
        sequences.into_iter().enumerate().map(|(number, (frames, music))| playing(number, frames, music)).collect();
    compare(&sequences);
}

#[test]
fn random_playing_has_the_tokens_of_miditok() {
    let meters = [(4, 4), (3, 4), (6, 8), (7, 8), (2, 2), (5, 16), (13, 4), (1, 16), (12, 8), (4, 4), (3, 2), (255, 4)];
    let mut sequences = Vec::new();
    for number in 0..400 {
        let mut dice = Dice::new(number as u64 + 1000);
        let frames = 48_000 * (1 + dice.roll(20));
        let mut music = noise(number as u64 + 7, frames, 20 + dice.roll(400));
        let (tempo_count, meter_count) = (dice.roll(6), dice.roll(7));
        let mut places = |count: u64| {
            let mut samples: Vec<u64> = (0..count).map(|_| dice.roll(frames)).collect();
            samples.sort_unstable();
            if let Some(first) = samples.first_mut().filter(|_| number % 4 != 0) {
                *first = 0;
            }
            samples
        };
        let (tempo_places, meter_places) = (places(tempo_count), places(meter_count));
        music.tempos =
            tempo_places.into_iter().map(|sample| Tempo { sample, tempo: 20.0 + dice.roll(3000) as f64 / 10.0 }).collect();
        music.meters = meter_places
            .into_iter()
            .map(|sample| {
                let (numerator, denominator) = meters[dice.roll(meters.len() as u64) as usize];
                Meter { sample, numerator, denominator }
            })
            .collect();
        sequences.push(playing(number, frames, music));
    }
    compare(&sequences);
}

#[test]
fn sequences_without_notes_have_the_tokens_of_miditok() {
    let silence = Music::default();
    let meter = Music { meters: vec![Meter { sample: 0, numerator: 3, denominator: 4 }], ..Music::default() };
    compare(&[playing(0, 48_000, silence), playing(1, 48_000, meter), sequence(2, Split::Train, 2, 48_000)]);
}
