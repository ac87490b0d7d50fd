//! A bench's other roles: this program again, as a process of its own, and what that used.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result};

/// Starts this program in another role.
///
/// # Errors
/// When the operating system does not start it.
pub fn role<A: AsRef<OsStr>>(arguments: &[A]) -> Result<Child> {
    let mut command = Command::new(std::env::current_exe()?);
    command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped());
    command.spawn().context("cannot start a second process")
}

/// Reads one line of what a role prints.
///
/// # Errors
/// When it prints nothing.
pub fn line(child: &mut Child) -> Result<String> {
    let mut text = String::new();
    let stdout = child.stdout.as_mut().context("no output")?;
    // Byte by byte, so that what follows stays in the pipe.
    let mut byte = [0];
    while stdout.read(&mut byte)? == 1 && byte != *b"\n" {
        text.push(char::from(byte[0]));
    }
    Ok(text)
}

/// What a process used in its life.
#[derive(Clone, Copy, Debug)]
pub struct Usage {
    /// CPU time of all its threads, in seconds.
    pub cpu: f64,
    /// The most memory it had, in MiB.
    pub peak_mb: f64,
}

impl Usage {
    /// Of this process, from Linux's /proc.
    ///
    /// # Errors
    /// Where there is none.
    pub fn own() -> Result<Self> {
        let stat = std::fs::read_to_string("/proc/self/stat").context("these figures need Linux's /proc")?;
        let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
        let ticks: f64 = fields[11].parse::<f64>()? + fields[12].parse::<f64>()?;
        let status = std::fs::read_to_string("/proc/self/status")?;
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).context("no VmHWM")?;
        let kilobytes: f64 = peak.split_whitespace().next().context("no VmHWM")?.parse()?;
        // USER_HZ is 100 on every Linux that Rust runs on.
        Ok(Self { cpu: ticks / 100.0, peak_mb: kilobytes / 1_024.0 })
    }
}

/// Closes a process's input, which ends a receiver, and reads what it used: the last line that [`report_usage`] printed.
///
/// # Errors
/// When it failed.
pub fn finish(mut child: Child) -> Result<Usage> {
    drop(child.stdin.take());
    let output = BufReader::new(child.stdout.take().context("no output")?);
    let last = output.lines().last().context("the process said nothing")??;
    anyhow::ensure!(child.wait()?.success(), "a process failed");
    let (cpu, peak_mb) = last.split_once(' ').context("no usage")?;
    Ok(Usage { cpu: cpu.parse()?, peak_mb: peak_mb.parse()? })
}

/// Prints what this process has used since `before`, for [`finish`].
///
/// # Errors
/// Where there is no /proc.
pub fn report_usage(before: &Usage) -> Result<()> {
    let usage = Usage::own()?;
    println!("{} {}", usage.cpu - before.cpu, usage.peak_mb);
    Ok(())
}

/// The CPU time of each thread of a process so far, in seconds, by the thread's name; threads of one name together.
///
/// # Errors
/// Where there is no /proc.
pub fn threads(child: &Child) -> Result<Vec<(String, f64)>> {
    let mut found: Vec<(String, f64)> = Vec::new();
    for task in std::fs::read_dir(format!("/proc/{}/task", child.id())).context("these figures need Linux's /proc")? {
        let task = task?.path();
        let name = std::fs::read_to_string(task.join("comm"))?.trim().to_owned();
        let statistics = std::fs::read_to_string(task.join("schedstat"))?;
        let cpu = statistics.split(' ').next().unwrap_or_default().parse::<f64>()? / 1.0e9;
        match found.iter_mut().find(|(other, _)| *other == name) {
            Some((_, sum)) => *sum += cpu,
            None => found.push((name, cpu)),
        }
    }
    Ok(found)
}
