//! The example of docs/ml-guide.md learns from an export of a recording.
//!
//! Torch runs in the Python that `SEND_LEARN_TORCH_PYTHON` names, such as Debian's with `python3-torch`.

#[path = "common/takes.rs"]
mod takes;

use std::fs;
use std::path::Path;
use std::process::Command;

use takes::{Take, melody, take, written};

/// The example: the guide's block of Python that trains.
fn example() -> String {
    let guide = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/ml-guide.md")).unwrap();
    let blocks = guide.split("```python\n").skip(1).map(|rest| rest.split("```").next().unwrap());
    blocks.filter(|block| block.contains("optimizer")).collect()
}

#[test]
fn the_guides_model_learns_from_an_export() {
    let Some(python) = std::env::var_os("SEND_LEARN_TORCH_PYTHON") else {
        return eprintln!("skipped: SEND_LEARN_TORCH_PYTHON names no Python with torch");
    };
    if !Command::new(&python).args(["-c", "import torch"]).output().is_ok_and(|output| output.status.success()) {
        return eprintln!("skipped: {} has no torch", python.display());
    }
    // A take of MIDI alone is no hindrance.
    let takes = [1, 2].map(|number| Take {
        seconds: 20,
        channels: if number == 1 { 2 } else { 0 },
        notes: melody(number, 20),
        ..take(number)
    });
    let (data, _sources) = written(&takes);
    let out = data.path().join("out");
    let export = Command::new(env!("CARGO_BIN_EXE_send-learn"))
        .args(["export", "pytorch", "--sequence-length", "5", "--overlap", "1", "--out"])
        .arg(&out)
        .arg(data.path().join("2026-11-22"))
        .output()
        .unwrap();
    assert!(export.status.success(), "{}", String::from_utf8_lossy(&export.stderr));

    let output = Command::new(python).args(["-c", &example()]).current_dir(&out).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    let losses: Vec<f64> = said.split_whitespace().filter_map(|word| word.parse().ok()).collect();
    let [first, last] = losses[..] else { panic!("{said}") };
    assert!(last < 0.6 * first, "it learned nothing: {said}");
}
