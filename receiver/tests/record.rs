//! The receiver as a process, fed by a real sender over loopback.

mod common;

use common::*;
use send_learn::store::Recording;

#[test]
fn a_take_is_recorded_bit_for_bit_and_closed() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path(), "127.0.0.1:0");
    let mut player = Player::new(server.address, "Bass guitar", 2);
    player.play(400);
    player.finish();
    let parts = complete_parts(data.path());
    assert_eq!(parts.len(), 1);
    assert!(parts[0].file_name().unwrap() == "Bass-guitar-0001.h5");
    assert_eq!(assert_holds_what_was_played(&parts[0]), 400 * 512);
    let summary = Recording::open(&parts[0]).unwrap().summary;
    assert_eq!((summary.name.as_str(), summary.end_reason.as_str()), ("Bass guitar", "stopped"));
    let left: Vec<_> = std::fs::read_dir(parts[0].parent().unwrap()).unwrap().map(|item| item.unwrap().file_name()).collect();
    assert_eq!(left.len(), 2, "only the recording and take.json are left: {left:?}");
    server.stop();
    for arguments in [vec!["verify"], vec!["info"], vec!["info", "--json"], vec!["list", "--data"]] {
        let output = command(&[&arguments[..], &[data.path().to_str().unwrap()]].concat());
        assert!(output.status.success(), "{arguments:?}: {}", text(&output));
        assert!(text(&output).contains("Bass"), "{arguments:?}: {}", text(&output));
    }
}

#[test]
fn streams_without_audio_and_with_many_channels_are_recorded() {
    for channels in [0, 1, 6] {
        let data = tempfile::tempdir().unwrap();
        let server = Server::start(data.path(), "127.0.0.1:0");
        let mut player = Player::new(server.address, "", channels);
        player.play(40);
        player.finish();
        let parts = complete_parts(data.path());
        assert_eq!(assert_holds_what_was_played(&parts[0]), 40 * 512, "{channels} channels");
    }
}

#[test]
fn a_receiver_that_is_killed_and_started_again_ends_with_a_complete_recording() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path(), "127.0.0.1:0");
    let address = server.address;
    let mut player = Player::new(address, "Strings", 2);
    player.play(300);
    player.turn_until(|player| player.sender.stats().durable.0 > 200);
    server.kill();
    player.play(20);
    let server = Server::start(data.path(), &address.to_string());
    player.play(200);
    server.kill();
    let _server = Server::start(data.path(), &address.to_string());
    player.play(100);
    player.finish();
    let parts = complete_parts(data.path());
    assert_eq!(parts.len(), 1);
    assert_eq!(assert_holds_what_was_played(&parts[0]), 620 * 512);
}

#[test]
fn a_receiver_that_is_stopped_closes_the_part_and_goes_on_in_the_next() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path(), "127.0.0.1:0");
    let address = server.address;
    let mut player = Player::new(address, "Keys", 2);
    player.play(200);
    player.turn_until_durable();
    server.stop();
    let first = parts(data.path());
    assert_eq!(first.len(), 1);
    assert_eq!(assert_holds_what_was_played(&first[0]), 200 * 512);
    assert_eq!(Recording::open(&first[0]).unwrap().summary.end_reason, "interrupted");
    let _server = Server::start(data.path(), &address.to_string());
    player.play(100);
    player.finish();
    let parts = complete_parts(data.path());
    assert_eq!(parts.len(), 2);
    assert_eq!(Recording::open(&parts[1]).unwrap().summary.first_sample, 200 * 512);
    assert_eq!(assert_holds_what_was_played(&parts[1]), 300 * 512);
}

#[test]
fn a_take_over_a_bad_network_is_complete_and_says_how_its_blocks_came() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path(), "127.0.0.1:0");
    let mut player = Player::new(server.address, "Lossy", 2);
    player.loss = 8;
    player.play(600);
    player.finish();
    let part = complete_parts(data.path()).remove(0);
    assert_eq!(assert_holds_what_was_played(&part), 600 * 512);
    let counts = Recording::open(&part).unwrap().counts().unwrap();
    // On so short a way what is lost is sent again before parity could bring it.
    let mended = counts.repaired + counts.resent;
    assert!(mended > 0 && counts.live > mended, "{counts:?}");
}
