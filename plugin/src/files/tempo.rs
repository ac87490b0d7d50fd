//! From ticks to samples, in whole numbers: rounding happens once, at the end, so no error adds up however long the piece
//! and however many changes of tempo.

use midly::Timing;

/// Microseconds of a quarter note until a file says otherwise (Standard MIDI Files 1.0: 120 per minute).
pub const DEFAULT_TEMPO: u32 = 500_000;

/// A file's way from ticks to time.
#[derive(Clone, Debug, PartialEq)]
pub struct TempoMap {
    unit: Unit,
    changes: Vec<Change>,
}

/// How long a tick is.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Unit {
    /// Ticks of a quarter note: the tempo says how long one is.
    Metrical(u128),
    /// Ticks of a second, as a fraction: frames per second times ticks per frame. Tempo does not matter.
    Timecode(u128, u128),
}

/// A tempo from a tick on.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Change {
    tick: u64,
    /// Microseconds of a quarter note.
    tempo: u32,
    /// The sum of ticks times tempo over all that came before.
    before: u128,
}

impl TempoMap {
    /// A map for a file's division and its changes of tempo: tick, and microseconds of a quarter note. They are in order of
    /// ticks; of several on one tick the last counts.
    pub fn new(timing: Timing, tempos: &[(u64, u32)]) -> Self {
        let unit = match timing {
            Timing::Metrical(ticks) => Unit::Metrical(u128::from(ticks.as_int()).max(1)),
            Timing::Timecode(fps, ticks) => {
                let ticks = u128::from(ticks).max(1);
                match fps {
                    midly::Fps::Fps24 => Unit::Timecode(24 * ticks, 1),
                    midly::Fps::Fps25 => Unit::Timecode(25 * ticks, 1),
                    // 30 drop-frame runs at 30,000 / 1,001 frames per second.
                    midly::Fps::Fps29 => Unit::Timecode(30_000 * ticks, 1_001),
                    midly::Fps::Fps30 => Unit::Timecode(30 * ticks, 1),
                }
            }
        };
        let mut changes = vec![Change { tick: 0, tempo: DEFAULT_TEMPO, before: 0 }];
        for &(tick, tempo) in tempos {
            let last = changes[changes.len() - 1];
            let before = last.before + u128::from(tick - last.tick) * u128::from(last.tempo);
            if last.tick == tick {
                changes.pop();
            }
            changes.push(Change { tick, tempo, before });
        }
        Self { unit, changes }
    }

    /// The sample at which `tick` falls at `rate` samples per second, rounded to the nearest, halves up.
    pub fn sample(&self, tick: u64, rate: u32) -> u64 {
        let rate = u128::from(rate);
        let (numerator, denominator) = match self.unit {
            Unit::Metrical(ticks_per_quarter) => {
                let change = self.at(tick);
                let elapsed = change.before + u128::from(tick - change.tick) * u128::from(change.tempo);
                (elapsed * rate, ticks_per_quarter * 1_000_000)
            }
            Unit::Timecode(ticks, seconds) => (u128::from(tick) * seconds * rate, ticks),
        };
        u64::try_from((2 * numerator + denominator) / (2 * denominator)).unwrap_or(u64::MAX)
    }

    /// The tempo at `tick`, in quarter notes per minute; `None` where time is not counted in beats.
    pub fn tempo(&self, tick: u64) -> Option<f64> {
        matches!(self.unit, Unit::Metrical(_)).then(|| 60e6 / f64::from(self.at(tick).tempo))
    }

    /// Ticks of a quarter note; `None` where time is not counted in beats.
    pub fn ticks_per_quarter(&self) -> Option<f64> {
        match self.unit {
            Unit::Metrical(ticks) => Some(ticks as f64),
            Unit::Timecode(..) => None,
        }
    }

    /// The playhead in quarter notes at sample `position`; `None` where time is not counted in beats.
    pub fn quarter(&self, position: u64, rate: u32) -> Option<f64> {
        let ticks_per_quarter = self.ticks_per_quarter()?;
        // Samples times 10^6 times ticks per quarter, in units of ticks times tempo times rate.
        let elapsed = position as f64 * 1e6 * ticks_per_quarter / f64::from(rate);
        let next = self.changes.partition_point(|change| change.before as f64 <= elapsed);
        let change = self.changes[next.max(1) - 1];
        Some((change.tick as f64 + (elapsed - change.before as f64) / f64::from(change.tempo)) / ticks_per_quarter)
    }

    fn at(&self, tick: u64) -> Change {
        self.changes[self.changes.partition_point(|change| change.tick <= tick).max(1) - 1]
    }
}

#[cfg(test)]
mod tests {
    use midly::Fps;

    use super::*;

    fn metrical(ticks: u16, tempos: &[(u64, u32)]) -> TempoMap {
        TempoMap::new(Timing::Metrical(ticks.into()), tempos)
    }

    #[test]
    fn without_a_tempo_a_quarter_note_is_half_a_second() {
        let map = metrical(480, &[]);
        assert_eq!([0, 480, 481].map(|tick| map.sample(tick, 48_000)), [0, 24_000, 24_050]);
    }

    #[test]
    fn several_changes_of_tempo_add_up_as_computed_by_hand() {
        // 2 quarters of 0.5 s, 1 of 0.75 s, half of one of 0.333333 s, then 1 s per quarter.
        let map = metrical(96, &[(192, 750_000), (288, 333_333), (336, 1_000_000)]);
        assert_eq!(map.sample(192, 44_100), 44_100);
        assert_eq!(map.sample(288, 44_100), 77_175, "1.75 s");
        assert_eq!(map.sample(336, 44_100), 84_525, "1.9166665 s = 84,524.99 samples");
        assert_eq!(map.sample(337, 44_100), 84_984, "1.9270831... s = 84,984.37 samples");
        assert_eq!(map.sample(432, 44_100), 128_625, "2.9166665 s = 128,624.99 samples");
        assert_eq!(map.tempo(191), Some(120.0));
        assert_eq!(map.tempo(192), Some(80.0));
    }

    #[test]
    fn halves_are_rounded_up() {
        // One tick is 1/96 s: 459.375 samples at 44,100; at 48 Hz half a sample.
        let map = metrical(48, &[]);
        assert_eq!([1, 2, 3].map(|tick| map.sample(tick, 48)), [1, 1, 2]);
    }

    #[test]
    fn no_error_adds_up_over_a_day() {
        let map = metrical(960, &[(0, 333_333)]);
        let ticks = 960 * 3 * 86_400;
        // 259,200 quarters of 333,333 us are 86,399.9136 s.
        assert_eq!(map.sample(ticks, 48_000), 4_147_195_853);
    }

    #[test]
    fn the_last_tempo_on_a_tick_counts() {
        let map = metrical(100, &[(0, 400_000), (0, 600_000)]);
        assert_eq!(map.sample(100, 10_000), 6_000);
    }

    #[test]
    fn timecode_ignores_tempo() {
        let seconds = |fps, ticks: u64| TempoMap::new(Timing::Timecode(fps, 40), &[(0, 1)]).sample(ticks, 48_000);
        assert_eq!(seconds(Fps::Fps25, 1_000), 48_000);
        assert_eq!(seconds(Fps::Fps24, 960), 48_000);
        assert_eq!(seconds(Fps::Fps30, 1_200), 48_000);
        assert_eq!(seconds(Fps::Fps29, 1_200), 48_048, "30 frames of drop-frame take 1.001 s");
    }

    #[test]
    fn quarters_invert_samples() {
        let map = metrical(96, &[(192, 750_000), (288, 333_333)]);
        for tick in [0, 50, 192, 250, 288, 1_000] {
            let quarter = map.quarter(map.sample(tick, 96_000), 96_000).unwrap();
            assert!((quarter - tick as f64 / 96.0).abs() < 1e-4, "{tick}: {quarter}");
        }
    }
}
