//! A bad network: a relay between sender and receiver that loses, delays, reorders and doubles datagrams in both directions,
//! the same ones for the same seed and traffic.

use std::collections::BinaryHeap;
use std::io::ErrorKind;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use crate::audio::Random;

/// How long a direction waits for the next datagram before it looks whether it shall end.
const PATIENCE: Duration = Duration::from_millis(5);

/// The most datagrams that one direction holds back; more are lost, as in a router.
const QUEUE: usize = 4_096;

/// How bad the network is, in each direction. Each is a probability from 0 to 1.
#[derive(Clone, Copy, Debug)]
pub struct Badness {
    /// A datagram is lost.
    pub loss: f64,
    /// A datagram is held back for up to `delay`, so that later ones overtake it.
    pub reorder: f64,
    /// A datagram comes twice.
    pub duplicate: f64,
    /// The longest time that a datagram is held back.
    pub delay: Duration,
}

impl Badness {
    /// A perfect network.
    pub const NONE: Self = Self { loss: 0.0, reorder: 0.0, duplicate: 0.0, delay: Duration::ZERO };

    /// What the whole-system tests must survive: 5 % lost both ways, 10 % out of order, 2 % doubled.
    pub const TYPICAL: Self = Self { loss: 0.05, reorder: 0.10, duplicate: 0.02, delay: Duration::from_millis(8) };
}

/// What the relay did so far, in datagrams.
#[derive(Debug, Default)]
pub struct Counts {
    /// Passed on, doubles included.
    pub passed: AtomicU64,
    /// Lost.
    pub lost: AtomicU64,
    /// Held back.
    pub delayed: AtomicU64,
    /// Doubled.
    pub doubled: AtomicU64,
}

/// A datagram that somebody watched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// When, since the relay began.
    pub at: Duration,
    /// Whether the sender sent it; otherwise the receiver.
    pub there: bool,
    /// Its bytes.
    pub datagram: Vec<u8>,
}

/// A running relay for one sender.
#[derive(Debug)]
pub struct Relay {
    address: SocketAddr,
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    /// Faces the sender.
    near: UdpSocket,
    /// Faces the receiver.
    far: UdpSocket,
    /// The sender, as soon as it has said something.
    sender: Mutex<Option<SocketAddr>>,
    badness: Badness,
    counts: Counts,
    /// What both sides sent, if somebody watches.
    seen: Option<Mutex<Vec<Seen>>>,
    began: Instant,
    ended: AtomicBool,
}

impl Relay {
    /// A relay on a free port of 127.0.0.1 that passes everything on to `receiver`.
    ///
    /// # Errors
    /// When there is no socket or thread for it.
    pub fn start(receiver: SocketAddr, badness: Badness, seed: u64) -> Result<Self> {
        Self::between(receiver, badness, seed, None)
    }

    /// A relay that changes nothing and keeps what both sides send, for [`Relay::seen`].
    ///
    /// # Errors
    /// As [`Relay::start`].
    pub fn watch(receiver: SocketAddr) -> Result<Self> {
        Self::watch_bad(receiver, Badness::NONE, 0)
    }

    /// As [`Relay::watch`], but a bad one: what it loses is kept too.
    ///
    /// # Errors
    /// As [`Relay::start`].
    pub fn watch_bad(receiver: SocketAddr, badness: Badness, seed: u64) -> Result<Self> {
        Self::between(receiver, badness, seed, Some(Mutex::default()))
    }

    fn between(receiver: SocketAddr, badness: Badness, seed: u64, seen: Option<Mutex<Vec<Seen>>>) -> Result<Self> {
        let socket = || {
            let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).context("no socket for the relay")?;
            socket.set_read_timeout(Some(PATIENCE))?;
            anyhow::Ok(socket)
        };
        let (near, far) = (socket()?, socket()?);
        far.connect(receiver)?;
        let address = near.local_addr()?;
        let shared = Shared {
            near,
            far,
            sender: Mutex::default(),
            badness,
            counts: Counts::default(),
            seen,
            began: Instant::now(),
            ended: AtomicBool::new(false),
        };
        let mut relay = Self { address, shared: Arc::new(shared), threads: Vec::new() };
        for (name, direction, salt) in [("relay there", Direction::There, 0), ("relay back", Direction::Back, u64::MAX / 2)] {
            let shared = Arc::clone(&relay.shared);
            let run = move || direction.run(&shared, Random(seed ^ salt));
            relay.threads.push(thread::Builder::new().name(name.to_owned()).spawn(run)?);
        }
        Ok(relay)
    }

    /// Where the sender sends to.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Sends to the receiver what the sender did not send, from the address at which the receiver knows the sender.
    ///
    /// # Errors
    /// When the system does not take it.
    pub fn inject(&self, datagram: &[u8]) -> std::io::Result<()> {
        self.shared.far.send(datagram).map(drop)
    }

    /// What both sides have sent so far, in their order. Empty unless somebody watches.
    pub fn seen(&self) -> Vec<Seen> {
        self.shared.seen.as_ref().map_or_else(Vec::new, |seen| seen.lock().unwrap_or_else(PoisonError::into_inner).clone())
    }

    /// What it did so far.
    pub fn counts(&self) -> &Counts {
        &self.shared.counts
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.shared.ended.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            // A panic of the thread has been printed already.
            let _ = thread.join();
        }
    }
}

#[derive(Clone, Copy)]
enum Direction {
    There,
    Back,
}

impl Direction {
    fn run(self, shared: &Shared, mut random: Random) {
        let mut held: BinaryHeap<Held> = BinaryHeap::new();
        let mut buffer = [0; 2_048];
        while !shared.ended.load(Ordering::Relaxed) {
            if let Some(length) = self.receive(shared, &mut buffer) {
                self.decide(shared, &mut random, &mut held, &buffer[..length]);
            }
            let now = Instant::now();
            while held.peek().is_some_and(|next| next.due <= now) {
                if let Some(next) = held.pop() {
                    self.pass(shared, &next.datagram);
                }
            }
        }
    }

    fn decide(self, shared: &Shared, random: &mut Random, held: &mut BinaryHeap<Held>, datagram: &[u8]) {
        let Shared { badness, counts, .. } = shared;
        if random.chance(badness.loss) || held.len() >= QUEUE {
            counts.lost.fetch_add(1, Ordering::Relaxed);
            return;
        }
        let copies = if random.chance(badness.duplicate) { 2 } else { 1 };
        counts.doubled.fetch_add(copies - 1, Ordering::Relaxed);
        for _ in 0..copies {
            if random.chance(badness.reorder) {
                counts.delayed.fetch_add(1, Ordering::Relaxed);
                let share = (random.next() >> 11) as f64 / (1u64 << 53) as f64;
                held.push(Held { due: Instant::now() + badness.delay.mul_f64(share), datagram: datagram.to_vec() });
            } else {
                self.pass(shared, datagram);
            }
        }
    }

    fn receive(self, shared: &Shared, buffer: &mut [u8]) -> Option<usize> {
        match self {
            Self::There => {
                let (length, from) = shared.near.recv_from(buffer).ok()?;
                *shared.sender.lock().unwrap_or_else(PoisonError::into_inner) = Some(from);
                self.watch(shared, &buffer[..length]);
                Some(length)
            }
            Self::Back => match shared.far.recv(buffer) {
                Ok(length) => {
                    self.watch(shared, &buffer[..length]);
                    Some(length)
                }
                Err(error) => {
                    // Nobody listens there at the moment; without a pause this would spin.
                    if error.kind() == ErrorKind::ConnectionRefused {
                        thread::sleep(PATIENCE);
                    }
                    None
                }
            },
        }
    }

    fn watch(self, shared: &Shared, datagram: &[u8]) {
        if let Some(seen) = &shared.seen {
            let seen_now = Seen { at: shared.began.elapsed(), there: matches!(self, Self::There), datagram: datagram.to_vec() };
            seen.lock().unwrap_or_else(PoisonError::into_inner).push(seen_now);
        }
    }

    /// What the operating system does not take is lost, as on any network.
    fn pass(self, shared: &Shared, datagram: &[u8]) {
        let sent = match self {
            Self::There => shared.far.send(datagram).is_ok(),
            Self::Back => {
                let sender = *shared.sender.lock().unwrap_or_else(PoisonError::into_inner);
                sender.is_some_and(|sender| shared.near.send_to(datagram, sender).is_ok())
            }
        };
        let counter = if sent { &shared.counts.passed } else { &shared.counts.lost };
        counter.fetch_add(1, Ordering::Relaxed);
    }
}

/// A datagram that is held back; the one that is due first is the greatest.
struct Held {
    due: Instant,
    datagram: Vec<u8>,
}

impl Ord for Held {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        other.due.cmp(&self.due)
    }
}

impl PartialOrd for Held {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Held {
    fn eq(&self, other: &Self) -> bool {
        self.due == other.due
    }
}

impl Eq for Held {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_good_network_passes_everything_and_a_dead_one_nothing() {
        for (loss, expected) in [(0.0, 50), (1.0, 0)] {
            let receiver = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("a socket");
            receiver.set_read_timeout(Some(Duration::from_millis(200))).expect("a time limit");
            let badness = Badness { loss, reorder: 0.0, duplicate: 0.0, delay: Duration::ZERO };
            let relay = Relay::start(receiver.local_addr().expect("an address"), badness, 1).expect("a relay");
            let sender = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("a socket");
            for number in 0..50u8 {
                sender.send_to(&[number], relay.address()).expect("a datagram to this machine");
            }
            let mut buffer = [0; 16];
            let heard = std::iter::from_fn(|| receiver.recv(&mut buffer).ok()).count();
            assert_eq!(heard, expected);
        }
    }
}
