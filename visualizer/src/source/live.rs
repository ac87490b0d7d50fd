//! The live source: follows a receiver's tap (spec/tap.md) over TCP, and connects again by itself.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use send_learn_key::KeyFileError;
use send_learn_protocol::packet::hello::PropertyKey;
use send_learn_protocol::record::{MidiKind, Record, records};
use send_learn_protocol::tap::{Arrival, Frame, FrameReader, TapError};
use send_learn_protocol::units::HostNanos;
use socket2::{SockRef, TcpKeepalive};

use super::{Delivery, Event, Link, Mailbox, MidiMessage, StreamKey};

/// How long one address is tried.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
/// How often the thread looks whether it is still wanted.
const READ_TIMEOUT: Duration = Duration::from_millis(250);
/// The pause before a new attempt: doubled from the first to the longest.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(250), Duration::from_secs(4));

/// Why a connection ended.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LiveError {
    /// The address stands for no machine.
    #[error("the address cannot be resolved: {0}")]
    Resolve(io::Error),
    /// Nobody listens, or the network is in the way.
    #[error("{}", connect_words(.0))]
    Connect(io::Error),
    /// The key of this machine cannot be used.
    #[error(transparent)]
    Key(#[from] KeyFileError),
    /// The connection broke.
    #[error("the connection broke: {0}")]
    Broken(io::Error),
    /// The receiver closed the connection.
    #[error("the receiver closed the connection")]
    Closed,
    /// The other side speaks something else.
    #[error(transparent)]
    Tap(#[from] TapError),
}

fn connect_words(error: &io::Error) -> String {
    match error.kind() {
        ErrorKind::ConnectionRefused => "no receiver listens there".into(),
        ErrorKind::TimedOut => "no answer".into(),
        _ => error.to_string(),
    }
}

/// Follows a receiver on a thread of its own until it is dropped.
#[derive(Debug)]
pub struct LiveSource {
    mailbox: Mailbox,
}

impl LiveSource {
    /// Starts to follow the receiver at `address` (`HOST:PORT`); its events go to `mailbox`. The key is read from `key_file` anew for
    /// each connection; without one, or where there is no such file, the viewer has none.
    ///
    /// # Errors
    /// The system's error when no thread can be started.
    pub fn start(address: String, key_file: Option<PathBuf>, mailbox: Mailbox) -> io::Result<Self> {
        let writer = mailbox.clone();
        thread::Builder::new().name("tap".into()).spawn(move || follow(&address, key_file.as_deref(), &writer))?;
        Ok(Self { mailbox })
    }
}

impl Drop for LiveSource {
    fn drop(&mut self) {
        self.mailbox.close();
    }
}

fn follow(address: &str, key_file: Option<&Path>, mailbox: &Mailbox) {
    let (first, longest) = BACKOFF;
    let mut backoff = first;
    for connection in 1.. {
        if !mailbox.push(Event::Link(Link::Connecting)) {
            return;
        }
        let mut greeted = false;
        let end = connect(address).and_then(|stream| read(stream, frames(key_file)?, connection, mailbox, &mut greeted));
        let Err(error) = end else { return };
        if !mailbox.push(Event::Link(Link::Down { reason: error.to_string() })) {
            return;
        }
        backoff = if greeted { first } else { (backoff * 2).min(longest) };
        let until = Instant::now() + backoff;
        while Instant::now() < until {
            if mailbox.is_closed() {
                return;
            }
            thread::sleep(READ_TIMEOUT.min(until.saturating_duration_since(Instant::now())));
        }
    }
}

/// Reads frames with the key, if there is one.
fn frames(key_file: Option<&Path>) -> Result<FrameReader, LiveError> {
    let key = key_file.map_or(Ok(None), send_learn_key::load)?;
    Ok(match key {
        Some(key) => FrameReader::keyed(key.psk(), send_learn_key::random().map_err(LiveError::Broken)?),
        None => FrameReader::default(),
    })
}

/// Connects. All addresses of a name are tried.
fn connect(address: &str) -> Result<TcpStream, LiveError> {
    let mut last = io::Error::from(ErrorKind::AddrNotAvailable);
    for address in address.to_socket_addrs().map_err(LiveError::Resolve)? {
        match TcpStream::connect_timeout(&address, CONNECT_TIMEOUT) {
            Ok(stream) => return prepare(stream).map_err(LiveError::Broken),
            Err(error) => last = error,
        }
    }
    Err(LiveError::Connect(last))
}

fn prepare(stream: TcpStream) -> io::Result<TcpStream> {
    let keepalive = TcpKeepalive::new().with_time(Duration::from_secs(5)).with_interval(Duration::from_secs(5));
    SockRef::from(&stream).set_tcp_keepalive(&keepalive)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(READ_TIMEOUT))?;
    Ok(stream)
}

/// Reads frames until the connection ends (`Err`) or nobody wants them any more (`Ok`).
fn read(
    mut stream: TcpStream,
    mut frames: FrameReader,
    connection: u32,
    mailbox: &Mailbox,
    greeted: &mut bool,
) -> Result<(), LiveError> {
    let mut buffer = vec![0; 64 << 10];
    // One machine has one monotonic clock.
    let same_clock = cfg!(target_os = "linux") && stream.peer_addr().is_ok_and(|peer| peer.ip().is_loopback());
    while !mailbox.is_closed() {
        stream.write_all(&frames.to_send()).map_err(LiveError::Broken)?;
        let len = match stream.read(&mut buffer) {
            Ok(0) => return Err(LiveError::Closed),
            Ok(len) => len,
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted) => continue,
            Err(error) => return Err(LiveError::Broken(error)),
        };
        frames.push(&buffer[..len]);
        loop {
            let frame = frames.next_frame()?;
            if frames.is_connected() && !*greeted {
                *greeted = true;
                mailbox.push(Event::Link(Link::Connected));
            }
            let Some(frame) = frame else { break };
            if !deliver(frame, connection, same_clock, mailbox) {
                return Ok(());
            }
        }
    }
    Ok(())
}

/// Puts what a frame holds into the mailbox. `false`: nobody reads it.
pub fn deliver(frame: Frame, connection: u32, same_clock: bool, mailbox: &Mailbox) -> bool {
    let key = |take| StreamKey { connection, take };
    match frame {
        Frame::StreamUp { key: take, description } => {
            mailbox.push(Event::StreamUp { key: key(take), description: Box::new(description) })
        }
        Frame::Health { key: take, health } => mailbox.push(Event::Health { key: key(take), health }),
        Frame::StreamDown { key: take } => mailbox.push(Event::StreamDown { key: key(take) }),
        // What follows an invalid record in its entry cannot be read: the picture does without it.
        Frame::Entry { key: take, arrival, arrived, entry }
        | Frame::Preview { key: take, arrival, arrived, preview: entry, .. } => {
            let delivery = delivery(arrival, arrived, same_clock);
            records(&entry)
                .map_while(Result::ok)
                .filter_map(|record| event(key(take), record, delivery))
                .fold(true, |_, event| mailbox.push(event))
        }
    }
}

fn delivery(arrival: Arrival, arrived: HostNanos, same_clock: bool) -> Delivery {
    let tap = if same_clock { monotonic().checked_sub(arrived.0).map(Duration::from_nanos) } else { None };
    Delivery { arrival, tap, read: Instant::now() }
}

/// This machine's monotonic clock, ns; 0 where it is not that of a receiver.
pub(crate) fn monotonic() -> u64 {
    #[cfg(target_os = "linux")]
    {
        let time = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
        time.tv_sec.cast_unsigned() * 1_000_000_000 + time.tv_nsec.cast_unsigned()
    }
    #[cfg(not(target_os = "linux"))]
    0
}

/// The event that a record is for the picture; `None` when it shows nothing.
fn event(key: StreamKey, record: Record<'_>, delivery: Delivery) -> Option<Event> {
    match record {
        Record::Audio(fragment) => {
            let mut samples = Vec::new();
            fragment.decode(&mut samples).ok()?;
            Some(Event::Audio { key, position: fragment.position, channels: fragment.channels, samples, delivery })
        }
        Record::Midi(midi) if midi.kind == MidiKind::Message => {
            Some(Event::Midi { key, message: MidiMessage { position: midi.position, bytes: midi.bytes } })
        }
        Record::Transport(transport) => Some(Event::Transport { key, transport }),
        Record::Gap(gap) => Some(Event::Gap { key, position: gap.position, frames: gap.frames }),
        Record::Property(property) => {
            Some(Event::Property { key, property: PropertyKey(property.key), text: property.text.to_owned() })
        }
        _ => None,
    }
}
