//! A Standard MIDI File as events at samples, and the transport that its tempo and meter make.

use std::path::Path;

use anyhow::{Context, Result, bail};
use midly::live::LiveEvent;
use midly::{MetaMessage, Smf, Timing, TrackEvent, TrackEventKind};

/// Microseconds per quarter note before the file says otherwise (Standard MIDI Files 1.0).
const DEFAULT_TEMPO: u32 = 500_000;

/// A MIDI event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// Where it happens, in samples.
    pub sample: u64,
    /// The whole message; system exclusive from F0 to F7.
    pub bytes: Vec<u8>,
}

/// From where on a tempo and a meter hold.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Change {
    /// Where, in samples.
    pub sample: u64,
    /// Where, in quarter notes.
    pub quarters: f64,
    /// Quarter notes per minute.
    pub tempo: f64,
    /// Beats per bar and the note value of a beat (4 = quarter).
    pub meter: (u16, u16),
    /// The bar in which it happens, from 0.
    pub bar: i32,
    /// Where that bar began, in quarter notes.
    pub bar_start: f64,
}

/// Where the playhead is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Place {
    /// In quarter notes.
    pub quarters: f64,
    /// Quarter notes per minute.
    pub tempo: f64,
    /// Beats per bar and the note value of a beat.
    pub meter: (u16, u16),
    /// The bar, from 0.
    pub bar: i32,
    /// Where the bar began, in quarter notes.
    pub bar_start: f64,
}

/// A piece at a sample rate.
#[derive(Clone, Debug, PartialEq)]
pub struct Score {
    /// The name of the first track, which is the piece's; empty where it has none.
    pub title: String,
    /// Samples per second.
    pub rate: u32,
    /// In the order of time; at one sample, in the order of the file's ticks and tracks.
    pub events: Vec<Event>,
    /// At least one, the first at sample 0.
    pub changes: Vec<Change>,
    /// The end of the longest track, in samples.
    pub end: u64,
}

impl Score {
    /// Reads the file at `path`.
    ///
    /// # Errors
    /// When it cannot be read or is no MIDI file with ticks per quarter note.
    pub fn open(path: &Path, rate: u32) -> Result<Self> {
        let bytes = std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
        Self::parse(&bytes, rate).with_context(|| format!("cannot use {}", path.display()))
    }

    /// Reads a file's bytes.
    ///
    /// # Errors
    /// As [`Score::open`].
    pub fn parse(bytes: &[u8], rate: u32) -> Result<Self> {
        let smf = Smf::parse(bytes).context("not a Standard MIDI File")?;
        let Timing::Metrical(ticks_per_quarter) = smf.header.timing else {
            bail!("its time is in frames of film, not in quarter notes");
        };
        let mut clock = Clock::new(u64::from(ticks_per_quarter.as_int()), rate);
        let mut events = Vec::new();
        let mut changes = vec![clock.change()];
        for (tick, kind) in merged(&smf) {
            clock.advance(tick);
            match kind {
                TrackEventKind::Midi { channel, message } => {
                    let mut bytes = Vec::with_capacity(3);
                    LiveEvent::Midi { channel, message }.write_std(&mut bytes)?;
                    events.push(Event { sample: clock.sample(), bytes });
                }
                TrackEventKind::SysEx(data) => {
                    let bytes = [&[0xF0], data].concat();
                    events.push(Event { sample: clock.sample(), bytes });
                }
                TrackEventKind::Meta(MetaMessage::Tempo(tempo)) => {
                    clock.tempo = tempo.as_int();
                    note_change(&mut changes, clock.change());
                }
                TrackEventKind::Meta(MetaMessage::TimeSignature(numerator, power, ..)) if power < 16 => {
                    clock.begin_meter((u16::from(numerator), 1 << power));
                    note_change(&mut changes, clock.change());
                }
                _ => {}
            }
        }
        Ok(Self { title: title(&smf), rate, events, changes, end: clock.sample() })
    }

    /// Where the playhead is at `sample`.
    pub fn place(&self, sample: u64) -> Place {
        let index = self.changes.partition_point(|change| change.sample <= sample).saturating_sub(1);
        let change = self.changes[index];
        let seconds = sample.saturating_sub(change.sample) as f64 / f64::from(self.rate);
        let quarters = change.quarters + seconds * change.tempo / 60.0;
        let bar_length = 4.0 * f64::from(change.meter.0) / f64::from(change.meter.1);
        let bars = ((quarters - change.bar_start) / bar_length).floor().max(0.0);
        Place {
            quarters,
            tempo: change.tempo,
            meter: change.meter,
            bar: change.bar + bars as i32,
            bar_start: change.bar_start + bars * bar_length,
        }
    }
}

fn title(smf: &Smf<'_>) -> String {
    let name = |event: &TrackEvent<'_>| match event.kind {
        TrackEventKind::Meta(MetaMessage::TrackName(name)) => Some(String::from_utf8_lossy(name).trim().to_owned()),
        _ => None,
    };
    smf.tracks.first().and_then(|track| track.iter().find_map(name)).unwrap_or_default()
}

/// A second change at the same sample replaces the first: only the outcome holds for any time.
fn note_change(changes: &mut Vec<Change>, change: Change) {
    if changes.last().is_some_and(|last| last.sample == change.sample) {
        changes.pop();
    }
    changes.push(change);
}

/// All tracks' events with their ticks, in the order of ticks, then of tracks.
fn merged<'a>(smf: &Smf<'a>) -> Vec<(u64, TrackEventKind<'a>)> {
    let mut all = Vec::new();
    for track in &smf.tracks {
        let mut tick = 0;
        for event in track {
            tick += u64::from(event.delta.as_int());
            all.push((tick, event.kind));
        }
    }
    all.sort_by_key(|(tick, _)| *tick);
    all
}

/// Ticks to time, without rounding until a sample is asked for.
struct Clock {
    ticks_per_quarter: u64,
    rate: u32,
    tick: u64,
    /// Time so far, in microseconds times `ticks_per_quarter`.
    elapsed: u128,
    tempo: u32,
    meter: (u16, u16),
    bar: i32,
    bar_start: u64,
}

impl Clock {
    fn new(ticks_per_quarter: u64, rate: u32) -> Self {
        Self {
            ticks_per_quarter: ticks_per_quarter.max(1),
            rate,
            tick: 0,
            elapsed: 0,
            tempo: DEFAULT_TEMPO,
            meter: (4, 4),
            bar: 0,
            bar_start: 0,
        }
    }

    fn advance(&mut self, tick: u64) {
        self.elapsed += u128::from(tick - self.tick) * u128::from(self.tempo);
        self.tick = tick;
        let bar = (self.ticks_per_quarter * 4 * u64::from(self.meter.0) / u64::from(self.meter.1)).max(1);
        let bars = (tick - self.bar_start) / bar;
        self.bar += bars as i32;
        self.bar_start += bars * bar;
    }

    /// A new meter begins a bar.
    fn begin_meter(&mut self, meter: (u16, u16)) {
        if self.tick > self.bar_start {
            self.bar += 1;
            self.bar_start = self.tick;
        }
        self.meter = meter;
    }

    /// The nearest sample, halves up.
    fn sample(&self) -> u64 {
        let second = u128::from(self.ticks_per_quarter) * 1_000_000;
        ((self.elapsed * u128::from(self.rate) + second / 2) / second) as u64
    }

    fn change(&self) -> Change {
        let quarters = |tick: u64| tick as f64 / self.ticks_per_quarter as f64;
        Change {
            sample: self.sample(),
            quarters: quarters(self.tick),
            tempo: 60e6 / f64::from(self.tempo),
            meter: self.meter,
            bar: self.bar,
            bar_start: quarters(self.bar_start),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 480 ticks per quarter: a note at 0, tempo 1,000,000 at tick 480, 3/4 at tick 1,920, a note at 2,400.
    const FILE: &[u8] = b"MThd\0\0\0\x06\0\0\0\x01\x01\xE0MTrk\0\0\0\x22\
        \0\x90\x3C\x40\x83\x60\xFF\x51\x03\x0F\x42\x40\x8B\x20\xFF\x58\x04\x03\x02\x18\x08\x83\x60\x80\x3C\x40\0\xFF\x2F\0";

    #[test]
    fn events_stand_at_the_nearest_sample_through_the_tempo_map() {
        let mut file = FILE.to_vec();
        let length = (file.len() - 22) as u8;
        file[21] = length;
        let score = Score::parse(&file, 48_000).expect("a valid file");
        assert_eq!(score.events[0], Event { sample: 0, bytes: vec![0x90, 0x3C, 0x40] });
        // A quarter at 120, then four at 60.
        assert_eq!(score.events[1], Event { sample: 24_000 + 4 * 48_000, bytes: vec![0x80, 0x3C, 0x40] });
        assert_eq!(score.changes.len(), 3);
        let place = score.place(24_000 + 3 * 48_000 + 24_000);
        assert_eq!((place.quarters, place.meter, place.bar, place.bar_start), (4.5, (3, 4), 1, 4.0));
    }
}
