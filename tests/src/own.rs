//! What the system knows of this very process: threads, sockets, memory, and whether a thread had to wait. From Linux's /proc. And
//! work for its processors.

use std::fs;
use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{Builder, JoinHandle};

use anyhow::{Context, Result};

/// Names of all threads but the first whose name begins with `prefix`. The system keeps 15 bytes of a name.
///
/// # Errors
/// Where there is no /proc.
pub fn threads(prefix: &str) -> Result<Vec<String>> {
    let tasks = fs::read_dir("/proc/self/task").context("this needs Linux's /proc")?;
    // A thread may end while it is looked at.
    let name = |task: fs::DirEntry| fs::read_to_string(task.path().join("comm")).ok();
    let first = std::process::id().to_string();
    let names = tasks.flatten().filter(|task| *task.file_name() != *first).filter_map(name).map(|name| name.trim().to_owned());
    Ok(names.filter(|name| name.starts_with(prefix)).collect())
}

/// How many internet sockets the process has open.
///
/// # Errors
/// Where there is no /proc.
pub fn sockets() -> Result<usize> {
    let tables =
        ["udp", "udp6", "tcp", "tcp6"].map(|name| fs::read_to_string(format!("/proc/self/net/{name}")).unwrap_or_default());
    // The tenth word of a line is the socket's inode.
    let known =
        |inode: &str| tables.iter().flat_map(|table| table.lines()).any(|line| line.split_whitespace().nth(9) == Some(inode));
    let files = fs::read_dir("/proc/self/fd").context("this needs Linux's /proc")?;
    let links = files.flatten().filter_map(|file| fs::read_link(file.path()).ok());
    Ok(links.filter(|link| inode(&link.to_string_lossy()).is_some_and(known)).count())
}

fn inode(link: &str) -> Option<&str> {
    link.strip_prefix("socket:[")?.strip_suffix(']')
}

/// Memory that the process uses now, in KiB.
///
/// # Errors
/// Where there is no /proc.
pub fn memory() -> Result<u64> {
    let status = fs::read_to_string("/proc/self/status").context("this needs Linux's /proc")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("no VmRSS")?;
    line.split_whitespace().next().and_then(|number| number.parse().ok()).context("no VmRSS")
}

/// What a thread did so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Toil {
    /// How often it gave up the processor to wait for something.
    pub waits: u64,
    /// How often the system had to find a page of memory, or of the program, that it touched.
    pub faults: u64,
    /// CPU time, in nanoseconds.
    pub nanos: u64,
}

/// What this thread did so far.
#[cfg(target_os = "linux")]
#[allow(unsafe_code, reason = "a system call without a wrapper in the standard library")]
pub fn toil() -> Toil {
    let mut usage = std::mem::MaybeUninit::<libc::rusage>::zeroed();
    // SAFETY: the structure has room for what the system writes, and zeros are a valid value of it.
    let usage = unsafe {
        libc::getrusage(libc::RUSAGE_THREAD, usage.as_mut_ptr());
        usage.assume_init()
    };
    let nanos = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Toil {
        waits: usage.ru_nvcsw as u64,
        faults: (usage.ru_minflt + usage.ru_majflt) as u64,
        nanos: nanos.tv_sec as u64 * 1_000_000_000 + nanos.tv_nsec as u64,
    }
}

/// What this thread did so far: unknown here.
#[cfg(not(target_os = "linux"))]
pub fn toil() -> Toil {
    Toil::default()
}

/// Threads that keep every processor busy, twice over.
#[derive(Debug)]
pub struct Load(Arc<AtomicBool>, Vec<JoinHandle<()>>);

impl Load {
    /// Until this is dropped.
    ///
    /// # Errors
    /// When the system grants no thread.
    pub fn start() -> Result<Self> {
        let on = Arc::new(AtomicBool::new(true));
        let count = 2 * std::thread::available_parallelism().map_or(2, usize::from);
        let mut threads = Vec::new();
        for _ in 0..count {
            let on = on.clone();
            let burn = move || {
                let mut number = 1.0_f64;
                while on.load(Ordering::Relaxed) {
                    number = black_box(number * 1.000_000_1 + 1e-9).min(1e9);
                }
            };
            threads.push(Builder::new().name("load".to_owned()).spawn(burn)?);
        }
        Ok(Self(on, threads))
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Relaxed);
        self.1.drain(..).for_each(|thread| _ = thread.join());
    }
}
