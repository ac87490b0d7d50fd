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
mod pace;
mod preview;
mod receive;
mod security;
mod spool;
mod state;
mod transmit;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use crate::clock::{ClockFilter, Exchange};
use crate::fec::{Encoder, Plan};
use crate::packet::close::{Close, Gone};
use crate::packet::feedback::{Feedback, SourceRange, Storage};
use crate::packet::header::{self, FLAG_BACKFILL, FLAG_REPEAT, FLAG_SEALED, VERSION};
use crate::packet::hello::{Cookie, Description, Hello, HelloAck, Refusal};
use crate::packet::probe::{Probe, ProbeReply};
use crate::packet::{HEADER_LEN, Head, Kind};
use crate::quality::{Controller, Level, Situation, TAIL_PROBE};
use crate::record::pack::Packer;
use crate::record::{ClockEstimate, End, Record};
use crate::retention::Retention;
use crate::secure::Keyed;
use crate::units::{HostNanos, PacketNumber, SamplePosition, SessionId, SourceNumber};
use link::Link;
use pace::{Bucket, Flow, RoundTrip};
use preview::Previews;
use security::Security;
pub use spool::Leftover;
pub use state::{SendMode, SenderConfig, SenderEvent, SenderState, SenderStats};

/// A receiver that declined is asked again after this.
const REFUSED_PAUSE: Duration = Duration::from_secs(2);

/// What somebody said who may not be the receiver counts for this long.
const TOLD_SPAN: Duration = Duration::from_secs(5);

/// A cookie is kept for this long at least: whoever sends others cannot hold up a handshake.
const COOKIE_KEPT: Duration = Duration::from_secs(1);

/// A receiver that has said nothing for this long is lost.
const SILENCE: Duration = Duration::from_secs(3);

/// Probes go out this often: until the clock is known, while something is under way, and when idle.
const PROBE_FIRST: Duration = Duration::from_millis(20);
const PROBE_BUSY: Duration = Duration::from_millis(100);
const PROBE_IDLE: Duration = Duration::from_millis(500);

/// Clock estimates are written to the log this often.
const CLOCK_INTERVAL: Duration = Duration::from_secs(1);

/// While a probe waits for its answer for longer than it should, others follow it this often.
const PROBE_UNANSWERED: Duration = Duration::from_millis(40);

/// When nothing was heard for this long, and for 4 round trips, though it was asked for, the network is away: live entries wait,
/// and only the last go out as live when it is back.
const QUIET: Duration = Duration::from_millis(400);

/// What was captured this recently counts as live when a session begins or the network is back.
const LIVE_AGE: Duration = Duration::from_millis(60);

/// What was captured this recently, and lost, is repeated before the rest: a live view may still wait for it.
const URGENT_AGE: Duration = Duration::from_millis(250);

/// An entry that was sent again is given a round trip, as it varies, and this before it is sent once more.
const REPEAT_MARGIN: Duration = Duration::from_millis(3);

/// Bytes per second of repeats in fast mode, where live entries have a window of their own: 64 datagrams in 5 ms, which fit into
/// the smallest default socket buffer.
const FAST_RATE: f64 = 15.0e6;

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
    /// The entry after the last that was sent, or that the receiver is to ask for.
    announced: SourceNumber,
    previews: Previews,
    /// Entries that were only previewed, or are about to be.
    owed: VecDeque<SourceRange>,
    ended: bool,
    /// The log of an earlier life, which it did not end: where it ends. See [`resume`](Self::resume).
    interrupted: Option<SamplePosition>,
    position: SamplePosition,
    session: SessionId,
    seed: u64,
    packet: PacketNumber,
    /// With a key.
    security: Option<Box<Security>>,
    link: Link,
    encoder: Encoder,
    controller: Controller,
    group_opened: Option<HostNanos>,
    parity_due: HostNanos,
    /// What the receiver asks for: of late, and the rest.
    urgent: VecDeque<SourceRange>,
    missing: VecDeque<SourceRange>,
    bucket: Bucket,
    /// Whether back-fill waited for its pace since the last feedback.
    waited: bool,
    flow: Flow,
    round_trip: RoundTrip,
    gone_due: HostNanos,
    /// What was last told to be gone ends here.
    gone_told: SourceNumber,
    probe_due: HostNanos,
    /// When a probe is due because no live datagram followed the last one, which may be lost.
    tail_due: Option<HostNanos>,
    /// Whether the network is away, as far as one can tell: see [`QUIET`].
    away: bool,
    /// When the oldest probe left that nothing was heard since.
    unanswered: Option<HostNanos>,
    clock: ClockFilter,
    exchanges: u32,
    clock_due: HostNanos,
    events: VecDeque<SenderEvent>,
    stats: SenderStats,
    payload: Vec<u8>,
    /// What the datagram at hand says, decrypted.
    opened: Vec<u8>,
}

impl Sender {
    /// A sender for a take. `seed` is random: session ids come of it.
    pub fn new(config: SenderConfig, description: Description, seed: u64, now: HostNanos) -> Self {
        let controller = Controller::new(config.quality);
        let mut sender = Self {
            mode: config.mode,
            description,
            packer: Packer::new(SourceNumber(0)),
            retention: Retention::new(config.retention_bytes),
            next_live: SourceNumber(0),
            announced: SourceNumber(0),
            previews: Previews::default(),
            owed: VecDeque::new(),
            ended: false,
            interrupted: None,
            position: SamplePosition(0),
            session: SessionId(0),
            seed,
            packet: PacketNumber(0),
            security: config.keyed.map(Security::new).map(Box::new),
            link: Link::asking(now),
            encoder: Encoder::new(controller.decision().plan),
            controller,
            group_opened: None,
            parity_due: now,
            urgent: VecDeque::new(),
            missing: VecDeque::new(),
            bucket: Bucket::default(),
            waited: false,
            flow: Flow::default(),
            round_trip: RoundTrip::default(),
            gone_due: now,
            gone_told: SourceNumber(0),
            probe_due: now,
            tail_due: None,
            away: false,
            unanswered: None,
            clock: ClockFilter::default(),
            exchanges: 0,
            clock_due: now,
            events: VecDeque::new(),
            stats: SenderStats::default(),
            payload: Vec::new(),
            opened: Vec::new(),
        };
        sender.begin_session(now);
        sender.link = Link::asking(now);
        sender
    }

    /// Writes a record to the log; see [`Packer::push`]. Ignored after [`finish`](Self::finish).
    pub fn push(&mut self, record: &Record<'_>) {
        if !self.ended {
            self.packer.push(record);
            self.previews.push(self.live_level(), record);
        }
    }

    /// Writes samples, interleaved by frame, to the log; see [`Packer::push_audio`].
    pub fn push_audio(&mut self, position: SamplePosition, channels: u16, interleaved: &[f32]) {
        if !self.ended && !interleaved.is_empty() {
            if self.live_level() != Level::Full {
                self.packer.save_bytes();
            }
            self.packer.push_audio(position, channels, interleaved);
            self.previews.push_audio(self.live_level(), position, channels, interleaved);
            self.position = SamplePosition(position.0 + (interleaved.len() / usize::from(channels)) as u64);
        }
    }

    /// Closes the entry that is being filled: all that was written can be sent.
    pub fn flush(&mut self, now: HostNanos) {
        self.packer.flush();
        let (first, mut bytes) = (SourceNumber(self.stats.entries), 0);
        while let Some(entry) = self.packer.pop() {
            self.stats.entries += 1;
            bytes += entry.len() + HEADER_LEN;
            self.retention.push(now, entry);
        }
        let count = self.stats.entries - first.0;
        let samples = self.previews.flush();
        if count > 0 {
            self.flow.note_block(now, count, bytes, samples.count);
            if samples.previewed {
                self.owe(SourceRange { first, count });
            }
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

    /// From now on the sender has this key, or none, and asks for a new session with it.
    pub fn set_key(&mut self, now: HostNanos, keyed: Option<Keyed>) {
        self.security = keyed.map(Security::new).map(Box::new);
        self.reconnect(now);
    }

    /// The session's id: datagrams that bear another are not for this sender.
    pub fn session(&self) -> SessionId {
        self.session
    }

    /// Where the sender stands.
    pub fn state(&self) -> SenderState {
        match &self.link {
            Link::Asking { told: Some((reason, _)), .. } => SenderState::Refused(*reason),
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

    /// Time has passed.
    pub fn handle_timeout(&mut self, now: HostNanos) {
        match &mut self.link {
            Link::Asking { told, .. } if told.is_some_and(|(_, since)| now.since(since) >= TOLD_SPAN) => *told = None,
            Link::Up { heard, .. } if now.since(*heard) >= SILENCE => {
                self.events.push_back(SenderEvent::Lost);
                self.begin_session(now);
            }
            Link::Refused { until, .. } if now >= *until => self.begin_session(now),
            _ => {}
        }
        self.away = self.unanswered.is_some_and(|asked| now.since(asked) >= self.quiet_time());
        if self.group_opened.is_some_and(|opened| now.since(opened) >= self.controller.decision().group_age) {
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
                if let Some(asked) = self.unanswered {
                    // From then on the network counts as away.
                    let quiet = asked.after(self.quiet_time());
                    if self.away {
                        return Some(next);
                    }
                    next = next.min(quiet);
                }
                if let Some(tail) = self.tail_due {
                    next = next.min(tail);
                }
                if let Some(opened) = self.group_opened {
                    next = next.min(opened.after(self.controller.decision().group_age));
                }
                if self.encoder.has_parity() {
                    next = next.min(self.parity_due);
                }
                if !self.missing.is_empty() || !self.urgent.is_empty() || !self.owed.is_empty() {
                    next = next.min(self.bucket.next(self.rate()));
                }
                if self.retention.gone(SourceNumber(0)).is_some() {
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

    fn begin_session(&mut self, now: HostNanos) {
        // SplitMix64 (Steele, Lea, Flood 2014): a bijection, so ids do not repeat.
        self.seed = self.seed.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut id = self.seed;
        id = (id ^ (id >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        id = (id ^ (id >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        self.session = SessionId(id ^ (id >> 31));
        self.packet = PacketNumber(0);
        self.security.iter_mut().for_each(|security| security.begin_session());
        self.link = Link::asking_again(now);
        self.controller.begin_session();
        self.encoder = Encoder::new(self.controller.decision().plan);
        self.group_opened = None;
        self.urgent.clear();
        self.missing.clear();
        self.owed.clear();
        self.previews.clear();
        self.flow.begin_session();
        self.tail_due = None;
        self.away = false;
        self.unanswered = None;
        self.clock = ClockFilter::default();
        self.exchanges = 0;
        self.stats.received = self.stats.durable;
        self.retention.mark_all_unsent();
    }

    /// How a block is sent that is begun now.
    fn live_level(&self) -> Level {
        let connected = self.mode == SendMode::Live && matches!(self.link, Link::Up { .. }) && !self.away;
        if connected { self.controller.decision().level } else { Level::Full }
    }

    /// Entries are not sent as live: they are back-filled.
    fn owe(&mut self, range: SourceRange) {
        match self.owed.back_mut().filter(|last| last.end() == range.first) {
            Some(last) => last.count += range.count,
            None => self.owed.push_back(range),
        }
    }

    /// Bytes per second that everything together may take.
    fn rate(&self) -> f64 {
        match self.mode {
            SendMode::Live => self.controller.decision().rate,
            SendMode::Fast => FAST_RATE,
        }
    }

    /// Parity of the groups to come. A file that goes as fast as it can has no deadline: requests do.
    fn plan(&self) -> Plan {
        let plan = self.controller.decision().plan;
        match self.mode {
            SendMode::Live => plan,
            SendMode::Fast => Plan { parities: 0, ..plan },
        }
    }

    fn quiet_time(&self) -> Duration {
        QUIET.max(self.round_trip.smoothed() * 4)
    }

    fn advance_durable(&mut self, durable: SourceNumber) {
        self.retention.release(durable);
        self.stats.durable = self.retention.durable();
        self.stats.received = self.stats.received.max(self.stats.durable);
        self.stats.retained_bytes = self.retention.bytes();
        self.stats.dropped_entries = self.retention.dropped();
        self.next_live = self.next_live.max(self.retention.first());
    }

    fn all_durable(&self) -> bool {
        self.ended && self.retention.durable() == self.retention.next()
    }

    fn become_finished(&mut self) {
        self.link = Link::Finished;
        self.events.push_back(SenderEvent::Finished);
    }
}
