//! The socket of a replay, and the loop that drives its sender.

use std::io::ErrorKind;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use send_learn_protocol::packet::MAX_DATAGRAM;
use send_learn_protocol::sender::{Sender, SenderEvent, SenderState};
use send_learn_protocol::units::HostNanos;

use super::{Replay, ReplayError};
use crate::clock::now;

/// The longest wait for a datagram: what else there is to do is looked at again then.
const GLANCE: Duration = Duration::from_millis(20);

/// The shortest: a socket's timeout of zero would mean for ever.
const INSTANT: Duration = Duration::from_micros(200);

/// A file loses nothing by waiting: what the receiver has not on disk stays far below what the sender keeps.
const RETAINED: usize = 16 << 20;

pub(super) struct Link {
    pub(super) sender: Sender,
    socket: UdpSocket,
    to: SocketAddr,
    patience: Duration,
    /// When the receiver was last known to take what is sent.
    answered: Instant,
    finished: bool,
    outgoing: Vec<u8>,
    incoming: Vec<u8>,
}

impl Link {
    pub(super) fn open(sender: Sender, replay: &Replay<'_>) -> Result<Self, ReplayError> {
        let to = replay.to;
        let any: SocketAddr = if to.is_ipv4() { (Ipv4Addr::UNSPECIFIED, 0).into() } else { (Ipv6Addr::UNSPECIFIED, 0).into() };
        let socket = UdpSocket::bind(any).map_err(|source| ReplayError::Socket { to, source })?;
        Ok(Self {
            sender,
            socket,
            to,
            patience: replay.patience,
            answered: Instant::now(),
            finished: false,
            outgoing: Vec::new(),
            incoming: vec![0; MAX_DATAGRAM + 1],
        })
    }

    /// Waits until it is time, and the sender has room.
    pub(super) fn wait_until(&mut self, due: HostNanos) -> Result<(), ReplayError> {
        loop {
            let early = Duration::from_nanos(due.0.saturating_sub(now().0));
            if early.is_zero() && self.has_room() {
                return Ok(());
            }
            self.turn(if early.is_zero() { GLANCE } else { early })?;
        }
    }

    fn has_room(&self) -> bool {
        let connected = self.sender.state() == SenderState::Connected || self.sender.stats().entries == 0;
        connected && self.sender.has_room() && self.sender.stats().retained_bytes < RETAINED
    }

    /// Sends what there is, takes what has come, and waits for more at most so long.
    pub(super) fn turn(&mut self, wait: Duration) -> Result<(), ReplayError> {
        self.transmit();
        let timer = self.sender.poll_timeout().map_or(GLANCE, |due| Duration::from_nanos(due.0.saturating_sub(now().0)));
        let mut wait = wait.min(timer).min(GLANCE);
        loop {
            let _ = self.socket.set_read_timeout(Some(wait.max(INSTANT)));
            match self.socket.recv_from(&mut self.incoming) {
                Ok((length, from)) if from.port() == self.to.port() => self.sender.handle_datagram(now(), &self.incoming[..length]),
                Ok(_) => {}
                // Also what the network says of an earlier datagram; the timeouts say it too.
                Err(_) => break,
            }
            wait = Duration::ZERO;
            self.transmit();
        }
        self.sender.handle_timeout(now());
        self.transmit();
        while let Some(event) = self.sender.poll_event() {
            self.finished |= event == SenderEvent::Finished;
        }
        self.look()
    }

    /// Waits until the receiver has everything on disk.
    pub(super) fn until_durable(&mut self) -> Result<(), ReplayError> {
        while !self.finished {
            self.turn(GLANCE)?;
        }
        Ok(())
    }

    fn transmit(&mut self) {
        while self.sender.poll_transmit(now(), &mut self.outgoing) {
            while let Err(error) = self.socket.send_to(&self.outgoing, self.to) {
                if error.kind() != ErrorKind::Interrupted {
                    break;
                }
            }
        }
    }

    fn look(&mut self) -> Result<(), ReplayError> {
        let why = match self.sender.state() {
            SenderState::Connected | SenderState::Closing | SenderState::Finished => {
                self.answered = Instant::now();
                return Ok(());
            }
            SenderState::Refused(reason) => format!("it declined: {reason}"),
            SenderState::Connecting => "is `send-learn serve` running there, and does no firewall block UDP?".to_owned(),
        };
        if self.answered.elapsed() < self.patience {
            return Ok(());
        }
        Err(ReplayError::Silent { to: self.to, seconds: self.patience.as_secs(), why })
    }
}
