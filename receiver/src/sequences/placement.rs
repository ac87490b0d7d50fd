//! Where a take stands in time, and which sample of one take sounds together with which of another.

use std::ops::Range;

use crate::store::layout::{BlockRow, ClockRow};

/// Two readings of a wall clock that agree within this are believed to speak of the same run of a machine's monotonic clock, ns.
const SAME_BOOT: f64 = 10e9;

/// Wall clocks of two machines that send to one receiver may differ by this, ns, and by half of what the receiver's clock shows: in
/// a later run of its clock it shows as much only after longer.
const SAME_RUN: f64 = 300e9;

/// Playheads of two streams of one host belong together only when the host handed them over within this, ns.
const SAME_PASS: f64 = 0.5e9;

/// One known moment: a block as its host handed it over.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Anchor {
    sample: u64,
    host_nanos: u64,
    /// Playhead of the sample, while it rolls on with the samples from here to the next anchor.
    playhead: Option<i64>,
}

/// A take's place in time.
#[derive(Clone, Debug)]
pub(crate) struct Placement {
    sample_rate: f64,
    host_id: String,
    machine_id: String,
    started_unix_nanos: u64,
    anchors: Vec<Anchor>,
    clock: Vec<ClockRow>,
    /// Longest block: host times are no finer.
    block_seconds: f64,
    /// Host time went as the samples did. It does not when a file is sent as fast as it goes.
    real_time: bool,
}

/// How two takes were aligned.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Aligned {
    /// The other take's sample; negative before its begin.
    pub(crate) sample: i64,
    /// As in [`NoteSource`](super::NoteSource).
    pub(crate) alignment: &'static str,
    /// The true sample is within this, in seconds.
    pub(crate) uncertainty: f64,
}

/// What a take's attributes say about where it was played.
#[derive(Clone, Debug)]
pub(crate) struct Origin {
    pub(crate) sample_rate: f64,
    pub(crate) host_id: String,
    pub(crate) machine_id: String,
    pub(crate) started_unix_nanos: u64,
}

impl Placement {
    /// Reads a take's place out of its blocks and clock measurements. Memory grows with its minutes, not with its blocks.
    pub(crate) fn new(origin: Origin, blocks: &[BlockRow], clock: Vec<ClockRow>) -> Self {
        let longest = blocks.iter().map(|block| block.frames).max().unwrap_or(0);
        Self::of_anchors(anchors(blocks, origin.sample_rate), longest, origin, clock)
    }

    /// As [`new`](Self::new), of the blocks of one part after another: those of a long take need not be in memory together.
    ///
    /// # Errors
    /// Those of the parts.
    pub(crate) fn of_parts<E>(
        origin: Origin,
        parts: impl Iterator<Item = Result<Vec<BlockRow>, E>>,
        clock: Vec<ClockRow>,
    ) -> Result<Self, E> {
        let (mut all, mut longest) = (Vec::new(), 0);
        for blocks in parts {
            let blocks = blocks?;
            longest = blocks.iter().map(|block| block.frames).max().unwrap_or(0).max(longest);
            all.extend(anchors(&blocks, origin.sample_rate));
        }
        Ok(Self::of_anchors(all, longest, origin, clock))
    }

    fn of_anchors(anchors: Vec<Anchor>, longest: u32, origin: Origin, clock: Vec<ClockRow>) -> Self {
        let rate = origin.sample_rate;
        let block_seconds = f64::from(longest) / rate;
        let real_time = match (anchors.first(), anchors.last()) {
            (Some(first), Some(last)) if last.sample > first.sample => {
                let by_samples = (last.sample - first.sample) as f64 / rate * 1e9;
                let by_host = last.host_nanos as f64 - first.host_nanos as f64;
                (by_host - by_samples).abs() < 0.01 * by_samples + block_seconds * 4e9
            }
            _ => true,
        };
        let Origin { sample_rate, host_id, machine_id, started_unix_nanos } = origin;
        Self { sample_rate, host_id, machine_id, started_unix_nanos, anchors, clock, block_seconds, real_time }
    }

    /// Whether the two takes were played at the same time, by a clock that they share: wall clocks of two machines may differ.
    pub(crate) fn sounds_with(&self, other: &Self) -> bool {
        let both = if self.same_machine(other) {
            self.span().zip(other.span())
        } else {
            self.span_at_receiver().zip(other.span_at_receiver())
        };
        both.is_some_and(|(one, two)| one.0 <= two.1 && two.0 <= one.1) && self.shares_time_with(other)
    }

    /// Begin and end on the host's clock, ns.
    fn span(&self) -> Option<(f64, f64)> {
        Some((self.anchors.first()?.host_nanos as f64, self.anchors.last()?.host_nanos as f64))
    }

    /// Begin and end on the receiver's clock, ns.
    fn span_at_receiver(&self) -> Option<(f64, f64)> {
        let (begin, end) = self.span()?;
        Some((self.to_receiver(begin)?.0, self.to_receiver(end)?.0))
    }

    /// Whether time on the two takes can be compared at all.
    fn shares_time_with(&self, other: &Self) -> bool {
        self.same_host(other) || self.real_time && other.real_time && (self.same_machine(other) || self.same_receiver(other))
    }

    /// Whether one process played both.
    pub(crate) fn same_host(&self, other: &Self) -> bool {
        self.host_id == other.host_id && self.same_machine(other)
    }

    fn same_machine(&self, other: &Self) -> bool {
        let boot = |place: &Self| Some(place.started_unix_nanos as f64 - place.host_nanos(0)?);
        self.machine_id == other.machine_id && close(boot(self), boot(other), SAME_BOOT)
    }

    fn same_receiver(&self, other: &Self) -> bool {
        let begin = |place: &Self| Some(place.to_receiver(place.host_nanos(0)?)?.0);
        let boot = |place: &Self| Some(place.started_unix_nanos as f64 - begin(place)?);
        let shown = begin(self).unwrap_or_default().min(begin(other).unwrap_or_default());
        close(boot(self), boot(other), (shown / 2.0).clamp(SAME_BOOT, SAME_RUN))
    }

    /// The sample of `other` that sounds together with `sample` of this take: by the playhead where both roll in one host,
    /// by host time in one machine, by the measured clocks otherwise.
    pub(crate) fn align(&self, sample: u64, other: &Self) -> Option<Aligned> {
        if !self.shares_time_with(other) {
            return None;
        }
        if self.same_host(other)
            && let Some(sample) = self.align_by_playhead(sample, other)
        {
            return Some(Aligned { sample, alignment: "playhead", uncertainty: 0.0 });
        }
        if !(self.real_time && other.real_time) {
            return None;
        }
        let time = self.host_nanos(sample)?;
        let blocks = self.block_seconds + other.block_seconds;
        if self.same_machine(other) {
            return Some(Aligned { sample: other.sample_at(time)?, alignment: "host-time", uncertainty: blocks });
        }
        let (time, here) = self.to_receiver(time)?;
        let (time, there) = other.host_time(time)?;
        let uncertainty = blocks + (here + there) * 1e-9;
        Some(Aligned { sample: other.sample_at(time)?, alignment: "clock", uncertainty })
    }

    /// The samples of `other` that sound together with `range` of this take, and how they were aligned. Begin and end are aligned each
    /// by itself, since sample clocks of two machines do not run alike; what lies between is taken to go evenly, and how far it does
    /// not is added to the uncertainty.
    pub(crate) fn align_range(&self, range: &Range<u64>, other: &Self) -> Option<(Range<u64>, Aligned)> {
        let begin = self.align(range.start, other)?;
        let first = u64::try_from(begin.sample).ok()?;
        let frames = range.end.checked_sub(range.start)?;
        let nominal = frames as f64 / self.sample_rate * other.sample_rate;
        // The playhead counts the samples of one and the same clock.
        if begin.uncertainty == 0.0 {
            return Some((first..first + nominal.round() as u64, begin));
        }
        let aligned = |eighth: u64| self.align(range.start + frames * eighth / 8, other);
        let end = aligned(8)?;
        let length = (end.sample - begin.sample) as f64;
        // Rounding to whole samples is no drift.
        let length = if (length - nominal).abs() > 1.0 { length } else { nominal };
        let uneven = |eighth: u64| {
            let evenly = begin.sample as f64 + length * eighth as f64 / 8.0;
            aligned(eighth).map(|at| (at.sample as f64 - evenly).abs())
        };
        let uneven = (1..8).filter_map(uneven).filter(|samples| *samples > 1.0).fold(0.0, f64::max);
        let uncertainty = begin.uncertainty.max(end.uncertainty) + uneven / other.sample_rate;
        (length >= 1.0).then(|| (first..first + length.round() as u64, Aligned { uncertainty, ..begin }))
    }

    fn align_by_playhead(&self, sample: u64, other: &Self) -> Option<i64> {
        if self.sample_rate != other.sample_rate {
            return None;
        }
        let anchor = self.before(sample)?;
        let playhead = anchor.playhead?.checked_add_unsigned(sample.checked_sub(anchor.sample)?)?;
        let time = self.host_nanos(sample)?;
        let distance = |sample: i64| other.host_nanos(u64::try_from(sample).ok()?).map(|there| (there - time).abs());
        let ends = other.anchors.iter().skip(1).map(|next| next.sample).chain([u64::MAX]);
        let passes = other.anchors.iter().zip(ends).filter_map(|(anchor, end)| {
            let there = i64::try_from(anchor.sample).ok()?.checked_add(playhead.checked_sub(anchor.playhead?)?)?;
            let inside = u64::try_from(there).is_ok_and(|there| (anchor.sample..end).contains(&there));
            inside.then_some(there)
        });
        let (there, away) =
            passes.filter_map(|there| Some((there, distance(there)?))).min_by(|(_, one), (_, two)| one.total_cmp(two))?;
        (away < SAME_PASS).then_some(there)
    }

    fn before(&self, sample: u64) -> Option<&Anchor> {
        let after = self.anchors.partition_point(|anchor| anchor.sample <= sample);
        self.anchors.get(after.saturating_sub(1))
    }

    /// The host's clock at a sample, ns.
    fn host_nanos(&self, sample: u64) -> Option<f64> {
        let anchor = self.before(sample)?;
        Some(anchor.host_nanos as f64 + (sample as f64 - anchor.sample as f64) / self.sample_rate * 1e9)
    }

    fn sample_at(&self, host_nanos: f64) -> Option<i64> {
        let after = self.anchors.partition_point(|anchor| anchor.host_nanos as f64 <= host_nanos);
        let anchor = self.anchors.get(after.saturating_sub(1))?;
        let samples = (host_nanos - anchor.host_nanos as f64) * 1e-9 * self.sample_rate;
        Some(anchor.sample as i64 + samples.round() as i64)
    }

    /// The receiver's clock at a moment of the host's, and its uncertainty, ns.
    fn to_receiver(&self, host_nanos: f64) -> Option<(f64, f64)> {
        let row = self.nearest(|row| (row.host_nanos as f64 - host_nanos).abs())?;
        let since = host_nanos - row.host_nanos as f64;
        Some((host_nanos + row.offset_nanos as f64 + since * row.drift_ppb * 1e-9, row.uncertainty_nanos as f64))
    }

    fn host_time(&self, nanos: f64) -> Option<(f64, f64)> {
        let receiver = |row: &ClockRow| row.host_nanos as f64 + row.offset_nanos as f64;
        let row = self.nearest(|row| (receiver(row) - nanos).abs())?;
        let since = (nanos - receiver(row)) / (1.0 + row.drift_ppb * 1e-9);
        Some((row.host_nanos as f64 + since, row.uncertainty_nanos as f64))
    }

    fn nearest(&self, distance: impl Fn(&ClockRow) -> f64) -> Option<&ClockRow> {
        self.clock.iter().min_by(|one, two| distance(one).total_cmp(&distance(two)))
    }
}

fn close(one: Option<f64>, two: Option<f64>, within: f64) -> bool {
    one.zip(two).is_some_and(|(one, two)| (one - two).abs() < within)
}

/// One anchor for each second, and one wherever the playhead does not go on with the samples. Of each second the block that the
/// host handed over with the least delay tells the time.
fn anchors(blocks: &[BlockRow], rate: f64) -> Vec<Anchor> {
    let mut anchors: Vec<Anchor> = Vec::new();
    let mut before: Option<(i64, Option<i64>)> = None;
    for block in blocks {
        // A playhead that stands still belongs to no sample.
        let rolls = block.playhead != i64::MIN && before.is_none_or(|(playhead, _)| playhead != block.playhead);
        let lead = if rolls { block.playhead.checked_sub_unsigned(block.sample) } else { None };
        let goes_on = before.is_some_and(|(_, before)| before == lead);
        match anchors.last_mut() {
            Some(last) if goes_on && block.sample.saturating_sub(last.sample) < rate as u64 => {
                let since = block.sample.saturating_sub(last.sample) as f64 / rate * 1e9;
                last.host_nanos = last.host_nanos.min((block.host_nanos as f64 - since) as u64);
            }
            _ => {
                let playhead = lead.map(|_| block.playhead);
                anchors.push(Anchor { sample: block.sample, host_nanos: block.host_nanos, playhead });
            }
        }
        before = Some((block.playhead, lead));
    }
    anchors
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATE: f64 = 48_000.0;

    fn origin(host: &str, machine: &str, started_unix_nanos: u64) -> Origin {
        Origin { sample_rate: RATE, host_id: host.into(), machine_id: machine.into(), started_unix_nanos }
    }

    /// Blocks of 480 samples, handed over from `host_nanos` on in real time; the playhead of each as `playhead` says.
    fn blocks(count: u64, host_nanos: u64, playhead: impl Fn(u64) -> i64) -> Vec<BlockRow> {
        let block = |index| BlockRow {
            sample: index * 480,
            frames: 480,
            crc: 0,
            // Every third block is handed over late.
            host_nanos: host_nanos + index * 10_000_000 + (index % 3) * 2_000_000,
            arrival_nanos: 0,
            playhead: playhead(index),
            arrival: 0,
            level: 1.0,
        };
        (0..count).map(block).collect()
    }

    fn clock(host_nanos: u64, offset_nanos: i64, drift_ppb: f64) -> ClockRow {
        ClockRow { sample: 0, host_nanos, offset_nanos, round_trip_nanos: 0, uncertainty_nanos: 100_000, drift_ppb }
    }

    #[test]
    fn streams_of_a_host_are_aligned_to_the_sample_while_the_playhead_rolls() {
        let started = 1_790_000_000_000_000_000;
        let one = Placement::new(origin("h", "m", started), &blocks(1000, 5_000, |index| index as i64 * 480 - 96_000), vec![]);
        // It began 700 samples of playhead later, and a little later in time.
        let other = Placement::new(origin("h", "m", started), &blocks(1000, 15_400_000, |i| i as i64 * 480 - 95_300), vec![]);
        let aligned = one.align(123_456, &other);
        assert_eq!(aligned, Some(Aligned { sample: 122_756, alignment: "playhead", uncertainty: 0.0 }));
        assert_eq!(other.align(122_756, &one).map(|aligned| aligned.sample), Some(123_456));
        assert!(one.anchors.len() < 15, "{}", one.anchors.len());
    }

    #[test]
    fn a_loop_that_passes_twice_is_aligned_with_the_same_pass() {
        // A loop of one second: playhead 0 to 47,999 again and again.
        let looped = |index: u64| (index % 100) as i64 * 480;
        let one = Placement::new(origin("h", "m", 0), &blocks(1000, 0, looped), vec![]);
        let other = Placement::new(origin("h", "m", 0), &blocks(1000, 0, looped), vec![]);
        for sample in [0, 47_999, 48_000, 300_100] {
            assert_eq!(
                one.align(sample, &other).map(|aligned| (aligned.sample, aligned.alignment)),
                Some((sample as i64, "playhead"))
            );
        }
    }

    #[test]
    fn a_playhead_that_stands_still_leaves_it_to_host_time() {
        let one = Placement::new(origin("h", "m", 0), &blocks(1000, 0, |_| 96_000), vec![]);
        let other = Placement::new(origin("h", "m", 1_000_000_000), &blocks(1000, 1_000_000_000, |_| 96_000), vec![]);
        let aligned = one.align(96_000, &other).expect("aligned");
        assert_eq!((aligned.sample, aligned.alignment, aligned.uncertainty), (48_000, "host-time", 0.02));
    }

    #[test]
    fn machines_are_aligned_by_offset_and_drift() {
        let started = 1_790_000_000_000_000_000;
        let one = Placement::new(origin("h", "m", started), &blocks(2000, 0, |_| i64::MIN), vec![clock(0, 7_000_000_000, 0.0)]);
        // Its clock shows 3 s less than the receiver's, and runs slow by 100 parts per million.
        let rows = vec![clock(4_000_000_000, 3_000_000_000, 100_000.0)];
        let other = Placement::new(origin("i", "n", started), &blocks(2000, 4_000_000_000, |_| i64::MIN), rows);
        let aligned = one.align(10 * 48_000, &other).expect("aligned");
        // After 10 s of the receiver's clock, its own went 10 s / 1.0001.
        assert_eq!((aligned.sample, aligned.alignment), (479_952, "clock"));
        assert!((aligned.uncertainty - 0.0202).abs() < 1e-9, "{}", aligned.uncertainty);
    }

    #[test]
    fn clocks_of_different_runs_of_a_machine_are_not_compared() {
        let day = 86_400_000_000_000;
        let one = Placement::new(origin("h", "m", 10 * day), &blocks(100, 5 * day, |_| i64::MIN), vec![]);
        let other = Placement::new(origin("i", "m", 10 * day), &blocks(100, 0, |_| i64::MIN), vec![]);
        assert!(!one.shares_time_with(&other));
        assert_eq!(one.align(0, &other), None);
    }

    #[test]
    fn what_was_sent_faster_than_it_sounds_is_not_aligned_by_time() {
        let mut fast = blocks(1000, 0, |_| i64::MIN);
        fast.iter_mut().for_each(|block| block.host_nanos /= 20);
        let fast = Placement::new(origin("h", "m", 0), &fast, vec![]);
        let other = Placement::new(origin("i", "m", 0), &blocks(1000, 0, |_| i64::MIN), vec![]);
        assert!(!fast.shares_time_with(&other));
    }
}
