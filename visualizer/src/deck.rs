//! Plays a recording: how fast, from where, and whether again from the begin.

use bevy::prelude::*;

use crate::source::replay::Control;

/// How fast it can be played, in steps of the keys.
const SPEEDS: [f32; 7] = [0.125, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0];

/// The deck that a replay lies on. There is none when the source is live.
#[derive(Resource, Clone, Debug)]
pub struct Deck {
    control: Option<Control>,
    length: f64,
    at: f64,
    speed: f32,
    repeats: bool,
    stands: bool,
    round: u32,
}

impl Deck {
    /// Plays what `control` leads, at its own speed, from the begin.
    pub fn new(control: Control, repeats: bool) -> Self {
        let length = control.length();
        Self { control: Some(control), ..Self::bare(length, repeats) }
    }

    /// A deck that leads nothing and counts time only.
    pub(crate) fn bare(length: f64, repeats: bool) -> Self {
        Self { control: None, length, at: 0.0, speed: 1.0, repeats, stands: false, round: 1 }
    }

    /// Begins at `speed` instead of 1.
    #[must_use]
    pub fn with_speed(mut self, speed: f32) -> Self {
        self.speed = speed.clamp(SPEEDS[0], SPEEDS[SPEEDS.len() - 1]);
        self
    }

    /// Lets `seconds` of the picture's time pass.
    pub fn advance(&mut self, seconds: f32) {
        if !self.stands {
            self.at += f64::from(seconds * self.speed);
        }
        if self.at >= self.length {
            if self.repeats && self.length > 0.0 && !self.stands {
                self.seek(0.0);
            } else {
                self.at = self.length;
            }
        }
        if let Some(control) = &self.control {
            control.ask(self.round, self.at);
        }
    }

    /// Jumps to `seconds` of the recording.
    pub fn seek(&mut self, seconds: f64) {
        self.at = seconds.clamp(0.0, self.length);
        self.round = self.round.wrapping_add(1).max(1);
    }

    /// Stops, or goes on; from the begin when it is at the end.
    pub fn toggle(&mut self) {
        if self.at >= self.length {
            self.seek(0.0);
            self.stands = false;
        } else {
            self.stands = !self.stands;
        }
    }

    /// The next faster (`true`) or slower speed.
    pub fn shift(&mut self, faster: bool) {
        let next = if faster {
            SPEEDS.into_iter().find(|speed| *speed > self.speed)
        } else {
            SPEEDS.into_iter().rev().find(|speed| *speed < self.speed)
        };
        self.speed = next.unwrap_or(self.speed);
    }

    /// Whether to begin anew after the end: turns it on or off.
    pub fn repeat(&mut self) {
        self.repeats = !self.repeats;
    }

    /// Seconds since the begin of the recording.
    pub fn at(&self) -> f64 {
        self.at
    }

    /// Length of the recording, in seconds.
    pub fn length(&self) -> f64 {
        self.length
    }

    /// The speed, 1 for that of the music.
    pub fn speed(&self) -> f32 {
        self.speed
    }

    /// How fast time runs: the speed, or 0 while it stands.
    pub fn pace(&self) -> f32 {
        if self.stands || (self.at >= self.length && !self.repeats) { 0.0 } else { self.speed }
    }

    /// Whether it stands still.
    pub fn stands(&self) -> bool {
        self.stands
    }

    /// Whether it begins anew after the end.
    pub fn repeats(&self) -> bool {
        self.repeats
    }

    /// Shows `seconds` of the recording, and stops there.
    #[must_use]
    pub fn standing_at(mut self, seconds: f64) -> Self {
        self.seek(seconds);
        self.stands = true;
        self
    }

    /// Whether all that was asked for has come.
    pub fn is_served(&self) -> bool {
        self.wait(std::time::Duration::ZERO)
    }

    /// Waits until all that was asked for has come: for films, in which no frame may be late.
    pub fn wait(&self, patience: std::time::Duration) -> bool {
        self.control.as_ref().is_none_or(|control| control.wait(patience))
    }
}

/// Lets time pass on the deck.
pub fn play(deck: Option<ResMut<'_, Deck>>, time: Res<'_, Time<Real>>) {
    if let Some(mut deck) = deck {
        deck.advance(time.delta_secs());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_runs_at_the_speed_and_stops_at_the_end() {
        let mut deck = Deck::bare(10.0, false).with_speed(2.0);
        deck.advance(1.5);
        assert_eq!((deck.at(), deck.pace()), (3.0, 2.0));
        deck.toggle();
        deck.advance(1.0);
        assert_eq!((deck.at(), deck.pace()), (3.0, 0.0));
        deck.toggle();
        deck.shift(true);
        deck.advance(1.0);
        assert_eq!(deck.at(), 7.0);
        deck.advance(100.0);
        assert_eq!((deck.at(), deck.pace(), deck.round), (10.0, 0.0, 1));
        deck.toggle();
        deck.advance(0.25);
        assert_eq!((deck.at(), deck.round), (1.0, 2), "from the begin, as a round of its own");
    }

    #[test]
    fn a_repeating_deck_begins_anew_and_one_that_is_moved_begins_a_round() {
        let mut deck = Deck::bare(10.0, true);
        deck.advance(10.5);
        assert_eq!((deck.at(), deck.round, deck.pace()), (0.0, 2, 1.0));
        deck.seek(50.0);
        assert_eq!((deck.at(), deck.round), (10.0, 3));
        deck.seek(-5.0);
        assert_eq!((deck.at(), deck.round), (0.0, 4));
    }

    #[test]
    fn an_empty_recording_stands_at_its_begin() {
        let mut deck = Deck::bare(0.0, true);
        (0..10).for_each(|_| deck.advance(1.0));
        assert_eq!((deck.at(), deck.round), (0.0, 1));
    }
}
