//! The network loop: one thread that owns the sockets, the protocol's state machine and the tap. It never waits for a disk.

mod remote;
mod rename;
mod status;
mod streams;

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use mio::{Events, Interest, Poll, Token, Waker};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use send_learn_protocol::packet::hello::Refusal;
use send_learn_protocol::receiver::{Receiver, ReceiverConfig};
use send_learn_protocol::secure::{Psk, Random};
use send_learn_protocol::units::{ReceiverId, SessionId, TakeId};

use crate::clock;
use crate::data_folder::{DataError, DataFolder};
use crate::disk::DiskStatus;
use crate::names::Names;
use crate::queue::Queue;
use crate::recorder::{self, Command, Report};
use crate::retention::Retention;
use crate::settings::Tunable;
use crate::socket::{self, Arrived, Datagrams, SocketError};
use crate::status::{Board, Totals};
use crate::tap::{self, Tap};

use remote::Rename;
pub use remote::{Remote, RenameError, Stop};
use streams::Stream;

const DATAGRAMS: Token = Token(0);
const LISTENER: Token = Token(1);
const WAKER: Token = Token(2);
const FIRST_VIEWER: usize = 3;

/// Bytes of entries that may wait for the recorder: several seconds of 16 stereo streams. One stream may have a quarter of it.
const QUEUE: usize = 32 << 20;

/// Batches of datagrams that are read before other things have their turn.
const BATCHES: usize = 16;

/// Where datagrams come close together, looks at the socket are so far apart: one wake-up for many. The kernel has noted when each came,
/// and keeps them meanwhile.
const GATHER: Duration = Duration::from_millis(2);

/// Viewers hear how streams fare this often, ...
const HEALTH_INTERVAL: Duration = Duration::from_millis(500);

/// ... and a person at the log this often.
const STATUS_INTERVAL: Duration = Duration::from_secs(5);

/// How a receiver is set up.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where to listen, for senders (UDP) and viewers (TCP). Port 0 takes a free one.
    pub listen: SocketAddr,
    /// The folder for recordings; made if it is not there.
    pub data: PathBuf,
    /// Whether the log says every few seconds how each stream fares.
    pub log_status: bool,
    /// The most streams at once.
    pub max_streams: usize,
    /// What can be changed while it runs.
    pub tunable: Tunable,
    /// The most of them from one address.
    pub max_streams_per_address: usize,
    /// The studio's secret: senders and viewers need it. Without, everybody may send and watch.
    pub psk: Option<Psk>,
}

impl Config {
    /// The usual settings, for this address and folder.
    pub fn new(listen: SocketAddr, data: PathBuf) -> Self {
        Self {
            listen,
            data,
            log_status: true,
            max_streams: 256,
            max_streams_per_address: 128,
            psk: None,
            tunable: Tunable::default(),
        }
    }
}

/// Why a receiver cannot start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServerError {
    /// It cannot listen.
    #[error(transparent)]
    Socket(#[from] SocketError),
    /// It cannot record to the folder.
    #[error(transparent)]
    Data(#[from] DataError),
    /// The operating system refused something else.
    #[error("cannot start: {0}")]
    Io(#[from] io::Error),
}

/// A receiver that listens. [`run`](Self::run) works until it is stopped.
pub struct Server {
    address: SocketAddr,
    poll: Poll,
    datagrams: Datagrams,
    receiver: Receiver,
    tap: Tap,
    commands: Queue<Command>,
    reports: Queue<Report>,
    recorder: Option<JoinHandle<()>>,
    sessions: HashMap<SessionId, TakeId>,
    streams: HashMap<TakeId, Stream>,
    next_key: u32,
    totals: Totals,
    /// Of these, those that the log has told of.
    refused_told: u64,
    disk: DiskStatus,
    names: Names,
    renames: Queue<Rename>,
    retention: Retention,
    log_status: bool,
    board: Board,
    encrypted: bool,
    data: PathBuf,
    stop: Stop,
    folder: DataFolder,
}

impl Server {
    /// Locks the data folder, listens, and takes over what an earlier life left.
    ///
    /// # Errors
    /// [`ServerError`]; each says what to do.
    pub fn bind(config: &Config) -> Result<Self, ServerError> {
        let folder = DataFolder::open(&config.data)?;
        let (mut datagrams, listener, address) = socket::bind(config.listen)?;
        allow_many_files();
        let poll = Poll::new()?;
        poll.registry().register(&mut datagrams.socket, DATAGRAMS, Interest::READABLE)?;
        let door = tap::Doors::new(config.psk, Random::new(send_learn_key::random()?));
        let tap = Tap::new(listener, poll.registry(), LISTENER, FIRST_VIEWER, door)?;
        let waker = Arc::new(Waker::new(poll.registry(), WAKER)?);
        let (commands, reports) = (Queue::new(QUEUE), Queue::new(0));
        let reporter = {
            let (reports, waker) = (reports.clone(), Arc::clone(&waker));
            Box::new(move |report| {
                reports.push(report);
                let _ = waker.wake();
            })
        };
        let names = Names::load(&config.data);
        let recorder_config = recorder::Config {
            data: config.data.clone(),
            tunable: config.tunable,
            names: names.clone(),
            max_takes: 2 * config.max_streams,
        };
        let recorder = recorder::start(recorder_config, commands.clone(), reporter)
            .map_err(|source| DataError::Refused { data: config.data.clone(), source })?;
        let receiver_config = ReceiverConfig {
            identity: folder.identity(),
            max_streams: config.max_streams,
            max_streams_per_address: config.max_streams_per_address,
            secret: send_learn_key::random()?,
            psk: config.psk,
        };
        Ok(Self {
            address,
            poll,
            datagrams,
            receiver: Receiver::new(receiver_config, clock::now()),
            tap,
            commands,
            reports,
            recorder: Some(recorder),
            sessions: HashMap::new(),
            streams: HashMap::new(),
            next_key: 1,
            totals: Totals::default(),
            refused_told: 0,
            disk: DiskStatus::default(),
            names,
            renames: Queue::new(0),
            retention: Retention::start(&config.data, config.tunable)?,
            log_status: config.log_status,
            board: Board::default(),
            encrypted: config.psk.is_some(),
            data: config.data.clone(),
            stop: Stop::new(waker),
            folder,
        })
    }

    /// Where the receiver listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Who the receiver is: its data folder's identity.
    pub fn identity(&self) -> ReceiverId {
        self.folder.identity()
    }

    /// A handle to ask it with, and to tell it what to do, from any thread.
    pub fn remote(&self) -> Remote {
        Remote::new(self)
    }

    /// A handle to stop it with.
    pub fn stopper(&self) -> Stop {
        self.stop.clone()
    }

    /// Works until it is stopped; then closes all recordings.
    ///
    /// # Errors
    /// What the operating system says about the poll; recordings are closed then too.
    pub fn run(mut self) -> io::Result<()> {
        let ran = self.serve();
        self.receiver.close_all(clock::now(), Refusal::Closing);
        self.transmit();
        self.commands.push(Command::Stop);
        if self.recorder.take().is_some_and(|recorder| recorder.join().is_err()) {
            tracing::error!("the recorder thread panicked; recordings are made again from their journals at the next start");
        }
        ran
    }

    fn serve(&mut self) -> io::Result<()> {
        let mut events = Events::with_capacity(64);
        let start = clock::now();
        let (mut next_health, mut next_status) = (start.after(HEALTH_INTERVAL), start.after(STATUS_INTERVAL));
        let (mut more, mut dense, mut looked) = (false, false, Instant::now());
        self.board.set(self.status());
        while !self.stop.is_asked() {
            if dense && !more {
                thread::sleep(GATHER.saturating_sub(looked.elapsed()));
            }
            let due = self.receiver.poll_timeout().map_or(next_health, |due| due.min(next_health));
            let timeout = if more { Duration::ZERO } else { due.since(clock::now()) };
            match self.poll.poll(&mut events, Some(timeout)) {
                Err(error) if error.kind() != io::ErrorKind::Interrupted => return Err(error),
                _ => {}
            }
            for event in &events {
                match event.token() {
                    DATAGRAMS => more = true,
                    LISTENER => self.tap.accept(clock::now(), self.poll.registry()),
                    WAKER => {}
                    Token(viewer) => self.tap.serve(viewer, self.poll.registry()),
                }
            }
            if more {
                more = self.receive();
                dense = looked.elapsed() < 2 * GATHER;
                looked = Instant::now();
            }
            for report in self.reports.drain(Duration::ZERO) {
                self.on_report(report);
            }
            for rename in self.renames.drain(Duration::ZERO) {
                self.rename(&rename);
            }
            let now = clock::now();
            self.receiver.handle_timeout(now);
            self.drain_events(now);
            self.transmit();
            if now >= next_health {
                next_health = now.after(HEALTH_INTERVAL);
                self.measure_health(now);
                self.board.set(self.status());
            }
            if now >= next_status {
                next_status = now.after(STATUS_INTERVAL);
                if self.log_status {
                    self.log_status();
                }
            }
            self.tap.flush(self.poll.registry());
        }
        Ok(())
    }

    /// Reads datagrams; true when there may be more.
    fn receive(&mut self) -> bool {
        for _ in 0..BATCHES {
            let now = clock::now();
            let receiver = &mut self.receiver;
            match self.datagrams.receive(|Arrived { at, from, marked, datagram }| match marked {
                true => receiver.handle_marked_datagram(at, from, datagram),
                false => receiver.handle_datagram(at, from, datagram),
            }) {
                Ok(()) => self.drain_events(now),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return false,
                // The network's complaints about an earlier datagram come this way.
                Err(error) => tracing::debug!(%error, "receive"),
            }
        }
        true
    }

    fn transmit(&mut self) {
        let mut datagram = Vec::new();
        // What an answer says of the time is true, however many go before it.
        while let Some(to) = self.receiver.poll_transmit(clock::now(), &mut datagram) {
            self.datagrams.send(to, &datagram);
        }
    }
}

/// A take has three files open, and the usual limit is 1,024: raises it as far as this process may.
fn allow_many_files() {
    let limit = getrlimit(Resource::Nofile);
    if let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit }) {
        tracing::warn!(%error, "the limit of open files stays at {:?}", limit.current);
    }
}
