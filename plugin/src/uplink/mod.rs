//! The uplink: one thread per process that empties the rings of all streams, sends, listens and repairs.
//!
//! It starts with the first [`Uplink::acquire`] and ends after the last handle is dropped, when everything owed is
//! durable, but two seconds later at the latest: a host that closes is not kept waiting. What is still owed then goes to the
//! [spool](crate::spool), and the next uplink sends it.

mod disk;
mod leftovers;
mod probe;
mod search;
mod secret;
mod seek;
mod stream;
mod take;
mod worker;

use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::sync::{Arc, Weak};
use std::thread::JoinHandle;

use mio::Waker;
use parking_lot::Mutex;
use send_learn_key::KeyFileError;
use send_learn_protocol::secure::{Key, Psk};
use send_learn_protocol::units::ReceiverId;

use crate::address::{Address, AddressError};
use crate::capture::{Captured, SpentCaptures};
use crate::loaded;
use crate::report::{Report, Sought, Tested};
use crate::settings::Settings;
use crate::socket::Sockets;
use crate::spool::SpoolConfig;
use take::Take;
pub use take::{Fact, TakeConfig};
use worker::Worker;

/// Commands that may wait; their senders are threads that may block.
const COMMANDS: usize = 256;

static RUNNING: Mutex<Weak<Uplink>> = Mutex::new(Weak::new());

enum Command {
    Open { stream: u64, report: Arc<Mutex<Report>> },
    Address { stream: u64, address: Result<Address, AddressError> },
    Resolved { stream: u64, generation: u64, found: Result<SocketAddr, AddressError> },
    Start { stream: u64, take: Box<Take> },
    Spent { stream: u64, spent: SpentCaptures },
    Tell { stream: u64, fact: Fact },
    Reconnect { stream: u64 },
    Look,
    Prefer { receiver: ReceiverId },
    Release { stream: u64 },
    Discard { stream: u64 },
    LookForLeftovers,
    RestHere { stream: u64 },
    Test { to: SocketAddr, outcome: Arc<Mutex<Tested>> },
    Key(Result<Option<Psk>, String>),
    Farewell,
}

/// What an uplink may keep, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UplinkConfig {
    /// Bytes of each take that are kept in memory until they are durable.
    pub memory: usize,
    /// Where the rest is kept; `None`: nowhere.
    pub spool: Option<SpoolConfig>,
}

/// What earlier programs left and this one sends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rest {
    /// Whether it is known what they left.
    pub known: bool,
    /// Takes.
    pub takes: usize,
    /// Entries that are not durable.
    pub entries: u64,
}

/// A handle of the process's uplink.
#[derive(Debug)]
pub struct Uplink {
    commands: SyncSender<Command>,
    waker: Arc<Waker>,
    next_stream: AtomicU64,
    rest: Arc<Mutex<Rest>>,
    sought: Arc<Mutex<Sought>>,
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
        let uplink = Self::start(Settings::load().unwrap_or_default().uplink())?;
        uplink.set_key(send_learn_key::machine());
        *running = Arc::downgrade(&uplink);
        Ok(uplink)
    }

    /// An uplink of its own, which nobody else gets by [`acquire`](Self::acquire), and which has no key yet.
    ///
    /// # Errors
    /// When the system grants no thread or file descriptor.
    pub fn start(config: UplinkConfig) -> io::Result<Arc<Self>> {
        let (sockets, waker) = Sockets::new()?;
        let (commands, inbox) = sync_channel(COMMANDS);
        let rest = Arc::new(Mutex::new(Rest::default()));
        let sought = Arc::new(Mutex::new(Sought::default()));
        let shown = (rest.clone(), sought.clone());
        let worker = Worker::new(config, (inbox, commands.clone()), (sockets, waker.clone()), shown);
        let thread = std::thread::Builder::new().name("send-learn-uplink".to_owned()).spawn(move || worker.run())?;
        Ok(Arc::new(Self { commands, waker, next_stream: AtomicU64::new(0), rest, sought, thread: Some(thread) }))
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

    /// From now on everything goes out with this key; with none, unencrypted. Where there is one that cannot be used, nothing goes out.
    pub fn set_key(&self, key: Result<Option<Key>, KeyFileError>) {
        let psk = key.map(|key| key.map(|key| key.psk())).map_err(|error| error.to_string());
        self.command(Command::Key(psk));
    }

    /// What earlier programs left. It is looked for, and sent, from the first take on, or from the first call of this.
    pub fn rest(&self) -> Rest {
        self.command(Command::LookForLeftovers);
        *self.rest.lock()
    }

    /// The receivers of this network. They are searched for from the first call of this on, or from when a stream has something to
    /// send and nobody said where to.
    pub fn look(&self) -> Sought {
        let sought = self.sought.lock().clone();
        if !sought.looking && sought.trouble.is_empty() {
            self.command(Command::Look);
        }
        sought
    }

    /// Streams that search for a receiver are to take this one, when it is there.
    pub fn prefer(&self, receiver: ReceiverId) {
        self.command(Command::Prefer { receiver });
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

    /// Something about the stream has changed; the running take notes it.
    pub fn tell(&self, fact: Fact) {
        self.uplink.command(Command::Tell { stream: self.stream, fact });
    }

    /// Asks the receiver for a new session at once.
    pub fn reconnect(&self) {
        self.uplink.command(Command::Reconnect { stream: self.stream });
    }

    /// What earlier programs left goes to this stream's address, wherever it was to go.
    pub fn take_rest(&self) {
        self.uplink.command(Command::RestHere { stream: self.stream });
    }

    /// Forgets what is not durable: nobody wants it any more.
    pub fn discard(&self) {
        self.uplink.command(Command::Discard { stream: self.stream });
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
