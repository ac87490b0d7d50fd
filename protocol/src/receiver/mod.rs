//! The receiver of all sessions of one socket, as a pure state machine.
//!
//! It checks addresses by cookie before it keeps anything, filters duplicates, rebuilds from parity, asks for what is missing,
//! and tells senders what is durable. What arrives is handed on at once; nothing waits for what is lost.
//!
//! The contract: call [`handle_datagram`](Receiver::handle_datagram), [`handle_timeout`](Receiver::handle_timeout),
//! [`accept`](Receiver::accept), [`refuse`](Receiver::refuse), [`set_durable`](Receiver::set_durable) and
//! [`set_storage`](Receiver::set_storage) as things happen, then
//! drain [`poll_transmit`](Receiver::poll_transmit) and [`poll_event`](Receiver::poll_event) until `None`, then wait for the
//! socket or until [`poll_timeout`](Receiver::poll_timeout). Time is a parameter, nanoseconds of any monotonic clock.

mod caps;
mod channel;
mod delay;
mod handshake;
mod losses;
mod past;
mod session;
mod stats;

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use crate::cookie::Cookies;
use crate::packet::close::{Close, Gone};
use crate::packet::feedback::{SourceRange, Storage};
use crate::packet::header::{self, VERSION};
use crate::packet::hello::{Description, Hello, HelloAck, Refusal};
use crate::packet::{Head, Kind};
use crate::quality::Level;
use crate::secure::refusal::RefusalKey;
use crate::secure::{Psk, Random};
use crate::tap::Arrival;
use crate::tracker::Tracker;
use crate::units::{HostNanos, PacketNumber, ReceiverId, SessionId, SourceNumber};
use caps::Handshakes;
use past::{How, Past};
use session::Session;
pub use stats::{Rejected, Rejection, SessionStats};

/// What a receiver may use, and who it is.
#[derive(Clone)]
pub struct ReceiverConfig {
    /// Told to senders, so that they know a restarted receiver from another one.
    pub identity: ReceiverId,
    /// The most sessions at once, those that wait for an answer included.
    pub max_streams: usize,
    /// The most of them from one address.
    pub max_streams_per_address: usize,
    /// Random bytes of this process, for cookies and ephemeral keys.
    pub secret: [u8; 32],
    /// The studio's secret. With it, only senders that have it are heard; without, only those that have none.
    pub psk: Option<Psk>,
}

impl std::fmt::Debug for ReceiverConfig {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { identity, max_streams, max_streams_per_address, psk, .. } = self;
        write!(formatter, "ReceiverConfig {{ {identity}, {max_streams} streams, {max_streams_per_address} each, {psk:?} }}")
    }
}

/// What of a take is already on disk when its sender comes (again).
#[derive(Clone, Debug, Default)]
pub struct Held {
    /// All entries below this are durable.
    pub complete: SourceNumber,
    /// Entries beyond, also on disk.
    pub beyond: Vec<SourceRange>,
}

/// What happened.
#[derive(Clone, Debug)]
pub enum ReceiverEvent {
    /// A sender at a proven address asks for a session; [`accept`](Receiver::accept) or [`refuse`](Receiver::refuse) it. A take
    /// that has a session already comes again when its sender reconnects: the new session replaces the old one.
    Opened {
        /// The new session.
        session: SessionId,
        /// Its sender.
        peer: SocketAddr,
        /// What it is to bring.
        description: Box<Description>,
    },
    /// An entry arrived: each once in a session, in any order.
    Entry {
        /// Its session.
        session: SessionId,
        /// Its number.
        number: SourceNumber,
        /// How it came.
        arrival: Arrival,
        /// When the datagram that brought it left: the sender's monotonic clock in microseconds, wrapping after 71 minutes. `None`
        /// where it was rebuilt from parity.
        sent_micros: Option<u32>,
        /// Its bytes.
        entry: Arc<[u8]>,
    },
    /// A preview arrived: for a live view alone, never for the recording. Each once in a session, in any order.
    Preview {
        /// Its session.
        session: SessionId,
        /// How it was sent.
        level: Level,
        /// How it came: live or repaired.
        arrival: Arrival,
        /// As of an entry.
        sent_micros: Option<u32>,
        /// Its bytes, built like an entry's: see [`preview_of`](crate::record::preview_of).
        preview: Arc<[u8]>,
    },
    /// The sender no longer has some entries. They count as complete.
    Gone {
        /// The session.
        session: SessionId,
        /// Which entries, those that are here already left out, and why.
        gone: Gone,
    },
    /// The sender closed the session: all is durable.
    Closed {
        /// The session, which is forgotten.
        session: SessionId,
    },
    /// The sender has said nothing for [`SILENCE`].
    Silent {
        /// The session, which is forgotten. The take may come back in a new one.
        session: SessionId,
    },
}

/// A session whose sender has been silent for this long is dropped.
pub const SILENCE: Duration = Duration::from_secs(10);

/// The most answers that wait to be sent. Beyond it, answers are dropped: their senders ask again.
const MAX_ANSWERS: usize = 1_024;

/// The receiver of all sessions. See the [module](self) for how it is driven.
#[derive(Debug)]
pub struct Receiver {
    config: ReceiverConfig,
    cookies: Cookies,
    // Ordered, so that a run of the state machine can be repeated exactly.
    sessions: BTreeMap<SessionId, Session>,
    past: Past,
    handshakes: Handshakes,
    security: Option<Security>,
    /// Told to all senders.
    storage: Storage,
    answers: VecDeque<(SocketAddr, Vec<u8>)>,
    events: VecDeque<ReceiverEvent>,
    rejected: Rejected,
    payload: Vec<u8>,
    /// What the datagram at hand says, decrypted.
    opened: Vec<u8>,
}

/// What a receiver with a key needs.
#[derive(Debug)]
struct Security {
    psk: Psk,
    refusals: RefusalKey,
    random: Random,
    /// Ephemeral keys made so far.
    ephemerals: u64,
}

impl Receiver {
    /// A receiver without sessions.
    pub fn new(config: ReceiverConfig, _now: HostNanos) -> Self {
        Self {
            cookies: Cookies::new(config.secret),
            security: config.psk.map(|psk| Security {
                psk,
                refusals: RefusalKey::new(&psk),
                random: Random::new(config.secret),
                ephemerals: 0,
            }),
            config,
            sessions: BTreeMap::new(),
            past: Past::default(),
            handshakes: Handshakes::default(),
            storage: Storage::Good,
            answers: VecDeque::new(),
            events: VecDeque::new(),
            rejected: Rejected::default(),
            payload: Vec::new(),
            opened: Vec::new(),
        }
    }

    /// A datagram came from `from`. `now` is when it came: the system's time stamp, where there is one.
    pub fn handle_datagram(&mut self, now: HostNanos, from: SocketAddr, datagram: &[u8]) {
        self.handle(now, from, datagram, false);
    }

    /// As [`handle_datagram`](Self::handle_datagram), of one that a queue on the way has marked (CE of RFC 3168).
    pub fn handle_marked_datagram(&mut self, now: HostNanos, from: SocketAddr, datagram: &[u8]) {
        self.handle(now, from, datagram, true);
    }

    fn handle(&mut self, now: HostNanos, from: SocketAddr, datagram: &[u8], marked: bool) {
        let (head, payload) = match header::read(datagram) {
            Ok(read) => read,
            Err(error) => return self.rejected.count(error.into()),
        };
        let understood = match head.kind {
            Kind::Hello => self.on_hello(now, from, &head, payload),
            Kind::Source | Kind::Preview | Kind::Parity | Kind::Probe | Kind::Gone | Kind::Close => {
                self.on_session_datagram(now, from, (&head, payload), datagram, marked)
            }
            Kind::Retry | Kind::HelloAck | Kind::Refuse | Kind::Feedback | Kind::ProbeReply | Kind::CloseAck => {
                Err(Rejection::Malformed)
            }
        };
        if let Err(why) = understood {
            self.rejected.count(why);
        }
    }

    fn on_session_datagram(
        &mut self,
        now: HostNanos,
        from: SocketAddr,
        (head, payload): (&Head, &[u8]),
        datagram: &[u8],
        marked: bool,
    ) -> Result<(), Rejection> {
        let Some(session) = self.sessions.get_mut(&head.session) else {
            return self.on_unknown_session(from, head, payload, datagram);
        };
        if session.peer != from {
            return Err(Rejection::OtherAddress);
        }
        if !session.accepted {
            return Err(Rejection::UnknownSession);
        }
        let text = session.channel.open(head, payload, datagram, &mut self.opened).ok_or(Rejection::NotAuthentic)?;
        let understood = session.handle(now, head, text, (datagram.len(), marked));
        self.events.extend(session.drain(head.session));
        match understood? {
            Some(close) => self.on_close(now, head.session, close),
            None => Ok(()),
        }
    }

    /// The sender says that all is durable, and it is.
    fn on_close(&mut self, now: HostNanos, id: SessionId, close: Close) -> Result<(), Rejection> {
        let mut session = self.end(now, id, How::Dropped).ok_or(Rejection::UnknownSession)?;
        self.events.push_back(ReceiverEvent::Closed { session: id });
        let mut answer = Vec::new();
        close.write(&mut self.payload);
        session.channel.write(&mut answer, Kind::CloseAck, id, &self.payload);
        self.queue(session.peer, answer);
        if let Some(ended) = self.past.get_mut(id) {
            ended.how = How::Closed { end: close.end, channel: Box::new(session.channel) };
        }
        Ok(())
    }

    /// A datagram of a session that is over, or was never there.
    fn on_unknown_session(&mut self, from: SocketAddr, head: &Head, payload: &[u8], datagram: &[u8]) -> Result<(), Rejection> {
        match (head.kind, self.past.get_mut(head.session)) {
            (Kind::Close, Some(ended)) if ended.peer == from => {
                if let How::Closed { end, channel } = &mut ended.how
                    && channel.open(head, payload, datagram, &mut self.opened).is_some_and(|text| Close::read(text).is_ok())
                {
                    let mut answer = Vec::new();
                    Close { end: *end }.write(&mut self.payload);
                    channel.write(&mut answer, Kind::CloseAck, head.session, &self.payload);
                    self.queue(from, answer);
                }
            }
            (Kind::Probe, _) => self.on_unknown_probe(from, head, payload),
            _ => {}
        }
        Err(Rejection::UnknownSession)
    }

    /// All entries of the session below `durable` are on disk, synced.
    pub fn set_durable(&mut self, now: HostNanos, session: SessionId, durable: SourceNumber) {
        if let Some(open) = self.sessions.get_mut(&session) {
            open.set_durable(now, durable);
        }
    }

    /// Whether anything can be recorded at present: senders are told.
    pub fn set_storage(&mut self, now: HostNanos, storage: Storage) {
        if std::mem::replace(&mut self.storage, storage) != storage {
            self.sessions.values_mut().for_each(|session| session.tell_soon(now));
        }
    }

    /// An entry that was handed out could not be kept: it counts as missing, and is asked for again.
    pub fn forget(&mut self, session: SessionId, number: SourceNumber) {
        if let Some(open) = self.sessions.get_mut(&session) {
            open.forget(number);
        }
    }

    /// Time has passed.
    pub fn handle_timeout(&mut self, now: HostNanos) {
        self.past.forget(now);
        let silent = |session: &Session| now.since(session.stats.last_heard) >= SILENCE;
        let gone: Vec<SessionId> = self.sessions.iter().filter(|(_, session)| silent(session)).map(|(id, _)| *id).collect();
        for session in gone {
            self.end(now, session, How::Dropped);
            self.events.push_back(ReceiverEvent::Silent { session });
        }
    }

    /// When [`handle_timeout`](Self::handle_timeout) and [`poll_transmit`](Self::poll_transmit) are to be called at the latest.
    pub fn poll_timeout(&self) -> Option<HostNanos> {
        self.sessions.values().map(Session::timeout).min()
    }

    /// Writes the next datagram that is to be sent now into `out` and gives its destination.
    pub fn poll_transmit(&mut self, now: HostNanos, out: &mut Vec<u8>) -> Option<SocketAddr> {
        if let Some((to, datagram)) = self.answers.pop_front() {
            *out = datagram;
            return Some(to);
        }
        for (id, session) in &mut self.sessions {
            if session.poll_transmit(now, *id, self.storage, out) {
                return Some(session.peer);
            }
        }
        None
    }

    /// The next thing that happened.
    pub fn poll_event(&mut self) -> Option<ReceiverEvent> {
        self.events.pop_front()
    }

    /// The sessions that run or wait for an answer.
    pub fn sessions(&self) -> impl Iterator<Item = (SessionId, &SessionStats)> {
        self.sessions.iter().map(|(id, session)| (*id, &session.stats))
    }

    /// A session's counters.
    pub fn stats(&self, session: SessionId) -> Option<&SessionStats> {
        self.sessions.get(&session).map(|open| &open.stats)
    }

    /// Datagrams that were not taken, by reason.
    pub fn rejected(&self) -> &Rejected {
        &self.rejected
    }

    fn answer(&mut self, to: SocketAddr, head: Head, payload: &[u8]) {
        let mut datagram = Vec::new();
        header::write(&mut datagram, head, payload);
        self.queue(to, datagram);
    }

    fn queue(&mut self, to: SocketAddr, datagram: Vec<u8>) {
        if self.answers.len() < MAX_ANSWERS {
            self.answers.push_back((to, datagram));
        } else {
            self.rejected.count(Rejection::Unanswered);
        }
    }
}
