//! The recorder at work: which takes are open, who may go on, and what is synced when.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use send_learn_protocol::packet::hello::{Description, Refusal};
use send_learn_protocol::receiver::Held;
use send_learn_protocol::units::{SessionId, SourceNumber, TakeId};

use super::live::Live;
use super::{Command, Config, Report, Reporter};
use crate::archive::{self, Progress};
use crate::disk::{INTERVAL, Watch};
use crate::journal::{self, Frame, Journal, JournalError, Position};
use crate::queue::Queue;
use crate::ranges::RangeSet;
use crate::take::{self, State, Take, TakeError};

/// Journals with new data are synced at most this often.
const SYNC_INTERVAL: Duration = Duration::from_millis(200);

pub(super) struct Recorder {
    pub(super) config: Config,
    pub(super) disk: Watch,
    pub(super) takes: HashMap<TakeId, Known>,
    pub(super) archive: Queue<archive::Command>,
    pub(super) archive_thread: JoinHandle<()>,
    pub(super) report: Reporter,
    pub(super) synced: Instant,
    pub(super) stopping: bool,
}

/// A take in the data folder.
pub(super) struct Known {
    pub(super) folder: PathBuf,
    pub(super) status: Status,
}

pub(super) enum Status {
    /// Journal open, archive following.
    Live(Box<Live>),
    /// The archive is closing its part; a sender may be waiting.
    Closing(Option<SessionId>),
    /// Nothing is open. Of a take that may never be heard of again only this is kept in memory.
    Closed(Brief),
}

/// How a closed take stands.
#[derive(Clone, Copy)]
pub(super) struct Brief {
    state: State,
    /// Entries below this are in its files.
    entries: u64,
}

impl From<&Take> for Brief {
    fn from(take: &Take) -> Self {
        Self { state: take.state, entries: take.resume.entry }
    }
}

#[derive(Debug, thiserror::Error)]
enum OpenError {
    #[error(transparent)]
    Journal(#[from] JournalError),
    #[error(transparent)]
    Take(#[from] TakeError),
    #[error("{path}: {source}", path = path.display())]
    Folder { path: PathBuf, source: std::io::Error },
}

impl Recorder {
    /// Takes over what an earlier life left: open takes wait for their senders, leftovers of closed ones are removed. Says in the log what was
    /// found.
    pub(super) fn resume(&mut self, takes: HashMap<TakeId, (PathBuf, Take)>) {
        let begin = Instant::now();
        let (mut open, mut failed) = (0, 0);
        for (id, (folder, take)) in takes {
            let state = take.state;
            self.takes.insert(id, Known { folder: folder.clone(), status: Status::Closed(Brief::from(&take)) });
            match state {
                State::Open => match self.open(id, folder, take) {
                    Ok(()) => open += 1,
                    Err(error) => {
                        failed += 1;
                        tracing::error!("{error}. The take is left as it is.");
                    }
                },
                State::Complete => remove_journal(&folder),
                State::Interrupted | State::Damaged => {}
            }
        }
        if open + failed > 0 {
            let bytes: u64 = self.live().map(|live| live.found).sum();
            let (bytes, seconds) = (bytes as f64 / 1e6, begin.elapsed().as_secs_f64());
            let takes = if open == 1 { "a take".to_owned() } else { format!("{open} takes") };
            let unread = if failed > 0 { format!(", and {failed} that cannot be read") } else { String::new() };
            tracing::info!(
                "an earlier life left {takes} open{unread}: {bytes:.1} MB of journal were checked in {seconds:.2} s; files are made again from \
                 it, and senders are waited for"
            );
        }
    }

    pub(super) fn run(&mut self, commands: &Queue<Command>) {
        loop {
            self.look_at_disk();
            let waiting = self.live().any(|live| !live.is_synced() || !live.refused.is_empty());
            // While entries wait to be synced, more of them need nobody before that.
            let news = match waiting {
                true => commands.gather(SYNC_INTERVAL.saturating_sub(self.synced.elapsed())),
                false => commands.drain(self.patience()),
            };
            for command in news {
                self.handle(command);
            }
            if self.stopping || self.synced.elapsed() >= SYNC_INTERVAL {
                self.sync();
            }
            self.close_absent();
            let closing = self.takes.values().any(|known| matches!(known.status, Status::Closing(_)));
            if self.stopping && (!closing || self.archive_thread.is_finished()) {
                return;
            }
        }
    }

    /// How long the recorder may wait when nothing comes: absent senders and the disk are looked after.
    fn patience(&self) -> Duration {
        INTERVAL.min(self.config.tunable.absence)
    }

    /// Pauses when the disk takes nothing, and goes on when it does.
    fn look_at_disk(&mut self) {
        let was_paused = self.disk.is_paused();
        let Some(status) = self.disk.look(&self.config.tunable) else { return };
        if self.disk.is_paused() != was_paused {
            self.archive.push(archive::Command::Pause(self.disk.is_paused()));
        }
        (self.report)(Report::Disk(status));
    }

    fn live(&mut self) -> impl Iterator<Item = &mut Live> {
        self.takes.values_mut().filter_map(|known| match &mut known.status {
            Status::Live(live) => Some(&mut **live),
            _ => None,
        })
    }

    fn live_take(&mut self, take: TakeId) -> Option<&mut Live> {
        match &mut self.takes.get_mut(&take)?.status {
            Status::Live(live) => Some(live),
            _ => None,
        }
    }

    pub(super) fn handle(&mut self, command: Command) {
        match command {
            Command::Open { session, description } => self.on_open(session, &description),
            Command::Entry { take, number, arrival, arrived, entry } => {
                let paused = self.disk.is_paused();
                let Some(live) = self.live_take(take).filter(|live| !live.held.contains(number)) else { return };
                if paused {
                    return live.refused.push(number);
                }
                live.journal.append(&Frame::Entry { number, arrival, arrived, entry: &entry });
                live.entries.push(number);
            }
            Command::Gone { take, gone, arrived } => {
                if let Some(live) = self.live_take(take) {
                    live.journal.append(&Frame::Gone { gone, arrived });
                    live.gone.push((gone, arrived));
                }
            }
            Command::Left { take } => match self.takes.get_mut(&take).map(|known| &mut known.status) {
                Some(Status::Live(live)) => live.absent_since = Some(Instant::now()),
                Some(Status::Closing(waiting)) => *waiting = None,
                _ => {}
            },
            Command::Rotate => self.archive.push(archive::Command::Rotate),
            Command::Rename { take, name } => self.archive.push(archive::Command::Rename { id: take, name }),
            Command::Configure(tunable) => {
                self.config.tunable = tunable;
                self.archive.push(archive::Command::Configure(archive::Setting::from(&tunable)));
            }
            Command::Archived { id, take } => self.on_archived(id, take),
            Command::Stop => self.stopping = true,
        }
    }

    fn on_open(&mut self, session: SessionId, description: &Description) {
        if self.stopping {
            return (self.report)(Report::Refused { session, reason: Refusal::Closing });
        }
        let id = description.take;
        // The answer says what of the take is durable, so what waits of it is made so first. Others do not wait for its disk, nor it for theirs:
        // many streams that come at once would have each of them wait for all.
        if let Some(known) = self.takes.get_mut(&id) {
            sync(id, known, &mut self.disk, &self.report);
        }
        let live = self.live().count();
        let opened = match self.takes.get_mut(&id) {
            None if live >= self.config.max_takes => {
                return (self.report)(Report::Refused { session, reason: Refusal::TooManyStreams });
            }
            // There is no room for its folder. Its sender keeps what it has, and tries again.
            None if self.disk.is_paused() => return (self.report)(Report::Refused { session, reason: Refusal::Storage }),
            None => self.create(description),
            Some(Known { status: Status::Closing(waiting), .. }) => {
                *waiting = Some(session);
                return;
            }
            Some(Known { status: Status::Live(_), .. }) => Ok(()),
            Some(Known { status: Status::Closed(brief), folder }) => match brief.state {
                State::Complete | State::Damaged => {
                    // Its sender has not heard yet that all is durable.
                    let held = Held { complete: SourceNumber(brief.entries), beyond: Vec::new() };
                    return (self.report)(Report::Accepted { session, held, progress: Arc::default() });
                }
                State::Open | State::Interrupted => {
                    let folder = folder.clone();
                    Take::load(&folder).map_err(OpenError::from).and_then(|take| self.open(id, folder, take))
                }
            },
        };
        if let Err(error) = &opened {
            tracing::error!(
                "{error}. The stream is refused; its sender keeps its data and tries again. Free disk space or mend the folder's rights."
            );
        }
        let report = match self.live_take(id) {
            Some(live) if opened.is_ok() => {
                live.absent_since = None;
                let held = Held { complete: live.held.complete(), beyond: live.held.beyond().collect() };
                Report::Accepted { session, held, progress: Arc::clone(&live.progress) }
            }
            _ => Report::Refused { session, reason: Refusal::Storage },
        };
        (self.report)(report);
    }

    fn create(&mut self, description: &Description) -> Result<(), OpenError> {
        let folder = take::folder_for(&self.config.data, description);
        take::create_folder(&self.config.data, &folder).map_err(|source| OpenError::Folder { path: folder.clone(), source })?;
        let take = Take::new(description);
        take.save(&folder)?;
        self.takes.insert(description.take, Known { folder: folder.clone(), status: Status::Closed(Brief::from(&take)) });
        self.open(description.take, folder, take)
    }

    /// Opens the journal of a take and lets the archive follow it.
    fn open(&mut self, id: TakeId, folder: PathBuf, mut take: Take) -> Result<(), OpenError> {
        if take.state != State::Open {
            take.state = State::Open;
            take.save(&folder)?;
        }
        let first = take.resume.segment;
        journal::remove_segments(&folder, |segment| segment < first)?;
        let mut held = RangeSet::below(SourceNumber(take.resume.entry));
        let journal = Journal::open(&folder, id, first, |frame| match frame {
            Frame::Entry { number, .. } => held.insert_one(number),
            Frame::Gone { gone, .. } => held.insert(gone.range),
        })?;
        let progress = Arc::new(Progress::default());
        progress.set_mark(journal.durable());
        progress.set_read(Position { segment: first, offset: 0 });
        let found = journal::size(&folder)?;
        let name = self.config.names.of(&take.stream_id);
        let follow = archive::Command::Follow { id, folder: folder.clone(), take: Box::new(take), progress: Arc::clone(&progress) };
        self.archive.push(follow);
        if let Some(name) = name {
            self.archive.push(archive::Command::Rename { id, name });
        }
        let live = Live {
            journal,
            held,
            entries: Vec::new(),
            gone: Vec::new(),
            refused: Vec::new(),
            found,
            absent_since: Some(Instant::now()),
            progress,
        };
        self.takes.insert(id, Known { folder, status: Status::Live(Box::new(live)) });
        Ok(())
    }

    fn on_archived(&mut self, id: TakeId, take: Box<Take>) {
        let Some(known) = self.takes.get_mut(&id) else { return };
        let (state, folder) = (take.state, known.folder.clone());
        let description = take.description();
        let before = std::mem::replace(&mut known.status, Status::Closed(Brief::from(&*take)));
        match state {
            State::Complete => remove_journal(&folder),
            // It could not be closed. It stays open, and is closed when its sender has been away for as long again.
            State::Open if !self.stopping => {
                if let Err(error) = self.open(id, folder, *take) {
                    tracing::error!("{error}. The take is left as it is; it is completed at the next start.");
                }
            }
            _ => {}
        }
        if let (Status::Closing(Some(session)), Some(description)) = (before, description) {
            self.on_open(session, &description);
        }
    }

    fn sync(&mut self) {
        for (id, known) in &mut self.takes {
            sync(*id, known, &mut self.disk, &self.report);
        }
        self.archive.nudge();
        self.synced = Instant::now();
    }

    fn close_absent(&mut self) {
        let absence = self.config.tunable.absence;
        for (id, known) in &mut self.takes {
            let Status::Live(live) = &known.status else { continue };
            let away = live.absent_since.is_some_and(|since| since.elapsed() >= absence);
            if self.stopping || (away && live.is_synced()) {
                known.status = Status::Closing(None);
                self.archive.push(archive::Command::Interrupt { id: *id });
            }
        }
    }
}

/// Makes durable what waits of a take, if the disk takes anything at all.
fn sync(id: TakeId, known: &mut Known, disk: &mut Watch, report: &Reporter) {
    let Status::Live(live) = &mut known.status else { return };
    live.give_back(id, report);
    if disk.is_paused() {
        return;
    }
    if let Err(error) = live.sync(id, report) {
        disk.fail(error.to_string());
    }
}

fn remove_journal(folder: &std::path::Path) {
    if let Err(error) = journal::remove_segments(folder, |_| true) {
        tracing::warn!("{error}. The journal of a complete take could not be removed; it is harmless.");
    }
}
