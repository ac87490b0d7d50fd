//! How a stream's line fares: a word, and how bad it is.

use send_learn_protocol::tap::Health;

use crate::stream::Stream;
use crate::theme::Tint;

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// The stream is over.
    Over,
    /// All is well.
    Well,
    /// Worth a look: nothing is lost for good, but not all is as it should be.
    Look,
    /// Something is being lost.
    Bad,
}

impl Severity {
    /// Its tint.
    pub fn tint(self) -> Tint {
        match self {
            Self::Over => Tint::Dim,
            Self::Well => Tint::Good,
            Self::Look => Tint::Warn,
            Self::Bad => Tint::Bad,
        }
    }

    /// The sign that stands before the word.
    pub fn mark(self) -> &'static str {
        match self {
            Self::Over | Self::Well => "",
            Self::Look => "!",
            Self::Bad => "!!",
        }
    }
}

/// A word on a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// The word.
    pub word: &'static str,
    /// How bad it is.
    pub severity: Severity,
}

/// How a stream's line fares.
pub fn of(stream: &Stream) -> Verdict {
    let verdict = |word, severity| Verdict { word, severity };
    if stream.ended.is_some() {
        return verdict(if stream.is_cut_off { "no connection" } else { "ended" }, Severity::Over);
    }
    let word = if stream.is_replayed() { "recorded" } else { "live" };
    let Some(health) = stream.health else { return verdict(word, Severity::Well) };
    if stream.is_replayed() {
        return as_recorded(health);
    }
    if health.residual_loss > 0.01 {
        verdict("losing live audio", Severity::Bad)
    } else if health.level < 0.99 {
        verdict("reduced quality", Severity::Look)
    } else if health.owed > 64 {
        verdict("catching up", Severity::Look)
    } else if health.gap_frames > 0 {
        verdict("live, with gaps", Severity::Look)
    } else if health.durable_lag > 10.0 {
        verdict("disk is late", Severity::Look)
    } else if health.loss > 0.001 {
        verdict("live, repairing", Severity::Well)
    } else {
        verdict("live", Severity::Well)
    }
}

/// How the line fared when the moment was recorded. What could be mended later has been.
fn as_recorded(health: Health) -> Verdict {
    let verdict = |word, severity| Verdict { word, severity };
    if health.residual_loss > 0.01 {
        verdict("was late live", Severity::Bad)
    } else if health.level < 0.99 {
        verdict("was reduced live", Severity::Look)
    } else if health.gap_frames > 0 {
        verdict("recorded, with gaps", Severity::Look)
    } else if health.loss > 0.001 {
        verdict("recorded, repaired", Severity::Well)
    } else {
        verdict("recorded", Severity::Well)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::StreamKey;
    use crate::stream::tests::{KEY, description};

    #[test]
    fn a_recording_is_not_said_to_be_live() {
        let mut stream = Stream::new(StreamKey { receiver: 0, ..KEY }, description("Bass"));
        assert_eq!(of(&stream).word, "recorded");
        let well = Health { level: 1.0, ..Health::default() };
        let troubles = [
            Health { loss: 0.05, ..well },
            Health { residual_loss: 0.1, ..well },
            Health { level: 0.3, ..well },
            Health { gap_frames: 5, ..well },
        ];
        for health in [well].into_iter().chain(troubles) {
            stream.health = Some(health);
            let word = of(&stream).word;
            assert!(word.starts_with("recorded") || word.starts_with("was "), "{word}");
        }
    }

    #[test]
    fn a_stream_in_trouble_is_said_to_be() {
        let mut stream = Stream::new(KEY, description("Bass"));
        let mut word = |health: Health| {
            stream.health = Some(health);
            of(&stream).word
        };
        let well = Health { level: 1.0, ..Health::default() };
        assert_eq!(word(well), "live");
        assert_eq!(word(Health { loss: 0.05, ..well }), "live, repairing");
        assert_eq!(word(Health { loss: 0.2, residual_loss: 0.1, ..well }), "losing live audio");
        assert_eq!(word(Health { level: 0.7, ..well }), "reduced quality");
        assert_eq!(word(Health { owed: 500, ..well }), "catching up");
        assert_eq!(word(Health { gap_frames: 5, loss: 0.1, ..well }), "live, with gaps");
        assert_eq!(word(Health { durable_lag: 60.0, ..well }), "disk is late");
        stream.ended = Some(1.0);
        assert_eq!(of(&stream).word, "ended");
        stream.is_cut_off = true;
        assert_eq!(of(&stream).word, "no connection", "the take may go on");
    }
}
