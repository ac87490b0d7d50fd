//! A command as a list of steps. Each is announced with how long it and the rest should take; how long each took is kept in
//! the cache and is the next run's estimate.

use std::collections::BTreeMap;
use std::fs;
use std::io::{IsTerminal, stderr};
use std::path::PathBuf;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use crate::cache::Cache;

/// How often a long step says that it goes on, where no terminal shows cargo's own bar.
const HEARTBEAT: Duration = Duration::from_secs(60);

/// Seconds that a step should take before it was ever measured here, on 2 cores.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Guess {
    /// From an empty cache.
    pub(crate) first: u64,
    /// When it was done before.
    pub(crate) again: u64,
}

struct Step<'a> {
    title: String,
    key: String,
    estimate: Duration,
    work: Box<dyn FnOnce() -> Result<()> + 'a>,
}

/// The steps of one command.
pub(crate) struct Plan<'a> {
    steps: Vec<Step<'a>>,
    timings: Timings,
    measured: bool,
}

impl<'a> Plan<'a> {
    /// A plan without steps.
    pub(crate) fn new(cache: &Cache) -> Self {
        Self { steps: Vec::new(), timings: Timings::read(cache.file("timings")), measured: true }
    }

    /// Adds a step. `key` names it in the record of timings.
    pub(crate) fn step(&mut self, title: &str, key: &str, guess: Guess, work: impl FnOnce() -> Result<()> + 'a) {
        let (key, guess) = match self.timings.of(&format!("{key}.first")) {
            None => (format!("{key}.first"), guess.first),
            Some(_) => (format!("{key}.again"), guess.again),
        };
        let known = self.timings.of(&key);
        self.measured &= known.is_some();
        let estimate = known.unwrap_or(Duration::from_secs(guess));
        self.steps.push(Step { title: title.to_owned(), key, estimate, work: Box::new(work) });
    }

    /// Does all steps in order, and stops at the first that fails.
    ///
    /// # Errors
    /// What the failed step says, with its title.
    pub(crate) fn run(mut self) -> Result<()> {
        let started = Instant::now();
        let total = self.steps.len();
        let mut left: Duration = self.steps.iter().map(|step| step.estimate).sum();
        let source = if self.measured { "as the last run took" } else { "a guess for 2 cores; the next run knows better" };
        eprintln!("{total} steps, about {} ({source}), longer while the machine is busy", words(left));
        for (index, step) in self.steps.into_iter().enumerate() {
            let after = left.saturating_sub(step.estimate);
            eprintln!("\n[{}/{total}] {}  (about {}{})", index + 1, step.title, words(step.estimate), then(after));
            let begun = Instant::now();
            {
                let _heartbeat = Heartbeat::start(step.estimate, after);
                (step.work)().with_context(|| step.title.clone())?;
            }
            eprintln!("[{}/{total}] done in {}", index + 1, words(begun.elapsed()));
            self.timings.note(&step.key, begun.elapsed());
            left = after;
        }
        eprintln!("\nall done in {}", words(started.elapsed()));
        Ok(())
    }
}

/// Says every minute that a step goes on, until it is dropped.
struct Heartbeat {
    _stop: Option<mpsc::SyncSender<()>>,
}

impl Heartbeat {
    fn start(estimate: Duration, after: Duration) -> Self {
        if stderr().is_terminal() {
            return Self { _stop: None };
        }
        let (stop, stopped) = mpsc::sync_channel(0);
        let begun = Instant::now();
        let beat = move || {
            while stopped.recv_timeout(HEARTBEAT) == Err(RecvTimeoutError::Timeout) {
                eprintln!("      at it for {}, {}", words(begun.elapsed()), left(begun.elapsed(), estimate, after));
            }
        };
        // Without the thread the step still runs, only silently.
        let spawned = thread::Builder::new().name("heartbeat".to_owned()).spawn(beat);
        Self { _stop: spawned.ok().map(|_| stop) }
    }
}

/// What is left of a step and of those after it, in words.
fn left(elapsed: Duration, estimate: Duration, after: Duration) -> String {
    match estimate.checked_sub(elapsed) {
        Some(rest) => format!("about {} left in all", words(rest + after)),
        None => format!("longer than the {} expected, for how long is not known{}", words(estimate), then(after)),
    }
}

/// What follows a step, in words; none where that is next to nothing.
fn then(after: Duration) -> String {
    match after.as_secs_f64().round() as u64 {
        0 => String::new(),
        _ => format!("; then about {}", words(after)),
    }
}

/// How long each step took when it last ran.
struct Timings {
    path: PathBuf,
    seconds: BTreeMap<String, f64>,
}

impl Timings {
    fn read(path: PathBuf) -> Self {
        let text = fs::read_to_string(&path).unwrap_or_default();
        let pair = |line: &str| {
            let (key, seconds) = line.split_once(' ')?;
            let seconds = seconds.parse::<f64>().ok().filter(|seconds| (0.0..1e6).contains(seconds))?;
            Some((key.to_owned(), seconds))
        };
        Self { path, seconds: text.lines().filter_map(pair).collect() }
    }

    fn of(&self, key: &str) -> Option<Duration> {
        self.seconds.get(key).map(|seconds| Duration::from_secs_f64(*seconds))
    }

    fn note(&mut self, key: &str, took: Duration) {
        self.seconds.insert(key.to_owned(), took.as_secs_f64());
        let text: String = self.seconds.iter().map(|(key, seconds)| format!("{key} {seconds:.1}\n")).collect();
        if let Err(error) = fs::write(&self.path, text) {
            eprintln!("cannot keep the timings in {}: {error}", self.path.display());
        }
    }
}

/// A duration as a person says it.
fn words(duration: Duration) -> String {
    match duration.as_secs_f64().round() as u64 {
        seconds @ 0..90 => format!("{seconds} s"),
        seconds => format!("{} min", (seconds + 30) / 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_said_in_seconds_then_in_minutes() {
        assert_eq!(words(Duration::from_secs(89)), "89 s");
        assert_eq!(words(Duration::from_secs(90)), "2 min");
        assert_eq!(words(Duration::from_secs(3600)), "60 min");
    }

    #[test]
    fn a_step_that_takes_longer_than_expected_says_so() {
        let seconds = Duration::from_secs;
        assert_eq!(left(seconds(60), seconds(80), seconds(10)), "about 30 s left in all");
        assert_eq!(
            left(seconds(120), seconds(80), seconds(10)),
            "longer than the 80 s expected, for how long is not known; then about 10 s"
        );
        assert_eq!(left(seconds(120), seconds(80), seconds(0)), "longer than the 80 s expected, for how long is not known");
    }

    #[test]
    fn a_damaged_record_of_timings_is_read_as_far_as_it_makes_sense() {
        let path = std::env::temp_dir().join(format!("send-learn-timings-{}", std::process::id()));
        fs::write(&path, "build.first 12.5\nnonsense\nother x\ntoo.long 1e99\n").expect("a file in the temporary folder");
        let timings = Timings::read(path.clone());
        assert_eq!(timings.of("build.first"), Some(Duration::from_millis(12_500)));
        assert_eq!(timings.seconds.len(), 1);
        fs::remove_file(path).expect("the file that was just written");
    }
}
