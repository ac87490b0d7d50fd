//! A day of recording in little time: streams of 1,000 samples per second, sent as fast as they are taken. Files are closed every ten
//! minutes of music; the receiver's memory and its open files stay as they are.
//!
//! Two hours in CI, a day with `SEND_LEARN_LONG=1`.

mod common;
#[path = "common/faults.rs"]
mod faults;

use std::time::Instant;

use common::*;
use send_learn::take::{State, Take, folders};

const STREAMS: usize = 2;

/// Blocks of 512 frames in an hour at 1,000 samples per second.
const HOUR: u64 = 3_600 * 1_000 / 512;

/// Resident memory in MB, and open files, of a process.
fn usage(process: u32) -> (u64, usize) {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    let kilobytes: u64 = line.split_whitespace().next().unwrap().parse().unwrap();
    (kilobytes / 1_000, std::fs::read_dir(format!("/proc/{process}/fd")).unwrap().count())
}

#[test]
fn memory_and_open_files_are_the_same_in_the_evening_as_in_the_morning() {
    if !cfg!(target_os = "linux") {
        return println!("skipped: memory and open files are read from Linux's /proc");
    }
    let hours = if faults::long() { 24 } else { 2 };
    let data = tempfile::tempdir().unwrap();
    let server = Server::start_command(serve(data.path(), "127.0.0.1:0").args(["--log", "warn"]));
    let begin = Instant::now();
    let mut players: Vec<Player> =
        (0..STREAMS).map(|number| Player::at_rate(server.address, &format!("Track {number}"), 1, 1_000.0)).collect();
    let mut seen = Vec::new();
    for hour in 1..=hours {
        while players.iter().any(|player| player.position < hour * HOUR * 512) {
            for player in &mut players {
                while player.position < hour * HOUR * 512 && player.sender.has_room() {
                    player.block();
                }
                player.turn();
            }
            assert!(begin.elapsed() < PATIENCE * 40, "the receiver does not take the streams: {:?}", players[0].sender.stats());
        }
        players.iter_mut().for_each(Player::turn_until_durable);
        seen.push(usage(server.id()));
        println!(
            "after {hour} h: {} MB, {} open files, {:.0} s",
            seen[seen.len() - 1].0,
            seen[seen.len() - 1].1,
            begin.elapsed().as_secs_f64()
        );
    }
    let (first, last) = (seen[0], seen[seen.len() - 1]);
    // What viewers may be told of the last 30 s fills up to its limit, here long after the first hour.
    assert!(last.0 < first.0 + 48, "memory grows: {seen:?}");
    assert!(last.1 <= first.1 + 2, "open files grow: {seen:?}");

    players.iter_mut().for_each(Player::finish);
    let deadline = Instant::now() + 2 * PATIENCE;
    while folders(data.path()).unwrap().iter().any(|folder| Take::load(folder).unwrap().state != State::Complete) {
        assert!(Instant::now() < deadline, "not all takes are complete");
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    for folder in folders(data.path()).unwrap() {
        let take = Take::load(&folder).unwrap();
        assert!(take.parts.len() as u64 >= hours * 6 - 1, "{} files", take.parts.len());
        let ends =
            [&take.parts[0], &take.parts[take.parts.len() - 1]].map(|part| assert_holds_what_was_played(&folder.join(&part.file)));
        assert_eq!(ends[1], hours * HOUR * 512);
    }
}
