//! webdataset reads from the export of that name what went in, with its default decoders.
//!
//! It runs in the Python that `SEND_LEARN_PYTHON` names.

#[path = "common/exports.rs"]
mod exports;
#[path = "common/sequences.rs"]
mod sequences;

use exports::{compare, export, plan, varied};
use send_learn::export::{ExportError, Format, Shard, WebDataset};
use send_learn::sequences::Split;

#[test]
fn webdataset_reads_what_went_in() {
    for audio in [false, true] {
        let folder = tempfile::tempdir().unwrap();
        export(&WebDataset, &varied(), audio, folder.path());
        compare("SEND_LEARN_PYTHON", "read_webdataset.py", folder.path());
    }
}

#[test]
fn shards_count_from_zero() {
    assert_eq!(WebDataset.file_name(Some(Split::Train), 1, 42), "train-000000.tar");
    assert_eq!(WebDataset.file_name(Some(Split::Validation), 42, 42), "validation-000041.tar");
}

#[test]
fn a_disk_that_is_full_is_an_error() {
    let mut plan = plan(&WebDataset, Some(Split::Train), 1, true, "".as_ref());
    plan.path = "/dev/full".into();
    let write = || {
        let mut shard = WebDataset.shard(&plan)?;
        shard.add(WebDataset.encode(&varied()[0], &plan).unwrap())?;
        shard.finish()
    };
    assert!(matches!(write(), Err(ExportError::Write { path, .. }) if path == plan.path));
}
