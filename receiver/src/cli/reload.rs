//! Settings that are read again while the receiver runs: SIGHUP.

use send_learn::server::Remote;
use send_learn::settings::{Effective, Flags, setting};

use super::logging::Level;

/// What is needed to read them again.
#[derive(Debug)]
pub(super) struct Reload {
    pub(super) flags: Flags,
    /// What holds now; of what needs a restart, what held at the start.
    pub(super) effective: Effective,
    pub(super) remote: Remote,
    pub(super) level: Level,
}

impl Reload {
    /// Reads the settings again, takes what can be taken, and says in the log what was changed and what needs a restart. Settings that
    /// cannot be used change nothing.
    pub(super) fn run(&mut self) {
        let mut new = match Effective::resolve(&self.flags) {
            Ok(new) => new,
            Err(error) => return tracing::error!("the settings stay as they are: {error}"),
        };
        let mut changed = false;
        for (before, after) in self.effective.changes(&new) {
            changed = true;
            let (name, old, value) = (before.name, &before.value, &after.value);
            if setting(name).is_some_and(|setting| setting.live) {
                tracing::info!("{name} is {value} now, and was {old} ({})", after.origin);
            } else {
                tracing::warn!("{name} stays {old}: {value} needs a restart ({})", after.origin);
            }
        }
        if !changed {
            return tracing::info!("the settings were read again: nothing has changed");
        }
        let settings = new.settings();
        self.level.set(&settings.log);
        self.remote.configure(settings.tunable);
        for (held, old) in new.held.iter_mut().zip(&self.effective.held) {
            if setting(held.name).is_some_and(|setting| !setting.live) {
                *held = old.clone();
            }
        }
        self.effective = new;
    }
}
