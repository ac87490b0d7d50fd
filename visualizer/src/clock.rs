//! The position that the picture shows as "now": it moves evenly though audio comes in packets.

/// How fast an error is worked off, per second.
const PULL: f64 = 4.0;
/// Farther than this behind, in seconds, the position jumps.
const JUMP: f64 = 0.5;

/// Follows the newest position of a stream smoothly, and never runs ahead of it.
#[derive(Clone, Copy, Debug, Default)]
pub struct HeadClock {
    shown: f64,
}

impl HeadClock {
    /// Lets `seconds` pass for a stream of `sample_rate` Hz whose newest sample is before `end`.
    pub fn advance(&mut self, seconds: f64, end: u64, sample_rate: f64) {
        let end = end as f64;
        let moved = self.shown + seconds * sample_rate;
        let pulled = moved + (end - moved) * (1.0 - (-PULL * seconds).exp());
        let jumps = (end - pulled).abs() > JUMP * sample_rate;
        self.shown = if jumps { end } else { pulled.min(end).max(self.shown.min(end)) };
    }

    /// The position shown, in samples.
    pub fn position(&self) -> f64 {
        self.shown
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packets_of_uneven_size_become_an_even_motion() {
        let mut clock = HeadClock::default();
        let mut steps = Vec::new();
        for frame in 0..600_u64 {
            let end = (frame * 800) / 2_048 * 2_048;
            let before = clock.position();
            clock.advance(1.0 / 60.0, end, 48_000.0);
            assert!(clock.position() <= end as f64);
            steps.push(clock.position() - before);
        }
        let (slowest, fastest) =
            steps[300..].iter().fold((f64::MAX, 0.0_f64), |(low, high), step| (low.min(*step), high.max(*step)));
        assert!(slowest >= 0.0 && fastest < 1_700.0, "{slowest} to {fastest} samples a frame for 800");
    }

    #[test]
    fn a_late_join_jumps_to_the_newest() {
        let mut clock = HeadClock::default();
        clock.advance(0.016, 10_000_000, 48_000.0);
        assert_eq!(clock.position(), 10_000_000.0);
    }

    #[test]
    fn the_picture_stands_still_when_nothing_comes() {
        let mut clock = HeadClock::default();
        (0..100).for_each(|_| clock.advance(0.016, 48_000, 48_000.0));
        assert_eq!(clock.position(), 48_000.0);
    }
}
