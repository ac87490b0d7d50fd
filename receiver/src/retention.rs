//! Removes old recordings, if the settings say so: those older than some days, or the oldest while the disk has too little room.
//!
//! What may go, and how, is [`crate::prune`]'s business: only takes that are complete, whose files were checked, and whose sender has been
//! told that all is durable.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, SystemTime};

use crate::prune::{Rule, choose, remove, tidy};
use crate::queue::Queue;
use crate::settings::Tunable;

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
            let removed = remove_old(data, &tunable, SystemTime::now());
            self.removed.fetch_add(removed, Ordering::Relaxed);
            if let Some(newest) = self.commands.drain(INTERVAL).pop_back() {
                tunable = newest;
            }
        }
    }
}

/// Removes what is too old, then the oldest while too little is free. Returns how many takes went.
fn remove_old(data: &Path, tunable: &Tunable, now: SystemTime) -> u64 {
    let keep_free = (tunable.keep_free > 0).then_some(tunable.keep_free);
    let rule = Rule { older_than: tunable.keep_for, keep_free, spare: YOUNG };
    if rule.older_than.is_none() && rule.keep_free.is_none() {
        return 0;
    }
    let chosen = match choose(data, rule, now) {
        Ok(choice) => choice.chosen,
        Err(error) => {
            tracing::warn!("{}: {error}. No old recording is removed.", data.display());
            return 0;
        }
    };
    let mut removed = 0;
    for take in chosen {
        let age = now.duration_since(take.finished).unwrap_or_default();
        let old = tunable.keep_for.is_some_and(|keep| age > keep);
        let why = if old { "it is older than `keep-days` allows" } else { "the disk has less room than `keep-free` wants" };
        match remove(&take) {
            Ok(()) => {
                tracing::warn!(folder = %take.folder.display(), days = age.as_secs() / 86_400, "an old recording is removed: {why}");
                removed += 1;
            }
            Err(error) => tracing::warn!("{}: {error}. This old recording could not be removed.", take.folder.display()),
        }
    }
    if let Err(error) = tidy(data) {
        tracing::warn!("{}: {error}. What removed recordings left could not be tidied away.", data.display());
    }
    removed
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::PathBuf;

    use send_learn_protocol::packet::hello::Description;
    use send_learn_protocol::units::{HostId, HostNanos, MachineId, StreamId, TakeId};

    use super::*;
    use crate::take::{ClosedPart, State, Take};

    const DAY: Duration = Duration::from_secs(86_400);

    fn at(days: u32) -> SystemTime {
        SystemTime::UNIX_EPOCH + DAY * days
    }

    /// A take whose files are of a day; its studio machine's clock is years ahead.
    fn take(data: &Path, day: &str, name: &str, state: State, finished: u32) -> PathBuf {
        let description = Description {
            stream: StreamId::random(),
            take: TakeId::random(),
            host: HostId::random(),
            machine: MachineId::random(),
            sample_rate: 48_000.0,
            channels: 1,
            max_block: 480,
            started_unix_nanos: 10_000 * 86_400 * 1_000_000_000,
            started: HostNanos(0),
            properties: Vec::new(),
        };
        let folder = data.join(day).join(name);
        fs::create_dir_all(&folder).unwrap();
        let parts = vec![ClosedPart { file: "x-0001.h5".to_owned(), first_sample: 0, frames: 480 }];
        Take { state, parts, ..Take::new(&description) }.save(&folder).unwrap();
        fs::write(folder.join("x-0001.h5"), "x").unwrap();
        for file in fs::read_dir(&folder).unwrap() {
            fs::File::options().write(true).open(file.unwrap().path()).unwrap().set_modified(at(finished)).unwrap();
        }
        folder
    }

    fn session(data: &Path, day: &str, takes: &[&Path]) -> PathBuf {
        let files = |take: &&Path| serde_json::json!([{ "path": take.join("x-0001.h5").strip_prefix(data.join(day)).unwrap() }]);
        let streams: Vec<_> = takes.iter().map(|take| serde_json::json!({ "take_id": "x", "files": files(take) })).collect();
        let path = data.join(day).join(format!("session-{}.json", takes.len()));
        fs::write(&path, serde_json::json!({ "format": "send-learn-session", "streams": streams }).to_string()).unwrap();
        fs::write(path.with_extension("hdf5"), "x").unwrap();
        path
    }

    #[test]
    fn what_is_too_old_goes_with_all_that_names_it_and_what_is_not_finished_never() {
        let data = tempfile::tempdir().unwrap();
        let data = data.path();
        let old = take(data, "1", "old", State::Complete, 10);
        let open = take(data, "1", "open", State::Open, 10);
        let interrupted = take(data, "2", "interrupted", State::Interrupted, 10);
        let damaged = take(data, "2", "damaged", State::Damaged, 10);
        let alone = take(data, "3", "alone", State::Complete, 10);
        let new = take(data, "4", "new", State::Complete, 40);
        let annotated = take(data, "4", "annotated", State::Complete, 10);
        fs::write(annotated.join("notes.txt"), "the good one").unwrap();
        let half = take(data, "5", ".removed-half", State::Complete, 10);
        let (gone, kept) = (session(data, "1", &[&old]), session(data, "1", &[&old, &open]));
        session(data, "3", &[&alone]);
        assert_eq!(remove_old(data, &Tunable::default(), at(100)), 0, "off, unless asked for");
        assert!(old.exists() && half.exists());
        let tunable = Tunable { keep_for: Some(30 * DAY), ..Tunable::default() };
        assert_eq!(remove_old(data, &tunable, at(41)), 2);
        assert!(!old.exists() && !data.join("3").exists() && !data.join("5").exists());
        assert!(!gone.exists() && !gone.with_extension("hdf5").exists() && kept.exists());
        assert!([open, interrupted, damaged, new, annotated].iter().all(|folder| folder.join("x-0001.h5").exists()));
    }

    #[test]
    fn what_was_just_finished_stays_however_little_is_free() {
        let data = tempfile::tempdir().unwrap();
        let young = take(data.path(), "1", "young", State::Complete, 50);
        let tunable = Tunable { keep_free: u64::MAX, ..Tunable::default() };
        assert_eq!(remove_old(data.path(), &tunable, at(50) + YOUNG / 2), 0);
        assert!(young.exists());
        assert_eq!(remove_old(data.path(), &tunable, at(50) + YOUNG), 1);
    }
}
