//! The disk that fails when it is told to: `faults/shim.c`, compiled, and put below a program.
#![allow(dead_code, unreachable_pub, reason = "each test file is a crate that uses its part of it")]

use std::path::{Path, PathBuf};
use std::process::Command;

/// The shim, compiled into `folder`; `None`, and why is printed, where that cannot be done.
pub fn shim(folder: &Path) -> Option<PathBuf> {
    if !cfg!(all(target_os = "linux", target_env = "gnu")) {
        println!("skipped: the disk that fails is put below a program as glibc on Linux has it");
        return None;
    }
    let library = folder.join("shim.so");
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/faults/shim.c");
    let compiler = std::env::var("CC").unwrap_or_else(|_| "cc".to_owned());
    match Command::new(&compiler).args(["-shared", "-fPIC", "-O1", "-Wall", "-o"]).arg(&library).arg(source).arg("-ldl").status() {
        Ok(status) if status.success() => Some(library),
        Ok(status) => panic!("{compiler} ended with {status}"),
        Err(error) => {
            println!("skipped: there is no C compiler ({compiler}: {error})");
            None
        }
    }
}

/// Which calls fail, and how.
#[derive(Clone, Copy, Debug)]
pub struct Fault {
    pub kind: &'static str,
    pub at: usize,
    pub lasts: usize,
}

/// Puts the shim below `command`: calls on files below `folder` fail as `fault` says.
pub fn below(command: &mut Command, shim: &Path, folder: &Path, fault: Option<Fault>) {
    command.env("LD_PRELOAD", shim).env("FAULT_FOLDER", folder);
    if let Some(Fault { kind, at, lasts }) = fault {
        command.env("FAULT_KIND", kind).env("FAULT_AT", at.to_string()).env("FAULT_LASTS", lasts.to_string());
    }
}

/// Whether the long versions of tests are asked for: `cargo xtask test --long`, or the variable.
pub fn long() -> bool {
    std::env::var_os("SEND_LEARN_LONG").is_some_and(|value| !value.is_empty())
}
