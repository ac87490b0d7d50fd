//! Ten thousand sequences are exported in flat memory.
#![cfg(target_os = "linux")]

#[path = "common/exports.rs"]
mod exports;
#[path = "common/sequences.rs"]
mod sequences;
#[path = "common/takes.rs"]
mod takes;

use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::time::Duration;

use send_learn::export::{FORMATS, Format, Hdf5, Parquet, Shard};
use send_learn::music::Note;
use send_learn::sequences::{Sequence, Split};

const SEQUENCES: u64 = 10_000;

/// Sequences after which buffers and caches have their sizes.
const WARM: u64 = 4_000;

/// How much more memory the other 6,000 may take, in bytes. In a file they take twice as much, in memory several times.
const BOUND: u64 = 16 << 20;

/// One test at a time, so that each measures itself.
static ALONE: Mutex<()> = Mutex::new(());

#[test]
fn hdf5() {
    exports_in_flat_memory(&Hdf5);
}

#[test]
fn parquet() {
    exports_in_flat_memory(&Parquet);
}

/// By the command, in every format: an export of two and a half times as many sequences takes no more. Of these, the plan alone waits in
/// memory, with a kilobyte each.
#[test]
fn of_recordings() {
    let _alone = ALONE.lock();
    let folder = tempfile::tempdir().expect("a folder");
    // Windows of a second, five of which begin in each.
    let data = |sequences: u64| {
        let (data, seconds) = (folder.path().join(sequences.to_string()), sequences / 5 + 1);
        let take = takes::take(1);
        takes::Take { channels: 0, seconds, notes: takes::melody(1, seconds), ..take }.write(&data);
        data
    };
    let (few, many) = (data(WARM), data(SEQUENCES));
    for format in FORMATS {
        let [before, after] = [&few, &many].map(|data| peak_of_export(format, data, &folder.path().join("out")));
        println!("{format}: {} MiB, {} MiB for more of them", before >> 20, after >> 20);
        // What the allocator keeps of the largest file is not the same each time.
        assert!(after < before + 2 * BOUND, "{format}: {before} bytes, then {after}");
    }
}

/// The most memory, in bytes, that the command had.
fn peak_of_export(format: &str, data: &Path, out: &Path) -> u64 {
    let mut command = Command::new(env!("CARGO_BIN_EXE_send-learn"));
    command.args(["export", format, "--sequence-length", "1", "--overlap", "0.8", "--min-midi-events", "1"]);
    let mut export = command.arg("--out").arg(out).arg(data).stdout(Stdio::null()).spawn().expect("the command runs");
    let mut peak = 0;
    let status = loop {
        peak = peak.max(peak_bytes(&export.id().to_string()).unwrap_or_default());
        if let Some(status) = export.try_wait().expect("it is ours") {
            break status;
        }
        std::thread::sleep(Duration::from_millis(2));
    };
    assert!(status.success(), "{format}");
    std::fs::remove_dir_all(out).expect("it made a folder");
    peak
}

fn exports_in_flat_memory<F: Format>(format: &F) {
    let _alone = ALONE.lock();
    let folder = tempfile::tempdir().expect("a folder");
    let plan = exports::plan(format, None, SEQUENCES as usize, false, folder.path());
    let mut sequence = sequences::sequence(1, Split::Train, 1, 12_000);
    let mut shard = format.shard(&plan).expect("a file begins");
    let mut warm = 0;
    for number in 0..SEQUENCES {
        vary(&mut sequence, number);
        shard.add(format.encode(&sequence, &plan).expect("a sequence has its form")).expect("a sequence is added");
        if number == WARM {
            warm = peak_bytes("self").expect("Linux tells");
        }
    }
    shard.finish().expect("the file is completed");
    let more = peak_bytes("self").expect("Linux tells") - warm;
    let file = std::fs::metadata(&plan.path).expect("a file").len();
    println!("{}: {} MiB more memory for a file of {} MiB", F::NAME, more >> 20, file >> 20);
    assert!(more < BOUND, "{more} more bytes after {WARM} sequences");
}

/// Makes it another sequence, with notes that compress badly.
fn vary(sequence: &mut Sequence, number: u64) {
    sequence.about.id = format!("00000001-{number:012}");
    let scatter = |index: u64| (number * 300 + index).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 40;
    let note = sequence.music.notes[0];
    sequence.music.notes = (0..300)
        .map(|index| Note { onset: scatter(index), duration: scatter(index + 7), sustained: scatter(index + 9), ..note })
        .collect();
}

/// The most memory that a process has had, in bytes; none once it has ended.
fn peak_bytes(process: &str) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    Some(line.split_whitespace().nth(1)?.parse::<u64>().ok()? << 10)
}
