//! A disk that fails at any call. The recorder's files (journal, `take.json`, HDF5 parts) are written with every call in turn failing
//! (EIO, ENOSPC, for once or for a while), writing half, or killing the process, as SQLite is tested: the recording is complete
//! afterwards, and nothing that was called durable is ever missing.
//!
//! In CI a part of the calls has its turn; `SEND_LEARN_LONG=1` takes all.

#[path = "common/faults.rs"]
mod faults;

use std::collections::BTreeSet;
use std::path::Path;
use std::process::{Command, Output};
use std::sync::Arc;
use std::time::Duration;

use faults::{Fault, below, long, shim};
use send_learn::archive::Progress;
use send_learn::assembly::{Advance, Assembly, Making};
use send_learn::journal::{self, Frame, Journal};
use send_learn::ranges::RangeSet;
use send_learn::store::Recording;
use send_learn::store::layout::MidiRow;
use send_learn::store::verify::verify;
use send_learn::take::{State, TAKE_FILE, Take};
use send_learn::timeline::crc_of;
use send_learn_protocol::packet::hello::Description;
use send_learn_protocol::record::pack::Packer;
use send_learn_protocol::record::*;
use send_learn_protocol::tap::Arrival;
use send_learn_protocol::units::*;

const TAKE: TakeId = TakeId([9; 16]);
const BLOCKS: u64 = 48;
const FRAMES: u64 = 1_024;

/// The variable that makes this program a recorder: the folder of its take.
const ROLE: &str = "FAULTS_RECORD_TO";

fn description() -> Description {
    Description {
        stream: StreamId([1; 16]),
        take: TAKE,
        host: HostId([3; 16]),
        machine: MachineId([4; 16]),
        sample_rate: 48_000.0,
        channels: 2,
        max_block: 1_024,
        started_unix_nanos: 5,
        started: HostNanos(6),
        properties: Vec::new(),
    }
}

fn sample(index: u64) -> f32 {
    (index % 8_191) as f32 * 1e-4
}

fn log() -> Vec<Vec<u8>> {
    let mut packer = Packer::new(SourceNumber(0));
    for block in 0..BLOCKS {
        let position = SamplePosition(block * FRAMES);
        let samples: Vec<f32> = (block * FRAMES * 2..(block + 1) * FRAMES * 2).map(sample).collect();
        let bytes = [0x90, (block % 128) as u8, 1];
        packer.push(&Record::Midi(MidiEvent { position, kind: MidiKind::Message, bytes, note_id: -1, value: 0.0, data: &[] }));
        packer.push_audio(position, 2, &samples);
        let (frames, crc) = (FRAMES as u32, crc_of(&samples));
        packer.push(&Record::Block(Block { position, frames, crc, host: HostNanos(1), playhead: None }));
        packer.flush();
    }
    packer.push(&Record::End(End { position: SamplePosition(BLOCKS * FRAMES), reason: EndReason::Stopped }));
    packer.flush();
    std::iter::from_fn(|| packer.pop()).collect()
}

/// What the recorder and the archive do for a take, in one thread, so that every run makes the same calls. What fails is tried again.
struct Recorder<'a> {
    folder: &'a Path,
    entries: Vec<Vec<u8>>,
    held: RangeSet,
    /// Tries that are left: whatever fails, it ends.
    tries: u32,
}

impl Recorder<'_> {
    fn retry<T, E: std::fmt::Display>(&mut self, mut work: impl FnMut() -> Result<T, E>) -> T {
        loop {
            match work() {
                Ok(done) => return done,
                Err(error) => self.failed(&error),
            }
        }
    }

    fn failed(&mut self, error: &impl std::fmt::Display) {
        println!("\nfailed {error}");
        self.tries = self.tries.checked_sub(1).expect("it fails for ever");
    }

    /// The life of a recorder: from what is on disk to the end of the take.
    fn run(&mut self) {
        let folder = self.folder;
        if !folder.join(TAKE_FILE).exists() {
            self.retry(|| Take::new(&description()).save(folder));
        }
        let mut first_look = true;
        loop {
            let take = Take::load(folder).unwrap();
            if take.state == State::Complete {
                return self.retry(|| journal::remove_segments(folder, |_| true));
            }
            let take = Take { state: State::Open, ..take };
            self.retry(|| take.save(folder));
            let first = take.resume.segment;
            let opened = self.retry(|| {
                journal::remove_segments(folder, |segment| segment < first).map_err(|error| error.to_string())?;
                let mut held = RangeSet::below(SourceNumber(take.resume.entry));
                let journal = Journal::open(folder, TAKE, first, |frame| match frame {
                    Frame::Entry { number, .. } => held.insert_one(number),
                    Frame::Gone { gone, .. } => held.insert(gone.range),
                });
                journal.map(|journal| (journal, held)).map_err(|error| error.to_string())
            });
            let (journal, held) = opened;
            self.held = held;
            if std::mem::take(&mut first_look) {
                println!("\nheld {}", self.held.complete().0);
            }
            self.session(take, journal);
        }
    }

    /// Takes entries until the end, or until half of the take is there and its part is closed as if the sender had gone.
    fn session(&mut self, take: Take, mut journal: Journal) {
        let progress = Arc::new(Progress::default());
        progress.set_mark(journal.durable());
        let making = Making { rotation: Some(Duration::from_millis(400)), ..Making::default() };
        let half = take.parts.is_empty();
        let mut assembly = Assembly::new(TAKE, self.folder.to_owned(), take, Arc::clone(&progress), making);
        loop {
            let wanted: Vec<usize> =
                (0..self.entries.len()).filter(|entry| !self.held.contains(SourceNumber(*entry as u64))).take(40).collect();
            for entry in &wanted {
                let entry = &self.entries[*entry];
                let number = source_number(entry).unwrap();
                journal.append(&Frame::Entry { number, arrival: Arrival::Live, arrived: HostNanos(7), entry });
            }
            match journal.sync() {
                Ok(position) => {
                    progress.set_mark(position);
                    wanted.iter().for_each(|entry| self.held.insert_one(SourceNumber(*entry as u64)));
                    println!("\ndurable {}", self.held.complete().0);
                }
                Err(error) => {
                    self.failed(&error);
                    continue;
                }
            }
            let advanced = assembly.advance(usize::MAX).and_then(|advance| assembly.flush().map(|()| advance));
            let interrupt = half && self.held.complete().0 > self.entries.len() as u64 / 2;
            let closed = match advanced {
                Ok(Advance::Ended) => assembly.complete(),
                Ok(_) if interrupt => assembly.interrupt(),
                Ok(_) => continue,
                Err(error) => Err(error),
            };
            match closed {
                Ok(()) => return,
                Err(error) => {
                    self.failed(&error);
                    assembly.restart();
                }
            }
        }
    }
}

/// Not a test of its own: the process that the others start.
#[test]
fn recorder_role() {
    let Some(folder) = std::env::var_os(ROLE) else { return };
    Recorder { folder: Path::new(&folder), entries: log(), held: RangeSet::default(), tries: 200 }.run();
}

struct Bench {
    shim: std::path::PathBuf,
    _folder: tempfile::TempDir,
}

impl Bench {
    fn new() -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        Some(Self { shim: shim(folder.path())?, _folder: folder })
    }

    /// Runs the recorder on `take`; how many calls there were is returned too.
    fn record(&self, take: &Path, fault: Option<Fault>) -> (Output, Option<usize>) {
        let report = take.with_extension("calls");
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", "recorder_role", "--nocapture", "--test-threads=1"]).env(ROLE, take).env("FAULT_REPORT", &report);
        below(&mut command, &self.shim, take, fault);
        let output = command.output().unwrap();
        (output, std::fs::read_to_string(report).ok().and_then(|text| text.trim().parse().ok()))
    }

    /// A take is recorded while `fault` happens; then, if the recorder died of it, once more. Says how many calls there were.
    fn survives(&self, fault: Option<Fault>) -> usize {
        let folder = tempfile::tempdir().unwrap();
        let take = folder.path().join("take");
        std::fs::create_dir(&take).unwrap();
        let (output, calls) = self.record(&take, fault);
        let said = text(&output);
        let killed = fault.is_some_and(|fault| fault.kind == "kill");
        assert!(output.status.success() || killed, "{fault:?}: {said}");
        if !output.status.success() {
            let claimed = last(&said, "durable ").unwrap_or(0);
            let (output, _) = self.record(&take, None);
            let said = text(&output);
            assert!(output.status.success(), "{fault:?}, the next life: {said}");
            if let Some(held) = last(&said, "held ") {
                assert!(held >= claimed, "{fault:?}: {claimed} entries were called durable, and {held} are there");
            }
        }
        assert_whole(&take, fault);
        calls.unwrap_or(0)
    }
}

fn text(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// The number on the last line that begins with `what`.
fn last(said: &str, what: &str) -> Option<u64> {
    said.lines().filter_map(|line| line.strip_prefix(what)?.parse().ok()).next_back()
}

fn assert_whole(folder: &Path, fault: Option<Fault>) {
    let take = Take::load(folder).unwrap();
    assert_eq!(take.state, State::Complete, "{fault:?}");
    let (mut position, mut events) = (0, 0);
    for part in &take.parts {
        let path = folder.join(&part.file);
        let verdict = verify(&path).unwrap_or_else(|error| panic!("{fault:?}: {error}"));
        assert!(verdict.is_good() && verdict.finished && verdict.gap_frames == 0, "{fault:?}: {verdict:?}");
        let recording = Recording::open(&path).unwrap();
        let expected: Vec<f32> = (position * 2..(position + part.frames) * 2).map(sample).collect();
        assert!(recording.audio(0..part.frames).unwrap() == expected, "{fault:?}: other samples");
        events += recording.table::<MidiRow>().unwrap().len() as u64;
        position += part.frames;
    }
    assert_eq!((position, events), (BLOCKS * FRAMES, BLOCKS), "{fault:?}");
    let known: BTreeSet<String> = take.parts.iter().map(|part| part.file.clone()).chain([TAKE_FILE.to_owned()]).collect();
    let there = std::fs::read_dir(folder).unwrap().map(|item| item.unwrap().file_name().into_string().unwrap());
    let stray: Vec<String> = there.filter(|name| !known.contains(name) && name != "take.json.new").collect();
    assert_eq!(stray, [""; 0], "{fault:?}: left over");
}

#[test]
fn a_take_is_whole_whatever_call_fails_and_nothing_durable_is_lost() {
    let Some(bench) = Bench::new() else { return };
    let calls = bench.survives(None);
    assert!(calls > 100, "the calls are not seen: {calls}");
    let kinds = [("eio", 1), ("enospc", 1), ("short", 1), ("kill", 1), ("enospc", 40), ("eio", 7)];
    // Of each kind other calls, so that together they are spread over all.
    let step = if long() { 1 } else { 17 };
    let faults: Vec<Fault> = kinds
        .iter()
        .enumerate()
        .flat_map(|(index, (kind, lasts))| {
            (index * 3 % step..calls).step_by(step).map(|at| Fault { kind, at, lasts: *lasts }).collect::<Vec<_>>()
        })
        .collect();
    let half = faults.len() / 2;
    std::thread::scope(|scope| {
        let run = |faults: &[Fault]| {
            for fault in faults {
                bench.survives(Some(*fault));
            }
        };
        let (first, second) = faults.split_at(half);
        scope.spawn(move || run(first));
        run(second);
    });
    println!("{} faults at {calls} calls", faults.len());
}
