//! The independent readers: Python scripts that know only the files.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

/// A script of `tests/python`.
pub fn script(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("python").join(name)
}

/// What a recording is compared with.
#[derive(Clone, Copy, Debug, Default)]
pub struct Played<'a> {
    /// The WAV file that was played.
    pub wav: Option<&'a Path>,
    /// The MIDI file that was played.
    pub midi: Option<&'a Path>,
    /// The log of the host that played; without it, the files were sent without a host.
    pub log: Option<&'a Path>,
}

/// Compares a recording with what was played: audio bit for bit, every event at its sample, no gaps. Returns the findings.
///
/// # Errors
/// When anything differs; the message names the first differences.
pub fn compare(python: &Path, recording: &Path, played: Played<'_>) -> Result<String> {
    let mut command = Command::new(python);
    command.arg(script("compare.py")).arg(recording);
    for (option, file) in [("--wav", played.wav), ("--midi", played.midi), ("--log", played.log)] {
        if let Some(file) = file {
            command.arg(option).arg(file);
        }
    }
    let output = command.stdin(Stdio::null()).output().with_context(|| format!("cannot start {}", python.display()))?;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    if !output.status.success() {
        bail!("the recording {} differs:\n{said}{}", recording.display(), String::from_utf8_lossy(&output.stderr));
    }
    Ok(said)
}
