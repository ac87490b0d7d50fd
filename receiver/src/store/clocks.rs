//! What the clocks of a recording say, and whether that can be.

use serde::Serialize;

use super::layout::{BlockRow, ClockRow};

/// No sample clock and no crystal is off by more than this, parts per billion: 1 in 1,000.
const MAX_DRIFT: f64 = 1e6;

/// A block that came before it was played, by more than the clocks' uncertainty and this, ns, came by a clock that is wrong.
const EARLY: i64 = 20_000_000;

/// Host time and samples that differ by more than this share went at another speed.
const REAL_TIME: f64 = 0.01;

/// What the clocks say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Clocks {
    /// Measurements of the studio machine's clock against the receiver's.
    pub estimates: u64,
    /// The last measurement's drift, parts per billion.
    pub drift_ppb: f64,
    /// The least uncertainty, ns; 0 without measurements.
    pub uncertainty_nanos: u64,
    /// Seconds of samples for each second of the host's clock: 1 in real time; 0 where one block or none tells.
    pub speed: f64,
    /// Samples per second of the host's clock, in parts per million beyond the nominal rate; 0 where not played in real time.
    pub rate_ppm: f64,
}

/// What cannot be, and what is odd.
#[derive(Debug, Default)]
pub(super) struct Faults {
    pub(super) problems: Vec<String>,
    pub(super) notes: Vec<String>,
}

impl Clocks {
    pub(super) fn of(sample_rate: f64, blocks: &[BlockRow], estimates: &[ClockRow]) -> (Self, Faults) {
        let mut faults = Faults::default();
        let mut clocks = Self {
            estimates: estimates.len() as u64,
            drift_ppb: estimates.last().map_or(0.0, |row| row.drift_ppb),
            uncertainty_nanos: estimates.iter().map(|row| row.uncertainty_nanos).min().unwrap_or(0),
            ..Self::default()
        };
        if let Some(pair) = blocks.windows(2).find(|pair| pair[1].host_nanos < pair[0].host_nanos) {
            let back = pair[0].host_nanos - pair[1].host_nanos;
            faults.problems.push(format!("the studio machine's clock goes back by {back} ns at sample {}", pair[1].sample));
        }
        if let Some(row) = estimates.iter().find(|row| !row.drift_ppb.is_finite() || row.drift_ppb.abs() > MAX_DRIFT) {
            faults.problems.push(format!("the clock measurement at sample {} states a drift of {} ppb", row.sample, row.drift_ppb));
        }
        if let Some(row) =
            estimates.iter().find(|row| row.uncertainty_nanos > row.round_trip_nanos.saturating_mul(2).max(1_000_000_000))
        {
            faults
                .notes
                .push(format!("the clock measurement at sample {} is uncertain by {} ns", row.sample, row.uncertainty_nanos));
        }
        if let Some(why) = early(blocks, estimates) {
            faults.notes.push(why);
        }
        if let (Some(first), Some(last)) = (blocks.first(), blocks.last())
            && last.host_nanos > first.host_nanos
            && last.sample > first.sample
        {
            let by_samples = (last.sample - first.sample) as f64 / sample_rate;
            let by_host = (last.host_nanos - first.host_nanos) as f64 * 1e-9;
            clocks.speed = by_samples / by_host;
            if (clocks.speed - 1.0).abs() < REAL_TIME {
                clocks.rate_ppm = (clocks.speed - 1.0) * 1e6;
            }
        }
        (clocks, faults)
    }
}

/// A live block that arrived before it was played.
fn early(blocks: &[BlockRow], estimates: &[ClockRow]) -> Option<String> {
    let first = estimates.first()?;
    let mut at = 0;
    for block in blocks.iter().filter(|block| block.arrival <= 1 && block.host_nanos >= first.host_nanos) {
        while estimates.get(at + 1).is_some_and(|next| next.host_nanos <= block.host_nanos) {
            at += 1;
        }
        let row = &estimates[at];
        let since = block.host_nanos as f64 - row.host_nanos as f64;
        let played = block.host_nanos as f64 + row.offset_nanos as f64 + since * row.drift_ppb * 1e-9;
        let early = played - block.arrival_nanos as f64 - row.uncertainty_nanos as f64;
        if block.arrival_nanos > 0 && early > EARLY as f64 {
            return Some(format!(
                "the block at sample {} arrived {:.0} ms before it was played: a clock was set wrong",
                block.sample,
                early / 1e6
            ));
        }
    }
    None
}
