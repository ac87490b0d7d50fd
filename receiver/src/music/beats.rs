//! Beats and bars out of the playhead's position in quarter notes.
//!
//! The host states the position about once a second, and wherever its course changes. Between two rows that follow from one
//! another the position is interpolated, so that a beat falls between the same samples as in the host. Bars are counted by
//! the meter alone: hosts state wrong begins of bars.

use super::Beat;
use super::bars::{Bars, HAIR};
use super::moment::Moment;

/// A playhead that is further off than this, in samples, has jumped: hosts that count in seconds round each position.
const PLAYHEAD_ROUNDING: u64 = 2;

/// Quarter notes per sample beyond which a step is no music: 5,760 quarter notes per minute at 48 kHz.
const MAX_SPEED: f64 = 0.002;

/// Steps shorter than this, in samples, are rounding: their speed would be none.
const SHORTEST_STEP: f64 = 1e-3;

/// A step agrees with the stated tempos when it is between what they give, by this share.
const TEMPO_TOLERANCE: f64 = 0.05;

/// Every beat while the playhead rolls, in order of samples. `length` is the take's, `rate` its samples per second.
pub(super) fn beats(moments: &[Moment], length: u64, rate: f64) -> Vec<Beat> {
    let mut walk = Walk::default();
    for (place, moment) in moments.iter().enumerate() {
        let next = moments.get(place + 1);
        if let Some(here) = Point::of(moment).filter(|_| moment.rolling) {
            walk.enter(here, moment.meter);
            walk.follow(moment, here, next, next.map_or(length, |next| next.sample), rate);
        }
        if next.is_none_or(|next| !next.rolling) {
            walk.leave();
        }
    }
    walk.beats
}

/// The playhead's position, in quarter notes, at a sample. Where a loop turns may lie between two samples.
#[derive(Clone, Copy, Debug)]
struct Point {
    sample: f64,
    ppq: f64,
}

impl Point {
    fn of(moment: &Moment) -> Option<Self> {
        Some(Self { sample: moment.sample as f64, ppq: moment.ppq? })
    }

    /// Quarter notes per sample on the way to `next`.
    fn speed(self, next: Self) -> f64 {
        (next.ppq - self.ppq) / (next.sample - self.sample)
    }
}

/// The playhead's way through the piece.
#[derive(Default)]
struct Walk {
    bars: Bars,
    /// The way since the playhead last began or jumped.
    way: Vec<Point>,
    beats: Vec<Beat>,
}

impl Walk {
    /// The playhead is `here`, where the host states a meter.
    fn enter(&mut self, here: Point, meter: Option<(u16, u16)>) {
        let rolled = self.way.len() > 1;
        if self.way.is_empty() {
            self.way.push(here);
        }
        if let Some(meter) = meter {
            self.bars.learn(meter, here.ppq, rolled);
        }
    }

    /// Goes on from `here` to the next moment, or to sample `end` where none is.
    fn follow(&mut self, moment: &Moment, here: Point, next: Option<&Moment>, end: u64, rate: f64) {
        let there = next.and_then(Point::of);
        if let Some((next, there)) = next.zip(there) {
            if continues(moment, next) && agrees(moment, next, there.ppq - here.ppq, rate) {
                if let Some(turn) = turning_point(moment, here, next, there, rate) {
                    self.step(turn);
                }
                return self.step(there);
            }
            if let Some((begin, end)) = next.repeat.or(moment.repeat)
                && next.rolling
                && (begin..end).contains(&there.ppq)
                && here.ppq < end
                && agrees(moment, next, end - here.ppq + there.ppq - begin, rate)
            {
                let share = (end - here.ppq) / (end - here.ppq + there.ppq - begin);
                let sample = here.sample + share * (there.sample - here.sample);
                self.step(Point { sample, ppq: end });
                self.leave();
                self.way.push(Point { sample, ppq: begin });
                return self.step(there);
            }
        }
        if let Some(speed) = speed(moment, rate) {
            let sample = end as f64;
            self.step(Point { sample, ppq: here.ppq + speed * (sample - here.sample) });
        }
        self.leave();
    }

    /// Goes on to a point, if there is a way to it.
    fn step(&mut self, to: Point) {
        let last = self.way.last();
        if last.is_some_and(|last| to.sample - last.sample >= SHORTEST_STEP && to.ppq > last.ppq) {
            self.way.push(to);
        }
    }

    /// The playhead stops or jumps: states the beats on its way.
    fn leave(&mut self) {
        let way = std::mem::take(&mut self.way);
        let [first, second, ..] = way[..] else { return };
        let end = way[way.len() - 1].sample.round() as u64;
        // A beat within a sample before the begin is one that the host meant.
        let mut ppq = self.bars.next_beat(first.ppq - first.speed(second) - HAIR);
        for step in way.windows(2) {
            while ppq <= step[1].ppq {
                let sample = step[0].sample + (ppq - step[0].ppq) / step[0].speed(step[1]);
                let sample = sample.max(first.sample).round() as u64;
                if sample < end {
                    let (bar, beat) = self.bars.place(ppq);
                    self.beats.push(Beat { sample, ppq, bar, beat });
                }
                ppq = self.bars.next_beat(ppq + 2.0 * HAIR);
            }
        }
    }
}

/// The playhead went from one moment to the next without a jump.
fn continues(moment: &Moment, next: &Moment) -> bool {
    let moved = moment.playhead.zip(next.playhead).map(|(from, to)| i128::from(to) - i128::from(from));
    let passed = i128::from(next.sample) - i128::from(moment.sample);
    moved.is_some_and(|moved| moved.abs_diff(passed) <= u128::from(PLAYHEAD_ROUNDING))
}

/// `quarters` can be played from one moment to the next, at the tempos that they state.
fn agrees(moment: &Moment, next: &Moment, quarters: f64, rate: f64) -> bool {
    let samples = next.sample as f64 - moment.sample as f64;
    let possible = quarters > 0.0 && quarters <= samples * MAX_SPEED;
    let stated = speed(moment, rate).zip(speed(next, rate).or(speed(moment, rate)));
    possible
        && stated.is_none_or(|(one, other)| {
            // The playhead is rounded to a sample at both ends.
            let rounding = 2.0 * one.max(other);
            let (slow, fast) = (one.min(other) * samples, one.max(other) * samples);
            quarters >= slow * (1.0 - TEMPO_TOLERANCE) - rounding && quarters <= fast * (1.0 + TEMPO_TOLERANCE) + rounding
        })
}

/// Quarter notes per sample.
fn speed(moment: &Moment, rate: f64) -> Option<f64> {
    Some(moment.tempo? / (60.0 * rate)).filter(|speed| *speed <= MAX_SPEED)
}

/// Where the tempo changed between two moments that state different ones: hosts tell of it a block late.
fn turning_point(moment: &Moment, here: Point, next: &Moment, there: Point, rate: f64) -> Option<Point> {
    let (before, after) = (speed(moment, rate)?, speed(next, rate)?);
    let ahead = here.ppq + before * (there.sample - here.sample) - there.ppq;
    let back = ahead / (before - after);
    let passed = there.sample - here.sample - back;
    (back >= 1.0 && passed >= 1.0).then_some(Point { sample: here.sample + passed, ppq: here.ppq + before * passed })
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATE: f64 = 48_000.0;

    /// A host that rolls from `ppq` at `tempo`; its playhead in samples counts from 0.
    fn rolling(sample: u64, ppq: f64, tempo: f64) -> Moment {
        let playhead = Some(sample as i64);
        Moment { sample, rolling: true, tempo: Some(tempo), meter: Some((4, 4)), ppq: Some(ppq), playhead, repeat: None }
    }

    /// The same moment with the playhead elsewhere, in samples.
    fn located(moment: Moment, playhead: i64) -> Moment {
        Moment { playhead: Some(playhead), ..moment }
    }

    fn stopped(sample: u64, ppq: f64) -> Moment {
        Moment { rolling: false, ..rolling(sample, ppq, 120.0) }
    }

    /// Sample, ppq, bar and beat of all beats.
    fn walk(moments: &[Moment], length: u64) -> Vec<(u64, f64, i32, u16)> {
        beats(moments, length, RATE).iter().map(|beat| (beat.sample, beat.ppq, beat.bar, beat.beat)).collect()
    }

    fn samples(moments: &[Moment], length: u64) -> Vec<u64> {
        beats(moments, length, RATE).iter().map(|beat| beat.sample).collect()
    }

    #[test]
    fn beats_fall_where_the_playhead_passes_them() {
        let moments = [rolling(0, 3.5, 120.0), rolling(48_000, 5.5, 120.0)];
        let expected = [(12_000, 4.0, 1, 0), (36_000, 5.0, 1, 1), (60_000, 6.0, 1, 2), (84_000, 7.0, 1, 3)];
        assert_eq!(walk(&moments, 96_000), expected);
    }

    #[test]
    fn a_beat_on_a_row_or_a_seam_is_stated_once() {
        let moments = [rolling(0, 0.0, 120.0), rolling(24_000, 1.0, 120.0), rolling(48_000, 2.000_000_01, 120.0)];
        assert_eq!(samples(&moments, 72_000), [0, 24_000, 48_000]);
        // The second beat rounds to the sample after the last.
        let late = [located(rolling(0, 0.000_02, 120.0), 48_000)];
        assert_eq!(samples(&late, 24_000), [0]);
    }

    #[test]
    fn each_beat_is_at_its_nearest_sample() {
        // 7 beats a second are 6857.14 samples apart.
        let moments: Vec<_> = (0..60).map(|second| rolling(second * 48_000, second as f64 * 7.0, 420.0)).collect();
        let found = samples(&moments, 60 * 48_000);
        let exact: Vec<u64> = (0..420).map(|beat| (f64::from(beat) * 48_000.0 / 7.0).round() as u64).collect();
        assert_eq!(found, exact);
    }

    #[test]
    fn a_count_in_has_negative_bars() {
        let moments = [rolling(0, -2.0, 120.0), rolling(48_000, 0.0, 120.0)];
        assert_eq!(walk(&moments, 50_000), [(0, -2.0, -1, 2), (24_000, -1.0, -1, 3), (48_000, 0.0, 0, 0)]);
    }

    #[test]
    fn nothing_beats_while_the_playhead_stands() {
        let moments = [stopped(0, 1.0), rolling(10_000, 1.0, 120.0), stopped(40_000, 2.25), rolling(60_000, 2.25, 120.0)];
        assert_eq!(samples(&moments, 80_000), [10_000, 34_000, 78_000]);
        let returns = [rolling(0, 1.0, 120.0), located(stopped(40_000, 1.0), 0)];
        assert_eq!(samples(&returns[..1], 80_000), [0, 24_000, 48_000, 72_000], "a single row is enough");
        assert_eq!(samples(&returns, 80_000), [0, 24_000]);
    }

    #[test]
    fn a_locate_goes_on_elsewhere() {
        let there = located(rolling(36_000, 100.5, 120.0), 2_412_000);
        let on = located(rolling(84_000, 102.5, 120.0), 2_460_000);
        let expected = [(0, 0.0, 0, 0), (24_000, 1.0, 0, 1), (48_000, 101.0, 25, 1), (72_000, 102.0, 25, 2)];
        assert_eq!(walk(&[rolling(0, 0.0, 120.0), there, on], 90_000), expected);
    }

    #[test]
    fn a_loop_turns_where_its_end_is_even_within_a_block() {
        // A loop of one bar, 96,000 samples; the host tells of the turn 300 samples late.
        let round = |sample: u64, ppq: f64, turn: i64| Moment {
            repeat: Some((0.0, 4.0)),
            ..located(rolling(sample, ppq, 120.0), sample as i64 - 96_000 * turn)
        };
        let moments = [
            round(0, 0.0, 0),
            round(48_000, 2.0, 0),
            round(96_300, 300.0 / 24_000.0, 1),
            round(144_300, 2.0125, 1),
            round(192_000, 0.0, 2),
        ];
        let expected: Vec<_> = (0..9).map(|beat| (beat * 24_000, (beat % 4) as f64, 0, (beat % 4) as u16)).collect();
        assert_eq!(walk(&moments, 193_000), expected);
    }

    #[test]
    fn a_loop_shorter_than_the_rows_are_apart_beats_on() {
        let moments: Vec<_> = (0..20)
            .map(|turn| Moment { repeat: Some((8.0, 9.0)), ..located(rolling(turn * 24_000, 8.0, 120.0), 1_000_000) })
            .collect();
        let expected: Vec<_> = (0..20).map(|turn| (turn * 24_000, 8.0, 2, 0)).collect();
        assert_eq!(walk(&moments, 20 * 24_000), expected);
    }

    #[test]
    fn a_tempo_that_changed_before_its_row_changed_there() {
        // 120 to sample 47,000, then 60; the block of the row begins at 48,000.
        let at_row = 47_000.0 / 24_000.0 + 1000.0 / 48_000.0;
        let moments = [rolling(0, 0.0, 120.0), rolling(48_000, at_row, 60.0), rolling(96_000, at_row + 1.0, 60.0)];
        assert_eq!(samples(&moments, 96_000), [0, 24_000, 49_000]);
    }

    #[test]
    fn a_tempo_ramp_is_followed_row_by_row() {
        // Quarter notes are the integral of 60 to 180 over ten seconds.
        let ppq = |second: f64| second + 0.1 * second * second;
        let tempo = |second: f64| 60.0 + 12.0 * second;
        let rows: Vec<_> = (0..=1000)
            .map(|block| {
                let second = f64::from(block) * 0.01;
                rolling(u64::from(block as u32) * 480, ppq(second), tempo(second))
            })
            .collect();
        let found = beats(&rows, 480_001, RATE);
        assert_eq!(found.len(), 21);
        for beat in found {
            let second = (-1.0 + (1.0 + 0.4 * beat.ppq).sqrt()) / 0.2;
            assert!((beat.sample as f64 - second * RATE).abs() <= 1.0, "{beat:?}, not {}", second * RATE);
        }
    }

    #[test]
    fn a_meter_told_late_counts_from_its_bar_line() {
        let mut late = rolling(96_300, 4.0125, 120.0);
        late.meter = Some((3, 4));
        let found = walk(&[rolling(0, 0.0, 120.0), rolling(48_000, 2.0, 120.0), late], 168_001);
        let bars: Vec<_> = found.iter().map(|(_, _, bar, beat)| (*bar, *beat)).collect();
        assert_eq!(bars, [(0, 0), (0, 1), (0, 2), (0, 3), (1, 0), (1, 1), (1, 2), (2, 0)]);
    }

    #[test]
    fn a_row_at_the_very_end_of_its_loop_is_no_step() {
        let turning = |sample: u64, ppq: f64| Moment { repeat: Some((0.0, 4.0)), ..located(rolling(sample, ppq, 120.0), 48_000) };
        let moments = [turning(100, 4.0 - 1e-14), turning(24_100, 1.0)];
        assert_eq!(walk(&moments, 30_000), [(100, 0.0, 0, 0), (24_100, 1.0, 0, 1)]);
    }

    #[test]
    fn a_playhead_that_makes_no_sense_has_no_beats() {
        let leap = [rolling(0, 0.0, 120.0), rolling(48_000, 1e8, 120.0), rolling(96_000, 2.0, 120.0)];
        assert!(samples(&leap, 96_000).len() < 10);
        let backwards = [rolling(0, 5.0, 120.0), rolling(48_000, 4.0, 120.0)];
        assert_eq!(walk(&backwards, 48_000), [(0, 5.0, 1, 1), (24_000, 6.0, 1, 2)], "it can only have jumped");
        let silent = [Moment { ppq: None, ..rolling(0, 0.0, 120.0) }, Moment { ppq: None, ..rolling(48_000, 0.0, 120.0) }];
        assert!(samples(&silent, 96_000).is_empty());
    }
}
