//! Which finished recordings are to go: whole takes, the oldest first, and nothing that is not ours. `send-learn prune` does it when it
//! is told, [`crate::retention`] while a receiver runs.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::disk;
use crate::journal::sync_folder;
use crate::session;
use crate::take::{State, TAKE_FILE, Take, folders};

/// How the name of a take's folder begins while it is removed.
const GOING: &str = ".removed-";

/// What is to go.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rule {
    /// Takes that were finished longer ago than this.
    pub older_than: Option<Duration>,
    /// The oldest, until as many bytes are free.
    pub keep_free: Option<u64>,
    /// What was finished within this stays in any case: its sender may not have heard yet.
    pub spare: Duration,
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
    /// When it was finished, as far as its clock and its files tell: the later of the two. A studio machine's clock that is ahead
    /// tells nothing.
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
    let mut finished = Vec::new();
    let mut left = Vec::new();
    for folder in folders(data)? {
        let Ok(take) = Take::load(&folder) else { continue };
        if take.state != State::Complete || folder.is_symlink() {
            continue;
        }
        match look(&folder, &take, now) {
            Ok(take) => finished.push(take),
            Err(strange) => left.push((folder, strange)),
        }
    }
    // Where nobody says how much is free, nothing is lacking.
    let lacking = rule.keep_free.zip(disk::free(data)).map_or(0, |(wanted, free)| wanted.saturating_sub(free));
    Ok(Choice { left, ..rule.choose(finished, lacking, now) })
}

impl Rule {
    /// Chooses among finished takes where so many bytes are lacking.
    fn choose(&self, mut finished: Vec<Finished>, mut lacking: u64, now: SystemTime) -> Choice {
        finished.sort_by_key(|take| take.finished);
        let mut chosen = Vec::new();
        for take in finished {
            let age = now.duration_since(take.finished).unwrap_or_default();
            let is_old = self.older_than.is_some_and(|limit| age > limit);
            if age >= self.spare && (is_old || lacking > 0) {
                lacking = lacking.saturating_sub(take.bytes);
                chosen.push(take);
            }
        }
        Choice { chosen, left: Vec::new(), lacking }
    }
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
    let going = day.join(format!("{GOING}{name}"));
    fs::rename(&take.folder, &going)?;
    sync_folder(day)?;
    fs::remove_dir_all(&going)
}

/// What removals leave behind: folders that are going, if one was cut short, indices of sessions of which no take is left, and the
/// folders of days in which nothing is left.
///
/// # Errors
/// What the operating system says about the data folder.
pub fn tidy(data: &Path) -> io::Result<()> {
    for day in fs::read_dir(data)?.flatten().map(|day| day.path()).filter(|day| day.is_dir()) {
        for item in fs::read_dir(&day)?.flatten().filter(|item| item.file_name().to_string_lossy().starts_with(GOING)) {
            match fs::remove_dir_all(item.path()) {
                // Whoever removes it is still at it.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                done => done?,
            }
        }
        session::forget_what_is_gone(&day)?;
        // Goes only if it is empty.
        let _ = fs::remove_dir(&day);
    }
    sync_folder(data)
}

/// A finished take; or what lies in its folder that is not of it.
fn look(folder: &Path, take: &Take, now: SystemTime) -> Result<Finished, String> {
    let mut bytes = 0;
    let mut newest = UNIX_EPOCH;
    for item in fs::read_dir(folder).map_err(|error| error.to_string())? {
        let item = item.map_err(|error| error.to_string())?;
        let name = item.file_name().to_string_lossy().into_owned();
        let metadata = item.metadata().map_err(|error| error.to_string())?;
        // A kill leaves `take.json.new`.
        let ours =
            name.trim_end_matches(".new") == TAKE_FILE || name.ends_with(".slj") || take.parts.iter().any(|part| part.file == name);
        if !ours || !metadata.is_file() {
            return Err(name);
        }
        bytes += metadata.len();
        newest = newest.max(metadata.modified().unwrap_or(UNIX_EPOCH));
    }
    let frames: u64 = take.parts.iter().map(|part| part.frames).sum();
    let length = Duration::try_from_secs_f64(frames as f64 / take.sample_rate).unwrap_or_default();
    // A studio machine's clock may stand anywhere: no take is older than its files, and none ends in times to come.
    let played = UNIX_EPOCH + Duration::from_nanos(take.started_unix_nanos) + length;
    let finished = if played <= now { played.max(newest) } else { newest };
    Ok(Finished { folder: folder.to_owned(), name: take.name().to_owned(), bytes, finished })
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: Duration = Duration::from_secs(86_400);

    fn at(days: u32) -> SystemTime {
        UNIX_EPOCH + DAY * days
    }

    /// Names of what a rule chooses among takes of 50 bytes, each named by the day on which it was finished; and what is lacking then.
    fn chosen(rule: Rule, days: &[u32], lacking: u64, now: u32) -> (Vec<String>, u64) {
        let finished =
            days.iter().map(|day| Finished { folder: PathBuf::new(), name: day.to_string(), bytes: 50, finished: at(*day) });
        let choice = rule.choose(finished.collect(), lacking, at(now));
        (choice.chosen.into_iter().map(|take| take.name).collect(), choice.lacking)
    }

    #[test]
    fn what_is_older_than_allowed_goes_and_nothing_does_that_nobody_asked_for() {
        assert_eq!(chosen(Rule::default(), &[1, 10], 0, 100).0, [""; 0]);
        let rule = Rule { older_than: Some(DAY * 30), ..Rule::default() };
        assert_eq!(chosen(rule, &[40, 10, 11, 200], 0, 41).0, ["10"]);
    }

    #[test]
    fn the_oldest_go_while_too_little_is_free_but_nothing_that_was_just_finished() {
        let rule = Rule { spare: DAY, ..Rule::default() };
        assert_eq!(chosen(rule, &[3, 1, 2], 60, 50), (vec!["1".to_owned(), "2".to_owned()], 0));
        assert_eq!(chosen(rule, &[50, 3], 200, 50), (vec!["3".to_owned()], 150));
    }
}
