//! All socket work of the studio machine: one UDP socket per address family, shared by every stream of the process.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use mio::net::UdpSocket;
use mio::{Events, Interest, Poll, Token, Waker};
use send_learn_protocol::packet::MAX_DATAGRAM;
use socket2::{Domain, Protocol, Socket, Type};

const WAKE: Token = Token(0);
const V4: Token = Token(1);
const V6: Token = Token(2);

/// Asked of the system for each direction, in bytes: a second of sixteen stereo streams. The system may grant less.
const BUFFER: usize = 4 << 20;

/// Datagrams read at most in one go, so that sending is not starved.
const READ_BATCH: usize = 256;

/// What became of a datagram.
#[derive(Debug)]
pub enum Sent {
    /// The system took it.
    Done,
    /// The system's buffer is full: try again a little later.
    Busy,
    /// It cannot be sent.
    Failed(io::Error),
}

/// The sockets, and what wakes their thread.
#[derive(Debug)]
pub struct Sockets {
    poll: Poll,
    events: Events,
    v4: Option<UdpSocket>,
    v6: Option<UdpSocket>,
    buffer: Vec<u8>,
}

impl Sockets {
    /// Sockets are opened when the first datagram for their address family is sent.
    ///
    /// # Errors
    /// When the system has no more file descriptors.
    pub fn new() -> io::Result<(Self, Arc<Waker>)> {
        let poll = Poll::new()?;
        let waker = Arc::new(Waker::new(poll.registry(), WAKE)?);
        let sockets = Self { poll, events: Events::with_capacity(8), v4: None, v6: None, buffer: vec![0; MAX_DATAGRAM + 1] };
        Ok((sockets, waker))
    }

    /// Sends one datagram.
    pub fn send(&mut self, to: SocketAddr, datagram: &[u8]) -> Sent {
        let (slot, token) = if to.is_ipv4() { (&mut self.v4, V4) } else { (&mut self.v6, V6) };
        let socket = match slot {
            Some(socket) => socket,
            None => match open(&self.poll, to, token) {
                Ok(socket) => slot.insert(socket),
                Err(error) => return Sent::Failed(error),
            },
        };
        loop {
            match socket.send_to(datagram, to) {
                Ok(_) => return Sent::Done,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Sent::Busy,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Sent::Failed(error),
            }
        }
    }

    /// Hands over the datagrams that have come, a bounded number of them. True when there may be more.
    pub fn receive(&mut self, mut take: impl FnMut(&[u8])) -> bool {
        let mut full = false;
        for socket in self.v4.iter().chain(&self.v6) {
            let mut count = 0;
            // Any error ends the batch: what it says (an ICMP answer to an earlier datagram) the timeouts say too.
            while count < READ_BATCH
                && let Ok((len, _)) = socket.recv_from(&mut self.buffer)
            {
                take(&self.buffer[..len]);
                count += 1;
            }
            full |= count == READ_BATCH;
        }
        full
    }

    /// Sleeps until a datagram comes, the waker is used, or `timeout` has passed. The system's timer counts in
    /// milliseconds; the rest of the time is slept without listening.
    pub fn wait(&mut self, timeout: Duration) {
        let whole = Duration::from_millis(timeout.as_millis() as u64);
        let _ = self.poll.poll(&mut self.events, Some(whole));
        if self.events.is_empty() && timeout > whole {
            std::thread::sleep(timeout - whole);
        }
    }
}

fn open(poll: &Poll, to: SocketAddr, token: Token) -> io::Result<UdpSocket> {
    let any: SocketAddr = if to.is_ipv4() { (Ipv4Addr::UNSPECIFIED, 0).into() } else { (Ipv6Addr::UNSPECIFIED, 0).into() };
    let socket = Socket::new(Domain::for_address(to), Type::DGRAM, Some(Protocol::UDP))?;
    let _ = socket.set_send_buffer_size(BUFFER);
    let _ = socket.set_recv_buffer_size(BUFFER);
    socket.set_nonblocking(true)?;
    socket.bind(&any.into())?;
    let mut socket = UdpSocket::from_std(socket.into());
    poll.registry().register(&mut socket, token, Interest::READABLE)?;
    Ok(socket)
}
