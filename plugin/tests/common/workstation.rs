//! A receiver for the tests, made of the protocol's state machine alone: it keeps in memory what comes.
#![allow(dead_code, unreachable_pub, reason = "each test file is a crate that uses its part of it")]

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use send_learn_plugin::clock;
use send_learn_protocol::packet::close::Gone;
use send_learn_protocol::packet::hello::Description;
use send_learn_protocol::receiver::{Held, Receiver, ReceiverConfig, ReceiverEvent};
use send_learn_protocol::record::{self, MidiKind, Record};
use send_learn_protocol::secure::{Key, Psk};
use send_learn_protocol::units::{ReceiverId, SessionId, SourceNumber, TakeId};

/// Every loop of a test gives up after this.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// What a receiver got of one take: its entries by number.
#[derive(Default)]
pub struct Taken {
    pub description: Option<Description>,
    pub entries: BTreeMap<SourceNumber, Arc<[u8]>>,
    pub gone: Vec<Gone>,
    pub closed: bool,
    /// All below this are here or gone.
    complete: u64,
}

/// The decoded log of a take.
#[derive(Default)]
pub struct Decoded {
    pub samples: Vec<f32>,
    pub blocks: Vec<record::Block>,
    pub midi: Vec<(u64, [u8; 3])>,
    pub sysex: Vec<u8>,
    pub gaps: Vec<record::Gap>,
    pub names: Vec<String>,
    pub end: Option<record::End>,
}

/// A receiver whose every second datagram towards it may be lost.
pub struct Workstation {
    pub address: SocketAddr,
    /// While true, nothing reaches it.
    pub deaf: Arc<AtomicBool>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<BTreeMap<TakeId, Taken>>>,
}

impl Workstation {
    /// Drops one of `drop_one_in` datagrams in each direction; 0 drops none.
    pub fn start(drop_one_in: u64) -> Self {
        Self::with_key(drop_one_in, None)
    }

    /// With a key, only who has it gets in.
    pub fn with_key(drop_one_in: u64, key: Option<Key>) -> Self {
        let psk = key.map(|key| key.psk());
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.set_read_timeout(Some(Duration::from_millis(2))).unwrap();
        let address = socket.local_addr().unwrap();
        let stop = Arc::new(AtomicBool::new(false));
        let deaf = Arc::new(AtomicBool::new(false));
        let flags = (stop.clone(), deaf.clone());
        let run = move || receive(&socket, (&flags.0, &flags.1), drop_one_in, psk);
        let thread = std::thread::Builder::new().name("workstation".to_owned()).spawn(run).unwrap();
        Self { address, deaf, stop, thread: Some(thread) }
    }

    pub fn finish(mut self) -> BTreeMap<TakeId, Taken> {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.take().unwrap().join().unwrap()
    }
}

fn receive(
    socket: &UdpSocket,
    (stop, deaf): (&AtomicBool, &AtomicBool),
    drop_one_in: u64,
    psk: Option<Psk>,
) -> BTreeMap<TakeId, Taken> {
    let config =
        ReceiverConfig { identity: ReceiverId::random(), max_streams: 8, max_streams_per_address: 8, secret: [7; 32], psk };
    let mut receiver = Receiver::new(config, clock::now());
    let mut sessions: BTreeMap<SessionId, TakeId> = BTreeMap::new();
    let mut takes: BTreeMap<TakeId, Taken> = BTreeMap::new();
    let (mut buffer, mut out) = ([0; 2_048], Vec::new());
    // A fixed pattern without a short period: the same datagrams are lost in every run, as far as timing allows.
    let mut count = 0_u64;
    let mut lost = move || {
        count += 1;
        drop_one_in > 0 && (count * count / 7 + count).is_multiple_of(drop_one_in)
    };
    while !stop.load(Ordering::Relaxed) {
        match socket.recv_from(&mut buffer) {
            Ok((len, from)) if !deaf.load(Ordering::Relaxed) && !lost() => {
                receiver.handle_datagram(clock::now(), from, &buffer[..len]);
            }
            Ok(_) => {}
            Err(error) => assert!(matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut), "{error}"),
        }
        let now = clock::now();
        receiver.handle_timeout(now);
        while let Some(event) = receiver.poll_event() {
            match event {
                ReceiverEvent::Opened { session, description, .. } => {
                    sessions.insert(session, description.take);
                    let taken = takes.entry(description.take).or_default();
                    taken.description = Some(*description);
                    let complete = contiguous(taken);
                    receiver.accept(now, session, Held { complete, beyond: Vec::new() });
                }
                ReceiverEvent::Entry { session, number, entry, .. } => {
                    let taken = takes.get_mut(&sessions[&session]).unwrap();
                    taken.entries.insert(number, entry);
                    receiver.set_durable(now, session, contiguous(taken));
                }
                ReceiverEvent::Gone { session, gone } => {
                    let taken = takes.get_mut(&sessions[&session]).unwrap();
                    taken.gone.push(gone);
                    receiver.set_durable(now, session, contiguous(taken));
                }
                ReceiverEvent::Closed { session } => takes.get_mut(&sessions[&session]).unwrap().closed = true,
                _ => {}
            }
        }
        while let Some(to) = receiver.poll_transmit(now, &mut out) {
            if !deaf.load(Ordering::Relaxed) && !lost() {
                socket.send_to(&out, to).unwrap();
            }
        }
    }
    takes
}

fn contiguous(taken: &mut Taken) -> SourceNumber {
    let mut next = taken.complete;
    loop {
        if taken.entries.contains_key(&SourceNumber(next)) {
            next += 1;
        } else if let Some(gone) = taken.gone.iter().find(|gone| (gone.range.first.0..gone.range.end().0).contains(&next)) {
            next = gone.range.end().0;
        } else {
            taken.complete = next;
            return SourceNumber(next);
        }
    }
}

pub fn decode(taken: &Taken) -> Decoded {
    let mut decoded = Decoded::default();
    for entry in taken.entries.values() {
        for record in record::records(entry) {
            match record.unwrap() {
                Record::Audio(fragment) => {
                    let start = fragment.position.0 as usize * usize::from(fragment.channels);
                    decoded.samples.resize(start, 0.0);
                    fragment.decode(&mut decoded.samples).unwrap();
                }
                Record::Block(block) => decoded.blocks.push(block),
                Record::Midi(event) if event.kind == MidiKind::SysEx => decoded.sysex.extend_from_slice(event.data),
                Record::Midi(event) => decoded.midi.push((event.position.0, event.bytes)),
                Record::Gap(gap) => decoded.gaps.push(gap),
                Record::Property(property) => decoded.names.push(property.text.to_owned()),
                Record::End(end) => decoded.end = Some(end),
                _ => {}
            }
        }
    }
    decoded
}

pub fn wait_until(what: &str, mut done: impl FnMut() -> bool) {
    let start = Instant::now();
    while !done() {
        assert!(start.elapsed() < PATIENCE, "still not {what}");
        std::thread::sleep(Duration::from_millis(1));
    }
}

pub fn same_bits(a: &[f32], b: &[f32]) -> bool {
    a.len() == b.len() && a.iter().zip(b).all(|(a, b)| a.to_bits() == b.to_bits())
}
