//! A take's folder and its `take.json`: what the take is, which parts are closed, and where the next one goes on.

use std::collections::HashMap;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use send_learn_protocol::packet::hello::{Description, PropertyKey};
use send_learn_protocol::units::{HostNanos, TakeId};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use crate::journal::sync_folder;

/// The name of the file in a take's folder.
pub const TAKE_FILE: &str = "take.json";

/// How a take stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// It is being received: its journal is ahead of its parts.
    Open,
    /// Its sender went away before the end; it goes on when the sender comes back.
    Interrupted,
    /// It is whole, closed and checked.
    Complete,
    /// It is whole, but its file failed the last check: the journal is kept.
    Damaged,
}

/// Where a take goes on after its closed parts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resume {
    /// Entries of the log below this are in closed parts.
    pub entry: u64,
    /// Records of entry `entry` that are in closed parts too.
    pub records: usize,
    /// The position of the next frame.
    pub frames: u64,
    /// The journal's first segment.
    pub segment: u32,
    /// Names of parameters known so far: a later part lists them again.
    pub parameters: Vec<(u32, String)>,
}

/// A closed part.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClosedPart {
    /// The file's name within the folder.
    pub file: String,
    /// The position of its first frame.
    pub first_sample: u64,
    /// Its length in frames.
    pub frames: u64,
}

/// What `take.json` says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "the fields of the description are named and documented in the protocol")]
pub struct Take {
    pub format: String,
    pub version: u32,
    pub state: State,
    pub stream_id: String,
    pub take_id: String,
    pub host_id: String,
    pub machine_id: String,
    pub sample_rate: f64,
    pub channels: u16,
    pub max_block: u32,
    pub started_unix_nanos: u64,
    pub started_host_nanos: u64,
    /// Texts: key and text.
    pub properties: Vec<(u8, String)>,
    /// Closed parts, in order.
    pub parts: Vec<ClosedPart>,
    /// Where the next part begins.
    pub resume: Resume,
}

const FORMAT: &str = "send-learn-take";
const VERSION: u32 = 1;

/// Why a take's folder cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TakeError {
    /// The operating system refused.
    #[error("{path}: {source}", path = path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What it said.
        source: io::Error,
    },
    /// `take.json` is not one.
    #[error("{path} cannot be read: {why}", path = path.display())]
    Invalid {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        why: String,
    },
}

impl Take {
    /// A take that begins.
    pub fn new(description: &Description) -> Self {
        Self {
            format: FORMAT.to_owned(),
            version: VERSION,
            state: State::Open,
            stream_id: description.stream.to_string(),
            take_id: description.take.to_string(),
            host_id: description.host.to_string(),
            machine_id: description.machine.to_string(),
            sample_rate: description.sample_rate,
            channels: description.channels,
            max_block: description.max_block,
            started_unix_nanos: description.started_unix_nanos,
            started_host_nanos: description.started.0,
            properties: description.properties.iter().map(|(key, text)| (key.0, text.clone())).collect(),
            parts: Vec::new(),
            resume: Resume { segment: 1, ..Resume::default() },
        }
    }

    /// Reads the `take.json` in `folder`.
    ///
    /// # Errors
    /// [`TakeError`].
    pub fn load(folder: &Path) -> Result<Self, TakeError> {
        let path = folder.join(TAKE_FILE);
        let text = fs::read(&path).map_err(|source| TakeError::Io { path: path.clone(), source })?;
        let invalid = |why: String| TakeError::Invalid { path: path.clone(), why };
        let take: Self = serde_json::from_slice(&text).map_err(|error| invalid(error.to_string()))?;
        if take.format != FORMAT || take.version > VERSION {
            return Err(invalid(format!("format {} version {} is unknown here", take.format, take.version)));
        }
        take.description().ok_or_else(|| invalid("an identity in it is none".to_owned()))?;
        Ok(take)
    }

    /// Writes `take.json` in `folder`: whole or not at all, and synced.
    ///
    /// # Errors
    /// [`TakeError::Io`].
    pub fn save(&self, folder: &Path) -> Result<(), TakeError> {
        let path = folder.join(TAKE_FILE);
        let new = folder.join("take.json.new");
        let save = || {
            let mut file = fs::File::create(&new)?;
            file.write_all(&serde_json::to_vec_pretty(self)?)?;
            file.sync_all()?;
            fs::rename(&new, &path)?;
            sync_folder(folder)
        };
        save().map_err(|source| TakeError::Io { path: path.clone(), source })
    }

    /// The take as the protocol describes it; `None` when an identity is none.
    pub fn description(&self) -> Option<Description> {
        Some(Description {
            stream: self.stream_id.parse().ok()?,
            take: self.take_id.parse().ok()?,
            host: self.host_id.parse().ok()?,
            machine: self.machine_id.parse().ok()?,
            sample_rate: self.sample_rate,
            channels: self.channels,
            max_block: self.max_block,
            started_unix_nanos: self.started_unix_nanos,
            started: HostNanos(self.started_host_nanos),
            properties: self.properties.iter().map(|(key, text)| (PropertyKey(*key), text.clone())).collect(),
        })
    }

    /// The stream's name, or an empty one.
    pub fn name(&self) -> &str {
        let key = PropertyKey::NAME.0;
        self.properties.iter().find(|(k, _)| *k == key).map_or("", |(_, text)| text)
    }

    /// The stream is called `name`.
    pub fn rename(&mut self, name: &str) {
        let key = PropertyKey::NAME.0;
        match self.properties.iter_mut().find(|(k, _)| *k == key) {
            Some((_, old)) => name.clone_into(old),
            None => self.properties.push((key, name.to_owned())),
        }
    }

    /// The number of the part that comes next, from 1.
    pub fn next_part(&self) -> u32 {
        self.parts.len() as u32 + 1
    }

    /// The file name of part `number`.
    pub fn part_file(&self, number: u32) -> String {
        format!("{}-{number:04}.h5", slug(self.name()))
    }
}

/// The folder for a take that begins, below `data`: `YYYY-MM-DD/HHMMSS-NAME-TAKE8`, in UTC.
pub fn folder_for(data: &Path, description: &Description) -> PathBuf {
    let (date, time) = date_and_time(description.started_unix_nanos / 1_000_000_000);
    let name = format!("{time}-{}-{}", slug(description.property(PropertyKey::NAME)), description.take.short());
    let day = data.join(date);
    // Two takes share a name only if half of their identities agree: then a number tells them apart.
    (1_u32..)
        .map(|number| if number == 1 { day.join(&name) } else { day.join(format!("{name}-{number}")) })
        .find(|folder| !folder.exists())
        .unwrap_or_else(|| day.join(&name))
}

/// Creates `folder` and those above it, below `data`, durably.
///
/// # Errors
/// What the operating system says.
pub fn create_folder(data: &Path, folder: &Path) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    for above in folder.ancestors().skip(1) {
        sync_folder(above)?;
        if above == data {
            break;
        }
    }
    Ok(())
}

/// The folders of all takes below `data`, by take. Folders that cannot be read are logged and left alone.
///
/// # Errors
/// What the operating system says about `data` itself.
pub fn scan(data: &Path) -> io::Result<HashMap<TakeId, (PathBuf, Take)>> {
    let mut takes = HashMap::new();
    for folder in folders(data)? {
        match Take::load(&folder) {
            Ok(take) => {
                if let Ok(id) = take.take_id.parse() {
                    takes.insert(id, (folder, take));
                }
            }
            Err(error) => tracing::error!(%error, "a take's folder is left as it is"),
        }
    }
    Ok(takes)
}

/// The folders below `data` that hold a `take.json`, in order of time.
///
/// # Errors
/// What the operating system says about `data` itself.
pub fn folders(data: &Path) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for day in fs::read_dir(data)?.flatten().filter(|day| day.path().is_dir()) {
        let Ok(takes) = fs::read_dir(day.path()) else { continue };
        found.extend(takes.flatten().map(|take| take.path()).filter(|folder| is_take(folder)));
    }
    found.sort_unstable();
    Ok(found)
}

/// Whether a folder is that of a take; one that is being removed is none any more, and is hidden.
pub fn is_take(folder: &Path) -> bool {
    let hidden = folder.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
    !hidden && folder.join(TAKE_FILE).is_file()
}

/// `name` with everything but letters and digits as single hyphens, at most 48 bytes; `stream` when nothing is left.
pub fn slug(name: &str) -> String {
    let mut slug = String::new();
    for character in name.chars() {
        if character.is_alphanumeric() {
            slug.push(character);
        } else if !slug.is_empty() && !slug.ends_with('-') {
            slug.push('-');
        }
    }
    slug.truncate(slug.floor_char_boundary(48));
    let slug = slug.trim_end_matches('-');
    if slug.is_empty() { "stream".to_owned() } else { slug.to_owned() }
}

/// `YYYY-MM-DD` and `HHMMSS` of a Unix time, in UTC.
pub fn date_and_time(seconds: u64) -> (String, String) {
    let seconds = i64::try_from(seconds).unwrap_or(i64::MAX);
    let time = OffsetDateTime::from_unix_timestamp(seconds).unwrap_or(OffsetDateTime::UNIX_EPOCH);
    let (hour, minute, second) = time.to_hms();
    (time.date().to_string(), format!("{hour:02}{minute:02}{second:02}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_those_of_the_calendar() {
        assert_eq!(date_and_time(0), ("1970-01-01".into(), "000000".into()));
        assert_eq!(date_and_time(951_782_399), ("2000-02-28".into(), "235959".into()));
        assert_eq!(date_and_time(951_782_400), ("2000-02-29".into(), "000000".into()));
        assert_eq!(date_and_time(4_107_542_400), ("2100-03-01".into(), "000000".into()));
        assert_eq!(date_and_time(1_795_375_862), ("2026-11-22".into(), "193102".into()));
    }

    #[test]
    fn names_become_safe_file_names() {
        assert_eq!(slug("Bass guitar (DI)"), "Bass-guitar-DI");
        assert_eq!(slug("../../etc/passwd"), "etc-passwd");
        assert_eq!(slug("Flügel 2"), "Flügel-2");
        assert_eq!(slug(" / "), "stream");
        assert!(slug(&"ä".repeat(300)).len() <= 48);
    }
}
