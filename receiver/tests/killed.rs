//! kill -9 of the receiver at random moments, under 8 streams: while it records, rotates, closes, repairs. Whatever a sender was told is
//! durable is on disk afterwards, every finished file opens in h5py, and in the end every recording is complete and bit-exact.
//!
//! 20 moments in CI, 200 with `SEND_LEARN_LONG=1`.

mod common;
#[path = "common/faults.rs"]
mod faults;

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use common::*;
use rustix::process::Signal;
use send_learn::journal::{Follower, Frame, Position, segments};
use send_learn::ranges::RangeSet;
use send_learn::store::verify::verify;
use send_learn::take::{State, Take, folders};
use send_learn_protocol::units::SourceNumber;

const STREAMS: usize = 8;

/// A small generator, so that the moments of a failure are known.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % limit
    }

    fn millis(&mut self, limit: u64) -> Duration {
        Duration::from_millis(self.below(limit))
    }
}

/// A Python with h5py that opens the files that it is told.
struct H5py {
    child: Child,
    ask: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl H5py {
    fn start() -> Option<Self> {
        let Some(python) = std::env::var_os("SEND_LEARN_PYTHON") else {
            println!("skipped in part: SEND_LEARN_PYTHON names no Python with h5py");
            return None;
        };
        let script = "import sys, h5py\nfor line in sys.stdin:\n  try:\n    with h5py.File(line.rstrip('\\n'), locking=False) as file:\n      \
                      n = int(file.attrs['committed_frames'])\n      [file[name][:] for name in file if name != 'audio']\n      \
                      file['audio'][:n] if 'audio' in file else None\n    print('good', flush=True)\n  \
                      except Exception as error:\n    print(repr(error), flush=True)\n";
        let mut child = Command::new(python).args(["-c", script]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let (ask, answers) = (child.stdin.take().unwrap(), BufReader::new(child.stdout.take().unwrap()));
        Some(Self { child, ask, answers })
    }

    fn open(&mut self, path: &Path) -> Result<(), String> {
        writeln!(self.ask, "{}", path.display()).unwrap();
        let mut answer = String::new();
        self.answers.read_line(&mut answer).unwrap();
        if answer.trim() == "good" { Ok(()) } else { Err(answer) }
    }
}

impl Drop for H5py {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What of a take is on disk: in closed parts, and in whole frames of its journal.
fn held(folder: &Path, take: &Take) -> RangeSet {
    let mut held = RangeSet::below(SourceNumber(take.resume.entry));
    let Some(last) = segments(folder).unwrap().last().copied() else { return held };
    let mut follower = Follower::new(folder, take.take_id.parse().unwrap(), take.resume.segment);
    while let Some((frame, _)) = follower.next(Position { segment: last, offset: u64::MAX }).unwrap() {
        match frame {
            Frame::Entry { number, .. } => held.insert_one(number),
            Frame::Gone { gone, .. } => held.insert(gone.range),
        }
    }
    held
}

/// The files below `data` whose names end so.
fn files(data: &Path, end: &str) -> Vec<PathBuf> {
    let takes = folders(data).unwrap();
    let items = takes.iter().flat_map(|take| std::fs::read_dir(take).unwrap()).map(|item| item.unwrap().path());
    items.filter(|path| path.to_string_lossy().ends_with(end)).collect()
}

struct Trial {
    data: tempfile::TempDir,
    players: Vec<Player>,
    random: Random,
    python: Option<H5py>,
    checked: BTreeSet<PathBuf>,
    growing: (u64, u64),
}

impl Trial {
    /// Lets all players play for a while, each no more than some seconds of sound.
    fn play(&mut self, time: Duration) {
        let end = Instant::now() + time;
        let most = self.players[0].position + 512 * 150;
        while Instant::now() < end {
            for player in &mut self.players {
                if player.position < most && player.sender.has_room() {
                    (0..4).for_each(|_| player.block());
                }
                player.turn();
            }
        }
    }

    fn serve(&self, listen: &str) -> Command {
        let mut command = serve(self.data.path(), listen);
        // Files of 1.2 s, so that some are always being closed.
        command.args(["--rotate", "0.02", "--log", "error"]);
        command
    }

    /// What must hold whenever the receiver has died.
    fn check(&mut self, moment: usize) {
        let durable: Vec<(String, u64)> = self
            .players
            .iter()
            .map(|player| (player.sender.description().take.to_string(), player.sender.stats().durable.0))
            .collect();
        let takes: Vec<(PathBuf, Take)> =
            folders(self.data.path()).unwrap().into_iter().map(|folder| (folder.clone(), Take::load(&folder).unwrap())).collect();
        for (id, durable) in durable.iter().filter(|(_, durable)| *durable > 0) {
            let (folder, take) = takes.iter().find(|(_, take)| take.take_id == *id).expect("the take's folder");
            let held = held(folder, take).complete().0;
            assert!(
                held >= *durable,
                "moment {moment}: {durable} entries were called durable, {held} are on disk: {}",
                folder.display()
            );
            for part in take.parts.iter().map(|part| folder.join(&part.file)) {
                if self.checked.insert(part.clone()) {
                    let verdict = verify(&part).unwrap();
                    assert!(verdict.is_good() && verdict.finished, "moment {moment}: {}: {verdict:?}", part.display());
                    if let Some(python) = &mut self.python {
                        python.open(&part).unwrap_or_else(|error| panic!("moment {moment}: {}: {error}", part.display()));
                    }
                }
            }
        }
        // Files that were being written are made again whatever is in them; most can be read all the same.
        for part in files(self.data.path(), ".part") {
            if let Some(python) = &mut self.python {
                match python.open(&part) {
                    Ok(()) => self.growing.0 += 1,
                    Err(why) => {
                        println!(
                            "moment {moment}: a growing file of {} bytes: {why}",
                            part.metadata().map_or(0, |file| file.len())
                        );
                    }
                }
                self.growing.1 += 1;
            }
        }
    }
}

#[test]
fn everything_durable_survives_kill_9_at_any_moment() {
    let moments = if faults::long() { 200 } else { 20 };
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path(), "127.0.0.1:0");
    let address = server.address;
    drop(server);
    let players = (0..STREAMS).map(|number| Player::new(address, &format!("Track {number}"), 2)).collect();
    let (checked, growing) = (BTreeSet::new(), (0, 0));
    let mut trial = Trial { data, players, random: Random(moments as u64), python: H5py::start(), checked, growing };
    let listen = address.to_string();
    let begin = Instant::now();
    for moment in 0..moments {
        match moment % 5 {
            // In the middle of its repair: it has not said yet that it listens, or just has.
            3 => {
                let mut child = trial.serve(&listen).stdout(Stdio::null()).spawn().unwrap();
                std::thread::sleep(trial.random.millis(60));
                child.kill().unwrap();
                child.wait().unwrap();
            }
            // In the middle of its orderly end.
            4 => {
                let server = Server::start_command(&mut trial.serve(&listen));
                let time = trial.random.millis(400);
                trial.play(time);
                server.signal(Signal::TERM);
                std::thread::sleep(trial.random.millis(40));
                server.kill();
            }
            _ => {
                let server = Server::start_command(&mut trial.serve(&listen));
                let time = trial.random.millis(600);
                trial.play(time);
                server.kill();
            }
        }
        trial.check(moment);
    }
    let server = Server::start_command(&mut trial.serve(&listen));
    trial.play(Duration::from_millis(500));
    trial.players.iter_mut().for_each(Player::finish);
    let deadline = Instant::now() + 2 * PATIENCE;
    while folders(trial.data.path()).unwrap().iter().any(|folder| Take::load(folder).unwrap().state != State::Complete) {
        assert!(Instant::now() < deadline, "not all takes are complete");
        std::thread::sleep(Duration::from_millis(50));
    }
    server.stop();
    trial.check(moments);
    for player in &trial.players {
        let id = player.sender.description().take.to_string();
        let folder =
            folders(trial.data.path()).unwrap().into_iter().find(|folder| Take::load(folder).unwrap().take_id == id).unwrap();
        let take = Take::load(&folder).unwrap();
        let ends = take.parts.iter().map(|part| assert_holds_what_was_played(&folder.join(&part.file))).max();
        assert_eq!(ends, Some(player.position));
    }
    assert!(files(trial.data.path(), ".part").is_empty() && files(trial.data.path(), ".slj").is_empty());
    let verified = command(&["verify", trial.data.path().to_str().unwrap()]);
    assert!(verified.status.success(), "{}", text(&verified));
    println!(
        "{moments} moments in {:.0} s: {} files closed and checked; of {} growing files that a kill left, h5py read {}",
        begin.elapsed().as_secs_f64(),
        trial.checked.len(),
        trial.growing.1,
        trial.growing.0,
    );
}
