//! How fast do features come? Seconds of audio per second of CPU time: Send Learn on one thread and on all cores, and librosa on
//! one thread with one shared Fourier transform, on the same samples in the same run. And what memory a long take needs.
//!
//!     cargo bench -p send-learn-benches --bench dataset [-- SECONDS]
//!
//! Both make all features. Librosa runs in the Python that `SEND_LEARN_PYTHON` names; without it, its row is left out.

use std::hint::black_box;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};
use std::{fs, thread};

use anyhow::{Context, Result, bail, ensure};
use send_learn::features::{Extractor, Floor, Plan, Row, Settings, extract};
use send_learn_benches::process::Usage;

const RATE: u32 = 48_000;

/// Each figure is the best of so many runs: what else the machine does only makes them slower.
const RUNS: usize = 5;

/// Times librosa on the samples of a file: one run to compile and load, then the best of the others, in CPU seconds.
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
print(min(run() for _ in range(int(sys.argv[4]))))
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
    let per_second = |cpu: Duration| f64::from(seconds) / cpu.as_secs_f64();
    println!("all features of {seconds} s of audio, mono, {RATE} Hz, best of {RUNS} runs\n");
    println!("| what | seconds of audio per second |\n| --- | --- |");

    let one = best(|| {
        let begin = cpu_time()?;
        black_box(extract(&plan, &samples)?);
        Ok(cpu_time()? - begin)
    })?;
    println!("| one thread, CPU time | {:.0} |", per_second(one));

    let cores = thread::available_parallelism()?.get();
    let all = best(|| on_all_cores(cores, &plan, &samples))?;
    println!("| {cores} takes on {cores} cores, wall time | {:.0} |", per_second(all) * cores as f64);

    let before = Usage::own()?.peak_mb;
    let long = best_of(1, || three_hours(&plan, &samples))?;
    let grown = Usage::own()?.peak_mb - before;
    println!("| three hours in one pass, CPU time | {:.0}, {grown:.1} MB more memory |", 3.0 * 3600.0 / long.as_secs_f64());

    match std::env::var_os("SEND_LEARN_PYTHON") {
        Some(python) => {
            let librosa = librosa(Path::new(&python), &samples)?;
            println!("| librosa, one thread, CPU time | {:.0} |", per_second(librosa));
            println!("\none thread is {:.1} times as fast as librosa", librosa.as_secs_f64() / one.as_secs_f64());
        }
        None => println!("\nlibrosa was left out: SEND_LEARN_PYTHON names no Python that has it"),
    }
    Ok(())
}

fn best(run: impl FnMut() -> Result<Duration>) -> Result<Duration> {
    best_of(RUNS, run)
}

fn best_of(runs: usize, mut run: impl FnMut() -> Result<Duration>) -> Result<Duration> {
    let mut best = run()?;
    for _ in 1..runs {
        best = best.min(run()?);
    }
    Ok(best)
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
fn three_hours(plan: &Arc<Plan>, samples: &[f32]) -> Result<Duration> {
    let begin = cpu_time()?;
    let mut extractor = Extractor::new(plan.clone(), Floor::SoFar);
    let mut rows = 0_u64;
    let mut give = |row: Row<'_>| rows += u64::from(black_box(row).onset >= 0.0);
    for second in samples.chunks(RATE as usize).cycle().take(3 * 3600) {
        extractor.push(second, &mut give)?;
    }
    extractor.finish(&mut give);
    ensure!(rows == plan.settings().frames(3 * 3600 * u64::from(RATE)), "{rows} rows");
    Ok(cpu_time()? - begin)
}

/// The CPU time of this thread so far, from Linux's scheduler.
fn cpu_time() -> Result<Duration> {
    let statistics = fs::read_to_string("/proc/thread-self/schedstat").context("this bench needs Linux")?;
    let nanos = statistics.split(' ').next().context("the scheduler says nothing")?;
    Ok(Duration::from_nanos(nanos.parse()?))
}

fn librosa(python: &Path, samples: &[f32]) -> Result<Duration> {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("take.f32");
    fs::write(&file, samples.iter().flat_map(|sample| sample.to_le_bytes()).collect::<Vec<u8>>())?;
    let reference = Path::new(env!("CARGO_MANIFEST_DIR")).join("../receiver/tests");
    let output = Command::new(python)
        .args(["-c", LIBROSA])
        .args([&reference, &file])
        .args([RATE.to_string(), RUNS.to_string()])
        .envs(["OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"].map(|name| (name, "1")))
        .output()?;
    ensure!(output.status.success(), "librosa: {}", String::from_utf8_lossy(&output.stderr));
    Ok(Duration::from_secs_f64(String::from_utf8(output.stdout)?.trim().parse()?))
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
