//! `send-learn serve` on a real terminal, as a person sees it: a pseudo-terminal, and a terminal emulator that draws what comes.

mod common;

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use common::*;
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcgetattr, tcsetwinsize};

const ROWS: u16 = 40;
const COLUMNS: u16 = 160;

/// A receiver on a terminal of its own.
struct Terminal {
    child: Child,
    keyboard: File,
    /// Another handle of the terminal's own side, to look at its modes.
    line: File,
    screen: Arc<Mutex<vt100::Parser>>,
}

impl Terminal {
    fn start(data: &std::path::Path) -> Self {
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&master).unwrap();
        unlockpt(&master).unwrap();
        tcsetwinsize(&master, Winsize { ws_row: ROWS, ws_col: COLUMNS, ws_xpixel: 0, ws_ypixel: 0 }).unwrap();
        let name = ptsname(&master, Vec::new()).unwrap().into_string().unwrap();
        let line = File::options().read(true).write(true).open(name).unwrap();
        let side = || Stdio::from(OwnedFd::from(line.try_clone().unwrap()));
        let child = Command::new(env!("CARGO_BIN_EXE_send-learn"))
            .env("XDG_CONFIG_HOME", "/nonexistent")
            .args(["serve", "--listen", "127.0.0.1:0", "--data"])
            .arg(data)
            .current_dir(data)
            .env("TERM", "xterm-256color")
            .env("SEND_LEARN_CONFIG", "/dev/null")
            .env("XDG_STATE_HOME", data.join("state"))
            .stdin(side())
            .stdout(side())
            .stderr(side())
            .spawn()
            .unwrap();
        let keyboard = File::from(master);
        let screen = Arc::new(Mutex::new(vt100::Parser::new(ROWS, COLUMNS, 2_000)));
        let (mut output, mut answers, drawn) = (keyboard.try_clone().unwrap(), keyboard.try_clone().unwrap(), Arc::clone(&screen));
        let draw = move || {
            let mut buffer = [0; 65_536];
            while let Ok(len @ 1..) = output.read(&mut buffer) {
                let mut screen = drawn.lock().unwrap();
                // One byte at a time, so that the cursor is where it was when the question came.
                for end in 1..=len {
                    screen.process(&buffer[end - 1..end]);
                    if buffer[..end].ends_with(b"\x1b[6n") {
                        let (row, column) = screen.screen().cursor_position();
                        answers.write_all(format!("\x1b[{};{}R", row + 1, column + 1).as_bytes()).unwrap();
                    }
                }
            }
        };
        thread::Builder::new().name("terminal".into()).spawn(draw).unwrap();
        Self { child, keyboard, line, screen }
    }

    fn type_text(&mut self, text: &str) {
        self.keyboard.write_all(text.as_bytes()).unwrap();
    }

    fn text(&self) -> String {
        self.screen.lock().unwrap().screen().contents()
    }

    /// Waits until the screen shows what is asked for, and gives it.
    fn see(&self, what: &str, shows: impl Fn(&str) -> bool) -> String {
        // An export takes a while where other work goes on.
        let deadline = Instant::now() + 3 * PATIENCE;
        loop {
            let text = self.text();
            if shows(&text) {
                return text;
            }
            assert!(Instant::now() < deadline, "{what} is not to be seen:\n{text}");
            thread::sleep(Duration::from_millis(20));
        }
    }

    fn see_text(&self, what: &str) -> String {
        self.see(what, |text| text.contains(what))
    }

    /// The address that the receiver told.
    fn address(&self) -> std::net::SocketAddr {
        let text = self.see_text("no stream is open");
        let line = text.lines().find_map(|line| line.strip_prefix("listening on ")).unwrap();
        line.trim().parse().unwrap()
    }

    fn wait(&mut self) -> std::process::ExitStatus {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(Instant::now() < deadline, "it does not end:\n{}", self.text());
            thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn streams_are_seen_live_and_the_prompt_runs_the_commands() {
    let data = tempfile::tempdir().unwrap();
    let mut terminal = Terminal::start(data.path());
    let before = tcgetattr(&terminal.line).unwrap();
    let mut player = Player::new(terminal.address(), "Lead vox", 2);
    player.play(150);
    player.turn_until_durable();
    let seen = terminal.see("the stream in the table", |text| {
        text.lines().any(|line| line.starts_with("1  Lead vox") && line.contains("recording") && line.contains("dB"))
    });
    assert!(seen.contains("STREAM") && seen.contains("GB free"), "{seen}");

    // Typed ahead in one go: nothing of it is lost.
    terminal.type_text("qual\t\rstatus\rhelp\r");
    terminal.see("all of it", |text| text.contains("> status") && text.contains("> help") && text.contains("report [--html]"));
    // The take is still open: quality says so, on lines of its own.
    terminal.see("what quality says", |text| {
        text.lines().any(|line| line.starts_with("send-learn: left out, because it is still being written"))
    });

    player.play(2_750);
    player.finish();
    complete_parts(data.path());
    terminal.see_text("no stream is open");
    terminal.type_text("export pytorch --own\r");
    terminal.see_text("sequences");
    terminal.type_text("report --html\r");
    terminal.see_text("training_report.html");
    assert!(data.path().join("send-learn-pytorch/pytorch_dataset.pt").is_file());
    assert!(data.path().join("training_report.json").is_file());
    terminal.type_text("nonsense\r");
    terminal.see_text("there is no command `nonsense`; try `help`");

    terminal.type_text("quit\r");
    assert!(terminal.wait().success());
    terminal.see_text("all recordings are closed");
    let history = std::fs::read_to_string(data.path().join("state/send-learn/history")).unwrap();
    assert!(history.starts_with("quality\nstatus\n") && history.ends_with("nonsense\nquit\n"), "{history}");
    let after = tcgetattr(&terminal.line).unwrap();
    assert_eq!((before.local_modes, before.input_modes), (after.local_modes, after.input_modes), "the terminal is as it was");
}

#[test]
fn a_stream_is_called_something_else_now_and_in_its_takes_to_come() {
    let data = tempfile::tempdir().unwrap();
    let mut terminal = Terminal::start(data.path());
    let mut player = Player::new(terminal.address(), "Track 3", 2);
    player.play(100);
    player.turn_until_durable();
    terminal.see("the stream in the table", |text| text.lines().any(|line| line.starts_with("1  Track 3")));
    terminal.type_text("rename 'Track 4' Bass\r");
    terminal.see_text("no open stream is called");
    terminal.type_text("rename 1 Upright bass\r");
    terminal.see_text("Track 3 is called Upright bass from now on");
    terminal.see("the new name in the table", |text| text.lines().any(|line| line.starts_with("1  Upright bass")));
    terminal.type_text("streams\r");
    terminal.see_text(&player.sender.description().stream.to_string());
    player.play(20);
    player.finish();
    let part = complete_parts(data.path()).remove(0);
    assert_eq!(send_learn::store::Recording::open(&part).unwrap().summary.name, "Upright bass");
    assert_eq!(assert_holds_what_was_played(&part), 120 * 512);
    terminal.see_text("no stream is open");

    // The next take of the same plugin, after a restart.
    terminal.type_text("quit\r");
    assert!(terminal.wait().success());
    let server = Server::start(data.path(), "127.0.0.1:0");
    let mut again = Player::another_take(&player, server.address);
    again.play(20);
    again.turn_until_durable();
    let folders = send_learn::take::folders(data.path()).unwrap();
    assert!(folders.iter().any(|folder| folder.to_string_lossy().contains("-Upright-bass-")), "{folders:?}");
    let named =
        send_learn::take::Take::load(folders.iter().find(|folder| folder.to_string_lossy().contains("Upright")).unwrap()).unwrap();
    assert_eq!(named.name(), "Upright bass");
}

#[test]
fn ctrl_c_ends_the_receiver_and_closes_its_recordings() {
    let data = tempfile::tempdir().unwrap();
    let mut terminal = Terminal::start(data.path());
    let mut player = Player::new(terminal.address(), "Bass", 1);
    player.play(50);
    player.turn_until_durable();
    terminal.type_text("half a line");
    terminal.see_text("> half a line");
    // The first throws the line away.
    terminal.type_text("\x03");
    terminal.see("the line thrown away", |text| !text.contains("half a line"));
    assert!(terminal.child.try_wait().unwrap().is_none());
    terminal.type_text("\x03");
    assert!(terminal.wait().success());
    assert_eq!(assert_holds_what_was_played(&parts(data.path())[0]), 50 * 512);
}

#[test]
fn a_receiver_that_is_told_to_end_leaves_the_terminal_as_it_was() {
    let data = tempfile::tempdir().unwrap();
    let mut terminal = Terminal::start(data.path());
    let before = tcgetattr(&terminal.line).unwrap();
    terminal.address();
    let pid = rustix::process::Pid::from_child(&terminal.child);
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    assert!(terminal.wait().success());
    assert_eq!(before.local_modes, tcgetattr(&terminal.line).unwrap().local_modes);
}
