//! Which moment the picture shows: now, or one that is held while the music, and all that is counted, goes on.

use bevy::prelude::*;

use crate::history;

/// The moment shown, in seconds of the picture's own time.
#[derive(Resource, Clone, Copy, Debug, Default, PartialEq)]
pub struct Moment {
    now: f64,
    held: Option<Held>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
struct Held {
    at: f64,
    moves: bool,
}

/// One step of time for the streams.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Step {
    /// How long it is, in seconds.
    pub seconds: f32,
    /// How fast the source plays: 1 for a live one.
    pub pace: f32,
    /// The picture's time after it.
    pub now: f64,
    /// The moment shown; `None` for now.
    pub held: Option<f64>,
}

impl Moment {
    /// Lets `seconds` pass, in which the source plays at `pace`.
    pub fn advance(&mut self, seconds: f32, pace: f32) -> Step {
        self.now += f64::from(seconds);
        if let Some(held) = &mut self.held
            && held.moves
        {
            held.at += f64::from(seconds);
        }
        self.release();
        Step { seconds, pace, now: self.now, held: self.held.map(|held| held.at) }
    }

    /// Seconds of the picture's time since it began.
    pub fn now(&self) -> f64 {
        self.now
    }

    /// Whether the picture follows what comes.
    pub fn is_live(&self) -> bool {
        self.held.is_none()
    }

    /// Whether it stands still.
    pub fn stands(&self) -> bool {
        self.held.is_some_and(|held| !held.moves)
    }

    /// How long before now the moment shown is, in seconds.
    pub fn behind(&self) -> f64 {
        self.held.map_or(0.0, |held| self.now - held.at)
    }

    /// Stops, or goes on from the moment shown, as late as it is.
    pub fn toggle(&mut self) {
        let at = self.held.map_or(self.now, |held| held.at);
        self.held = Some(Held { at, moves: self.stands() });
        self.release();
    }

    /// Shows what is `seconds` later (earlier, if negative) than what is shown, as far back as the history reaches.
    pub fn scrub(&mut self, seconds: f64) {
        let held = self.held.unwrap_or(Held { at: self.now, moves: false });
        let at = (held.at + seconds).clamp(self.now - history::SECONDS, self.now);
        self.held = Some(Held { at, ..held });
    }

    /// Shows what was `seconds` ago, and stops there.
    pub fn hold(&mut self, seconds: f64) {
        self.held = Some(Held { at: self.now - seconds.clamp(0.0, history::SECONDS), moves: false });
    }

    /// Back to now.
    pub fn follow(&mut self) {
        self.held = None;
    }

    /// What moves and has reached now follows it again.
    fn release(&mut self) {
        if self.held.is_some_and(|held| held.moves && held.at >= self.now) {
            self.held = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_held_moment_stays_while_time_passes_and_one_step_leads_back() {
        let mut moment = Moment::default();
        moment.advance(10.0, 1.0);
        moment.toggle();
        let step = moment.advance(5.0, 1.0);
        assert_eq!((step.held, moment.behind(), moment.stands()), (Some(10.0), 5.0, true));
        moment.scrub(-3.0);
        assert_eq!(moment.behind(), 8.0);
        moment.toggle();
        assert_eq!(moment.advance(1.0, 1.0).held, Some(8.0), "it goes on, as late as it is");
        moment.follow();
        assert_eq!(moment.advance(1.0, 1.0).held, None);
    }

    #[test]
    fn one_looks_back_no_farther_than_the_history_and_not_ahead() {
        let mut moment = Moment::default();
        moment.advance(1_000.0, 1.0);
        moment.scrub(-500.0);
        assert_eq!(moment.behind(), history::SECONDS);
        moment.scrub(500.0);
        assert_eq!(moment.behind(), 0.0);
    }
}
