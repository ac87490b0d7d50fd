//! How sessions begin, and how one is declined: hello, retry, hello-ack, refuse (spec/wire-format.md, section 3; spec/security.md).
//! What costs least is checked first.

use super::past::How;
use super::*;
use crate::packet::header::FLAG_SEALED;
use crate::packet::hello::{Cookie, Front, prologue};
use crate::secure::noise::Responder;
use crate::secure::refusal::{CODE_LEN, Question};

/// What a sender asks for, and with a key the handshake that it began.
struct Asked {
    hello: Hello,
    responder: Option<Box<Responder>>,
}

impl Receiver {
    pub(super) fn on_hello(&mut self, now: HostNanos, from: SocketAddr, head: &Head, payload: &[u8]) -> Result<(), Rejection> {
        let id = head.session;
        let (front, body) = Front::read(payload, head.is_sealed()).map_err(|_| Rejection::Malformed)?;
        match (&self.security, head.is_sealed()) {
            (Some(_), false) => return self.decline(from, id, front.cookie, Refusal::KeyNeeded, Rejection::KeyNeeded),
            (None, true) => return self.decline(from, id, front.cookie, Refusal::NoKey, Rejection::NoKey),
            _ => {}
        }
        if let Some(session) = self.sessions.get(&id) {
            // The answer was lost, or is still awaited.
            if session.peer != from {
                return Err(Rejection::OtherAddress);
            }
            if session.accepted {
                let (durable, again) = (session.stats.durable, session.answer.clone());
                match again {
                    Some(answer) => self.queue(from, answer),
                    None => self.answer_accepted(from, id, durable),
                }
            }
            return Ok(());
        }
        if !self.cookies.check(now, from, id, &front.cookie) {
            let cookie = self.cookies.make(now, from, id);
            self.answer(from, Head::new(Kind::Retry, id, PacketNumber(0)), &cookie);
            return Ok(());
        }
        self.past.forget(now);
        if let Some(ended) = self.past.get_mut(id) {
            let reason = match ended.how {
                How::Refused(reason) => reason,
                How::Dropped => Refusal::UnknownSession,
                How::Closed { .. } => return Err(Rejection::Repeated),
            };
            return self.decline(from, id, front.cookie, reason, Rejection::Repeated);
        }
        if !(front.versions.0..=front.versions.1).contains(&VERSION) {
            return self.decline(from, id, front.cookie, Refusal::Version, Rejection::Version);
        }
        // Unanswered: the sender asks again.
        if !self.past.has_room(self.sessions.len()) || !self.handshakes.may_ask(now, from) {
            return Err(Rejection::TooFast);
        }
        let Some(asked) = self.read_hello(id, front, body)? else {
            return self.decline(from, id, front.cookie, Refusal::WrongKey, Rejection::WrongKey);
        };
        if !self.handshakes.may_begin(now) {
            return Err(Rejection::TooFast);
        }
        self.open(now, from, id, asked)
    }

    /// What a hello says; `None` when it was sealed with another key.
    fn read_hello(&mut self, id: SessionId, front: Front, body: &[u8]) -> Result<Option<Asked>, Rejection> {
        let read = |body| Hello::read_body(front, body).map_err(|_| Rejection::Malformed);
        let Some(security) = &mut self.security else { return Ok(Some(Asked { hello: read(body)?, responder: None })) };
        security.ephemerals += 1;
        let ephemeral = security.random.number(security.ephemerals);
        self.opened.clear();
        let responder = Responder::read(&security.psk, &prologue(id, &front), ephemeral, body, &mut self.opened);
        let Some(responder) = responder else { return Ok(None) };
        Ok(Some(Asked { hello: read(&self.opened)?, responder: Some(Box::new(responder)) }))
    }

    fn open(&mut self, now: HostNanos, from: SocketAddr, id: SessionId, asked: Asked) -> Result<(), Rejection> {
        let Asked { hello, responder } = asked;
        let network = caps::network(from);
        let take = hello.description.take;
        let replaced = self.sessions.iter().find(|(_, session)| session.take == take).map(|(id, _)| *id);
        if let Some(replaced) = replaced {
            self.end(now, replaced, How::Dropped);
        } else if self.sessions.len() >= self.config.max_streams {
            return self.decline(from, id, hello.cookie, Refusal::TooManyStreams, Rejection::TooManyStreams);
        } else if self.sessions.values().filter(|session| caps::network(session.peer) == network).count()
            >= self.config.max_streams_per_address
        {
            return self.decline(from, id, hello.cookie, Refusal::TooManyFromAddress, Rejection::TooManyFromAddress);
        }
        let mut session = Session::new(now, from, take, (hello.first, hello.next));
        (session.responder, session.cookie) = (responder, hello.cookie);
        self.sessions.insert(id, session);
        self.events.push_back(ReceiverEvent::Opened { session: id, peer: from, description: Box::new(hello.description) });
        Ok(())
    }

    /// Takes a session that was [`Opened`](ReceiverEvent::Opened).
    pub fn accept(&mut self, now: HostNanos, session: SessionId, held: Held) {
        let Some(open) = self.sessions.get_mut(&session) else { return };
        open.accept(now, Tracker::new(held.complete, &held.beyond));
        let (peer, durable) = (open.peer, open.stats.durable);
        self.events.extend(open.drain(session));
        let Some(responder) = open.responder.take() else { return self.answer_accepted(peer, session, durable) };
        HelloAck { receiver: self.config.identity, durable, version: VERSION }.write(&mut self.payload);
        let mut message = Vec::new();
        open.channel.keys = Some(responder.answer(&self.payload, &mut message));
        let head = Head { flags: FLAG_SEALED, ..Head::new(Kind::HelloAck, session, PacketNumber(0)) };
        let mut answer = Vec::new();
        header::write(&mut answer, head, &message);
        open.answer = Some(answer.clone());
        self.queue(peer, answer);
    }

    /// Declines a session that was [`Opened`](ReceiverEvent::Opened), or ends one that runs.
    pub fn refuse(&mut self, now: HostNanos, session: SessionId, reason: Refusal) {
        if let Some(open) = self.end(now, session, How::Refused(reason)) {
            self.tell_refused(session, open, reason);
        }
    }

    /// Ends all sessions and tells the senders why. They keep their data.
    pub fn close_all(&mut self, now: HostNanos, reason: Refusal) {
        let all: Vec<SessionId> = self.sessions.keys().copied().collect();
        all.into_iter().for_each(|session| self.refuse(now, session, reason));
    }

    /// Removes a session, and remembers that it was.
    pub(super) fn end(&mut self, now: HostNanos, id: SessionId, how: How) -> Option<Session> {
        let session = self.sessions.remove(&id)?;
        self.past.add(now, id, session.peer, how);
        Some(session)
    }

    /// A probe of a session that is not known: its sender learns at once that the receiver was restarted.
    pub(super) fn on_unknown_probe(&mut self, from: SocketAddr, head: &Head, payload: &[u8]) {
        // Probes are few. What is shorter than the answer is none.
        let Some(tag) = payload.last_chunk().filter(|_| payload.len() > CODE_LEN) else { return };
        let head = Head::new(Kind::Refuse, head.session, head.packet);
        self.answer_refused(from, head, Question::Probe(head.packet, *tag), Refusal::UnknownSession);
    }

    fn tell_refused(&mut self, id: SessionId, mut session: Session, reason: Refusal) {
        if session.channel.keys.is_some() {
            let mut answer = Vec::new();
            session.channel.write(&mut answer, Kind::Refuse, id, &[reason as u8]);
            self.queue(session.peer, answer);
        } else {
            let head = Head::new(Kind::Refuse, id, PacketNumber(0));
            self.answer_refused(session.peer, head, Question::Hello(session.cookie), reason);
        }
    }

    fn decline(&mut self, to: SocketAddr, id: SessionId, cookie: Cookie, reason: Refusal, why: Rejection) -> Result<(), Rejection> {
        self.answer_refused(to, Head::new(Kind::Refuse, id, PacketNumber(0)), Question::Hello(cookie), reason);
        Err(why)
    }

    fn answer_refused(&mut self, to: SocketAddr, head: Head, question: Question, reason: Refusal) {
        let mut payload = vec![reason as u8];
        if let Some(security) = &self.security {
            payload.extend_from_slice(&security.refusals.code(head.session, question, reason));
        }
        self.answer(to, head, &payload);
    }

    fn answer_accepted(&mut self, to: SocketAddr, session: SessionId, durable: SourceNumber) {
        HelloAck { receiver: self.config.identity, durable, version: VERSION }.write(&mut self.payload);
        let payload = std::mem::take(&mut self.payload);
        self.answer(to, Head::new(Kind::HelloAck, session, PacketNumber(0)), &payload);
        self.payload = payload;
    }
}
