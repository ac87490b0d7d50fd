//! The export `pytorch` is opened by torch and holds what went in.
//!
//! Torch runs in the Python that `SEND_LEARN_TORCH_PYTHON` names, such as Debian's with `python3-torch`.

#[path = "common/exports.rs"]
mod exports;
#[path = "common/sequences.rs"]
mod sequences;

use exports::{compare, export, plan, varied};
use send_learn::export::{Format, Pytorch, Shard};
use send_learn::sequences::{Sequence, Split};
use sequences::sequence;

#[test]
fn torch_loads_what_went_in() {
    for audio in [false, true] {
        let folder = tempfile::tempdir().unwrap();
        export(&Pytorch, &varied(), audio, folder.path());
        compare("SEND_LEARN_TORCH_PYTHON", "read_pytorch.py", folder.path());
    }
}

/// Beyond 65,535 entries a zip archive needs its newer tables.
#[test]
fn torch_loads_66_000_tensors() {
    let folder = tempfile::tempdir().unwrap();
    let one = sequence(1, Split::Train, 0, 100);
    let many: Vec<Sequence> = (0..3_300)
        .map(|number| {
            let mut next = one.clone();
            next.about.id = format!("00000001-{number:012}");
            next
        })
        .collect();
    export(&Pytorch, &many, false, folder.path());
    compare("SEND_LEARN_TORCH_PYTHON", "read_pytorch.py", folder.path());
}

#[test]
fn only_several_files_are_numbered() {
    assert_eq!(Pytorch.file_name(None, 1, 1), "pytorch_dataset.pt");
    assert_eq!(Pytorch.file_name(None, 1, 7), "pytorch_dataset-00001-of-00007.pt");
}

#[test]
fn a_disk_that_is_full_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let mut plan = plan(&Pytorch, None, 1, true, folder.path());
    plan.path = "/dev/full".into();
    let write = || {
        let mut shard = Pytorch.shard(&plan)?;
        shard.add(Pytorch.encode(&sequence(0, Split::Train, 2, 48_000), &plan).unwrap())?;
        shard.finish()
    };
    let error = write().unwrap_err().to_string();
    assert!(error.contains("/dev/full") && error.contains("No space left"), "{error}");
}
