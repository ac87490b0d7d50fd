//! One session of the receiver: what came, what lacks, and when the sender is told.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use super::delay::Delay;
use super::losses::Losses;
use super::{ReceiverEvent, SILENCE};
use crate::fec::Repair;
use crate::packet::close::{Gone, GoneReason};
use crate::packet::feedback::{Feedback, MAX_RANGES, SourceRange};
use crate::packet::header::{self, FLAG_BACKFILL, FLAG_REPEAT};
use crate::packet::probe::{Probe, ProbeReply};
use crate::packet::{Head, Kind};
use crate::record::{MAX_ENTRY, source_number};
use crate::replay::ReplayWindow;
use crate::tap::Arrival;
use crate::tracker::Tracker;
use crate::units::{HostNanos, PacketNumber, SessionId, SourceNumber, TakeId};

/// Feedback goes out this often while something changes, and when nothing does.
const FEEDBACK_BUSY: Duration = Duration::from_millis(50);
const FEEDBACK_IDLE: Duration = Duration::from_millis(500);

/// Feedback goes out at once after this many datagrams, but not before this long after the last.
const FEEDBACK_DATAGRAMS: u64 = 16;
const FEEDBACK_GAP: Duration = Duration::from_millis(1);

/// For how long a hole is known before it is named, until the sender's probe has said how long: what parity needs.
const FIRST_PATIENCE: Duration = Duration::from_millis(60);

/// Whatever the sender says, a hole is given as long as datagrams overtake one another: three times the jitter, within these.
const GRACE_SHORTEST: Duration = Duration::from_millis(2);
const GRACE_LONGEST: Duration = Duration::from_millis(30);

/// Whatever the sender says, a hole is named after this.
const LONGEST_PATIENCE: Duration = Duration::from_millis(500);

/// After a new hole was named, holes are named again a round trip and this later, ...
const REASK_MARGIN: Duration = Duration::from_millis(3);

/// ... for this long: the request or its answer may have been lost, and a live view waits. Later only in the usual feedback.
const REASK_SPAN: Duration = Duration::from_millis(250);

/// How fine the age of holes is known.
const AGE_STEP: Duration = Duration::from_millis(1);

/// Counters and watermarks of a session. Counters run from its begin.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct SessionStats {
    /// Entries below this have arrived in part, or are known to exist.
    pub received: SourceNumber,
    /// Entries below this have all arrived.
    pub complete: SourceNumber,
    /// Entries below this are durable.
    pub durable: SourceNumber,
    /// The highest packet number that arrived.
    pub highest_packet: PacketNumber,
    /// Datagrams that arrived, duplicates not counted.
    pub datagrams: u64,
    /// Bytes of UDP payload that arrived.
    pub bytes: u64,
    /// Entries that came by their first transmission.
    pub delivered: u64,
    /// Entries rebuilt from parity.
    pub repaired: u64,
    /// Entries that came as repeats or back-fill.
    pub resent: u64,
    /// Of these, those that came as back-fill.
    pub backfilled: u64,
    /// Datagrams given up as lost before any repair; see [`Feedback::lost`].
    pub lost: u64,
    /// Datagrams that came twice.
    pub duplicates: u64,
    /// Datagrams that contradict themselves.
    pub rejected: u64,
    /// Interarrival jitter (RFC 3550, section 6.4.1).
    pub jitter: Duration,
    /// One-way delay of late above the least.
    pub queue: Duration,
    /// Entries that are known to exist and are missing.
    pub missing: u64,
    /// When the sender was last heard.
    pub last_heard: HostNanos,
}

#[derive(Debug)]
pub(super) struct Session {
    pub(super) peer: SocketAddr,
    pub(super) take: TakeId,
    pub(super) accepted: bool,
    pub(super) stats: SessionStats,
    tracker: Tracker,
    /// The sender has no entries below this ...
    first: SourceNumber,
    /// ... and has written those below this.
    announced: SourceNumber,
    repair: Repair,
    window: ReplayWindow,
    losses: Losses,
    delay: Delay,
    /// The end of what was known, at times in the past, oldest first.
    ages: VecDeque<(HostNanos, SourceNumber)>,
    /// Holes below this are old enough to be named.
    old: SourceNumber,
    /// What the sender wants: how long holes wait, and its round trip.
    patience: Duration,
    round_trip: Duration,
    reask_until: HostNanos,
    reply: Option<ProbeReply>,
    feedback_due: HostNanos,
    feedback_last: HostNanos,
    changed: bool,
    since_feedback: u64,
    ready: VecDeque<Ready>,
    payload: Vec<u8>,
}

#[derive(Debug)]
enum Ready {
    Entry(SourceNumber, Arrival, Arc<[u8]>),
    Gone(Gone),
}

impl Session {
    pub(super) fn new(now: HostNanos, peer: SocketAddr, take: TakeId, (first, announced): (SourceNumber, SourceNumber)) -> Self {
        Self {
            peer,
            take,
            accepted: false,
            stats: SessionStats { last_heard: now, ..SessionStats::default() },
            tracker: Tracker::default(),
            first,
            announced,
            repair: Repair::default(),
            window: ReplayWindow::default(),
            losses: Losses::default(),
            delay: Delay::default(),
            ages: VecDeque::new(),
            old: SourceNumber(0),
            patience: FIRST_PATIENCE,
            round_trip: Duration::ZERO,
            reask_until: HostNanos(0),
            reply: None,
            feedback_due: now,
            feedback_last: HostNanos(0),
            changed: false,
            since_feedback: 0,
            ready: VecDeque::new(),
            payload: Vec::new(),
        }
    }

    pub(super) fn accept(&mut self, now: HostNanos, tracker: Tracker) {
        self.accepted = true;
        self.stats.durable = tracker.complete();
        self.tracker = tracker;
        // What existed before the session is not on its way: it is asked for at once.
        self.tracker.announce(self.announced);
        self.old = self.tracker.end();
        // What the sender had forgotten before it came, as durable elsewhere or for want of room, never comes.
        if self.first.0 > 0 {
            let range = SourceRange { first: SourceNumber(0), count: self.first.0 };
            self.on_gone(Gone { range, reason: GoneReason::Other });
        }
        self.note_change(now);
    }

    /// Counts a datagram; false if it came before.
    pub(super) fn note_packet(&mut self, now: HostNanos, head: &Head, len: usize) -> bool {
        self.stats.last_heard = now;
        if !self.window.insert(head.packet) {
            self.stats.duplicates += 1;
            return false;
        }
        self.losses.note(now, head.packet);
        self.delay.note(now, head.sent_micros);
        self.stats.datagrams += 1;
        self.stats.bytes += len as u64;
        self.stats.highest_packet = self.stats.highest_packet.max(head.packet);
        self.stats.lost = self.losses.lost();
        self.stats.jitter = self.delay.jitter();
        self.stats.queue = self.delay.queue();
        self.since_feedback += 1;
        true
    }

    pub(super) fn on_source(&mut self, now: HostNanos, head: &Head, payload: &[u8]) -> Option<()> {
        if payload.len() > MAX_ENTRY {
            self.stats.rejected += 1;
            return None;
        }
        let entry: Arc<[u8]> = payload.into();
        let arrival = match head.flags {
            flags if flags & FLAG_BACKFILL != 0 => Arrival::Backfill,
            flags if flags & FLAG_REPEAT != 0 => Arrival::Resent,
            _ => Arrival::Live,
        };
        self.take_entry(arrival, entry.clone())?;
        if let Some(shard) = head.shard {
            self.repair.source(shard, entry);
            self.take_repaired();
        }
        self.note_change(now);
        Some(())
    }

    pub(super) fn on_parity(&mut self, now: HostNanos, head: &Head, payload: &[u8]) -> Option<()> {
        self.repair.parity(head.shard?, payload);
        self.take_repaired();
        self.note_change(now);
        Some(())
    }

    pub(super) fn on_probe(&mut self, now: HostNanos, probe: Probe) {
        self.tracker.announce(probe.next);
        self.reply = Some(ProbeReply { echo: probe.sent_at, received_at: now, sent_at: now });
        self.patience = Duration::from_micros(probe.patience_micros.into()).min(LONGEST_PATIENCE);
        self.round_trip = Duration::from_micros(probe.round_trip_micros.into());
        self.note_change(now);
    }

    pub(super) fn on_gone(&mut self, gone: Gone) {
        let end = gone.range.end();
        let mut lost: Vec<SourceRange> = Vec::new();
        // Entries at the end may be unknown here: they exist, the sender says so.
        self.tracker.announce(end);
        for run in self.tracker.missing(end) {
            let first = run.first.max(gone.range.first);
            if let Some(count) = run.end().0.checked_sub(first.0).filter(|count| *count > 0) {
                lost.push(SourceRange { first, count });
            }
        }
        for range in lost {
            if self.tracker.insert_range(range) {
                self.ready.push_back(Ready::Gone(Gone { range, reason: gone.reason }));
            }
        }
        self.changed = true;
    }

    pub(super) fn set_durable(&mut self, now: HostNanos, durable: SourceNumber) {
        let durable = durable.min(self.tracker.complete());
        if durable > self.stats.durable {
            self.stats.durable = durable;
            // A sender that waits for its end is told soon.
            self.changed = true;
            self.feedback_due = self.feedback_due.min(now.after(FEEDBACK_BUSY));
        }
    }

    pub(super) fn forget(&mut self, number: SourceNumber) {
        if number >= self.stats.durable {
            self.tracker.remove(number);
        }
    }

    /// The events that have come up.
    pub(super) fn drain(&mut self, session: SessionId) -> impl Iterator<Item = ReceiverEvent> + '_ {
        self.ready.drain(..).map(move |ready| match ready {
            Ready::Entry(number, arrival, entry) => ReceiverEvent::Entry { session, number, arrival, entry },
            Ready::Gone(gone) => ReceiverEvent::Gone { session, gone },
        })
    }

    pub(super) fn timeout(&self) -> HostNanos {
        let silence = self.stats.last_heard.after(SILENCE);
        if self.accepted { silence.min(self.next_feedback()) } else { silence }
    }

    pub(super) fn poll_transmit(&mut self, now: HostNanos, id: SessionId, out: &mut Vec<u8>) -> bool {
        if !self.accepted {
            return false;
        }
        let kind = if let Some(reply) = self.reply.take() {
            ProbeReply { sent_at: now, ..reply }.write(&mut self.payload);
            Kind::ProbeReply
        } else if self.feedback_is_due(now) {
            self.write_feedback(now);
            Kind::Feedback
        } else {
            return false;
        };
        header::write(out, Head::new(kind, id, PacketNumber(0)), &self.payload);
        true
    }

    fn feedback_is_due(&mut self, now: HostNanos) -> bool {
        let new_holes = self.age_holes(now);
        if new_holes {
            self.reask_until = now.after(REASK_SPAN);
        }
        new_holes || now >= self.feedback_due || (self.since_feedback >= FEEDBACK_DATAGRAMS && now >= self.feedback_last.after(FEEDBACK_GAP))
    }

    /// When feedback is due, or holes become old enough to be named.
    fn next_feedback(&self) -> HostNanos {
        let mut next = self.feedback_due;
        if self.since_feedback >= FEEDBACK_DATAGRAMS {
            next = next.min(self.feedback_last.after(FEEDBACK_GAP));
        }
        if let Some((known, _)) = self.ages.front().filter(|_| self.has_young_holes()) {
            next = next.min(known.after(self.grace()));
        }
        next
    }

    fn write_feedback(&mut self, now: HostNanos) {
        let stats = &self.stats;
        let micros = |duration: Duration| duration.as_micros().try_into().unwrap_or(u32::MAX);
        let missing = self.named_holes();
        let asks = !missing.is_empty() && now < self.reask_until;
        Feedback {
            received: self.tracker.end(),
            complete: self.tracker.complete(),
            durable: stats.durable,
            highest_packet: stats.highest_packet,
            datagrams: stats.datagrams,
            bytes: stats.bytes,
            lost: stats.lost,
            bursts: self.losses.bursts(),
            delivered: stats.delivered,
            repaired: stats.repaired,
            previews: 0,
            resent: stats.resent,
            backfilled: stats.backfilled,
            duplicates: stats.duplicates,
            sent_at: now,
            jitter_micros: micros(stats.jitter),
            queue_micros: micros(stats.queue),
            longest_burst: self.losses.longest(),
            missing,
        }
        .write(&mut self.payload);
        self.since_feedback = 0;
        self.feedback_last = now;
        let busy = std::mem::take(&mut self.changed) || self.stats.durable < self.tracker.end();
        let pause = if busy { FEEDBACK_BUSY } else { FEEDBACK_IDLE };
        let reask = self.round_trip + REASK_MARGIN;
        self.feedback_due = now.after(if asks && !self.round_trip.is_zero() { pause.min(reask) } else { pause });
    }

    /// The holes that are worth a repeat. Of too many, half are the oldest, which hold up the complete prefix, and half the
    /// newest, for which a live view waits.
    fn named_holes(&self) -> Vec<SourceRange> {
        let mut holes: Vec<SourceRange> = self.tracker.missing(self.old).take(MAX_RANGES).collect();
        if holes.len() == MAX_RANGES {
            holes.truncate(MAX_RANGES / 2);
            holes.extend(self.tracker.missing_last(self.old, MAX_RANGES / 2));
        }
        holes
    }

    /// Keeps the watermarks, and makes feedback due soon.
    fn note_change(&mut self, now: HostNanos) {
        self.changed = true;
        self.feedback_due = self.feedback_due.min(now.after(FEEDBACK_BUSY));
        match self.ages.back_mut().filter(|(time, _)| now.since(*time) < AGE_STEP) {
            Some((_, end)) => *end = self.tracker.end(),
            None => self.ages.push_back((now, self.tracker.end())),
        }
        self.stats.received = self.tracker.end();
        self.stats.complete = self.tracker.complete();
        self.stats.missing = self.tracker.missing_count();
    }

    /// Lets holes become old enough to be named; true when some did.
    fn age_holes(&mut self, now: HostNanos) -> bool {
        let (before, grace) = (self.old, self.grace());
        while let Some((_, end)) = self.ages.pop_front_if(|(time, _)| now.since(*time) >= grace) {
            self.old = self.old.max(end);
        }
        self.old > before && self.tracker.missing_last(self.old, 1).last().is_some_and(|hole| hole.end() > before)
    }

    fn has_young_holes(&self) -> bool {
        self.tracker.missing_end().is_some_and(|end| end > self.old)
    }

    fn grace(&self) -> Duration {
        self.patience.max((self.delay.jitter() * 3).clamp(GRACE_SHORTEST, GRACE_LONGEST))
    }

    fn take_repaired(&mut self) {
        while let Some(entry) = self.repair.pop() {
            // A rebuilt entry that is none means that a sender's shards contradict one another.
            if entry.len() > MAX_ENTRY || self.take_entry(Arrival::Repaired, entry).is_none() {
                self.stats.rejected += 1;
            }
        }
    }

    fn take_entry(&mut self, arrival: Arrival, entry: Arc<[u8]>) -> Option<()> {
        let number = source_number(&entry)?;
        if self.tracker.insert(number) {
            *match arrival {
                Arrival::Live => &mut self.stats.delivered,
                Arrival::Repaired => &mut self.stats.repaired,
                Arrival::Resent | Arrival::Backfill => &mut self.stats.resent,
            } += 1;
            self.stats.backfilled += u64::from(arrival == Arrival::Backfill);
            self.ready.push_back(Ready::Entry(number, arrival, entry));
        }
        Some(())
    }
}
