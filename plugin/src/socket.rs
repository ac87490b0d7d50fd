//! All socket work of the studio machine: one UDP socket per address family, shared by every stream of the process.
//!
//! Datagrams that go to one receiver at one time leave in one call of the system, where it can do that (GSO). That undoes no pacing:
//! what may go now is decided before, and a batch waits for nothing.

mod alarm;
mod batch;

use std::io::{self, IoSliceMut};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use mio::net::UdpSocket;
use mio::{Events, Interest, Poll, Token, Waker};
use quinn_udp::{EcnCodepoint, RecvMeta, Transmit, UdpSockRef, UdpSocketState};
use send_learn_protocol::arrival::ArrivalClock;
use send_learn_protocol::units::HostNanos;
use socket2::{Domain, Protocol, SockRef, Socket, Type};

use crate::clock;
use alarm::Alarm;
use batch::Batch;

const WAKE: Token = Token(0);
const V4: Token = Token(1);
const V6: Token = Token(2);
const ALARM: Token = Token(3);

/// Asked of the system for each direction, in bytes: a second of sixteen stereo streams. The system may grant less.
pub const BUFFER: usize = 4 << 20;

/// Room for each datagram of a coalesced batch. Longer ones are none of ours, and are cut.
const DATAGRAM: usize = 1_500;

/// Coalesced batches that are read in one call: a receiver sends little.
const SLOTS: usize = 8;

/// Calls that read at most in one go, so that sending is not starved.
const READS: usize = 16;

/// What became of a datagram.
#[derive(Debug)]
pub enum Sent {
    /// The system took it, or it waits for others to go with it until the next [`Sockets::flush`].
    Done,
    /// The system's buffer is full: try again a little later.
    Busy,
    /// It, or one before it to the same receiver, cannot be sent.
    Failed(io::Error),
}

/// What the system granted of [`BUFFER`], in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Granted {
    /// For datagrams that wait to be sent.
    pub send: usize,
    /// For datagrams that wait to be read.
    pub receive: usize,
}

/// The sockets, and what wakes their thread.
#[derive(Debug)]
pub struct Sockets {
    poll: Poll,
    events: Events,
    alarm: Alarm,
    v4: Option<Endpoint>,
    v6: Option<Endpoint>,
    /// Whether datagrams may have come that were not read.
    heard: bool,
    batch: Batch,
    granted: Granted,
}

#[derive(Debug)]
struct Endpoint {
    socket: UdpSocket,
    state: UdpSocketState,
    arrivals: ArrivalClock,
    buffer: Vec<u8>,
    slot: usize,
    /// The last reading ended with an error: there may be more, of which the poll will not tell.
    failed: bool,
}

impl Sockets {
    /// Sockets are opened when the first datagram for their address family is sent.
    ///
    /// # Errors
    /// When the system has no more file descriptors.
    pub fn new() -> io::Result<(Self, Arc<Waker>)> {
        let poll = Poll::new()?;
        let waker = Arc::new(Waker::new(poll.registry(), WAKE)?);
        let alarm = Alarm::new(&poll, ALARM)?;
        let (batch, granted) = (Batch::default(), Granted::default());
        let sockets = Self { poll, events: Events::with_capacity(8), alarm, v4: None, v6: None, heard: false, batch, granted };
        Ok((sockets, waker))
    }

    /// Sends one datagram, at the latest with the next [`flush`](Self::flush). `markable`: a queue on the way may mark it instead
    /// of dropping it (ECN, RFC 3168).
    pub fn send(&mut self, to: SocketAddr, datagram: &[u8], markable: bool) -> Sent {
        if !self.batch.takes(to, datagram.len(), markable) {
            match self.flush_to(to) {
                Sent::Done => {}
                other => return other,
            }
        }
        let limit = match self.endpoint(to) {
            Ok(endpoint) => endpoint.state.max_gso_segments(),
            Err(error) => return Sent::Failed(error),
        };
        self.batch.limit(limit);
        match self.batch.push(to, datagram, markable) {
            // The datagram is in the batch, which is sent later if it cannot be sent now.
            true => match self.flush_to(to) {
                Sent::Busy => Sent::Done,
                other => other,
            },
            false => Sent::Done,
        }
    }

    /// Sends what waits.
    pub fn flush(&mut self) -> Sent {
        let Some(to) = self.batch.to() else { return Sent::Done };
        self.flush_to(to)
    }

    /// Whether something waits for room in the system's buffer.
    pub fn is_waiting(&self) -> bool {
        self.batch.to().is_some()
    }

    /// What the system granted to the socket that was opened last; zeros before the first.
    pub fn granted(&self) -> Granted {
        self.granted
    }

    /// Hands over the datagrams that have come, a bounded number of them, and when each came. True when there may be more.
    pub fn receive(&mut self, mut take: impl FnMut(HostNanos, &[u8])) -> bool {
        self.heard = false;
        for endpoint in self.v4.iter_mut().chain(&mut self.v6) {
            self.heard |= (0..READS).all(|_| endpoint.receive(&mut take));
        }
        self.heard
    }

    /// Whether datagrams may have come since [`receive`](Self::receive) found none, as the last [`wait`](Self::wait) showed.
    pub fn has_heard(&self) -> bool {
        self.heard
    }

    /// Sleeps until a datagram comes, the waker is used, or `timeout` has passed.
    pub fn wait(&mut self, timeout: Duration) {
        self.alarm.wait(&mut self.poll, &mut self.events, timeout);
        let told = self.events.iter().any(|event| [V4, V6].contains(&event.token()));
        self.heard |= told || self.v4.iter().chain(&self.v6).any(|endpoint| endpoint.failed);
    }

    /// Sends what waits. An error is told only if it is of what goes to `to`: others do without.
    fn flush_to(&mut self, to: SocketAddr) -> Sent {
        let Some(waits_for) = self.batch.to() else { return Sent::Done };
        let endpoint = if waits_for.is_ipv4() { &self.v4 } else { &self.v6 };
        let Some(endpoint) = endpoint else { return Sent::Done };
        let ecn = self.batch.is_markable().then_some(EcnCodepoint::Ect0);
        let sent = self.batch.send(|contents, segment_size| {
            let transmit = Transmit { destination: waits_for, ecn, contents, segment_size, src_ip: None };
            endpoint.state.try_send(UdpSockRef::from(&endpoint.socket), &transmit)
        });
        match sent {
            Ok(()) => Sent::Done,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Sent::Busy,
            Err(error) if waits_for == to => Sent::Failed(error),
            Err(_) => Sent::Done,
        }
    }

    fn endpoint(&mut self, to: SocketAddr) -> io::Result<&Endpoint> {
        let (slot, token) = if to.is_ipv4() { (&mut self.v4, V4) } else { (&mut self.v6, V6) };
        match slot {
            Some(endpoint) => Ok(endpoint),
            None => {
                let (endpoint, granted) = Endpoint::open(&self.poll, to, token)?;
                self.granted = granted;
                Ok(slot.insert(endpoint))
            }
        }
    }
}

impl Endpoint {
    fn open(poll: &Poll, to: SocketAddr, token: Token) -> io::Result<(Self, Granted)> {
        let any: SocketAddr = if to.is_ipv4() { (Ipv4Addr::UNSPECIFIED, 0).into() } else { (Ipv6Addr::UNSPECIFIED, 0).into() };
        let socket = Socket::new(Domain::for_address(to), Type::DGRAM, Some(Protocol::UDP))?;
        // A refusal shows in what is granted.
        let _ = socket.set_send_buffer_size(BUFFER);
        let _ = socket.set_recv_buffer_size(BUFFER);
        let granted = granted(&SockRef::from(&socket));
        socket.set_nonblocking(true)?;
        socket.bind(&any.into())?;
        let mut socket = UdpSocket::from_std(socket.into());
        let state = UdpSocketState::new(UdpSockRef::from(&socket))?;
        poll.registry().register(&mut socket, token, Interest::READABLE)?;
        let slot = state.gro_segments() * DATAGRAM;
        let (arrivals, buffer) = (ArrivalClock::default(), vec![0; slot * SLOTS]);
        Ok((Self { socket, state, arrivals, buffer, slot, failed: false }, granted))
    }

    /// Reads one batch; false when there was none.
    fn receive(&mut self, take: &mut impl FnMut(HostNanos, &[u8])) -> bool {
        let (now, wall) = clock::now_and_wall();
        self.arrivals.read(now, wall);
        let mut metas = [RecvMeta::default(); SLOTS];
        let mut slots: Vec<IoSliceMut<'_>> = self.buffer.chunks_exact_mut(self.slot).map(IoSliceMut::new).collect();
        // Any error ends the reading: what it says (an ICMP answer to an earlier datagram) the timeouts say too.
        let received = self.state.recv(UdpSockRef::from(&self.socket), &mut slots, &mut metas);
        self.failed = received.as_ref().is_err_and(|error| error.kind() != io::ErrorKind::WouldBlock);
        let Ok(count) = received else {
            self.arrivals.found_empty();
            return false;
        };
        let (now, wall) = clock::now_and_wall();
        self.arrivals.read(now, wall);
        for (meta, slot) in metas.iter().zip(&slots).take(count) {
            let at = self.arrivals.arrival(meta.timestamp);
            slot[..meta.len].chunks(meta.stride.max(1)).for_each(|datagram| take(at, datagram));
        }
        true
    }
}

/// Linux counts its own bookkeeping in, and gives back twice what it grants.
fn granted(socket: &SockRef<'_>) -> Granted {
    let share = if cfg!(target_os = "linux") { 2 } else { 1 };
    let bytes = |size: io::Result<usize>| size.unwrap_or(0) / share;
    Granted { send: bytes(socket.send_buffer_size()), receive: bytes(socket.recv_buffer_size()) }
}

#[cfg(test)]
mod tests {
    use std::net::UdpSocket as StdUdpSocket;

    use super::*;

    fn peer() -> (StdUdpSocket, SocketAddr) {
        let peer = StdUdpSocket::bind("127.0.0.1:0").unwrap();
        peer.set_read_timeout(Some(Duration::from_secs(2))).unwrap();
        let to = peer.local_addr().unwrap();
        (peer, to)
    }

    #[test]
    fn datagrams_of_every_length_come_as_they_were_sent_and_in_order() {
        let (peer, to) = peer();
        let (mut sockets, _waker) = Sockets::new().unwrap();
        let lengths = [1_200, 1_200, 1_200, 700, 64, 1_200, 1_200, 1_180, 1_199, 64, 64, 1_200];
        let datagrams: Vec<Vec<u8>> = (0_u8..).zip(lengths).map(|(n, len)| vec![n; len]).collect();
        for (n, datagram) in datagrams.iter().enumerate() {
            assert!(matches!(sockets.send(to, datagram, n % 5 != 0), Sent::Done));
        }
        assert!(matches!(sockets.flush(), Sent::Done));
        assert!(!sockets.is_waiting());
        let mut buffer = [0; 2_000];
        for datagram in &datagrams {
            let len = peer.recv(&mut buffer).unwrap();
            assert_eq!(&buffer[..len], &datagram[..]);
        }
    }

    #[test]
    fn an_answer_comes_with_the_time_of_its_arrival_and_not_of_its_reading() {
        let (peer, to) = peer();
        let (mut sockets, _waker) = Sockets::new().unwrap();
        // The system begins to stamp a moment after the first socket asks for it.
        for _ in 0..100 {
            sockets.send(to, &[0; 64], false);
            let (_, from) = peer.recv_from(&mut [0; 100]).unwrap();
            while sockets.receive(|_, _| {}) {}
            let before = clock::now();
            peer.send_to(&[1; 64], from).unwrap();
            let sent = clock::now();
            std::thread::sleep(Duration::from_millis(20));
            let mut came = None;
            sockets.receive(|at, _| came = Some(at));
            let came = came.expect("it has come");
            assert!(came >= before);
            if !cfg!(target_os = "linux") || came.since(sent) < Duration::from_millis(10) {
                return;
            }
        }
        panic!("every datagram was dated by its reading");
    }

    #[test]
    fn a_wait_ends_with_its_time_or_with_a_datagram_and_says_which() {
        let (peer, to) = peer();
        let (mut sockets, _waker) = Sockets::new().unwrap();
        sockets.send(to, &[0; 64], false);
        let (_, from) = peer.recv_from(&mut [0; 100]).unwrap();
        for micros in [300, 1_700, 4_200] {
            let (start, timeout) = (clock::now(), Duration::from_micros(micros));
            sockets.wait(timeout);
            assert!(clock::now().since(start) >= timeout && !sockets.has_heard());
        }
        for _ in 0..3 {
            peer.send_to(&[1; 64], from).unwrap();
            let start = clock::now();
            while !sockets.has_heard() {
                sockets.wait(Duration::from_secs(3));
            }
            assert!(clock::now().since(start) < Duration::from_secs(2));
            while sockets.receive(|_, datagram| assert_eq!(datagram, [1; 64])) {}
            assert!(!sockets.has_heard());
        }
    }

    #[test]
    fn two_receivers_get_each_its_own() {
        let ((first, to_first), (second, to_second)) = (peer(), peer());
        let (mut sockets, _waker) = Sockets::new().unwrap();
        for n in 0..6_u8 {
            sockets.send(if n % 3 == 2 { to_second } else { to_first }, &[n; 1_000], false);
        }
        sockets.flush();
        let mut buffer = [0; 2_000];
        let mut read = |peer: &StdUdpSocket| peer.recv(&mut buffer).map(|len| (buffer[0], len)).unwrap();
        assert_eq!([0, 1, 3, 4].map(|_| read(&first)), [0, 1, 3, 4].map(|n| (n, 1_000)));
        assert_eq!([2, 5].map(|_| read(&second)), [2, 5].map(|n| (n, 1_000)));
    }
}
