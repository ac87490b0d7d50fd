//! Where samples lie in ticks, by the tempo map that the file itself states.

use crate::music::Tempo;

/// Without a tempo the format means 120 quarter notes per minute.
const DEFAULT_MICROS: u32 = 500_000;

/// The slowest tempo that a file can state: 24 bits of microseconds, 3.6 quarter notes per minute.
const MAX_MICROS: f64 = 16_777_215.0;

/// Beyond this distance from a sample, in samples, a tick might be taken for its neighbour by a reader who rounds.
const CLEARLY: f64 = 0.499;

/// A tempo map in whole microseconds per quarter note and whole ticks, as a file states it.
#[derive(Clone, Debug)]
pub(crate) struct Grid {
    sections: Vec<Section>,
    /// Units of time per sample.
    units_per_sample: f64,
}

/// Where a tempo begins. Time is in whole microseconds divided by [`Grid::DIVISION`]: a tick lasts `micros` of them, so that no
/// rounding adds up over a file.
#[derive(Clone, Copy, Debug)]
struct Section {
    tick: u64,
    units: u64,
    micros: u32,
}

impl Grid {
    /// Ticks per quarter note. The format allows up to 32,767; this is a multiple of the 480 and 960 of sequencers, which
    /// beats divide into thirds, fifths and 2048ths.
    pub(crate) const DIVISION: u16 = 30_720;

    /// The map for `tempos`, whose samples are `sample_rate` to the second.
    pub(crate) fn new(tempos: &[Tempo], sample_rate: f64) -> Self {
        let begin = Section { tick: 0, units: 0, micros: DEFAULT_MICROS };
        let mut grid = Self { sections: vec![begin], units_per_sample: 1e6 * f64::from(Self::DIVISION) / sample_rate };
        for tempo in tempos.iter().filter(|tempo| tempo.tempo.is_finite() && tempo.tempo > 0.0) {
            let micros = (60e6 / tempo.tempo).round().clamp(1.0, MAX_MICROS) as u32;
            let tick = grid.tick(tempo.sample);
            let last = grid.sections[grid.sections.len() - 1];
            if last.tick == tick {
                grid.sections.pop();
            } else if last.micros == micros {
                continue;
            }
            let units = last.units + (tick - last.tick) * u64::from(last.micros);
            grid.sections.push(Section { tick, units, micros });
        }
        grid
    }

    /// Each tempo with the tick from which it holds, in microseconds per quarter note.
    pub(crate) fn tempos(&self) -> impl Iterator<Item = (u64, u32)> + '_ {
        self.sections.iter().map(|section| (section.tick, section.micros))
    }

    /// The tick nearest to `sample`.
    pub(crate) fn tick(&self, sample: u64) -> u64 {
        let units = sample as f64 * self.units_per_sample;
        let section = self.section(|section| section.units as f64 <= units);
        section.tick + ((units - section.units as f64) / f64::from(section.micros)).round() as u64
    }

    /// Whether a reader who turns `tick` into seconds and takes the nearest sample gets `sample`.
    pub(crate) fn is_at(&self, tick: u64, sample: u64) -> bool {
        let section = self.section(|section| section.tick <= tick);
        let units = section.units + (tick - section.tick) * u64::from(section.micros);
        (units as f64 / self.units_per_sample - sample as f64).abs() < CLEARLY
    }

    /// The last section for which `begun` holds; the first one begins at 0.
    fn section(&self, begun: impl Fn(&Section) -> bool) -> Section {
        self.sections[self.sections.partition_point(begun).saturating_sub(1)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tempo(sample: u64, tempo: f64) -> Tempo {
        Tempo { sample, tempo }
    }

    #[test]
    fn every_sample_has_its_own_tick_where_ticks_are_fine_enough() {
        let grid = Grid::new(&[tempo(0, 94.0), tempo(10_007, 300.0), tempo(20_011, 121.3)], 48_000.0);
        assert!((0..48_000).all(|sample| grid.is_at(grid.tick(sample), sample)));
    }

    #[test]
    fn at_slow_tempi_most_samples_have_no_tick() {
        let grid = Grid::new(&[tempo(0, 30.0)], 48_000.0);
        let hit = (0..96_000).filter(|&sample| grid.is_at(grid.tick(sample), sample)).count();
        // A tick is 3.125 samples, and each eighth one lies in the middle of two.
        assert_eq!(hit, 30_720 * 7 / 8);
    }

    #[test]
    fn rounding_does_not_add_up_over_an_hour_of_tempo_changes() {
        let ramp: Vec<Tempo> = (0..3600).map(|n| tempo(n * 48_000, 100.0 + (n % 77) as f64 / 7.0)).collect();
        let grid = Grid::new(&ramp, 48_000.0);
        assert!((0..3600 * 48_000).step_by(997).all(|sample| grid.is_at(grid.tick(sample), sample)));
    }

    #[test]
    fn the_last_tempo_on_a_tick_holds_and_equal_ones_are_stated_once() {
        let grid = Grid::new(&[tempo(0, 100.0), tempo(0, 120.0), tempo(48_000, 120.0), tempo(96_000, f64::NAN)], 48_000.0);
        assert_eq!(grid.tempos().collect::<Vec<_>>(), [(0, 500_000)]);
    }
}
