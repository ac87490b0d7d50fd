//! The uplink with a key: what is sent, to whom, and what happens until the right one is there.

#[path = "common/music.rs"]
mod music;
#[path = "common/workstation.rs"]
mod workstation;

use std::net::UdpSocket;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use music::{BLOCK, begin, expected, play};
use send_learn_key::KeyFileError;
use send_learn_plugin::report::{LinkState, Tested};
use send_learn_plugin::uplink::{Uplink, UplinkConfig};
use send_learn_protocol::packet::header;
use send_learn_protocol::packet::hello::Refusal;
use send_learn_protocol::record::EndReason;
use send_learn_protocol::secure::Key;
use send_learn_protocol::sender::SendMode;
use workstation::{Workstation, decode, same_bits, wait_until};

const BLOCKS: u32 = 100;

fn uplink() -> Arc<Uplink> {
    Uplink::start(UplinkConfig { memory: 64 << 20, spool: None }).unwrap()
}

fn unusable() -> Result<Option<Key>, KeyFileError> {
    Err(KeyFileError::Open { path: PathBuf::from("/home/ada/key") })
}

#[test]
fn until_the_right_key_is_there_everything_is_kept_and_then_it_arrives() {
    let key = send_learn_key::new().unwrap();
    let workstation = Workstation::with_key(13, Some(key));
    let uplink = uplink();
    let stream = uplink.open(&workstation.address.to_string());
    let (mut audio, take) = begin(&stream, SendMode::Fast);
    play(&mut audio, BLOCKS);
    wait_until("refused for want of a key", || stream.report().link == LinkState::Refused(Refusal::KeyNeeded));
    uplink.set_key(Ok(Some(send_learn_key::new().unwrap())));
    wait_until("refused for another key", || stream.report().link == LinkState::Refused(Refusal::WrongKey));
    assert!(stream.report().problem.contains("send-learn key"), "{}", stream.report().problem);
    uplink.set_key(unusable());
    wait_until("told about the file", || stream.report().problem.contains("chmod 600"));
    assert_eq!(stream.report().link, LinkState::Failed);
    uplink.set_key(Ok(Some(key)));
    audio.finish(EndReason::Stopped);
    wait_until("durable", || stream.report().link == LinkState::Finished);
    drop((stream, uplink));
    let decoded = decode(&workstation.finish()[&take]);
    assert!(same_bits(&decoded.samples, &expected(u64::from(BLOCKS * BLOCK))));
}

#[test]
fn with_a_key_that_cannot_be_used_nothing_is_sent_and_with_one_nothing_in_clear() {
    let ear = UdpSocket::bind("127.0.0.1:0").unwrap();
    ear.set_read_timeout(Some(Duration::from_millis(300))).unwrap();
    let uplink = uplink();
    uplink.set_key(unusable());
    let stream = uplink.open(&ear.local_addr().unwrap().to_string());
    let (mut audio, _) = begin(&stream, SendMode::Live);
    play(&mut audio, 3);
    let mut buffer = [0; 2_048];
    assert!(ear.recv(&mut buffer).is_err(), "a datagram left");
    uplink.set_key(send_learn_key::new().map(Some).map_err(|_| KeyFileError::NoFolder));
    for _ in 0..4 {
        let len = ear.recv(&mut buffer).unwrap();
        let (head, payload) = header::read(&buffer[..len]).unwrap();
        assert!(head.is_sealed() && payload[8..].iter().all(|byte| *byte == 0), "a hello that says nothing");
    }
    audio.finish(EndReason::Stopped);
    stream.discard();
}

#[test]
fn a_test_of_the_address_says_when_both_have_not_the_same_key() {
    let (key, other) = (send_learn_key::new().unwrap(), send_learn_key::new().unwrap());
    let cases = [
        (None, Some(key), "needs its key"),
        (Some(key), None, "has no key"),
        (Some(other), Some(key), "has another key"),
        (Some(key), Some(key), ""),
    ];
    for (ours, theirs, words) in cases {
        let workstation = Workstation::with_key(0, theirs);
        let uplink = uplink();
        uplink.set_key(Ok(ours));
        let test = uplink.test(&workstation.address.to_string());
        wait_until("tested", || *test.lock() != Tested::Waiting);
        match &*test.lock() {
            Tested::Failed(reason) => assert!(!words.is_empty() && reason.contains(words), "{reason}"),
            answered => assert!(words.is_empty() && matches!(answered, Tested::Answered { keyed: true, .. }), "{answered:?}"),
        }
        drop(uplink);
        workstation.finish();
    }
}
