//! The export `tensorflow` is opened by TensorFlow and by tfrecord, and holds what went in.
//!
//! Both run in the Python that `SEND_LEARN_PYTHON` names.

#[path = "common/exports.rs"]
mod exports;
#[path = "common/sequences.rs"]
mod sequences;

use exports::{compare, export, plan, varied};
use send_learn::export::{Format, Shard, Tensorflow};
use send_learn::sequences::Split;

#[test]
fn tensorflow_parses_what_went_in() {
    for audio in [false, true] {
        let folder = tempfile::tempdir().unwrap();
        export(&Tensorflow, &varied(), audio, folder.path());
        compare("SEND_LEARN_PYTHON", "read_tensorflow.py", folder.path());
        compare("SEND_LEARN_PYTHON", "read_tfrecord.py", folder.path());
    }
}

#[test]
fn a_disk_that_is_full_is_an_error() {
    let mut plan = plan(&Tensorflow, Some(Split::Train), 1, true, "".as_ref());
    plan.path = "/dev/full".into();
    // So small that it waits in the buffer until the end.
    let sequence = sequences::sequence(0, Split::Train, 0, 100);
    let mut shard = Tensorflow.shard(&plan).unwrap();
    let written = shard.add(Tensorflow.encode(&sequence, &plan).unwrap()).and_then(|()| shard.finish());
    let error = written.unwrap_err().to_string();
    assert!(error.contains("/dev/full") && error.contains("No space left"), "{error}");
}
