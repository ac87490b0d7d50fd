//! The tap: shows viewers what arrives, as it arrives (spec/tap.md). A viewer can be as slow as it likes: it loses frames,
//! the recording does not.

mod history;
mod outbox;

use std::collections::BTreeMap;
use std::io::{self, Read};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use mio::net::{TcpListener, TcpStream};
use mio::{Interest, Registry, Token};
use send_learn_protocol::packet::hello::Description;
use send_learn_protocol::quality::Level;
use send_learn_protocol::secure::{Psk, Random};
use send_learn_protocol::tap::{Admission, Arrival, Door, Frame, Health, TapError, WRONG_KEY};
use send_learn_protocol::units::HostNanos;

use history::{Came, History};
use outbox::{Outbox, Past};

/// The most viewers at once.
pub const MAX_VIEWERS: usize = 16;

/// A connection that has not greeted within this is closed.
const GREETING_TIME: Duration = Duration::from_secs(5);

/// A viewer that sends more than this at once, in bytes, is closed: it has nothing to say, and the network loop reads it.
const MAX_READ: usize = 64 << 10;

/// What lets viewers in, each by a door of its own.
#[derive(Debug)]
pub struct Doors {
    psk: Option<Psk>,
    random: Random,
    made: u64,
}

impl Doors {
    /// With `psk`, only who has it comes in. `random` is used for this alone.
    pub fn new(psk: Option<Psk>, random: Random) -> Self {
        Self { psk, random, made: 0 }
    }

    fn next(&mut self) -> Door {
        self.made += 2;
        Door::new(self.psk, [self.random.number(self.made), self.random.number(self.made + 1)])
    }
}

/// All viewers, and what a new one is told.
pub struct Tap {
    listener: TcpListener,
    doors: Doors,
    first_token: usize,
    viewers: BTreeMap<usize, Viewer>,
    streams: BTreeMap<u32, Arc<[u8]>>,
    history: History,
}

struct Viewer {
    stream: TcpStream,
    peer: SocketAddr,
    since: HostNanos,
    door: Door,
    outbox: Outbox,
}

impl Tap {
    /// A tap whose viewers come to `listener`. Tokens from `first_token` on are its own.
    ///
    /// # Errors
    /// What the poll says.
    pub fn new(
        mut listener: TcpListener,
        registry: &Registry,
        listener_token: Token,
        first_token: usize,
        doors: Doors,
    ) -> io::Result<Self> {
        registry.register(&mut listener, listener_token, Interest::READABLE)?;
        Ok(Self { listener, doors, first_token, viewers: BTreeMap::new(), streams: BTreeMap::new(), history: History::default() })
    }

    /// How many viewers are connected.
    pub fn viewers(&self) -> usize {
        self.viewers.len()
    }

    /// Takes new connections.
    pub fn accept(&mut self, now: HostNanos, registry: &Registry) {
        loop {
            let (mut stream, peer) = match self.listener.accept() {
                Ok(accepted) => accepted,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return tracing::warn!(%error, "a viewer could not be let in"),
            };
            if self.viewers.len() >= MAX_VIEWERS {
                tracing::warn!(%peer, "a viewer is turned away: {MAX_VIEWERS} are connected");
                continue;
            }
            let token = (self.first_token..).find(|token| !self.viewers.contains_key(token)).unwrap_or(self.first_token);
            let interest = Interest::READABLE | Interest::WRITABLE;
            if let Err(error) = stream.set_nodelay(true).and_then(|()| registry.register(&mut stream, Token(token), interest)) {
                tracing::warn!(%peer, %error, "a viewer could not be let in");
                continue;
            }
            let (door, mut outbox) = (self.doors.next(), Outbox::default());
            outbox.push_first(door.greeting());
            self.viewers.insert(token, Viewer { stream, peer, since: now, door, outbox });
            self.serve(token, registry);
        }
    }

    /// A viewer's connection is ready to be read or written.
    pub fn serve(&mut self, token: usize, registry: &Registry) {
        let Some(viewer) = self.viewers.get_mut(&token) else { return };
        let greeted = viewer.door.is_open();
        let mut served = viewer.read();
        if viewer.door.is_open() && !greeted {
            self.streams.values().for_each(|up| viewer.outbox.push_history(Past::Frame(Arc::clone(up))));
            self.history.entries().for_each(|came| viewer.outbox.push_history(Past::Entry(came.clone())));
            tracing::info!(peer = %viewer.peer, "a viewer is connected");
        }
        if served.is_ok() {
            served = viewer.outbox.write_to(&viewer.stream);
        }
        if let Err(error) = served {
            self.close(token, registry, &error);
        }
    }

    /// Closes connections that have not greeted in time.
    pub fn close_silent(&mut self, now: HostNanos, registry: &Registry) {
        let silent = |viewer: &Viewer| !viewer.door.is_open() && now.since(viewer.since) > GREETING_TIME;
        let tokens: Vec<usize> = self.viewers.iter().filter(|(_, viewer)| silent(viewer)).map(|(token, _)| *token).collect();
        for token in tokens {
            self.close(token, registry, &io::ErrorKind::TimedOut.into());
        }
    }

    /// A stream begins.
    pub fn stream_up(&mut self, key: u32, description: &Description) {
        let frame = encode(&Frame::StreamUp { key, description: description.clone() });
        self.streams.insert(key, Arc::clone(&frame));
        self.send(frame, false);
    }

    /// An entry arrived.
    pub fn entry(&mut self, key: u32, arrival: Arrival, arrived: HostNanos, entry: Arc<[u8]>) {
        let came = Came { key, arrival, arrived, entry };
        if self.is_watched() {
            self.send(encode(&came.frame()), true);
        }
        self.history.push(came);
    }

    /// A preview arrived. It is not kept for viewers that come later: by then they get the entries.
    pub fn preview(&mut self, key: u32, arrival: Arrival, level: Level, arrived: HostNanos, preview: &[u8]) {
        if self.is_watched() {
            self.send(encode(&Frame::Preview { key, arrival, level, arrived, preview: preview.to_vec() }), true);
        }
    }

    /// How a stream fares.
    pub fn health(&mut self, key: u32, health: Health) {
        self.send(encode(&Frame::Health { key, health }), true);
    }

    /// A stream is over.
    pub fn stream_down(&mut self, key: u32) {
        self.streams.remove(&key);
        self.history.forget(key);
        self.send(encode(&Frame::StreamDown { key }), false);
    }

    /// Writes what waits for viewers, as far as they take it. Call it when a round of events is over.
    pub fn flush(&mut self, registry: &Registry) {
        let mut failed = Vec::new();
        for (token, viewer) in &mut self.viewers {
            if let Err(error) = viewer.outbox.write_to(&viewer.stream) {
                failed.push((*token, error));
            }
        }
        for (token, error) in failed {
            self.close(token, registry, &error);
        }
    }

    fn is_watched(&self) -> bool {
        self.viewers.values().any(|viewer| viewer.door.is_open())
    }

    fn send(&mut self, frame: Arc<[u8]>, optional: bool) {
        for viewer in self.viewers.values_mut().filter(|viewer| viewer.door.is_open()) {
            viewer.outbox.push(Arc::clone(&frame), optional);
        }
    }

    fn close(&mut self, token: usize, registry: &Registry, why: &io::Error) {
        if let Some(mut viewer) = self.viewers.remove(&token) {
            let _ = registry.deregister(&mut viewer.stream);
            tracing::info!(peer = %viewer.peer, dropped_frames = viewer.outbox.dropped, %why, "a viewer is gone");
        }
    }
}

impl Viewer {
    /// Reads what the viewer says at the door; what comes after it is passed over.
    fn read(&mut self) -> io::Result<()> {
        let mut bytes = [0; 1_024];
        let mut total = 0;
        while total <= MAX_READ {
            match self.stream.read(&mut bytes) {
                Ok(0) => return Err(io::ErrorKind::ConnectionReset.into()),
                Ok(n) => {
                    total += n;
                    self.hear(&bytes[..n])?;
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Err(io::Error::new(io::ErrorKind::InvalidData, "it sends too much"))
    }

    fn hear(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self.door.push(bytes) {
            Ok(None) => {}
            Ok(Some(Admission { answer, sealer })) => {
                self.outbox.push_first(answer);
                self.outbox.seal_with(sealer);
            }
            Err(error) => {
                if error == TapError::WrongKey {
                    self.outbox.push_first(vec![WRONG_KEY]);
                }
                // From the greeting it learns why it is turned away, however early it spoke.
                self.outbox.write_to(&self.stream)?;
                return Err(io::Error::other(error));
            }
        }
        Ok(())
    }
}

fn encode(frame: &Frame) -> Arc<[u8]> {
    let mut bytes = Vec::new();
    frame.write(&mut bytes);
    bytes.into()
}
