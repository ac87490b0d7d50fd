//! Bytes of strangers: nothing panics, nothing grows, no answer is longer than its question, and running streams go on.

#[allow(dead_code, unreachable_pub, reason = "a harness that several test files share")]
mod pair;

use std::net::SocketAddr;
use std::time::Duration;

use pair::Pair;
use pair::link::{Random, Weather};
use send_learn_protocol::packet::feedback::{Feedback, SourceRange};
use send_learn_protocol::packet::header::{self, MAX_PAYLOAD};
use send_learn_protocol::packet::hello::Hello;
use send_learn_protocol::packet::{Head, Kind, Shard};
use send_learn_protocol::receiver::ReceiverEvent;
use send_learn_protocol::units::{HostNanos, PacketNumber, SessionId, SourceNumber};

const KINDS: [Kind; 13] = [
    Kind::Hello,
    Kind::Retry,
    Kind::HelloAck,
    Kind::Refuse,
    Kind::Source,
    Kind::Parity,
    Kind::Feedback,
    Kind::Probe,
    Kind::ProbeReply,
    Kind::Gone,
    Kind::Close,
    Kind::CloseAck,
    Kind::Preview,
];

/// A datagram with a valid header and checksum, and anything as its payload.
fn forged(random: &mut Random, session: SessionId) -> Vec<u8> {
    let kind = KINDS[random.word() as usize % KINDS.len()];
    let len = if kind == Kind::Hello { MAX_PAYLOAD } else { random.word() as usize % (MAX_PAYLOAD + 1) };
    let payload: Vec<u8> = (0..len).map(|_| random.word() as u8).collect();
    let shard = random.happens(0.7).then(|| Shard {
        group: random.word() as u32 % 100,
        index: random.word() as u8 % 30,
        sources: random.word() as u8 % 20,
        parities: random.word() as u8 % 12,
    });
    let head = Head { flags: random.word() as u8, shard, ..Head::new(kind, session, PacketNumber(random.word() % 10_000)) };
    let mut datagram = Vec::new();
    header::write(&mut datagram, head, &payload);
    datagram
}

fn stranger() -> SocketAddr {
    "198.51.100.7:6666".parse().unwrap()
}

#[test]
fn no_state_is_kept_and_no_answer_is_longer_before_the_cookie() {
    let now = HostNanos(1);
    let mut receiver = pair::receiver(1, now);
    let mut random = Random(1);
    let (mut payload, mut answer) = (Vec::new(), Vec::new());
    for n in 0..20_000 {
        let datagram = if n % 2 == 0 {
            Hello {
                versions: (1, 1),
                cookie: [random.word() as u8; 16],
                first: SourceNumber(0),
                next: SourceNumber(u64::MAX),
                description: pair::description(),
            }
            .write(&mut payload);
            header::write(&mut answer, Head::new(Kind::Hello, SessionId(random.word()), PacketNumber(0)), &payload);
            answer.clone()
        } else {
            forged(&mut random, SessionId(n))
        };
        receiver.handle_datagram(now, stranger(), &datagram);
        let mut answered = 0;
        while receiver.poll_transmit(now, &mut answer).is_some() {
            answered += answer.len();
        }
        assert!(answered <= datagram.len(), "{answered} bytes answer {}", datagram.len());
    }
    assert_eq!(receiver.sessions().count(), 0);
    assert!(receiver.poll_event().is_none());
}

#[test]
fn a_flood_beside_a_running_stream_costs_it_nothing() {
    let mut pair = Pair::new(Weather { loss: 0.01, ..Weather::default() }, 21);
    let mut random = Random(2);
    for _ in 0..50 {
        pair.play(Duration::from_millis(50));
        let session = pair.sender.session();
        for _ in 0..100 {
            // From another address, with the right session.
            let datagram = forged(&mut random, session);
            pair.receiver.handle_datagram(pair.now, stranger(), &datagram);
            let noise: Vec<u8> = (0..random.word() % 1_400).map(|_| random.word() as u8).collect();
            pair.receiver.handle_datagram(pair.now, stranger(), &noise);
        }
    }
    pair.finish(Duration::from_secs(30));
    pair.assert_complete();
}

#[test]
fn a_sender_that_speaks_nonsense_panics_neither_side() {
    for seed in 0..40 {
        let mut pair = Pair::new(Weather::default(), seed);
        pair.play(Duration::from_millis(100));
        let session = pair.sender.session();
        let peer = "192.0.2.1:4000".parse().unwrap();
        let mut random = Random(seed);
        for _ in 0..2_000 {
            let datagram = forged(&mut random, session);
            pair.receiver.handle_datagram(pair.now, peer, &datagram);
            pair.sender.handle_datagram(pair.now, &datagram);
            while let Some(event) = pair.receiver.poll_event() {
                if let ReceiverEvent::Opened { session, .. } = event {
                    pair.receiver.refuse(pair.now, session, send_learn_protocol::packet::hello::Refusal::Storage);
                }
            }
            let mut out = Vec::new();
            while pair.receiver.poll_transmit(pair.now, &mut out).is_some() {}
            for _ in 0..100 {
                if !pair.sender.poll_transmit(pair.now, &mut out) {
                    break;
                }
            }
            pair.now = pair.now.after(Duration::from_millis(1));
            pair.sender.handle_timeout(pair.now);
            pair.receiver.handle_timeout(pair.now);
        }
    }
}

#[test]
fn a_request_for_more_than_there_is_takes_no_time() {
    let mut pair = Pair::new(Weather::default(), 5);
    pair.play(Duration::from_secs(1));
    // From the end on, so that nothing that is there and may be sent keeps the sender from walking on.
    let entries = SourceNumber(pair.sender.stats().entries);
    let feedback =
        Feedback { received: entries, missing: vec![SourceRange { first: entries, count: u64::MAX / 2 }], ..Feedback::default() };
    let (mut payload, mut datagram) = (Vec::new(), Vec::new());
    feedback.write(&mut payload);
    header::write(&mut datagram, Head::new(Kind::Feedback, pair.sender.session(), PacketNumber(0)), &payload);
    pair.sender.handle_datagram(pair.now, &datagram);
    // A walk over half of all numbers would not end in a life.
    pair.play(Duration::from_secs(1));
    pair.finish(Duration::from_secs(30));
    pair.assert_complete();
}
