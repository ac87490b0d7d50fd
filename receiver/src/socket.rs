//! The receiver's sockets: one for datagrams, and a listener for viewers at the same address and port.

mod drops;

use std::io::{self, IoSliceMut};
use std::net::{SocketAddr, UdpSocket as StdUdpSocket};

use mio::net::{TcpListener, UdpSocket};
use quinn_udp::{BATCH_SIZE, EcnCodepoint, RecvMeta, Transmit, UdpSockRef, UdpSocketState};
use send_learn_protocol::arrival::ArrivalClock;
use send_learn_protocol::units::HostNanos;
use socket2::{Domain, Protocol, Socket, Type};

use crate::clock;

/// Asked of the kernel for datagrams that wait: 4 MiB hold 3,640 of them, more than half a second of 16 stereo streams. The
/// usual 208 KiB hold 92, which is 14 ms.
pub const RECEIVE_BUFFER: usize = 4 << 20;

/// Room for each datagram of a coalesced batch. Longer ones are none of ours, and are cut.
const DATAGRAM: usize = 1_500;

/// How often another port is tried when port 0 was asked for and the kernel's choice is taken for TCP.
const PORT_TRIES: usize = 16;

/// Why the receiver cannot listen.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SocketError {
    /// Something else listens there.
    #[error(
        "{address} is in use: another receiver, or another program, listens there ({protocol}). Stop it, or choose another \
         port with --listen."
    )]
    InUse {
        /// The address that was asked for.
        address: SocketAddr,
        /// `UDP` or `TCP`.
        protocol: &'static str,
    },
    /// The operating system refuses.
    #[error(
        "cannot listen on {address} ({protocol}): {source}. Choose an address of this machine, and a port above 1023, with --listen."
    )]
    Refused {
        /// The address that was asked for.
        address: SocketAddr,
        /// `UDP` or `TCP`.
        protocol: &'static str,
        /// What it said.
        source: io::Error,
    },
}

impl SocketError {
    fn new(address: SocketAddr, protocol: &'static str) -> impl FnOnce(io::Error) -> Self {
        move |source| match source.kind() {
            io::ErrorKind::AddrInUse => Self::InUse { address, protocol },
            _ => Self::Refused { address, protocol, source },
        }
    }
}

/// A datagram that has come.
#[derive(Clone, Copy, Debug)]
pub struct Arrived<'a> {
    /// When it came, by the kernel's time stamp where there is one.
    pub at: HostNanos,
    /// From where.
    pub from: SocketAddr,
    /// Whether a queue on the way has marked it (CE of RFC 3168).
    pub marked: bool,
    /// Its bytes.
    pub datagram: &'a [u8],
}

/// The datagram socket: receives in batches, never blocks.
pub struct Datagrams {
    /// To be registered with the poll.
    pub socket: UdpSocket,
    state: UdpSocketState,
    arrivals: ArrivalClock,
    granted: usize,
    buffer: Vec<u8>,
    slot: usize,
}

/// Binds both sockets to `address`. Port 0 finds one that is free for both.
///
/// # Errors
/// [`SocketError`].
pub fn bind(address: SocketAddr) -> Result<(Datagrams, TcpListener, SocketAddr), SocketError> {
    let mut tries = if address.port() == 0 { PORT_TRIES } else { 1 };
    loop {
        tries -= 1;
        let udp = bind_udp(address).map_err(SocketError::new(address, "UDP"))?;
        let bound = udp.local_addr().map_err(SocketError::new(address, "UDP"))?;
        match TcpListener::bind(bound) {
            Ok(listener) => {
                let datagrams = Datagrams::new(udp).map_err(SocketError::new(address, "UDP"))?;
                return Ok((datagrams, listener, bound));
            }
            Err(error) if error.kind() == io::ErrorKind::AddrInUse && tries > 0 => {}
            Err(error) => return Err(SocketError::new(bound, "TCP")(error)),
        }
    }
}

fn bind_udp(address: SocketAddr) -> io::Result<StdUdpSocket> {
    let socket = Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
    // A refusal shows in what is granted.
    let _ = socket.set_recv_buffer_size(RECEIVE_BUFFER);
    let granted = granted(&socket)?;
    if granted < RECEIVE_BUFFER {
        tracing::warn!(
            "the kernel grants a receive buffer of {} KiB of the {} KiB asked for: many streams at once may lose datagrams, \
             which are then sent again. On Linux: sysctl -w net.core.rmem_max={RECEIVE_BUFFER}",
            granted >> 10,
            RECEIVE_BUFFER >> 10,
        );
    }
    socket.bind(&address.into())?;
    socket.set_nonblocking(true)?;
    Ok(socket.into())
}

/// Linux counts its own bookkeeping in, and gives back twice what it grants.
fn granted(socket: &Socket) -> io::Result<usize> {
    Ok(socket.recv_buffer_size()? / if cfg!(target_os = "linux") { 2 } else { 1 })
}

/// What a socket would be granted of [`RECEIVE_BUFFER`], in bytes.
///
/// # Errors
/// What the system says.
pub fn grantable_buffer() -> io::Result<usize> {
    let socket = Socket::new(Domain::IPV4, Type::DGRAM, Some(Protocol::UDP))?;
    let _ = socket.set_recv_buffer_size(RECEIVE_BUFFER);
    granted(&socket)
}

impl Datagrams {
    fn new(socket: StdUdpSocket) -> io::Result<Self> {
        let state = UdpSocketState::new(UdpSockRef::from(&socket))?;
        let slot = state.gro_segments() * DATAGRAM;
        let socket = Socket::from(socket);
        let granted = granted(&socket)?;
        let socket = UdpSocket::from_std(socket.into());
        Ok(Self { socket, state, arrivals: ArrivalClock::default(), granted, buffer: vec![0; slot * BATCH_SIZE], slot })
    }

    /// Bytes of the kernel's buffer for datagrams that wait.
    pub fn granted(&self) -> usize {
        self.granted
    }

    /// Datagrams that the kernel has dropped since the socket was opened, for want of room; `None` where it does not say.
    pub fn dropped(&self) -> Option<u64> {
        drops::of(&self.socket)
    }

    /// Hands every datagram of one batch to `see`.
    ///
    /// # Errors
    /// [`io::ErrorKind::WouldBlock`] when there is none; others are those of the network, and pass.
    pub fn receive(&mut self, mut see: impl FnMut(Arrived<'_>)) -> io::Result<()> {
        let (now, wall) = clock::now_and_wall();
        self.arrivals.read(now, wall);
        let mut metas = [RecvMeta::default(); BATCH_SIZE];
        let mut slots: Vec<IoSliceMut<'_>> = self.buffer.chunks_exact_mut(self.slot).map(IoSliceMut::new).collect();
        let received = self.state.recv(UdpSockRef::from(&self.socket), &mut slots, &mut metas);
        if received.as_ref().is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock) {
            self.arrivals.found_empty();
        }
        let count = received?;
        let (now, wall) = clock::now_and_wall();
        self.arrivals.read(now, wall);
        for (meta, slot) in metas.iter().zip(&slots).take(count) {
            let (at, marked) = (self.arrivals.arrival(meta.timestamp), meta.ecn == Some(EcnCodepoint::Ce));
            for datagram in slot[..meta.len].chunks(meta.stride.max(1)) {
                see(Arrived { at, from: meta.addr, marked, datagram });
            }
        }
        Ok(())
    }

    /// Sends one datagram. What cannot be sent now is dropped: the protocol repeats itself.
    pub fn send(&self, to: SocketAddr, datagram: &[u8]) {
        let transmit = Transmit { destination: to, ecn: None, contents: datagram, segment_size: None, src_ip: None };
        if let Err(error) = self.state.try_send(UdpSockRef::from(&self.socket), &transmit) {
            tracing::debug!(%to, %error, "a datagram could not be sent");
        }
    }
}
