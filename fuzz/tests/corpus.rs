//! Every body over the saved corpus and the golden vectors, in an ordinary build: what fuzzing found once is never broken again.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use send_learn_fuzz::{TARGETS, saved};

#[test]
fn every_body_stands_what_is_saved_for_it_and_the_golden_vectors() {
    let vectors = saved::vectors().unwrap();
    assert!(vectors.len() > 30);
    for target in TARGETS {
        let inputs = saved::inputs(target.name).unwrap();
        assert!(inputs.len() >= 3, "{} inputs are saved for {}", inputs.len(), target.name);
        println!("{}: {} saved inputs", target.name, inputs.len());
        inputs.iter().chain(&vectors).for_each(|input| (target.body)(input));
        (target.body)(&[]);
    }
}

#[test]
fn every_saved_file_belongs_to_a_target() {
    let named: BTreeSet<String> = TARGETS.iter().map(|target| format!("{}.hex", target.name)).collect();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus");
    let files: BTreeSet<String> =
        fs::read_dir(folder).unwrap().map(|file| file.unwrap().file_name().into_string().unwrap()).collect();
    assert_eq!(files, named);
}
