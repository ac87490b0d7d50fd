//! LSL, through its Python module, as processes of their own.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result};
use send_learn_benches::process::{Usage, line};

/// What LSL uses to receive these streams, without recording them; or why that cannot be measured.
pub(super) fn receive(streams: usize, seconds: u64) -> Result<Result<Usage, String>> {
    let Some(python) = python() else { return Ok(Err("no Python: run `cargo xtask setup`".to_owned())) };
    let has_it = Command::new(&python).args(["-c", "import numpy, pylsl"]).stderr(Stdio::null()).status();
    if !has_it.is_ok_and(|status| status.success()) {
        return Ok(Err(format!("{} has no pylsl: pip install -r tests/python/benches.txt", python.display())));
    }
    // It sends for longer than is received: receiving begins when all streams are found.
    let mut sender = start(&python, "send", streams, seconds + 20)?;
    line(&mut sender)?;
    drop(sender.stdin.take());
    let mut receiver = start(&python, "receive", streams, seconds)?;
    line(&mut receiver)?;
    let said = line(&mut receiver)?;
    let _ = sender.kill();
    sender.wait()?;
    receiver.wait()?;
    let numbers: Vec<f64> = said.split_whitespace().filter_map(|number| number.parse().ok()).collect();
    let [cpu, peak_mb, heard] = numbers[..] else { return Ok(Err(format!("it said {said:?}"))) };
    if heard < seconds as f64 * 0.9 {
        return Ok(Err(format!("only {heard:.1} s of {seconds} arrived")));
    }
    Ok(Ok(Usage { cpu, peak_mb }))
}

fn start(python: &Path, role: &str, streams: usize, seconds: u64) -> Result<Child> {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/python/lsl.py");
    let mut command = Command::new(python);
    command.args([script, role, &streams.to_string(), &seconds.to_string()]).stdin(Stdio::piped()).stdout(Stdio::piped());
    command.spawn().with_context(|| format!("cannot start {}", python.display()))
}

fn python() -> Option<PathBuf> {
    let filled = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let cache = || {
        let cache = filled("XDG_CACHE_HOME").or_else(|| Some(filled("HOME")?.join(".cache")));
        filled("SEND_LEARN_CACHE").or_else(|| Some(cache?.join("send-learn")))
    };
    filled("SEND_LEARN_PYTHON").or_else(|| Some(cache()?.join("venv/bin/python"))).filter(|python| python.exists())
}
