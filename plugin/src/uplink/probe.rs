//! The test of an address: one hello that asks for nothing but an answer. A receiver that gets it keeps nothing.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use send_learn_protocol::packet::header::{self, FLAG_SEALED, VERSION};
use send_learn_protocol::packet::hello::{Description, Front, Hello, Refusal};
use send_learn_protocol::packet::{Head, Kind};
use send_learn_protocol::units::{HostId, HostNanos, MachineId, PacketNumber, SessionId, SourceNumber, StreamId, TakeId};

use crate::report::Tested;
use crate::socket::Sockets;

/// The hello is repeated after this, until [`PATIENCE`] is over.
const REPEAT: Duration = Duration::from_millis(300);
const PATIENCE: Duration = Duration::from_millis(1_500);

#[derive(Debug)]
pub(super) struct Probe {
    session: SessionId,
    to: SocketAddr,
    outcome: Arc<Mutex<Tested>>,
    started: HostNanos,
    due: HostNanos,
    sent: u64,
    /// Whether this machine has a key.
    sealed: bool,
}

impl Probe {
    pub(super) fn new(now: HostNanos, to: SocketAddr, outcome: Arc<Mutex<Tested>>, sealed: bool) -> Self {
        let (session, _) = uuid::Uuid::new_v4().as_u64_pair();
        Self { session: SessionId(session), to, outcome, started: now, due: now, sent: 0, sealed }
    }

    pub(super) fn session(&self) -> SessionId {
        self.session
    }

    /// Something came that bears this test's session.
    pub(super) fn answered(&self, now: HostNanos, kind: Kind, payload: &[u8]) {
        let refusal = Refusal::read(payload).ok().filter(|_| kind == Kind::Refuse);
        *self.outcome.lock() = match refusal {
            Some(reason) => Tested::Failed(reason.to_string()),
            None => Tested::Answered { address: self.to, after: now.since(self.started) },
        };
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
            let flags = if self.sealed { FLAG_SEALED } else { 0 };
            let head = Head { flags, ..Head::new(Kind::Hello, self.session, PacketNumber(self.sent)) };
            header::write(&mut datagram, head, &hello(self.sealed));
            self.sent += 1;
            let _ = sockets.send(self.to, &datagram, false);
            let _ = sockets.flush();
        }
        true
    }

    pub(super) fn due(&self) -> HostNanos {
        self.due.min(self.started.after(PATIENCE))
    }
}

fn hello(sealed: bool) -> Vec<u8> {
    let description = Description {
        stream: StreamId::random(),
        take: TakeId::random(),
        host: HostId::default(),
        machine: MachineId::default(),
        sample_rate: 48_000.0,
        channels: 0,
        max_block: 0,
        started_unix_nanos: 0,
        started: HostNanos(0),
        properties: Vec::new(),
    };
    let mut payload = Vec::new();
    let (first, next) = (SourceNumber(0), SourceNumber(0));
    if sealed {
        // Before there is a cookie, nothing is said.
        Front { versions: (VERSION, VERSION), cookie: [0; 16] }.write_sealed(&[], &mut payload);
    } else {
        Hello { versions: (VERSION, VERSION), cookie: [0; 16], first, next, description }.write(&mut payload);
    }
    payload
}
