//! What other programs ask of a running receiver.

mod common;

use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use common::*;
use send_learn::status::Status;
use send_learn::take::{Take, folders};

#[test]
fn a_running_receiver_says_what_it_does_begins_other_files_and_ends_when_asked() {
    let data = tempfile::tempdir().unwrap();
    let folder = data.path().to_str().unwrap();
    let nobody = command(&["status", "--data", folder]);
    assert!(!nobody.status.success() && text(&nobody).contains("no receiver is recording to"), "{}", text(&nobody));

    let server = Server::start(data.path(), "127.0.0.1:0");
    let mut player = Player::new(server.address, "Lead vox", 2);
    player.play(200);
    player.turn_until_durable();
    let deadline = Instant::now() + PATIENCE;
    let status = loop {
        let output = command(&["status", "--json", "--data", folder]);
        let status: Status = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", text(&output)));
        if status.streams.first().is_some_and(|stream| stream.recorded > 2.0) {
            break status;
        }
        assert!(Instant::now() < deadline, "{status:?}");
    };
    assert_eq!((status.address, status.data.as_path(), status.streams.len()), (Some(server.address), data.path(), 1));
    let stream = &status.streams[0];
    assert_eq!((stream.name.as_str(), stream.channels, stream.midi_events, stream.owed), ("Lead vox", 2, 200, 0));
    assert!(stream.rms.is_some_and(|rms| rms > 0.1), "{stream:?}");
    let table = text(&command(&["status", "--data", folder]));
    assert!(table.contains("Lead vox") && table.contains("recording"), "{table}");

    assert!(command(&["rotate", "--data", folder]).status.success());
    let take = folders(data.path()).unwrap().remove(0);
    while Take::load(&take).unwrap().parts.is_empty() {
        assert!(Instant::now() < deadline, "no part was closed");
        player.play(1);
        std::thread::sleep(Duration::from_millis(20));
    }
    player.play(100);
    player.finish();
    let parts = complete_parts(data.path());
    assert_eq!(parts.len(), 2);
    let ends: Vec<u64> = parts.iter().map(|part| assert_holds_what_was_played(part)).collect();
    assert!(ends[0] >= 200 * 512 && ends[1] == player.position);

    let stopped = command(&["stop", "--data", folder]);
    assert!(stopped.status.success(), "{}", text(&stopped));
    assert!(!command(&["status", "--data", folder]).status.success());
    drop(server);
}

#[test]
fn whoever_asks_nonsense_or_nothing_is_answered_or_left_and_others_are_heard() {
    let data = tempfile::tempdir().unwrap();
    let _server = Server::start(data.path(), "127.0.0.1:0");
    let socket = data.path().join(".send-learn.sock");
    assert_eq!(socket.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    let ask = |request: &[u8]| {
        let mut stream = UnixStream::connect(&socket).unwrap();
        // Of what is too long the rest is thrown away, and the connection with it: perhaps before all is written.
        let _ = stream.write_all(request);
        let mut line = String::new();
        let _ = BufReader::new(stream).read_line(&mut line);
        line
    };
    for nonsense in [&b"\n"[..], b"{}\n", b"{\"ask\":\"everything\"}\n", &[b'['; 1_024]] {
        assert!(ask(nonsense).contains("\"answer\":\"unknown\""), "{:?}", String::from_utf8_lossy(nonsense));
    }
    ask(&[0xFF; 100_000]);
    let _silent = UnixStream::connect(&socket).unwrap();
    let begin = Instant::now();
    assert!(ask(b"{\"ask\":\"status\"}\n").contains("\"streams\":[]"));
    assert!(begin.elapsed() < Duration::from_secs(20));
}
