//! Ten thousand sequences are exported in flat memory.
#![cfg(target_os = "linux")]

#[path = "common/exports.rs"]
mod exports;
#[path = "common/sequences.rs"]
mod sequences;

use std::sync::Mutex;

use send_learn::export::{Format, Hdf5, Parquet, Shard};
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
            warm = peak_bytes();
        }
    }
    shard.finish().expect("the file is completed");
    let more = peak_bytes() - warm;
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

/// The most memory that this process has had, in bytes.
fn peak_bytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux tells");
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).expect("the peak is told");
    line.split_whitespace().nth(1).and_then(|kib| kib.parse::<u64>().ok()).expect("a number of KiB") << 10
}
