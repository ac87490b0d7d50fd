//! The level of the live path (spec/quality.md, section 5): down when the network takes or delivers less, up again step by step.

use std::time::Duration;

use super::pace::Pace;
use crate::units::HostNanos;

/// How the live path is sent. The recording is always whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Level {
    /// 0.3: half the sample rate, 8 bits.
    Coarse,
    /// 0.7: 12 bits.
    Reduced,
    /// 1.0: entries as they are.
    #[default]
    Full,
}

impl Level {
    /// 1.0, 0.7 or 0.3.
    pub fn value(self) -> f64 {
        f64::from(self.tenths()) / 10.0
    }

    /// 10, 7 or 3.
    pub fn tenths(self) -> u8 {
        match self {
            Self::Full => 10,
            Self::Reduced => 7,
            Self::Coarse => 3,
        }
    }

    /// The level with these tenths.
    pub fn from_tenths(tenths: u8) -> Option<Self> {
        [Self::Full, Self::Reduced, Self::Coarse].into_iter().find(|level| level.tenths() == tenths)
    }

    fn higher(self) -> Self {
        if self == Self::Coarse { Self::Reduced } else { Self::Full }
    }
}

/// Bytes per second that the live path takes at each level, parity included.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct LevelRates {
    pub(super) full: f64,
    pub(super) reduced: f64,
    pub(super) coarse: f64,
}

impl LevelRates {
    fn at(&self, level: Level) -> f64 {
        match level {
            Level::Full => self.full,
            Level::Reduced => self.reduced,
            Level::Coarse => self.coarse,
        }
    }
}

/// Below these shares of live datagrams delivered, the level is at most 0.7, and 0.3.
const DELIVERED_REDUCED: f64 = 0.95;
const DELIVERED_COARSE: f64 = 0.80;

/// For so long the reason must last: a burst, and a short outage that is repaired, are none.
const BAD_TIME: Duration = Duration::from_millis(300);
const GOOD_TIME: Duration = Duration::from_millis(1_000);

/// The level does not change again before this.
const HOLD: Duration = Duration::from_secs(2);

/// A level that had to be left again within this after it was tried ...
const TRIAL: Duration = Duration::from_secs(8);

/// ... is not tried again before twice as long as the last time, within these. Where the network has far more room than before,
/// it is tried without waiting.
const RETRY: (Duration, Duration) = (Duration::from_secs(4), Duration::from_secs(512));
const AMPLE: f64 = 1.25;

/// The level and why it may change.
#[derive(Clone, Debug)]
pub(super) struct Levels {
    level: Level,
    changed: Option<HostNanos>,
    raised: Option<HostNanos>,
    bad: Option<HostNanos>,
    good: Option<HostNanos>,
    retry: Duration,
}

impl Default for Levels {
    fn default() -> Self {
        Self { level: Level::Full, changed: None, raised: None, bad: None, good: None, retry: Duration::ZERO }
    }
}

impl Levels {
    pub(super) fn level(&self) -> Level {
        self.level
    }

    /// `share` is that of live datagrams delivered.
    pub(super) fn step(&mut self, now: HostNanos, share: Option<f64>, pace: &Pace, rates: &LevelRates) {
        let by_rate = self.by_rate(pace, rates);
        let wanted = by_delivery(share).min(by_rate);
        let held = self.changed.is_some_and(|changed| now.since(changed) < HOLD);
        if wanted < self.level {
            self.good = None;
            let bad = *self.bad.get_or_insert(now);
            // That the live path is too much has lasted for a while before it counts as such.
            if (by_rate < self.level || now.since(bad) >= BAD_TIME) && !held {
                self.lower(now, wanted);
            }
            return;
        }
        self.bad = None;
        if self.level == Level::Full || !self.may_rise(now, share, pace, rates) {
            self.good = None;
            return;
        }
        let good = *self.good.get_or_insert(now);
        if now.since(good) >= GOOD_TIME && !held {
            self.change(now, self.level.higher());
            self.raised = Some(now);
        }
    }

    fn lower(&mut self, now: HostNanos, level: Level) {
        let failed = self.raised.take().is_some_and(|raised| now.since(raised) < TRIAL);
        self.retry = if failed { (self.retry * 2).clamp(RETRY.0, RETRY.1) } else { Duration::ZERO };
        self.change(now, level);
    }

    fn may_rise(&self, now: HostNanos, share: Option<f64>, pace: &Pace, rates: &LevelRates) -> bool {
        let rate = rates.at(self.level.higher());
        let rested = self.changed.is_none_or(|changed| now.since(changed) >= self.retry);
        let room = pace.capacity() >= rate && (rested || pace.capacity() >= rate * AMPLE);
        room && !pace.is_overrun() && by_delivery(share) == Level::Full
    }

    /// The highest level that the network takes, where this one is too much for it.
    fn by_rate(&self, pace: &Pace, rates: &LevelRates) -> Level {
        if !pace.is_overrun() {
            return Level::Full;
        }
        let reduced_fits = self.level > Level::Reduced && rates.reduced <= pace.delivered();
        if reduced_fits { Level::Reduced } else { Level::Coarse }
    }

    fn change(&mut self, now: HostNanos, level: Level) {
        self.level = level;
        self.changed = Some(now);
        self.bad = None;
        self.good = None;
    }
}

fn by_delivery(share: Option<f64>) -> Level {
    match share {
        Some(share) if share < DELIVERED_COARSE => Level::Coarse,
        Some(share) if share < DELIVERED_REDUCED => Level::Reduced,
        _ => Level::Full,
    }
}
