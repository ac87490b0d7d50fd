//! The receiver with a key: who may send, who may watch, and the commands around it.

mod common;

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Stdio;
use std::time::Instant;

use common::*;
use send_learn_protocol::packet::hello::Refusal;
use send_learn_protocol::secure::Key;
use send_learn_protocol::sender::SenderState;
use send_learn_protocol::tap::{Frame, FrameReader, TapError};
use serde_json::Value;

/// A key in a file of its own, and a receiver that uses it.
fn keyed(folder: &Path) -> (Key, Server) {
    let (key, file) = (send_learn_key::new().unwrap(), folder.join("key"));
    send_learn_key::save(&file, &key).unwrap();
    (key, Server::start_with(&folder.join("data"), "127.0.0.1:0", &["--key-file", file.to_str().unwrap()]))
}

fn other() -> Key {
    send_learn_key::new().unwrap()
}

/// How many datagrams were not taken for this reason.
fn rejected(folder: &Path, why: &str) -> u64 {
    let output = command(&["status", "--json", "--data", folder.join("data").to_str().unwrap()]);
    let status: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", text(&output)));
    assert_eq!(status["encrypted"], Value::Bool(true));
    status["rejected"][why].as_u64().unwrap_or_else(|| panic!("{status}"))
}

#[test]
fn with_the_key_a_stream_is_recorded_and_without_it_or_with_another_nothing_is() {
    let folder = tempfile::tempdir().unwrap();
    let (key, server) = keyed(folder.path());
    for (wrong, reason, name) in [(None, Refusal::KeyNeeded, "key_needed"), (Some(other()), Refusal::WrongKey, "wrong_key")] {
        let mut stranger = Player::with_key(server.address, "Stranger", 2, wrong);
        stranger.block();
        stranger.turn_until(|player| player.sender.state() == SenderState::Refused(reason));
        // The status is at most half a second old.
        let asked = Instant::now();
        while rejected(folder.path(), name) == 0 {
            assert!(asked.elapsed() < PATIENCE, "{name} is not counted");
            stranger.turn();
        }
    }
    assert!(send_learn::take::folders(&folder.path().join("data")).unwrap().is_empty());
    let mut player = Player::with_key(server.address, "Member", 2, Some(key));
    player.loss = 5;
    player.play(200);
    player.finish();
    assert_eq!(assert_holds_what_was_played(&complete_parts(&folder.path().join("data"))[0]), 200 * 512);
}

#[test]
fn a_receiver_that_is_killed_and_started_again_goes_on_with_the_same_key() {
    let folder = tempfile::tempdir().unwrap();
    let (key, server) = keyed(folder.path());
    let mut player = Player::with_key(server.address, "Member", 2, Some(key));
    player.play(100);
    let listen = server.address.to_string();
    server.kill();
    // What is played meanwhile waits.
    (0..10).for_each(|_| player.block());
    let file = folder.path().join("key");
    let _server = Server::start_with(&folder.path().join("data"), &listen, &["--key-file", file.to_str().unwrap()]);
    player.play(100);
    player.finish();
    assert_eq!(assert_holds_what_was_played(&complete_parts(&folder.path().join("data"))[0]), 210 * 512);
}

/// Reads frames until one is a stream that begins; gives its name.
fn watch(to: SocketAddr, mut reader: FrameReader) -> Result<String, TapError> {
    let mut stream = TcpStream::connect(to).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    loop {
        stream.write_all(&reader.to_send()).unwrap();
        let mut bytes = [0; 4_096];
        let len = stream.read(&mut bytes).unwrap();
        assert!(len > 0, "closed without a word");
        reader.push(&bytes[..len]);
        while let Some(frame) = reader.next_frame()? {
            if let Frame::StreamUp { description, .. } = frame {
                return Ok(description.property(send_learn_protocol::packet::hello::PropertyKey::NAME).to_owned());
            }
        }
    }
}

#[test]
fn who_has_the_key_may_watch_and_others_are_told_why_not() {
    let folder = tempfile::tempdir().unwrap();
    let (key, server) = keyed(folder.path());
    let mut player = Player::with_key(server.address, "Member", 2, Some(key));
    player.play(20);
    player.turn_until_durable();
    let with = |key: Key| FrameReader::keyed(key.psk(), send_learn_key::random().unwrap());
    assert_eq!(watch(server.address, with(key)), Ok("Member".to_owned()));
    assert_eq!(watch(server.address, with(other())), Err(TapError::WrongKey));
    assert_eq!(watch(server.address, FrameReader::default()), Err(TapError::KeyNeeded));
    let open = Server::start(&folder.path().join("open"), "127.0.0.1:0");
    assert_eq!(watch(open.address, with(key)), Err(TapError::NoKey));
}

#[test]
fn what_is_overheard_and_sent_again_does_no_harm() {
    let folder = tempfile::tempdir().unwrap();
    let (key, server) = keyed(folder.path());
    // Between sender and receiver, somebody who keeps and repeats everything, from the sender's own address.
    let middle = UdpSocket::bind("127.0.0.1:0").unwrap();
    let to_receiver = UdpSocket::bind("127.0.0.1:0").unwrap();
    to_receiver.connect(server.address).unwrap();
    let address = middle.local_addr().unwrap();
    let (back_out, back_in) = (middle.try_clone().unwrap(), to_receiver.try_clone().unwrap());
    let sender_at = std::sync::Arc::new(std::sync::OnceLock::new());
    let known = sender_at.clone();
    let up = move || {
        let (mut buffer, mut kept) = ([0; 2_048], Vec::<Vec<u8>>::new());
        while let Ok((len, from)) = middle.recv_from(&mut buffer) {
            known.get_or_init(|| from);
            let _ = to_receiver.send(&buffer[..len]);
            kept.push(buffer[..len].to_vec());
            for again in [0, kept.len() / 2, kept.len() - 1] {
                let _ = to_receiver.send(&kept[again]);
            }
        }
    };
    let down = move || {
        let mut buffer = [0; 2_048];
        while let Ok(len) = back_in.recv(&mut buffer) {
            for _ in 0..2 {
                let _ = back_out.send_to(&buffer[..len], sender_at.get().unwrap());
            }
        }
    };
    std::thread::Builder::new().name("up".into()).spawn(up).unwrap();
    std::thread::Builder::new().name("down".into()).spawn(down).unwrap();
    let mut player = Player::with_key(address, "Member", 2, Some(key));
    player.play(150);
    player.finish();
    let data = folder.path().join("data");
    assert_eq!(assert_holds_what_was_played(&complete_parts(&data)[0]), 150 * 512);
}

#[test]
fn an_address_beyond_the_machine_needs_a_key_and_the_command_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let data = data.to_str().unwrap();
    let output = command(&["serve", "--listen", "0.0.0.0:0", "--data", data]);
    assert!(!output.status.success());
    assert!(text(&output).contains("\n    send-learn key\n") && text(&output).contains("--open"), "{}", text(&output));
    let file = folder.path().join("key");
    let file = file.to_str().unwrap();
    let output = command(&["serve", "--listen", "127.0.0.1:0", "--data", data, "--key-file", file]);
    assert!(text(&output).contains(&format!("send-learn key --file {file}")), "{}", text(&output));
    assert!(command(&["key", "--file", file]).status.success());
    drop(Server::start_with(folder.path(), "0.0.0.0:0", &["--key-file", file, "--no-announce"]));
    // The settings' file can say it, too: where it lies beside it.
    let settings = folder.path().join("receiver.toml");
    fs::write(&settings, "key-file = \"other\"\n").unwrap();
    let output = command(&["serve", "--listen", "127.0.0.1:0", "--data", data, "--config", settings.to_str().unwrap()]);
    let other = folder.path().join("other");
    assert!(text(&output).contains(&format!("there is no key in {}", other.display())), "{}", text(&output));
    fs::set_permissions(file, fs::Permissions::from_mode(0o644)).unwrap();
    let output = command(&["serve", "--listen", "127.0.0.1:0", "--data", data, "--key-file", file]);
    assert!(!output.status.success() && text(&output).contains("chmod 600"), "{}", text(&output));
}

#[test]
fn a_key_is_made_shown_replaced_and_entered() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("there/key");
    let file = file.to_str().unwrap();
    let shown = |options: &[&str]| {
        let output = command(&[&["key", "--file", file], options].concat());
        assert!(output.status.success(), "{}", text(&output));
        String::from_utf8(output.stdout).unwrap().trim().parse::<Key>().unwrap()
    };
    let made = shown(&[]);
    assert_eq!(shown(&[]), made);
    assert_eq!(fs::metadata(file).unwrap().permissions().mode() & 0o777, 0o600);
    assert!(shown(&["--new"]) != made);
    let enter = |typed: &str| {
        let mut child = program()
            .args(["key", "--set", "--file", file])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(typed.as_bytes()).unwrap();
        child.wait_with_output().unwrap()
    };
    let typed = made.to_string().to_lowercase().replace('-', " ");
    assert!(enter(&typed).status.success());
    assert_eq!(shown(&[]), made);
    let wrong = enter(&typed[1..]);
    assert!(!wrong.status.success() && text(&wrong).contains("20 letters and digits"), "{}", text(&wrong));
    assert_eq!(shown(&[]), made, "what is no key changes nothing");
}
