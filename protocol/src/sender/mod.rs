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
mod receive;
mod spool;
mod transmit;

use std::collections::VecDeque;
use std::time::Duration;

use crate::clock::{ClockFilter, Exchange};
use crate::fec::Encoder;
use crate::packet::close::{Close, Gone};
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
pub use spool::Leftover;

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
    /// The log of an earlier life, which it did not end: where it ends. See [`resume`](Self::resume).
    interrupted: Option<SamplePosition>,
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
    /// What was last told to be gone ends here.
    gone_told: SourceNumber,
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
            interrupted: None,
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
            gone_told: SourceNumber(0),
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
