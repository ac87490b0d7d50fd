//! How much is lost before any repair, smoothed.

use crate::packet::feedback::Feedback;

/// Weight of a new sample. Falls slowly, so that one quiet second does not strip the protection: at 375 datagrams per second
/// half of a loss that has ended is forgotten after 2.3 s.
const RISE: f64 = 0.2;
const FALL: f64 = 0.05;

/// Samples of fewer datagrams wait for more.
const SAMPLE: u64 = 64;

/// Follows the receiver's counters.
#[derive(Clone, Debug, Default)]
pub(super) struct Loss {
    share: Option<f64>,
    sampled: bool,
    /// Datagrams that came and datagrams lost at the last sample; `None` before the session's first feedback.
    last: Option<(u64, u64)>,
}

impl Loss {
    pub(super) fn begin_session(&mut self) {
        self.last = None;
    }

    /// Share of datagrams lost since the last sample; `None` while there are too few.
    pub(super) fn sample(&mut self, feedback: &Feedback) -> Option<f64> {
        let (came_before, lost_before) = *self.last.get_or_insert((0, 0));
        let came = feedback.datagrams.saturating_sub(came_before);
        // What was given up as lost can come after all.
        let lost = feedback.lost.saturating_sub(lost_before);
        if came.saturating_add(lost) < SAMPLE {
            return None;
        }
        self.last = Some((feedback.datagrams, feedback.lost));
        self.sampled = true;
        Some(lost as f64 / (came as f64 + lost as f64))
    }

    /// Takes a sample.
    pub(super) fn add(&mut self, sample: f64) {
        self.share = Some(self.share.map_or(sample, |share| share + (sample - share) * if sample > share { RISE } else { FALL }));
    }

    /// Whether there was a sample, even if it was not taken.
    pub(super) fn has_sample(&self) -> bool {
        self.sampled
    }

    /// The smoothed share, 0 to 1; `None` before the first sample.
    pub(super) fn share(&self) -> Option<f64> {
        self.share
    }
}
