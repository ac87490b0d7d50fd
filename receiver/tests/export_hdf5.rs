//! h5py reads from the export `hdf5` what went in.
//!
//! It runs in the Python that `SEND_LEARN_PYTHON` names, and in that of `SEND_LEARN_TORCH_PYTHON`, where torch reads it with
//! the class that spec/ shows.

#[path = "common/exports.rs"]
mod exports;
#[path = "common/sequences.rs"]
mod sequences;

use exports::{compare, export, plan, varied};
use send_learn::export::{ExportError, Format, Hdf5};

#[test]
fn h5py_reads_what_went_in() {
    for audio in [false, true] {
        let folder = tempfile::tempdir().unwrap();
        export(&Hdf5, &varied(), audio, folder.path());
        compare("SEND_LEARN_PYTHON", "read_hdf5.py", folder.path());
        compare("SEND_LEARN_TORCH_PYTHON", "read_hdf5.py", folder.path());
    }
}

#[test]
fn a_file_that_cannot_begin_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let plan = plan(&Hdf5, None, 1, false, &folder.path().join("missing"));
    assert!(matches!(Hdf5.shard(&plan), Err(ExportError::Write { path, .. }) if path == plan.path));
}
