//! How fast do features come? Seconds of audio per second of CPU time: Send Learn on one thread and on all cores, and librosa on
//! one thread with one shared Fourier transform, on the same samples in the same run. And what memory a long take needs.
//!
//!     cargo bench -p send-learn-benches --bench dataset [-- SECONDS]
//!
//! Both make all features, of eight kinds: MFCC, chroma, spectral centroid, bandwidth, rolloff and flatness, zero crossings,
//! RMS; and the mel spectrum and onset strength besides. The Fourier transforms alone, by a general library, are a row for scale.
//! All rows are measured in turn, again and again, so that what else the machine does meets all alike. Librosa runs in the Python that `SEND_LEARN_PYTHON` names; without it, its row is left out.

use std::hint::black_box;
use std::io::{BufRead, BufReader, Lines, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};
use std::{fmt, fs, thread};

use anyhow::{Context, Result, bail, ensure};
use realfft::RealFftPlanner;
use rustix::time::{ClockId, clock_gettime};
use send_learn::features::{Extractor, Floor, Plan, Row, Settings, extract};
use send_learn_benches::process::Usage;
use tempfile::TempDir;

const RATE: u32 = 48_000;

/// Each figure is the median of so many runs, beside the slowest and the fastest.
const RUNS: usize = 9;

/// Times librosa on the samples of a file, in CPU seconds: once to compile and load, then whenever a line is read.
const LIBROSA: &str = "
import sys, time
sys.path.insert(0, sys.argv[1])
import numpy as np
from librosa_reference import features
y = np.fromfile(sys.argv[2], dtype='<f4')
def run():
    begin = time.process_time()
    features(y, float(sys.argv[3]), 2048, 512, 128, 13, 12)
    return time.process_time() - begin
run()
print('ready', flush=True)
for line in sys.stdin:
    print(run(), flush=True)
";

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let seconds = match &arguments[..] {
        [] => 120,
        [seconds] => seconds.parse().context("give a number of seconds")?,
        _ => bail!("usage: cargo bench -p send-learn-benches --bench dataset [-- SECONDS]"),
    };
    let samples = music(seconds);
    let plan = Plan::new(Settings::new(f64::from(RATE)))?;
    println!("on {}:", processor());
    println!("mel spectrum, MFCC, chroma, centroid, bandwidth, rolloff, flatness, zero crossings, RMS and onset strength");
    println!("of {seconds} s of audio, mono, {RATE} Hz; the median of {RUNS} runs, and the slowest and fastest\n");
    println!("| what | seconds of audio per second |\n| --- | --- |");

    let cores = thread::available_parallelism()?.get();
    let mut librosa = std::env::var_os("SEND_LEARN_PYTHON").map(|python| Librosa::new(Path::new(&python), &samples)).transpose()?;
    let (mut one, mut all, mut transforms, mut theirs) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for _ in 0..RUNS {
        one.push(cpu_of(|| {
            black_box(extract(&plan, &samples)?);
            Ok(())
        })?);
        all.push(on_all_cores(cores, &plan, &samples)?);
        transforms.push(cpu_of(|| bare_transforms(&plan, &samples))?);
        if let Some(librosa) = &mut librosa {
            theirs.push(librosa.run()?);
        }
    }
    let per_second =
        |times: &[Duration], work: f64| spread(times.iter().map(|time| work * f64::from(seconds) / time.as_secs_f64()).collect());
    println!("| one thread, CPU time | {:.0} |", per_second(&one, 1.0));
    println!("| {cores} takes on {cores} cores, wall time | {:.0} |", per_second(&all, cores as f64));
    println!("| the Fourier transforms alone, by realfft, CPU time | {:.0} |", per_second(&transforms, 1.0));

    let before = Usage::own()?.peak_mb;
    let long = cpu_of(|| three_hours(&plan, &samples))?;
    let grown = Usage::own()?.peak_mb - before;
    println!("| three hours in one pass, once, CPU time | {:.0}, {grown:.1} MB more memory |", 3.0 * 3600.0 / long.as_secs_f64());

    if librosa.is_some() {
        println!("| librosa, one thread, CPU time | {:.0} |", per_second(&theirs, 1.0));
        let times = theirs.iter().zip(&one).map(|(theirs, ours)| theirs.as_secs_f64() / ours.as_secs_f64());
        println!("\none thread is {:.1} times as fast as librosa", spread(times.collect()));
    } else {
        println!("\nlibrosa was left out: SEND_LEARN_PYTHON names no Python that has it");
    }
    Ok(())
}

/// What was measured in several runs.
struct Spread {
    median: f64,
    slowest: f64,
    fastest: f64,
}

fn spread(mut figures: Vec<f64>) -> Spread {
    figures.sort_by(f64::total_cmp);
    Spread { median: figures[figures.len() / 2], slowest: figures[0], fastest: figures[figures.len() - 1] }
}

impl fmt::Display for Spread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = f.precision().unwrap_or(1);
        write!(f, "{:.digits$} ({:.digits$} to {:.digits$})", self.median, self.slowest, self.fastest)
    }
}

/// The processor's model, as Linux names it.
fn processor() -> String {
    let info = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let field = |name: &str| info.lines().find(|line| line.starts_with(name)).and_then(|line| line.split_once(": "));
    let value = |name: &str| field(name).map_or("unknown", |(_, value)| value.trim());
    format!("{} (family {}, model {})", value("model name"), value("cpu family"), value("model\t"))
}

fn cpu_of(run: impl FnOnce() -> Result<()>) -> Result<Duration> {
    let begin = cpu_time();
    run()?;
    Ok(cpu_time() - begin)
}

/// As many transforms as the take has frames, in double precision, with no window and nothing made of them.
fn bare_transforms(plan: &Plan, samples: &[f32]) -> Result<()> {
    let transform = RealFftPlanner::<f64>::new().plan_fft_forward(plan.settings().n_fft);
    let (mut spectrum, mut scratch) = (transform.make_output_vec(), transform.make_scratch_vec());
    let mut frame = transform.make_input_vec();
    for _ in 0..plan.settings().frames(samples.len() as u64) {
        frame.fill(0.5);
        transform.process_with_scratch(black_box(&mut frame), &mut spectrum, &mut scratch)?;
        black_box(&spectrum);
    }
    Ok(())
}

/// A take on every core at once, as an export does it.
fn on_all_cores(cores: usize, plan: &Arc<Plan>, samples: &[f32]) -> Result<Duration> {
    let begin = Instant::now();
    thread::scope(|scope| {
        let takes: Vec<_> = (0..cores).map(|_| scope.spawn(|| extract(plan, samples).map(black_box))).collect();
        takes.into_iter().try_for_each(|take| take.join().expect("no panic").map(drop))
    })?;
    Ok(begin.elapsed())
}

/// A take of three hours, as it streams by: the samples over and over, a second at a time.
fn three_hours(plan: &Arc<Plan>, samples: &[f32]) -> Result<()> {
    let mut extractor = Extractor::new(plan.clone(), Floor::SoFar);
    let mut rows = 0_u64;
    let mut give = |row: Row<'_>| rows += u64::from(black_box(row).onset >= 0.0);
    for second in samples.chunks(RATE as usize).cycle().take(3 * 3600) {
        extractor.push(second, &mut give)?;
    }
    extractor.finish(&mut give);
    ensure!(rows == plan.settings().frames(3 * 3600 * u64::from(RATE)), "{rows} rows");
    Ok(())
}

/// The CPU time of this thread so far. What the kernel's tables say of it goes in steps of a timer's tick, too coarse here.
fn cpu_time() -> Duration {
    let now = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(now.tv_sec as u64, now.tv_nsec as u32)
}

/// A Python that has librosa and the samples, and waits.
struct Librosa {
    python: Child,
    ask: ChildStdin,
    answers: Lines<BufReader<ChildStdout>>,
    _folder: TempDir,
}

impl Librosa {
    fn new(python: &Path, samples: &[f32]) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let file = folder.path().join("take.f32");
        fs::write(&file, samples.iter().flat_map(|sample| sample.to_le_bytes()).collect::<Vec<u8>>())?;
        let reference = Path::new(env!("CARGO_MANIFEST_DIR")).join("../receiver/tests");
        let mut python = Command::new(python)
            .args(["-c", LIBROSA])
            .args([&reference, &file])
            .arg(RATE.to_string())
            .envs(["OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"].map(|name| (name, "1")))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .context("SEND_LEARN_PYTHON does not start")?;
        let ask = python.stdin.take().context("Python has no stdin")?;
        let answers = BufReader::new(python.stdout.take().context("Python has no stdout")?).lines();
        let mut librosa = Self { python, ask, answers, _folder: folder };
        ensure!(librosa.answer()? == "ready", "librosa is not ready");
        Ok(librosa)
    }

    fn run(&mut self) -> Result<Duration> {
        self.ask.write_all(b"\n")?;
        Ok(Duration::from_secs_f64(self.answer()?.trim().parse()?))
    }

    fn answer(&mut self) -> Result<String> {
        Ok(self.answers.next().context("librosa ended; what it said stands above")??)
    }
}

impl Drop for Librosa {
    fn drop(&mut self) {
        // It waits for a line.
        let _ = self.python.kill();
        let _ = self.python.wait();
    }
}

/// Chords with some noise, the same each time.
fn music(seconds: u32) -> Vec<f32> {
    let mut state = 1_u32;
    let mut noise = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        state as i32 as f32 / i32::MAX as f32
    };
    let voice = |time: f64, semitone: u32| {
        let hertz = 110.0 * (f64::from(semitone + 12 * (time as u32 % 3)) / 12.0).exp2();
        (time * hertz * std::f64::consts::TAU).sin() * (-(time % 1.0) * 3.0).exp()
    };
    (0..seconds * RATE)
        .map(|sample| {
            let time = f64::from(sample) / f64::from(RATE);
            [0, 4, 7].map(|semitone| voice(time, semitone)).iter().sum::<f64>() as f32 * 0.25 + noise() * 0.01
        })
        .collect()
}
