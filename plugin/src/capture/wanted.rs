//! What shall become of a block, as a person set it.

use send_learn_protocol::record::{GapReason, MarkerKind};

/// What is done with a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// It is captured.
    Captured,
    /// It is captured, and marked: it must not leave the recording.
    Private,
    /// It is counted and passed over: nothing of it leaves this machine.
    Skipped(Pause),
}

/// Why nothing is captured though the host plays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pause {
    /// The plugin is bypassed.
    Bypassed,
    /// Capture is switched off.
    CaptureOff,
    /// It is private, and what is private shall not leave this machine.
    Private,
    /// The host renders faster than time, and that is not to be captured.
    Offline,
}

impl Pause {
    /// What the recording says of the samples.
    pub fn reason(self) -> GapReason {
        match self {
            Self::Bypassed => GapReason::Bypassed,
            Self::CaptureOff | Self::Offline => GapReason::CaptureOff,
            Self::Private => GapReason::Private,
        }
    }

    /// The markers of its begin and its end; none where being private says it.
    fn markers(self) -> Option<(MarkerKind, MarkerKind)> {
        match self {
            Self::Bypassed => Some((MarkerKind::BypassOn, MarkerKind::BypassOff)),
            Self::CaptureOff | Self::Offline => Some((MarkerKind::CaptureOff, MarkerKind::CaptureOn)),
            Self::Private => None,
        }
    }
}

/// What the markers of the take say so far, and which are due next.
#[derive(Debug, Default)]
pub(super) struct Said {
    pause: Option<Pause>,
    private: bool,
    private_at: u64,
}

impl Said {
    /// A pause goes on, or begins at `position`.
    pub(super) fn pauses(&mut self, pause: Pause, position: u64) -> [Option<MarkerKind>; 2] {
        if self.pause == Some(pause) {
            return [None; 2];
        }
        let before = self.end_pause();
        self.pause = Some(pause);
        let begins_private = pause == Pause::Private && !self.private;
        if begins_private {
            (self.private, self.private_at) = (true, position);
        }
        let begin = pause.markers().map(|(begin, _)| begin);
        [before, begin.or(begins_private.then_some(MarkerKind::PrivateOn))]
    }

    /// A block of `frames` at `position` is captured. That it is private is said again before `again` frames have passed:
    /// where the network's loss outlasts what is kept, a marker may be lost without what follows it.
    pub(super) fn captures(&mut self, private: bool, position: u64, frames: u32, again: u64) -> [Option<MarkerKind>; 2] {
        let before = self.end_pause();
        let due = position + u64::from(frames) >= self.private_at + again;
        let marker = match private {
            true if !self.private || due => Some(MarkerKind::PrivateOn),
            false if self.private => Some(MarkerKind::PrivateOff),
            _ => None,
        };
        self.private = private;
        if marker.is_some() {
            self.private_at = position;
        }
        [before, marker]
    }

    fn end_pause(&mut self) -> Option<MarkerKind> {
        self.pause.take().and_then(Pause::markers).map(|(_, end)| end)
    }
}
