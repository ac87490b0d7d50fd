//! The uplink: one thread per process that empties the rings of all streams, sends, listens and repairs.
//!
//! It starts with the first [`Uplink::acquire`] and ends after the last handle is dropped, when everything owed is
//! durable, but two seconds later at the latest: a host that closes is not kept waiting.

mod probe;
mod stream;
mod take;

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, sync_channel};
use std::sync::{Arc, Weak};
use std::thread::JoinHandle;
use std::time::Duration;

use mio::Waker;
use parking_lot::Mutex;
use send_learn_protocol::packet::header;
use send_learn_protocol::units::HostNanos;

use crate::address::{Address, AddressError};
use crate::capture::{Captured, SpentCaptures};
use crate::clock;
use crate::loaded;
use crate::report::{Report, Tested};
use crate::socket::Sockets;
use probe::Probe;
use stream::{Stream, Target};
use take::Take;
pub use take::TakeConfig;

/// How long the thread goes on after the last handle is gone, to make durable what is owed.
const FAREWELL: Duration = Duration::from_secs(2);

/// How long it goes on when no receiver is there.
const FAREWELL_ALONE: Duration = Duration::from_millis(250);

/// The longest sleep.
const IDLE: Duration = Duration::from_millis(50);

/// Commands that may wait; their senders are threads that may block.
const COMMANDS: usize = 256;

static RUNNING: Mutex<Weak<Uplink>> = Mutex::new(Weak::new());

enum Command {
    Open { stream: u64, report: Arc<Mutex<Report>> },
    Address { stream: u64, address: Result<Address, AddressError> },
    Resolved { stream: u64, generation: u64, found: Result<SocketAddr, AddressError> },
    Start { stream: u64, take: Box<Take> },
    Spent { stream: u64, spent: SpentCaptures },
    Rename { stream: u64, name: String },
    Reconnect { stream: u64 },
    Release { stream: u64 },
    Test { to: SocketAddr, outcome: Arc<Mutex<Tested>> },
    Farewell,
}

/// A handle of the process's uplink.
#[derive(Debug)]
pub struct Uplink {
    commands: SyncSender<Command>,
    waker: Arc<Waker>,
    next_stream: AtomicU64,
    thread: Option<JoinHandle<()>>,
}

impl Uplink {
    /// The process's uplink; started if there is none.
    ///
    /// # Errors
    /// When the system grants no thread or file descriptor.
    pub fn acquire() -> io::Result<Arc<Self>> {
        let mut running = RUNNING.lock();
        if let Some(uplink) = running.upgrade() {
            return Ok(uplink);
        }
        let (sockets, waker) = Sockets::new()?;
        let (commands, inbox) = sync_channel(COMMANDS);
        let worker = Worker {
            inbox,
            commands: commands.clone(),
            waker: waker.clone(),
            sockets,
            streams: BTreeMap::new(),
            probes: Vec::new(),
            farewell: None,
        };
        let thread = std::thread::Builder::new().name("send-learn-uplink".to_owned()).spawn(move || worker.run())?;
        let uplink = Arc::new(Self { commands, waker, next_stream: AtomicU64::new(0), thread: Some(thread) });
        *running = Arc::downgrade(&uplink);
        Ok(uplink)
    }

    /// A new stream that goes to `address`, as a person wrote it.
    pub fn open(self: &Arc<Self>, address: &str) -> StreamHandle {
        let stream = self.next_stream.fetch_add(1, Ordering::Relaxed);
        let report = Arc::new(Mutex::new(Report::default()));
        self.command(Command::Open { stream, report: report.clone() });
        let handle = StreamHandle { uplink: self.clone(), stream, report };
        handle.set_address(address);
        handle
    }

    /// Asks whether a receiver answers at `address`. The outcome changes from [`Tested::Waiting`] within two seconds, or
    /// later where a name has to be looked up.
    pub fn test(self: &Arc<Self>, address: &str) -> Arc<Mutex<Tested>> {
        let outcome = Arc::new(Mutex::new(Tested::Waiting));
        let uplink = Arc::downgrade(self);
        let answer = outcome.clone();
        let ask = move |found: Result<SocketAddr, AddressError>| match (found, uplink.upgrade()) {
            (Ok(to), Some(uplink)) => uplink.command(Command::Test { to, outcome: answer }),
            (Err(error), _) => *answer.lock() = Tested::Failed(error.to_string()),
            (Ok(_), None) => {}
        };
        match address.parse::<Address>() {
            Ok(Address::Socket(to)) => ask(Ok(to)),
            Ok(name) => resolve(name, ask),
            Err(error) => ask(Err(error)),
        }
        outcome
    }

    fn command(&self, command: Command) {
        // The thread lives as long as any handle.
        let _ = self.commands.send(command);
        let _ = self.waker.wake();
    }
}

impl Drop for Uplink {
    fn drop(&mut self) {
        self.command(Command::Farewell);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// One stream of the process. When it is dropped, its takes live on until they are durable or the uplink ends.
#[derive(Debug)]
pub struct StreamHandle {
    uplink: Arc<Uplink>,
    stream: u64,
    report: Arc<Mutex<Report>>,
}

impl StreamHandle {
    /// A take begins. An older one lives on until it is durable.
    pub fn start(&self, config: TakeConfig, captured: Captured) {
        self.uplink.command(Command::Start { stream: self.stream, take: Box::new(Take::new(config, captured)) });
    }

    /// From now on, takes of this stream end whose captures come here.
    pub fn end_spent(&self, spent: SpentCaptures) {
        self.uplink.command(Command::Spent { stream: self.stream, spent });
    }

    /// Sends to another address from now on, what is owed included.
    pub fn set_address(&self, address: &str) {
        self.uplink.command(Command::Address { stream: self.stream, address: address.parse() });
    }

    /// Gives the stream another name; the running take notes it.
    pub fn rename(&self, name: &str) {
        self.uplink.command(Command::Rename { stream: self.stream, name: name.to_owned() });
    }

    /// Asks the receiver for a new session at once.
    pub fn reconnect(&self) {
        self.uplink.command(Command::Reconnect { stream: self.stream });
    }

    /// State and counters.
    pub fn report(&self) -> Report {
        self.report.lock().clone()
    }

    /// The report's cell, for a window that outlives this handle.
    pub fn report_cell(&self) -> Arc<Mutex<Report>> {
        self.report.clone()
    }

    /// The uplink that this stream belongs to.
    pub fn uplink(&self) -> &Arc<Uplink> {
        &self.uplink
    }
}

impl Drop for StreamHandle {
    fn drop(&mut self) {
        self.uplink.command(Command::Release { stream: self.stream });
    }
}

/// Looks up a name on a thread of its own: it may take many seconds, during which the rings must be emptied. A thread
/// that waits for the system cannot be stopped, so from now on the host must not unload this library's code.
fn resolve(address: Address, answer: impl FnOnce(Result<SocketAddr, AddressError>) + Send + 'static) {
    loaded::keep();
    let work = move || answer(address.resolve());
    // Without a thread there is no answer; the stream stays in the state in which it looks for one.
    let _ = std::thread::Builder::new().name("send-learn-resolve".to_owned()).spawn(work);
}

/// What the thread works with.
struct Worker {
    inbox: Receiver<Command>,
    commands: SyncSender<Command>,
    waker: Arc<Waker>,
    sockets: Sockets,
    streams: BTreeMap<u64, Stream>,
    probes: Vec<Probe>,
    farewell: Option<HostNanos>,
}

impl Worker {
    fn run(mut self) {
        loop {
            let now = clock::now();
            self.obey(now);
            let more = self.receive(now);
            let sockets = &mut self.sockets;
            self.streams.values_mut().for_each(|stream| stream.work(now, sockets));
            self.streams.retain(|_, stream| !(stream.released && stream.is_idle()));
            self.probes.retain_mut(|probe| probe.work(now, sockets));
            self.resolve_names();
            if self.is_over(now) {
                return;
            }
            if !more {
                let now = clock::now();
                self.sockets.wait(self.due(now).since(now));
            }
        }
    }

    fn obey(&mut self, now: HostNanos) {
        loop {
            match self.inbox.try_recv() {
                Ok(command) => self.obey_one(now, command),
                Err(TryRecvError::Empty | TryRecvError::Disconnected) => return,
            }
        }
    }

    fn obey_one(&mut self, now: HostNanos, command: Command) {
        let stream = match &command {
            Command::Open { stream, report } => {
                self.streams.insert(*stream, Stream::new(report.clone()));
                return;
            }
            Command::Test { to, outcome } => return self.probes.push(Probe::new(now, *to, outcome.clone())),
            Command::Farewell => {
                self.farewell = Some(now);
                return;
            }
            Command::Address { stream, .. }
            | Command::Resolved { stream, .. }
            | Command::Start { stream, .. }
            | Command::Spent { stream, .. }
            | Command::Rename { stream, .. }
            | Command::Reconnect { stream }
            | Command::Release { stream } => *stream,
        };
        let Some(state) = self.streams.get_mut(&stream) else { return };
        match command {
            Command::Address { address, .. } => {
                state.generation += 1;
                match address {
                    Ok(Address::Socket(address)) => state.set_target(now, Target::Known(address)),
                    Ok(name) => state.set_target(now, Target::Named(name)),
                    Err(error) => state.set_target(now, Target::Failed(error)),
                }
            }
            Command::Resolved { generation, found, .. } if generation == state.generation => {
                state.set_target(now, found.map_or_else(Target::Failed, Target::Known));
            }
            Command::Start { take, .. } => state.add(*take),
            Command::Spent { spent, .. } => state.end_spent(spent),
            Command::Rename { name, .. } => state.rename(&name),
            Command::Reconnect { .. } => state.reconnect(now),
            Command::Release { .. } => state.released = true,
            Command::Open { .. } | Command::Resolved { .. } | Command::Test { .. } | Command::Farewell => {}
        }
    }

    fn resolve_names(&mut self) {
        for (&stream, state) in &mut self.streams {
            let Some(name) = state.take_name() else { continue };
            let generation = state.generation;
            let (commands, waker) = (self.commands.clone(), self.waker.clone());
            resolve(name, move |found| {
                let _ = commands.try_send(Command::Resolved { stream, generation, found });
                let _ = waker.wake();
            });
        }
    }

    fn receive(&mut self, now: HostNanos) -> bool {
        let (streams, probes) = (&mut self.streams, &mut self.probes);
        self.sockets.receive(|datagram| {
            let Ok((head, _)) = header::read(datagram) else { return };
            if streams.values_mut().any(|stream| stream.handle_datagram(now, head.session, datagram)) {
                return;
            }
            if let Some(index) = probes.iter().position(|probe| probe.session() == head.session) {
                probes.swap_remove(index).answered(now);
            }
        })
    }

    fn due(&self, now: HostNanos) -> HostNanos {
        let streams = self.streams.values().filter_map(|stream| stream.due(now));
        let probes = self.probes.iter().map(Probe::due);
        streams.chain(probes).chain([now.after(IDLE)]).min().unwrap_or(now)
    }

    fn is_over(&self, now: HostNanos) -> bool {
        let Some(farewell) = self.farewell else { return false };
        let waited = now.since(farewell);
        let owed = !self.streams.values().all(Stream::is_idle);
        let draining = self.streams.values().any(Stream::is_draining);
        !owed || waited >= FAREWELL || (!draining && waited >= FAREWELL_ALONE)
    }
}
