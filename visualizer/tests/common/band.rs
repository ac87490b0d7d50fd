//! A small band that plays from formulas: chords, a bass, a melody and drums.

use std::f64::consts::TAU;

use send_learn_protocol::record::pack::Packer;
use send_learn_protocol::record::{MidiEvent, MidiKind, Record, Transport, TransportFlags};
use send_learn_protocol::tap::{Frame, Health};
use send_learn_protocol::units::{SamplePosition, SourceNumber};

use super::{description, write_entries};

/// Samples per second.
pub const RATE: f64 = 48_000.0;
/// Quarters per minute.
const TEMPO: f64 = 108.0;
/// The harmony, a bar each: MIDI keys.
const CHORDS: [[u8; 4]; 4] = [[57, 60, 64, 69], [53, 57, 60, 65], [48, 55, 64, 67], [55, 59, 62, 67]];
const NAMES: [&str; 6] = ["Grand Piano", "Bass", "Flöte", "Drums", "Strings", "Pad"];

/// A note of the score.
struct Played {
    start: u64,
    len: u64,
    key: u8,
    velocity: u8,
}

/// One member of the band, and the stream that it sends.
pub struct Player {
    part: u32,
    description: send_learn_protocol::packet::hello::Description,
    packer: Packer,
    noise: u32,
}

impl Player {
    /// Player number `part` of the band.
    pub fn new(part: u32) -> Self {
        let name = NAMES[part as usize % NAMES.len()];
        Self { part, description: description(name), packer: Packer::new(SourceNumber(0)), noise: 1 + part }
    }

    /// Appends what tells a viewer of the stream.
    pub fn stream_up(&self, out: &mut Vec<u8>) {
        Frame::StreamUp { key: self.part, description: self.description.clone() }.write(out);
    }

    /// Appends the frames of a block of `frames` from `position` on.
    pub fn block(&mut self, out: &mut Vec<u8>, position: u64, frames: u64) {
        let end = position + frames;
        let notes = self.notes(position, end);
        if position.is_multiple_of(24_064) {
            self.packer.push(&Record::Transport(transport(position)));
            let bits_per_second = 1_180_000.0 + f64::from(self.part) * 41_000.0;
            let trouble = f64::from(self.part % 3) * 0.024;
            let health = Health {
                loss: trouble,
                residual_loss: if self.part % 6 == 5 { 0.03 } else { 0.0 },
                bits_per_second,
                jitter_ms: 0.4,
                latency_ms: 11.0 + f64::from(self.part),
                host_ms: 512.0 / 48.0,
                uplink_ms: 8.5 + f64::from(self.part),
                network_ms: 2.5,
                level: 1.0,
                ..Health::default()
            };
            Frame::Health { key: self.part, health }.write(out);
        }
        for note in &notes {
            for (at, bytes) in [(note.start, [0x90, note.key, note.velocity]), (note.start + note.len, [0x80, note.key, 0])] {
                if (position..end).contains(&at) {
                    let position = SamplePosition(at);
                    let event = MidiEvent { position, kind: MidiKind::Message, bytes, note_id: -1, value: 0.0, data: &[] };
                    self.packer.push(&Record::Midi(event));
                }
            }
        }
        let samples: Vec<f32> = (position..end).flat_map(|at| self.sample(at, &notes)).collect();
        self.packer.push_audio(SamplePosition(position), 2, &samples);
        write_entries(out, self.part, &mut self.packer);
    }

    /// The notes that sound, or fade, between two positions.
    fn notes(&self, from: u64, to: u64) -> Vec<Played> {
        let beat = RATE * 60.0 / TEMPO;
        let first = ((from as f64 / beat) as u64).saturating_sub(6);
        let last = (to as f64 / beat) as u64;
        let mut notes = Vec::new();
        for quarter in first..=last {
            let chord = CHORDS[(quarter / 4 % 4) as usize];
            let mut play = |at: f64, beats: f64, key: u8, velocity: u8| {
                let start = ((quarter as f64 + at) * beat) as u64;
                notes.push(Played { start, len: (beats * beat * 0.92) as u64, key, velocity });
            };
            match self.part % 6 {
                0 => {
                    for (step, at) in [0.0, 0.25, 0.5, 0.75].into_iter().enumerate() {
                        let key = chord[(step + quarter as usize * 3) % 4] + 12 * (1 + u8::from(quarter % 3 == 2));
                        play(at, 0.5, key, 55 + (quarter * 29 + step as u64 * 17) as u8 % 70);
                    }
                    if quarter % 2 == 0 {
                        chord.iter().for_each(|key| play(0.0, 2.0, *key, 60));
                    }
                }
                1 => {
                    play(0.0, 0.5, chord[0] - 24, 110);
                    play(0.5, 0.5, chord[0] - 12, 80);
                }
                2 if quarter % 2 == 0 => play(0.0, 1.9, chord[(quarter as usize * 5 / 2) % 4] + 24, 70 + (quarter * 13 % 50) as u8),
                3 => {
                    play(0.0, 0.2, if quarter % 2 == 0 { 36 } else { 38 }, 120);
                    play(0.5, 0.1, 42, 70);
                }
                4 | 5 if quarter % 4 == 0 => chord.iter().for_each(|key| play(0.0, 4.0, *key + 12, 64)),
                _ => {}
            }
        }
        notes.retain(|note| note.start < to);
        notes
    }

    fn sample(&mut self, at: u64, notes: &[Played]) -> [f32; 2] {
        self.noise = self.noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let noise = f64::from(self.noise >> 8) / f64::from(1 << 23) - 1.0;
        let mut sum = noise * 2e-4;
        for note in notes.iter().filter(|note| at >= note.start) {
            let seconds = (at - note.start) as f64 / RATE;
            let released = (at as f64 - (note.start + note.len) as f64).max(0.0) / RATE;
            if released > 1.0 {
                // Not to be heard any more.
                continue;
            }
            let loudness = f64::from(note.velocity) / 127.0 * (-released * 9.0).exp();
            let frequency = 440.0 * ((f64::from(note.key) - 69.0) / 12.0).exp2();
            let attack = 1.0 - (-seconds * 300.0).exp();
            if self.part % 6 == 3 {
                let body = (TAU * (48.0 * seconds + 3.0 * (1.0 - (-seconds * 30.0).exp()))).sin() * (-seconds * 9.0).exp();
                let hiss = noise * (-seconds * if note.key == 42 { 60.0 } else { 16.0 }).exp();
                sum += loudness * if note.key == 36 { body } else { 0.5 * hiss };
                continue;
            }
            for harmonic in 1..=14 {
                let n = f64::from(harmonic);
                let stretched = frequency * n * (1.0 + 4e-4 * n * n).sqrt();
                if stretched > 20_000.0 {
                    break;
                }
                let decay = if self.part % 6 >= 4 { 0.2 } else { 0.9 + 0.55 * n };
                if strength_of(loudness, seconds, decay, n) < 1e-5 {
                    continue;
                }
                let vibrato = if self.part % 6 == 2 { 0.004 * (TAU * 5.2 * seconds).sin() * n } else { 0.0 };
                let strength = attack * strength_of(loudness, seconds, decay, n);
                sum += strength * (TAU * (stretched * seconds + vibrato * 4.0)).sin();
            }
        }
        let sample = (sum * 0.8).tanh() as f32;
        [sample, sample * 0.8]
    }
}

/// How strong the harmonic `n` of a note is after so many `seconds`.
fn strength_of(loudness: f64, seconds: f64, decay: f64, n: f64) -> f64 {
    loudness * (-seconds * decay).exp() / n.powf(1.35) * 0.22
}

fn transport(position: u64) -> Transport {
    let flags = [TransportFlags::TEMPO, TransportFlags::METER, TransportFlags::PPQ, TransportFlags::BAR]
        .into_iter()
        .fold(TransportFlags::PLAYING, |flags, flag| flags.with(flag, true));
    let ppq = position as f64 / RATE * TEMPO / 60.0;
    let bar = (ppq / 4.0).floor();
    Transport {
        position: SamplePosition(position),
        flags,
        meter: (4, 4),
        bar: bar as i32,
        tempo: TEMPO,
        ppq,
        bar_start: bar * 4.0,
        ..Transport::default()
    }
}
