//! Refusals that are authentic though there is no session.
//!
//! The code covers what the refusal answers: a hello's cookie, or the tag of a probe. Both are chosen by the one who gets the
//! refusal, or made for it alone, so that nobody can have the receiver say something once and repeat it at a better time.

use blake2::digest::Mac;

use super::{Psk, mac_16};
use crate::packet::hello::Refusal;
use crate::units::{PacketNumber, SessionId};

/// Bytes of the code.
pub const CODE_LEN: usize = 16;

/// What is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Question {
    /// A hello, with the cookie that it bears.
    Hello([u8; 16]),
    /// A probe of an unknown session, with its number and its last 16 bytes: its tag, if it is sealed.
    Probe(PacketNumber, [u8; 16]),
}

/// Makes and checks refusals' codes.
#[derive(Clone)]
pub struct RefusalKey([u8; 32]);

impl std::fmt::Debug for RefusalKey {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("RefusalKey")
    }
}

impl RefusalKey {
    /// For the members of a studio.
    pub fn new(psk: &Psk) -> Self {
        Self(psk.derive(b"Send Learn refusal"))
    }

    /// The code of a refusal.
    pub fn code(&self, session: SessionId, question: Question, reason: Refusal) -> [u8; CODE_LEN] {
        self.mac(session, question, reason).finalize().into_bytes().into()
    }

    /// Whether `code` belongs to this refusal. Takes the same time for every wrong one.
    pub fn is_authentic(&self, session: SessionId, question: Question, reason: Refusal, code: &[u8]) -> bool {
        self.mac(session, question, reason).verify_slice(code).is_ok()
    }

    fn mac(&self, session: SessionId, question: Question, reason: Refusal) -> blake2::Blake2sMac<blake2::digest::consts::U16> {
        let (asked, packet, echo) = match question {
            Question::Hello(cookie) => (1, 0, cookie),
            Question::Probe(packet, tag) => (2, packet.0, tag),
        };
        mac_16(&self.0, &[&session.0.to_le_bytes(), &[asked, reason as u8], &packet.to_le_bytes(), &echo])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_good_for_its_refusal_alone() {
        let key = RefusalKey::new(&Psk::from_bytes([1; 32]));
        let (session, hello) = (SessionId(5), Question::Hello([7; 16]));
        let code = key.code(session, hello, Refusal::Closing);
        assert!(key.is_authentic(session, hello, Refusal::Closing, &code));
        assert!(!key.is_authentic(SessionId(6), hello, Refusal::Closing, &code));
        assert!(!key.is_authentic(session, Question::Hello([8; 16]), Refusal::Closing, &code));
        assert!(!key.is_authentic(session, Question::Probe(PacketNumber(0), [7; 16]), Refusal::Closing, &code));
        assert!(!key.is_authentic(session, hello, Refusal::Complete, &code));
        assert!(!key.is_authentic(session, hello, Refusal::Closing, &code[..15]));
        assert!(!key.is_authentic(session, hello, Refusal::Closing, &[]));
        assert!(!RefusalKey::new(&Psk::from_bytes([2; 32])).is_authentic(session, hello, Refusal::Closing, &code));
    }
}
