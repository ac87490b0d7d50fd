//! The data folder: can it be written, and is there room? And the key: can it be used?

use std::fs;
use std::io::{self, Write};
use std::path::Path;

use super::Finding;

/// An hour of a stereo float32 stream at 48 kHz takes this many bytes at most.
const HOUR: u64 = 1_400_000_000;

/// Less room than this is too little to begin with, and less than this is soon gone, in hours of one stream.
const LEAST: u64 = 1;
const AMPLE: u64 = 8;

/// What is to be said about it.
pub(super) fn data(data: &Path) -> Vec<Finding> {
    const ABOUT: &str = "folder";
    // What is not there yet is made: where, is what counts.
    let Some(there) = data.ancestors().find(|folder| folder.is_dir()) else {
        return vec![Finding::bad(
            ABOUT,
            format!("{} does not exist, nor any folder above it", data.display()),
            "Choose another with --data.",
        )];
    };
    if let Err(error) = try_to_write(there) {
        let words = format!("nothing can be written to {}: {error}", there.display());
        let advice = "Mend its rights, make room, or choose another folder with --data.";
        return vec![Finding::bad(ABOUT, words, advice)];
    }
    let room = rustix::fs::statvfs(there).map(|room| room.f_bavail.saturating_mul(room.f_frsize));
    vec![match room {
        Ok(room) => judge_room(data, room),
        Err(error) => Finding::note(ABOUT, format!("how much room there is at {} is not known: {error}", there.display()), ""),
    }]
}

/// The key of this machine: is there one, and can it be used?
pub(super) fn key() -> Finding {
    const ABOUT: &str = "key";
    match (send_learn_key::machine(), send_learn_key::file()) {
        (Ok(Some(_)), Ok(path)) => {
            Finding::good(ABOUT, format!("this machine's key is in {}, for its owner alone", path.display()))
        }
        (Ok(_), _) => Finding::good(ABOUT, "this machine has no key: it sends to, and receives from, whoever has none either"),
        (Err(error), _) => Finding::bad(ABOUT, error.to_string(), "Until then nothing is sent from this machine."),
    }
}

fn try_to_write(folder: &Path) -> io::Result<()> {
    let path = folder.join(format!(".send-learn-doctor-{}", std::process::id()));
    let written = fs::File::create_new(&path).and_then(|mut file| file.write_all(&[0; 4_096]).and_then(|()| file.sync_all()));
    let removed = fs::remove_file(&path);
    written.and(removed)
}

fn judge_room(data: &Path, room: u64) -> Finding {
    const ABOUT: &str = "disk";
    let hours = room / HOUR;
    let words = format!("{:.1} GB are free for {}: about {hours} hours of one stereo stream", room as f64 / 1e9, data.display());
    match hours {
        hours if hours < LEAST => Finding::bad(
            ABOUT,
            words,
            "Make room: while the disk is full nothing is recorded, and the plugins keep what they have.",
        ),
        hours if hours < AMPLE => Finding::note(ABOUT, words, "Make room soon."),
        _ => Finding::good(ABOUT, words),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::Verdict;

    #[test]
    fn a_folder_to_come_is_judged_by_the_one_above_it_and_left_as_it_was() {
        let folder = tempfile::tempdir().unwrap();
        let finding = data(&folder.path().join("new/deeper")).remove(0);
        assert_eq!(finding.about, "disk");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[test]
    fn room_is_told_in_hours() {
        let judged = |room| judge_room(Path::new("/data"), room);
        assert_eq!(judged(500_000_000).verdict, Verdict::Bad);
        assert_eq!(judged(5_000_000_000).verdict, Verdict::Note);
        let ample = judged(140_000_000_000);
        assert!(ample.verdict == Verdict::Good && ample.words.contains("about 100 hours"), "{ample:?}");
    }

    #[test]
    fn a_folder_that_cannot_be_written_is_named() {
        // Root may write everywhere but here.
        let finding = data(Path::new("/proc/self/nothing")).remove(0);
        assert!(finding.verdict == Verdict::Bad && finding.words.contains("/proc"), "{finding:?}");
    }
}
