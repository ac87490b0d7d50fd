//! Capture and uplink against the protocol's receiver, over real sockets on this machine.

#[path = "common/music.rs"]
mod music;
#[path = "common/workstation.rs"]
mod workstation;

use std::net::UdpSocket;
use std::sync::Arc;
use std::time::{Duration, Instant};

use music::{BLOCK, begin, expected, play};
use send_learn_plugin::capture::{Pause, Wanted};
use send_learn_plugin::clock;
use send_learn_plugin::report::{LinkState, Tested};
use send_learn_plugin::transport::Observed;
use send_learn_plugin::uplink::{Fact, Uplink, UplinkConfig};
use send_learn_protocol::packet::hello::PropertyKey;
use send_learn_protocol::record::{EndReason, GapReason};
use send_learn_protocol::sender::SendMode;
use workstation::{Workstation, decode, same_bits, wait_until};

/// One that keeps nothing on disk.
fn uplink() -> Arc<Uplink> {
    Uplink::start(UplinkConfig { memory: 64 << 20, spool: None }).unwrap()
}

#[test]
fn what_is_played_arrives_bit_for_bit_despite_loss() {
    let workstation = Workstation::start(13);
    let uplink = uplink();
    let stream = uplink.open(&workstation.address.to_string());
    let (mut audio, take) = begin(&stream, SendMode::Fast);
    play(&mut audio, 400);
    stream.tell(Fact::Property(PropertyKey::NAME, "Lead 2".to_owned()));
    audio.begin(BLOCK, clock::now(), &Observed::default(), Wanted::Captured);
    audio.sysex(3, &[&[0xF0][..], &[1; 900], &[0xF7]].concat());
    audio.end(&[[0.0; BLOCK as usize], [0.0; BLOCK as usize]]);
    audio.finish(EndReason::Stopped);
    wait_until("durable", || stream.report().link == LinkState::Finished);
    let report = stream.report();
    assert_eq!((report.owed, report.lost_entries, report.dropped, report.midi), (0, 0, 0, 401));
    assert_eq!(report.durable.0, 401 * u64::from(BLOCK));
    drop(stream);
    drop(uplink);
    let takes = workstation.finish();
    let taken = &takes[&take];
    assert_eq!(taken.description.as_ref().unwrap().property(PropertyKey::NAME), "Lead");
    assert!(taken.description.as_ref().unwrap().started.0 > 0);
    let decoded = decode(taken);
    let frames = 400 * u64::from(BLOCK);
    assert!(same_bits(&decoded.samples[..frames as usize * 2], &expected(frames)));
    assert_eq!(decoded.midi.len(), 400);
    assert!(decoded.midi.iter().enumerate().all(|(n, (position, _))| *position == n as u64 * u64::from(BLOCK) + 7));
    assert_eq!(decoded.sysex.len(), 902);
    assert_eq!(decoded.names, ["Lead 2"]);
    assert!(decoded.gaps.is_empty());
    assert_eq!(decoded.blocks.iter().map(|block| u64::from(block.frames)).sum::<u64>(), frames + u64::from(BLOCK));
    let end = decoded.end.unwrap();
    assert_eq!((end.position.0, end.reason), (frames + u64::from(BLOCK), EndReason::Stopped));
}

#[test]
fn an_old_take_is_finished_while_the_next_one_runs() {
    let workstation = Workstation::start(0);
    let uplink = uplink();
    let stream = uplink.open(&workstation.address.to_string());
    let (mut first, first_take) = begin(&stream, SendMode::Live);
    play(&mut first, 50);
    first.finish(EndReason::Deactivated);
    let (mut second, second_take) = begin(&stream, SendMode::Live);
    play(&mut second, 30);
    second.begin(BLOCK, clock::now(), &Observed::default(), Wanted::Skipped(Pause::Bypassed));
    play(&mut second, 1);
    second.finish(EndReason::Deactivated);
    wait_until("durable", || {
        let report = stream.report();
        report.link == LinkState::Finished && report.older_takes == 0
    });
    drop((stream, uplink));
    let takes = workstation.finish();
    assert!(same_bits(&decode(&takes[&first_take]).samples, &expected(50 * u64::from(BLOCK))));
    let decoded = decode(&takes[&second_take]);
    assert_eq!(decoded.gaps.len(), 1);
    assert_eq!((decoded.gaps[0].position.0, decoded.gaps[0].reason), (30 * u64::from(BLOCK), GapReason::Bypassed));
    assert_eq!(decoded.end.unwrap().position.0, 32 * u64::from(BLOCK));
}

#[test]
fn an_activation_in_which_nothing_is_played_leaves_nothing() {
    let workstation = Workstation::start(0);
    let uplink = uplink();
    let stream = uplink.open(&workstation.address.to_string());
    let (silent, silent_take) = begin(&stream, SendMode::Live);
    drop(silent);
    let (mut audio, take) = begin(&stream, SendMode::Live);
    play(&mut audio, 3);
    drop(audio);
    wait_until("durable", || stream.report().link == LinkState::Finished);
    drop((stream, uplink));
    let takes = workstation.finish();
    assert!(takes.contains_key(&take) && !takes.contains_key(&silent_take));
}

#[test]
fn what_was_played_without_a_receiver_is_sent_when_the_address_is_mended() {
    let nobody = UdpSocket::bind("127.0.0.1:0").unwrap();
    let workstation = Workstation::start(0);
    let uplink = uplink();
    let stream = uplink.open(&nobody.local_addr().unwrap().to_string());
    let (mut audio, take) = begin(&stream, SendMode::Live);
    play(&mut audio, 40);
    wait_until("asking", || stream.report().link == LinkState::Connecting && stream.report().owed > 0);
    stream.set_address(&workstation.address.to_string());
    play(&mut audio, 10);
    drop(audio);
    wait_until("durable", || stream.report().link == LinkState::Finished);
    drop((stream, uplink));
    let takes = workstation.finish();
    assert!(same_bits(&decode(&takes[&take]).samples, &expected(50 * u64::from(BLOCK))));
}

#[test]
fn a_host_that_closes_without_a_receiver_is_not_kept_waiting() {
    let nobody = UdpSocket::bind("127.0.0.1:0").unwrap();
    let uplink = uplink();
    let stream = uplink.open(&nobody.local_addr().unwrap().to_string());
    let (mut audio, _) = begin(&stream, SendMode::Live);
    play(&mut audio, 40);
    let start = Instant::now();
    drop((audio, stream, uplink));
    assert!(start.elapsed() < Duration::from_secs(4), "{:?}", start.elapsed());
}

#[test]
fn a_test_of_an_address_tells_whether_a_receiver_answers() {
    let workstation = Workstation::start(0);
    let nobody = UdpSocket::bind("127.0.0.1:0").unwrap();
    let uplink = uplink();
    let good = uplink.test(&workstation.address.to_string());
    let silent = uplink.test(&nobody.local_addr().unwrap().to_string());
    let bad = uplink.test("no address at all");
    wait_until("answered", || [&good, &silent, &bad].iter().all(|outcome| *outcome.lock() != Tested::Waiting));
    assert!(matches!(*good.lock(), Tested::Answered { keyed: false, .. }));
    assert!(matches!(*silent.lock(), Tested::Silent { .. }));
    assert!(matches!(*bad.lock(), Tested::Failed(_)));
    drop(uplink);
    assert!(workstation.finish().is_empty(), "a test leaves no take");
}
