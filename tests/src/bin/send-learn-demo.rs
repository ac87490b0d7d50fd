//! The demo: receiver and viewer run as their own processes, a host plays music through the real plugin, and then what was
//! recorded is verified and compared with what was played. Ends with status 0 only if all of it holds. Whatever ends it, what it has
//! started ends too (kill -9: on Linux).

use std::env;
use std::fs::{self, File};
use std::io::{Write, stdout};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, bail};
use clap::Parser;
use send_learn_plugin::files::{Song, Wav};
use send_learn_tests::audio::Audio;
use send_learn_tests::leash;
use send_learn_tests::process::{Process, Receiver, end_all};
use send_learn_tests::products::Program;
use send_learn_tests::python::{Played, compare};
use send_learn_tests::score::Score;

/// How long the plugin may take to deliver what is left after the last note.
const DELIVERY: Duration = Duration::from_secs(60);

/// How long the viewer may take for its picture after that.
const PICTURE: Duration = Duration::from_secs(120);

/// The status of a program that was interrupted (128 and SIGINT).
const INTERRUPTED: i32 = 130;

/// How many folders of demos of the project's own piece are kept.
const KEPT: usize = 3;

/// How their names begin, and those of what a person's own files became.
const PIECE: &str = "piece";
const OWN: &str = "own";

/// Plays, records, shows and compares.
#[derive(Debug, Parser)]
#[command(version)]
struct Arguments {
    /// The folder of the built programs.
    #[arg(long)]
    programs: PathBuf,
    /// The plugin's CLAP bundle.
    #[arg(long)]
    plugin: PathBuf,
    /// The Python that has h5py, numpy, mido and soundfile.
    #[arg(long)]
    python: PathBuf,
    /// The viewer; without it nothing is shown.
    #[arg(long)]
    viewer: Option<PathBuf>,
    /// Where recordings and pictures go, each demo into a folder of its own.
    #[arg(long)]
    folder: PathBuf,
    /// The sound.
    #[arg(long, required_unless_present = "midi")]
    wav: Option<PathBuf>,
    /// MIDI, tempo and meter; without --wav a synthesizer sounds it.
    #[arg(long)]
    midi: Option<PathBuf>,
    /// The synthesizer's sounds.
    #[arg(long)]
    soundfont: Option<PathBuf>,
    /// What is played is the person's own: what is made of it stays until the person removes it.
    #[arg(long)]
    own: bool,
}

fn main() -> ExitCode {
    if let Err(error) = leash::follow() {
        eprintln!("{error:#}");
        return ExitCode::FAILURE;
    }
    let arguments = Arguments::parse();
    match run(&arguments) {
        Ok(failures) if failures.is_empty() => {
            println!("\nThe recording equals what was played.");
            if let Err(error) = remove_old(&arguments.folder) {
                println!("{error:#}");
            }
            ExitCode::SUCCESS
        }
        Ok(failures) => {
            println!("\nThe demo failed:");
            failures.iter().for_each(|failure| println!("- {failure}"));
            ExitCode::FAILURE
        }
        Err(error) => {
            println!("\nThe demo failed: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Runs the demo. Returns what did not hold, in words; an error is what kept it from going on.
fn run(arguments: &Arguments) -> Result<Vec<String>> {
    end_all_on_signals()?;
    // A file that cannot be read through is refused before anything starts.
    arguments.midi.as_deref().map(Song::open).transpose()?;
    arguments.wav.as_deref().map(Wav::open).transpose()?;
    let folder = own_folder(arguments)?;
    let mut failures = Vec::new();
    let mut note = |what: &str, result: Result<()>| {
        if let Err(error) = result {
            failures.push(format!("{what}: {error:#}"));
        }
    };

    let program = |program: Program| arguments.programs.join(program.file_name());
    let receiver = Receiver::start_by(leash::command(&program(Program::SendLearn))?, &folder, ([127, 0, 0, 1], 0).into(), &[])?;
    println!("The receiver listens on {}.", receiver.address());
    let mut view =
        arguments.viewer.as_deref().map(|viewer| View::open(viewer, &receiver, &folder, length(arguments)?)).transpose()?;

    let mut host = play(arguments, &program(Program::DemoHost), &receiver, &folder)?;
    println!("All is played; the plugin delivers the rest.");
    let recordings = receiver.finished(1, DELIVERY)?;
    drop(host.child().stdin.take());
    let status = host.wait(DELIVERY)?;
    note("the host", if status.success() { Ok(()) } else { Err(anyhow::anyhow!("it ended with {status}")) });
    if let Some(view) = &mut view {
        note("the viewer", view.close());
    }
    receiver.stop()?;

    let recording = recordings.first().context("no recording")?;
    println!("\nThe recording, as the receiver sees it:");
    note("send-learn info", shown(Command::new(program(Program::SendLearn)).arg("info").arg(recording)));
    note("send-learn verify", shown(Command::new(program(Program::SendLearn)).arg("verify").arg(recording)));

    println!("\nCompared with what was played, in Python with h5py and mido:");
    let (wav, log) = (folder.join("played.wav"), folder.join("played.json"));
    let played = Played { wav: Some(&wav), midi: arguments.midi.as_deref(), log: Some(&log) };
    note("the comparison", compare(&arguments.python, recording, played).map(|findings| print!("{findings}")));

    println!("\nrecording   {}\nplayed      {}", recording.display(), wav.display());
    if let Some(picture) = view.and_then(|view| view.picture) {
        println!("screenshot  {}", picture.display());
    }
    Ok(failures)
}

/// Whatever ends the demo by a signal also ends all that it has started.
fn end_all_on_signals() -> Result<()> {
    // Where the program that started the demo is ended alone, the demo is not left behind.
    #[cfg(target_os = "linux")]
    rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::TERM))?;
    let end = || {
        // The terminal may be gone.
        let _ = writeln!(stdout(), "\nstopped");
        end_all(INTERRUPTED)
    };
    ctrlc::set_handler(end).context("signals cannot be heeded")
}

/// Starts the host, and waits until it has played.
fn play(arguments: &Arguments, host: &Path, receiver: &Receiver, folder: &Path) -> Result<Process> {
    let mut command = leash::command(host)?;
    command.arg("--plugin").arg(&arguments.plugin).arg("--out").arg(folder);
    for (option, file) in [("--wav", &arguments.wav), ("--midi", &arguments.midi), ("--soundfont", &arguments.soundfont)] {
        if let Some(file) = file {
            command.arg(option).arg(file);
        }
    }
    command.env("SEND_LEARN_SERVER", receiver.address().to_string()).env("XDG_CONFIG_HOME", folder.join("config"));
    command.env("XDG_CACHE_HOME", folder.join("cache"));
    let mut process = Process::start(command.stdin(Stdio::piped()).stdout(Stdio::piped()))?;
    process.wait_for_line("played").context("the host did not play to the end")?;
    Ok(process)
}

/// How long the music is, in seconds.
fn length(arguments: &Arguments) -> Result<f64> {
    let sound = arguments.wav.as_deref().map(Audio::open).transpose()?;
    let score = arguments.midi.as_deref().map(|path| Score::open(path, 48_000)).transpose()?;
    let sound = sound.map_or(0.0, |audio| audio.frames() as f64 / f64::from(audio.rate));
    Ok(score.map_or(0.0, |score| score.end as f64 / f64::from(score.rate)).max(sound))
}

/// The viewer: a window where there is a display, else a picture.
struct View {
    process: Process,
    picture: Option<PathBuf>,
    messages: PathBuf,
}

impl View {
    fn open(viewer: &Path, receiver: &Receiver, folder: &Path, seconds: f64) -> Result<Self> {
        let set = |name: &str| env::var_os(name).is_some_and(|value| !value.is_empty());
        let window = (set("DISPLAY") || set("WAYLAND_DISPLAY") || cfg!(any(windows, target_os = "macos"))) && !set("CI");
        let picture = folder.join("screenshot.png");
        let messages = folder.join("viewer.log");
        let log = File::create(&messages).with_context(|| format!("cannot write {}", messages.display()))?;
        let mut command = leash::command(viewer)?;
        command.args(["--connect", &receiver.address().to_string()]).env("XDG_CONFIG_HOME", folder.join("config"));
        if window {
            println!("The viewer's window opens.");
        } else {
            // Late enough to show a good part, early enough that it still plays.
            let after = (seconds * 0.7).clamp(2.0, 15.0);
            println!("There is no display: the viewer takes a picture after {after:.0} s.");
            command.arg("--screenshot").arg(&picture).args(["--after", &format!("{after:.1}")]);
        }
        let process = Process::start(command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log))?;
        Ok(Self { process, picture: (!window).then_some(picture), messages })
    }

    /// Closes the window, or waits for the picture.
    fn close(&mut self) -> Result<()> {
        let said = |path: &Path| fs::read_to_string(path).unwrap_or_default();
        let Some(picture) = &self.picture else {
            return match self.process.child().try_wait()? {
                Some(status) if !status.success() => bail!("it ended with {status}. It said:\n{}", said(&self.messages)),
                _ => self.process.kill(),
            };
        };
        let status = self.process.wait(PICTURE)?;
        if !status.success() || !picture.exists() {
            bail!("it made no picture and ended with {status}. It said:\n{}", said(&self.messages));
        }
        Ok(())
    }
}

/// Runs a command with its output shown.
fn shown(command: &mut Command) -> Result<()> {
    let status = Process::start(command.stdin(Stdio::null()))?.wait(DELIVERY)?;
    if !status.success() {
        bail!("it ended with {status}");
    }
    Ok(())
}

/// A fresh folder for this demo.
fn own_folder(arguments: &Arguments) -> Result<PathBuf> {
    let seconds = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
    let own = arguments.folder.join(format!("{}-{seconds}", if arguments.own { OWN } else { PIECE }));
    fs::create_dir_all(&own).with_context(|| format!("cannot create {}", own.display()))?;
    Ok(own)
}

/// Removes what is left of the oldest demos of the project's own piece, and says so.
fn remove_old(folder: &Path) -> Result<()> {
    let is_of_the_piece =
        |path: &PathBuf| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(&format!("{PIECE}-")));
    let mut demos: Vec<PathBuf> = fs::read_dir(folder)?.flatten().map(|entry| entry.path()).filter(is_of_the_piece).collect();
    demos.sort();
    for old in demos.iter().take(demos.len().saturating_sub(KEPT)) {
        fs::remove_dir_all(old).with_context(|| format!("cannot remove {}", old.display()))?;
        println!("Removed {}: the last {KEPT} demos of the piece are kept.", old.display());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_demos_of_the_piece_go_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["piece-1", "piece-2", "piece-3", "piece-4", "own-1", "others"] {
            fs::create_dir(folder.path().join(name)).unwrap();
        }
        remove_old(folder.path()).unwrap();
        let mut left: Vec<_> = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        left.sort();
        assert_eq!(left, ["others", "own-1", "piece-2", "piece-3", "piece-4"]);
    }
}
