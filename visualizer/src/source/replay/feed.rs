//! Turns takes of a recording into the events that a live source would have given, up to a moment.

use std::collections::BTreeMap;
use std::ops::Range;
use std::time::Instant;

use send_learn_protocol::record::{Transport, TransportFlags};
use send_learn_protocol::tap::{Arrival, Health};
use send_learn_protocol::units::{SamplePosition, TakeId};

use super::recording::{AutomationRow, BlockRow, Reader, RecordingError, Take};
use crate::source::{Delivery, Event, MidiMessage, StreamKey};

/// How much of what was before a moment is given with it, in seconds: what the picture shows of it.
pub(super) const BEFORE: f64 = 12.0;
/// How often health is told, in seconds.
const HEALTH_EVERY: f64 = 0.5;
/// What it is taken over, in seconds.
const HEALTH_OVER: f64 = 2.0;
/// Frames of one event of audio, at most.
const FRAMES: u64 = 4_096;

/// Plays one take.
#[derive(Debug)]
pub(super) struct Feed {
    take: Take,
    key: StreamKey,
    /// Where it is, in samples.
    at: u64,
    /// Seconds of the whole at which health is told next.
    next_health: f64,
    is_up: bool,
    is_down: bool,
    reader: Option<(usize, Reader)>,
    missing: u64,
    /// Whether what holds at its place is still to be said.
    is_fresh: bool,
}

impl Feed {
    /// Plays `take` from `seconds` of the whole on, as a take of its own.
    pub(super) fn new(take: &Take, key: StreamKey, seconds: f64) -> Self {
        let at = ((seconds - BEFORE - take.offset).max(0.0) * take.description.sample_rate) as u64;
        let mut take = take.clone();
        take.description.take = TakeId::random();
        let is_over = take.ends() + BEFORE <= seconds;
        Self { take, key, at, next_health: seconds, is_up: false, is_down: is_over, reader: None, missing: 0, is_fresh: true }
    }

    /// Gives all events up to `seconds` of the whole to `emit`.
    ///
    /// # Errors
    /// [`RecordingError`] when the recording ends before its time, because it is damaged.
    pub(super) fn advance(&mut self, seconds: f64, emit: &mut impl FnMut(Event)) -> Result<(), RecordingError> {
        if self.is_down || seconds < self.take.offset {
            return Ok(());
        }
        if !self.is_up {
            self.is_up = true;
            emit(Event::StreamUp { key: self.key, description: Box::new(self.take.description.clone()) });
        }
        let until = (((seconds - self.take.offset) * self.take.description.sample_rate).round() as u64).min(self.take.end());
        let played = self.play(until, emit);
        if played.is_ok() && seconds >= self.next_health {
            self.next_health = seconds + HEALTH_EVERY;
            emit(Event::Health { key: self.key, health: self.health() });
        }
        if played.is_err() || self.at >= self.take.end() {
            self.is_down = true;
            emit(Event::StreamDown { key: self.key });
        }
        played
    }

    fn play(&mut self, until: u64, emit: &mut impl FnMut(Event)) -> Result<(), RecordingError> {
        while self.at < until {
            let Some(index) = self.take.parts.iter().position(|part| part.held.end > self.at) else { break };
            let held = self.take.parts[index].held.clone();
            if held.start > self.at {
                // A part is missing.
                let end = held.start.min(until);
                self.lack(self.at..end, emit);
                self.at = end;
                continue;
            }
            if self.reader.as_ref().is_none_or(|(open, _)| *open != index) {
                self.reader = Some((index, Reader::open(&self.take.parts[index], self.take.description.channels)?));
            }
            let end = until.min(held.end);
            self.events(self.at..end, emit);
            self.audio(end, emit)?;
            self.at = end;
        }
        Ok(())
    }

    fn lack(&mut self, range: Range<u64>, emit: &mut impl FnMut(Event)) {
        self.missing += range.end - range.start;
        emit(Event::Gap { key: self.key, position: SamplePosition(range.start), frames: range.end - range.start });
    }

    /// MIDI, automation, transport and gaps of `range`.
    fn events(&mut self, range: Range<u64>, emit: &mut impl FnMut(Event)) {
        let Some((_, reader)) = &self.reader else { return };
        let (key, tables) = (self.key, &reader.tables);
        for row in rows(&tables.midi, &range, |row| row.sample).iter().filter(|row| row.kind == 0) {
            let message = MidiMessage { position: SamplePosition(row.sample), bytes: [row.status, row.data1, row.data2] };
            emit(Event::Midi { key, message });
        }
        if self.is_fresh {
            let named = tables.parameters.iter().map(|row| (row.parameter, row.name.as_str().to_owned()));
            named.for_each(|(parameter, name)| emit(Event::Parameter { key, parameter, name }));
        }
        // What holds at the begin may have been said long before.
        let before = &tables.automation[..tables.automation.partition_point(|row| row.sample < range.start)];
        let held: BTreeMap<u32, &AutomationRow> = before.iter().filter(|_| self.is_fresh).map(|row| (row.parameter, row)).collect();
        let here = rows(&tables.automation, &range, |row| row.sample);
        for row in held.into_values().chain(here) {
            let position = SamplePosition(row.sample);
            emit(Event::Automation { key, parameter: row.parameter, position, value: row.normalized });
        }
        let from = tables.transport.partition_point(|row| row.sample <= range.start).saturating_sub(1);
        let first = tables.transport[from..].first().filter(|row| row.sample < range.start && self.is_fresh);
        let here = rows(&tables.transport, &range, |row| row.sample);
        for row in first.into_iter().chain(here) {
            let transport = Transport {
                position: SamplePosition(row.sample),
                flags: TransportFlags(row.flags),
                meter: (row.numerator, row.denominator),
                bar: row.bar,
                tempo: row.tempo,
                ppq: row.ppq,
                bar_start: row.bar_start,
                ..Transport::default()
            };
            emit(Event::Transport { key, transport });
        }
        self.is_fresh = false;
        let gaps: Vec<_> =
            rows(&tables.gaps, &range, |row| row.sample).iter().map(|row| row.sample..row.sample + row.frames).collect();
        gaps.into_iter().for_each(|gap| self.lack(gap, emit));
    }

    /// The audio from where it is to `end`, each run of one arrival by itself.
    fn audio(&mut self, end: u64, emit: &mut impl FnMut(Event)) -> Result<(), RecordingError> {
        let channels = self.take.description.channels;
        let mut at = self.at;
        if channels == 0 {
            return Ok(());
        }
        let Some((_, reader)) = &mut self.reader else { return Ok(()) };
        while at < end {
            let block = block_at(&reader.tables.blocks, at);
            let stop = block.map_or(end, |block| (block.sample + u64::from(block.frames)).max(at + 1)).min(end).min(at + FRAMES);
            let arrival = block.and_then(|block| Arrival::from_wire(block.arrival)).unwrap_or(Arrival::Live);
            // Blocks that came alike are one event.
            let stop = run(&reader.tables.blocks, stop, end.min(at + FRAMES), arrival);
            let samples = reader.audio(at, stop)?.to_vec();
            let frames = samples.len() as u64 / u64::from(channels);
            if frames == 0 {
                break;
            }
            let delivery = Delivery { arrival, tap: None, read: Instant::now() };
            emit(Event::Audio { key: self.key, position: SamplePosition(at), channels, samples, delivery });
            at += frames;
        }
        Ok(())
    }

    /// How the line fared in the last seconds, as the recording tells.
    fn health(&self) -> Health {
        let nobody_knows = Health {
            level: 1.0,
            latency_ms: f64::NAN,
            host_ms: f64::NAN,
            uplink_ms: f64::NAN,
            network_ms: f64::NAN,
            jitter_ms: f64::NAN,
            ..Health::default()
        };
        let Some((_, reader)) = &self.reader else { return nobody_knows };
        let rate = self.take.description.sample_rate;
        let range = self.at.saturating_sub((HEALTH_OVER * rate) as u64)..self.at;
        let recent = rows(&reader.tables.blocks, &range, |row| row.sample);
        let past = &reader.tables.blocks[..reader.tables.blocks.partition_point(|row| row.sample < self.at)];
        let share = |least: u8| recent.iter().filter(|row| row.arrival >= least).count() as f64 / recent.len().max(1) as f64;
        let clock = reader.tables.clock.iter().take_while(|row| row.sample <= self.at).last().or(reader.tables.clock.first());
        let delay = |row: &BlockRow| {
            let came = row.arrival_nanos.cast_signed().checked_sub(clock?.offset_nanos)?;
            Some(came.checked_sub(row.host_nanos.cast_signed())? as f64 / 1e6)
        };
        let live = recent.iter().rev().find(|row| row.arrival <= 1);
        let count = |kind: Range<u8>| past.iter().filter(|row| kind.contains(&row.arrival)).count() as u64;
        let bits = f64::from(self.take.description.channels) * rate * 32.0;
        Health {
            loss: share(1),
            residual_loss: share(2),
            bits_per_second: bits,
            latency_ms: live.and_then(delay).unwrap_or(f64::NAN),
            host_ms: live.map_or(f64::NAN, |row| f64::from(row.frames) / rate * 1_000.0),
            level: recent.iter().map(|row| f64::from(row.level)).fold(1.0, f64::min),
            repaired: count(1..2),
            resent: count(2..4),
            gap_frames: self.missing,
            ..nobody_knows
        }
    }
}

/// The rows whose position is in `range`, of rows in order of position.
fn rows<'a, T>(rows: &'a [T], range: &Range<u64>, position: impl Fn(&T) -> u64) -> &'a [T] {
    let from = rows.partition_point(|row| position(row) < range.start);
    let to = rows.partition_point(|row| position(row) < range.end);
    rows.get(from..to).unwrap_or_default()
}

fn block_at(blocks: &[BlockRow], position: u64) -> Option<&BlockRow> {
    let after = blocks.partition_point(|block| block.sample <= position);
    let block = blocks.get(after.checked_sub(1)?)?;
    (position < block.sample + u64::from(block.frames)).then_some(block)
}

/// How far, from `from` on and at most to `end`, blocks came by the same `arrival`.
fn run(blocks: &[BlockRow], from: u64, end: u64, arrival: Arrival) -> u64 {
    let mut at = from;
    while at < end
        && let Some(block) = block_at(blocks, at).filter(|block| block.arrival == arrival as u8 && block.frames > 0)
    {
        at = (block.sample + u64::from(block.frames)).min(end);
    }
    at
}
