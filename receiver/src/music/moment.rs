//! The transport at one moment, with the fields that can be true.

use send_learn_protocol::record::TransportFlags;

use crate::store::layout::TransportRow;

/// Beyond these, in quarter notes and quarter notes per minute, a value is no music: its arithmetic would lose samples.
const MAX_PPQ: f64 = 1e8;
const MAX_TEMPO: f64 = 1e5;

/// The shortest beat: hosts offer 64th notes at most.
const MAX_DENOMINATOR: u16 = 64;

/// A row of the transport table, understood. A field is none where the host did not give it, or gave nonsense.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Moment {
    pub(super) sample: u64,
    /// The playhead moves.
    pub(super) rolling: bool,
    /// Quarter notes per minute.
    pub(super) tempo: Option<f64>,
    /// Beats per bar, and the note value of a beat.
    pub(super) meter: Option<(u16, u16)>,
    /// Playhead in quarter notes.
    pub(super) ppq: Option<f64>,
    /// Playhead in samples.
    pub(super) playhead: Option<i64>,
    /// Begin and end of the loop in quarter notes, while the host loops.
    pub(super) repeat: Option<(f64, f64)>,
}

impl Moment {
    pub(super) fn read(row: &TransportRow) -> Self {
        let has = |flag| TransportFlags(row.flags).has(flag);
        let given = |flag, value: f64| (has(flag) && value.is_finite()).then_some(value);
        let meter_fits = row.numerator > 0 && row.denominator.is_power_of_two() && row.denominator <= MAX_DENOMINATOR;
        let repeats = row.loop_start < row.loop_end && row.loop_start.abs() <= MAX_PPQ && row.loop_end.abs() <= MAX_PPQ;
        Self {
            sample: row.sample,
            rolling: has(TransportFlags::PLAYING),
            tempo: given(TransportFlags::TEMPO, row.tempo).filter(|tempo| *tempo > 0.0 && *tempo <= MAX_TEMPO),
            meter: (has(TransportFlags::METER) && meter_fits).then_some((row.numerator, row.denominator)),
            ppq: given(TransportFlags::PPQ, row.ppq).filter(|ppq| ppq.abs() <= MAX_PPQ),
            playhead: has(TransportFlags::PLAYHEAD).then_some(row.playhead),
            repeat: (has(TransportFlags::LOOPING) && repeats).then_some((row.loop_start, row.loop_end)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOTHING: TransportRow = TransportRow {
        sample: 7,
        flags: 0,
        numerator: 4,
        denominator: 4,
        bar: 1,
        tempo: 120.0,
        playhead: 1,
        seconds: 1.0,
        ppq: 1.0,
        bar_start: 0.0,
        loop_start: 0.0,
        loop_end: 4.0,
    };

    #[test]
    fn a_field_without_its_flag_is_not_given() {
        assert_eq!(Moment::read(&NOTHING), Moment { sample: 7, ..Moment::default() });
    }

    #[test]
    fn nonsense_is_not_given() {
        let all = TransportRow { flags: 0x1FF, ..NOTHING };
        assert_eq!(Moment::read(&all).meter, Some((4, 4)));
        let none = |row: TransportRow| {
            let Moment { tempo, meter, ppq, repeat, .. } = Moment::read(&row);
            tempo.is_none() || meter.is_none() || ppq.is_none() || repeat.is_none()
        };
        assert!(!none(all));
        for tempo in [0.0, -1.0, f64::NAN, f64::INFINITY, 1e9] {
            assert!(none(TransportRow { tempo, ..all }), "{tempo}");
        }
        for (numerator, denominator) in [(0, 4), (4, 0), (4, 3), (4, 128)] {
            assert!(none(TransportRow { numerator, denominator, ..all }), "{numerator}/{denominator}");
        }
        assert!(none(TransportRow { ppq: f64::NAN, ..all }) && none(TransportRow { ppq: 1e300, ..all }));
        assert!(none(TransportRow { loop_end: 0.0, ..all }));
    }
}
