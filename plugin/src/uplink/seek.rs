//! The process's search for receivers, from the first stream on that has something to send and nobody's address, or from the first
//! look that a person takes: never before.

use std::net::SocketAddr;
use std::sync::Arc;

use parking_lot::Mutex;
use send_learn_discovery::{Browser, Found};
use send_learn_protocol::units::ReceiverId;

use super::search::Known;
use crate::loaded;
use crate::report::Sought;
use crate::settings::Settings;

#[derive(Default)]
pub(super) struct Seeker {
    started: bool,
    browser: Option<Browser>,
    found: Vec<Found>,
    changes: u64,
    preferred: Option<ReceiverId>,
    /// What windows see.
    sought: Arc<Mutex<Sought>>,
}

impl Seeker {
    pub(super) fn new(sought: Arc<Mutex<Sought>>) -> Self {
        Self { sought, ..Self::default() }
    }

    /// Begins to look, unless that was done, or shall not be.
    pub(super) fn look(&mut self) {
        if std::mem::replace(&mut self.started, true) {
            return;
        }
        let settings = Settings::load().unwrap_or_default();
        self.preferred = self.preferred.or_else(|| settings.receiver.parse().ok());
        let mut sought = self.sought.lock();
        if !settings.discover {
            "looking for receivers is switched off in plugin.toml (discover = false)".clone_into(&mut sought.trouble);
            return;
        }
        // The crate's own thread cannot be waited for: this library's code must stay where it is.
        loaded::keep();
        match Browser::start() {
            Ok(browser) => self.browser = Some(browser),
            Err(error) => sought.trouble = error.to_string(),
        }
        sought.looking = self.browser.is_some();
    }

    /// Takes over what has changed.
    pub(super) fn refresh(&mut self) {
        let Some(browser) = &self.browser else { return };
        let changes = browser.changes();
        if changes != self.changes {
            self.changes = changes;
            self.found = browser.receivers();
            self.sought.lock().receivers.clone_from(&self.found);
        }
    }

    pub(super) fn known(&self) -> Known<'_> {
        Known { found: &self.found, changes: self.changes, preferred: self.preferred, looking: self.browser.is_some() }
    }

    /// A person chose a receiver.
    pub(super) fn prefer(&mut self, receiver: ReceiverId) {
        self.preferred = Some(receiver);
    }

    /// The receiver at this address takes a stream: the next search begins with it.
    pub(super) fn note_used(&mut self, address: SocketAddr) {
        let used = self.known().owner(address).map(|found| found.receiver);
        if let Some(used) = used.filter(|used| self.preferred != Some(*used)) {
            self.preferred = Some(used);
            // A slow disk holds up nothing. Where it cannot be kept, it lasts as long as this process.
            let keep = move || drop(Settings::change(|settings| settings.receiver = used.to_string()));
            let _ = std::thread::Builder::new().name("send-learn-remember".to_owned()).spawn(keep);
        }
    }
}
