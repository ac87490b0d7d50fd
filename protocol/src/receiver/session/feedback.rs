//! When the sender is told what came and what lacks, and which holes are worth a repeat (spec/wire-format.md, section 5).

use super::*;
use crate::packet::feedback::{Feedback, MAX_RANGES};

/// Feedback goes out this often when nothing changes.
const FEEDBACK_IDLE: Duration = Duration::from_millis(500);

/// Feedback goes out at once after this many datagrams, but not before this long after the last.
const FEEDBACK_DATAGRAMS: u64 = 16;
const FEEDBACK_GAP: Duration = Duration::from_millis(1);

/// Whatever the sender says, a hole is given as long as datagrams overtake one another: three times the jitter, within these.
const GRACE_SHORTEST: Duration = Duration::from_millis(2);
const GRACE_LONGEST: Duration = Duration::from_millis(30);

/// After a new hole was named, holes are named again a round trip and this later, ...
const REASK_MARGIN: Duration = Duration::from_millis(3);

/// ... for this long: the request or its answer may have been lost, and a live view waits. Later only in the usual feedback.
const REASK_SPAN: Duration = Duration::from_millis(250);

/// How fine the age of holes is known.
const AGE_STEP: Duration = Duration::from_millis(1);

impl Session {
    pub(super) fn feedback_is_due(&mut self, now: HostNanos) -> bool {
        let new_holes = self.age_holes(now);
        if new_holes {
            self.reask_until = now.after(REASK_SPAN);
        }
        new_holes
            || now >= self.feedback_due
            || (self.since_feedback >= FEEDBACK_DATAGRAMS && now >= self.feedback_last.after(FEEDBACK_GAP))
    }

    /// When feedback is due, or holes become old enough to be named.
    pub(super) fn next_feedback(&self) -> HostNanos {
        let mut next = self.feedback_due;
        if self.since_feedback >= FEEDBACK_DATAGRAMS {
            next = next.min(self.feedback_last.after(FEEDBACK_GAP));
        }
        if let Some((known, _)) = self.ages.front().filter(|_| self.has_young_holes()) {
            next = next.min(known.after(self.grace()));
        }
        next
    }

    pub(super) fn write_feedback(&mut self, now: HostNanos, storage: Storage) {
        let stats = &self.stats;
        let micros = |duration: Duration| duration.as_micros().try_into().unwrap_or(u32::MAX);
        let missing = self.named_holes();
        let asks = !missing.is_empty() && now < self.reask_until;
        Feedback {
            received: self.tracker.end(),
            complete: self.tracker.complete(),
            durable: stats.durable,
            highest_packet: stats.highest_packet,
            datagrams: stats.datagrams,
            bytes: stats.bytes,
            lost: stats.lost,
            bursts: self.losses.bursts(),
            delivered: stats.delivered,
            repaired: stats.repaired,
            previews: stats.previews,
            resent: stats.resent,
            backfilled: stats.backfilled,
            duplicates: stats.duplicates,
            sent_at: now,
            jitter_micros: micros(stats.jitter),
            queue_micros: micros(stats.queue),
            longest_burst: self.losses.longest(),
            marked: stats.marked,
            storage,
            missing,
        }
        .write(&mut self.payload);
        self.since_feedback = 0;
        self.feedback_last = now;
        let busy = std::mem::take(&mut self.changed) || self.stats.durable < self.tracker.end();
        let pause = if busy { FEEDBACK_BUSY } else { FEEDBACK_IDLE };
        let reask = self.round_trip + REASK_MARGIN;
        self.feedback_due = now.after(if asks && !self.round_trip.is_zero() { pause.min(reask) } else { pause });
    }

    /// The holes that are worth a repeat. Of too many, half are the oldest, which hold up the complete prefix, and half the
    /// newest, for which a live view waits.
    fn named_holes(&self) -> Vec<SourceRange> {
        let mut holes: Vec<SourceRange> = self.tracker.missing(self.old).take(MAX_RANGES).collect();
        if holes.len() == MAX_RANGES {
            holes.truncate(MAX_RANGES / 2);
            holes.extend(self.tracker.missing_last(self.old, MAX_RANGES / 2));
        }
        holes
    }

    /// Keeps the watermarks, and makes feedback due soon.
    pub(super) fn note_change(&mut self, now: HostNanos) {
        self.tell_soon(now);
        match self.ages.back_mut().filter(|(time, _)| now.since(*time) < AGE_STEP) {
            Some((_, end)) => *end = self.tracker.end(),
            None => self.ages.push_back((now, self.tracker.end())),
        }
        self.stats.received = self.tracker.end();
        self.stats.complete = self.tracker.complete();
        self.stats.missing = self.tracker.missing_count();
    }

    /// Lets holes become old enough to be named; true when some did.
    fn age_holes(&mut self, now: HostNanos) -> bool {
        let (before, grace) = (self.old, self.grace());
        while let Some((_, end)) = self.ages.pop_front_if(|(time, _)| now.since(*time) >= grace) {
            self.old = self.old.max(end);
        }
        self.old > before && self.tracker.missing_last(self.old, 1).last().is_some_and(|hole| hole.end() > before)
    }

    fn has_young_holes(&self) -> bool {
        self.tracker.missing_end().is_some_and(|end| end > self.old)
    }

    fn grace(&self) -> Duration {
        self.patience.max((self.delay.jitter() * 3).clamp(GRACE_SHORTEST, GRACE_LONGEST))
    }
}
