//! What a person chose, kept for all projects in `send-learn/plugin.toml` in the user's configuration folder.

use std::io;
use std::path::{Path, PathBuf};

use parking_lot::Mutex;
use send_learn_protocol::consent::Consent;
use send_learn_protocol::packet::hello::{Description, PropertyKey};
use serde::{Deserialize, Serialize};

use crate::spool::SpoolConfig;
use crate::uplink::UplinkConfig;

/// The words of consent that the window offers. At most 255 bytes fit into a recording.
pub const CONSENT: &str =
    "What I play here may be used to train music software, and may be passed on for that under the licence that I chose.";

/// The consent that forbids every export.
pub const REFUSED: &str = "no";

/// The longest text that a recording can hold, in bytes.
pub const MAX_TEXT: usize = 255;

const HEAD: &str = "# What Send Learn's plugin remembers on this computer. Its window writes this file.\n\
    # private = \"mark\": what is private is recorded and marked; \"withhold\": it is not even sent.\n\
    # consent = \"no\" keeps what is played out of every dataset.\n\n";

/// What a person says about what is played.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Statement {
    /// Who plays; may be empty.
    pub contributor: String,
    /// The licence of what is played, as an SPDX identifier or in words; may be empty.
    pub licence: String,
    /// What the person agreed to, in the words that were shown; [`REFUSED`] forbids every export; empty where nothing was said.
    pub consent: String,
}

impl Statement {
    /// Writes it into a take's description.
    pub fn state(&self, description: &mut Description) {
        let stated = [
            (PropertyKey::CONTRIBUTOR, &self.contributor),
            (PropertyKey::LICENCE, &self.licence),
            (PropertyKey::CONSENT, &self.consent),
        ];
        for (key, text) in stated.into_iter().filter(|(_, text)| !text.is_empty()) {
            description.set_property(key, text);
        }
    }

    /// Whether the person said nothing, or left it open.
    pub fn is_unsaid(&self) -> bool {
        Consent::read(&self.consent) == Consent::Unstated
    }

    /// Whether the person said no.
    pub fn refuses(&self) -> bool {
        Consent::read(&self.consent) == Consent::Refused
    }
}

/// What becomes of what is private.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Privately {
    /// It is recorded and marked: no dataset holds it.
    #[default]
    Mark,
    /// It is not even sent.
    Withhold,
}

/// What is kept outside of projects.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// This machine, a UUID.
    pub machine: String,
    /// The receiver's address that a person typed last; empty: one is searched for.
    pub server: String,
    /// The receiver that a search found and that was used last, a UUID.
    pub receiver: String,
    /// Whether receivers may be searched for in the network.
    pub discover: bool,
    /// What becomes of what is private.
    pub private: Privately,
    /// Whether the window has asked what may be done with what is played.
    pub asked: bool,
    /// How much of each take is kept in memory until the receiver has it on disk, in MiB.
    pub memory_mib: u64,
    /// How much of all takes together may wait on this machine's disk, in MiB; 0: nothing is kept there.
    pub spool_mib: u64,
    /// What holds for every track that has no statement of its own.
    pub statement: Statement,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            machine: String::new(),
            server: String::new(),
            receiver: String::new(),
            discover: true,
            private: Privately::default(),
            asked: false,
            memory_mib: 64,
            spool_mib: 4_096,
            statement: Statement::default(),
        }
    }
}

/// Why the settings cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SettingsError {
    /// There is no folder for them.
    #[error("no folder for settings is known: set HOME")]
    NoFolder,
    /// The file cannot be read or written.
    #[error("cannot use {path}: {source}", path = path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The file is not as it should be. It is left as it is.
    #[error("{path} is not understood: {why}. Mend or remove it.", path = path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is wrong, and in which line.
        why: String,
    },
}

/// One change at a time, so that none is lost among the threads of this process.
static CHANGE: Mutex<()> = Mutex::new(());

impl Settings {
    /// What holds while the file cannot be read: nothing is said, and what is private does not leave this machine.
    pub fn cautious() -> Self {
        Self { private: Privately::Withhold, ..Self::default() }
    }

    /// What an uplink may keep, and where.
    pub fn uplink(&self) -> UplinkConfig {
        let folder = spool_folder().filter(|_| self.spool_mib > 0);
        UplinkConfig {
            memory: (self.memory_mib.clamp(1, 65_536) as usize) << 20,
            spool: folder.map(|folder| SpoolConfig { folder, limit: self.spool_mib.min(1 << 30) << 20 }),
        }
    }

    /// What the file holds; defaults where there is none.
    ///
    /// # Errors
    /// [`SettingsError`] when it cannot be read or is not understood.
    pub fn load() -> Result<Self, SettingsError> {
        Self::load_from(&file()?)
    }

    /// Changes what the file holds. A file that is not understood is left alone: what it says may matter.
    ///
    /// # Errors
    /// [`SettingsError`]; nothing is changed then.
    pub fn change(edit: impl FnOnce(&mut Self)) -> Result<Self, SettingsError> {
        let _alone = CHANGE.lock();
        let path = file()?;
        let _alone_on_this_machine = lock(&path);
        let mut settings = Self::load_from(&path)?;
        edit(&mut settings);
        settings.save_to(&path)?;
        Ok(settings)
    }

    fn load_from(path: &Path) -> Result<Self, SettingsError> {
        match std::fs::read_to_string(path) {
            Ok(text) => toml::from_str(&text).map_err(|error| {
                let line = error.span().map_or(1, |span| 1 + text[..span.start].matches('\n').count());
                SettingsError::Malformed { path: path.to_owned(), why: format!("line {line}: {}", error.message()) }
            }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Self::default()),
            Err(source) => Err(SettingsError::Io { path: path.to_owned(), source }),
        }
    }

    /// Writes a new file and renames it: nobody ever sees half of it.
    fn save_to(&self, path: &Path) -> Result<(), SettingsError> {
        let failed = |source| SettingsError::Io { path: path.to_owned(), source };
        let text = toml::to_string(self).map_err(|error| failed(io::Error::other(error)))?;
        let draft = path.with_extension(format!("{}.tmp", std::process::id()));
        path.parent().map_or(Ok(()), std::fs::create_dir_all).map_err(failed)?;
        std::fs::write(&draft, format!("{HEAD}{text}")).and_then(|()| std::fs::rename(&draft, path)).map_err(|source| {
            let _ = std::fs::remove_file(&draft);
            failed(source)
        })
    }
}

/// Keeps other processes from changing the file at `path` meanwhile, until it is dropped. Where files cannot be locked, nothing does.
fn lock(path: &Path) -> Option<std::fs::File> {
    std::fs::create_dir_all(path.parent()?).ok()?;
    let file = std::fs::File::create(path.with_extension("lock")).ok()?;
    file.lock().ok()?;
    Some(file)
}

fn spool_folder() -> Option<PathBuf> {
    let filled = |name| std::env::var_os(name).filter(|folder| !folder.is_empty()).map(PathBuf::from);
    let folder = if cfg!(windows) {
        filled("LOCALAPPDATA")?
    } else if cfg!(target_os = "macos") {
        filled("HOME")?.join("Library/Caches")
    } else {
        filled("XDG_CACHE_HOME").or_else(|| Some(filled("HOME")?.join(".cache")))?
    };
    Some(folder.join("send-learn-spool"))
}

fn file() -> Result<PathBuf, SettingsError> {
    Ok(send_learn_key::folder().ok_or(SettingsError::NoFolder)?.join("plugin.toml"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_saved_is_loaded_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("new/plugin.toml");
        assert_eq!(Settings::load_from(&path).unwrap(), Settings::default());
        let statement =
            Statement { contributor: "Anna \"Ny\"\nNy".to_owned(), consent: CONSENT.to_owned(), ..Statement::default() };
        let settings = Settings { private: Privately::Withhold, asked: true, statement, ..Settings::default() };
        settings.save_to(&path).unwrap();
        assert_eq!(Settings::load_from(&path).unwrap(), settings);
        assert_eq!(std::fs::read_dir(path.parent().unwrap()).unwrap().count(), 1, "no draft is left");
    }

    #[test]
    fn a_file_that_a_person_wrote_badly_is_named_with_its_line() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("plugin.toml");
        for text in ["asked = true\n[statement]\nconsent = no\n", "asked = true\n\nconsennt = \"no\"\n", "\n\nprivate = \"maybe\""]
        {
            std::fs::write(&path, text).unwrap();
            let error = Settings::load_from(&path).unwrap_err().to_string();
            assert!(error.contains("plugin.toml") && error.contains("line 3"), "{error}");
        }
    }

    #[test]
    fn a_refusal_is_known_however_it_is_written() {
        let says = |consent: &str| Statement { consent: consent.to_owned(), ..Statement::default() }.refuses();
        assert!(says("no") && says(" No ") && says("No, thanks.") && says("nein"));
        assert!(!says("") && !says(CONSENT));
        const { assert!(CONSENT.len() <= MAX_TEXT) };
    }
}
