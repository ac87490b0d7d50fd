//! The tempo and meter maps: what the host stated, wherever it changed.

use super::moment::Moment;
use super::{Meter, Tempo};

/// Every tempo that differs from the one before. The first holds from sample 0: nothing else is known of the time before.
pub(super) fn tempos(moments: &[Moment]) -> Vec<Tempo> {
    let given = moments.iter().filter_map(|moment| Some(Tempo { sample: moment.sample, tempo: moment.tempo? }));
    let mut tempos: Vec<Tempo> = given.collect();
    tempos.dedup_by_key(|tempo| tempo.tempo);
    if let Some(first) = tempos.first_mut() {
        first.sample = 0;
    }
    tempos
}

/// As [`tempos`].
pub(super) fn meters(moments: &[Moment]) -> Vec<Meter> {
    let given = moments.iter().filter_map(|moment| {
        let (numerator, denominator) = moment.meter?;
        Some(Meter { sample: moment.sample, numerator, denominator })
    });
    let mut meters: Vec<Meter> = given.collect();
    meters.dedup_by_key(|meter| (meter.numerator, meter.denominator));
    if let Some(first) = meters.first_mut() {
        first.sample = 0;
    }
    meters
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(sample: u64, tempo: Option<f64>, meter: Option<(u16, u16)>) -> Moment {
        Moment { sample, tempo, meter, ..Moment::default() }
    }

    #[test]
    fn a_map_has_its_changes_alone_and_begins_at_0() {
        let moments = [
            at(10, None, Some((4, 4))),
            at(20, Some(120.0), None),
            at(30, Some(120.0), Some((4, 4))),
            at(40, None, Some((3, 4))),
            at(50, Some(90.0), Some((6, 8))),
            at(60, Some(120.0), Some((6, 8))),
        ];
        let tempos: Vec<_> = tempos(&moments).iter().map(|tempo| (tempo.sample, tempo.tempo)).collect();
        assert_eq!(tempos, [(0, 120.0), (50, 90.0), (60, 120.0)]);
        let meters: Vec<_> = meters(&moments).iter().map(|meter| (meter.sample, meter.numerator, meter.denominator)).collect();
        assert_eq!(meters, [(0, 4, 4), (40, 3, 4), (50, 6, 8)]);
    }

    #[test]
    fn a_host_that_gives_neither_has_no_maps() {
        let moments = [at(0, None, None)];
        assert!(tempos(&moments).is_empty() && meters(&moments).is_empty());
    }
}
