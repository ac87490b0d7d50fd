//! The plugin's real window on a display of its own (Xvfb), drawn by Mesa on the processor: it looks as its stored picture, and is
//! idle when nothing changes.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use send_learn_tests::process::{Process, wait_for};
use send_learn_tests::products;
use tempfile::TempDir;

/// How long the window may take to appear.
const APPEARS: Duration = Duration::from_secs(20);

/// How long its CPU time is measured, and the share that an idle window may take of what one takes in which all moves: how much that is
/// depends on the machine and on what else it does.
const WATCHED: Duration = Duration::from_secs(4);
const IDLE_SHARE: f64 = 0.4;

/// A colour that differs by more than this, of 255, is another.
const TOLERANCE: u8 = 24;

/// The states whose pictures the window is compared with.
const STATES: [&str; 8] = ["waiting", "live", "degraded", "catching-up", "no-receiver", "bypassed", "private", "offline-render"];

struct Display {
    number: String,
    // Ends before its folder goes.
    _server: Process,
    folder: TempDir,
}

impl Display {
    /// `None` where there is no Xvfb.
    fn open() -> Result<Option<Self>> {
        let folder = tempfile::tempdir()?;
        let mut command = Command::new("Xvfb");
        command.args(["-displayfd", "1", "-screen", "0", "560x610x24", "-nolisten", "tcp", "-fbdir"]).arg(folder.path());
        let Ok(mut server) = Process::start(command.stdout(Stdio::piped()).stderr(Stdio::null())) else { return Ok(None) };
        let mut number = String::new();
        BufReader::new(server.child().stdout.take().context("no output")?).read_line(&mut number)?;
        ensure!(!number.trim().is_empty(), "Xvfb does not start");
        Ok(Some(Self { number: number.trim().to_owned(), _server: server, folder }))
    }

    fn window(&self, state: &str) -> Result<Process> {
        let program = products::folder()?.join("examples/window");
        let mut command = Command::new(program);
        command.arg(state).env("DISPLAY", format!(":{}", self.number)).env_remove("WAYLAND_DISPLAY");
        command.env("XDG_CONFIG_HOME", self.folder.path()).env("LIBGL_ALWAYS_SOFTWARE", "1");
        Process::start(command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()))
    }

    /// What the display shows: red, green and blue, a byte each.
    fn picture(&self) -> Result<Vec<u8>> {
        let dump = fs::read(self.folder.path().join("Xvfb_screen0"))?;
        // An X window dump (XWDFile.h): words of 4 bytes, high byte first; the pixels stand behind the colour map.
        let word = |index: usize| -> Result<usize> {
            let bytes = dump.get(4 * index..4 * index + 4).context("a short dump")?;
            Ok(u32::from_be_bytes(bytes.try_into()?) as usize)
        };
        let (begin, width, height, line) = (word(0)? + 12 * word(19)?, word(4)?, word(5)?, word(12)?);
        ensure!(word(11)? == 32, "{} bits for a pixel", word(11)?);
        let rows = (0..height).map(|row| &dump[begin + row * line..begin + row * line + 4 * width]);
        Ok(rows.flat_map(|row| row.chunks_exact(4).flat_map(|pixel| [pixel[2], pixel[1], pixel[0]])).collect())
    }
}

fn stored(state: &str) -> Result<Vec<u8>> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(format!("../docs/images/plugin-{state}.png"));
    let failed = || format!("cannot read {}", path.display());
    let mut reader = png::Decoder::new(BufReader::new(fs::File::open(&path).with_context(failed)?)).read_info()?;
    let mut bytes = vec![0; reader.output_buffer_size().context("a picture without a size")?];
    reader.next_frame(&mut bytes)?;
    Ok(bytes)
}

/// The share of pixels that differ.
fn difference(one: &[u8], other: &[u8]) -> f64 {
    let pairs = one.chunks_exact(3).zip(other.chunks_exact(3));
    let differs = |(one, other): (&[u8], &[u8])| one.iter().zip(other).any(|(one, other)| one.abs_diff(*other) > TOLERANCE);
    pairs.filter(|(one, other)| differs((one, other))).count() as f64 / (one.len() / 3) as f64
}

/// CPU time of a process so far, in seconds.
fn toil(process: &mut Process) -> Result<f64> {
    let stat = fs::read_to_string(Path::new("/proc").join(process.child().id().to_string()).join("stat"))?;
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    // USER_HZ is 100 on every Linux that Rust runs on.
    Ok((fields[11].parse::<f64>()? + fields[12].parse::<f64>()?) / 100.0)
}

/// The share of a processor that a process takes.
fn share(process: &mut Process) -> Result<f64> {
    let (begin, before) = (Instant::now(), toil(process)?);
    thread::sleep(WATCHED);
    Ok((toil(process)? - before) / begin.elapsed().as_secs_f64())
}

#[test]
#[cfg(target_os = "linux")]
fn each_state_is_recognised_by_its_stored_picture_and_an_idle_window_rests() -> Result<()> {
    let Some(display) = Display::open()? else {
        println!("skipped: there is no Xvfb (Debian's package xvfb)");
        return Ok(());
    };
    let pictures: Vec<Vec<u8>> = STATES.iter().map(|state| stored(state)).collect::<Result<_>>()?;
    let mut moving = 0.0;
    for (index, state) in STATES.iter().enumerate() {
        let mut window = display.window(state)?;
        let lit = || display.picture().ok().filter(|picture| picture.iter().any(|byte| *byte > 100));
        wait_for(APPEARS, lit).with_context(|| format!("the window of {state} does not appear"))?;
        // Until all of it is drawn and the meters stand.
        thread::sleep(Duration::from_millis(1_200));
        let seen = display.picture()?;
        let differences: Vec<f64> = pictures.iter().map(|picture| difference(&seen, picture)).collect();
        let nearest = (0..STATES.len()).min_by(|one, other| differences[*one].total_cmp(&differences[*other]));
        println!("{state}: {:.2} % of the pixels differ from its picture", differences[index] * 100.0);
        ensure!(nearest == Some(index), "{state} looks like {:?}: {differences:?}", nearest.map(|nearest| STATES[nearest]));
        ensure!(differences[index] < 0.08, "{state} differs in {:.1} % of its pixels", differences[index] * 100.0);
        if *state == "live" {
            moving = share(&mut window)?;
            println!("while all moves, the window takes {:.1} % of a processor", moving * 100.0);
        }
        if *state == "bypassed" {
            thread::sleep(Duration::from_secs(9));
            let idle = share(&mut window)?;
            println!("idle, the window takes {:.2} % of a processor", idle * 100.0);
            ensure!(idle < IDLE_SHARE * moving, "an idle window takes {:.1} % of a processor", idle * 100.0);
        }
        drop(window);
        // The display is black again.
        wait_for(APPEARS, || display.picture().ok().filter(|picture| picture.iter().all(|byte| *byte < 100)));
    }
    Ok(())
}
