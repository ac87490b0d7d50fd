//! A disk that is full, slow, failing, or cannot be written, under real senders: recording pauses and goes on by itself, and nothing is
//! lost.
//!
//! The disk is a tmpfs of 64 MiB in a mount namespace of the receiver's own.

mod common;
#[path = "common/faults.rs"]
mod faults;

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use common::*;
use faults::{Fault, below, shim};
use send_learn::disk::{DiskState, free};
use send_learn::status::Status;
use send_learn_protocol::packet::feedback::Storage;
use send_learn_protocol::sender::SenderState;

/// Whether this system lets the test mount; else says why not.
fn can_mount() -> bool {
    let output = Command::new("unshare").args(["--mount", "--map-root-user", "sh", "-c", "mount -t tmpfs none /mnt"]).output();
    let can = output.is_ok_and(|output| output.status.success());
    if !can {
        println!("skipped: this system does not let the test mount a file system of its own (unshare --mount)");
    }
    can
}

/// `serve` with `options` in a mount namespace, in which `mount` was run before.
fn serve_after(mount: &str, data: &Path, options: &str) -> Command {
    let script = format!(
        "{mount} && exec {} serve --listen 127.0.0.1:0 --data {} {options}",
        env!("CARGO_BIN_EXE_send-learn"),
        data.display()
    );
    let mut command = Command::new("unshare");
    command.args(["--mount", "--map-root-user", "sh", "-c", &script]).env("SEND_LEARN_CONFIG", "/dev/null");
    command
}

/// A receiver on a disk of 64 MiB, and the disk.
struct Small {
    server: Server,
    /// The data folder, as seen from outside of the receiver's namespace.
    data: PathBuf,
    _mounted_on: tempfile::TempDir,
}

impl Small {
    fn start(options: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mount = format!("mount -t tmpfs -o size=64m none {}", folder.path().display());
        let server = Server::start_command(&mut serve_after(&mount, folder.path(), options));
        let data = PathBuf::from(format!("/proc/{}/root", server.id())).join(folder.path().strip_prefix("/").unwrap());
        Self { server, data, _mounted_on: folder }
    }

    fn free(&self) -> u64 {
        free(&self.data).unwrap()
    }

    /// Something else fills the disk until only `left` bytes are free.
    fn fill(&self, left: u64) {
        let file = File::create(self.data.join("something-else")).unwrap();
        let bytes = vec![1; 64 << 10];
        let mut at = 0;
        while self.free() > left {
            let wanted = (self.free() - left).min(bytes.len() as u64) as usize;
            match file.write_at(&bytes[..wanted], at) {
                Ok(written) => at += written as u64,
                Err(_) => return,
            }
        }
    }

    fn make_room(&self) {
        std::fs::remove_file(self.data.join("something-else")).unwrap();
    }
}

/// Plays until the receiver's status is as wanted, about as fast as music is played.
fn play_until(players: &mut [Player], data: &Path, what: &str, wanted: impl Fn(&Status) -> bool) -> Status {
    let deadline = Instant::now() + PATIENCE;
    loop {
        for _ in 0..10 {
            for player in players.iter_mut() {
                if player.sender.has_room() {
                    player.block();
                }
                player.turn();
            }
        }
        let status = status(data);
        if wanted(&status) {
            return status;
        }
        assert!(Instant::now() < deadline, "{what}: {status:?}");
    }
}

fn state(status: &Status) -> DiskState {
    status.disk.state
}

/// The disk is filled while two streams play, stays full while they go on, and is freed.
fn fills_and_is_freed(options: &str, left: u64) {
    let small = Small::start(options);
    let mut players = [Player::new(small.server.address, "One", 2), Player::new(small.server.address, "Two", 1)];
    play_until(&mut players, &small.data, "it records", |status| status.streams.len() == 2 && state(status) != DiskState::Paused);
    small.fill(40 << 20);
    play_until(&mut players, &small.data, "it warns", |status| state(status) == DiskState::Low);
    small.fill(left);
    play_until(&mut players, &small.data, "it pauses", |status| state(status) == DiskState::Paused && !status.disk.why.is_empty());
    let words = command(&["status", "--data", small.data.to_str().unwrap()]);
    assert!(text(&words).contains("RECORDING IS PAUSED"), "{}", text(&words));

    // It goes on as a person plays; nothing of it becomes durable, nothing is lost, and nobody is turned away.
    let before: Vec<u64> = players.iter().map(|player| player.sender.stats().durable.0).collect();
    let begin = Instant::now();
    play_until(&mut players, &small.data, "it stays paused", |status| {
        assert_eq!(state(status), DiskState::Paused);
        begin.elapsed() > Duration::from_secs(3)
    });
    let after: Vec<u64> = players.iter().map(|player| player.sender.stats().durable.0).collect();
    assert_eq!(before, after);
    assert!(players.iter().all(|player| player.sender.state() == SenderState::Connected), "{:?}", players[0].sender.state());
    // Senders know why, so that the plugin's window can say it.
    assert!(players.iter().all(|player| player.sender.stats().storage == Storage::Full), "{:?}", players[0].sender.stats());
    // A stream that comes now is refused for want of room, and taken as soon as there is some.
    let mut late = Player::new(small.server.address, "Late", 1);
    late.block();
    late.turn();

    small.make_room();
    play_until(&mut players, &small.data, "it goes on by itself", |status| state(status) != DiskState::Paused);
    late.turn_until_durable();
    play_until(&mut players, &small.data, "the senders hear of it", |_| true);
    assert!(players.iter().all(|player| player.sender.stats().storage == Storage::Good), "{:?}", players[0].sender.stats());
    for player in players.iter_mut().chain([&mut late]) {
        player.finish();
    }
    let deadline = Instant::now() + PATIENCE;
    let complete = || {
        let folders = send_learn::take::folders(&small.data).unwrap();
        folders
            .iter()
            .filter(|folder| send_learn::take::Take::load(folder).unwrap().state == send_learn::take::State::Complete)
            .count()
    };
    while complete() < 3 {
        assert!(Instant::now() < deadline, "{} takes are complete", complete());
        std::thread::sleep(Duration::from_millis(50));
    }
    let mut ends = Vec::new();
    for folder in send_learn::take::folders(&small.data).unwrap() {
        let take = send_learn::take::Take::load(&folder).unwrap();
        ends.extend(take.parts.iter().map(|part| assert_holds_what_was_played(&folder.join(&part.file))));
    }
    ends.sort_unstable();
    let mut played = [players[0].position, players[1].position, late.position];
    played.sort_unstable();
    assert_eq!(ends, played);
}

#[test]
fn recording_pauses_on_a_full_disk_and_goes_on_when_there_is_room() {
    if can_mount() {
        fills_and_is_freed("--reserve 8 --low-space 0.055", 4 << 20);
    }
}

#[test]
fn a_disk_that_is_full_to_the_last_byte_loses_nothing_either() {
    if can_mount() {
        // Without a reserve, writes of journal and HDF5 fail in the middle.
        fills_and_is_freed("--reserve 0 --low-space 0.055", 0);
    }
}

#[test]
fn a_mount_that_is_read_only_is_said_in_words_with_what_to_do() {
    if !can_mount() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let mount = format!("mount -t tmpfs -o ro none {}", folder.path().display());
    let output = serve_after(&mount, folder.path(), "").output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", text(&output));
    assert!(text(&output).contains("Read-only file system") && text(&output).contains("--data"), "{}", text(&output));
}

#[test]
fn a_disk_that_fails_for_a_while_under_a_running_receiver_costs_nothing() {
    let tools = tempfile::tempdir().unwrap();
    let Some(shim) = shim(tools.path()) else { return };
    // From the middle of the recording on, for some of its calls, and of the tries whether it is well again.
    for (kind, at) in [("eio", 150), ("enospc", 400)] {
        let data = tempfile::tempdir().unwrap();
        let mut command = serve(data.path(), "127.0.0.1:0");
        below(&mut command, &shim, data.path(), Some(Fault { kind, at, lasts: 12 }));
        let server = Server::start_command(command.args(["--rotate", "0.02"]));
        let mut players = [Player::new(server.address, "One", 2), Player::new(server.address, "Two", 2)];
        let begin = Instant::now();
        play_until(&mut players, data.path(), "it plays", |_| begin.elapsed() > Duration::from_secs(4));
        players.iter_mut().for_each(Player::finish);
        let deadline = Instant::now() + 2 * PATIENCE;
        while send_learn::take::folders(data.path()).unwrap().iter().any(|folder| !folder.join("take.json").exists())
            || send_learn::take::folders(data.path())
                .unwrap()
                .iter()
                .any(|folder| send_learn::take::Take::load(folder).unwrap().state != send_learn::take::State::Complete)
        {
            assert!(Instant::now() < deadline, "{kind}: not all takes are complete");
            std::thread::sleep(Duration::from_millis(50));
        }
        let verified = command_in(data.path());
        assert!(verified.status.success(), "{kind}: {}", text(&verified));
    }
}

fn command_in(data: &Path) -> std::process::Output {
    command(&["verify", data.to_str().unwrap()])
}

#[test]
fn a_slow_disk_makes_durable_lag_and_holds_up_neither_senders_nor_the_network() {
    let tools = tempfile::tempdir().unwrap();
    let Some(shim) = shim(tools.path()) else { return };
    let data = tempfile::tempdir().unwrap();
    let mut command = serve(data.path(), "127.0.0.1:0");
    below(&mut command, &shim, data.path(), Some(Fault { kind: "slow", at: 0, lasts: 0 }));
    // Each sync takes 0.7 s: with two streams a sender hears once in 1.4 s that something is durable.
    let server = Server::start_command(command.env("FAULT_MS", "700").stderr(Stdio::inherit()));
    let mut players = [Player::new(server.address, "One", 2), Player::new(server.address, "Two", 2)];
    let (begin, mut most) = (Instant::now(), 0_f64);
    while begin.elapsed() < Duration::from_secs(6) {
        for player in &mut players {
            let due = (begin.elapsed().as_secs_f64() * 48_000.0) as u64;
            while player.position < due && player.sender.has_room() {
                player.block();
            }
            player.turn();
        }
        let asked = Instant::now();
        let status = status(data.path());
        assert!(asked.elapsed() < Duration::from_secs(2), "the network side does not wait for the disk");
        most = status.streams.iter().fold(most, |most, stream| most.max(stream.not_yet_durable));
        assert_eq!(status.totals.refused_entries, 0);
        for stream in status.streams.iter().filter(|stream| stream.recorded > 1.0) {
            assert!(stream.owed < 200, "{stream:?}");
        }
    }
    assert!(most > 0.4, "durable does not lag: {most}");
    players.iter_mut().for_each(Player::finish);
}
