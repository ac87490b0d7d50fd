//! The processes of a test: started on ports of their own, watched, and gone when the test is.

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{self, Child, Command, ExitStatus, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail};

use crate::leash;

/// How often something that another process does is looked for.
const GLANCE: Duration = Duration::from_millis(20);

/// How long a receiver may take to say that it listens, or to close.
const RECEIVER_TIME: Duration = Duration::from_secs(20);

/// The processes that run, by the numbers that the system gave them.
static RUNNING: Mutex<Vec<u32>> = Mutex::new(Vec::new());

fn running() -> MutexGuard<'static, Vec<u32>> {
    RUNNING.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Ends this process with `status`, and before it all that it has started: for the one whom a signal ends.
pub fn end_all(status: i32) -> ! {
    // Held to the end: nothing is started meanwhile.
    let running = running();
    // On Windows, Ctrl-C reaches all of them.
    #[cfg(unix)]
    for id in running.iter().filter_map(|id| rustix::process::Pid::from_raw(*id as i32)) {
        // It may have ended this very moment.
        let _ = rustix::process::kill_process(id, rustix::process::Signal::KILL);
    }
    let _held = running;
    process::exit(status)
}

/// A process that does not outlive this value.
#[derive(Debug)]
pub struct Process {
    child: Child,
    name: String,
}

impl Process {
    /// Starts `command`.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn start(command: &mut Command) -> Result<Self> {
        let name = leash::program(command).file_name().unwrap_or_default().to_string_lossy().into_owned();
        let mut running = running();
        let child = command.spawn().with_context(|| format!("cannot start {name}"))?;
        running.push(child.id());
        Ok(Self { child, name })
    }

    /// The process itself.
    pub fn child(&mut self) -> &mut Child {
        &mut self.child
    }

    /// Waits for its end.
    ///
    /// # Errors
    /// When it does not end within `limit`.
    pub fn wait(&mut self, limit: Duration) -> Result<ExitStatus> {
        let child = &mut self.child;
        let status = wait_for(limit, || child.try_wait().ok().flatten())
            .ok_or_else(|| anyhow!("{} has not ended after {limit:?}", self.name))?;
        self.forget();
        Ok(status)
    }

    /// Waits for its end, however long that takes.
    fn await_end(&mut self) -> io::Result<ExitStatus> {
        let status = self.child.wait()?;
        self.forget();
        Ok(status)
    }

    /// It has ended, and its number may be another's from now on.
    fn forget(&self) {
        running().retain(|id| *id != self.child.id());
    }

    /// Waits until it writes `line` to its standard output, which must be piped.
    ///
    /// # Errors
    /// When its output ends before that; the message holds its last line.
    pub fn wait_for_line(&mut self, line: &str) -> Result<()> {
        let output = self.child.stdout.take().context("its output is not piped")?;
        let mut last = String::new();
        for read in BufReader::new(output).lines().map_while(Result::ok) {
            if read == line {
                return Ok(());
            }
            last = read;
        }
        let status = self.await_end()?;
        match last.as_str() {
            "" => bail!("{} ended with {status}", self.name),
            last => bail!("{last}"),
        }
    }

    /// Waits until it says `played` on its standard output, which must be piped. Gives the line before that.
    ///
    /// # Errors
    /// When its output ends before that.
    pub fn report(&mut self) -> Result<String> {
        let output = self.child.stdout.take().context("its output is not piped")?;
        let mut before = String::new();
        for line in BufReader::new(output).lines() {
            match line? {
                line if line == "played" => return Ok(before),
                line => before = line,
            }
        }
        let status = self.await_end()?;
        bail!("{} ended with {status}", self.name)
    }

    /// Stops it where it stands, as a debugger does, or lets it go on.
    ///
    /// # Errors
    /// When the signal cannot be sent.
    #[cfg(unix)]
    pub fn freeze(&mut self, frozen: bool) -> Result<()> {
        use rustix::process::Signal;
        self.signal(if frozen { Signal::STOP } else { Signal::CONT })
    }

    /// Presses Ctrl-C.
    ///
    /// # Errors
    /// When the signal cannot be sent.
    #[cfg(unix)]
    pub fn interrupt(&mut self) -> Result<()> {
        self.signal(rustix::process::Signal::INT)
    }

    /// Sends it a signal.
    ///
    /// # Errors
    /// When the signal cannot be sent.
    #[cfg(unix)]
    pub fn signal(&mut self, signal: rustix::process::Signal) -> Result<()> {
        use rustix::process::{Pid, kill_process};
        kill_process(Pid::from_child(&self.child), signal).with_context(|| format!("cannot send {signal:?} to {}", self.name))
    }

    /// Asks it to end, as Ctrl-C does.
    ///
    /// # Errors
    /// When the signal cannot be sent.
    pub fn terminate(&mut self) -> Result<()> {
        #[cfg(unix)]
        let asked = rustix::process::kill_process(rustix::process::Pid::from_child(&self.child), rustix::process::Signal::TERM);
        #[cfg(not(unix))]
        let asked = self.child.kill();
        asked.with_context(|| format!("cannot stop {}", self.name))
    }

    /// Ends it at once, without a chance to clean up: kill -9.
    ///
    /// # Errors
    /// When it cannot be killed.
    pub fn kill(&mut self) -> Result<()> {
        self.child.kill().with_context(|| format!("cannot kill {}", self.name))?;
        self.await_end().with_context(|| format!("{} does not end", self.name))?;
        Ok(())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended long ago; then there is nothing to do.
        let _ = self.child.kill();
        let _ = self.await_end();
    }
}

/// A running receiver.
#[derive(Debug)]
pub struct Receiver {
    process: Process,
    address: SocketAddr,
    data: PathBuf,
    messages: PathBuf,
}

impl Receiver {
    /// Starts `program serve` on a free port of 127.0.0.1. Recordings go to `folder/data`, messages to `folder`.
    ///
    /// # Errors
    /// When it does not come up; the message holds what it said.
    pub fn start(program: &Path, folder: &Path) -> Result<Self> {
        Self::start_at(program, folder, SocketAddr::from(([127, 0, 0, 1], 0)))
    }

    /// As [`Receiver::start`], on a certain address.
    ///
    /// # Errors
    /// As [`Receiver::start`].
    pub fn start_at(program: &Path, folder: &Path, listen: SocketAddr) -> Result<Self> {
        Self::start_by(Command::new(program), folder, listen, &[])
    }

    /// As [`Receiver::start_at`], by a command that runs the program in some place, with more options.
    ///
    /// # Errors
    /// As [`Receiver::start`].
    pub fn start_by(mut command: Command, folder: &Path, listen: SocketAddr, options: &[&str]) -> Result<Self> {
        let data = folder.join("data");
        fs::create_dir_all(&data).with_context(|| format!("cannot create {}", data.display()))?;
        let messages = folder.join("receiver.log");
        let log = File::options().create(true).append(true).open(&messages)?;
        command.args(["serve", "--listen", &listen.to_string(), "--data"]).arg(&data).args(options);
        // Settings, and the key, are those of the folder.
        command.env("SEND_LEARN_CONFIG", "/dev/null").env("XDG_CONFIG_HOME", folder.join("config"));
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(log);
        let mut process = Process::start(&mut command)?;
        let address = announced_address(&mut process).with_context(|| {
            format!("the receiver did not come up. It said:\n{}", fs::read_to_string(&messages).unwrap_or_default())
        })?;
        Ok(Self { process, address, data, messages })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its data folder.
    pub fn data(&self) -> &Path {
        &self.data
    }

    /// The last of what it said on its standard error.
    pub fn messages(&self) -> String {
        last_lines(&self.messages)
    }

    /// Its process.
    pub fn process(&mut self) -> &mut Process {
        &mut self.process
    }

    /// Closes it as Ctrl-C does.
    ///
    /// # Errors
    /// When it does not end, or not with status 0.
    pub fn stop(mut self) -> Result<()> {
        self.process.terminate()?;
        let status = self.process.wait(RECEIVER_TIME)?;
        if !status.success() {
            bail!("the receiver ended with {status}. It said:\n{}", self.messages());
        }
        Ok(())
    }

    /// Waits until `count` recordings are finished and none is open.
    ///
    /// # Errors
    /// When that takes longer than `limit`; the message holds what is there and what the receiver said.
    pub fn finished(&self, count: usize, limit: Duration) -> Result<Vec<PathBuf>> {
        let finished = wait_for(limit, || {
            let (closed, open) = recordings(&self.data);
            (closed.len() >= count && open.is_empty()).then_some(closed)
        });
        finished.ok_or_else(|| {
            let (closed, open) = recordings(&self.data);
            anyhow!(
                "after {limit:?} there are {} finished recordings of {count}, and {} open ones. The receiver said:\n{}",
                closed.len(),
                open.len(),
                self.messages()
            )
        })
    }
}

/// The recordings below `folder`: finished ones, and those that are being written.
pub fn recordings(folder: &Path) -> (Vec<PathBuf>, Vec<PathBuf>) {
    let (mut closed, mut open) = (Vec::new(), Vec::new());
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
            let path = entry.path();
            match path.extension().and_then(|extension| extension.to_str()) {
                _ if path.is_dir() => folders.push(path),
                Some("h5") => closed.push(path),
                Some("part") => open.push(path),
                _ => {}
            }
        }
    }
    closed.sort();
    (closed, open)
}

/// Asks for something every few milliseconds until it is there or `limit` is over.
pub fn wait_for<T>(limit: Duration, mut ask: impl FnMut() -> Option<T>) -> Option<T> {
    let begun = Instant::now();
    loop {
        if let Some(answer) = ask() {
            return Some(answer);
        }
        if begun.elapsed() > limit {
            return None;
        }
        thread::sleep(GLANCE);
    }
}

/// The last lines of a file, as many as fit on a screen.
fn last_lines(path: &Path) -> String {
    let text = fs::read_to_string(path).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(15)..].join("\n")
}

/// Reads `listening on ADDRESS` from the receiver's output, and goes on reading so that it can never be blocked by it.
fn announced_address(process: &mut Process) -> Result<SocketAddr> {
    let output = process.child.stdout.take().context("no output")?;
    let (announce, announced) = mpsc::sync_channel(1);
    let read = move || {
        for line in BufReader::new(output).lines().map_while(Result::ok) {
            if let Some(address) = line.strip_prefix("listening on ") {
                let _ = announce.try_send(address.trim().parse::<SocketAddr>());
            }
        }
    };
    thread::Builder::new().name("receiver output".to_owned()).spawn(read)?;
    // Disconnected: it ended without a word.
    Ok(announced.recv_timeout(RECEIVER_TIME).map_err(|_| anyhow!("it announced no address"))??)
}
