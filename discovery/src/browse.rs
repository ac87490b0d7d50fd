//! Who is there: a list of receivers that follows the network.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use mdns_sd::{Receiver, ServiceDaemon, ServiceEvent};
use parking_lot::Mutex;

use crate::{DiscoveryError, Found, GOODBYE, SERVICE, is_off};

/// The most receivers that are kept: whoever announces more gets no further.
const MAX_RECEIVERS: usize = 64;

/// A search that ended by itself, as when too much came at once, begins again after this.
const AGAIN: Duration = Duration::from_secs(1);

/// Looks for receivers for as long as it lives, on threads of its own: `send-learn-find`, and `mDNS_daemon` of the crate `mdns-sd`.
pub struct Browser {
    daemon: ServiceDaemon,
    list: Arc<List>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct List {
    /// By full name.
    found: Mutex<BTreeMap<String, Found>>,
    changes: AtomicU64,
    stopping: AtomicBool,
}

impl Browser {
    /// Begins to look: questions go out by multicast in all networks of this machine.
    ///
    /// # Errors
    /// [`DiscoveryError`].
    pub fn start() -> Result<Self, DiscoveryError> {
        if is_off() {
            return Err(DiscoveryError::Off);
        }
        let daemon = ServiceDaemon::new().map_err(DiscoveryError::system)?;
        let events = daemon.browse(SERVICE).map_err(DiscoveryError::system)?;
        let list = Arc::new(List::default());
        let (follower, asking) = (list.clone(), daemon.clone());
        let follow = move || follower.follow(&asking, events);
        let thread = std::thread::Builder::new().name("send-learn-find".to_owned()).spawn(follow);
        match thread {
            Ok(thread) => Ok(Self { daemon, list, thread: Some(thread) }),
            Err(error) => {
                let _ = daemon.shutdown();
                Err(DiscoveryError::system(error))
            }
        }
    }

    /// The receivers that are there, by name.
    pub fn receivers(&self) -> Vec<Found> {
        let mut found: Vec<Found> = self.list.found.lock().values().cloned().collect();
        found.sort_by(|a, b| (&a.name, a.receiver).cmp(&(&b.name, b.receiver)));
        found
    }

    /// Grows whenever the list may have changed.
    pub fn changes(&self) -> u64 {
        self.list.changes.load(Ordering::Acquire)
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        self.list.stopping.store(true, Ordering::Release);
        // The follower ends when the daemon drops its end of the channel.
        if let Ok(done) = self.daemon.shutdown() {
            let _ = done.recv_timeout(GOODBYE);
        }
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl List {
    fn follow(&self, daemon: &ServiceDaemon, mut events: Receiver<ServiceEvent>) {
        loop {
            match events.recv_timeout(AGAIN) {
                Ok(event) => self.note(event),
                _ if self.stopping.load(Ordering::Acquire) => return,
                Err(_) if events.is_disconnected() => {
                    std::thread::sleep(AGAIN);
                    match daemon.browse(SERVICE) {
                        Ok(again) => events = again,
                        Err(_) => return,
                    }
                }
                Err(_) => {}
            }
        }
    }

    fn note(&self, event: ServiceEvent) {
        let mut found = self.found.lock();
        match event {
            ServiceEvent::ServiceResolved(service) => {
                let Some(receiver) = Found::read(&service) else { return };
                if found.len() >= MAX_RECEIVERS && !found.contains_key(service.get_fullname()) {
                    return;
                }
                found.insert(service.get_fullname().to_owned(), receiver);
            }
            ServiceEvent::ServiceRemoved(_, name) => drop(found.remove(&name)),
            _ => return,
        }
        drop(found);
        self.changes.fetch_add(1, Ordering::Release);
    }
}

/// Looks for this long, and gives who was found, by name.
///
/// # Errors
/// [`DiscoveryError`].
pub fn find(patience: Duration) -> Result<Vec<Found>, DiscoveryError> {
    let browser = Browser::start()?;
    std::thread::sleep(patience);
    Ok(browser.receivers())
}
