//! Who is who: this machine, this process, and each plugin instance.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use parking_lot::Mutex;
use send_learn_protocol::packet::hello::Description;
use send_learn_protocol::units::{HostId, HostNanos, MachineId, StreamId, TakeId};

use crate::capture::CaptureConfig;
use crate::settings::Settings;

/// Overrides the default address, for hosts without a window and for tests.
pub const SERVER_VARIABLE: &str = "SEND_LEARN_SERVER";

/// When it is "1", offline renders are captured too, and capture waits for room instead of dropping blocks: for hosts
/// without a window that play faster than time, and for tests. Not for playing live.
pub const OFFLINE_VARIABLE: &str = "SEND_LEARN_CAPTURE_OFFLINE";

/// The name of a stream whose track has none.
const NAMELESS: &str = "Track";

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

/// This machine's identity: made once, then kept in the settings.
pub fn machine() -> MachineId {
    static MACHINE: LazyLock<MachineId> = LazyLock::new(|| {
        let known = Settings::load().ok().and_then(|settings| settings.machine.parse().ok());
        known.unwrap_or_else(|| {
            let machine = MachineId::random();
            let kept = Settings::change(|settings| {
                // Another process may have been first.
                if settings.machine.parse::<MachineId>().is_err() {
                    settings.machine = machine.to_string();
                }
            });
            // Where it cannot be kept, it lasts as long as this process.
            kept.ok().and_then(|settings| settings.machine.parse().ok()).unwrap_or(machine)
        })
    });
    *MACHINE
}

/// This process's identity.
pub fn host() -> HostId {
    static HOST: LazyLock<HostId> = LazyLock::new(|| process().unwrap_or_else(HostId::random));
    *HOST
}

/// An identity that every copy of this library in the process finds: a VST3 and a CLAP in one host belong together. It is made
/// of what no other process has: machine, boot, process number and the time at which the process began.
#[cfg(target_os = "linux")]
fn process() -> Option<HostId> {
    let read = |path: &str| std::fs::read_to_string(path).ok();
    let boot: uuid::Uuid = read("/proc/sys/kernel/random/boot_id")?.trim().parse().ok()?;
    let stat = read("/proc/self/stat")?;
    // The name may hold spaces and brackets: what counts stands behind the last one. The start time is field 22.
    let began: u64 = stat.rsplit(')').next()?.split_whitespace().nth(19)?.parse().ok()?;
    let own = u128::from(began) << 32 | u128::from(std::process::id());
    Some(HostId((u128::from_be_bytes(machine().0) ^ boot.as_u128() ^ own).to_be_bytes()))
}

#[cfg(not(target_os = "linux"))]
fn process() -> Option<HostId> {
    None
}

/// The application that the plugin runs in, as it calls itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Application {
    /// Its name.
    pub name: String,
    /// Its version; empty where the plugin's format does not tell it.
    pub version: String,
}

static APPLICATION: Mutex<Option<Application>> = Mutex::new(None);

impl Application {
    /// The host says who it is.
    pub fn introduce(self) {
        *APPLICATION.lock() = Some(self);
    }

    /// What the host said, or else the name of the program that this code runs in.
    pub fn current() -> Self {
        let told = APPLICATION.lock().clone().filter(|application| !application.name.is_empty());
        told.unwrap_or_else(|| {
            let path = std::env::current_exe().ok();
            let name = path.and_then(|path| Some(path.file_stem()?.to_string_lossy().into_owned()));
            Self { name: name.unwrap_or_default(), version: String::new() }
        })
    }
}

/// This machine's name in its network.
pub fn machine_name() -> String {
    #[cfg(unix)]
    return rustix::system::uname().nodename().to_string_lossy().into_owned();
    #[cfg(not(unix))]
    return std::env::var("COMPUTERNAME").unwrap_or_default();
}

/// Name and receiver that a program gives to streams of its own.
static DEFAULTS: Mutex<(String, String)> = Mutex::new((String::new(), String::new()));

/// This program's streams are called `name` where nothing else is said, and go to `server` unless that is empty.
pub fn set_defaults(name: &str, server: &str) {
    *DEFAULTS.lock() = (name.to_owned(), server.to_owned());
}

/// What a stream is called that has no name.
pub fn default_name() -> String {
    let name = DEFAULTS.lock().0.clone();
    if name.is_empty() { NAMELESS.to_owned() } else { name }
}

/// The receiver's address for an instance whose own is `own`: that, or the program's, or the environment's, or the person's
/// last, or whichever is found.
pub fn server(own: &str) -> String {
    let filled = |text: &String| !text.trim().is_empty();
    Some(own.to_owned())
        .filter(filled)
        .or_else(|| Some(DEFAULTS.lock().1.clone()).filter(filled))
        .or_else(|| std::env::var(SERVER_VARIABLE).ok().filter(filled))
        .or_else(|| Settings::load().ok().map(|settings| settings.server).filter(filled))
        .unwrap_or_else(|| crate::address::AUTOMATIC.to_owned())
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
    #[cfg(target_os = "linux")]
    fn every_copy_of_the_library_finds_the_same_process() {
        let first = process().unwrap();
        assert_eq!(process(), Some(first));
        assert_ne!(first.to_string(), machine().to_string());
    }

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
