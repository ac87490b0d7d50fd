//! The prompt's history, from one run to the next.

use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;

use super::line::HISTORY;

/// The lines of earlier runs, oldest first. Where they cannot be read there are none.
pub(super) fn load() -> Vec<String> {
    let text = place().and_then(|path| fs::read_to_string(path).ok()).unwrap_or_default();
    let lines: Vec<String> = text.lines().filter(|line| !line.is_empty()).map(str::to_owned).collect();
    lines[lines.len().saturating_sub(HISTORY)..].to_vec()
}

/// Keeps the lines, for their owner alone. The prompt works without, so a failure is only for who looks for it.
pub(super) fn save(lines: &[String]) {
    let Some(path) = place() else { return };
    let write = || -> io::Result<()> {
        path.parent().map_or(Ok(()), fs::create_dir_all)?;
        let draft = path.with_extension(format!("{}.new", std::process::id()));
        let mut file = fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&draft)?;
        file.write_all((lines.join("\n") + "\n").as_bytes())?;
        fs::rename(&draft, &path)
    };
    if let Err(error) = write() {
        tracing::debug!("{}: {error}. The prompt's history is not kept.", path.display());
    }
}

fn place() -> Option<PathBuf> {
    let folder = |name: &str| std::env::var_os(name).filter(|folder| !folder.is_empty()).map(PathBuf::from);
    let state = if cfg!(target_os = "macos") {
        folder("HOME")?.join("Library/Application Support")
    } else {
        folder("XDG_STATE_HOME").or_else(|| Some(folder("HOME")?.join(".local/state")))?
    };
    Some(state.join("send-learn").join("history"))
}
