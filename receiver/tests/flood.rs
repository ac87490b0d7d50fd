//! A flood of random, repeated and forged datagrams, as fast as this machine sends them: a running stream is recorded whole, and the
//! receiver does not grow.

mod common;

use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use common::*;
use send_learn_protocol::packet::header::{self, FLAG_SEALED, MAX_PAYLOAD};
use send_learn_protocol::packet::{Head, Kind};
use send_learn_protocol::units::{PacketNumber, SessionId};

/// How long the flood lasts.
const FLOOD: Duration = Duration::from_secs(3);

/// More than what allocators and buffers come to.
const GROWTH: u64 = 48 << 20;

/// Blocks per second, as in music.
const PACE: f64 = 94.0;

/// What the floods send, and whether they go on.
#[derive(Default)]
struct Flood {
    stop: AtomicBool,
    sent: AtomicU64,
}

/// Sends what it likes until it is stopped. Only to this machine.
fn flood(to: SocketAddr, session: SessionId, shared: Arc<Flood>) -> JoinHandle<()> {
    let kinds = [Kind::Hello, Kind::Source, Kind::Parity, Kind::Probe, Kind::Gone, Kind::Close, Kind::Preview, Kind::Feedback];
    let work = move || {
        let sockets: Vec<UdpSocket> = (1..=8).map(|n| UdpSocket::bind(format!("127.0.0.{n}:0")).unwrap()).collect();
        let (mut random, mut datagram) = (session.0 | 1, Vec::new());
        let mut next = move || {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            random >> 33
        };
        while !shared.stop.load(Ordering::Relaxed) {
            let kind = kinds[next() as usize % kinds.len()];
            let len = if kind == Kind::Hello { MAX_PAYLOAD } else { next() as usize % MAX_PAYLOAD };
            let payload: Vec<u8> = (0..len).map(|_| next() as u8).collect();
            let flags = if next() % 2 == 0 { FLAG_SEALED } else { 0 };
            let session = if next() % 2 == 0 { session } else { SessionId(next()) };
            header::write(&mut datagram, Head { flags, ..Head::new(kind, session, PacketNumber(next() % 10_000)) }, &payload);
            if next() % 4 == 0 {
                let at = next() as usize % datagram.len();
                datagram[at] ^= 1 << (next() % 8);
            }
            // The same from several addresses: a flood is made of sending, not of thinking.
            for socket in &sockets {
                shared.sent.fetch_add(u64::from(socket.send_to(&datagram, to).is_ok()), Ordering::Relaxed);
            }
        }
    };
    std::thread::Builder::new().name("flood".into()).spawn(work).unwrap()
}

#[test]
fn a_flood_costs_a_running_stream_nothing_and_the_receiver_no_memory() {
    for keyed in [false, true] {
        let folder = tempfile::tempdir().unwrap();
        let (file, data) = (folder.path().join("key"), folder.path().join("data"));
        let key = keyed.then(|| send_learn_key::new().unwrap());
        key.iter().for_each(|key| send_learn_key::save(&file, key).unwrap());
        let options: &[&str] = if keyed { &["--key-file", file.to_str().unwrap()] } else { &["--open"] };
        let server = Server::start_with(&data, "127.0.0.1:0", options);
        let mut player = Player::with_key(server.address, "Flooded", 2, key);
        player.play(50);
        player.turn_until_durable();
        let (before, shared) = (server.memory(), Arc::new(Flood::default()));
        let floods = [1, 2].map(|_| flood(server.address, player.sender.session(), shared.clone()));
        let (start, mut blocks) = (Instant::now(), 50);
        while start.elapsed() < FLOOD {
            player.play(10);
            blocks += 10;
            while start.elapsed() < FLOOD && start.elapsed().as_secs_f64() * PACE < (blocks - 50) as f64 {
                player.turn();
            }
        }
        let grown = server.memory().saturating_sub(before);
        shared.stop.store(true, Ordering::Relaxed);
        floods.into_iter().for_each(|flood| flood.join().unwrap());
        println!("{} datagrams in {FLOOD:?}; {} MB more memory", shared.sent.load(Ordering::Relaxed), grown >> 20);
        assert!(grown < GROWTH, "{} MB", grown >> 20);
        player.finish();
        assert_eq!(assert_holds_what_was_played(&complete_parts(&data)[0]), blocks * 512);
    }
}
