//! Which finished recordings are to go: whole takes, the oldest first, and nothing that is not ours.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustix::fs::statvfs;

use crate::journal::sync_folder;
use crate::take::{State, TAKE_FILE, Take, folders};

/// What is to go.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rule {
    /// Takes that were finished longer ago than this.
    pub older_than: Option<Duration>,
    /// The oldest, until as many bytes are free.
    pub keep_free: Option<u64>,
}

/// A finished take.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finished {
    /// Its folder.
    pub folder: PathBuf,
    /// The stream's name.
    pub name: String,
    /// Bytes of its files.
    pub bytes: u64,
    /// When it was finished, as far as its clock and its files tell: the later of the two.
    pub finished: SystemTime,
}

/// Finished takes, and those of them that a rule would remove.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Choice {
    /// To be removed, oldest first.
    pub chosen: Vec<Finished>,
    /// Folders of finished takes that stay because something else lies in them, and what.
    pub left: Vec<(PathBuf, String)>,
    /// Bytes that would still be lacking.
    pub lacking: u64,
}

/// Chooses among the finished takes of a data folder. Open, interrupted and damaged ones are never chosen.
///
/// # Errors
/// What the operating system says about the data folder.
pub fn choose(data: &Path, rule: Rule, now: SystemTime) -> io::Result<Choice> {
    let mut choice = Choice::default();
    let mut finished = Vec::new();
    for folder in folders(data)? {
        let Ok(take) = Take::load(&folder) else { continue };
        if take.state != State::Complete || folder.is_symlink() {
            continue;
        }
        match look(&folder, &take) {
            Ok(take) => finished.push(take),
            Err(strange) => choice.left.push((folder, strange)),
        }
    }
    finished.sort_by_key(|take| take.finished);
    let old = |take: &Finished| rule.older_than.is_some_and(|age| now.duration_since(take.finished).is_ok_and(|since| since > age));
    let mut lacking = rule.keep_free.map_or(Ok(0), |wanted| free(data).map(|free| wanted.saturating_sub(free)))?;
    for take in finished {
        if old(&take) || lacking > 0 {
            lacking = lacking.saturating_sub(take.bytes);
            choice.chosen.push(take);
        }
    }
    choice.lacking = lacking;
    Ok(choice)
}

/// Bytes that the folder's disk has free for this user.
///
/// # Errors
/// What the operating system says.
pub fn free(folder: &Path) -> io::Result<u64> {
    let disk = statvfs(folder)?;
    Ok(disk.f_bavail.saturating_mul(disk.f_frsize))
}

/// Removes a take that was chosen, if it is still finished. Its folder has another name before anything of it goes, so that
/// nobody meets half of it.
///
/// # Errors
/// What the operating system says, or [`io::ErrorKind::Other`] when the take has changed since.
pub fn remove(take: &Finished) -> io::Result<()> {
    let known = Take::load(&take.folder).map_err(|error| io::Error::other(error.to_string()))?;
    if known.state != State::Complete {
        return Err(io::Error::other("it is not finished any more"));
    }
    let day = take.folder.parent().unwrap_or(Path::new("."));
    let name = take.folder.file_name().unwrap_or_default().to_string_lossy();
    let going = day.join(format!(".removed-{name}"));
    fs::rename(&take.folder, &going)?;
    sync_folder(day)?;
    fs::remove_dir_all(&going)
}

/// Removes the folders of days in which nothing is left.
///
/// # Errors
/// What the operating system says about the data folder.
pub fn remove_empty_days(data: &Path) -> io::Result<()> {
    for day in fs::read_dir(data)?.flatten().filter(|day| day.path().is_dir()) {
        // Goes only if it is empty.
        let _ = fs::remove_dir(day.path());
    }
    sync_folder(data)
}

/// A finished take; or what lies in its folder that is not of it.
fn look(folder: &Path, take: &Take) -> Result<Finished, String> {
    let mut bytes = 0;
    let mut newest = UNIX_EPOCH;
    for item in fs::read_dir(folder).map_err(|error| error.to_string())? {
        let item = item.map_err(|error| error.to_string())?;
        let name = item.file_name().to_string_lossy().into_owned();
        let metadata = item.metadata().map_err(|error| error.to_string())?;
        let ours = name == TAKE_FILE || name.ends_with(".slj") || take.parts.iter().any(|part| part.file == name);
        if !ours || !metadata.is_file() {
            return Err(name);
        }
        bytes += metadata.len();
        newest = newest.max(metadata.modified().unwrap_or(UNIX_EPOCH));
    }
    let frames: u64 = take.parts.iter().map(|part| part.frames).sum();
    let length = Duration::try_from_secs_f64(frames as f64 / take.sample_rate).unwrap_or_default();
    // A studio machine's clock may stand anywhere: no take is older than its files.
    let played = UNIX_EPOCH + Duration::from_nanos(take.started_unix_nanos) + length;
    Ok(Finished { folder: folder.to_owned(), name: take.name().to_owned(), bytes, finished: played.max(newest) })
}
