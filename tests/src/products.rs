//! What the tests drive: programs and bundles, built by `cargo xtask test` and named in the environment.

use std::env;
use std::path::PathBuf;

use anyhow::{Result, bail};

/// One of this repository's programs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Program {
    /// The receiver and its tools.
    SendLearn,
    /// The plugin's engine, fed from files.
    SendLearnSend,
    /// The demo.
    Demo,
    /// The CLAP host of the demo.
    DemoHost,
    /// The CLAP host that does what tests ask for.
    TestHost,
    /// The plugin as a program of its own.
    Standalone,
}

impl Program {
    /// Its file name.
    pub fn file_name(self) -> String {
        let name = match self {
            Self::SendLearn => "send-learn",
            Self::SendLearnSend => "send-learn-send",
            Self::Demo => "send-learn-demo",
            Self::DemoHost => "send-learn-demo-host",
            Self::TestHost => "send-learn-test-host",
            Self::Standalone => "send-learn-standalone",
        };
        format!("{name}{}", env::consts::EXE_SUFFIX)
    }
}

/// The folder of the built programs; cargo's examples lie in a folder in it.
///
/// # Errors
/// When the environment does not name it.
pub fn folder() -> Result<PathBuf> {
    named("SEND_LEARN_BIN_DIR")
}

/// The built program.
///
/// # Errors
/// When the environment does not name the folder, or the program is not in it.
pub fn program(program: Program) -> Result<PathBuf> {
    existing(folder()?.join(program.file_name()))
}

/// A path that `cargo xtask test` puts into the environment: `SEND_LEARN_CLAP` and `SEND_LEARN_VST3`, the bundles with the
/// allocation check; `SEND_LEARN_VST3_BASIC`, the same without controllers; `SEND_LEARN_CLAP_FAULTY`, whose audio thread allocates;
/// `SEND_LEARN_PYTHON`, the readers' Python; `SEND_LEARN_RENDERS`, a folder that keeps rendered tunes.
///
/// # Errors
/// When it is not set, or nothing is there.
pub fn path(name: &str) -> Result<PathBuf> {
    existing(named(name)?)
}

pub(crate) fn named(name: &str) -> Result<PathBuf> {
    match env::var_os(name) {
        Some(path) if !path.is_empty() => Ok(path.into()),
        _ => bail!("{name} is not set: this test drives the built programs, so run it by `cargo xtask test [NAME]`"),
    }
}

fn existing(path: PathBuf) -> Result<PathBuf> {
    if !path.exists() {
        bail!("{} is not there: run `cargo xtask test`, which builds it", path.display());
    }
    Ok(path)
}
