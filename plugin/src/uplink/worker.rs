//! The thread itself: what it does in each round, and what it is told to do.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError};
use std::time::Duration;

use mio::Waker;
use parking_lot::Mutex;
use send_learn_protocol::packet::header;
use send_learn_protocol::secure::Psk;
use send_learn_protocol::units::HostNanos;

use super::disk::{Disk, News, Place};
use super::leftovers::Leftovers;
use super::probe::Probe;
use super::search::Search;
use super::secret::Secret;
use super::seek::Seeker;
use super::stream::{Stream, Target};
use super::{Command, Rest, UplinkConfig, resolve};
use crate::address::Address;
use crate::clock;
use crate::report::Sought;
use crate::socket::Sockets;

/// How long the thread goes on after the last handle is gone, to make durable what is owed.
const FAREWELL: Duration = Duration::from_secs(2);

/// How long it goes on when no receiver is there.
const FAREWELL_ALONE: Duration = Duration::from_millis(250);

/// How long putting away what is owed may take, and what the disk is to do after that.
const PUT_AWAY: Duration = Duration::from_secs(2);
const LAST_WRITES: Duration = Duration::from_secs(1);

/// The longest sleep.
const IDLE: Duration = Duration::from_millis(50);

/// What the system had no room for is tried again after this.
const BUSY_PAUSE: Duration = Duration::from_millis(1);

/// What the thread works with.
pub(super) struct Worker {
    inbox: Receiver<Command>,
    commands: SyncSender<Command>,
    waker: Arc<Waker>,
    sockets: Sockets,
    streams: BTreeMap<u64, Stream>,
    probes: Vec<Probe>,
    config: UplinkConfig,
    secret: Secret,
    /// What `secret` was made of.
    key: Result<Option<Psk>, String>,
    disk: Disk,
    /// Why nothing can be kept on disk; empty when it can.
    disk_problem: String,
    leftovers: Leftovers,
    rest: Arc<Mutex<Rest>>,
    seeker: Seeker,
    /// The stream to whose address all of that goes, if a person said so.
    rest_to: Option<u64>,
    /// Whether it has to wait.
    rest_waits: bool,
    /// Whether nothing is captured of all that plays.
    off: bool,
    farewell: Option<HostNanos>,
}

impl Worker {
    pub(super) fn new(
        config: UplinkConfig,
        (inbox, commands): (Receiver<Command>, SyncSender<Command>),
        (sockets, waker): (Sockets, Arc<Waker>),
        (rest, sought): (Arc<Mutex<Rest>>, Arc<Mutex<Sought>>),
    ) -> Self {
        Self {
            inbox,
            commands,
            waker,
            sockets,
            streams: BTreeMap::new(),
            probes: Vec::new(),
            config,
            secret: Secret::default(),
            key: Ok(None),
            disk: Disk::new(),
            disk_problem: String::new(),
            leftovers: Leftovers::default(),
            rest,
            seeker: Seeker::new(sought),
            rest_to: None,
            rest_waits: false,
            off: false,
            farewell: None,
        }
    }

    pub(super) fn run(mut self) {
        loop {
            let now = clock::now();
            self.obey(now);
            let more = self.sockets.has_heard() && self.receive();
            // What found no room the last time goes first.
            let _ = self.sockets.flush();
            self.keep(now);
            self.seek(now);
            let sockets = &mut self.sockets;
            self.streams.values_mut().for_each(|stream| stream.work(now, sockets));
            self.send_leftovers(now);
            self.release_streams(now);
            let sockets = &mut self.sockets;
            self.probes.retain_mut(|probe| probe.work(now, sockets));
            self.resolve_names();
            if self.is_over(now) {
                return self.put_away();
            }
            if !more {
                let now = clock::now();
                self.sockets.wait(self.due(now).since(now));
            }
        }
    }

    fn obey(&mut self, now: HostNanos) {
        loop {
            match self.inbox.try_recv() {
                Ok(command) => self.obey_one(now, command),
                Err(TryRecvError::Empty | TryRecvError::Disconnected) => return,
            }
        }
    }

    fn obey_one(&mut self, now: HostNanos, command: Command) {
        let stream = match &command {
            Command::Open { stream, report } => {
                let mut new = Stream::new(report.clone());
                new.disk_problem.clone_from(&self.disk_problem);
                self.secret.trouble().clone_into(&mut new.key_problem);
                self.streams.insert(*stream, new);
                return;
            }
            Command::Test { to, outcome } => {
                return self.probes.push(Probe::new(now, *to, outcome.clone(), self.secret.psk()));
            }
            Command::Key(key) => return self.set_key(now, key.clone()),
            Command::LookForLeftovers => return self.start_disk(),
            Command::Look => return self.seeker.look(),
            Command::Prefer { receiver } => {
                self.seeker.prefer(*receiver);
                self.streams.values_mut().for_each(|stream| stream.search_again(now));
                return;
            }
            Command::Start { .. } => {
                self.start_disk();
                return self.begin(command);
            }
            Command::Farewell => {
                self.farewell = Some(now);
                return;
            }
            Command::Address { stream, .. }
            | Command::Resolved { stream, .. }
            | Command::Discard { stream }
            | Command::RestHere { stream }
            | Command::Spent { stream, .. }
            | Command::Tell { stream, .. }
            | Command::Reconnect { stream }
            | Command::Release { stream } => *stream,
        };
        let Some(state) = self.streams.get_mut(&stream) else { return };
        match command {
            Command::Address { address, .. } => {
                state.generation += 1;
                match address {
                    Ok(Address::Socket(address)) => state.set_target(now, Target::Known(address)),
                    Ok(Address::Automatic) => state.set_target(now, Target::Searched(Search::default())),
                    Ok(name) => state.set_target(now, Target::Named(name)),
                    Err(error) => state.set_target(now, Target::Failed(error)),
                }
            }
            Command::Resolved { generation, found, .. } if generation == state.generation => {
                state.set_target(now, found.map_or_else(Target::Failed, Target::Known));
            }
            Command::Discard { .. } => state.discard(),
            Command::RestHere { .. } => self.rest_to = Some(stream),
            Command::Spent { spent, .. } => state.end_spent(spent),
            Command::Tell { fact, .. } => state.tell(&fact),
            Command::Reconnect { .. } => state.reconnect(now),
            Command::Release { .. } => state.released = true,
            Command::Open { .. }
            | Command::Start { .. }
            | Command::Resolved { .. }
            | Command::LookForLeftovers
            | Command::Look
            | Command::Prefer { .. }
            | Command::Test { .. }
            | Command::Key(_)
            | Command::Farewell => {}
        }
    }

    fn begin(&mut self, command: Command) {
        let Command::Start { stream, mut take } = command else { return };
        take.keep(self.config.memory, self.disk.is_there(), self.secret.keyed());
        if let Some(state) = self.streams.get_mut(&stream) {
            state.add(*take);
        }
    }

    /// Everything goes on with another key.
    fn set_key(&mut self, now: HostNanos, key: Result<Option<Psk>, String>) {
        if key == self.key {
            return;
        }
        self.key.clone_from(&key);
        let secret = &mut self.secret;
        *secret = Secret::new(key);
        self.streams.values_mut().for_each(|stream| stream.set_key(now, secret));
        self.leftovers.set_key(now, secret);
    }

    /// From the first take on there is a spool: never before a host has activated a plugin.
    fn start_disk(&mut self) {
        if let Some(problem) = self.disk.start(&self.config, &self.waker) {
            self.set_disk_problem(&problem);
        }
        if !self.disk.is_there() {
            self.rest.lock().known = true;
        }
    }

    fn set_disk_problem(&mut self, problem: &str) {
        problem.clone_into(&mut self.disk_problem);
        self.streams.values_mut().for_each(|stream| problem.clone_into(&mut stream.disk_problem));
    }

    /// Exchanges with the spool's thread what there is to say.
    fn keep(&mut self, now: HostNanos) {
        let (streams, leftovers) = (&mut self.streams, &mut self.leftovers);
        for news in self.disk.listen(now, |key, work| {
            let found = streams.values_mut().find_map(|stream| stream.find(key)).or_else(|| leftovers.find(key));
            if let Some((place, sender)) = found {
                work(place, sender);
            }
        }) {
            match news {
                News::Left { place, left } => self.leftovers.add(now, place, left, self.secret.keyed()),
                News::Trouble(problem) => self.set_disk_problem(&problem),
                News::Looked => self.rest.lock().known = true,
            }
        }
        self.streams.values_mut().for_each(|stream| stream.serve(now, &self.disk));
        self.leftovers.serve(now, &self.disk);
    }

    /// Sends what earlier programs left, while no stream that lives waits for what it was to have by now. Where capture is off on all that
    /// play, it waits until a person says where it is to go, or something is captured: off means that nothing leaves this machine.
    fn send_leftovers(&mut self, now: HostNanos) {
        // Where nobody plays any more, it stays as it was.
        self.off =
            self.streams.values().filter_map(Stream::captures).reduce(|one, other| one || other).map_or(self.off, |any| !any);
        let off = self.off && self.rest_to.is_none();
        self.rest_waits = off || !self.secret.trouble().is_empty() || self.streams.values_mut().any(|stream| stream.is_behind(now));
        if !self.rest_waits {
            let (streams, told) = (&self.streams, self.rest_to);
            let target = |place: &Place| {
                if let Some(told) = told {
                    return streams.get(&told).and_then(Stream::address);
                }
                let origin = place.origin()?;
                let own = streams.values().find(|stream| stream.is(origin.description.stream)).and_then(Stream::address);
                own.or(origin.address).or_else(|| streams.values().find_map(Stream::address))
            };
            self.leftovers.work(now, &mut self.sockets, &self.disk, target);
        }
        let (takes, entries) = self.leftovers.owed();
        let mut rest = self.rest.lock();
        (rest.takes, rest.entries) = (takes, entries);
    }

    /// Finds receivers for streams that have something to send and nobody's address.
    fn seek(&mut self, now: HostNanos) {
        if self.streams.values().any(Stream::is_searching) {
            self.seeker.look();
        }
        self.seeker.refresh();
        let known = self.seeker.known();
        let used: Vec<_> = self.streams.values_mut().filter_map(|stream| stream.search(now, &known)).collect();
        used.into_iter().for_each(|address| self.seeker.note_used(address));
    }

    fn release_streams(&mut self, now: HostNanos) {
        let disk = &self.disk;
        self.streams.retain(|_, stream| {
            let over = stream.released && stream.is_idle();
            if over {
                stream.discard();
                stream.serve(now, disk);
            }
            !over
        });
    }

    /// The program ends: what is owed goes to disk, for the next one to send.
    fn put_away(&mut self) {
        let until = clock::now().after(PUT_AWAY);
        loop {
            let now = clock::now();
            // Every stream is asked, whatever the others say.
            let missing = self.streams.values_mut().filter_map(|stream| (!stream.put_away(now)).then_some(())).count();
            self.keep(now);
            if missing == 0 || now >= until || !self.disk.is_there() {
                break;
            }
            self.sockets.wait(Duration::from_millis(5));
        }
        self.disk.stop(LAST_WRITES);
    }

    fn resolve_names(&mut self) {
        for (&stream, state) in &mut self.streams {
            let Some(name) = state.take_name() else { continue };
            let generation = state.generation;
            let (commands, waker) = (self.commands.clone(), self.waker.clone());
            resolve(name, move |found| {
                let _ = commands.try_send(Command::Resolved { stream, generation, found });
                let _ = waker.wake();
            });
        }
    }

    fn receive(&mut self) -> bool {
        let (streams, leftovers, probes) = (&mut self.streams, &mut self.leftovers, &mut self.probes);
        self.sockets.receive(|at, datagram| {
            let Ok((head, payload)) = header::read(datagram) else { return };
            if streams.values_mut().any(|stream| stream.handle_datagram(at, head.session, datagram))
                || leftovers.handle_datagram(at, head.session, datagram)
            {
                return;
            }
            probes.retain(|probe| !probe.answered(at, &head, payload));
        })
    }

    fn due(&self, now: HostNanos) -> HostNanos {
        let streams = self.streams.values().filter_map(|stream| stream.due(now));
        let probes = self.probes.iter().map(Probe::due);
        let idle = if self.sockets.is_waiting() { BUSY_PAUSE } else { IDLE };
        let rest = self.leftovers.due(now).filter(|_| !self.rest_waits);
        streams.chain(probes).chain(rest).chain([now.after(idle)]).min().unwrap_or(now)
    }

    fn is_over(&self, now: HostNanos) -> bool {
        let Some(farewell) = self.farewell else { return false };
        let waited = now.since(farewell);
        let owed = !self.streams.values().all(Stream::is_idle);
        let draining = self.streams.values().any(Stream::is_draining);
        !owed || waited >= FAREWELL || (!draining && waited >= FAREWELL_ALONE)
    }
}
