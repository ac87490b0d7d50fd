//! What a sender does with a key (spec/security.md): it speaks in clear to nobody, and heeds only what is authentic.

use std::collections::VecDeque;

use crate::packet::header;
use crate::packet::hello::{Cookie, Front, Hello, Refusal, prologue};
use crate::packet::{Head, Kind};
use crate::replay::ReplayWindow;
use crate::secure::noise::Initiator;
use crate::secure::refusal::{CODE_LEN, Question, RefusalKey};
use crate::secure::{Keyed, SessionKeys, TAG_LEN};
use crate::units::{PacketNumber, SessionId};

/// Probes that a receiver may refuse for want of a session: those of more than a second.
const PROBES: usize = 32;

/// What a sender keeps of its key and its session's.
#[derive(Debug)]
pub(super) struct Security {
    keyed: Keyed,
    refusals: RefusalKey,
    /// Ephemeral keys made so far.
    ephemerals: u64,
    /// The handshake that was begun with the cookie at hand, and its message.
    handshake: Option<Box<(Initiator, Vec<u8>)>>,
    keys: Option<SessionKeys>,
    window: ReplayWindow,
    /// The newest probes' numbers and tags.
    probes: VecDeque<(PacketNumber, [u8; TAG_LEN])>,
    text: Vec<u8>,
}

impl Security {
    pub(super) fn new(keyed: Keyed) -> Self {
        Self {
            keyed,
            refusals: RefusalKey::new(&keyed.psk),
            ephemerals: 0,
            handshake: None,
            keys: None,
            window: ReplayWindow::default(),
            probes: VecDeque::new(),
            text: Vec::new(),
        }
    }

    /// Another session begins.
    pub(super) fn begin_session(&mut self) {
        self.handshake = None;
        self.keys = None;
        self.window = ReplayWindow::default();
        self.probes.clear();
    }

    /// Another cookie came: the handshake is tied to it, and begins anew.
    pub(super) fn begin_handshake(&mut self) {
        self.handshake = None;
    }

    /// Writes a hello's payload. Without a cookie there is nothing to say yet. With one, what is said is the same each time.
    pub(super) fn write_hello(&mut self, session: SessionId, hello: &Hello, out: &mut Vec<u8>) {
        let front = Front { versions: hello.versions, cookie: hello.cookie };
        if hello.cookie == Cookie::default() {
            return front.write_sealed(&[], out);
        }
        let handshake = self.handshake.get_or_insert_with(|| {
            self.ephemerals += 1;
            let ephemeral = self.keyed.random.number(self.ephemerals);
            let mut asking = Initiator::new(&self.keyed.psk, &prologue(session, &front), ephemeral);
            let mut message = Vec::new();
            hello.write_secret(&mut self.text);
            asking.write(&self.text, &mut message);
            Box::new((asking, message))
        });
        front.write_sealed(&handshake.1, out);
    }

    /// Reads a hello-ack's payload; from then on there are keys.
    pub(super) fn finish_handshake(&mut self, payload: &[u8]) -> Option<&[u8]> {
        let (asking, _) = &mut **self.handshake.as_mut()?;
        self.text.clear();
        self.keys = Some(asking.finish(payload, &mut self.text)?);
        self.handshake = None;
        Some(&self.text)
    }

    /// Writes a datagram of the session.
    pub(super) fn write(&mut self, out: &mut Vec<u8>, head: Head, payload: &[u8]) {
        // Without keys only hellos are sent, and those go another way.
        let Some(keys) = &self.keys else { return out.clear() };
        let tag = header::write_sealed(out, head, payload, &keys.send);
        if head.kind == Kind::Probe {
            if self.probes.len() == PROBES {
                self.probes.pop_front();
            }
            self.probes.push_back((head.packet, tag));
        }
    }

    /// Opens a datagram of the session: its payload goes to `text`. `None` when it is not authentic, or came before.
    pub(super) fn open(&mut self, datagram: &[u8], head: &Head, text: &mut Vec<u8>) -> Option<()> {
        let keys = self.keys.as_ref().filter(|_| head.is_sealed())?;
        let len = header::open(datagram, head, &keys.receive, text)?.len();
        text.truncate(len);
        self.window.insert(head.packet).then_some(())
    }

    /// Whether the receiver refuses the hello that bears `cookie`.
    pub(super) fn refuses_hello(&self, session: SessionId, cookie: Cookie, payload: &[u8]) -> Option<Refusal> {
        self.check(session, Question::Hello(cookie), payload)
    }

    /// Whether the receiver refuses a probe of this session.
    pub(super) fn refuses_probe(&self, session: SessionId, packet: PacketNumber, payload: &[u8]) -> Option<Refusal> {
        let (_, tag) = self.probes.iter().find(|(number, _)| *number == packet)?;
        self.check(session, Question::Probe(packet, *tag), payload)
    }

    fn check(&self, session: SessionId, question: Question, payload: &[u8]) -> Option<Refusal> {
        let code = payload.get(1..1 + CODE_LEN)?;
        let reason = Refusal::read(payload).ok()?;
        self.refusals.is_authentic(session, question, reason, code).then_some(reason)
    }
}
