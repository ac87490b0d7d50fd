//! The sender of one take, as a pure state machine.
//!
//! It keeps the take's log, sends each entry once at once, protects what it sends with parity, sends again what the receiver
//! asks for, and forgets only what the receiver holds durably. The live path always goes first.
//!
//! The contract: call `push*`, `flush`, `finish`, [`handle_datagram`](Sender::handle_datagram) and
//! [`handle_timeout`](Sender::handle_timeout) as things happen, then drain [`poll_transmit`](Sender::poll_transmit) until false
//! and [`poll_event`](Sender::poll_event) until `None`, then wait for the socket or until
//! [`poll_timeout`](Sender::poll_timeout). Time is a parameter, nanoseconds of any monotonic clock.

mod link;

use std::collections::VecDeque;
use std::time::Duration;

use crate::clock::{ClockFilter, Exchange};
use crate::fec::Encoder;
use crate::packet::close::{Close, Gone, GoneReason};
use crate::packet::feedback::{Feedback, SourceRange};
use crate::packet::header::{self, FLAG_BACKFILL, FLAG_REPEAT, VERSION};
use crate::packet::hello::{Cookie, Description, Hello, HelloAck, Refusal};
use crate::packet::probe::{Probe, ProbeReply};
use crate::packet::{Head, Kind};
use crate::record::pack::Packer;
use crate::record::{ClockEstimate, End, Record};
use crate::redundancy::Redundancy;
use crate::retention::Retention;
use crate::units::{HostNanos, PacketNumber, ReceiverId, SamplePosition, SessionId, SourceNumber};
use link::{Link, RepeatWindow};

/// Whether entries are born in real time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SendMode {
    /// Every entry goes out at once; after an outage, live entries first.
    Live,
    /// Entries wait for a window, so that a file goes as fast as the receiver takes it.
    Fast,
}

/// What a sender may use.
#[derive(Clone, Copy, Debug)]
pub struct SenderConfig {
    /// Bytes of entries that are kept until they are durable.
    pub retention_bytes: usize,
    /// Whether entries are born in real time.
    pub mode: SendMode,
}

impl Default for SenderConfig {
    fn default() -> Self {
        Self { retention_bytes: 64 << 20, mode: SendMode::Live }
    }
}

/// Where a sender stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SenderState {
    /// No receiver has answered yet, or it has fallen silent.
    Connecting,
    /// A receiver takes the entries.
    Connected,
    /// The receiver declined; asked again every few seconds.
    Refused(Refusal),
    /// All entries are durable; the receiver is being told.
    Closing,
    /// Nothing is left to do.
    Finished,
}

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SenderEvent {
    /// A receiver took the session.
    Connected {
        /// Which receiver.
        receiver: ReceiverId,
    },
    /// The receiver has fallen silent; the sender goes on asking.
    Lost,
    /// The receiver declined; the sender asks again later.
    Refused(Refusal),
    /// Every entry is durable and the session is closed.
    Finished,
}

/// Counters of a take's sender, over all of its sessions, and the last measurements.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct SenderStats {
    /// Datagrams sent.
    pub datagrams: u64,
    /// Bytes of UDP payload sent.
    pub bytes: u64,
    /// Entries written.
    pub entries: u64,
    /// Entries sent again, or sent late.
    pub repeats: u64,
    /// Parities sent.
    pub parities: u64,
    /// Watermark: entries below this have arrived in part.
    pub received: SourceNumber,
    /// Watermark: entries below this have all arrived.
    pub complete: SourceNumber,
    /// Watermark: entries below this are durable.
    pub durable: SourceNumber,
    /// Entries rebuilt by the receiver from parity, in this session.
    pub repaired: u64,
    /// Share of datagrams lost before repair, smoothed, 0 to 1.
    pub loss: f64,
    /// Entries dropped because retention was full.
    pub dropped_entries: u64,
    /// The shortest recent round trip; zero before the first.
    pub round_trip: Duration,
    /// Bytes kept for want of a durable copy.
    pub retained_bytes: usize,
    /// The last clock estimate that was written to the log.
    pub clock: Option<ClockEstimate>,
    /// Datagrams that were not understood.
    pub rejected: u64,
}

/// Hellos are repeated after this, then after twice as long, up to [`HELLO_SLOWEST`].
const HELLO_FIRST: Duration = Duration::from_millis(100);
const HELLO_SLOWEST: Duration = Duration::from_secs(1);

/// A receiver that declined is asked again after this.
const REFUSED_PAUSE: Duration = Duration::from_secs(2);

/// A receiver that has said nothing for this long is lost.
const SILENCE: Duration = Duration::from_secs(3);

/// Probes go out this often: until the clock is known, while something is under way, and when idle.
const PROBE_FIRST: Duration = Duration::from_millis(20);
const PROBE_BUSY: Duration = Duration::from_millis(100);
const PROBE_IDLE: Duration = Duration::from_millis(500);

/// Clock estimates are written to the log this often.
const CLOCK_INTERVAL: Duration = Duration::from_secs(1);

/// Open groups are closed, and so protected, when their first entry has waited this long.
const GROUP_AGE: Duration = Duration::from_millis(60);

/// A parity goes out after the next entry, or after this, whichever is first: spread, so that a burst does not take them all.
const PARITY_SPACING: Duration = Duration::from_millis(2);

/// What was captured this recently when a session begins still counts as live.
const LIVE_AGE: Duration = Duration::from_millis(200);

/// In fast mode, entries in flight beyond what the receiver has seen. 64 datagrams fit into the smallest default buffer.
const FAST_WINDOW: u64 = 64;

/// In fast mode, entries that may wait for the window.
const FAST_QUEUE: u64 = 256;

/// Gone and close are repeated this often until they are answered; close at most [`CLOSES`] times.
const REPEAT_INTERVAL: Duration = Duration::from_millis(100);
const CLOSES: u32 = 10;

/// Sends one take. See the [module](self) for how it is driven.
#[derive(Debug)]
pub struct Sender {
    mode: SendMode,
    description: Description,
    packer: Packer,
    retention: Retention,
    /// The next entry that goes out as live.
    next_live: SourceNumber,
    ended: bool,
    position: SamplePosition,
    session: SessionId,
    seed: u64,
    packet: PacketNumber,
    link: Link,
    encoder: Encoder,
    redundancy: Redundancy,
    group_opened: Option<HostNanos>,
    parity_due: HostNanos,
    missing: VecDeque<SourceRange>,
    repeats: RepeatWindow,
    gone_due: HostNanos,
    probe_due: HostNanos,
    clock: ClockFilter,
    exchanges: u32,
    clock_due: HostNanos,
    events: VecDeque<SenderEvent>,
    stats: SenderStats,
    payload: Vec<u8>,
}

impl Sender {
    /// A sender for a take. `seed` is random: session ids come of it.
    pub fn new(config: SenderConfig, description: Description, seed: u64, now: HostNanos) -> Self {
        let redundancy = Redundancy::default();
        let mut sender = Self {
            mode: config.mode,
            description,
            packer: Packer::new(SourceNumber(0)),
            retention: Retention::new(config.retention_bytes),
            next_live: SourceNumber(0),
            ended: false,
            position: SamplePosition(0),
            session: SessionId(0),
            seed,
            packet: PacketNumber(0),
            link: Link::asking(now, HELLO_FIRST),
            encoder: Encoder::new(redundancy.plan()),
            redundancy,
            group_opened: None,
            parity_due: now,
            missing: VecDeque::new(),
            repeats: RepeatWindow::default(),
            gone_due: now,
            probe_due: now,
            clock: ClockFilter::default(),
            exchanges: 0,
            clock_due: now,
            events: VecDeque::new(),
            stats: SenderStats::default(),
            payload: Vec::new(),
        };
        sender.begin_session(now);
        sender
    }

    /// Writes a record to the log; see [`Packer::push`]. Ignored after [`finish`](Self::finish).
    pub fn push(&mut self, record: &Record<'_>) {
        if !self.ended {
            self.packer.push(record);
        }
    }

    /// Writes samples, interleaved by frame, to the log; see [`Packer::push_audio`].
    pub fn push_audio(&mut self, position: SamplePosition, channels: u16, interleaved: &[f32]) {
        if !self.ended && !interleaved.is_empty() {
            self.packer.push_audio(position, channels, interleaved);
            self.position = SamplePosition(position.0 + (interleaved.len() / usize::from(channels)) as u64);
        }
    }

    /// Closes the entry that is being filled: all that was written can be sent.
    pub fn flush(&mut self, now: HostNanos) {
        self.packer.flush();
        while let Some(entry) = self.packer.pop() {
            self.stats.entries += 1;
            self.retention.push(now, entry);
        }
        self.stats.dropped_entries = self.retention.dropped();
        self.stats.retained_bytes = self.retention.bytes();
    }

    /// Ends the log. [`SenderEvent::Finished`] comes when all of it is durable.
    pub fn finish(&mut self, now: HostNanos, end: End) {
        self.push(&Record::End(end));
        self.ended = true;
        self.flush(now);
    }

    /// Drops the session and asks for a new one at once.
    pub fn reconnect(&mut self, now: HostNanos) {
        if !matches!(self.link, Link::Finished) {
            self.begin_session(now);
        }
    }

    /// The session's id: datagrams that bear another are not for this sender.
    pub fn session(&self) -> SessionId {
        self.session
    }

    /// Where the sender stands.
    pub fn state(&self) -> SenderState {
        match &self.link {
            Link::Asking { .. } => SenderState::Connecting,
            Link::Refused { reason, .. } => SenderState::Refused(*reason),
            Link::Up { .. } if self.all_durable() => SenderState::Closing,
            Link::Up { .. } => SenderState::Connected,
            Link::Finished => SenderState::Finished,
        }
    }

    /// Counters and measurements.
    pub fn stats(&self) -> &SenderStats {
        &self.stats
    }

    /// What is being sent.
    pub fn description(&self) -> &Description {
        &self.description
    }

    /// In fast mode, whether more should be written now. In live mode always true.
    pub fn has_room(&self) -> bool {
        self.mode == SendMode::Live
            || (self.retention.bytes() < self.retention.limit() / 2 && self.retention.next().0 - self.next_live.0 < FAST_QUEUE)
    }

    /// A datagram came.
    pub fn handle_datagram(&mut self, now: HostNanos, datagram: &[u8]) {
        let Ok((head, payload)) = header::read(datagram) else {
            self.stats.rejected += 1;
            return;
        };
        if head.session != self.session || matches!(self.link, Link::Finished) {
            return;
        }
        if self.handle_message(now, head.kind, payload).is_none() {
            self.stats.rejected += 1;
        } else if let Link::Up { heard, .. } = &mut self.link {
            *heard = now;
        }
    }

    fn handle_message(&mut self, now: HostNanos, kind: Kind, payload: &[u8]) -> Option<()> {
        match kind {
            Kind::Retry => {
                let answer = Cookie::try_from(payload).ok()?;
                if let Link::Asking { cookie, due, .. } = &mut self.link {
                    *cookie = answer;
                    *due = now;
                }
            }
            Kind::HelloAck => self.on_accepted(now, HelloAck::read(payload).ok()?),
            Kind::Refuse => self.on_refused(now, Refusal::read(payload).ok()?),
            Kind::Feedback => self.on_feedback(now, Feedback::read(payload).ok()?),
            Kind::ProbeReply => self.on_reply(now, ProbeReply::read(payload).ok()?),
            Kind::CloseAck => {
                let close = Close::read(payload).ok()?;
                if self.all_durable() && close.end == self.retention.next() {
                    self.become_finished();
                }
            }
            Kind::Hello | Kind::Source | Kind::Parity | Kind::Probe | Kind::Gone | Kind::Close => return None,
        }
        Some(())
    }

    /// Time has passed.
    pub fn handle_timeout(&mut self, now: HostNanos) {
        match &self.link {
            Link::Up { heard, .. } if now.since(*heard) >= SILENCE => {
                self.events.push_back(SenderEvent::Lost);
                self.begin_session(now);
            }
            Link::Refused { until, .. } if now >= *until => self.begin_session(now),
            _ => {}
        }
        if self.group_opened.is_some_and(|opened| now.since(opened) >= GROUP_AGE) {
            self.encoder.close_all();
            self.group_opened = None;
        }
    }

    /// When [`handle_timeout`](Self::handle_timeout) and [`poll_transmit`](Self::poll_transmit) are to be called at the latest.
    pub fn poll_timeout(&self) -> Option<HostNanos> {
        match &self.link {
            Link::Asking { due, .. } => Some(*due),
            Link::Refused { until, .. } => Some(*until),
            Link::Finished => None,
            Link::Up { heard, close_due, .. } => {
                let mut next = heard.after(SILENCE).min(self.probe_due);
                if let Some(opened) = self.group_opened {
                    next = next.min(opened.after(GROUP_AGE));
                }
                if self.encoder.has_parity() {
                    next = next.min(self.parity_due);
                }
                if !self.missing.is_empty() {
                    next = next.min(self.repeats.next(self.stats.round_trip));
                }
                if self.retention.gone().is_some() {
                    next = next.min(self.gone_due);
                }
                if self.all_durable() {
                    next = next.min(*close_due);
                }
                Some(next)
            }
        }
    }

    /// The next thing that happened.
    pub fn poll_event(&mut self) -> Option<SenderEvent> {
        self.events.pop_front()
    }

    /// Writes the next datagram that is to be sent now into `out`; false when there is none.
    pub fn poll_transmit(&mut self, now: HostNanos, out: &mut Vec<u8>) -> bool {
        match &self.link {
            Link::Asking { .. } => self.send_hello(now, out),
            Link::Up { .. } => {
                self.send_close(now, out)
                    || self.send_probe(now, out)
                    || self.send_live(now, out)
                    || self.send_parity(now, out)
                    || self.send_gone(now, out)
                    || self.send_repeat(now, out)
            }
            Link::Refused { .. } | Link::Finished => false,
        }
    }

    fn send_hello(&mut self, now: HostNanos, out: &mut Vec<u8>) -> bool {
        let Link::Asking { cookie, due, pause } = &mut self.link else { return false };
        if now < *due {
            return false;
        }
        *due = now.after(*pause);
        *pause = (*pause * 2).min(HELLO_SLOWEST);
        let hello = Hello {
            versions: (VERSION, VERSION),
            cookie: *cookie,
            first: self.retention.first(),
            next: self.retention.next(),
            description: self.description.clone(),
        };
        hello.write(&mut self.payload);
        self.emit(out, Kind::Hello)
    }

    fn send_close(&mut self, now: HostNanos, out: &mut Vec<u8>) -> bool {
        let durable = self.all_durable();
        let Link::Up { close_due, closes, .. } = &mut self.link else { return false };
        if !durable || now < *close_due {
            return false;
        }
        if *closes == CLOSES {
            self.become_finished();
            return false;
        }
        *closes += 1;
        *close_due = now.after(REPEAT_INTERVAL);
        Close { end: self.retention.next() }.write(&mut self.payload);
        self.emit(out, Kind::Close)
    }

    fn send_probe(&mut self, now: HostNanos, out: &mut Vec<u8>) -> bool {
        if now < self.probe_due {
            return false;
        }
        let busy = self.stats.durable < self.next_live;
        let pause = match self.exchanges {
            0..8 => PROBE_FIRST,
            _ if busy => PROBE_BUSY,
            _ => PROBE_IDLE,
        };
        self.probe_due = now.after(pause);
        Probe { sent_at: now, next: self.next_live }.write(&mut self.payload);
        self.emit(out, Kind::Probe)
    }

    fn send_live(&mut self, now: HostNanos, out: &mut Vec<u8>) -> bool {
        let held_back = self.mode == SendMode::Fast && self.next_live.0 >= self.stats.received.0 + FAST_WINDOW;
        let parity_first = self.encoder.has_parity() && now >= self.parity_due;
        if held_back || parity_first {
            return false;
        }
        let number = self.next_live;
        let Some(kept) = self.retention.entry(number) else { return false };
        kept.sent = Some(now);
        let entry = kept.entry.clone();
        self.next_live.0 += 1;
        if !self.encoder.has_open() {
            self.encoder.set_plan(self.redundancy.plan());
            self.group_opened = Some(now);
        }
        let had_parity = self.encoder.has_parity();
        let shard = self.encoder.push(&entry);
        if !self.encoder.has_open() {
            self.group_opened = None;
        }
        // After each entry one parity may go: that is the spreading while entries flow.
        self.parity_due = if had_parity { now } else { now.after(PARITY_SPACING) };
        let head = Head { shard: Some(shard), ..self.head(Kind::Source) };
        header::write(out, head, &entry);
        self.count(out)
    }

    fn send_parity(&mut self, now: HostNanos, out: &mut Vec<u8>) -> bool {
        if now < self.parity_due {
            return false;
        }
        let Some(parity) = self.encoder.pop() else { return false };
        self.parity_due = now.after(PARITY_SPACING);
        self.stats.parities += 1;
        let head = Head { shard: Some(parity.shard), ..self.head(Kind::Parity) };
        header::write(out, head, &parity.payload);
        self.count(out)
    }

    fn send_gone(&mut self, now: HostNanos, out: &mut Vec<u8>) -> bool {
        let Some(range) = self.retention.gone().filter(|_| now >= self.gone_due) else { return false };
        self.gone_due = now.after(REPEAT_INTERVAL);
        Gone { range, reason: GoneReason::RetentionFull }.write(&mut self.payload);
        self.emit(out, Kind::Gone)
    }

    fn send_repeat(&mut self, now: HostNanos, out: &mut Vec<u8>) -> bool {
        if !self.repeats.has_room(now, self.stats.round_trip) {
            return false;
        }
        let patience = self.repeats.patience(self.stats.round_trip);
        while let Some(range) = self.missing.front_mut() {
            let number = range.first;
            range.first.0 += 1;
            range.count -= 1;
            if range.count == 0 {
                self.missing.pop_front();
            }
            let Some(kept) = self.retention.entry(number) else { continue };
            if kept.sent.is_some_and(|sent| now.since(sent) < patience) {
                continue;
            }
            let flags = if kept.sent.is_some() { FLAG_REPEAT } else { FLAG_BACKFILL };
            kept.sent = Some(now);
            let entry = kept.entry.clone();
            self.repeats.add(now);
            self.stats.repeats += 1;
            let head = Head { flags, ..self.head(Kind::Source) };
            header::write(out, head, &entry);
            return self.count(out);
        }
        false
    }

    fn on_accepted(&mut self, now: HostNanos, ack: HelloAck) {
        if !matches!(self.link, Link::Asking { .. }) {
            return;
        }
        self.link = Link::up(now);
        // At least one hello was sent.
        self.redundancy = Redundancy::after(PacketNumber(self.packet.0.saturating_sub(1)));
        self.advance_durable(ack.durable);
        self.next_live = match self.mode {
            SendMode::Live => {
                let recent = HostNanos(now.0.saturating_sub(LIVE_AGE.as_nanos() as u64));
                self.retention.first_written_since(recent)
            }
            SendMode::Fast => self.retention.first(),
        };
        self.probe_due = now;
        self.gone_due = now;
        self.events.push_back(SenderEvent::Connected { receiver: ack.receiver });
    }

    fn on_refused(&mut self, now: HostNanos, reason: Refusal) {
        match reason {
            Refusal::Complete if self.ended => {
                self.advance_durable(self.retention.next());
                self.become_finished();
            }
            // The receiver was restarted and knows nothing of the session: ask for a new one.
            Refusal::UnknownSession => self.begin_session(now),
            _ => {
                self.link = Link::Refused { reason, until: now.after(REFUSED_PAUSE) };
                self.events.push_back(SenderEvent::Refused(reason));
            }
        }
    }

    fn on_feedback(&mut self, now: HostNanos, feedback: Feedback) {
        if !matches!(self.link, Link::Up { .. }) || feedback.received > self.retention.next() {
            return;
        }
        self.redundancy.on_feedback(&feedback);
        self.advance_durable(feedback.durable);
        self.stats.received = feedback.received.max(self.stats.received);
        self.stats.complete = feedback.complete;
        self.stats.repaired = feedback.repaired;
        self.stats.loss = self.redundancy.loss();
        // Only what was sent and is kept can be sent again.
        let (first, end) = (self.retention.first(), self.next_live);
        let within = |range: SourceRange| {
            let (first, end) = (range.first.max(first), range.end().min(end));
            let count = end.0.checked_sub(first.0).filter(|count| *count > 0)?;
            Some(SourceRange { first, count })
        };
        self.missing = feedback.missing.into_iter().filter_map(within).collect();
        if self.all_durable() {
            self.probe_due = self.probe_due.max(now);
        }
    }

    fn on_reply(&mut self, now: HostNanos, reply: ProbeReply) {
        let exchange = Exchange { sent: reply.echo, received: reply.received_at, answered: reply.sent_at, returned: now };
        self.clock.add(exchange);
        self.exchanges = self.exchanges.saturating_add(1);
        if let Some(round_trip) = exchange.round_trip() {
            // Follows a shorter one at once, a longer one slowly.
            let last = self.stats.round_trip;
            self.stats.round_trip = if last.is_zero() || round_trip < last { round_trip } else { (last * 7 + round_trip) / 8 };
        }
        if let Some(estimate) = self.clock.estimate().filter(|_| now >= self.clock_due && !self.ended) {
            self.clock_due = now.after(CLOCK_INTERVAL);
            let round_trip = estimate.round_trip.as_nanos() as u64;
            let record = ClockEstimate {
                position: self.position,
                host: estimate.at,
                offset: estimate.offset,
                round_trip,
                uncertainty: round_trip.div_ceil(2),
                drift_ppb: estimate.drift_ppb,
            };
            self.stats.clock = Some(record);
            self.push(&Record::Clock(record));
            self.flush(now);
        }
    }

    fn begin_session(&mut self, now: HostNanos) {
        // SplitMix64 (Steele, Lea, Flood 2014): a bijection, so ids do not repeat.
        self.seed = self.seed.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut id = self.seed;
        id = (id ^ (id >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        id = (id ^ (id >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        self.session = SessionId(id ^ (id >> 31));
        self.packet = PacketNumber(0);
        self.link = Link::asking(now, HELLO_FIRST);
        self.redundancy = Redundancy::default();
        self.encoder = Encoder::new(self.redundancy.plan());
        self.group_opened = None;
        self.missing.clear();
        self.repeats = RepeatWindow::default();
        self.clock = ClockFilter::default();
        self.exchanges = 0;
        self.stats.received = self.stats.durable;
        self.retention.mark_all_unsent();
    }

    fn advance_durable(&mut self, durable: SourceNumber) {
        self.retention.release(durable);
        self.stats.durable = self.retention.durable();
        self.stats.received = self.stats.received.max(self.stats.durable);
        self.stats.retained_bytes = self.retention.bytes();
        self.next_live = self.next_live.max(self.retention.first());
    }

    fn all_durable(&self) -> bool {
        self.ended && self.retention.durable() == self.retention.next()
    }

    fn become_finished(&mut self) {
        self.link = Link::Finished;
        self.events.push_back(SenderEvent::Finished);
    }

    fn head(&mut self, kind: Kind) -> Head {
        let head = Head::new(kind, self.session, self.packet);
        self.packet.0 += 1;
        head
    }

    fn emit(&mut self, out: &mut Vec<u8>, kind: Kind) -> bool {
        let head = self.head(kind);
        header::write(out, head, &self.payload);
        self.count(out)
    }

    fn count(&mut self, out: &[u8]) -> bool {
        self.stats.datagrams += 1;
        self.stats.bytes += out.len() as u64;
        true
    }
}
