//! Where bars and beats lie on the playhead's axis of quarter notes, learned from the meters that the host stated.

/// Less than this, in quarter notes, is rounding: a playhead computed from samples can stand a hair before the line it means.
pub(super) const HAIR: f64 = 1e-6;

/// The meter that is assumed where the host states none: that of a Standard MIDI File without one.
const COMMON: (u16, u16) = (4, 4);

/// The bars of a piece, as far as they are known.
#[derive(Clone, Debug, Default)]
pub(super) struct Bars {
    /// In order of their begins; the first holds before it, too.
    stretches: Vec<Stretch>,
}

/// Bars of one meter.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Stretch {
    /// Begin of the first bar, in quarter notes.
    begin: f64,
    /// The number of that bar.
    bar: f64,
    /// Beats per bar, and the note value of a beat.
    meter: (u16, u16),
}

impl Stretch {
    /// Bars of `meter` counted from the playhead's 0, as if it had never changed; the one that holds `ppq` begins.
    fn counted_from_zero(meter: (u16, u16), ppq: f64) -> Self {
        let zero = Self { begin: 0.0, bar: 0.0, meter };
        let bar = ((ppq + HAIR) / zero.bar_length()).floor();
        Self { begin: bar * zero.bar_length(), bar, meter }
    }

    /// In quarter notes.
    fn beat_length(&self) -> f64 {
        4.0 / f64::from(self.meter.1)
    }

    fn bar_length(&self) -> f64 {
        self.beat_length() * f64::from(self.meter.0)
    }

    /// Beats from its begin to the last one at or before `ppq`.
    fn beats(&self, ppq: f64) -> f64 {
        ((ppq - self.begin + HAIR) / self.beat_length()).floor()
    }
}

impl Bars {
    /// Takes note that the host states `meter` at `ppq`. If the playhead has `rolled` there, a meter that differs began with
    /// the last beat of the one before: hosts tell of it a block late. A bar that it cuts short counts as a bar. Where the
    /// playhead jumped to, it is unknown how the piece goes before, and bars count from 0.
    pub(super) fn learn(&mut self, meter: (u16, u16), ppq: f64, rolled: bool) {
        let stretch = match self.at(ppq) {
            Some(known) if known.meter == meter => return,
            Some(known) if rolled => {
                let begin = known.begin + known.beats(ppq) * known.beat_length();
                let bars = ((begin - known.begin - HAIR) / known.bar_length()).ceil();
                Stretch { begin, bar: known.bar + bars, meter }
            }
            Some(_) => Stretch::counted_from_zero(meter, ppq),
            None => Stretch { begin: 0.0, bar: 0.0, meter },
        };
        let place = self.stretches.partition_point(|other| other.begin < stretch.begin - HAIR);
        let replaced = self.stretches[place..].iter().take_while(|other| other.begin <= stretch.begin + HAIR).count();
        self.stretches.splice(place..place + replaced, [stretch]);
    }

    /// The first beat at or after `ppq`.
    pub(super) fn next_beat(&self, ppq: f64) -> f64 {
        let here = self.here(ppq);
        let on_a_beat = here.begin + here.beats(ppq) * here.beat_length();
        if on_a_beat >= ppq - HAIR {
            return on_a_beat;
        }
        let next = on_a_beat + here.beat_length();
        let end = self.stretches.iter().map(|stretch| stretch.begin).find(|begin| *begin > ppq + HAIR);
        end.map_or(next, |end| next.min(end))
    }

    /// The bar that holds `ppq`, and the beat within it.
    pub(super) fn place(&self, ppq: f64) -> (i32, u16) {
        let here = self.here(ppq);
        let (beats, per_bar) = (here.beats(ppq), f64::from(here.meter.0));
        ((here.bar + (beats / per_bar).floor()) as i32, beats.rem_euclid(per_bar) as u16)
    }

    fn here(&self, ppq: f64) -> Stretch {
        self.at(ppq).copied().unwrap_or(Stretch { begin: 0.0, bar: 0.0, meter: COMMON })
    }

    fn at(&self, ppq: f64) -> Option<&Stretch> {
        let begun = self.stretches.partition_point(|stretch| stretch.begin <= ppq + HAIR);
        self.stretches.get(begun.saturating_sub(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Ppq, bar and beat of every beat from `from` to before `to`.
    fn beats(bars: &Bars, from: f64, to: f64) -> Vec<(f64, i32, u16)> {
        let mut beats = Vec::new();
        let mut ppq = bars.next_beat(from);
        while ppq < to {
            let (bar, beat) = bars.place(ppq);
            beats.push((ppq, bar, beat));
            ppq = bars.next_beat(ppq + 0.01);
        }
        beats
    }

    #[test]
    fn bars_count_from_zero_also_in_a_count_in() {
        let mut bars = Bars::default();
        bars.learn((3, 4), 1.7, false);
        assert_eq!(beats(&bars, -3.5, 1.0), [(-3.0, -1, 0), (-2.0, -1, 1), (-1.0, -1, 2), (0.0, 0, 0)]);
        assert_eq!(beats(&bars, 5.5, 7.0), [(6.0, 2, 0)]);
    }

    #[test]
    fn without_a_meter_it_is_common_time() {
        assert_eq!(beats(&Bars::default(), 3.0, 5.0), [(3.0, 0, 3), (4.0, 1, 0)]);
    }

    #[test]
    fn a_beat_is_the_note_value_of_the_meter() {
        let mut bars = Bars::default();
        bars.learn((2, 8), 0.0, false);
        assert_eq!(beats(&bars, 0.0, 1.5), [(0.0, 0, 0), (0.5, 0, 1), (1.0, 1, 0)]);
        let mut bars = Bars::default();
        bars.learn((1, 2), 0.0, false);
        assert_eq!(beats(&bars, 0.0, 4.0), [(0.0, 0, 0), (2.0, 1, 0)]);
    }

    #[test]
    fn a_playhead_a_hair_off_its_line_stands_on_it() {
        let bars = Bars::default();
        assert_eq!(bars.place(3.999_999_9), (1, 0));
        assert_eq!(bars.place(4.000_000_1), (1, 0));
        assert_eq!(bars.next_beat(4.000_000_1), 4.0);
    }

    #[test]
    fn a_meter_that_is_told_late_begins_at_its_bar() {
        let mut bars = Bars::default();
        bars.learn((4, 4), 0.0, false);
        bars.learn((3, 4), 8.02, true);
        assert_eq!(beats(&bars, 7.0, 12.0), [(7.0, 1, 3), (8.0, 2, 0), (9.0, 2, 1), (10.0, 2, 2), (11.0, 3, 0)]);
    }

    #[test]
    fn a_meter_that_changes_within_a_bar_cuts_it_short() {
        let mut bars = Bars::default();
        bars.learn((4, 4), 0.0, false);
        bars.learn((6, 8), 6.0, true);
        assert_eq!(beats(&bars, 5.0, 7.0), [(5.0, 1, 1), (6.0, 2, 0), (6.5, 2, 1)]);
    }

    #[test]
    fn a_loop_back_over_a_change_changes_nothing() {
        let mut bars = Bars::default();
        bars.learn((4, 4), 0.0, false);
        bars.learn((3, 4), 8.0, true);
        let once = bars.stretches.clone();
        for (meter, ppq) in [((4, 4), 4.0), ((3, 4), 8.0), ((3, 4), 12.5)] {
            bars.learn(meter, ppq, ppq == 8.0);
        }
        assert_eq!(bars.stretches, once);
    }

    #[test]
    fn behind_a_jump_to_another_meter_bars_count_from_zero() {
        let mut bars = Bars::default();
        bars.learn((4, 4), 0.0, false);
        bars.learn((3, 4), 31.0, false);
        assert_eq!(bars.place(31.0), (10, 1));
        assert_eq!(bars.place(28.0), (7, 0), "what is known stays");
    }

    #[test]
    fn a_meter_that_was_edited_replaces_the_one_before() {
        let mut bars = Bars::default();
        bars.learn((4, 4), 0.0, false);
        bars.learn((3, 4), 0.0, false);
        assert_eq!(bars.place(3.0), (1, 0));
        assert_eq!(bars.stretches.len(), 1);
    }
}
