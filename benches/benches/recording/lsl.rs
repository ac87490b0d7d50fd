//! LSL, through its Python module, as processes of their own.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result};
use send_learn_benches::process::{Usage, line};

/// What LSL uses to send these streams and to receive them, without recording; or why that cannot be measured.
pub(super) fn send_and_receive(streams: usize, seconds: u64) -> Result<Result<[Usage; 2], String>> {
    let Some(python) = python() else { return Ok(Err("no Python: run `cargo xtask setup`".to_owned())) };
    let has_it = Command::new(&python).args(["-c", "import numpy, pylsl"]).stderr(Stdio::null()).status();
    if !has_it.is_ok_and(|status| status.success()) {
        return Ok(Err(format!("{} has no pylsl: pip install -r tests/python/benches.txt", python.display())));
    }
    let mut sender = start(&python, "send", streams, seconds)?;
    line(&mut sender)?;
    let mut receiver = start(&python, "receive", streams, seconds)?;
    line(&mut receiver)?;
    let received = line(&mut receiver)?;
    let sent = line(&mut sender)?;
    let _ = sender.kill();
    sender.wait()?;
    receiver.wait()?;
    let numbers = |said: &str| said.split_whitespace().filter_map(|number| number.parse().ok()).collect::<Vec<f64>>();
    match (&numbers(&sent)[..], &numbers(&received)[..]) {
        (_, [.., heard]) if *heard < seconds as f64 * 0.9 => Ok(Err(format!("only {heard:.1} s of {seconds} arrived"))),
        ([sender_cpu, sender_mb], [cpu, peak_mb, _]) => {
            Ok(Ok([Usage { cpu: *sender_cpu, peak_mb: *sender_mb }, Usage { cpu: *cpu, peak_mb: *peak_mb }]))
        }
        _ => Ok(Err(format!("they said {sent:?} and {received:?}"))),
    }
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
