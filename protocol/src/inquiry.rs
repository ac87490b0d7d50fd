//! A question: is a receiver there, and does it have the same key? One hello that asks for nothing but an answer; a receiver that gets
//! it keeps nothing.
//!
//! The hello is not sealed. So a receiver with a key declines it, and the code of that refusal (spec/security.md, section 5) is
//! authentic to those who have the key.

use crate::packet::header::{self, VERSION};
use crate::packet::hello::{Description, Hello, Refusal};
use crate::packet::{Head, Kind};
use crate::secure::Psk;
use crate::secure::refusal::{CODE_LEN, Question, RefusalKey};
use crate::units::{HostId, HostNanos, MachineId, PacketNumber, SessionId, SourceNumber, StreamId, TakeId};

/// No receiver has made this cookie: it answers with one.
const NO_COOKIE: [u8; 16] = [0; 16];

/// A question, until it is answered.
#[derive(Clone, Debug)]
pub struct Inquiry {
    session: SessionId,
    key: Option<RefusalKey>,
    sent: u64,
}

impl Inquiry {
    /// `session`: a random number. `psk`: the key of this machine, if it has one.
    pub fn new(session: SessionId, psk: Option<&Psk>) -> Self {
        Self { session, key: psk.map(RefusalKey::new), sent: 0 }
    }

    /// What answers bear.
    pub fn session(&self) -> SessionId {
        self.session
    }

    /// Writes the datagram that asks, for the first time or again.
    pub fn write(&mut self, out: &mut Vec<u8>) {
        let description = Description {
            stream: StreamId::default(),
            take: TakeId::default(),
            host: HostId::default(),
            machine: MachineId::default(),
            sample_rate: 48_000.0,
            channels: 0,
            max_block: 0,
            started_unix_nanos: 0,
            started: HostNanos(0),
            properties: Vec::new(),
        };
        let (first, next) = (SourceNumber(0), SourceNumber(0));
        let mut payload = Vec::new();
        Hello { versions: (VERSION, VERSION), cookie: NO_COOKIE, first, next, description }.write(&mut payload);
        header::write(out, Head::new(Kind::Hello, self.session, PacketNumber(self.sent)), &payload);
        self.sent += 1;
    }

    /// What a datagram says of it: a receiver is there that would take a stream of this machine; or why it would not. `None` when the
    /// datagram is no answer.
    pub fn answer(&self, head: &Head, payload: &[u8]) -> Option<Result<(), Refusal>> {
        if head.session != self.session {
            return None;
        }
        match (head.kind, &self.key) {
            (Kind::Retry, None) => Some(Ok(())),
            (Kind::Retry, Some(_)) => Some(Err(Refusal::NoKey)),
            (Kind::Refuse, key) => match (Refusal::read(payload).ok()?, key) {
                (Refusal::KeyNeeded, Some(key)) => {
                    let code = payload.get(1..1 + CODE_LEN).unwrap_or_default();
                    let same = key.is_authentic(self.session, Question::Hello(NO_COOKIE), Refusal::KeyNeeded, code);
                    Some(if same { Ok(()) } else { Err(Refusal::WrongKey) })
                }
                (reason, _) => Some(Err(reason)),
            },
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use super::*;
    use crate::receiver::{Receiver, ReceiverConfig};
    use crate::units::ReceiverId;

    fn psk(byte: u8) -> Psk {
        Psk::from_bytes([byte; 32])
    }

    /// What somebody with the key `ours` learns of a receiver with the key `theirs`.
    fn ask(ours: Option<Psk>, theirs: Option<Psk>) -> Result<(), Refusal> {
        let config = ReceiverConfig {
            identity: ReceiverId::default(),
            max_streams: 1,
            max_streams_per_address: 1,
            secret: [7; 32],
            psk: theirs,
        };
        let now = HostNanos(1);
        let mut receiver = Receiver::new(config, now);
        let (mut inquiry, mut datagram) = (Inquiry::new(SessionId(5), ours.as_ref()), Vec::new());
        inquiry.write(&mut datagram);
        let asked = datagram.len();
        receiver.handle_datagram(now, SocketAddr::from(([127, 0, 0, 1], 9)), &datagram);
        assert!(receiver.poll_transmit(now, &mut datagram).is_some());
        assert!(datagram.len() <= asked, "no answer is larger than its question");
        assert!(receiver.poll_event().is_none(), "the receiver keeps nothing");
        let (head, payload) = header::read(&datagram).unwrap();
        inquiry.answer(&head, payload).unwrap()
    }

    #[test]
    fn a_receiver_with_the_same_key_or_none_on_both_sides_is_good() {
        assert_eq!(ask(None, None), Ok(()));
        assert_eq!(ask(Some(psk(1)), Some(psk(1))), Ok(()));
    }

    #[test]
    fn what_is_wrong_with_the_key_is_said() {
        assert_eq!(ask(None, Some(psk(1))), Err(Refusal::KeyNeeded));
        assert_eq!(ask(Some(psk(1)), None), Err(Refusal::NoKey));
        assert_eq!(ask(Some(psk(1)), Some(psk(2))), Err(Refusal::WrongKey));
    }
}
