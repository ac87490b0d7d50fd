//! Who is who: this machine, this process, and each plugin instance; and the small file in which a person's choices
//! outlive a project.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::LazyLock;

use parking_lot::Mutex;
use send_learn_protocol::packet::hello::{Description, PropertyKey};
use send_learn_protocol::units::{HostId, HostNanos, MachineId, StreamId, TakeId};
use serde::{Deserialize, Serialize};

use crate::capture::CaptureConfig;

/// Overrides the default address, for hosts without a window and for tests.
pub const SERVER_VARIABLE: &str = "SEND_LEARN_SERVER";

/// When it is "1", offline renders are captured too, and capture waits for room instead of dropping blocks: for hosts
/// without a window that play faster than time, and for tests. Not for playing live.
pub const OFFLINE_VARIABLE: &str = "SEND_LEARN_CAPTURE_OFFLINE";

/// A take of `stream` that begins in this process, without texts. Its times are filled in when the first block comes.
pub fn new_take(stream: StreamId, config: &CaptureConfig) -> Description {
    Description {
        stream,
        take: TakeId::random(),
        host: host(),
        machine: machine(),
        sample_rate: config.sample_rate,
        channels: config.channels,
        max_block: config.max_block,
        started_unix_nanos: 0,
        started: HostNanos(0),
        properties: Vec::new(),
    }
}

/// What is kept outside of projects.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Settings {
    /// This machine, a UUID.
    pub machine: String,
    /// The receiver's address that a person typed last.
    pub server: String,
    /// Who plays; may be empty.
    pub contributor: String,
    /// The licence of what is played, as an SPDX identifier or in words; may be empty.
    pub licence: String,
    /// What the person agreed to, in the words that were shown; `no` forbids every export; may be empty.
    pub consent: String,
    /// Whether what is private is not even sent; otherwise it is recorded and marked.
    pub withhold_private: bool,
}

impl Settings {
    /// What the file holds; defaults where it cannot be read.
    pub fn load() -> Self {
        let text = settings_file().and_then(|path| std::fs::read_to_string(path).ok());
        text.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default()
    }

    /// Writes the file. Where that fails the choice lasts as long as the project: nothing else depends on it.
    pub fn save(&self) {
        let Some(path) = settings_file() else { return };
        let Ok(text) = serde_json::to_string_pretty(self) else { return };
        let draft = path.with_extension(format!("{}.tmp", std::process::id()));
        let written = path.parent().map(std::fs::create_dir_all).transpose().and_then(|_| std::fs::write(&draft, text));
        if written.and_then(|()| std::fs::rename(&draft, &path)).is_err() {
            let _ = std::fs::remove_file(&draft);
        }
    }
}

impl Settings {
    /// Writes what the person stated into a take's description.
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
}

fn settings_file() -> Option<PathBuf> {
    let folder = if cfg!(windows) {
        PathBuf::from(std::env::var_os("APPDATA")?)
    } else if cfg!(target_os = "macos") {
        PathBuf::from(std::env::var_os("HOME")?).join("Library/Application Support")
    } else {
        let config = std::env::var_os("XDG_CONFIG_HOME").filter(|folder| !folder.is_empty()).map(PathBuf::from);
        config.or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".config")))?
    };
    Some(folder.join("send-learn").join("plugin.json"))
}

/// This machine's identity: made once, then kept in the settings.
pub fn machine() -> MachineId {
    static MACHINE: LazyLock<MachineId> = LazyLock::new(|| {
        let mut settings = Settings::load();
        settings.machine.parse().unwrap_or_else(|_| {
            let machine = MachineId::random();
            settings.machine = machine.to_string();
            settings.save();
            machine
        })
    });
    *MACHINE
}

/// This process's identity.
pub fn host() -> HostId {
    static HOST: LazyLock<HostId> = LazyLock::new(HostId::random);
    *HOST
}

/// The name of the program that this code runs in.
pub fn program() -> String {
    let path = std::env::current_exe().ok();
    path.and_then(|path| Some(path.file_stem()?.to_string_lossy().into_owned())).unwrap_or_default()
}

/// This machine's name in its network.
pub fn machine_name() -> String {
    #[cfg(unix)]
    return rustix::system::uname().nodename().to_string_lossy().into_owned();
    #[cfg(not(unix))]
    return std::env::var("COMPUTERNAME").unwrap_or_default();
}

/// The receiver's address for an instance whose own is `own`: that, or the environment's, or the person's last, or this
/// machine.
pub fn server(own: &str) -> String {
    let filled = |text: &String| !text.trim().is_empty();
    Some(own.to_owned())
        .filter(filled)
        .or_else(|| std::env::var(SERVER_VARIABLE).ok().filter(filled))
        .or_else(|| Some(Settings::load().server).filter(filled))
        .unwrap_or_else(|| crate::address::DEFAULT.to_owned())
}

static CLAIMED: Mutex<BTreeSet<StreamId>> = Mutex::new(BTreeSet::new());

/// A stream identity that no other instance of this process has while this lives.
#[derive(Debug)]
pub struct Claim(StreamId);

impl Claim {
    /// Claims the identity that is written in `saved`. A text that is none, or that another instance holds (a duplicated
    /// track), gives a new one.
    pub fn new(saved: &str) -> Self {
        let mut claimed = CLAIMED.lock();
        let wanted = saved.parse().ok().filter(|id| !claimed.contains(id));
        let id = wanted.unwrap_or_else(StreamId::random);
        claimed.insert(id);
        Self(id)
    }

    /// The identity.
    pub fn id(&self) -> StreamId {
        self.0
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        CLAIMED.lock().remove(&self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duplicated_instance_gets_an_identity_of_its_own() {
        let first = Claim::new("");
        let saved = first.id().to_string();
        let second = Claim::new(&saved);
        assert_ne!(first.id(), second.id());
        drop(first);
        assert_eq!(Claim::new(&saved).id().to_string(), saved, "a project that is opened again keeps its streams");
    }
}
