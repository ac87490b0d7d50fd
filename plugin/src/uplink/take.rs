//! One take within the uplink: its rings, its log, and its sender.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Duration;

use send_learn_protocol::packet::feedback::Storage;
use send_learn_protocol::packet::hello::{Description, PropertyKey};
use send_learn_protocol::record::{End, Parameter, Property, Record};
use send_learn_protocol::secure::Keyed;
use send_learn_protocol::sender::{SendMode, Sender, SenderConfig, SenderState};
use send_learn_protocol::units::{HostNanos, SamplePosition, SourceNumber, StreamId};

use super::disk::{Disk, Place};
use crate::assemble::Assembler;
use crate::capture::Captured;
use crate::clock;

/// How soon after a block is due the ring is looked at.
const MARGIN: Duration = Duration::from_micros(200);

/// How often the ring of a take that is not in real time is looked at.
const FAST_INTERVAL: Duration = Duration::from_millis(1);

/// The shortest and the longest sleep when a block is overdue; in between, half of the time that it is late.
const OVERDUE_SHORTEST: Duration = Duration::from_micros(300);
const OVERDUE_LONGEST: Duration = Duration::from_millis(20);

/// How often it is noted how far the log is, to tell the lag of durability.
const MARK_INTERVAL: Duration = Duration::from_millis(50);

/// The most of these notes that are kept: more than three minutes of them. In a longer outage every second one goes.
const MAX_MARKS: usize = 4_096;

/// What a take is.
#[derive(Clone, Debug)]
pub struct TakeConfig {
    /// Stream, take, names, rate, layout. The times of its begin are filled in when the first block comes.
    pub description: Description,
    /// Numbers and names of the parameters that automation records use.
    pub parameters: Vec<(u32, String)>,
    /// Whether the take is born in real time.
    pub mode: SendMode,
}

/// Something that may change while a take runs. The newest of its kind holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fact {
    /// A text of the description.
    Property(PropertyKey, String),
    /// The name of a parameter that automation records use, by number.
    Parameter(u32, String),
}

impl Fact {
    fn is_about_the_same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Property(one, _), Self::Property(other, _)) => one == other,
            (Self::Parameter(one, _), Self::Parameter(other, _)) => one == other,
            _ => false,
        }
    }

    fn record(&self) -> Record<'_> {
        match self {
            Self::Property(key, text) => Record::Property(Property { key: key.0, text }),
            Self::Parameter(parameter, name) => Record::Parameter(Parameter { parameter: *parameter, name }),
        }
    }
}

/// How far the log was at a time.
#[derive(Clone, Copy, Debug)]
struct Mark {
    time: HostNanos,
    next: SourceNumber,
    position: SamplePosition,
}

#[derive(Debug)]
pub(super) struct Take {
    config: TakeConfig,
    pub(super) captured: Captured,
    pub(super) assembler: Assembler,
    pub(super) sender: Option<Sender>,
    pub(super) place: Place,
    /// Bytes that are kept in memory.
    memory: usize,
    spooled: bool,
    keyed: Option<Keyed>,
    ended: bool,
    /// What the log does not say yet: at most one of each kind.
    news: Vec<Fact>,
    marks: VecDeque<Mark>,
    durable: SamplePosition,
}

impl Take {
    pub(super) fn new(config: TakeConfig, captured: Captured) -> Self {
        let assembler = Assembler::new(captured.config);
        let memory = SenderConfig::default().retention_bytes;
        Self {
            config,
            captured,
            assembler,
            sender: None,
            place: Place::new(),
            memory,
            spooled: false,
            keyed: None,
            ended: false,
            news: Vec::new(),
            marks: VecDeque::new(),
            durable: SamplePosition(0),
        }
    }

    /// How much is kept in memory, in bytes, whether there is a spool for the rest, and the key. To be said before the first block.
    pub(super) fn keep(&mut self, memory: usize, spooled: bool, keyed: Option<Keyed>) {
        (self.memory, self.spooled, self.keyed) = (memory, spooled, keyed);
    }

    /// Goes on with another key.
    pub(super) fn set_key(&mut self, now: HostNanos, keyed: Option<Keyed>) {
        match &mut self.sender {
            Some(sender) => sender.set_key(now, keyed),
            None => self.keyed = keyed,
        }
    }

    /// Passes on what the spool is to do.
    pub(super) fn serve(&mut self, now: HostNanos, disk: &Disk, address: Option<SocketAddr>) {
        if let Some(sender) = &mut self.sender {
            disk.serve(now, &mut self.place, sender, address);
        }
    }

    /// The program ends: what is owed goes to the spool. Whether all of it is there.
    pub(super) fn put_away(&mut self, now: HostNanos) -> bool {
        self.drain(now);
        let Some(sender) = self.sender.as_mut().filter(|_| self.spooled) else { return true };
        sender.spool_all();
        sender.state() == SenderState::Finished || sender.is_all_spooled()
    }

    /// Moves what the ring holds into the log. The log begins with the first block: an activation in which nothing was
    /// played leaves nothing.
    pub(super) fn drain(&mut self, now: HostNanos) {
        if self.ended || (self.sender.is_none() && self.captured.ring.events.is_empty()) {
            return;
        }
        // Asked before draining: what is written after this is seen next time.
        let finished = self.captured.ring.events.is_abandoned();
        let sender = match &mut self.sender {
            Some(sender) => sender,
            None => {
                let mut sender = begin(&self.config, self.captured.counters.started(), now, (self.memory, self.keyed));
                if self.spooled {
                    sender.use_spool();
                }
                let parameters = self.config.parameters.iter().map(|(number, name)| (*number, name.as_str()));
                self.assembler.begin(&mut sender, parameters);
                self.sender.insert(sender)
            }
        };
        if !self.news.is_empty() && !self.captured.counters.paused() {
            self.news.drain(..).for_each(|fact| sender.push(&fact.record()));
            sender.flush(now);
        }
        self.assembler.drain(now, &mut self.captured, sender);
        if finished && self.captured.ring.is_finished() {
            let position = self.captured.counters.position();
            self.assembler.finish(now, position, sender);
            sender.finish(now, End { position, reason: self.captured.counters.end_reason() });
            self.ended = true;
        }
        self.mark(now);
    }

    /// Which stream it is of.
    pub(super) fn stream(&self) -> StreamId {
        self.config.description.stream
    }

    /// Entries that are on this machine's disk.
    pub(super) fn spooled(&self) -> u64 {
        self.sender.as_ref().map_or(0, Sender::spooled)
    }

    /// Whether nothing is left to do: all is durable, or there never was anything.
    pub(super) fn is_over(&self) -> bool {
        match &self.sender {
            Some(sender) => sender.state() == SenderState::Finished,
            None => self.captured.ring.is_finished(),
        }
    }

    pub(super) fn is_running(&self) -> bool {
        !self.ended && !self.captured.ring.events.is_abandoned()
    }

    /// Whether what is played now is captured.
    pub(super) fn captures(&self) -> bool {
        self.sender.is_some() && self.is_running() && !self.captured.counters.paused()
    }

    /// Whether nothing of it leaves this machine: nothing is captured, and all that was before is on the receiver's disk. Its session may
    /// end meanwhile; a new one goes on with the take.
    pub(super) fn is_hushed(&self) -> bool {
        let silent = self.is_running() && self.captured.counters.paused() && self.captured.ring.events.is_empty();
        silent && self.owed() == 0
    }

    /// Whether a receiver is there to take what is owed.
    pub(super) fn is_connected(&self) -> bool {
        self.sender.as_ref().is_some_and(|s| matches!(s.state(), SenderState::Connected | SenderState::Closing))
    }

    /// Whether its receiver can record at present.
    pub(super) fn storage(&self) -> Storage {
        let connected = self.sender.as_ref().filter(|_| self.is_connected());
        connected.map_or(Storage::Good, |sender| sender.stats().storage)
    }

    /// Whether a receiver is there and says why it does not take what is owed.
    pub(super) fn is_declined(&self) -> bool {
        self.sender.as_ref().is_some_and(|sender| matches!(sender.state(), SenderState::Refused(_)))
    }

    /// Something holds from now on. While nothing is captured, the log does not say so either.
    pub(super) fn tell(&mut self, fact: &Fact) {
        match fact {
            Fact::Property(key, text) => self.config.description.set_property(*key, text),
            Fact::Parameter(number, name) => {
                self.config.parameters.iter_mut().filter(|(known, _)| known == number).for_each(|(_, old)| old.clone_from(name));
            }
        }
        if self.sender.is_some() {
            self.news.retain(|old| !old.is_about_the_same(fact));
            self.news.push(fact.clone());
        }
    }

    /// When the ring is to be looked at again.
    pub(super) fn due(&self, now: HostNanos) -> Option<HostNanos> {
        if self.ended {
            return None;
        }
        if self.config.mode == SendMode::Fast {
            return Some(now.after(FAST_INTERVAL));
        }
        let Some(due) = self.assembler.due().map(|due| due.after(MARGIN)) else { return Some(now.after(OVERDUE_LONGEST)) };
        let late = now.since(due);
        Some(due.max(now.after((late / 2).clamp(OVERDUE_SHORTEST, OVERDUE_LONGEST))))
    }

    /// Entries that are not durable yet.
    pub(super) fn owed(&self) -> u64 {
        self.sender.as_ref().map_or(0, |sender| sender.stats().entries.saturating_sub(sender.stats().durable.0))
    }

    /// How long ago the oldest entry was written that is not durable, and the position before which all is.
    pub(super) fn durability(&mut self, now: HostNanos) -> (Duration, SamplePosition) {
        let Some(sender) = &self.sender else { return (Duration::ZERO, SamplePosition(0)) };
        let durable = sender.stats().durable;
        while let Some(mark) = self.marks.front().filter(|mark| mark.next <= durable) {
            self.durable = mark.position;
            self.marks.pop_front();
        }
        if self.owed() == 0 {
            self.durable = if self.ended { self.captured.counters.position() } else { self.durable };
            return (Duration::ZERO, self.durable);
        }
        (self.marks.front().map_or(Duration::ZERO, |mark| now.since(mark.time)), self.durable)
    }

    fn mark(&mut self, now: HostNanos) {
        let Some(sender) = &self.sender else { return };
        let next = SourceNumber(sender.stats().entries);
        if self.marks.back().is_none_or(|mark| mark.next < next && now.since(mark.time) >= MARK_INTERVAL) {
            if self.marks.len() == MAX_MARKS {
                // The first stays: it tells the lag.
                let mut kept = false;
                self.marks.retain(|_| {
                    kept = !kept;
                    kept
                });
            }
            self.marks.push_back(Mark { time: now, next, position: self.captured.counters.position() });
        }
    }
}

fn begin(config: &TakeConfig, started: HostNanos, now: HostNanos, (memory, keyed): (usize, Option<Keyed>)) -> Sender {
    let mut description = config.description.clone();
    description.started = started;
    description.started_unix_nanos = clock::unix_nanos().saturating_sub(now.since(started).as_nanos() as u64);
    let (seed, _) = uuid::Uuid::new_v4().as_u64_pair();
    let sender = SenderConfig { mode: config.mode, retention_bytes: memory, keyed, ..SenderConfig::default() };
    Sender::new(sender, description, seed, now)
}

#[cfg(test)]
mod tests {
    use send_learn_protocol::units::StreamId;

    use super::*;
    use crate::capture::{CaptureConfig, Pause, Wanted, capture};
    use crate::identity;
    use crate::transport::Observed;

    #[test]
    fn what_is_new_waits_while_nothing_is_captured() {
        let config = CaptureConfig { sample_rate: 1_000.0, channels: 0, max_block: 64, patient: false };
        let (mut audio, captured) = capture(config);
        let description = identity::new_take(StreamId::random(), &config);
        let mut take = Take::new(TakeConfig { description, parameters: Vec::new(), mode: SendMode::Live }, captured);
        let mut entries = |wanted, name: Option<&str>| {
            audio.begin(64, HostNanos(1), &Observed::default(), wanted);
            audio.end::<&[f32]>(&[]);
            name.into_iter().for_each(|name| take.tell(&Fact::Property(PropertyKey::NAME, name.to_owned())));
            take.drain(HostNanos(1_000_000_000));
            take.sender.as_ref().map_or(0, |sender| sender.stats().entries)
        };
        let begun = entries(Wanted::Captured, None);
        let off = Wanted::Skipped(Pause::CaptureOff);
        assert_eq!((entries(off, Some("Secret")), entries(off, None)), (begun, begun));
        assert!(entries(Wanted::Captured, None) > begun + 1, "the name and the block");
    }

    #[test]
    fn only_the_newest_fact_of_a_kind_is_told() {
        let (one, other) = (Fact::Parameter(3, "A".to_owned()), Fact::Parameter(3, "B".to_owned()));
        assert!(one.is_about_the_same(&other));
        assert!(!one.is_about_the_same(&Fact::Parameter(4, "A".to_owned())));
        assert!(!one.is_about_the_same(&Fact::Property(PropertyKey(3), "A".to_owned())));
    }

    #[test]
    fn the_lag_of_a_long_outage_is_told_from_a_bounded_number_of_marks() {
        let config = CaptureConfig { sample_rate: 1_000.0, channels: 0, max_block: 64, patient: false };
        let (mut audio, captured) = capture(config);
        let description = identity::new_take(StreamId::random(), &config);
        let mut take = Take::new(TakeConfig { description, parameters: Vec::new(), mode: SendMode::Live }, captured);
        let begin = HostNanos(1_000_000_000);
        let mut now = begin;
        for _ in 0..3 * MAX_MARKS {
            audio.begin(64, now, &Observed::default(), Wanted::Captured);
            audio.end::<&[f32]>(&[]);
            take.drain(now);
            now = now.after(MARK_INTERVAL);
        }
        assert!(take.owed() > 2 * MAX_MARKS as u64, "each block is an entry");
        assert!((MAX_MARKS / 2..=MAX_MARKS).contains(&take.marks.len()), "{} marks", take.marks.len());
        assert_eq!(take.durability(now), (now.since(begin), SamplePosition(0)));
    }
}
