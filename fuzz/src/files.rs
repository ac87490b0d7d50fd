//! Files that a program reads back after anything may have happened to them, and files that people drop on it.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use send_learn::journal::{Follower, MAGIC, Position};
use send_learn_plugin::files::{Performance, Song, Wav};
use send_learn_plugin::spool;
use send_learn_protocol::units::TakeId;

use crate::bytes::Bytes;

/// A segment of a spool: what is whole of it is no more than there is, and its numbers grow.
pub(crate) fn spool(bytes: &[u8]) {
    for segment in [
        bytes.to_vec(),
        framed(bytes, |out, entry| {
            let length = (entry.len() as u32).to_le_bytes();
            out.extend(length);
            out.extend(crc32fast::hash(&[&length, entry].concat()).to_le_bytes());
            out.extend(entry);
        }),
    ] {
        let length = segment.len();
        let (_, entries) = spool::read_segment(segment);
        assert!(entries.iter().map(|(_, entry)| entry.len()).sum::<usize>() <= length);
        assert!(entries.is_sorted_by(|(a, _), (b, _)| a < b));
    }
}

/// A segment of a journal, whose header is right (spec/hdf5-layout.md): frames are whole, in the file, and one after another.
pub(crate) fn journal(bytes: &[u8]) {
    let take = TakeId([7; 16]);
    let mut header = [&MAGIC[..], &take.0, &1_u32.to_le_bytes()].concat();
    header.extend(crc32fast::hash(&header).to_le_bytes());
    let framed = framed(bytes, |out, entry| {
        let kind = u8::from(entry.len() == 24);
        let rest = [&[0; 8][..], &[kind, entry.len() as u8 % 5, 0, 0, 0, 0, 0, 0], entry].concat();
        out.extend((entry.len() as u32).to_le_bytes());
        out.extend(crc32fast::hash(&rest).to_le_bytes());
        out.extend(rest);
    });
    for frames in [bytes, &framed] {
        follow(take, &[&header, frames].concat());
    }
}

fn follow(take: TakeId, file: &[u8]) {
    if fs::write(folder().join("journal-000001.slj"), file).is_err() {
        return;
    }
    let mut follower = Follower::new(folder(), take, 1);
    let end = Position { segment: 1, offset: file.len() as u64 };
    let (mut at, mut frames) = (0, 0);
    while let Ok(Some((_, location))) = follower.next(end) {
        assert!(location.at.offset >= at);
        at = location.at.offset + u64::from(location.len);
        frames += 1;
        assert!(at <= end.offset && frames <= file.len());
    }
}

/// Whole frames, which no checksum would let a fuzzer write, with anything between them.
fn framed(bytes: &[u8], frame: impl Fn(&mut Vec<u8>, &[u8])) -> Vec<u8> {
    let mut bytes = Bytes::new(bytes);
    let mut out = Vec::new();
    while !bytes.is_empty() && out.len() < 1 << 16 {
        let (what, number, content) = (bytes.byte(), u64::from(bytes.u16()), bytes.some());
        match what % 4 {
            0 => out.extend(content),
            1 => frame(&mut out, content),
            _ => frame(&mut out, &[&number.to_le_bytes(), content].concat()),
        }
    }
    out
}

/// A MIDI file: refused, or played to its end.
pub(crate) fn smf(bytes: &[u8]) {
    if let Ok(song) = Song::read(Path::new("fuzzed.mid"), bytes) {
        let performance = Performance::new(None, Some(song), 48_000);
        let length = performance.length();
        assert!(u64::from(performance.next_block(512)) <= length.max(512));
    }
}

/// A WAV file: refused, or as long as it says.
pub(crate) fn wav(bytes: &[u8]) {
    let path = folder().join("fuzzed.wav");
    if fs::write(&path, bytes).is_err() {
        return;
    }
    if let Ok(wav) = Wav::open(&path) {
        // Each sample takes a byte at least.
        assert!(wav.frames() <= bytes.len() as u64);
    }
}

/// A folder of this process, in memory where the system has such a place.
fn folder() -> &'static Path {
    static FOLDER: LazyLock<PathBuf> = LazyLock::new(|| {
        let memory = Path::new("/dev/shm");
        let place = if memory.is_dir() { memory.to_owned() } else { std::env::temp_dir() };
        let folder = place.join(format!("send-learn-fuzz-{}", std::process::id()));
        // Where it cannot be made, the bodies that need it do nothing.
        let _ = fs::create_dir_all(&folder);
        folder
    });
    &FOLDER
}
