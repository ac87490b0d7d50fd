//! The spool's thread.

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender};
use std::time::{Duration, Instant};

use mio::Waker;
use send_learn_protocol::retention::{SpoolAnswer, SpoolRequest};
use send_learn_protocol::units::SourceNumber;

use super::home::{Claim, size};
use super::segment::Origin;
use super::take::{SEGMENT_LEN, TakeFiles};
use super::{Answer, Command, Key, SpoolConfig};

/// How often it is looked for what other programs left.
const LOOK: Duration = Duration::from_secs(5);

/// Keys of takes that other programs left begin here.
const LEFT: Key = 1 << 63;

pub(super) struct Worker {
    config: SpoolConfig,
    inbox: Receiver<Command>,
    outbox: SyncSender<Answer>,
    waiting: Arc<AtomicUsize>,
    waker: Arc<Waker>,
    takes: BTreeMap<Key, TakeFiles>,
    /// Writes that failed, by take. Those that were asked for before their sender heard of it do not count.
    failures: BTreeMap<Key, u32>,
    /// This program's folder, as soon as there is something to keep.
    own: Option<Claim>,
    /// Those that other programs left.
    adopted: Vec<Claim>,
    next_left: Key,
    /// The take that was read last: it alone keeps a segment in memory.
    last_read: Option<Key>,
    trouble: bool,
}

impl Worker {
    pub(super) fn new(
        config: SpoolConfig,
        inbox: Receiver<Command>,
        outbox: SyncSender<Answer>,
        waiting: Arc<AtomicUsize>,
        waker: Arc<Waker>,
    ) -> Self {
        Self {
            config,
            inbox,
            outbox,
            waiting,
            waker,
            takes: BTreeMap::new(),
            failures: BTreeMap::new(),
            own: None,
            adopted: Vec::new(),
            next_left: LEFT,
            last_read: None,
            trouble: false,
        }
    }

    pub(super) fn run(mut self) {
        self.adopt();
        self.say(Answer::Looked);
        let mut look = Instant::now() + LOOK;
        loop {
            if Instant::now() >= look {
                self.adopt();
                self.adopted.retain(|claim| !claim.takes().is_empty());
                look = Instant::now() + LOOK;
            }
            let command = match self.inbox.recv_timeout(look.saturating_duration_since(Instant::now())) {
                Ok(command) => command,
                Err(RecvTimeoutError::Timeout) => continue,
                Err(RecvTimeoutError::Disconnected) => return,
            };
            self.waiting.fetch_sub(1, Ordering::Relaxed);
            match command {
                Command::Do { take, failures, origin, request } => self.work(take, failures, &origin, request),
                Command::Discard(take) => {
                    self.failures.remove(&take);
                    if let Some(mut files) = self.takes.remove(&take) {
                        files.remove();
                    }
                }
                Command::Stop => return,
            }
        }
    }

    /// Takes over what programs left that have ended.
    fn adopt(&mut self) {
        for claim in Claim::orphans(&self.config.folder) {
            for folder in claim.takes() {
                match TakeFiles::open(folder.clone()) {
                    Ok(Some((files, origin, left))) => {
                        let take = self.next_left;
                        self.next_left += 1;
                        self.takes.insert(take, files);
                        self.say(Answer::Left { take, origin, left });
                    }
                    // Nothing in it could be sent to anybody.
                    Ok(None) => drop(std::fs::remove_dir_all(folder)),
                    // Perhaps the next program can read it.
                    Err(_) => {}
                }
            }
            self.adopted.push(claim);
        }
    }

    fn work(&mut self, take: Key, failures: u32, origin: &Origin, request: SpoolRequest) {
        match request {
            SpoolRequest::Write(entries) => {
                if self.failures.get(&take).is_some_and(|failed| failures < *failed) {
                    return;
                }
                let written = self.write(take, origin, &entries);
                self.tell_trouble(written.as_ref().err());
                let answer = match written {
                    Ok(()) => SpoolAnswer::Written,
                    Err(_) => {
                        self.failures.insert(take, failures + 1);
                        SpoolAnswer::Failed
                    }
                };
                self.say(Answer::Done { take, answer });
            }
            SpoolRequest::Read(range) => {
                if let Some(last) = self.last_read.replace(take).filter(|last| *last != take)
                    && let Some(last) = self.takes.get_mut(&last)
                {
                    last.forget_read();
                }
                let entries = self.takes.get_mut(&take).map_or_else(Vec::new, |files| files.read(range));
                self.say(Answer::Done { take, answer: SpoolAnswer::Read { range, entries } });
            }
            SpoolRequest::Release(durable) => {
                if let Some(files) = self.takes.get_mut(&take) {
                    files.release(durable.0);
                }
            }
        }
    }

    fn write(&mut self, take: Key, origin: &Origin, entries: &[(SourceNumber, Arc<[u8]>)]) -> io::Result<()> {
        if !self.takes.contains_key(&take) {
            let folder = self.own_folder()?.join(origin.description.take.to_string());
            self.takes.insert(take, TakeFiles::new(folder));
        }
        if self.takes.get(&take).is_some_and(TakeFiles::begins_segment) {
            self.make_room()?;
        }
        self.takes.get_mut(&take).map_or(Ok(()), |files| files.append(origin, entries))
    }

    fn own_folder(&mut self) -> io::Result<PathBuf> {
        let claim = match self.own.take() {
            Some(claim) => claim,
            None => Claim::new(&self.config.folder)?,
        };
        Ok(self.own.insert(claim).folder().to_owned())
    }

    /// Makes room for another segment: drops the oldest of those that are this program's, or were left by others that
    /// have ended. What other running programs have is theirs.
    fn make_room(&mut self) -> io::Result<()> {
        let mut used = size(&self.config.folder);
        if used + SEGMENT_LEN > self.config.limit {
            self.adopt();
        }
        while used + SEGMENT_LEN > self.config.limit {
            let oldest = self.takes.iter().filter_map(|(key, files)| Some((files.age()?, *key))).min();
            let dropped = oldest.and_then(|(_, key)| Some((key, self.takes.get_mut(&key)?.drop_oldest()?)));
            let Some((key, end)) = dropped else {
                let limit = self.config.limit >> 20;
                return Err(io::Error::other(format!("the limit of {limit} MiB is taken up by other running programs")));
            };
            self.say(Answer::Done { take: key, answer: SpoolAnswer::Dropped(end) });
            used = size(&self.config.folder);
        }
        Ok(())
    }

    /// Says once why nothing can be written, and once that it can be again.
    fn tell_trouble(&mut self, error: Option<&io::Error>) {
        if self.trouble != error.is_some() {
            self.trouble = error.is_some();
            let folder = self.config.folder.display();
            self.say(Answer::Trouble(error.map(|error| format!("cannot keep anything in {folder}: {error}"))));
        }
    }

    fn say(&mut self, answer: Answer) {
        // Waits while the uplink is busy. When it has ended, nobody needs to know.
        let _ = self.outbox.send(answer);
        let _ = self.waker.wake();
    }
}
