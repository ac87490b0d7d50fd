//! One session of the receiver: what came, what lacks, and when the sender is told.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

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

/// Feedback goes out at once after this many datagrams.
const FEEDBACK_DATAGRAMS: u64 = 16;

/// A hole is reported when it has been known for this long, which gives parity its chance ...
const REPAIR_TIME: Duration = Duration::from_millis(60);

/// ... or when this many later entries exist, by which its group and two more are over.
const REPAIR_ENTRIES: u64 = 48;

/// How fine the age of holes is known.
const AGE_STEP: Duration = Duration::from_millis(5);

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
    /// Datagrams that came twice.
    pub duplicates: u64,
    /// Datagrams that contradict themselves.
    pub rejected: u64,
    /// Interarrival jitter of probes (RFC 3550, section 6.4.1).
    pub jitter: Duration,
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
    /// The end of what was known, at times in the past, oldest first.
    ages: VecDeque<(HostNanos, SourceNumber)>,
    /// Holes below this are old enough to be reported.
    old: SourceNumber,
    reply: Option<ProbeReply>,
    feedback_due: HostNanos,
    changed: bool,
    since_feedback: u64,
    last_transit: Option<i64>,
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
            ages: VecDeque::new(),
            old: SourceNumber(0),
            reply: None,
            feedback_due: now,
            changed: false,
            since_feedback: 0,
            last_transit: None,
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
    pub(super) fn note_packet(&mut self, now: HostNanos, packet: PacketNumber, len: usize) -> bool {
        self.stats.last_heard = now;
        if !self.window.insert(packet) {
            self.stats.duplicates += 1;
            return false;
        }
        self.stats.datagrams += 1;
        self.stats.bytes += len as u64;
        self.stats.highest_packet = self.stats.highest_packet.max(packet);
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
        let transit = now.0.wrapping_sub(probe.sent_at.0) as i64;
        if let Some(last) = self.last_transit.replace(transit) {
            let difference = Duration::from_nanos(transit.wrapping_sub(last).unsigned_abs());
            let jitter = self.stats.jitter;
            self.stats.jitter =
                if difference > jitter { jitter + (difference - jitter) / 16 } else { jitter - (jitter - difference) / 16 };
        }
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
        if self.accepted { silence.min(self.feedback_due) } else { silence }
    }

    pub(super) fn poll_transmit(&mut self, now: HostNanos, id: SessionId, out: &mut Vec<u8>) -> bool {
        if !self.accepted {
            return false;
        }
        let kind = if let Some(reply) = self.reply.take() {
            ProbeReply { sent_at: now, ..reply }.write(&mut self.payload);
            Kind::ProbeReply
        } else if now >= self.feedback_due || self.since_feedback >= FEEDBACK_DATAGRAMS {
            self.write_feedback(now);
            Kind::Feedback
        } else {
            return false;
        };
        header::write(out, Head::new(kind, id, PacketNumber(0)), &self.payload);
        true
    }

    fn write_feedback(&mut self, now: HostNanos) {
        self.age_holes(now);
        let end = self.tracker.end();
        let limit = self.old.max(SourceNumber(end.0.saturating_sub(REPAIR_ENTRIES)));
        let missing: Vec<SourceRange> = self.tracker.missing(limit).take(MAX_RANGES).collect();
        let stats = &self.stats;
        Feedback {
            received: end,
            complete: self.tracker.complete(),
            durable: stats.durable,
            highest_packet: stats.highest_packet,
            datagrams: stats.datagrams,
            delivered: stats.delivered,
            repaired: stats.repaired,
            resent: stats.resent,
            duplicates: stats.duplicates,
            jitter_micros: stats.jitter.as_micros().try_into().unwrap_or(u32::MAX),
            sent_at: now,
            missing,
        }
        .write(&mut self.payload);
        self.since_feedback = 0;
        let busy = std::mem::take(&mut self.changed) || self.stats.durable < end;
        self.feedback_due = now.after(if busy { FEEDBACK_BUSY } else { FEEDBACK_IDLE });
    }

    /// Keeps the watermarks, and makes feedback due soon.
    fn note_change(&mut self, now: HostNanos) {
        self.changed = true;
        self.feedback_due = self.feedback_due.min(now.after(FEEDBACK_BUSY));
        self.age_holes(now);
        self.stats.received = self.tracker.end();
        self.stats.complete = self.tracker.complete();
        self.stats.missing = self.tracker.missing_count();
    }

    fn age_holes(&mut self, now: HostNanos) {
        while let Some((_, end)) = self.ages.pop_front_if(|(time, _)| now.since(*time) >= REPAIR_TIME) {
            self.old = self.old.max(end);
        }
        if self.ages.back().is_none_or(|(time, _)| now.since(*time) >= AGE_STEP) {
            self.ages.push_back((now, self.tracker.end()));
        }
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
            self.ready.push_back(Ready::Entry(number, arrival, entry));
        }
        Some(())
    }
}
