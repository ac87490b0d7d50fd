//! How fast everything together may go: found from what the network delivers (spec/quality.md, section 4).
//!
//! The rate grows while back-fill waits for it and no queue forms, the faster the longer that lasts; it falls below what is
//! delivered as soon as a queue forms. Live datagrams do not wait for it: only what it leaves over is for back-fill.

use std::time::Duration;

use super::Situation;
use crate::units::HostNanos;

/// The rate before anything is known, the least, and the most, in bytes per second. The most is 64 datagrams in 5 ms, which fit
/// into the smallest default socket buffer.
const FIRST: f64 = 600_000.0;
const LEAST: f64 = 8_000.0;
const MOST: f64 = 15.0e6;

/// Above this delay in queues the rate falls; below the other it may grow. LEDBAT (RFC 6817) aims at up to 100 ms, too much beside
/// a live path of 60 ms; one block of 512 frames is 11 ms.
pub(super) const QUEUE_HIGH: Duration = Duration::from_millis(15);
pub(super) const QUEUE_LOW: Duration = Duration::from_millis(6);

/// The rate falls to this share of what is delivered: a queue of 20 ms is gone after 130 ms.
const FALL: f64 = 0.85;

/// ... and not again before this and a round trip, in which the queue can drain.
const FALL_PAUSE: Duration = Duration::from_millis(150);

/// Growth per second: at first, doubled each half second without a queue, at most; and until the first queue was seen. The last
/// catches up an outage of 5 s within 1 s.
const GROWTH: f64 = 0.15;
const GROWTH_DOUBLES: Duration = Duration::from_millis(500);
const GROWTH_MOST: f64 = 4.0;
const GROWTH_UNLIMITED: f64 = 8.0;

/// At most this time counts as growth between two samples.
const GROWTH_STEP: Duration = Duration::from_millis(100);

/// A queue that stays this long at this depth is not one of back-fill, which has ceased by then: the live path itself is too fast.
pub(super) const OVERRUN_QUEUE: Duration = Duration::from_millis(25);
const OVERRUN_TIME: Duration = Duration::from_millis(250);

/// ... and so it is one only if it has not fallen to this share meanwhile.
const DRAINING: f64 = 0.9;

/// While the rate is not known to be limited, it is at least so many times what the live path needs.
const AMPLE: f64 = 1.5;

/// Where a limit is known, the rate grows no further than what is delivered, over this.
const USED: f64 = 0.9;

/// More is lost by so much than usually while back-fill goes: it is too fast for a way without a queue.
const EXCESS_LOSS: f64 = 0.1;

/// The most that was delivered is remembered for this long, at least, and twice as long at most.
const CAPACITY_SPAN: Duration = Duration::from_secs(2);

/// The pace of one sender.
#[derive(Clone, Debug)]
pub(super) struct Pace {
    rate: f64,
    /// Since when there is a queue.
    queued: Option<HostNanos>,
    /// Since when there is a deep queue that does not become shorter, and how deep it was then.
    overrun: Option<(HostNanos, Duration)>,
    overruns: bool,
    /// Since when there has been none.
    clear: HostNanos,
    fell: HostNanos,
    grew: HostNanos,
    /// A limit of the network was met, and the rate has not far outgrown the need since.
    limited: bool,
    /// What was delivered of late.
    delivered: f64,
    /// The most that was delivered in this span and the one before.
    best: [f64; 2],
    span_began: HostNanos,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            rate: FIRST,
            queued: None,
            overrun: None,
            overruns: false,
            clear: HostNanos(0),
            fell: HostNanos(0),
            grew: HostNanos(0),
            limited: false,
            delivered: 0.0,
            best: [0.0; 2],
            span_began: HostNanos(0),
        }
    }
}

impl Pace {
    /// Bytes per second.
    pub(super) fn rate(&self) -> f64 {
        self.rate
    }

    /// Whether there is a queue: what is lost now says nothing about the way.
    pub(super) fn is_congested(&self) -> bool {
        self.queued.is_some()
    }

    /// Whether the live path itself is more than the network takes.
    pub(super) fn is_overrun(&self) -> bool {
        self.overruns
    }

    /// What the network delivers now, in bytes per second; infinite as long as no limit was met.
    pub(super) fn delivered(&self) -> f64 {
        if self.limited { self.delivered } else { f64::INFINITY }
    }

    /// What the network can be trusted with, in bytes per second; infinite as long as no limit was met.
    pub(super) fn capacity(&self) -> f64 {
        if self.limited { self.best[0].max(self.best[1]) } else { f64::INFINITY }
    }

    pub(super) fn on_sample(
        &mut self,
        now: HostNanos,
        queue: Duration,
        delivered: Option<f64>,
        loss: Option<f64>,
        usual_loss: f64,
        situation: &Situation,
    ) {
        if let Some(delivered) = delivered {
            self.note_delivered(now, delivered);
        }
        let dropped = situation.back_fill_waited && loss.is_some_and(|loss| loss > usual_loss + EXCESS_LOSS);
        let draining = self.overrun.is_none_or(|(_, before)| queue < before.mul_f64(DRAINING));
        self.overrun = match self.overrun {
            _ if queue < OVERRUN_QUEUE => None,
            Some(since) if !draining => Some(since),
            _ => Some((now, queue)),
        };
        self.overruns = self.overrun.is_some_and(|(since, _)| now.since(since) >= OVERRUN_TIME);
        if queue >= QUEUE_HIGH || dropped {
            self.queued = self.queued.or(Some(now));
            self.clear = now;
            if let Some(delivered) = delivered.filter(|_| now.since(self.fell) >= FALL_PAUSE + situation.round_trip) {
                self.fell = now;
                self.limited = true;
                self.rate = (delivered * FALL).min(self.rate).clamp(LEAST, MOST);
            }
            return;
        }
        self.queued = None;
        let step = now.since(self.grew).min(GROWTH_STEP).as_secs_f64();
        self.grew = now;
        if !self.limited {
            self.rate = self.rate.max(situation.needs.full.bytes * AMPLE).min(MOST);
        }
        let used = !self.limited || self.delivered >= self.rate * USED;
        if queue < QUEUE_LOW && situation.back_fill_waited && used {
            self.rate = (self.rate * (1.0 + self.growth(now) * step)).clamp(LEAST, MOST);
        }
        // The live path never waits, so the network takes at least that much.
        if self.limited && self.capacity() > situation.needs.full.bytes * 2.0 {
            self.limited = false;
        }
    }

    fn growth(&self, now: HostNanos) -> f64 {
        if !self.limited {
            return GROWTH_UNLIMITED;
        }
        let doubled = now.since(self.clear).as_secs_f64() / GROWTH_DOUBLES.as_secs_f64();
        (GROWTH * doubled.exp2()).min(GROWTH_MOST)
    }

    fn note_delivered(&mut self, now: HostNanos, delivered: f64) {
        self.delivered = delivered;
        let age = now.since(self.span_began);
        if age >= CAPACITY_SPAN {
            self.span_began = now;
            self.best = [0.0, if age < CAPACITY_SPAN * 2 { self.best[0] } else { 0.0 }];
        }
        self.best[0] = self.best[0].max(delivered);
    }
}
