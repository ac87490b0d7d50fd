//! The receiver's sockets: one for datagrams, and a listener for viewers at the same address and port.

use std::io::{self, IoSliceMut};
use std::net::{SocketAddr, UdpSocket as StdUdpSocket};

use mio::net::{TcpListener, UdpSocket};
use quinn_udp::{BATCH_SIZE, RecvMeta, Transmit, UdpSockRef, UdpSocketState};
use socket2::{Domain, Protocol, Socket, Type};

/// Asked of the kernel for datagrams that wait: 4 MiB hold 3,640 of them, more than half a second of 16 stereo streams. The
/// usual 208 KiB hold 92, which is 14 ms.
const RECEIVE_BUFFER: usize = 4 << 20;

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

/// The datagram socket: receives in batches, never blocks.
pub struct Datagrams {
    /// To be registered with the poll.
    pub socket: UdpSocket,
    state: UdpSocketState,
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
    // Linux counts its own bookkeeping in, and gives back twice what it grants.
    let granted = socket.recv_buffer_size()? / if cfg!(target_os = "linux") { 2 } else { 1 };
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

impl Datagrams {
    fn new(socket: StdUdpSocket) -> io::Result<Self> {
        let state = UdpSocketState::new(UdpSockRef::from(&socket))?;
        let slot = state.gro_segments() * DATAGRAM;
        Ok(Self { socket: UdpSocket::from_std(socket), state, buffer: vec![0; slot * BATCH_SIZE], slot })
    }

    /// Hands every datagram of one batch to `see`.
    ///
    /// # Errors
    /// [`io::ErrorKind::WouldBlock`] when there is none; others are those of the network, and pass.
    pub fn receive(&mut self, mut see: impl FnMut(SocketAddr, &[u8])) -> io::Result<()> {
        let mut metas = [RecvMeta::default(); BATCH_SIZE];
        let mut slots: Vec<IoSliceMut<'_>> = self.buffer.chunks_exact_mut(self.slot).map(IoSliceMut::new).collect();
        let count = self.state.recv(UdpSockRef::from(&self.socket), &mut slots, &mut metas)?;
        for (meta, slot) in metas.iter().zip(&slots).take(count) {
            for datagram in slot[..meta.len].chunks(meta.stride.max(1)) {
                see(meta.addr, datagram);
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
