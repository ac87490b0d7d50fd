//! With a key: what strangers hear, say, repeat and change does nothing to a session, and what they lack keeps them out.

#[allow(dead_code, unreachable_pub, reason = "a harness that several test files share")]
mod pair;

use std::time::Duration;

use pair::link::{Random, Weather};
use pair::{Overheard, PSK, Pair, keyed, peer};
use send_learn_protocol::packet::close::Close;
use send_learn_protocol::packet::header::{self, FLAG_SEALED, HEADER_LEN, MAX_PAYLOAD, MAX_SEALED};
use send_learn_protocol::packet::hello::Refusal;
use send_learn_protocol::packet::{Head, Kind, MAX_DATAGRAM};
use send_learn_protocol::receiver::Rejection;
use send_learn_protocol::secure::Psk;
use send_learn_protocol::sender::{SenderConfig, SenderEvent, SenderState};
use send_learn_protocol::units::{PacketNumber, SessionId, SourceNumber};

const OTHER: Psk = Psk::from_bytes([0xA5; 32]);

fn pair_of(sender: Option<Psk>, receiver: Option<Psk>) -> Pair {
    let config = SenderConfig { keyed: sender.map(|psk| keyed(psk, 3)), ..SenderConfig::default() };
    Pair::with_secret(Weather::default(), 3, config, receiver)
}

fn rejected(pair: &Pair, why: Rejection) -> u64 {
    pair.receiver.rejected().of(why)
}

/// The same datagram with other bytes in it, and the checksum that belongs to them.
fn changed(datagram: &[u8], change: impl FnOnce(&mut Head, &mut Vec<u8>)) -> Vec<u8> {
    let (mut head, payload) = header::read(datagram).unwrap();
    let mut payload = payload.to_vec();
    change(&mut head, &mut payload);
    payload.truncate(if head.is_sealed() { MAX_SEALED } else { MAX_PAYLOAD });
    let mut out = Vec::new();
    header::write(&mut out, head, &payload);
    out
}

fn kind(datagram: &[u8]) -> Kind {
    header::read(datagram).unwrap().0.kind
}

fn contains(datagram: &[u8], text: &[u8]) -> bool {
    datagram.windows(text.len()).any(|window| window == text)
}

/// Everything that both sides said in a session that is over.
fn a_session_that_is_over() -> (Pair, Overheard) {
    let mut pair = Pair::keyed(Weather::default(), 5);
    pair.overheard = Some(Overheard::default());
    pair.play(Duration::from_millis(500));
    pair.finish(Duration::from_secs(10));
    pair.assert_complete();
    let heard = pair.overheard.take().unwrap();
    (pair, heard)
}

#[test]
fn in_any_weather_the_recording_is_complete() {
    let outage = Some((Duration::from_millis(1_000), Duration::from_millis(2_500)));
    let delay = Duration::from_millis(10);
    for (name, weather) in [
        ("loss", Weather { loss: 0.05, ..Weather::default() }),
        ("much loss", Weather { loss: 0.2, delay, ..Weather::default() }),
        ("bits", Weather { bit_flip: 1e-5, ..Weather::default() }),
        ("disorder", Weather { reorder: 0.05, duplicate: 0.05, jitter: delay, delay, ..Weather::default() }),
        ("outage", Weather { outage, ..Weather::default() }),
    ] {
        let mut pair = Pair::keyed(weather, 11);
        pair.play(Duration::from_secs(4));
        pair.finish(Duration::from_secs(60));
        pair.assert_complete();
        assert_eq!(rejected(&pair, Rejection::NotAuthentic), 0, "{name}");
    }
}

#[test]
fn nothing_but_hello_and_retry_is_said_in_clear_and_no_datagram_is_too_long() {
    let (_, heard) = a_session_that_is_over();
    for datagram in heard.up.iter().chain(&heard.down) {
        let (head, _) = header::read(datagram).unwrap();
        assert!(datagram.len() <= MAX_DATAGRAM);
        assert!(head.is_sealed() || head.kind == Kind::Retry, "{head:?}");
        // The stream's name, and bytes that ids and silence would show.
        assert!(!contains(datagram, b"Pair") && !contains(datagram, &[2; 16]), "{head:?}");
    }
    let kinds: Vec<Kind> = heard.up.iter().chain(&heard.down).map(|datagram| kind(datagram)).collect();
    for kind in [Kind::Hello, Kind::Retry, Kind::HelloAck, Kind::Source, Kind::Parity, Kind::Feedback, Kind::Probe, Kind::CloseAck]
    {
        assert!(kinds.contains(&kind), "{kind:?}");
    }
    // A first hello says nothing at all.
    assert!(heard.up[0][HEADER_LEN + 8..].iter().all(|byte| *byte == 0));
}

#[test]
fn another_key_or_none_on_one_side_records_nothing_and_says_why_and_the_right_one_brings_all_that_was_kept() {
    for (sender, receiver, reason, counted) in [
        (Some(OTHER), Some(PSK), Refusal::WrongKey, Rejection::WrongKey),
        (None, Some(PSK), Refusal::KeyNeeded, Rejection::KeyNeeded),
        (Some(PSK), None, Refusal::NoKey, Rejection::NoKey),
    ] {
        let mut pair = pair_of(sender, receiver);
        pair.overheard = Some(Overheard::default());
        pair.play(Duration::from_secs(3));
        assert_eq!(pair.sender.state(), SenderState::Refused(reason));
        assert!(pair.opened.is_empty() && pair.disk.entries.is_empty(), "{reason}");
        assert!(rejected(&pair, counted) > 0, "{reason}");
        assert!(pair.events.contains(&SenderEvent::Refused(reason)));
        let heard = pair.overheard.take().unwrap();
        assert!(heard.up.iter().all(|datagram| kind(datagram) == Kind::Hello));
        assert_eq!(heard.up.iter().any(|datagram| contains(datagram, b"Pair")), sender.is_none(), "no downgrade");
        // The person enters the key, or takes it away.
        pair.sender.set_key(pair.now, receiver.map(|psk| keyed(psk, 99)));
        pair.play(Duration::from_secs(1));
        pair.finish(Duration::from_secs(20));
        pair.assert_complete();
    }
}

#[test]
fn a_repeated_datagram_does_nothing_whenever_and_wherever_it_comes_from() {
    let mut pair = Pair::keyed(Weather::default(), 7);
    pair.overheard = Some(Overheard::default());
    for round in 0..20 {
        pair.play(Duration::from_millis(50));
        let heard = pair.overheard.clone().unwrap();
        let before = (pair.receiver.stats(pair.session.unwrap()).unwrap().datagrams, pair.sender.session());
        for datagram in &heard.up {
            pair.receiver.handle_datagram(pair.now, peer(), datagram);
            pair.receiver.handle_datagram(pair.now, "198.51.100.7:6666".parse().unwrap(), datagram);
            pair.sender.handle_datagram(pair.now, datagram);
        }
        let heeded_not = pair.sender.stats().rejected;
        for datagram in &heard.down {
            pair.sender.handle_datagram(pair.now, datagram);
            pair.receiver.handle_datagram(pair.now, peer(), datagram);
        }
        // But for the retry, and what was on its way.
        assert!(pair.sender.stats().rejected - heeded_not >= heard.down.len() as u64 - 4);
        let under_way = heard.up.len() as u64;
        let after = (pair.receiver.stats(pair.session.unwrap()).unwrap().datagrams, pair.sender.session());
        assert!(after.0 <= before.0.max(under_way) && after.1 == before.1, "round {round}: {before:?} {after:?}");
    }
    assert_eq!(pair.opened.len(), 1);
    pair.finish(Duration::from_secs(10));
    pair.assert_complete();
    assert!(!pair.events.contains(&SenderEvent::Lost));
}

#[test]
fn a_session_that_is_over_is_not_opened_again_by_what_was_heard_of_it() {
    let (mut pair, heard) = a_session_that_is_over();
    assert_eq!(pair.opened.len(), 1);
    let stranger = "198.51.100.7:6666".parse().unwrap();
    for wait in [0, 1, 5, 9, 11, 20, 21, 60] {
        pair.run_until(pair.now.after(Duration::from_secs(wait)));
        for datagram in heard.up.iter().chain(&heard.down) {
            pair.receiver.handle_datagram(pair.now, peer(), datagram);
            pair.receiver.handle_datagram(pair.now, stranger, datagram);
        }
        pair.run_until(pair.now.after(Duration::from_millis(100)));
        assert_eq!(pair.receiver.sessions().count(), 0, "after {wait} s");
    }
    // With a cookie of his own, or a new one for the sender's address, and what the sender said with another.
    let hello = heard.up.iter().rfind(|datagram| kind(datagram) == Kind::Hello).unwrap();
    for from in [peer(), stranger] {
        pair.receiver.handle_datagram(pair.now, from, &heard.up[0]);
        let mut retry = Vec::new();
        assert_eq!(pair.receiver.poll_transmit(pair.now, &mut retry), Some(from));
        let cookie = header::read(&retry).unwrap().1.to_vec();
        let before = rejected(&pair, Rejection::WrongKey);
        pair.receiver.handle_datagram(pair.now, from, &changed(hello, |_, payload| payload[8..24].copy_from_slice(&cookie)));
        assert_eq!((rejected(&pair, Rejection::WrongKey), pair.receiver.sessions().count()), (before + 1, 0));
        while pair.receiver.poll_transmit(pair.now, &mut retry).is_some() {}
    }
    // Another life of the receiver, of the same key.
    pair.kill_receiver();
    heard.up.iter().for_each(|datagram| pair.receiver.handle_datagram(pair.now, peer(), datagram));
    assert_eq!(pair.receiver.sessions().count(), 0);
    assert_eq!(pair.opened.len(), 1);
}

#[test]
fn a_recorded_hello_does_not_take_the_place_of_the_takes_next_session() {
    let mut pair = Pair::keyed(Weather::default(), 7);
    pair.overheard = Some(Overheard::default());
    pair.play(Duration::from_millis(300));
    pair.sender.reconnect(pair.now);
    pair.play(Duration::from_millis(300));
    assert_eq!(pair.opened.len(), 2);
    let heard = pair.overheard.clone().unwrap();
    for datagram in heard.up.iter().filter(|datagram| kind(datagram) == Kind::Hello) {
        pair.receiver.handle_datagram(pair.now, peer(), datagram);
    }
    pair.play(Duration::from_millis(300));
    assert_eq!((pair.opened.len(), pair.receiver.sessions().count()), (2, 1));
    assert!(rejected(&pair, Rejection::Repeated) > 0);
    pair.finish(Duration::from_secs(10));
    pair.assert_complete();
}

#[test]
fn no_changed_bit_passes_though_the_checksum_is_right() {
    let mut pair = Pair::keyed(Weather::default(), 7);
    pair.play(Duration::from_millis(200));
    // What comes next is held back, so that each of it is new.
    pair.overheard = Some(Overheard::default());
    pair.up.weather.loss = 1.0;
    pair.down.weather.loss = 1.0;
    pair.play(Duration::from_millis(60));
    let heard = pair.overheard.take().unwrap();
    let (mut random, mut tried) = (Random(1), 0);
    let before = pair.receiver.stats(pair.session.unwrap()).unwrap().datagrams;
    let rejected_before = pair.sender.stats().rejected;
    for datagram in heard.up.iter().chain(&heard.down) {
        for _ in 0..40 {
            let damaged = changed(datagram, |head, payload| match random.word() % 6 {
                0 => head.packet.0 ^= 1 << (random.word() % 20),
                1 => head.sent_micros ^= 1 << (random.word() % 32),
                2 => head.flags ^= 1 << (random.word() % 7),
                3 => head.flags ^= FLAG_SEALED,
                _ => payload[(random.word() % 24) as usize] ^= 1 << (random.word() % 8),
            });
            tried += 1;
            pair.receiver.handle_datagram(pair.now, peer(), &damaged);
            pair.sender.handle_datagram(pair.now, &damaged);
        }
    }
    assert!(tried > 500, "{tried}");
    assert_eq!(pair.receiver.stats(pair.session.unwrap()).unwrap().datagrams, before);
    assert_eq!(pair.sender.stats().rejected, rejected_before + tried, "the sender heeds none of them either");
    assert!(rejected(&pair, Rejection::NotAuthentic) > 200);
    pair.up.weather.loss = 0.0;
    pair.down.weather.loss = 0.0;
    pair.finish(Duration::from_secs(10));
    pair.assert_complete();
}

#[test]
fn what_was_sealed_for_another_session_does_not_open() {
    let mut pair = Pair::keyed(Weather::default(), 7);
    pair.overheard = Some(Overheard::default());
    pair.play(Duration::from_millis(300));
    pair.sender.reconnect(pair.now);
    let heard = pair.overheard.take().unwrap();
    pair.play(Duration::from_millis(300));
    let (session, before) = (pair.sender.session(), pair.receiver.stats(pair.session.unwrap()).unwrap().datagrams);
    let asked_before = rejected(&pair, Rejection::NotAuthentic);
    let mut sent = 0;
    for datagram in heard.up.iter().filter(|datagram| !matches!(kind(datagram), Kind::Hello | Kind::Retry)) {
        let moved = changed(datagram, |head, _| (head.session, head.packet.0) = (session, head.packet.0 + 5_000));
        pair.receiver.handle_datagram(pair.now, peer(), &moved);
        sent += 1;
    }
    for datagram in &heard.down {
        pair.sender.handle_datagram(pair.now, &changed(datagram, |head, _| head.session = session));
    }
    assert_eq!(pair.receiver.stats(pair.session.unwrap()).unwrap().datagrams, before);
    assert_eq!(rejected(&pair, Rejection::NotAuthentic), asked_before + sent);
    assert_eq!(pair.sender.session(), session);
    pair.finish(Duration::from_secs(10));
    pair.assert_complete();
}

/// Answers that anybody can write.
fn answers_of_strangers(session: SessionId, packet: u64) -> Vec<Vec<u8>> {
    let mut all = Vec::new();
    for flags in [0, FLAG_SEALED] {
        for kind in [Kind::Retry, Kind::HelloAck, Kind::Feedback, Kind::ProbeReply, Kind::CloseAck, Kind::Refuse] {
            for reason in 0..=11_u8 {
                let mut close = Vec::new();
                Close { end: SourceNumber(7) }.write(&mut close);
                for payload in
                    [vec![reason], [vec![reason], vec![0; 16]].concat(), vec![reason; 16], vec![reason; 80], vec![0; 400], close]
                {
                    let head = Head { flags, ..Head::new(kind, session, PacketNumber(packet)) };
                    let mut datagram = Vec::new();
                    header::write(&mut datagram, head, &payload);
                    all.push(datagram);
                }
            }
        }
    }
    all
}

#[test]
fn nothing_that_strangers_say_stops_a_running_session() {
    let mut pair = Pair::keyed(Weather::default(), 7);
    pair.play(Duration::from_millis(300));
    let session = pair.sender.session();
    for round in 0..20 {
        for datagram in answers_of_strangers(session, round) {
            pair.sender.handle_datagram(pair.now, &datagram);
        }
        pair.play(Duration::from_millis(50));
        assert_eq!((pair.sender.session(), pair.sender.state()), (session, SenderState::Connected));
    }
    pair.finish(Duration::from_secs(10));
    pair.assert_complete();
}

#[test]
fn what_strangers_say_while_a_sender_asks_informs_and_holds_up_nothing() {
    let mut pair = Pair::keyed(Weather::default(), 7);
    let session = pair.sender.session();
    pair.up.weather.loss = 1.0;
    pair.play(Duration::from_millis(100));
    for datagram in answers_of_strangers(session, 0).iter().filter(|datagram| kind(datagram) != Kind::Retry) {
        pair.sender.handle_datagram(pair.now, datagram);
    }
    assert!(matches!(pair.sender.state(), SenderState::Refused(_)), "{:?}", pair.sender.state());
    assert_eq!(pair.sender.session(), session);
    pair.up.weather.loss = 0.0;
    pair.play(Duration::from_millis(400));
    assert_eq!(pair.sender.state(), SenderState::Connected);
    pair.finish(Duration::from_secs(10));
    pair.assert_complete();
}

#[test]
fn a_stale_word_is_not_shown_for_ever() {
    let mut pair = Pair::keyed(Weather::default(), 7);
    pair.up.weather.loss = 1.0;
    pair.play(Duration::from_millis(100));
    let mut datagram = Vec::new();
    header::write(&mut datagram, Head::new(Kind::Refuse, pair.sender.session(), PacketNumber(0)), &[Refusal::WrongKey as u8]);
    pair.sender.handle_datagram(pair.now, &datagram);
    assert_eq!(pair.sender.state(), SenderState::Refused(Refusal::WrongKey));
    pair.play(Duration::from_secs(7));
    assert_eq!(pair.sender.state(), SenderState::Connecting);
}

#[test]
fn false_cookies_hold_up_a_handshake_for_a_second_at_most() {
    let mut pair = Pair::keyed(Weather::default(), 7);
    let mut retry = Vec::new();
    header::write(&mut retry, Head::new(Kind::Retry, pair.sender.session(), PacketNumber(0)), &[0xEE; 16]);
    pair.sender.handle_datagram(pair.now, &retry);
    pair.play(Duration::from_millis(2_500));
    assert_eq!(pair.sender.state(), SenderState::Connected);
}

#[test]
fn a_restarted_receiver_is_known_at_once_but_not_before() {
    let mut pair = Pair::keyed(Weather::default(), 7);
    pair.play(Duration::from_secs(1));
    pair.kill_receiver();
    let killed = pair.now;
    while pair.opened.len() < 2 {
        pair.play(Duration::from_millis(10));
        assert!(pair.now.since(killed) < Duration::from_millis(500), "the new session takes too long");
    }
    pair.finish(Duration::from_secs(20));
    pair.assert_complete();
}

#[test]
fn nobody_can_have_the_receiver_disown_a_session() {
    let mut pair = Pair::keyed(Weather::default(), 7);
    let session = pair.sender.session();
    // Before the session is there, somebody asks for it, and keeps the answers.
    let mut answers = Vec::new();
    for packet in 0..64 {
        let mut probe = Vec::new();
        let head = Head { flags: FLAG_SEALED, ..Head::new(Kind::Probe, session, PacketNumber(packet)) };
        header::write(&mut probe, head, &[0; 40]);
        pair.receiver.handle_datagram(pair.now, "198.51.100.7:6666".parse().unwrap(), &probe);
        let mut out = Vec::new();
        while pair.receiver.poll_transmit(pair.now, &mut out).is_some() {
            assert!(out.len() <= probe.len());
            answers.push(out.clone());
        }
    }
    assert_eq!(answers.len(), 64, "they are authentic, but answer probes that the sender never sent");
    for _ in 0..10 {
        answers.iter().for_each(|answer| pair.sender.handle_datagram(pair.now, answer));
        pair.play(Duration::from_millis(100));
        assert_eq!(pair.sender.session(), session);
    }
    assert_eq!(pair.sender.state(), SenderState::Connected);
    pair.finish(Duration::from_secs(10));
    pair.assert_complete();
}

#[test]
fn no_answer_is_longer_than_its_question() {
    let mut random = Random(9);
    for psk in [None, Some(PSK)] {
        let mut pair = pair_of(psk, psk);
        pair.overheard = Some(Overheard::default());
        pair.play(Duration::from_millis(200));
        pair.finish(Duration::from_secs(10));
        let heard = pair.overheard.take().unwrap();
        let mut out = Vec::new();
        for n in 0..30_000 {
            let datagram = match n % 3 {
                0 => heard.up[random.word() as usize % heard.up.len()].clone(),
                1 => changed(&heard.up[random.word() as usize % heard.up.len()], |head, payload| {
                    head.session.0 ^= random.word() % 2;
                    if head.kind != Kind::Hello {
                        payload.truncate(random.word() as usize % (payload.len() + 1));
                    }
                }),
                _ => {
                    let flags = if random.happens(0.5) { FLAG_SEALED } else { 0 };
                    let kind = [Kind::Hello, Kind::Probe, Kind::Close][random.word() as usize % 3];
                    let len = random.word() as usize % (MAX_SEALED - 15);
                    let mut datagram = Vec::new();
                    header::write(&mut datagram, Head { flags, ..Head::new(kind, SessionId(n), PacketNumber(0)) }, &vec![1; len]);
                    datagram
                }
            };
            // The emulated sender is finished: what is sent now answers this datagram.
            pair.receiver.handle_datagram(pair.now, peer(), &datagram);
            let mut answered = 0;
            while pair.receiver.poll_transmit(pair.now, &mut out).is_some() {
                answered += out.len();
            }
            assert!(answered <= datagram.len(), "{answered} bytes answer {} ({:?})", datagram.len(), kind(&datagram));
        }
        assert_eq!(pair.receiver.sessions().count(), 0);
    }
}
