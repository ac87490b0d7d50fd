//! A progress bar on a terminal, a line every few seconds elsewhere.

use std::io::IsTerminal;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};
use send_learn_plugin::report::{LinkState, Report, disk_trouble};
use send_learn_protocol::units::SamplePosition;

/// Between redraws of the bar, and between lines.
const REDRAW: Duration = Duration::from_millis(100);
const LINE: Duration = Duration::from_secs(5);

/// A receiver that answers, says nothing of its disk, and has written nothing for so long, has a disk that hangs.
const HANGING: Duration = Duration::from_secs(10);

pub(crate) struct Progress {
    bar: Option<ProgressBar>,
    length: u64,
    sample_rate: f64,
    started: Instant,
    shown: Option<Instant>,
    link: Option<LinkState>,
    /// How far the receiver's disk had it, and since when.
    durable: (SamplePosition, Instant),
}

impl Progress {
    /// `length` is 0 where nobody knows it.
    pub(crate) fn new(length: u64, sample_rate: f64) -> Self {
        let bar = (length > 0 && std::io::stderr().is_terminal()).then(|| {
            let bar = ProgressBar::new(length);
            let template = "{wide_bar:.green/238} {percent:>3} %, {eta} left  {msg}";
            bar.set_style(ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar()));
            bar
        });
        let now = Instant::now();
        Self { bar, length, sample_rate, started: now, shown: None, link: None, durable: (SamplePosition(0), now) }
    }

    pub(crate) fn sample_rate(&self) -> f64 {
        self.sample_rate
    }

    /// Shows the state, not more often than a person can read.
    pub(crate) fn show(&mut self, report: &Report) {
        if report.durable != self.durable.0 || report.owed == 0 || report.link != LinkState::Connected {
            self.durable = (report.durable, Instant::now());
        }
        let interval = if self.bar.is_some() { REDRAW } else { LINE };
        let changed = self.link != Some(report.link) && report.link != LinkState::Idle;
        if !changed && self.shown.unwrap_or(self.started).elapsed() < interval {
            return;
        }
        self.shown = Some(Instant::now());
        self.link = Some(report.link);
        let words = self.words(report);
        match &self.bar {
            Some(bar) => {
                bar.set_position(report.durable.0.min(self.length));
                bar.set_message(words);
            }
            None => eprintln!("{words}"),
        }
    }

    /// Says what has become of it.
    pub(crate) fn finish(&self, report: &Report, position: SamplePosition, complete: bool) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
        let words = if complete { "all" } else { "stopped; all up to there" };
        println!(
            "{words} on the receiver's disk: {:.2} s of audio, {} MIDI events, {:.1} MB sent, {} repaired or repeated, in {:.1} s",
            self.seconds(position),
            report.midi,
            report.bytes as f64 / 1e6,
            report.repaired,
            self.started.elapsed().as_secs_f64()
        );
    }

    fn words(&self, report: &Report) -> String {
        let at = report.address.map_or_else(String::new, |address| format!(" {address}"));
        let state = match report.link {
            LinkState::Idle | LinkState::Connecting => format!("asking{at}"),
            LinkState::Resolving => "looking up the receiver".to_owned(),
            LinkState::Connected => format!("sending to{at}"),
            LinkState::Refused(_) | LinkState::Failed => report.problem.clone(),
            LinkState::Finished => "done".to_owned(),
        };
        let since = self.durable.1.elapsed();
        let hanging = match disk_trouble(report.storage) {
            Some(trouble) => format!(" ({trouble})"),
            None if since >= HANGING => format!(", nothing more for {} s: does the receiver's disk hang?", since.as_secs()),
            None => String::new(),
        };
        format!(
            "{state}: {:.1}{} s, on disk {:.1} s{hanging}, repaired {}, loss {:.1} %",
            self.seconds(report.position),
            if self.length > 0 { format!(" of {:.1}", self.length as f64 / self.sample_rate) } else { String::new() },
            self.seconds(report.durable),
            report.repaired,
            report.loss * 100.0
        )
    }

    fn seconds(&self, position: SamplePosition) -> f64 {
        position.0 as f64 / self.sample_rate
    }
}
