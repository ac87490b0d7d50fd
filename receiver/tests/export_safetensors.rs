//! The export `safetensors` is opened by its library, and holds what went in.
//!
//! It runs in the Python that `SEND_LEARN_PYTHON` names.

#[path = "common/exports.rs"]
mod exports;
#[path = "common/sequences.rs"]
mod sequences;

use exports::{compare, export, plan, varied};
use send_learn::export::{ExportError, Format, Safetensors, Shard};
use send_learn::sequences::Split;

#[test]
fn safetensors_opens_what_went_in() {
    for audio in [false, true] {
        let folder = tempfile::tempdir().unwrap();
        export(&Safetensors, &varied(), audio, folder.path());
        compare("SEND_LEARN_PYTHON", "read_safetensors.py", folder.path());
    }
}

#[test]
fn nothing_but_the_file_is_left_in_the_folder() {
    let folder = tempfile::tempdir().unwrap();
    let plan = plan(&Safetensors, Some(Split::Train), 1, true, folder.path());
    let mut shard = Safetensors.shard(&plan).unwrap();
    shard.add(Safetensors.encode(&sequences::sequence(0, Split::Train, 2, 48_000), &plan).unwrap()).unwrap();
    let unfinished = std::fs::read_dir(folder.path()).unwrap().count();
    shard.finish().unwrap();
    let names: Vec<_> = std::fs::read_dir(folder.path()).unwrap().map(|item| item.unwrap().file_name()).collect();
    assert_eq!((unfinished, names), (0, vec![plan.name.into()]));
}

#[test]
fn a_disk_that_is_full_is_an_error() {
    let mut plan = plan(&Safetensors, Some(Split::Train), 1, true, "".as_ref());
    plan.path = "/dev/full".into();
    // The folder of /dev/full may take temporary files; if not, that is an error too.
    let written = Safetensors.shard(&plan).and_then(Shard::finish);
    assert!(matches!(written, Err(ExportError::Write { path, .. }) if path == plan.path));
}

#[test]
fn more_sequences_than_a_header_names_are_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let plan = plan(&Safetensors, Some(Split::Train), 9, false, folder.path());
    let mut shard = Safetensors.shard(&plan).unwrap();
    for number in 0..9 {
        let mut sequence = sequences::sequence(number, Split::Train, 0, 100);
        sequence.about.consent = "x".repeat(12_000_000);
        shard.add(Safetensors.encode(&sequence, &plan).unwrap()).unwrap();
    }
    let error = shard.finish().unwrap_err().to_string();
    assert!(error.contains("smaller files"), "{error}");
}
