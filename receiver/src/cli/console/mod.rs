//! The console of `send-learn serve` on a terminal: a live table of the streams, the log above it, and a prompt below.

mod line;
mod log;
mod screen;
mod table;
mod words;

use std::io;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::Context;
use ratatui::crossterm::event::{self, Event, KeyEventKind};
use rustix::process::{Pid, setpriority_process};
use send_learn::server::{Server, Stop};
use send_learn::status::Board;

pub(super) use log::Log;

use line::{Edit, Line};
use screen::Screen;
use words::Asked;

/// The table is redrawn this often.
const REDRAW: Duration = Duration::from_millis(250);

/// The free space of the disk is looked up this often.
const LOOK_AT_DISK: Duration = Duration::from_secs(5);

/// Programs that are run from the prompt leave the processor to the recording.
const NICENESS: i32 = 10;

/// While a program that was run from the prompt has the terminal, Ctrl-C is for that program alone.
#[derive(Clone, Debug, Default)]
pub(super) struct Elsewhere(Arc<AtomicBool>);

impl Elsewhere {
    /// Whether a program has the terminal.
    pub(super) fn is_set(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}

/// Runs the server on a thread of its own, and the console on this one, until either ends.
///
/// # Errors
/// What the operating system says about the terminal, or the server about its end. Recordings are closed in both cases.
pub(super) fn run(server: Server, data: PathBuf, log: Log, elsewhere: Elsewhere) -> anyhow::Result<()> {
    let stop = server.stopper();
    let mut console = Console {
        head: format!(" Send Learn · {} · {}", server.address(), data.display()),
        board: server.board(),
        disk: Disk::default(),
        data,
        log,
        elsewhere,
        stop: stop.clone(),
        line: Line::default(),
    };
    let server = thread::Builder::new().name("server".into()).spawn(move || server.run())?;
    let ran = console.run(&server);
    console.log.release();
    if let Err(error) = &ran {
        eprintln!("send-learn: the terminal failed ({error}); recording goes on until it is told to end");
        // As without a terminal: whoever started it ends it.
        while !stop.is_asked() && !server.is_finished() {
            thread::sleep(REDRAW);
        }
    }
    stop.stop();
    let served = server.join().map_err(|_| anyhow::anyhow!("the network thread panicked"))?;
    served.context("the receiver failed; recordings are closed")
}

struct Console {
    head: String,
    board: Board,
    disk: Disk,
    data: PathBuf,
    log: Log,
    elsewhere: Elsewhere,
    stop: Stop,
    line: Line,
}

impl Console {
    fn run(&mut self, server: &JoinHandle<io::Result<()>>) -> io::Result<()> {
        let mut screen = self.open()?;
        while !self.stop.is_asked() && !server.is_finished() {
            let status = self.board.latest();
            if screen.is_outgrown(status.streams.len()) {
                drop(screen);
                screen = self.open()?;
            }
            screen.print(&self.log.take())?;
            let head = format!("{} · {} ", self.head, self.disk.words(&self.data));
            screen.draw(&head, &status, &self.line)?;
            if !event::poll(REDRAW)? {
                continue;
            }
            let entered = match event::read()? {
                Event::Key(key) if key.kind != KeyEventKind::Release => match self.line.key(key, words::following) {
                    Edit::Typed => continue,
                    Edit::Leave => break,
                    Edit::Choices(choices) => {
                        screen.print(&[choices.join("  ")])?;
                        continue;
                    }
                    Edit::Entered(line) => line,
                },
                Event::Paste(text) => {
                    self.line.paste(&text);
                    continue;
                }
                _ => continue,
            };
            screen.print(&[format!("> {entered}")])?;
            match words::read(&entered) {
                Asked::Nothing => {}
                Asked::Quit => break,
                Asked::Status => screen.print(&self.status())?,
                Asked::Help => {
                    let rows: Vec<Vec<String>> = words::HELP.iter().map(|row| row.map(str::to_owned).to_vec()).collect();
                    screen.print(&crate::cli::table::columns(&rows))?;
                }
                Asked::Unclear(why) => screen.print(&[why])?,
                Asked::Run(words) => {
                    drop(screen);
                    self.run_program(&words);
                    screen = self.open()?;
                }
            }
        }
        Ok(())
    }

    /// Takes the terminal, and the log with it.
    fn open(&self) -> io::Result<Screen> {
        let screen = Screen::open(self.board.latest().streams.len());
        if screen.is_ok() {
            self.log.hold();
        }
        screen
    }

    fn status(&self) -> Vec<String> {
        let status = self.board.latest();
        if status.streams.is_empty() { vec![table::NO_STREAM.to_owned()] } else { table::lines(&status.streams) }
    }

    /// Runs a command of this program as a process of its own, which has the terminal while it lasts: whatever becomes of it,
    /// the recording goes on.
    fn run_program(&self, words: &[String]) {
        self.log.release();
        self.elsewhere.0.store(true, Ordering::Release);
        if let Err(error) = self.wait_for_program(words) {
            eprintln!("send-learn: cannot run {}: {error}", words.join(" "));
        }
        self.elsewhere.0.store(false, Ordering::Release);
    }

    fn wait_for_program(&self, words: &[String]) -> io::Result<()> {
        let mut child: Child = Command::new(std::env::current_exe()?).args(words).env("SEND_LEARN_DATA", &self.data).spawn()?;
        // Where that is not allowed, it runs as it is.
        let _ = setpriority_process(Some(Pid::from_child(&child)), NICENESS);
        let status = loop {
            if let Some(status) = child.try_wait()? {
                break status;
            }
            if self.stop.is_asked() {
                child.kill()?;
            }
            thread::sleep(Duration::from_millis(30));
        };
        if !status.success() {
            eprintln!("({} ended with {status})", words[0]);
        }
        Ok(())
    }
}

/// The room that is left on the disk of the recordings.
#[derive(Default)]
struct Disk {
    looked: Option<Instant>,
    free: Option<u64>,
}

impl Disk {
    fn words(&mut self, data: &Path) -> String {
        if self.looked.is_none_or(|looked| looked.elapsed() >= LOOK_AT_DISK) {
            self.looked = Some(Instant::now());
            self.free = rustix::fs::statvfs(data).ok().map(|disk| disk.f_bavail.saturating_mul(disk.f_frsize));
        }
        self.free.map_or_else(|| "disk unknown".to_owned(), |bytes| format!("{:.1} GB free", bytes as f64 / 1e9))
    }
}
