//! Removes old recordings, if the settings say so: those older than some days, or the oldest while the disk has too little room.
//!
//! Only what is finished goes: a take that is complete, whose files were checked, and whose sender has been told that all is durable.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, SystemTime};

use crate::disk;
use crate::journal::sync_folder;
use crate::queue::Queue;
use crate::settings::Tunable;
use crate::take::{State, TAKE_FILE, Take, folders};

/// Recordings are looked through this often.
const INTERVAL: Duration = Duration::from_secs(60);

/// What was finished within this is left alone, whatever the disk: its sender may not have heard yet.
const YOUNG: Duration = Duration::from_secs(120);

/// The thread that removes old recordings. Clones are the same thread; it ends with the process.
#[derive(Clone, Debug)]
pub struct Retention {
    commands: Queue<Tunable>,
    removed: Arc<AtomicU64>,
}

impl Retention {
    /// Starts the thread for the recordings below `data`.
    ///
    /// # Errors
    /// When the thread cannot be started.
    pub fn start(data: &Path, tunable: Tunable) -> io::Result<Self> {
        let retention = Self { commands: Queue::new(0), removed: Arc::default() };
        let (of_thread, data) = (retention.clone(), data.to_owned());
        thread::Builder::new().name("retention".into()).spawn(move || of_thread.run(&data, tunable))?;
        Ok(retention)
    }

    /// From now on other settings hold.
    pub fn configure(&self, tunable: Tunable) {
        self.commands.push(tunable);
    }

    /// Recordings removed so far.
    pub fn removed(&self) -> u64 {
        self.removed.load(Ordering::Relaxed)
    }

    fn run(&self, data: &Path, mut tunable: Tunable) {
        loop {
            let removed = remove_old(data, &tunable, SystemTime::now(), || disk::free(data));
            self.removed.fetch_add(removed, Ordering::Relaxed);
            if let Some(newest) = self.commands.drain(INTERVAL).pop_back() {
                tunable = newest;
            }
        }
    }
}

/// A finished take.
struct Finished {
    folder: PathBuf,
    /// When it was finished here: no clock but this machine's counts.
    at: SystemTime,
}

/// Removes what is too old, then the oldest while too little is free. Returns how many takes went.
fn remove_old(data: &Path, tunable: &Tunable, now: SystemTime, free: impl Fn() -> Option<u64>) -> u64 {
    if tunable.keep_for.is_none() && tunable.keep_free == 0 {
        return 0;
    }
    let mut takes: Vec<Finished> = match folders(data) {
        Ok(folders) => folders.into_iter().filter_map(finished).collect(),
        Err(error) => {
            tracing::warn!("{}: {error}. No old recording is removed.", data.display());
            return 0;
        }
    };
    takes.sort_by_key(|take| take.at);
    let mut removed = 0;
    for take in takes {
        let age = now.duration_since(take.at).unwrap_or_default();
        let old = tunable.keep_for.is_some_and(|keep| age > keep);
        let scarce = tunable.keep_free > 0 && free().is_some_and(|free| free < tunable.keep_free);
        if age < YOUNG || !(old || scarce) {
            continue;
        }
        let why = if old { "it is older than `keep-days` allows" } else { "the disk has less room than `keep-free` wants" };
        match remove(&take.folder) {
            Ok(()) => {
                tracing::warn!(folder = %take.folder.display(), days = age.as_secs() / 86_400, "an old recording is removed: {why}");
                removed += 1;
            }
            Err(error) => tracing::warn!("{}: {error}. This old recording could not be removed.", take.folder.display()),
        }
    }
    removed
}

/// The take in `folder`, if it is finished.
fn finished(folder: PathBuf) -> Option<Finished> {
    Take::load(&folder).ok().filter(|take| take.state == State::Complete)?;
    let at = fs::metadata(folder.join(TAKE_FILE)).and_then(|file| file.modified()).ok()?;
    Some(Finished { folder, at })
}

/// Removes a take's folder, and that of its day if nothing else is in it. `take.json` goes last: what is left of a removal that was cut
/// short is still a finished take, and goes the next time.
fn remove(folder: &Path) -> io::Result<()> {
    for item in fs::read_dir(folder)? {
        let path = item?.path();
        if path.file_name().is_some_and(|name| name != TAKE_FILE) {
            fs::remove_file(&path)?;
        }
    }
    fs::remove_file(folder.join(TAKE_FILE))?;
    fs::remove_dir(folder)?;
    let Some(day) = folder.parent() else { return Ok(()) };
    // It goes only if it is empty.
    let _ = fs::remove_dir(day);
    sync_folder(if day.is_dir() { day } else { day.parent().unwrap_or(day) })
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use send_learn_protocol::packet::hello::Description;
    use send_learn_protocol::units::{HostId, HostNanos, MachineId, StreamId, TakeId};

    use super::*;

    fn take(data: &Path, day: &str, name: &str, state: State, finished: u64) -> PathBuf {
        let description = Description {
            stream: StreamId::random(),
            take: TakeId::random(),
            host: HostId::random(),
            machine: MachineId::random(),
            sample_rate: 48_000.0,
            channels: 1,
            max_block: 480,
            started_unix_nanos: 0,
            started: HostNanos(0),
            properties: Vec::new(),
        };
        let folder = data.join(day).join(name);
        fs::create_dir_all(&folder).unwrap();
        Take { state, ..Take::new(&description) }.save(&folder).unwrap();
        fs::write(folder.join("x-0001.h5"), "x").unwrap();
        let at = SystemTime::UNIX_EPOCH + Duration::from_secs(finished * 86_400);
        fs::File::options().write(true).open(folder.join(TAKE_FILE)).unwrap().set_modified(at).unwrap();
        folder
    }

    const DAY: Duration = Duration::from_secs(86_400);

    fn at(days: u32) -> SystemTime {
        SystemTime::UNIX_EPOCH + DAY * days
    }

    #[test]
    fn what_is_older_than_allowed_goes_and_what_is_not_finished_never() {
        let data = tempfile::tempdir().unwrap();
        let data = data.path();
        let old = take(data, "1", "old", State::Complete, 10);
        let open = take(data, "1", "open", State::Open, 10);
        let interrupted = take(data, "2", "interrupted", State::Interrupted, 10);
        let damaged = take(data, "2", "damaged", State::Damaged, 10);
        let alone = take(data, "3", "alone", State::Complete, 10);
        let new = take(data, "4", "new", State::Complete, 40);
        assert_eq!(remove_old(data, &Tunable::default(), at(100), || Some(0)), 0, "off, unless asked for");
        let tunable = Tunable { keep_for: Some(30 * DAY), ..Tunable::default() };
        assert_eq!(remove_old(data, &tunable, at(41), || None), 2);
        assert!(!old.exists() && !alone.exists() && !data.join("3").exists());
        assert!([open, interrupted, damaged, new].iter().all(|folder| folder.join("x-0001.h5").exists()));
    }

    #[test]
    fn the_oldest_go_while_too_little_is_free_but_nothing_that_was_just_finished() {
        let data = tempfile::tempdir().unwrap();
        let data = data.path();
        let takes = [3, 1, 2].map(|day| take(data, "1", &day.to_string(), State::Complete, day));
        let young = take(data, "1", "young", State::Complete, 50);
        let tunable = Tunable { keep_free: 100, ..Tunable::default() };
        let free = Cell::new(0);
        let room = || Some(free.replace(free.get() + 50));
        assert_eq!(remove_old(data, &tunable, at(50), room), 2);
        assert_eq!(takes.map(|folder| folder.exists()), [true, false, false]);
        assert_eq!(remove_old(data, &tunable, at(50), || Some(0)), 1);
        assert!(young.exists());
    }
}
