//! Quality control of the live path (spec/quality.md): from the receiver's feedback, how much parity protects it, at which level
//! it is sent, and how fast the rest may go.
//!
//! A pure state machine: samples of the network go in, a [`Decision`] comes out. Random loss raises parity. A queue that grows on
//! the way or marks what passes it, or entries that do not arrive, lower the level. What fits into the network beside the live path is for back-fill.

mod level;
mod loss;
mod marks;
mod pace;
mod plan;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::time::Duration;

use crate::fec::Plan;
use crate::packet::feedback::Feedback;
use crate::units::HostNanos;
pub use level::Level;
use level::{LevelRates, Levels};
use loss::Loss;
use marks::Marks;
use pace::Pace;
pub(crate) use plan::TAIL_PROBE;

/// What a controller may do.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Config {
    /// Within this of its capture, beyond the way's own delay, an entry is of use to a live view.
    pub deadline: Duration,
    /// Whether what is asked for is sent again in time for the live view. The recording is completed either way.
    pub live_requests: bool,
    /// The most parity, as a share of the sources: 0 to 1.
    pub most_parity: f64,
    /// Whether the level may fall below 1.0.
    pub lower_levels: bool,
}

impl Default for Config {
    fn default() -> Self {
        // Roc 0.4 was measured beside this at 60 ms, the least with which it plays well; half of the rate for parity is its default.
        Self { deadline: Duration::from_millis(60), live_requests: true, most_parity: 0.5, lower_levels: true }
    }
}

/// What the sender knows when feedback comes.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Situation {
    /// Live datagrams (entries and previews, first transmissions) among those up to the feedback's highest packet number.
    pub live_sent: u64,
    /// Smoothed round trip; zero if unknown.
    pub round_trip: Duration,
    /// The time between two blocks.
    pub block: Duration,
    /// What the live path would take at each level, without parity.
    pub needs: Needs,
    /// Whether back-fill has waited for its pace since the last feedback: then it was the pace that limited it.
    pub back_fill_waited: bool,
}

/// What the live path takes.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Need {
    /// Bytes of UDP payload per second.
    pub bytes: f64,
    /// Datagrams per second.
    pub datagrams: f64,
}

/// What the live path takes at each level.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Needs {
    /// At 1.0.
    pub full: Need,
    /// At 0.7.
    pub reduced: Need,
    /// At 0.3.
    pub coarse: Need,
}

impl Needs {
    fn at(&self, level: Level) -> Need {
        match level {
            Level::Full => self.full,
            Level::Reduced => self.reduced,
            Level::Coarse => self.coarse,
        }
    }
}

/// What the sender is to do until the next decision.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Decision {
    /// How the live path is sent.
    pub level: Level,
    /// Parity of the groups to come.
    pub plan: Plan,
    /// A group that is not full after this is closed as it is.
    pub group_age: Duration,
    /// Time between two parities: spread, so that a burst does not take them all.
    pub parity_spacing: Duration,
    /// For how long the receiver is to wait for parity before it asks.
    pub patience: Duration,
    /// Bytes of UDP payload per second for everything, live first.
    pub rate: f64,
}

/// The delivery of the live path is judged over this long.
const SHARE_SPAN: Duration = Duration::from_secs(1);

/// Fewer live datagrams say nothing about their delivery.
const SHARE_DATAGRAMS: u64 = 20;

/// The rate at which the network delivers is taken over this long: several blocks, and more than a round trip of most links.
const DELIVERY_SPAN: Duration = Duration::from_millis(200);

/// The most samples that are kept for either: feedback comes at most once in a millisecond from a receiver that keeps to its rules.
const MAX_SAMPLES: usize = 1_024;

/// Parity is chosen anew this often: as often as feedback comes while nothing special happens.
const PLAN_INTERVAL: Duration = Duration::from_millis(40);

/// Decides. See the [module](self).
#[derive(Clone, Debug)]
pub struct Controller {
    config: Config,
    loss: Loss,
    marks: Marks,
    levels: Levels,
    pace: Pace,
    /// When, live datagrams sent, and those that came in any way.
    live: VecDeque<(HostNanos, u64, u64)>,
    /// The receiver's clock, and bytes that had come.
    delivery: VecDeque<(HostNanos, u64)>,
    /// When parity was chosen, and bytes per second at each level with it.
    planned: Option<HostNanos>,
    with_parity: LevelRates,
    decision: Decision,
}

impl Controller {
    /// A controller that knows nothing of the network yet.
    pub fn new(config: Config) -> Self {
        let (loss, pace) = (Loss::default(), Pace::default());
        let parity = plan::first(&config);
        let decision = Decision {
            level: Level::Full,
            plan: parity.plan,
            group_age: parity.group_age,
            parity_spacing: parity.spacing,
            patience: parity.patience,
            rate: pace.rate(),
        };
        Self {
            config,
            loss,
            marks: Marks::default(),
            levels: Levels::default(),
            pace,
            live: VecDeque::new(),
            delivery: VecDeque::new(),
            planned: None,
            with_parity: LevelRates::default(),
            decision,
        }
    }

    /// A new session begins: counters start anew; level, pace and loss are kept, for the network is probably the same.
    pub fn begin_session(&mut self) {
        self.loss.begin_session();
        self.marks.begin_session();
        self.live.clear();
        self.delivery.clear();
    }

    /// What to do at present.
    pub fn decision(&self) -> Decision {
        self.decision
    }

    /// For how long the receiver is to wait for parity before it asks; as soon as a round trip is known, by that alone.
    pub fn patience(&self, round_trip: Duration) -> Duration {
        match self.planned {
            Some(_) => self.decision.patience,
            None => plan::first_patience(&self.config, round_trip),
        }
    }

    /// Share of datagrams that are lost before any repair, smoothed; 0 before the first sample.
    pub fn loss(&self) -> f64 {
        self.loss.share().unwrap_or(0.0)
    }

    /// Feedback came.
    pub fn on_feedback(&mut self, now: HostNanos, feedback: &Feedback, situation: &Situation) {
        let queue = Duration::from_micros(feedback.queue_micros.into());
        let queue = queue.max(self.marks.depth(now, feedback, queue));
        let delivered = self.delivered(feedback);
        let sample = self.loss.sample(feedback);
        self.pace.on_sample(now, queue, delivered, sample, self.loss(), situation);
        // What a full queue drops is no random loss: more parity would make it worse.
        if let Some(sample) = sample.filter(|_| !self.pace.is_congested()) {
            self.loss.add(sample);
        }
        // A queue makes the round trip longer and the jitter larger; to meet that with more parity would make the queue longer.
        let again = |planned| now.since(planned) >= PLAN_INTERVAL && !self.pace.is_congested();
        if self.loss.has_sample() && self.planned.is_none_or(again) {
            self.planned = Some(now);
            self.plan(feedback, situation);
        }
        let share = self.live_share(now, feedback, situation.live_sent);
        let before = self.levels.level();
        if self.config.lower_levels {
            self.levels.step(now, share, &self.pace, &self.with_parity);
        }
        if self.levels.level() != before {
            self.planned = None;
        }
        self.decision.level = self.levels.level();
        self.decision.rate = self.pace.rate();
    }

    fn plan(&mut self, feedback: &Feedback, situation: &Situation) {
        let choose = |level| plan::choose(&self.config, self.loss.share().unwrap_or(0.0), feedback, situation, level);
        let rate = |level| situation.needs.at(level).bytes * choose(level).plan.overhead();
        self.with_parity = LevelRates { full: rate(Level::Full), reduced: rate(Level::Reduced), coarse: rate(Level::Coarse) };
        let parity = choose(self.levels.level());
        self.decision.plan = parity.plan;
        self.decision.group_age = parity.group_age;
        self.decision.parity_spacing = parity.spacing;
        self.decision.patience = parity.patience;
    }

    /// Bytes per second that come through, over the last moments.
    fn delivered(&mut self, feedback: &Feedback) -> Option<f64> {
        let &(then, before) = self.delivery.front().unwrap_or(&(feedback.sent_at, feedback.bytes));
        self.delivery.push_back((feedback.sent_at, feedback.bytes));
        while self.delivery.len() > MAX_SAMPLES
            || self.delivery.get(1).is_some_and(|(time, _)| feedback.sent_at.since(*time) >= DELIVERY_SPAN)
        {
            self.delivery.pop_front();
        }
        let span = feedback.sent_at.since(then);
        (span >= DELIVERY_SPAN / 2).then(|| feedback.bytes.saturating_sub(before) as f64 / span.as_secs_f64())
    }

    /// Share of the live datagrams of the last second that came, by whatever way: late is not lost. `None` for too few.
    fn live_share(&mut self, now: HostNanos, feedback: &Feedback, sent: u64) -> Option<f64> {
        let resent = feedback.resent.saturating_sub(feedback.backfilled);
        let came = [feedback.repaired, feedback.previews, resent].into_iter().fold(feedback.delivered, u64::saturating_add);
        while self.live.len() > MAX_SAMPLES || self.live.front().is_some_and(|(time, ..)| now.since(*time) > SHARE_SPAN) {
            self.live.pop_front();
        }
        let &(_, sent_before, came_before) = self.live.front().unwrap_or(&(now, sent, came));
        self.live.push_back((now, sent, came));
        let sent = sent.saturating_sub(sent_before);
        (sent >= SHARE_DATAGRAMS).then(|| (came.saturating_sub(came_before) as f64 / sent as f64).min(1.0))
    }
}
