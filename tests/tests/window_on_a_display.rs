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
const STATES: [&str; 9] =
    ["waiting", "live", "degraded", "catching-up", "no-receiver", "disk-full", "bypassed", "private", "offline-render"];

struct Display {
    number: String,
    /// Pixels for each of the window's own, in width and height.
    density: usize,
    // Ends before its folder goes.
    _server: Process,
    folder: TempDir,
}

impl Display {
    /// `None` where there is no Xvfb.
    fn open(density: usize) -> Result<Option<Self>> {
        let folder = tempfile::tempdir()?;
        fs::write(folder.path().join("resources"), format!("Xft.dpi: {}\n", 96 * density))?;
        let mut command = Command::new("Xvfb");
        let screen = format!("{}x{}x24", 560 * density, 610 * density);
        command.args(["-displayfd", "1", "-screen", "0", &screen, "-nolisten", "tcp", "-fbdir"]).arg(folder.path());
        let Ok(mut server) = Process::start(command.stdout(Stdio::piped()).stderr(Stdio::null())) else { return Ok(None) };
        let mut number = String::new();
        BufReader::new(server.child().stdout.take().context("no output")?).read_line(&mut number)?;
        ensure!(!number.trim().is_empty(), "Xvfb does not start");
        Ok(Some(Self { number: number.trim().to_owned(), density, _server: server, folder }))
    }

    fn window(&self, state: &str) -> Result<Process> {
        let program = products::folder()?.join("examples/window");
        let mut command = Command::new(program);
        command.arg(state).env("DISPLAY", format!(":{}", self.number)).env_remove("WAYLAND_DISPLAY");
        command.env("XDG_CONFIG_HOME", self.folder.path()).env("LIBGL_ALWAYS_SOFTWARE", "1");
        command.env("XENVIRONMENT", self.folder.path().join("resources"));
        Process::start(command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()))
    }

    /// What the display shows, as large as at a density of 1: red, green and blue, a byte each.
    fn picture(&self) -> Result<Vec<u8>> {
        let dump = fs::read(self.folder.path().join("Xvfb_screen0"))?;
        // An X window dump (XWDFile.h): words of 4 bytes, high byte first; the pixels stand behind the colour map.
        let word = |index: usize| -> Result<usize> {
            let bytes = dump.get(4 * index..4 * index + 4).context("a short dump")?;
            Ok(u32::from_be_bytes(bytes.try_into()?) as usize)
        };
        let (begin, width, height, line) = (word(0)? + 12 * word(19)?, word(4)?, word(5)?, word(12)?);
        ensure!(word(11)? == 32, "{} bits for a pixel", word(11)?);
        let density = self.density;
        let mean = |row: usize, column: usize, colour: usize| {
            let places = (0..density * density).map(|n| (row * density + n / density, column * density + n % density));
            let sum: usize = places.map(|(y, x)| usize::from(dump[begin + y * line + 4 * x + colour])).sum();
            (sum / (density * density)) as u8
        };
        let places = (0..height / density).flat_map(|row| (0..width / density).map(move |column| (row, column)));
        Ok(places.flat_map(|(row, column)| [2, 1, 0].map(|colour| mean(row, column, colour))).collect())
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
    let Some(display) = Display::open(1)? else {
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

#[test]
#[cfg(target_os = "linux")]
fn on_a_dense_display_the_window_is_drawn_larger_and_looks_the_same() -> Result<()> {
    let Some(display) = Display::open(2)? else {
        println!("skipped: there is no Xvfb (Debian's package xvfb)");
        return Ok(());
    };
    let stored = stored("bypassed")?;
    let _window = display.window("bypassed")?;
    let alike = || display.picture().ok().map(|picture| difference(&picture, &stored)).filter(|differing| *differing < 0.08);
    let differing = wait_for(APPEARS, alike).context("the window does not look as its stored picture")?;
    println!("{:.2} % of the pixels differ", differing * 100.0);
    Ok(())
}
