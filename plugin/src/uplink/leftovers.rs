//! What earlier programs left: takes whose senders ended before everything was durable. Each is sent in a session of its own,
//! one after another, and only while no stream that lives waits for anything.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Duration;

use send_learn_protocol::secure::Keyed;
use send_learn_protocol::sender::{Leftover, SendMode, Sender, SenderConfig, SenderState};
use send_learn_protocol::units::{HostNanos, SessionId};

use super::disk::{Disk, Place};
use super::secret::Secret;
use crate::socket::{Sent, Sockets};
use crate::spool::Key;

/// A take that finds no receiver for this long lets the next one try.
const TURN: Duration = Duration::from_secs(5);

/// Datagrams sent before those that live have their turn.
const BATCH: usize = 32;

/// A datagram that the system had no room for is tried again after this.
const BUSY_PAUSE: Duration = Duration::from_millis(2);

/// The takes that are left.
#[derive(Debug, Default)]
pub(super) struct Leftovers {
    takes: VecDeque<Left>,
    /// When the first of them had its turn, or its receiver, last.
    turn: HostNanos,
}

#[derive(Debug)]
struct Left {
    place: Place,
    sender: Sender,
    to: Option<SocketAddr>,
    waiting: Option<Vec<u8>>,
}

impl Leftovers {
    /// Another one.
    pub(super) fn add(&mut self, now: HostNanos, place: Place, left: Leftover, keyed: Option<Keyed>) {
        let Some(origin) = place.origin() else { return };
        let (seed, _) = uuid::Uuid::new_v4().as_u64_pair();
        let config = SenderConfig { mode: SendMode::Live, keyed, ..SenderConfig::default() };
        let sender = Sender::resume(config, origin.description.clone(), seed, now, left);
        if self.takes.is_empty() {
            self.turn = now;
        }
        self.takes.push_back(Left { place, sender, to: None, waiting: None });
    }

    /// Goes on with another key.
    pub(super) fn set_key(&mut self, now: HostNanos, secret: &mut Secret) {
        for left in &mut self.takes {
            left.waiting = None;
            left.sender.set_key(now, secret.keyed());
        }
    }

    /// How many are left, and how many entries they owe.
    pub(super) fn owed(&self) -> (usize, u64) {
        let owes = |left: &Left| left.sender.stats().entries.saturating_sub(left.sender.stats().durable.0);
        (self.takes.len(), self.takes.iter().map(owes).sum())
    }

    /// The place and the sender of a take.
    pub(super) fn find(&mut self, key: Key) -> Option<(&mut Place, &mut Sender)> {
        let left = self.takes.iter_mut().find(|left| left.place.key == key)?;
        Some((&mut left.place, &mut left.sender))
    }

    /// Hands a datagram to the take whose session it bears. False when there is none here.
    pub(super) fn handle_datagram(&mut self, now: HostNanos, session: SessionId, datagram: &[u8]) -> bool {
        let Some(left) = self.takes.iter_mut().find(|left| left.sender.session() == session) else { return false };
        left.sender.handle_datagram(now, datagram);
        true
    }

    /// Passes on what the spool is to do.
    pub(super) fn serve(&mut self, now: HostNanos, disk: &Disk) {
        for left in &mut self.takes {
            disk.serve(now, &mut left.place, &mut left.sender, None);
        }
    }

    /// Sends for the take whose turn it is, to where `target` says.
    pub(super) fn work(
        &mut self,
        now: HostNanos,
        sockets: &mut Sockets,
        disk: &Disk,
        target: impl Fn(&Place) -> Option<SocketAddr>,
    ) {
        let Some(left) = self.takes.front_mut() else { return };
        let to = target(&left.place);
        if to != left.to {
            left.to = to;
            left.waiting = None;
            left.sender.reconnect(now);
        }
        if left.sender.poll_timeout().is_some_and(|due| due <= now) {
            left.sender.handle_timeout(now);
        }
        while left.sender.poll_event().is_some() {}
        left.send(now, sockets);
        match left.sender.state() {
            SenderState::Connected | SenderState::Closing => self.turn = now,
            SenderState::Finished => {
                disk.discard(left.place.key);
                self.takes.pop_front();
                self.turn = now;
            }
            _ if now.since(self.turn) >= TURN => {
                self.takes.rotate_left(1);
                self.turn = now;
            }
            _ => {}
        }
    }

    /// When there is something to do again.
    pub(super) fn due(&self, now: HostNanos) -> Option<HostNanos> {
        let left = self.takes.front().filter(|left| left.to.is_some())?;
        if left.waiting.is_some() { Some(now.after(BUSY_PAUSE)) } else { left.sender.poll_timeout() }
    }
}

impl Left {
    fn send(&mut self, now: HostNanos, sockets: &mut Sockets) {
        let Some(to) = self.to else { return };
        let mut datagram = Vec::new();
        for _ in 0..BATCH {
            match self.waiting.take() {
                Some(waiting) => datagram = waiting,
                None if self.sender.poll_transmit(now, &mut datagram) => {}
                None => break,
            }
            if matches!(sockets.send(to, &datagram, self.sender.heeds_marks(&datagram)), Sent::Busy) {
                self.waiting = Some(datagram);
                return;
            }
        }
        let _ = sockets.flush();
    }
}
