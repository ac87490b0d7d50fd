//! What marks (CE of RFC 3168) say: a queue that marks instead of dropping is a queue, however short it is kept.

use std::time::Duration;

use super::pace::{OVERRUN_QUEUE, QUEUE_HIGH, QUEUE_LOW};
use crate::packet::feedback::Feedback;
use crate::units::HostNanos;

/// From this share of marked datagrams on, the queue counts as deep: one that marks now and then is kept short by that.
const MOSTLY: f64 = 0.5;

/// Marks that go on for this long without a queue that can be measured are some router's mistake, and say nothing until they end.
const DOUBT: Duration = Duration::from_secs(5);

/// Marks are over when there was none for this long.
const PAUSE: Duration = Duration::from_secs(1);

/// Follows the receiver's count of marked datagrams.
#[derive(Clone, Debug, Default)]
pub(super) struct Marks {
    /// Datagrams that came, and those marked, at the last feedback; `None` before the session's first.
    last: Option<(u64, u32)>,
    /// When there was a mark last.
    marked: Option<HostNanos>,
    /// When there were marks, and a queue to be measured, last; or since when there are marks.
    believed: Option<HostNanos>,
}

impl Marks {
    pub(super) fn begin_session(&mut self) {
        self.last = None;
    }

    /// How deep a queue is at least that marked what came since the last feedback; zero without marks. `queue` is how deep the
    /// delay says it is.
    pub(super) fn depth(&mut self, now: HostNanos, feedback: &Feedback, queue: Duration) -> Duration {
        let (came_before, marked_before) = self.last.replace((feedback.datagrams, feedback.marked)).unwrap_or_default();
        let came = feedback.datagrams.saturating_sub(came_before);
        let marked = feedback.marked.saturating_sub(marked_before);
        if self.marked.is_none_or(|marked| now.since(marked) >= PAUSE) {
            self.believed = None;
        }
        if marked == 0 {
            return Duration::ZERO;
        }
        self.marked = Some(now);
        if queue >= QUEUE_LOW {
            self.believed = Some(now);
        }
        let believed = *self.believed.get_or_insert(now);
        match f64::from(marked) / came.max(1) as f64 {
            _ if now.since(believed) >= DOUBT => Duration::ZERO,
            share if share >= MOSTLY => OVERRUN_QUEUE,
            _ => QUEUE_HIGH,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Feedback each 50 ms for this long, with a share of marks; what the last says.
    fn run(marks: &mut Marks, feedback: &mut Feedback, from_millis: u64, millis: u64, marked: u32, queue: Duration) -> Duration {
        let mut depth = Duration::ZERO;
        for step in 0..millis / 50 {
            feedback.datagrams += 20;
            feedback.marked += marked;
            depth = marks.depth(HostNanos((from_millis + step * 50) * 1_000_000), feedback, queue);
        }
        depth
    }

    #[test]
    fn few_marks_are_a_queue_and_many_a_deep_one() {
        let (mut marks, mut feedback) = (Marks::default(), Feedback::default());
        assert_eq!(run(&mut marks, &mut feedback, 0, 500, 0, Duration::ZERO), Duration::ZERO);
        assert_eq!(run(&mut marks, &mut feedback, 500, 500, 1, Duration::ZERO), QUEUE_HIGH);
        assert_eq!(run(&mut marks, &mut feedback, 1_000, 500, 10, Duration::ZERO), OVERRUN_QUEUE);
        assert_eq!(run(&mut marks, &mut feedback, 1_500, 50, 0, Duration::ZERO), Duration::ZERO);
    }

    #[test]
    fn a_router_that_marks_everything_for_no_reason_is_disbelieved_until_it_ceases() {
        let (mut marks, mut feedback) = (Marks::default(), Feedback::default());
        assert_eq!(run(&mut marks, &mut feedback, 0, 6_000, 20, Duration::ZERO), Duration::ZERO);
        run(&mut marks, &mut feedback, 6_000, 2_000, 0, Duration::ZERO);
        assert_eq!(run(&mut marks, &mut feedback, 8_000, 500, 20, Duration::ZERO), OVERRUN_QUEUE);
    }

    #[test]
    fn marks_with_a_queue_are_believed_for_as_long_as_they_last() {
        let (mut marks, mut feedback) = (Marks::default(), Feedback::default());
        assert_eq!(run(&mut marks, &mut feedback, 0, 60_000, 20, Duration::from_millis(8)), OVERRUN_QUEUE);
    }
}
