//! The live source: follows receivers' taps (spec/tap.md) over TCP, and connects again by itself.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use send_learn_key::KeyFileError;
use send_learn_protocol::packet::hello::PropertyKey;
use send_learn_protocol::record::{MidiKind, Record, records};
use send_learn_protocol::tap::{Arrival, Frame, FrameReader, TapError};
use send_learn_protocol::units::HostNanos;
use socket2::{SockRef, TcpKeepalive};

use super::address::Receivers;
use super::{Delivery, Event, Link, Mailbox, MidiMessage, StreamKey, search};

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

/// Follows receivers on threads of their own until it is dropped.
#[derive(Debug)]
pub struct LiveSource {
    mailbox: Mailbox,
}

impl LiveSource {
    /// Starts to follow `receivers`; their events go to `mailbox`. The key is read from `key_file` anew for each connection; without
    /// one, or where there is no such file, the viewer has none.
    ///
    /// # Errors
    /// The system's error when no thread can be started.
    pub fn start(receivers: Receivers, key_file: Option<PathBuf>, mailbox: Mailbox) -> io::Result<Self> {
        let source = Self { mailbox };
        let mailbox = &source.mailbox;
        match receivers {
            Receivers::Given(addresses) => {
                for (number, address) in (1..).zip(addresses) {
                    mailbox.push(Event::Receiver { receiver: number, name: address.clone(), is_last_resort: false });
                    spawn(Target::new(number, vec![address]), key_file.clone(), mailbox.clone())?;
                }
            }
            Receivers::Found => {
                let mailbox = mailbox.clone();
                thread::Builder::new().name("find".into()).spawn(move || search::run(key_file, &mailbox))?;
            }
        }
        Ok(source)
    }
}

impl Drop for LiveSource {
    fn drop(&mut self) {
        self.mailbox.close();
    }
}

/// How long a receiver is followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Hold {
    /// For ever.
    Yes,
    /// Until its connection ends.
    WhileConnected,
    /// No longer.
    No,
}

/// A receiver that is followed. Whoever follows and whoever decides share it.
#[derive(Clone, Debug)]
pub(super) struct Target {
    number: u32,
    shared: Arc<Mutex<(Vec<String>, Hold)>>,
}

impl Target {
    /// The receiver with this number, at the best of these addresses (`HOST:PORT`).
    pub(super) fn new(number: u32, addresses: Vec<String>) -> Self {
        Self { number, shared: Arc::new(Mutex::new((addresses, Hold::Yes))) }
    }

    /// Tells how long it is followed.
    pub(super) fn hold(&self, hold: Hold) {
        self.lock().1 = hold;
    }

    /// Tells where it is from the next attempt on.
    pub(super) fn move_to(&self, addresses: Vec<String>) {
        self.lock().0 = addresses;
    }

    fn held(&self) -> Hold {
        self.lock().1
    }

    fn lock(&self) -> MutexGuard<'_, (Vec<String>, Hold)> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Follows a receiver on a thread of its own.
pub(super) fn spawn(target: Target, key_file: Option<PathBuf>, mailbox: Mailbox) -> io::Result<JoinHandle<()>> {
    thread::Builder::new().name("tap".into()).spawn(move || {
        follow(&target, key_file.as_deref(), &mailbox);
        mailbox.push(Event::Link { receiver: target.number, link: Link::Gone });
    })
}

fn follow(target: &Target, key_file: Option<&Path>, mailbox: &Mailbox) {
    let (first, longest) = BACKOFF;
    let mut backoff = first;
    let tell = |link| mailbox.push(Event::Link { receiver: target.number, link });
    for connection in 1.. {
        if !tell(Link::Connecting) {
            return;
        }
        let mut greeted = false;
        let source = StreamKey { receiver: target.number, connection, take: 0 };
        let addresses = target.lock().0.clone();
        let end = connect(&addresses).and_then(|stream| read(stream, frames(key_file)?, source, (target, mailbox), &mut greeted));
        let Err(error) = end else { return };
        if !tell(Link::Down { reason: error.to_string() }) {
            return;
        }
        backoff = if greeted { first } else { (backoff * 2).min(longest) };
        let until = Instant::now() + backoff;
        while Instant::now() < until {
            if mailbox.is_closed() || target.held() != Hold::Yes {
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

/// Connects to the first of the addresses that answers. All addresses of a name are tried.
fn connect(addresses: &[String]) -> Result<TcpStream, LiveError> {
    let mut last = LiveError::Connect(ErrorKind::AddrNotAvailable.into());
    for address in addresses {
        match address.to_socket_addrs() {
            Ok(resolved) => {
                for address in resolved {
                    match TcpStream::connect_timeout(&address, CONNECT_TIMEOUT) {
                        Ok(stream) => return prepare(stream).map_err(LiveError::Broken),
                        Err(error) => last = LiveError::Connect(error),
                    }
                }
            }
            Err(error) => last = LiveError::Resolve(error),
        }
    }
    Err(last)
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
    source: StreamKey,
    (target, mailbox): (&Target, &Mailbox),
    greeted: &mut bool,
) -> Result<(), LiveError> {
    let mut buffer = vec![0; 64 << 10];
    // One machine has one monotonic clock.
    let same_clock = cfg!(target_os = "linux") && is_on_this_machine(&stream);
    while !mailbox.is_closed() && target.held() != Hold::No {
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
                mailbox.push(Event::Link { receiver: source.receiver, link: Link::Connected });
            }
            let Some(frame) = frame else { break };
            if !deliver(frame, source, same_clock, mailbox) {
                return Ok(());
            }
        }
    }
    Ok(())
}

/// Whether both ends have the same address.
fn is_on_this_machine(stream: &TcpStream) -> bool {
    let ends = stream.peer_addr().and_then(|peer| Ok((peer.ip(), stream.local_addr()?.ip())));
    ends.is_ok_and(|(peer, own)| peer.is_loopback() || peer == own)
}

/// Puts what a frame of a connection holds into the mailbox. `false`: nobody reads it.
pub fn deliver(frame: Frame, source: StreamKey, same_clock: bool, mailbox: &Mailbox) -> bool {
    let key = |take| StreamKey { take, ..source };
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
        Record::Automation(automation) => Some(Event::Automation {
            key,
            parameter: automation.parameter,
            position: automation.position,
            value: automation.normalized,
        }),
        Record::Parameter(parameter) => {
            Some(Event::Parameter { key, parameter: parameter.parameter, name: parameter.name.to_owned() })
        }
        Record::Transport(transport) => Some(Event::Transport { key, transport }),
        Record::Gap(gap) => Some(Event::Gap { key, position: gap.position, frames: gap.frames }),
        Record::Property(property) => {
            Some(Event::Property { key, property: PropertyKey(property.key), text: property.text.to_owned() })
        }
        _ => None,
    }
}
