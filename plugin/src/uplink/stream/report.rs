//! What a stream tells windows and progress bars.

use std::time::Duration;

use send_learn_protocol::quality::Level;
use send_learn_protocol::sender::SenderState;
use send_learn_protocol::units::HostNanos;

use super::{Stream, Target};
use crate::report::{LinkState, NO_RECEIVER, Report, disk_trouble};
use crate::uplink::take::Take;

/// Over how long the rate of sending is measured.
const RATE_SPAN: Duration = Duration::from_secs(1);

impl Stream {
    /// Makes a new report.
    pub(super) fn publish(&mut self, now: HostNanos) {
        let (problem, tried, disk_problem) = (self.problem.clone(), self.tried.clone(), self.disk_problem.clone());
        let mut report = Report { problem, tried, disk_problem, ..Report::default() };
        let last = self.takes.len().checked_sub(1);
        for (index, take) in self.takes.iter_mut().enumerate() {
            let (lag, durable) = take.durability(now);
            report.owed += take.owed();
            report.lag = report.lag.max(lag);
            report.spooled += take.spooled();
            report.storage = report.storage.max(take.storage());
            if Some(index) == last {
                report.durable = durable;
                describe(take, &mut report);
            } else {
                report.older_takes += 1;
            }
        }
        match &self.target {
            Target::Named(_) => {}
            Target::Resolving => report.link = LinkState::Resolving,
            Target::Known(address) => report.address = Some(*address),
            Target::Searched(search) => match search.address() {
                Some(address) => report.address = Some(address),
                None if self.has_something() => report.link = LinkState::Resolving,
                None => {}
            },
            Target::Failed(error) => {
                report.link = LinkState::Failed;
                report.problem = error.to_string();
            }
        }
        if !self.key_problem.is_empty() && report.link != LinkState::Idle {
            report.link = LinkState::Failed;
            report.problem.clone_from(&self.key_problem);
            report.key_problem.clone_from(&self.key_problem);
        } else if let LinkState::Refused(reason) = report.link {
            report.problem = reason.to_string();
        } else if report.link == LinkState::Connected {
            self.problem.clear();
            report.problem = disk_trouble(report.storage).unwrap_or_default().to_owned();
        }
        self.remember(now, &mut report);
        *self.report.lock() = report;
    }

    /// Completes the report by what outlasts a moment: how long nobody has answered, how fast it goes, what went wrong last.
    fn remember(&mut self, now: HostNanos, report: &mut Report) {
        let alone = matches!(report.link, LinkState::Connecting | LinkState::Resolving);
        self.unanswered = alone.then(|| self.unanswered.unwrap_or(now));
        report.unanswered = self.unanswered.map_or(Duration::ZERO, |since| now.since(since));
        report.rate = self.rate.at(now, report.bytes);
        report.errors += self.failures;
        let silent = report.unanswered >= NO_RECEIVER;
        let problem = match report.address {
            _ if !report.problem.is_empty() => Some(report.problem.clone()),
            Some(to) if silent => Some(format!("nothing answered at {to}. Is \"send-learn serve\" running there?")),
            _ => None,
        };
        if let Some(problem) = problem {
            self.last_problem = Some((problem, now));
        }
        report.last_problem = self.last_problem.as_ref().map(|(words, when)| (words.clone(), now.since(*when)));
    }
}

fn describe(take: &mut Take, report: &mut Report) {
    let counters = &take.captured.counters;
    report.running = take.is_running();
    report.paused = report.running && counters.paused();
    report.sample_rate = take.captured.config.sample_rate;
    report.position = counters.position();
    report.blocks = counters.blocks();
    report.midi = counters.midi();
    report.dropped = counters.dropped_blocks() + counters.dropped_events();
    report.peaks = take.assembler.take_peaks();
    let Some(sender) = &take.sender else { return };
    let stats = sender.stats();
    report.link = match sender.state() {
        SenderState::Connecting => LinkState::Connecting,
        SenderState::Connected | SenderState::Closing => LinkState::Connected,
        SenderState::Refused(reason) => LinkState::Refused(reason),
        SenderState::Finished => LinkState::Finished,
    };
    report.datagrams = stats.datagrams;
    report.bytes = stats.bytes;
    report.repaired = stats.repaired + stats.repeats;
    report.lost_entries = stats.dropped_entries;
    report.loss = stats.loss;
    report.round_trip = stats.round_trip;
    report.whole = stats.level == Level::Full;
    report.clock = stats.clock.map(|estimate| (estimate.offset, estimate.uncertainty));
    report.errors = stats.rejected;
}

/// Bytes per second of what is sent, over about a second.
#[derive(Debug, Default)]
pub(super) struct Rate {
    since: HostNanos,
    bytes: u64,
    value: f64,
}

impl Rate {
    /// `bytes` were sent so far in the take that runs.
    fn at(&mut self, now: HostNanos, bytes: u64) -> f64 {
        let passed = now.since(self.since);
        if passed >= RATE_SPAN || bytes < self.bytes {
            self.value = bytes.saturating_sub(self.bytes) as f64 / passed.as_secs_f64();
            (self.since, self.bytes) = (now, bytes);
        }
        self.value
    }
}
