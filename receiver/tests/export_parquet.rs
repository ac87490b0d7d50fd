//! pyarrow reads from the export `parquet` what went in.
//!
//! It runs in the Python that `SEND_LEARN_PYTHON` names.

#[path = "common/exports.rs"]
mod exports;
#[path = "common/sequences.rs"]
mod sequences;

use exports::{compare, export, plan, varied};
use send_learn::export::{ExportError, Format, Parquet, Shard};
use send_learn::sequences::Split;

#[test]
fn pyarrow_reads_what_went_in() {
    let folder = tempfile::tempdir().unwrap();
    export(&Parquet, &varied(), false, folder.path());
    compare("SEND_LEARN_PYTHON", "read_parquet.py", folder.path());
}

#[test]
fn rows_go_on_in_further_row_groups() {
    let folder = tempfile::tempdir().unwrap();
    let small: Vec<_> = (0..1_100).map(|number| sequences::sequence(number, Split::Train, 0, 12_000)).collect();
    export(&Parquet, &small, false, folder.path());
    compare("SEND_LEARN_PYTHON", "read_parquet.py", folder.path());
}

#[test]
fn a_disk_that_is_full_is_an_error() {
    let mut plan = plan(&Parquet, None, 1, false, "".as_ref());
    plan.path = "/dev/full".into();
    let write = || {
        let mut shard = Parquet.shard(&plan)?;
        shard.add(Parquet.encode(&varied()[0], &plan).unwrap())?;
        shard.finish()
    };
    assert!(matches!(write(), Err(ExportError::Write { path, .. }) if path == plan.path));
}
