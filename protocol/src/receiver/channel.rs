//! The datagrams of one session, in both directions: in clear, or sealed with the session's keys.

use crate::packet::header;
use crate::packet::{Head, Kind};
use crate::secure::SessionKeys;
use crate::units::{PacketNumber, SessionId};

/// A session's keys, and what the receiver has sent in it.
#[derive(Debug, Default)]
pub(super) struct Channel {
    /// With a key.
    pub(super) keys: Option<SessionKeys>,
    /// Datagrams sent in the session.
    packet: PacketNumber,
}

impl Channel {
    /// Writes a datagram to the sender.
    pub(super) fn write(&mut self, out: &mut Vec<u8>, kind: Kind, session: SessionId, payload: &[u8]) {
        let head = Head::new(kind, session, self.packet);
        self.packet.0 += 1;
        match &self.keys {
            Some(keys) => {
                header::write_sealed(out, head, payload, &keys.send);
            }
            None => header::write(out, head, payload),
        }
    }

    /// The payload of a datagram from the sender; `None` when it is not authentic.
    pub(super) fn open<'a>(&self, head: &Head, payload: &'a [u8], datagram: &[u8], text: &'a mut Vec<u8>) -> Option<&'a [u8]> {
        match &self.keys {
            Some(keys) if head.is_sealed() => header::open(datagram, head, &keys.receive, text),
            None if !head.is_sealed() => Some(payload),
            _ => None,
        }
    }
}
