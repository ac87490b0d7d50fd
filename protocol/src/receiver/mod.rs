//! The receiver of all sessions of one socket, as a pure state machine.
//!
//! It checks addresses by cookie before it keeps anything, filters duplicates, rebuilds from parity, asks for what is missing,
//! and tells senders what is durable. What arrives is handed on at once; nothing waits for what is lost.
//!
//! The contract: call [`handle_datagram`](Receiver::handle_datagram), [`handle_timeout`](Receiver::handle_timeout),
//! [`accept`](Receiver::accept), [`refuse`](Receiver::refuse) and [`set_durable`](Receiver::set_durable) as things happen, then
//! drain [`poll_transmit`](Receiver::poll_transmit) and [`poll_event`](Receiver::poll_event) until `None`, then wait for the
//! socket or until [`poll_timeout`](Receiver::poll_timeout). Time is a parameter, nanoseconds of any monotonic clock.

mod delay;
mod losses;
mod session;
mod stats;

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use crate::cookie::Cookies;
use crate::packet::close::{Close, Gone};
use crate::packet::feedback::SourceRange;
use crate::packet::header::{self, VERSION};
use crate::packet::hello::{Description, Hello, HelloAck, Refusal};
use crate::packet::probe::Probe;
use crate::packet::{Head, Kind};
use crate::quality::Level;
use crate::tap::Arrival;
use crate::tracker::Tracker;
use crate::units::{HostNanos, PacketNumber, ReceiverId, SessionId, SourceNumber};
use session::Session;
pub use stats::SessionStats;

/// What a receiver may use, and who it is.
#[derive(Clone)]
pub struct ReceiverConfig {
    /// Told to senders, so that they know a restarted receiver from another one.
    pub identity: ReceiverId,
    /// The most sessions at once, those that wait for an answer included.
    pub max_streams: usize,
    /// Random bytes of this process, for cookies.
    pub secret: [u8; 32],
}

impl std::fmt::Debug for ReceiverConfig {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "ReceiverConfig {{ identity: {}, max_streams: {} }}", self.identity, self.max_streams)
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

/// Closed sessions are remembered for this long, so that a close whose answer was lost is answered again.
const CLOSED_MEMORY: Duration = Duration::from_secs(5);

/// The most answers that wait to be sent. Beyond it, answers are dropped: their senders ask again.
const MAX_ANSWERS: usize = 1_024;

/// The receiver of all sessions. See the [module](self) for how it is driven.
#[derive(Debug)]
pub struct Receiver {
    config: ReceiverConfig,
    cookies: Cookies,
    // Ordered, so that a run of the state machine can be repeated exactly.
    sessions: BTreeMap<SessionId, Session>,
    closed: HashMap<SessionId, (HostNanos, SourceNumber)>,
    answers: VecDeque<(SocketAddr, Vec<u8>)>,
    events: VecDeque<ReceiverEvent>,
    rejected: u64,
    payload: Vec<u8>,
}

impl Receiver {
    /// A receiver without sessions.
    pub fn new(config: ReceiverConfig, _now: HostNanos) -> Self {
        Self {
            cookies: Cookies::new(config.secret),
            config,
            sessions: BTreeMap::new(),
            closed: HashMap::new(),
            answers: VecDeque::new(),
            events: VecDeque::new(),
            rejected: 0,
            payload: Vec::new(),
        }
    }

    /// A datagram came from `from`.
    pub fn handle_datagram(&mut self, now: HostNanos, from: SocketAddr, datagram: &[u8]) {
        let Ok((head, payload)) = header::read(datagram) else {
            self.rejected += 1;
            return;
        };
        let understood = match head.kind {
            Kind::Hello => self.on_hello(now, from, head.session, payload),
            Kind::Source | Kind::Preview | Kind::Parity | Kind::Probe | Kind::Gone | Kind::Close => {
                self.on_session_datagram(now, from, head, payload, datagram.len())
            }
            Kind::Retry | Kind::HelloAck | Kind::Refuse | Kind::Feedback | Kind::ProbeReply | Kind::CloseAck => None,
        };
        if understood.is_none() {
            self.rejected += 1;
        }
    }

    fn on_hello(&mut self, now: HostNanos, from: SocketAddr, id: SessionId, payload: &[u8]) -> Option<()> {
        let hello = Hello::read(payload).ok()?;
        if let Some(session) = self.sessions.get(&id) {
            // The answer was lost, or is still awaited.
            if session.peer == from && session.accepted {
                let durable = session.stats.durable;
                self.answer_accepted(from, id, durable);
            }
            return Some(());
        }
        if !self.cookies.check(now, from, id, &hello.cookie) {
            let cookie = self.cookies.make(now, from, id);
            self.answer(from, Kind::Retry, id, &cookie);
            return Some(());
        }
        if !(hello.versions.0..=hello.versions.1).contains(&VERSION) {
            self.answer_refused(from, id, Refusal::Version);
            return Some(());
        }
        let replaced = self.sessions.iter().find(|(_, session)| session.take == hello.description.take).map(|(id, _)| *id);
        if let Some(replaced) = replaced {
            self.sessions.remove(&replaced);
        } else if self.sessions.len() >= self.config.max_streams {
            self.answer_refused(from, id, Refusal::TooManyStreams);
            return Some(());
        }
        self.sessions.insert(id, Session::new(now, from, hello.description.take, (hello.first, hello.next)));
        self.events.push_back(ReceiverEvent::Opened { session: id, peer: from, description: Box::new(hello.description) });
        Some(())
    }

    fn on_session_datagram(&mut self, now: HostNanos, from: SocketAddr, head: Head, payload: &[u8], len: usize) -> Option<()> {
        let Some(session) = self.sessions.get_mut(&head.session) else {
            match head.kind {
                Kind::Close => {
                    let (_, end) = self.closed.get(&head.session)?;
                    Close { end: *end }.write(&mut self.payload);
                    let payload = std::mem::take(&mut self.payload);
                    self.answer(from, Kind::CloseAck, head.session, &payload);
                    self.payload = payload;
                }
                // Probes are few, and longer than the answer.
                Kind::Probe => self.answer_refused(from, head.session, Refusal::UnknownSession),
                _ => {}
            }
            return None;
        };
        if session.peer != from || !session.accepted {
            return None;
        }
        if !session.note_packet(now, &head, len) {
            return Some(());
        }
        let id = head.session;
        match head.kind {
            Kind::Source => session.on_source(now, &head, payload)?,
            Kind::Preview => session.on_preview(now, &head, payload)?,
            Kind::Parity => session.on_parity(now, &head, payload)?,
            Kind::Probe => session.on_probe(now, Probe::read(payload).ok()?),
            Kind::Gone => session.on_gone(Gone::read(payload).ok()?),
            _ => {
                let close = Close::read(payload).ok()?;
                if close.end > session.stats.durable {
                    return None;
                }
                self.closed.insert(id, (now, close.end));
                self.sessions.remove(&id);
                self.events.push_back(ReceiverEvent::Closed { session: id });
                Close { end: close.end }.write(&mut self.payload);
                let payload = std::mem::take(&mut self.payload);
                self.answer(from, Kind::CloseAck, id, &payload);
                self.payload = payload;
                return Some(());
            }
        }
        self.events.extend(session.drain(id));
        Some(())
    }

    /// Takes a session that was [`Opened`](ReceiverEvent::Opened).
    pub fn accept(&mut self, now: HostNanos, session: SessionId, held: Held) {
        let Some(open) = self.sessions.get_mut(&session) else { return };
        open.accept(now, Tracker::new(held.complete, &held.beyond));
        let (peer, durable) = (open.peer, open.stats.durable);
        self.events.extend(open.drain(session));
        self.answer_accepted(peer, session, durable);
    }

    /// Declines a session that was [`Opened`](ReceiverEvent::Opened), or ends one that runs.
    pub fn refuse(&mut self, session: SessionId, reason: Refusal) {
        if let Some(open) = self.sessions.remove(&session) {
            self.answer_refused(open.peer, session, reason);
        }
    }

    /// All entries of the session below `durable` are on disk, synced.
    pub fn set_durable(&mut self, now: HostNanos, session: SessionId, durable: SourceNumber) {
        if let Some(open) = self.sessions.get_mut(&session) {
            open.set_durable(now, durable);
        }
    }

    /// An entry that was handed out could not be kept: it counts as missing, and is asked for again.
    pub fn forget(&mut self, session: SessionId, number: SourceNumber) {
        if let Some(open) = self.sessions.get_mut(&session) {
            open.forget(number);
        }
    }

    /// Ends all sessions and tells the senders why. They keep their data.
    pub fn close_all(&mut self, _now: HostNanos, reason: Refusal) {
        for (id, session) in std::mem::take(&mut self.sessions) {
            self.answer_refused(session.peer, id, reason);
        }
    }

    /// Time has passed.
    pub fn handle_timeout(&mut self, now: HostNanos) {
        self.closed.retain(|_, (since, _)| now.since(*since) < CLOSED_MEMORY);
        let silent = |session: &Session| now.since(session.stats.last_heard) >= SILENCE;
        let gone: Vec<SessionId> = self.sessions.iter().filter(|(_, session)| silent(session)).map(|(id, _)| *id).collect();
        for session in gone {
            self.sessions.remove(&session);
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
            if session.poll_transmit(now, *id, out) {
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

    /// Datagrams that were not understood or belong to no session.
    pub fn rejected(&self) -> u64 {
        self.rejected
    }

    fn answer_accepted(&mut self, to: SocketAddr, session: SessionId, durable: SourceNumber) {
        HelloAck { receiver: self.config.identity, durable, version: VERSION }.write(&mut self.payload);
        let payload = std::mem::take(&mut self.payload);
        self.answer(to, Kind::HelloAck, session, &payload);
        self.payload = payload;
    }

    fn answer_refused(&mut self, to: SocketAddr, session: SessionId, reason: Refusal) {
        self.answer(to, Kind::Refuse, session, &[reason as u8]);
    }

    fn answer(&mut self, to: SocketAddr, kind: Kind, session: SessionId, payload: &[u8]) {
        if self.answers.len() < MAX_ANSWERS {
            let mut datagram = Vec::new();
            header::write(&mut datagram, Head::new(kind, session, PacketNumber(0)), payload);
            self.answers.push_back((to, datagram));
        }
    }
}
