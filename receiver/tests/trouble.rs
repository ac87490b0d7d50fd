//! What goes wrong on a person's machine: each has a clear message, and nothing is lost.

mod common;

use std::net::{TcpListener, UdpSocket};
use std::os::unix::fs::PermissionsExt;

use common::*;
use send_learn::take::State;

fn serve(listen: &str, data: &str) -> std::process::Output {
    command(&["serve", "--listen", listen, "--data", data])
}

#[test]
fn an_address_that_others_can_reach_needs_to_be_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let output = serve("0.0.0.0:0", data.to_str().unwrap());
    assert!(!output.status.success());
    assert!(text(&output).contains("--open"), "{}", text(&output));
    assert!(!data.exists(), "nothing was begun");
}

#[test]
fn a_port_in_use_is_said_in_words_with_what_to_do() {
    let data = tempfile::tempdir().unwrap();
    let taken = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let output = serve(&address, data.path().to_str().unwrap());
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output).contains(&address) && text(&output).contains("--listen"), "{}", text(&output));

    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let output = serve(&taken.local_addr().unwrap().to_string(), data.path().to_str().unwrap());
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output).contains("TCP"), "{}", text(&output));
}

#[test]
fn a_folder_that_cannot_be_written_is_said_in_words_with_what_to_do() {
    let data = tempfile::tempdir().unwrap();
    // A file where the folder should be: refused to everybody, root too.
    let file = data.path().join("file");
    std::fs::write(&file, "x").unwrap();
    let output = serve("127.0.0.1:0", file.to_str().unwrap());
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output).contains("--data") && text(&output).contains("file"), "{}", text(&output));

    let locked = data.path().join("locked");
    std::fs::create_dir(&locked).unwrap();
    std::fs::set_permissions(&locked, std::fs::Permissions::from_mode(0o500)).unwrap();
    if std::fs::write(locked.join("probe"), "x").is_err() {
        let output = serve("127.0.0.1:0", locked.to_str().unwrap());
        assert_eq!(output.status.code(), Some(1));
        assert!(text(&output).contains("--data"), "{}", text(&output));
    }
}

#[test]
fn two_receivers_do_not_share_a_folder() {
    let data = tempfile::tempdir().unwrap();
    let _server = Server::start(data.path(), "127.0.0.1:0");
    let output = serve("127.0.0.1:0", data.path().to_str().unwrap());
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output).contains("another receiver records to"), "{}", text(&output));
}

#[test]
fn noise_on_the_port_does_no_harm() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path(), "127.0.0.1:0");
    let mut player = Player::new(server.address, "Noise", 2);
    let noise = UdpSocket::bind("127.0.0.1:0").unwrap();
    let mut state = 1_u32;
    for _ in 0..40 {
        player.play(2);
        for len in [0_usize, 1, 39, 40, 1_200, 1_500, 9_000] {
            let mut datagram = vec![0; len];
            for byte in &mut datagram {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                *byte = (state >> 24) as u8;
            }
            noise.send_to(&datagram, server.address).unwrap();
            if len > 5 {
                datagram[..5].copy_from_slice(b"SLRN\x01");
                noise.send_to(&datagram, server.address).unwrap();
            }
        }
    }
    player.finish();
    assert_eq!(assert_holds_what_was_played(&complete_parts(data.path())[0]), 80 * 512);
}

#[test]
fn a_recording_that_is_cut_off_or_damaged_fails_its_check_with_a_message() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path(), "127.0.0.1:0");
    let mut player = Player::new(server.address, "Cut", 2);
    player.play(100);
    player.finish();
    let part = complete_parts(data.path()).remove(0);
    let whole = std::fs::read(&part).unwrap();
    let copy = data.path().join("copy.h5");
    let copy_text = copy.to_str().unwrap();
    for cut in [0, 1, 100, 2_000, whole.len() / 2, whole.len() - 1] {
        std::fs::write(&copy, &whole[..cut]).unwrap();
        for what in ["verify", "info"] {
            let output = command(&[what, copy_text]);
            assert_eq!(output.status.code(), Some(1), "{what} of a file cut at {cut}: {}", text(&output));
            assert!(text(&output).contains("copy.h5"), "{}", text(&output));
        }
    }
    // A changed sample: in the middle of the file is compressed audio.
    let mut changed = whole.clone();
    let middle = whole.len() / 2;
    changed[middle..middle + 16].iter_mut().for_each(|byte| *byte ^= 0x55);
    std::fs::write(&copy, &changed).unwrap();
    let output = command(&["verify", copy_text]);
    assert_eq!(output.status.code(), Some(1), "{}", text(&output));
    assert_eq!(command(&["verify", data.path().join("no such file").to_str().unwrap()]).status.code(), Some(1));
}

#[test]
fn a_take_whose_sender_never_comes_back_is_closed_as_interrupted() {
    use send_learn::server::{Config, Server};
    let data = tempfile::tempdir().unwrap();
    let mut config = Config::new("127.0.0.1:0".parse().unwrap(), data.path().to_owned());
    config.tunable.absence = std::time::Duration::from_millis(300);
    let killed = common::Server::start(data.path(), "127.0.0.1:0");
    let mut player = Player::new(killed.address, "Away", 2);
    player.play(60);
    player.turn_until_durable();
    killed.kill();

    // The next life waits for the sender as long as it is told to, then closes what there is.
    let server = Server::bind(&config).unwrap();
    let (stop, address) = (server.stopper(), server.address());
    let thread = std::thread::Builder::new().name("server".into()).spawn(move || server.run()).unwrap();
    wait_for_state(data.path(), State::Interrupted);
    assert_eq!(assert_holds_what_was_played(&parts(data.path())[0]), 60 * 512);

    // It comes back after all: the take goes on in a second part.
    player.turn_to(address);
    player.play(40);
    player.finish();
    let parts = complete_parts(data.path());
    assert_eq!(parts.len(), 2);
    assert_eq!(assert_holds_what_was_played(&parts[1]), 100 * 512);
    stop.stop();
    thread.join().unwrap().unwrap();
}
