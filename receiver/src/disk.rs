//! The disk of the recordings: how much room is left, and whether recording has to pause until there is more.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use send_learn_protocol::packet::feedback::Storage;
use serde::{Deserialize, Serialize};

use crate::settings::Tunable;

/// The disk is looked at this often.
pub const INTERVAL: Duration = Duration::from_secs(1);

/// Recording goes on when this much more than the reserve is free, in bytes, so that it does not stop and go.
const MARGIN: u64 = 16 << 20;

/// What is written to see whether the disk takes anything, in bytes.
const PROBE: usize = 256 << 10;

/// How the disk stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DiskState {
    /// All is well.
    #[default]
    Good,
    /// Recording goes on, but not for long.
    Low,
    /// Nothing is recorded: senders keep what they have.
    Paused,
}

/// How the disk stands, and why.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DiskStatus {
    /// In a word.
    pub state: DiskState,
    /// Bytes that are free for recordings; `None` where the system does not say.
    pub free: Option<u64>,
    /// Whether recording is paused for want of room; a disk with room may be paused because it cannot be written.
    pub full: bool,
    /// Why recording is paused, or what to do; empty when all is well.
    pub why: String,
}

impl DiskStatus {
    /// What senders are told.
    pub fn storage(&self) -> Storage {
        match self.state {
            DiskState::Good | DiskState::Low => Storage::Good,
            DiskState::Paused if self.full => Storage::Full,
            DiskState::Paused => Storage::Failing,
        }
    }
}

/// Watches the disk that holds a folder.
#[derive(Debug)]
pub struct Watch {
    data: PathBuf,
    looked: Option<Instant>,
    /// A write failed: why. It is tried again.
    failed: Option<String>,
    status: DiskStatus,
}

impl Watch {
    /// A watch over the disk of `data`, of which nothing is known yet.
    pub fn new(data: &Path) -> Self {
        Self { data: data.to_owned(), looked: None, failed: None, status: DiskStatus::default() }
    }

    /// Whether nothing can be recorded at present.
    pub fn is_paused(&self) -> bool {
        self.status.state == DiskState::Paused
    }

    /// A write failed: recording pauses until one goes well.
    pub fn fail(&mut self, why: String) {
        self.failed = Some(why);
        self.looked = None;
    }

    /// Looks at the disk if it is time to. The status, when there is news.
    pub fn look(&mut self, tunable: &Tunable) -> Option<DiskStatus> {
        if self.looked.is_some_and(|looked| looked.elapsed() < INTERVAL) {
            return None;
        }
        self.looked = Some(Instant::now());
        let data = self.data.clone();
        self.judge(free(&data), || probe(&data), tunable)
    }

    fn judge(&mut self, free: Option<u64>, probe: impl FnOnce() -> io::Result<()>, tunable: &Tunable) -> Option<DiskStatus> {
        let less_than = |bytes: u64| free.is_some_and(|free| free < bytes);
        let was = self.status.state;
        let paused = if self.is_paused() {
            let reserve = tunable.reserve.saturating_add(MARGIN);
            if less_than(reserve) { Some(scarce(free, reserve)) } else { probe().err().map(|error| self.refused(&error)) }
        } else if less_than(tunable.reserve) {
            Some(scarce(free, tunable.reserve))
        } else {
            self.failed.take()
        };
        self.failed = None;
        let (state, why) = match paused {
            Some(why) => (DiskState::Paused, why),
            None if less_than(tunable.low_space) => (DiskState::Low, scarce(free, tunable.low_space)),
            None => (DiskState::Good, String::new()),
        };
        // A write that found no room does not say so here: but then there is none.
        let full = state == DiskState::Paused && less_than(tunable.reserve.saturating_add(MARGIN));
        let news = DiskStatus { state, free, full, why };
        if state != was {
            self.tell(was, &news);
        }
        (news != self.status).then(|| {
            self.status = news.clone();
            news
        })
    }

    fn refused(&self, error: &io::Error) -> String {
        format!("{} cannot be written: {error}", self.data.display())
    }

    fn tell(&self, was: DiskState, news: &DiskStatus) {
        let data = self.data.display();
        match (was, news.state) {
            (_, DiskState::Paused) => tracing::error!(
                "recording is paused: {}. Nothing is lost: senders keep what they have, in memory and on their own disks. It goes on by itself \
                 when {data} has room and can be written.",
                news.why
            ),
            (DiskState::Paused, _) => tracing::info!("recording goes on: the disk takes data again"),
            (_, DiskState::Low) => tracing::warn!("{} on the disk of {data}: make room before recording pauses", news.why),
            _ => tracing::info!("there is enough room again on the disk of {data}"),
        }
    }
}

fn scarce(free: Option<u64>, wanted: u64) -> String {
    let free = free.map_or_else(|| "an unknown amount".to_owned(), size);
    format!("{free} is free, and less than {} is too little", size(wanted))
}

fn size(bytes: u64) -> String {
    if bytes >= 1_000_000_000 { format!("{:.1} GB", bytes as f64 / 1e9) } else { format!("{:.0} MB", bytes as f64 / 1e6) }
}

/// Bytes that a user without privileges can still write to the disk of `folder`.
pub fn free(folder: &Path) -> Option<u64> {
    rustix::fs::statvfs(folder).ok().map(|disk| disk.f_bavail.saturating_mul(disk.f_frsize))
}

/// Writes a file, syncs it and removes it: a full disk, a quota, a read-only mount and a broken disk all show.
fn probe(data: &Path) -> io::Result<()> {
    let path = data.join(".send-learn-probe");
    let write = || {
        let mut file = File::create(&path)?;
        file.write_all(&vec![0x5A; PROBE])?;
        file.sync_all()
    };
    let written = write();
    let removed = fs::remove_file(&path);
    written.and(removed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tunable() -> Tunable {
        Tunable { low_space: 1_000_000_000, reserve: 100_000_000, ..Tunable::default() }
    }

    fn fine() -> io::Result<()> {
        Ok(())
    }

    #[test]
    fn a_disk_that_fills_is_low_then_paused_and_goes_on_when_there_is_clearly_more_room() {
        let mut watch = Watch::new(Path::new("/data"));
        let mut state = |free: u64, probe: fn() -> io::Result<()>| {
            watch.judge(Some(free), probe, &tunable());
            assert_eq!(watch.status.full, watch.is_paused() && free < 116_000_000);
            watch.status.state
        };
        let full = || Err(io::ErrorKind::StorageFull.into());
        assert_eq!(state(2_000_000_000, fine), DiskState::Good);
        assert_eq!(state(999_000_000, fine), DiskState::Low);
        assert_eq!(state(99_000_000, fine), DiskState::Paused);
        assert_eq!(state(101_000_000, fine), DiskState::Paused, "not at once");
        assert_eq!(state(200_000_000, full), DiskState::Paused, "what is free may not be ours");
        assert_eq!(state(200_000_000, fine), DiskState::Low);
        assert_eq!(state(2_000_000_000, fine), DiskState::Good);
    }

    #[test]
    fn a_write_that_fails_pauses_whatever_is_free_until_one_goes_well() {
        let mut watch = Watch::new(Path::new("/data"));
        watch.fail("journal: read-only file system".to_owned());
        let status = watch.judge(Some(u64::MAX), fine, &tunable()).unwrap();
        assert_eq!((status.state, status.why.as_str()), (DiskState::Paused, "journal: read-only file system"));
        assert_eq!(status.storage(), Storage::Failing);
        let refused = || Err(io::ErrorKind::ReadOnlyFilesystem.into());
        assert!(watch.judge(None, refused, &tunable()).unwrap().why.contains("/data cannot be written: read-only"));
        assert_eq!(watch.judge(None, refused, &tunable()), None, "no news");
        assert_eq!(watch.judge(None, fine, &tunable()).unwrap().state, DiskState::Good);
    }

    #[test]
    fn a_probe_leaves_nothing_and_needs_a_folder_that_can_be_written() {
        let data = tempfile::tempdir().unwrap();
        probe(data.path()).unwrap();
        assert_eq!(fs::read_dir(data.path()).unwrap().count(), 0);
        assert!(free(data.path()).is_some_and(|free| free > 0));
        probe(&data.path().join("none")).unwrap_err();
    }
}
