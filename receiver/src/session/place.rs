//! Which takes sounded together, and where each lies on their common timeline.

use std::path::{Path, PathBuf};

use crate::sequences::placement::{Origin, Placement};
use crate::source::Source;
use crate::store::StoreError;
use crate::store::layout::ClockRow;

/// Places of a take are compared at most this often, from begin to end.
const KNOTS: u64 = 600;

/// From fewer places no drift is told.
const ENOUGH: usize = 16;

/// A take, and its place in time.
#[derive(Debug)]
pub(super) struct Placed {
    pub(super) folder: PathBuf,
    pub(super) source: Source,
    placement: Placement,
}

/// A straight line from a take's samples to those of the timeline.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Place {
    /// Where sample 0 lies.
    pub(super) offset: f64,
    /// How long a sample lasts, in samples of the timeline.
    pub(super) rate: f64,
    pub(super) alignment: &'static str,
    /// Seconds; `None` where nobody knows.
    pub(super) uncertainty: Option<f64>,
}

impl Placed {
    pub(super) fn read(folder: &Path, source: Source) -> Result<Self, StoreError> {
        let summary = &source.summary;
        let origin = Origin {
            sample_rate: summary.sample_rate,
            host_id: summary.host_id.clone(),
            machine_id: summary.machine_id.clone(),
            started_unix_nanos: summary.started_unix_nanos,
        };
        let parts = source.parts().map(|part| part?.table());
        let placement = Placement::of_parts(origin, parts, source.table::<ClockRow>()?)?;
        Ok(Self { folder: folder.to_owned(), source, placement })
    }

    fn started(&self) -> u64 {
        self.source.summary.started_unix_nanos
    }
}

/// Puts takes that sounded together into one group each, in order of their begin.
pub(super) fn sessions(mut takes: Vec<Placed>) -> Vec<Vec<Placed>> {
    takes.sort_by(|one, two| (one.started(), &one.folder).cmp(&(two.started(), &two.folder)));
    let mut sessions: Vec<Vec<Placed>> = Vec::new();
    for take in takes {
        let together = |session: &Vec<Placed>| session.iter().any(|other| other.placement.sounds_with(&take.placement));
        let (with, without): (Vec<_>, Vec<_>) = sessions.into_iter().partition(together);
        sessions = without;
        let mut joined: Vec<Placed> = with.into_iter().flatten().collect();
        joined.push(take);
        joined.sort_by(|one, two| (one.started(), &one.folder).cmp(&(two.started(), &two.folder)));
        sessions.push(joined);
    }
    sessions
}

/// Where every take lies on the timeline of the first one, whose begin is moved so that none begins before 0.
pub(super) fn places(takes: &[Placed]) -> Vec<Place> {
    let Some(reference) = takes.first() else { return Vec::new() };
    let mut places: Vec<Place> = takes.iter().enumerate().map(|(index, take)| place(take, index, reference)).collect();
    let first = places.iter().map(|place| place.offset).fold(0.0, f64::min).floor();
    places.iter_mut().for_each(|place| place.offset -= first);
    places
}

fn place(take: &Placed, index: usize, reference: &Placed) -> Place {
    let nominal = reference.source.summary.sample_rate / take.source.summary.sample_rate;
    if index == 0 {
        return Place { offset: 0.0, rate: 1.0, alignment: "reference", uncertainty: Some(0.0) };
    }
    let end = take.source.end().max(1);
    let step = end.div_ceil(KNOTS).max((take.source.summary.sample_rate / 4.0) as u64).max(1);
    let knots: Vec<_> = (0..end)
        .step_by(step as usize)
        .filter_map(|sample| Some((sample, take.placement.align(sample, &reference.placement)?)))
        .map(|(sample, aligned)| (sample as f64, aligned))
        .collect();
    let uncertainty = knots.iter().map(|(_, aligned)| aligned.uncertainty).fold(0.0, f64::max);
    // The playhead counts samples of one and the same clock: one place holds for all.
    let mut exact: Vec<i64> = knots
        .iter()
        .filter(|(_, aligned)| aligned.alignment == "playhead")
        .map(|(sample, aligned)| aligned.sample - *sample as i64)
        .collect();
    if !exact.is_empty() {
        return Place { offset: most_frequent(&mut exact) as f64, rate: 1.0, alignment: "playhead", uncertainty: Some(0.0) };
    }
    let Some((_, first)) = knots.first() else {
        let later = take.started() as f64 - reference.started() as f64;
        let offset = later * 1e-9 * reference.source.summary.sample_rate;
        return Place { offset, rate: nominal, alignment: "wall-clock", uncertainty: None };
    };
    let deviations: Vec<(f64, f64)> =
        knots.iter().map(|(sample, aligned)| (*sample, aligned.sample as f64 - sample * nominal)).collect();
    let (middle, slope) = line(&deviations);
    let center = deviations.iter().map(|(sample, _)| sample).sum::<f64>() / deviations.len() as f64;
    // A drift that does not explain most of what differs is none.
    let scatter = |slope: f64| deviations.iter().map(|(x, y)| (y - middle - slope * (x - center)).powi(2)).sum::<f64>();
    let slope = if deviations.len() >= ENOUGH && 4.0 * scatter(slope) < scatter(0.0) { slope } else { 0.0 };
    Place { offset: middle - slope * center, rate: nominal + slope, alignment: first.alignment, uncertainty: Some(uncertainty) }
}

fn most_frequent(values: &mut [i64]) -> i64 {
    values.sort_unstable();
    values.chunk_by(|one, two| one == two).max_by_key(|run| run.len()).map_or(0, |run| run[0])
}

/// Mean and slope of the straight line through the points (least squares).
fn line(points: &[(f64, f64)]) -> (f64, f64) {
    let count = points.len().max(1) as f64;
    let (x, y) = points.iter().fold((0.0, 0.0), |sum, point| (sum.0 + point.0 / count, sum.1 + point.1 / count));
    let (above, below) =
        points.iter().fold((0.0, 0.0), |sum, point| (sum.0 + (point.0 - x) * (point.1 - y), sum.1 + (point.0 - x).powi(2)));
    (y, if below > 0.0 { above / below } else { 0.0 })
}

/// A run of a take's samples that lies in one piece on the timeline.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Piece {
    /// First sample of the take.
    pub(super) sample: u64,
    /// Where it lies.
    pub(super) at: u64,
    /// Its length, on both.
    pub(super) frames: u64,
}

/// Cuts the positions of a part into pieces, none of which lies further from its true place than `tolerance` samples.
pub(super) fn pieces(place: &Place, first: u64, frames: u64, tolerance: f64) -> Vec<Piece> {
    let drift = (place.rate - 1.0).abs();
    let longest = if drift > 0.0 { (2.0 * tolerance / drift).max(1.0) as u64 } else { u64::MAX };
    let (mut pieces, mut sample, end, mut taken) = (Vec::new(), first, first + frames, 0);
    while sample < end {
        let length = longest.min(end - sample);
        let middle = sample as f64 + length as f64 / 2.0;
        let at = (place.offset + middle * place.rate - length as f64 / 2.0).round().max(0.0) as u64;
        // What would lie on the piece before is left out.
        let over = u64::saturating_sub(taken, at).min(length);
        if length > over {
            pieces.push(Piece { sample: sample + over, at: at + over, frames: length - over });
        }
        taken = at + length;
        sample += length;
    }
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(offset: f64, rate: f64) -> Place {
        Place { offset, rate, alignment: "clock", uncertainty: None }
    }

    #[test]
    fn without_drift_a_part_is_one_piece() {
        assert_eq!(pieces(&place(700.2, 1.0), 480, 10_000, 48.0), [Piece { sample: 480, at: 1_180, frames: 10_000 }]);
    }

    #[test]
    fn with_drift_no_sample_is_further_from_its_place_than_allowed_and_none_lies_on_another() {
        for rate in [1.0002, 0.9998] {
            let place = place(5_000.0, rate);
            let pieces = pieces(&place, 0, 5_000_000, 48.0);
            assert!(pieces.len() > 5, "{}", pieces.len());
            for piece in &pieces {
                for sample in [piece.sample, piece.sample + piece.frames - 1] {
                    let lies = (piece.at + sample - piece.sample) as f64;
                    let truly = place.offset + sample as f64 * place.rate;
                    assert!((lies - truly).abs() <= 50.0, "{sample}: {lies} {truly}");
                }
            }
            assert!(pieces.windows(2).all(|pair| pair[0].at + pair[0].frames <= pair[1].at));
        }
    }

    #[test]
    fn a_line_goes_through_its_points() {
        assert_eq!(line(&[(0.0, 1.0), (1.0, 3.0), (2.0, 5.0)]), (3.0, 2.0));
        assert_eq!(line(&[(4.0, 1.0)]), (1.0, 0.0));
    }
}
