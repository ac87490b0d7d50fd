//! The console of `send-learn serve` on a terminal: a live table of the streams, the log above it, and a prompt below.

mod history;
mod line;
mod log;
mod screen;
mod words;

use std::io;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use anyhow::Context;
use ratatui::crossterm::event::{self, Event, KeyEventKind};
use rustix::process::{Pid, setpriority_process};
use send_learn::server::{Remote, Server};
use send_learn::settings::FILE_VARIABLE;
use send_learn::status::StreamStatus;

pub(super) use log::Log;

use super::{streams, table};
use line::{Edit, Line};
use screen::Screen;
use words::Asked;

/// The table is redrawn this often.
const REDRAW: Duration = Duration::from_millis(250);

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
pub(super) fn run(server: Server, data: &Path, config: Option<PathBuf>, log: Log, elsewhere: Elsewhere) -> anyhow::Result<()> {
    let remote = server.remote();
    let mut console = Console {
        head: format!(" Send Learn · {} · {}", server.address(), data.display()),
        data: data.to_owned(),
        config,
        log,
        elsewhere,
        remote: remote.clone(),
        line: Line::new(history::load()),
    };
    let server = thread::Builder::new().name("server".into()).spawn(move || server.run())?;
    let ran = console.run(&server);
    console.log.release();
    if let Err(error) = &ran {
        eprintln!("send-learn: the terminal failed ({error}); recording goes on until it is told to end");
        // As without a terminal: whoever started it ends it.
        while !remote.is_stopping() && !server.is_finished() {
            thread::sleep(REDRAW);
        }
    }
    remote.stop();
    let served = server.join().map_err(|_| anyhow::anyhow!("the network thread panicked"))?;
    served.context("the receiver failed; recordings are closed")
}

struct Console {
    head: String,
    data: PathBuf,
    /// The settings file that was named.
    config: Option<PathBuf>,
    log: Log,
    elsewhere: Elsewhere,
    remote: Remote,
    line: Line,
}

impl Console {
    fn run(&mut self, server: &JoinHandle<io::Result<()>>) -> io::Result<()> {
        let mut screen = self.open()?;
        while !self.remote.is_stopping() && !server.is_finished() {
            let status = self.remote.status();
            if screen.is_outgrown(status.streams.len()) {
                drop(screen);
                screen = self.open()?;
            }
            screen.print(&self.log.take())?;
            let head = format!("{} · {} ", self.head, streams::disk_words(&status.disk, &status.streams));
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
            history::save(self.line.history());
            screen.print(&[format!("> {entered}")])?;
            match words::read(&entered) {
                Asked::Nothing => {}
                Asked::Quit => break,
                Asked::Status => screen.print(&self.status(streams::lines))?,
                Asked::Streams => screen.print(&self.status(streams::identities))?,
                Asked::Rename(stream, name) => screen.print(&[self.rename(&stream, &name)])?,
                Asked::Help => {
                    let rows: Vec<Vec<String>> = words::HELP.iter().map(|row| row.map(str::to_owned).to_vec()).collect();
                    screen.print(&table::columns(&rows))?;
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
        let screen = Screen::open(self.remote.status().streams.len());
        if screen.is_ok() {
            self.log.hold();
        }
        screen
    }

    fn status(&self, table: impl Fn(&[StreamStatus]) -> Vec<String>) -> Vec<String> {
        let status = self.remote.status();
        if status.streams.is_empty() { vec![streams::NO_STREAM.to_owned()] } else { table(&status.streams) }
    }

    fn rename(&self, stream: &str, name: &str) -> String {
        match self.remote.rename(stream, name) {
            Ok(before) => table::clean(&format!("{} is called {name} from now on", before.name)),
            Err(error) => error.to_string(),
        }
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
        let mut program = Command::new(std::env::current_exe()?);
        program.args(words).env("SEND_LEARN_DATA", &self.data);
        program.envs(self.config.iter().map(|config| (FILE_VARIABLE, config)));
        let mut child: Child = program.spawn()?;
        // Where that is not allowed, it runs as it is.
        let _ = setpriority_process(Some(Pid::from_child(&child)), NICENESS);
        let status = loop {
            if let Some(status) = child.try_wait()? {
                break status;
            }
            if self.remote.is_stopping() {
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
