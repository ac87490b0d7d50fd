//! The test of an address: does a receiver answer that has this machine's key?

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use send_learn_protocol::inquiry::Inquiry;
use send_learn_protocol::packet::Head;
use send_learn_protocol::secure::Psk;
use send_learn_protocol::units::{HostNanos, SessionId};

use crate::report::Tested;
use crate::socket::Sockets;

/// The hello is repeated after this, until [`PATIENCE`] is over.
const REPEAT: Duration = Duration::from_millis(300);
const PATIENCE: Duration = Duration::from_millis(1_500);

#[derive(Debug)]
pub(super) struct Probe {
    inquiry: Inquiry,
    keyed: bool,
    to: SocketAddr,
    outcome: Arc<Mutex<Tested>>,
    started: HostNanos,
    due: HostNanos,
}

impl Probe {
    pub(super) fn new(now: HostNanos, to: SocketAddr, outcome: Arc<Mutex<Tested>>, psk: Option<&Psk>) -> Self {
        let (session, _) = uuid::Uuid::new_v4().as_u64_pair();
        Self { inquiry: Inquiry::new(SessionId(session), psk), keyed: psk.is_some(), to, outcome, started: now, due: now }
    }

    /// Something came. True when it answers this test, which is over then.
    pub(super) fn answered(&self, now: HostNanos, head: &Head, payload: &[u8]) -> bool {
        let Some(answer) = self.inquiry.answer(head, payload) else { return false };
        *self.outcome.lock() = match answer {
            Ok(()) => Tested::Answered { address: self.to, after: now.since(self.started), keyed: self.keyed },
            Err(reason) => Tested::Failed(reason.to_string()),
        };
        true
    }

    /// Sends what is due. False when the test is over without an answer.
    pub(super) fn work(&mut self, now: HostNanos, sockets: &mut Sockets) -> bool {
        if now.since(self.started) >= PATIENCE {
            *self.outcome.lock() = Tested::Silent { address: self.to };
            return false;
        }
        if now >= self.due {
            self.due = now.after(REPEAT);
            let mut datagram = Vec::new();
            self.inquiry.write(&mut datagram);
            let _ = sockets.send(self.to, &datagram, false);
            let _ = sockets.flush();
        }
        true
    }

    pub(super) fn due(&self) -> HostNanos {
        self.due.min(self.started.after(PATIENCE))
    }
}
