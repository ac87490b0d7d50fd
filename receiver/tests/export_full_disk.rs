//! A disk that is full stops an export with a clear word, and the same command goes on when there is room.
//!
//! The disk is a small tmpfs in a mount namespace of the test's own.

#[path = "common/takes.rs"]
mod takes;

use std::path::Path;
use std::process::{Command, Output};

use takes::{Take, melody, take};

/// Runs a script of the shell in a mount namespace in which it may mount.
fn in_namespace(script: &str) -> Output {
    Command::new("unshare").args(["--mount", "--map-root-user", "sh", "-c", script]).output().unwrap_or_else(|error| Output {
        status: std::process::ExitStatus::default(),
        stdout: Vec::new(),
        stderr: error.to_string().into_bytes(),
    })
}

/// Contents of the files below `folder` whose bytes do not depend on when they were made, by name.
fn contents(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let mut found: Vec<(String, Vec<u8>)> = std::fs::read_dir(folder)
        .unwrap()
        .map(|item| item.unwrap())
        .map(|item| (item.file_name().into_string().unwrap(), std::fs::read(item.path()).unwrap()))
        .collect();
    found.sort();
    found
}

#[test]
fn an_export_to_a_full_disk_says_so_and_goes_on_when_there_is_room() {
    if !String::from_utf8_lossy(&in_namespace("mount -t tmpfs none /mnt && echo mounted").stdout).contains("mounted") {
        println!("skipped: this system does not let the test mount a file system of its own (unshare --mount)");
        return;
    }
    let data = tempfile::tempdir().unwrap();
    for number in 1..=3 {
        Take { seconds: 8, notes: melody(number, 8), ..take(number) }.write(data.path());
    }
    let there = tempfile::tempdir().unwrap();
    let program = env!("CARGO_BIN_EXE_send-learn");
    let export = |out: &str| {
        let short = "--sequence-length 2 --overlap 0.5 --min-midi-events 4";
        format!(
            "{program} export pytorch --audio --file-size 3 {short} --data {} -o {out}; echo \"status $?\"",
            data.path().display()
        )
    };
    let whole = there.path().join("whole");
    let disk = there.path().join("disk");
    let kept = there.path().join("kept");
    for folder in [&disk, &kept] {
        std::fs::create_dir(folder).unwrap();
    }
    let (disk, kept) = (disk.display(), kept.display());
    let script = format!(
        "exec 2>&1; mount -t tmpfs -o size=5m none {disk} && {first}; \
         ls -A {disk}/set; mount -o remount,size=200m {disk} && {again}; cp {disk}/set/* {kept}; {other}",
        first = export(&format!("{disk}/set")),
        again = export(&format!("{disk}/set")),
        other = export(&whole.display().to_string()),
    );
    let output = in_namespace(&script);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let statuses: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("status ")).collect();
    assert_eq!(statuses, ["1", "0", "0"], "{text}");
    let first = text.split("status 1").next().unwrap();
    assert!(first.contains("No space left on device") && first.contains("again"), "{first}");
    assert!(!first.contains("ZipWriter"), "a library's words: {first}");
    assert!(text.contains(".unfinished") && !first.contains("manifest.json"), "what was finished is kept: {text}");
    let kept = contents(&there.path().join("kept"));
    assert!(kept.len() > 3, "several files: {:?}", kept.iter().map(|(name, _)| name).collect::<Vec<_>>());
    assert!(kept == contents(&whole), "the export that was stopped is not the one that was not");
}
