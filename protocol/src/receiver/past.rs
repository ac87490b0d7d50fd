//! Sessions that are over, for as long as their cookies are good: a hello that comes late, or again, opens none of them.

use std::collections::{HashMap, VecDeque};
use std::net::SocketAddr;

use super::channel::Channel;
use crate::cookie;
use crate::packet::hello::Refusal;
use crate::units::{HostNanos, SessionId, SourceNumber};

/// The most that are remembered. While there are as many, no session is begun. More than what [`Handshakes`](super::caps) lets begin
/// in the time.
const MAX_SESSIONS: usize = 4_096;

/// A session that is over.
#[derive(Debug)]
pub(super) struct Ended {
    pub(super) peer: SocketAddr,
    pub(super) how: How,
}

/// How it ended.
#[derive(Debug)]
pub(super) enum How {
    /// By its sender, when all was durable: the answer to its close may have been lost.
    Closed { end: SourceNumber, channel: Box<Channel> },
    /// By the receiver: its words may have been lost.
    Refused(Refusal),
    /// Its sender was silent, or began another one.
    Dropped,
}

/// All of them.
#[derive(Debug, Default)]
pub(super) struct Past {
    sessions: HashMap<SessionId, Ended>,
    order: VecDeque<(HostNanos, SessionId)>,
}

impl Past {
    /// A session is over.
    pub(super) fn add(&mut self, now: HostNanos, session: SessionId, peer: SocketAddr, how: How) {
        if self.sessions.insert(session, Ended { peer, how }).is_none() {
            self.order.push_back((now, session));
        }
    }

    /// What became of a session.
    pub(super) fn get_mut(&mut self, session: SessionId) -> Option<&mut Ended> {
        self.sessions.get_mut(&session)
    }

    /// Forgets those whose cookies are no longer good.
    pub(super) fn forget(&mut self, now: HostNanos) {
        while let Some((_, session)) = self.order.pop_front_if(|(since, _)| now.since(*since) >= cookie::VALID) {
            self.sessions.remove(&session);
        }
    }

    /// Whether another session could be remembered, besides those that run.
    pub(super) fn has_room(&self, running: usize) -> bool {
        self.sessions.len() + running < MAX_SESSIONS
    }
}
