//! Between the uplink's senders and the spool's thread.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use mio::Waker;
use send_learn_protocol::retention::SpoolAnswer;
use send_learn_protocol::sender::{Leftover, Sender};
use send_learn_protocol::units::HostNanos;

use super::UplinkConfig;
use crate::spool::{Answer, Key, Origin, Spool};

static NEXT: AtomicU64 = AtomicU64::new(0);

/// A take's place in the spool.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) key: Key,
    failures: u32,
    origin: Option<Arc<Origin>>,
}

impl Place {
    /// Of a new take.
    pub(super) fn new() -> Self {
        Self { key: NEXT.fetch_add(1, Ordering::Relaxed), failures: 0, origin: None }
    }

    /// Of a take that an earlier program left.
    pub(super) fn left(key: Key, origin: Origin) -> Self {
        Self { key, failures: 0, origin: Some(Arc::new(origin)) }
    }

    /// Whose entries they are, as far as something was kept.
    pub(super) fn origin(&self) -> Option<&Origin> {
        self.origin.as_deref()
    }

    /// An answer came.
    pub(super) fn handle(&mut self, now: HostNanos, sender: &mut Sender, answer: SpoolAnswer) {
        if answer == SpoolAnswer::Failed {
            self.failures += 1;
        }
        sender.handle_spool(now, answer);
    }
}

/// What the spool's thread said of itself and of earlier programs.
#[derive(Debug)]
pub(super) enum News {
    /// An earlier program left this take.
    Left { place: Place, left: Leftover },
    /// Why nothing can be kept on disk; empty when it can.
    Trouble(String),
    /// All that earlier programs left is known.
    Looked,
}

/// The spool, once a take has begun.
#[derive(Debug)]
pub(super) struct Disk {
    spool: Option<Spool>,
    started: bool,
}

impl Disk {
    pub(super) fn new() -> Self {
        Self { spool: None, started: false }
    }

    /// Starts the spool, unless it was, or shall not be used. Gives what is wrong with it.
    pub(super) fn start(&mut self, config: &UplinkConfig, waker: &Arc<Waker>) -> Option<String> {
        if std::mem::replace(&mut self.started, true) {
            return None;
        }
        let started = Spool::start(config.spool.clone()?, waker.clone());
        started
            .map(|spool| self.spool = Some(spool))
            .err()
            .map(|error| format!("the system grants no thread for the disk: {error}"))
    }

    /// Whether there is one.
    pub(super) fn is_there(&self) -> bool {
        self.spool.is_some()
    }

    /// Passes on what a take's sender wants. `address` is where its receiver is, if that is known.
    pub(super) fn serve(&self, now: HostNanos, place: &mut Place, sender: &mut Sender, address: Option<SocketAddr>) {
        let Some(spool) = &self.spool else { return };
        while spool.has_room()
            && let Some(request) = sender.poll_spool(now)
        {
            let known = place.origin.take().filter(|origin| address.is_none() || origin.address == address);
            let origin = known.unwrap_or_else(|| Arc::new(Origin { description: sender.description().clone(), address }));
            spool.ask(place.key, place.failures, &origin, request);
            place.origin = Some(origin);
        }
    }

    /// Takes the answers; `with` does something with the place and the sender of a take, if it is still there.
    pub(super) fn listen(&self, now: HostNanos, mut with: impl FnMut(Key, &mut dyn FnMut(&mut Place, &mut Sender))) -> Vec<News> {
        let mut news = Vec::new();
        while let Some(answer) = self.spool.as_ref().and_then(Spool::answer) {
            match answer {
                Answer::Done { take, answer } => {
                    let mut answer = Some(answer);
                    with(take, &mut |place, sender| {
                        if let Some(answer) = answer.take() {
                            place.handle(now, sender, answer);
                        }
                    });
                }
                Answer::Left { take, origin, left } => news.push(News::Left { place: Place::left(take, origin), left }),
                Answer::Trouble(why) => news.push(News::Trouble(why.unwrap_or_default())),
                Answer::Looked => news.push(News::Looked),
            }
        }
        news
    }

    /// Nothing of a take is needed any more.
    pub(super) fn discard(&self, key: Key) {
        if let Some(spool) = &self.spool {
            spool.discard(key);
        }
    }

    /// Ends the thread, when it has done what it was asked to, or its time is over.
    pub(super) fn stop(&mut self, patience: Duration) {
        if let Some(spool) = self.spool.take() {
            spool.stop(patience);
        }
    }
}
