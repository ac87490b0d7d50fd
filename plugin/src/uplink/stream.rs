//! One stream within the uplink: where it goes, and its takes, the older ones of which may still owe data.

mod report;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use send_learn_protocol::retention::BEHIND;
use send_learn_protocol::sender::Sender;
use send_learn_protocol::units::{HostNanos, SessionId, StreamId};

use super::disk::{Disk, Place};
use super::search::{Known, Search};
use super::secret::Secret;
use super::take::{Fact, Take};
use crate::address::{Address, AddressError};
use crate::capture::SpentCaptures;
use crate::clock;
use crate::report::Report;
use crate::socket::{Sent, Sockets};
use crate::spool::Key;
use report::Rate;

/// How often windows are told.
const REPORT_INTERVAL: Duration = Duration::from_millis(30);

/// A datagram that the system had no room for is tried again after this.
const BUSY_PAUSE: Duration = Duration::from_millis(1);

/// Datagrams sent for one take before others have their turn.
const SEND_BATCH: usize = 128;

/// Where datagrams go.
#[derive(Clone, Debug)]
pub(super) enum Target {
    /// A name, looked up when there is something to send: until then nothing leaves this machine, no question either.
    Named(Address),
    /// The name is being looked up.
    Resolving,
    /// Here.
    Known(SocketAddr),
    /// Wherever a receiver is found.
    Searched(Search),
    /// Nowhere.
    Failed(AddressError),
}

#[derive(Debug)]
pub(super) struct Stream {
    pub(super) target: Target,
    /// Grows with each new address, so that a late answer to an older question is known.
    pub(super) generation: u64,
    pub(super) released: bool,
    takes: Vec<Take>,
    /// Where the audio thread leaves captures that are over.
    spent: Option<SpentCaptures>,
    report: Arc<Mutex<Report>>,
    report_due: HostNanos,
    /// A datagram that the system had no room for, and whether it may be marked.
    waiting: Option<(Vec<u8>, bool)>,
    problem: String,
    /// What went wrong last, and when.
    last_problem: Option<(String, HostNanos)>,
    /// Datagrams that could not be sent.
    failures: u64,
    /// Since when no receiver has answered.
    unanswered: Option<HostNanos>,
    rate: Rate,
    /// Where a receiver was searched for, in words.
    tried: String,
    /// Why nothing can be kept on disk; empty when it can.
    pub(super) disk_problem: String,
    /// Why the key of this machine cannot be used, so that nothing may be sent; empty when it can.
    pub(super) key_problem: String,
    /// Takes that are over: nothing of them is needed any more.
    over: Vec<Key>,
}

impl Stream {
    pub(super) fn new(report: Arc<Mutex<Report>>) -> Self {
        Self {
            target: Target::Resolving,
            generation: 0,
            released: false,
            takes: Vec::new(),
            spent: None,
            report,
            report_due: HostNanos(0),
            waiting: None,
            problem: String::new(),
            last_problem: None,
            failures: 0,
            unanswered: None,
            rate: Rate::default(),
            tried: String::new(),
            disk_problem: String::new(),
            key_problem: String::new(),
            over: Vec::new(),
        }
    }

    pub(super) fn add(&mut self, take: Take) {
        self.takes.push(take);
    }

    pub(super) fn end_spent(&mut self, spent: SpentCaptures) {
        self.spent.iter_mut().for_each(SpentCaptures::end);
        self.spent = Some(spent);
    }

    pub(super) fn set_target(&mut self, now: HostNanos, target: Target) {
        self.target = target;
        self.waiting = None;
        self.reconnect(now);
    }

    /// The name to be looked up now, if there is one and something to send.
    pub(super) fn take_name(&mut self) -> Option<Address> {
        if !matches!(self.target, Target::Named(_)) || !self.has_something() {
            return None;
        }
        match std::mem::replace(&mut self.target, Target::Resolving) {
            Target::Named(name) => Some(name),
            _ => None,
        }
    }

    /// Whether a receiver is to be found for it, because it has something to send.
    pub(super) fn is_searching(&self) -> bool {
        matches!(self.target, Target::Searched(_)) && self.has_something()
    }

    /// Looks at who is there, and gives the address at which a receiver that was searched for takes this stream.
    pub(super) fn search(&mut self, now: HostNanos, known: &Known<'_>) -> Option<SocketAddr> {
        if !self.is_searching() {
            return None;
        }
        let connected = self.takes.iter().any(Take::is_connected);
        // A receiver that asks for its key is the right one, and no other is tried.
        let answered = connected || self.takes.iter().any(Take::is_declined);
        let Target::Searched(search) = &mut self.target else { return None };
        let moved = search.step(now, answered, known);
        let address = search.address();
        if now >= self.report_due {
            self.tried = if answered { String::new() } else { search.tried(known) };
        }
        if moved {
            self.waiting = None;
            self.reconnect(now);
        }
        address.filter(|_| connected)
    }

    /// What was found before does not count any more.
    pub(super) fn search_again(&mut self, now: HostNanos) {
        if matches!(self.target, Target::Searched(_)) {
            self.set_target(now, Target::Searched(Search::default()));
        }
    }

    fn has_something(&self) -> bool {
        self.takes.iter().any(|take| take.sender.is_some())
    }

    pub(super) fn reconnect(&mut self, now: HostNanos) {
        self.problem.clear();
        self.takes.iter_mut().filter_map(|take| take.sender.as_mut()).for_each(|sender| sender.reconnect(now));
    }

    /// Goes on with another key.
    pub(super) fn set_key(&mut self, now: HostNanos, secret: &mut Secret) {
        secret.trouble().clone_into(&mut self.key_problem);
        self.waiting = None;
        self.takes.iter_mut().for_each(|take| take.set_key(now, secret.keyed()));
    }

    pub(super) fn tell(&mut self, fact: &Fact) {
        self.takes.iter_mut().for_each(|take| take.tell(fact));
    }

    /// Hands a datagram to the take whose session it bears. False when there is none here. Where it came from does not
    /// matter: a receiver with several addresses may answer from another, and a session's number cannot be guessed.
    pub(super) fn handle_datagram(&mut self, now: HostNanos, session: SessionId, datagram: &[u8]) -> bool {
        let mut senders = self.takes.iter_mut().filter_map(|take| take.sender.as_mut());
        let Some(sender) = senders.find(|sender| sender.session() == session) else { return false };
        sender.handle_datagram(now, datagram);
        true
    }

    /// Does what is due: ring to log, timers, sending.
    pub(super) fn work(&mut self, now: HostNanos, sockets: &mut Sockets) {
        self.spent.iter_mut().for_each(SpentCaptures::end);
        for take in &mut self.takes {
            take.drain(now);
            let hushed = take.is_hushed();
            let Some(sender) = take.sender.as_mut().filter(|_| !hushed) else { continue };
            if sender.poll_timeout().is_some_and(|due| due <= now) {
                sender.handle_timeout(now);
            }
            // States say it all; events are only taken so that they do not pile up.
            while sender.poll_event().is_some() {}
        }
        if let Some(to) = self.address()
            && self.key_problem.is_empty()
        {
            self.send(now, to, sockets);
        }
        if now >= self.report_due {
            self.report_due = now.after(REPORT_INTERVAL);
            self.publish(now);
            self.let_go();
        }
    }

    /// Lets go of takes that are over; the last stays as long as somebody may ask for its report.
    fn let_go(&mut self) {
        let kept = self.takes.len().saturating_sub(1);
        let mut index = 0;
        self.takes.retain(|take| {
            index += 1;
            let stays = !take.is_over() || (index > kept && !self.released);
            if !stays {
                self.over.push(take.place.key);
            }
            stays
        });
    }

    /// When there is something to do again.
    pub(super) fn due(&self, now: HostNanos) -> Option<HostNanos> {
        let mut due = self.waiting.as_ref().map(|_| now.after(BUSY_PAUSE));
        let known = self.address().is_some() && self.waiting.is_none() && self.key_problem.is_empty();
        for take in &self.takes {
            let timeout = take.sender.as_ref().filter(|_| known && !take.is_hushed()).and_then(|sender| sender.poll_timeout());
            due = [due, timeout, take.due(now)].into_iter().flatten().min();
        }
        due
    }

    /// Whether what is played now is captured; `None` while no host plays through it.
    pub(super) fn captures(&self) -> Option<bool> {
        self.takes.iter().any(Take::is_running).then(|| self.takes.iter().any(Take::captures))
    }

    /// Whether everything captured is durable.
    pub(super) fn is_idle(&self) -> bool {
        self.takes.iter().all(Take::is_over)
    }

    /// Whether a receiver is taking what is owed.
    pub(super) fn is_draining(&self) -> bool {
        self.takes.iter().any(|take| !take.is_over() && take.is_connected())
    }

    /// The place and the sender of a take of this stream.
    pub(super) fn find(&mut self, key: Key) -> Option<(&mut Place, &mut Sender)> {
        let take = self.takes.iter_mut().find(|take| take.place.key == key)?;
        Some((&mut take.place, take.sender.as_mut()?))
    }

    /// Passes on what the spool is to do.
    pub(super) fn serve(&mut self, now: HostNanos, disk: &Disk) {
        let address = self.address();
        self.takes.iter_mut().for_each(|take| take.serve(now, disk, address));
        self.over.drain(..).for_each(|key| disk.discard(key));
    }

    /// The program ends: what is owed goes to the spool. Whether all of it is there.
    pub(super) fn put_away(&mut self, now: HostNanos) -> bool {
        // Every take is asked, whatever the others say.
        let missing = self.takes.iter_mut().filter_map(|take| (!take.put_away(now)).then_some(())).count();
        missing == 0
    }

    /// Nothing that was not sent is needed any more.
    pub(super) fn discard(&mut self) {
        self.over.extend(self.takes.drain(..).map(|take| take.place.key));
    }

    /// Where datagrams go, if that is known.
    pub(super) fn address(&self) -> Option<SocketAddr> {
        match &self.target {
            Target::Known(address) => Some(*address),
            Target::Searched(search) => search.address(),
            Target::Named(_) | Target::Resolving | Target::Failed(_) => None,
        }
    }

    /// Whether this is the stream `id`.
    pub(super) fn is(&self, id: StreamId) -> bool {
        self.takes.last().is_some_and(|take| take.stream() == id)
    }

    /// Whether a receiver is there and has not caught up with what is played.
    pub(super) fn is_behind(&mut self, now: HostNanos) -> bool {
        self.takes.iter_mut().any(|take| take.is_connected() && take.durability(now).0 >= BEHIND)
    }

    fn send(&mut self, now: HostNanos, to: SocketAddr, sockets: &mut Sockets) {
        let mut datagram = match self.waiting.take() {
            Some((datagram, markable)) => match self.emit(to, datagram, markable, sockets) {
                Some(buffer) => buffer,
                None => return,
            },
            None => Vec::new(),
        };
        for index in 0..self.takes.len() {
            if self.takes[index].is_hushed() {
                continue;
            }
            for _ in 0..SEND_BATCH {
                let Some(sender) = &mut self.takes[index].sender else { break };
                // What it says of the time is true, however long the blocks before took.
                if !sender.poll_transmit(now.max(clock::now()), &mut datagram) {
                    break;
                }
                let markable = sender.heeds_marks(&datagram);
                match self.emit(to, datagram, markable, sockets) {
                    Some(buffer) => datagram = buffer,
                    None => return,
                }
            }
        }
        self.note_sent(to, &sockets.flush());
    }

    /// Sends one datagram; gives its buffer back, or keeps it until the system has room.
    fn emit(&mut self, to: SocketAddr, datagram: Vec<u8>, markable: bool, sockets: &mut Sockets) -> Option<Vec<u8>> {
        let sent = sockets.send(to, &datagram, markable);
        self.note_sent(to, &sent);
        if matches!(sent, Sent::Busy) {
            self.waiting = Some((datagram, markable));
            return None;
        }
        Some(datagram)
    }

    fn note_sent(&mut self, to: SocketAddr, sent: &Sent) {
        if let Sent::Failed(error) = sent {
            self.failures += 1;
            self.problem = format!("cannot send to {to}: {error}. {}", advice(error));
        }
    }
}

/// What a person can do about a datagram that cannot be sent.
fn advice(error: &io::Error) -> &'static str {
    match error.kind() {
        // What macOS says while the permission is missing.
        io::ErrorKind::HostUnreachable if cfg!(target_os = "macos") => {
            "Allow Local Network for your DAW in System Settings, Privacy & Security."
        }
        io::ErrorKind::NetworkUnreachable | io::ErrorKind::HostUnreachable => "Is the cable plugged in, the Wi-Fi on?",
        io::ErrorKind::PermissionDenied => "A firewall on this computer forbids it: allow UDP for your DAW.",
        _ => "Check the address.",
    }
}

#[cfg(test)]
mod tests {
    use send_learn_protocol::sender::SendMode;
    use send_learn_protocol::units::StreamId;

    use super::*;
    use crate::capture::{CaptureConfig, Pause, Wanted, capture};
    use crate::identity;
    use crate::transport::Observed;
    use crate::uplink::TakeConfig;

    /// A stream to this target, a moment while nothing is captured, and one in which something is.
    fn capture_two(target: Target, mut see: impl FnMut(&mut Stream, Wanted)) -> Stream {
        let now = HostNanos(1_000_000_000);
        let mut stream = Stream::new(Arc::default());
        stream.set_target(now, target);
        let config = CaptureConfig { sample_rate: 1_000.0, channels: 0, max_block: 64, patient: false };
        let (mut audio, captured) = capture(config);
        let description = identity::new_take(StreamId::random(), &config);
        stream.add(Take::new(TakeConfig { description, parameters: Vec::new(), mode: SendMode::Live }, captured));
        for wanted in [Wanted::Skipped(Pause::CaptureOff), Wanted::Captured] {
            audio.begin(64, now, &Observed::default(), wanted);
            audio.end::<&[f32]>(&[]);
            stream.takes[0].drain(now);
            see(&mut stream, wanted);
        }
        stream
    }

    #[test]
    fn a_name_is_not_looked_up_before_something_is_captured() {
        let named = Target::Named("studio.local".parse().unwrap());
        let mut stream = capture_two(named, |stream, wanted| assert_eq!(stream.take_name().is_some(), wanted == Wanted::Captured));
        assert!(stream.take_name().is_none(), "once is enough");
    }

    #[test]
    fn nobody_is_searched_for_before_something_is_captured() {
        let searched = Target::Searched(Search::default());
        capture_two(searched, |stream, wanted| assert_eq!(stream.is_searching(), wanted == Wanted::Captured));
    }
}
