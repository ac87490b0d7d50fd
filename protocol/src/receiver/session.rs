//! One session of the receiver: what came and what lacks.

mod feedback;

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use super::channel::Channel;
use super::delay::Delay;
use super::losses::Losses;
use super::{ReceiverEvent, Rejection, SILENCE, SessionStats};
use crate::fec::Repair;
use crate::packet::close::{Close, Gone, GoneReason};
use crate::packet::feedback::{SourceRange, Storage};
use crate::packet::header::{FLAG_BACKFILL, FLAG_REPEAT};
use crate::packet::hello::Cookie;
use crate::packet::probe::{Probe, ProbeReply};
use crate::packet::{Head, Kind};
use crate::quality::Level;
use crate::record::{MAX_ENTRY, is_entry, preview_of, source_number};
use crate::replay::ReplayWindow;
use crate::secure::noise::Responder;
use crate::tap::Arrival;
use crate::tracker::Tracker;
use crate::units::{HostNanos, PacketNumber, SessionId, SourceNumber, TakeId};

/// Feedback goes out this often while something changes.
const FEEDBACK_BUSY: Duration = Duration::from_millis(50);

/// For how long a hole is known before it is named, until the sender's probe has said how long: what parity needs.
const FIRST_PATIENCE: Duration = Duration::from_millis(60);

/// Whatever the sender says, a hole is named after this.
const LONGEST_PATIENCE: Duration = Duration::from_millis(500);

#[derive(Debug)]
pub(super) struct Session {
    pub(super) peer: SocketAddr,
    pub(super) take: TakeId,
    pub(super) accepted: bool,
    pub(super) stats: SessionStats,
    /// The cookie that its hello bore.
    pub(super) cookie: Cookie,
    /// With a key: the handshake, until the session is accepted, ...
    pub(super) responder: Option<Box<Responder>>,
    /// ... then the hello-ack, which is the same however often it is sent.
    pub(super) answer: Option<Vec<u8>>,
    pub(super) channel: Channel,
    tracker: Tracker,
    /// The sender has no entries below this ...
    first: SourceNumber,
    /// ... and has written those below this.
    announced: SourceNumber,
    repair: Repair,
    window: ReplayWindow,
    /// Numbers of the previews that came.
    preview_window: ReplayWindow,
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
    Entry(SourceNumber, Arrival, Option<u32>, Arc<[u8]>),
    Preview(Level, Arrival, Option<u32>, Arc<[u8]>),
    Gone(Gone),
}

impl Session {
    pub(super) fn new(now: HostNanos, peer: SocketAddr, take: TakeId, (first, announced): (SourceNumber, SourceNumber)) -> Self {
        Self {
            peer,
            take,
            accepted: false,
            cookie: Cookie::default(),
            responder: None,
            answer: None,
            channel: Channel::default(),
            stats: SessionStats { last_heard: now, ..SessionStats::default() },
            tracker: Tracker::default(),
            first,
            announced,
            repair: Repair::default(),
            window: ReplayWindow::default(),
            preview_window: ReplayWindow::default(),
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

    /// Takes what a datagram of `len` bytes says, which a queue on the way may have marked. A close that is right is given back: the
    /// session is over then.
    pub(super) fn handle(
        &mut self,
        now: HostNanos,
        head: &Head,
        payload: &[u8],
        (len, marked): (usize, bool),
    ) -> Result<Option<Close>, Rejection> {
        if !self.note_packet(now, head, len, marked) {
            return Ok(None);
        }
        let understood = match head.kind {
            Kind::Source => self.on_source(now, head, payload),
            Kind::Preview => self.on_preview(now, head, payload),
            Kind::Parity => self.on_parity(now, head, payload),
            Kind::Probe => Probe::read(payload).ok().map(|probe| self.on_probe(now, probe)),
            Kind::Gone => Gone::read(payload).ok().map(|gone| self.on_gone(gone)),
            _ => {
                let close = Close::read(payload).ok().filter(|close| close.end <= self.stats.durable);
                return close.map(Some).ok_or(Rejection::Malformed);
            }
        };
        understood.map(|()| None).ok_or(Rejection::Malformed)
    }

    /// Counts a datagram; false if it came before.
    fn note_packet(&mut self, now: HostNanos, head: &Head, len: usize, marked: bool) -> bool {
        if !self.window.insert(head.packet) {
            self.stats.duplicates += 1;
            return false;
        }
        self.stats.last_heard = now;
        self.losses.note(now, head.packet);
        self.delay.note(now, head.sent_micros);
        self.stats.datagrams += 1;
        self.stats.bytes += len as u64;
        self.stats.marked = self.stats.marked.saturating_add(marked.into());
        self.stats.highest_packet = self.stats.highest_packet.max(head.packet);
        self.stats.lost = self.losses.lost();
        self.stats.jitter = self.delay.jitter();
        self.stats.queue = self.delay.queue();
        self.since_feedback += 1;
        true
    }

    fn on_source(&mut self, now: HostNanos, head: &Head, payload: &[u8]) -> Option<()> {
        if payload.len() > MAX_ENTRY || !is_entry(payload) {
            self.stats.rejected += 1;
            return None;
        }
        let entry: Arc<[u8]> = payload.into();
        let arrival = match head.flags {
            flags if flags & FLAG_BACKFILL != 0 => Arrival::Backfill,
            flags if flags & FLAG_REPEAT != 0 => Arrival::Resent,
            _ => Arrival::Live,
        };
        if arrival == Arrival::Live {
            self.stats.level = Level::Full;
        }
        self.take_entry(arrival, Some(head.sent_micros), entry.clone())?;
        if let Some(shard) = head.shard {
            self.repair.source(shard, entry);
            self.take_repaired();
        }
        self.note_change(now);
        Some(())
    }

    fn on_preview(&mut self, now: HostNanos, head: &Head, payload: &[u8]) -> Option<()> {
        let preview: Arc<[u8]> = payload.into();
        if payload.len() > MAX_ENTRY || self.take_preview(Arrival::Live, Some(head.sent_micros), preview.clone()).is_none() {
            self.stats.rejected += 1;
            return None;
        }
        if let Some(shard) = head.shard {
            self.repair.source(shard, preview);
            self.take_repaired();
        }
        self.note_change(now);
        Some(())
    }

    fn on_parity(&mut self, now: HostNanos, head: &Head, payload: &[u8]) -> Option<()> {
        self.repair.parity(head.shard?, payload);
        self.take_repaired();
        self.note_change(now);
        Some(())
    }

    fn on_probe(&mut self, now: HostNanos, probe: Probe) {
        self.tracker.announce(probe.next);
        self.reply = Some(ProbeReply { echo: probe.sent_at, received_at: now, sent_at: now });
        self.patience = Duration::from_micros(probe.patience_micros.into()).min(LONGEST_PATIENCE);
        self.round_trip = Duration::from_micros(probe.round_trip_micros.into());
        self.note_change(now);
    }

    fn on_gone(&mut self, gone: Gone) {
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
            self.tell_soon(now);
        }
    }

    /// Something has changed that the sender is to hear of.
    pub(super) fn tell_soon(&mut self, now: HostNanos) {
        self.changed = true;
        self.feedback_due = self.feedback_due.min(now.after(FEEDBACK_BUSY));
    }

    pub(super) fn forget(&mut self, number: SourceNumber) {
        if number >= self.stats.durable {
            self.tracker.remove(number);
        }
    }

    /// The events that have come up.
    pub(super) fn drain(&mut self, session: SessionId) -> impl Iterator<Item = ReceiverEvent> + '_ {
        self.ready.drain(..).map(move |ready| match ready {
            Ready::Entry(number, arrival, sent_micros, entry) => {
                ReceiverEvent::Entry { session, number, arrival, sent_micros, entry }
            }
            Ready::Preview(level, arrival, sent_micros, preview) => {
                ReceiverEvent::Preview { session, level, arrival, sent_micros, preview }
            }
            Ready::Gone(gone) => ReceiverEvent::Gone { session, gone },
        })
    }

    pub(super) fn timeout(&self) -> HostNanos {
        let silence = self.stats.last_heard.after(SILENCE);
        if self.accepted { silence.min(self.next_feedback()) } else { silence }
    }

    pub(super) fn poll_transmit(&mut self, now: HostNanos, id: SessionId, storage: Storage, out: &mut Vec<u8>) -> bool {
        if !self.accepted {
            return false;
        }
        let kind = if let Some(reply) = self.reply.take() {
            ProbeReply { sent_at: now, ..reply }.write(&mut self.payload);
            Kind::ProbeReply
        } else if self.feedback_is_due(now) {
            self.write_feedback(now, storage);
            Kind::Feedback
        } else {
            return false;
        };
        self.channel.write(out, kind, id, &self.payload);
        true
    }

    fn take_repaired(&mut self) {
        while let Some(rebuilt) = self.repair.pop() {
            let taken = match is_entry(&rebuilt) {
                _ if rebuilt.len() > MAX_ENTRY => None,
                true => self.take_entry(Arrival::Repaired, None, rebuilt),
                false => self.take_preview(Arrival::Repaired, None, rebuilt),
            };
            // What is neither, or too long, means that a sender's shards contradict one another.
            self.stats.rejected += u64::from(taken.is_none());
        }
    }

    fn take_preview(&mut self, arrival: Arrival, sent_micros: Option<u32>, preview: Arc<[u8]>) -> Option<()> {
        let (level, number) = preview_of(&preview)?;
        if self.preview_window.insert(PacketNumber(number)) {
            self.stats.previews += 1;
            self.stats.level = level;
            self.ready.push_back(Ready::Preview(level, arrival, sent_micros, preview));
        }
        Some(())
    }

    fn take_entry(&mut self, arrival: Arrival, sent_micros: Option<u32>, entry: Arc<[u8]>) -> Option<()> {
        let number = source_number(&entry)?;
        if self.tracker.insert(number) {
            *match arrival {
                Arrival::Live => &mut self.stats.delivered,
                Arrival::Repaired => &mut self.stats.repaired,
                Arrival::Resent | Arrival::Backfill => &mut self.stats.resent,
            } += 1;
            self.stats.backfilled += u64::from(arrival == Arrival::Backfill);
            self.ready.push_back(Ready::Entry(number, arrival, sent_micros, entry));
        }
        Some(())
    }
}
