//! The spool: what is not durable and is too old for memory, in files of the user's cache folder (spec/spool.md). A thread of its
//! own does all disk work, so that a slow disk holds up nothing.

mod home;
mod segment;
mod take;
mod worker;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use mio::Waker;
use send_learn_protocol::retention::{SpoolAnswer, SpoolRequest};
use send_learn_protocol::sender::Leftover;
use send_learn_protocol::units::SourceNumber;

use crate::loaded;
pub use segment::Origin;
use worker::Worker;

/// Requests and answers that may wait. A take has at most 1 MiB of writes and 64 reads under way.
const QUEUE: usize = 1_024;

/// Where the spool is and how much it may hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpoolConfig {
    /// The folder, which all programs of a user share.
    pub folder: PathBuf,
    /// Bytes that all takes of the user together may have on disk. At the limit the oldest go.
    pub limit: u64,
}

/// What is whole of a segment's bytes: whose it is, and its entries with their numbers. Damage is passed over.
pub fn read_segment(bytes: Vec<u8>) -> (Option<Origin>, Vec<(SourceNumber, Vec<u8>)>) {
    let segment = segment::Segment::parse(bytes);
    let entries = segment.entries(0, u64::MAX).map(|(number, entry)| (SourceNumber(number), entry.to_vec())).collect();
    (segment.origin, entries)
}

/// A take in the spool.
pub(crate) type Key = u64;

#[derive(Debug)]
enum Command {
    /// Do this for a take. `failures` is how many failed writes its sender has heard of.
    Do {
        take: Key,
        failures: u32,
        origin: Arc<Origin>,
        request: SpoolRequest,
    },
    /// Nothing of a take is needed any more.
    Discard(Key),
    Stop,
}

/// What the spool says.
#[derive(Debug)]
pub(crate) enum Answer {
    /// What came of a request, or of want of room.
    Done { take: Key, answer: SpoolAnswer },
    /// An earlier program left this take.
    Left { take: Key, origin: Origin, left: Leftover },
    /// Why nothing can be written, in words; `None` when it can again.
    Trouble(Option<String>),
    /// What earlier programs left was looked for, and said.
    Looked,
}

/// A handle of the spool's thread.
#[derive(Debug)]
pub(crate) struct Spool {
    commands: SyncSender<Command>,
    answers: Option<Receiver<Answer>>,
    /// Commands that wait.
    waiting: Arc<AtomicUsize>,
    thread: Option<JoinHandle<()>>,
}

impl Spool {
    /// Starts the thread, which first looks for what earlier programs left. `waker` is used after each answer.
    ///
    /// # Errors
    /// When the system grants no thread.
    pub(crate) fn start(config: SpoolConfig, waker: Arc<Waker>) -> std::io::Result<Self> {
        let (commands, inbox) = sync_channel(QUEUE);
        let (outbox, answers) = sync_channel(QUEUE);
        let waiting = Arc::new(AtomicUsize::new(0));
        let worker = Worker::new(config, inbox, outbox, waiting.clone(), waker);
        let thread = std::thread::Builder::new().name("send-learn-spool".to_owned()).spawn(move || worker.run())?;
        Ok(Self { commands, answers: Some(answers), waiting, thread: Some(thread) })
    }

    /// Whether it takes another request.
    pub(crate) fn has_room(&self) -> bool {
        self.waiting.load(Ordering::Relaxed) < QUEUE - 8
    }

    /// Asks it to do something; the answer comes later. To be called while it [has room](Self::has_room).
    pub(crate) fn ask(&self, take: Key, failures: u32, origin: &Arc<Origin>, request: SpoolRequest) {
        self.command(Command::Do { take, failures, origin: origin.clone(), request });
    }

    /// Removes all of a take.
    pub(crate) fn discard(&self, take: Key) {
        self.command(Command::Discard(take));
    }

    /// The next answer, if there is one.
    pub(crate) fn answer(&self) -> Option<Answer> {
        self.answers.as_ref()?.try_recv().ok()
    }

    fn command(&self, command: Command) {
        self.waiting.fetch_add(1, Ordering::Relaxed);
        // Cannot be full: this is the only sender, and it asks for room. A thread that is gone does nothing any more.
        if self.commands.try_send(command).is_err() {
            self.waiting.fetch_sub(1, Ordering::Relaxed);
        }
    }

    /// Lets the thread finish what it was asked to do, for as long as `patience` at most.
    pub(crate) fn stop(mut self, patience: Duration) {
        // Answers are for nobody any more, and hold up nothing.
        self.answers = None;
        let _ = self.commands.try_send(Command::Stop);
        let Some(thread) = self.thread.take() else { return };
        let begun = Instant::now();
        while !thread.is_finished() {
            if begun.elapsed() >= patience {
                // It hangs in the system: its code must stay.
                return loaded::keep();
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        let _ = thread.join();
    }
}
