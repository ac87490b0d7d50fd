//! The messages of a sequence, track by track, as every reader of MIDI files understands them.
//!
//! A window cuts through notes, and a player may strike a key that is down. Readers of files disagree about both. So a track
//! begins with what holds from before (programs, controllers, sounding keys), releases a key before it is struck again,
//! releases what still sounds at its end, and lets every note last a tick at least. Each message that this adds is marked.

use std::collections::BTreeMap;

use super::bytes::{exclusive, text};
use super::{Grid, Message, Track};
use crate::music::{Control, ControlKind};
use crate::sequences::{About, Sequence};

const NOTE_OFF: u8 = 0x80;
const NOTE_ON: u8 = 0x90;

/// Where messages without a channel stand: behind the sixteen channels of their note source.
const NO_CHANNEL: u8 = 16;

/// One track for each note source and channel that has messages.
pub(super) fn tracks(sequence: &Sequence, grid: &Grid) -> Vec<Track> {
    let music = &sequence.music;
    let mut writers = Writers { grid, tracks: BTreeMap::new() };
    let mut held: Vec<(&Control, Vec<u8>)> =
        music.controls.iter().take_while(|control| control.sample == 0).map(|control| (control, message(control))).collect();
    held.retain(|(control, bytes)| {
        let mut first = music.events.iter().take_while(|event| event.sample == 0);
        !first.any(|event| event.track == control.track && event.bytes == *bytes)
    });
    // A program is chosen after its bank, which is a controller.
    held.sort_by_key(|(control, _)| control.kind == ControlKind::Program);
    for (control, bytes) in &held {
        writers.of(control.track, bytes).put(0, bytes, true);
    }
    for note in music.notes.iter().filter(|note| note.held) {
        let strike = [NOTE_ON | note.channel & 0x0F, note.pitch & 0x7F, note.velocity.clamp(1, 127)];
        writers.of(note.track, &strike).strike(0, &strike, true);
    }
    for event in &music.events {
        writers.of(event.track, &event.bytes).play(event.sample, &event.bytes);
    }
    let about = &sequence.about;
    let finish = |((source, channel), writer): ((u16, u8), Writer<'_>)| Track {
        name: name(about, source, channel),
        messages: writer.finish(channel, about.frames),
    };
    writers.tracks.into_iter().map(finish).collect()
}

fn name(about: &About, source: u16, channel: u8) -> String {
    let name = about.note_sources.get(usize::from(source)).map_or(&about.name, |source| &source.name);
    if channel == NO_CHANNEL { format!("{name}, system messages") } else { format!("{name}, channel {}", channel + 1) }
}

/// The channel of a message, 0 to 15, or [`NO_CHANNEL`].
fn channel(message: &[u8]) -> u8 {
    if is_channel_message(message) { message[0] & 0x0F } else { NO_CHANNEL }
}

fn is_channel_message(message: &[u8]) -> bool {
    let Some((status, data)) = message.split_first() else { return false };
    let length = match status {
        0x80..=0xBF | 0xE0..=0xEF => 2,
        0xC0..=0xDF => 1,
        _ => return false,
    };
    data.len() == length && data.iter().all(u8::is_ascii)
}

fn is_exclusive(message: &[u8]) -> bool {
    matches!(message, [0xF0, data @ .., 0xF7] if data.iter().all(u8::is_ascii))
}

/// The message that says what `control` says, in the resolution of MIDI 1.0.
fn message(control: &Control) -> Vec<u8> {
    let seven_bits = (control.value * 127.0).round().clamp(0.0, 127.0) as u8;
    let (channel, number) = (control.channel & 0x0F, control.number & 0x7F);
    match control.kind {
        ControlKind::Controller => vec![0xB0 | channel, number, seven_bits],
        ControlKind::KeyPressure => vec![0xA0 | channel, number, seven_bits],
        ControlKind::ChannelPressure => vec![0xD0 | channel, seven_bits],
        ControlKind::Program => vec![0xC0 | channel, control.value.clamp(0.0, 127.0) as u8],
        ControlKind::PitchBend => {
            let bend = (control.value * 8192.0 + 8192.0).round().clamp(0.0, 16_383.0) as u16;
            vec![0xE0 | channel, bend as u8 & 0x7F, (bend >> 7) as u8]
        }
    }
}

/// All tracks, by note source and channel.
struct Writers<'a> {
    grid: &'a Grid,
    tracks: BTreeMap<(u16, u8), Writer<'a>>,
}

impl<'a> Writers<'a> {
    /// The track for `message`.
    fn of(&mut self, source: u16, message: &[u8]) -> &mut Writer<'a> {
        self.tracks.entry((source, channel(message))).or_insert_with(|| Writer::new(self.grid))
    }
}

/// A track that is being written.
struct Writer<'a> {
    grid: &'a Grid,
    messages: Vec<Message>,
    /// Where the last message stands; time does not run backwards in a track.
    tick: u64,
    keys: [Key; 128],
}

/// How often a key was struck and not released, and the tick of the last strike.
#[derive(Clone, Copy, Default)]
struct Key {
    down: u32,
    since: u64,
}

impl<'a> Writer<'a> {
    fn new(grid: &'a Grid) -> Self {
        Self { grid, messages: Vec::new(), tick: 0, keys: [Key::default(); 128] }
    }

    /// A message that was played.
    fn play(&mut self, sample: u64, bytes: &[u8]) {
        match bytes {
            [status, _, velocity] if status & 0xF0 == NOTE_ON && *velocity > 0 && is_channel_message(bytes) => {
                self.strike(sample, bytes, false);
            }
            [status, pitch, _] if matches!(status & 0xF0, NOTE_OFF | NOTE_ON) && is_channel_message(bytes) => {
                self.release(sample, *pitch, bytes, false);
            }
            _ if is_channel_message(bytes) => self.put(sample, bytes, false),
            _ if is_exclusive(bytes) => self.put(sample, &exclusive(bytes), false),
            _ => {
                let digits: String = bytes.iter().map(|byte| format!(" {byte:02x}")).collect();
                self.put(sample, &text(&format!("message{digits}")), false);
            }
        }
    }

    fn strike(&mut self, sample: u64, bytes: &[u8], added: bool) {
        let pitch = bytes[1];
        let tick = self.grid.tick(sample).max(self.tick);
        let key = self.keys[usize::from(pitch)];
        if key.down > 0 && key.since < tick {
            self.release_all(sample, pitch, bytes[0] & 0x0F);
        }
        self.put(sample, bytes, added);
        let key = &mut self.keys[usize::from(pitch)];
        *key = Key { down: key.down + 1, since: self.tick };
    }

    fn release(&mut self, sample: u64, pitch: u8, bytes: &[u8], added: bool) {
        let key = &mut self.keys[usize::from(pitch)];
        if key.down > 0 {
            self.tick = self.tick.max(key.since + 1);
            key.down -= 1;
        }
        self.put(sample, bytes, added);
    }

    fn release_all(&mut self, sample: u64, pitch: u8, channel: u8) {
        while self.keys[usize::from(pitch)].down > 0 {
            self.release(sample, pitch, &[NOTE_OFF | channel, pitch, 0], true);
        }
    }

    /// Writes an event, at the tick nearest to `sample` if the track is not beyond it, with the texts that it needs.
    fn put(&mut self, sample: u64, bytes: &[u8], added: bool) {
        self.tick = self.tick.max(self.grid.tick(sample));
        if added {
            self.push(text("added"));
        } else if !self.grid.is_at(self.tick, sample) {
            self.push(text(&format!("sample {sample}")));
        }
        self.push(bytes.to_vec());
    }

    fn push(&mut self, bytes: Vec<u8>) {
        self.messages.push(Message { tick: self.tick, bytes });
    }

    fn finish(mut self, channel: u8, frames: u64) -> Vec<Message> {
        for pitch in 0..128 {
            self.release_all(frames, pitch, channel);
        }
        self.messages
    }
}
