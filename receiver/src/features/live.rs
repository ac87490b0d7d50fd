//! Features of a take while it is recorded.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Weak};

use super::{Error, Extractor, Floor, MAX_SAMPLE, Plan, Row, Settings, mix_down};

/// The plans of the sample rates in use: each is made once, shared, and forgotten with the last take that needs it.
#[derive(Debug, Default)]
pub struct Plans {
    known: HashMap<u64, Weak<Plan>>,
}

impl Plans {
    /// The plan for `sample_rate` with the default sizes and counts.
    ///
    /// # Errors
    /// [`Error::Setting`] for a rate that features cannot be made at.
    pub fn get(&mut self, sample_rate: f64) -> Result<Arc<Plan>, Error> {
        self.known.retain(|_, plan| plan.strong_count() > 0);
        if let Some(plan) = self.known.get(&sample_rate.to_bits()).and_then(Weak::upgrade) {
            return Ok(plan);
        }
        let plan = Plan::new(Settings::new(sample_rate))?;
        self.known.insert(sample_rate.to_bits(), Arc::downgrade(&plan));
        Ok(plan)
    }
}

/// Turns what is recorded into [`Row`]s, each with the position of its frame's centre, as far as it has come.
///
/// What stands between two long gaps is measured for itself, so that no row tells of silence that nobody played. A sample
/// that features cannot be made of (see [`MAX_SAMPLE`]) counts as zero: a recording has all kinds.
pub struct Live {
    plan: Arc<Plan>,
    channels: usize,
    /// The position of the next sample.
    position: u64,
    run: Option<Run>,
    mono: Vec<f32>,
}

/// Samples without a long gap.
struct Run {
    first: u64,
    extractor: Extractor,
}

impl Live {
    /// Begins at `position`, in samples of the take.
    ///
    /// # Panics
    /// When `channels` is 0.
    pub fn new(plan: Arc<Plan>, channels: usize, position: u64) -> Self {
        assert!(channels > 0, "features are made of samples");
        Self { plan, channels, position, run: None, mono: Vec::new() }
    }

    /// Takes samples, interleaved by frame, and gives every row whose last sample has come.
    pub fn push(&mut self, samples: &[f32], give: impl FnMut(u64, Row<'_>)) {
        let mut mono = std::mem::take(&mut self.mono);
        mono.clear();
        mix_down(samples, self.channels, &mut mono);
        for sample in &mut mono {
            // A NaN is not below it either.
            *sample = if sample.abs() <= MAX_SAMPLE { *sample } else { 0.0 };
        }
        self.measure(&mono, give);
        self.mono = mono;
    }

    /// Passes over `frames` samples that are missing. Fewer than a frame of the analysis count as silence.
    pub fn skip(&mut self, frames: u64, give: impl FnMut(u64, Row<'_>)) {
        let short = usize::try_from(frames).ok().filter(|&frames| frames < self.plan.settings().n_fft);
        match short.filter(|_| self.run.is_some()) {
            Some(frames) => self.measure(&vec![0.0; frames], give),
            None => {
                self.finish(give);
                self.position = self.position.saturating_add(frames);
            }
        }
    }

    /// Gives the rows that reach beyond the last sample. What is pushed after it begins anew.
    pub fn finish(&mut self, mut give: impl FnMut(u64, Row<'_>)) {
        let hop = self.plan.settings().hop_length as u64;
        if let Some(Run { first, extractor }) = self.run.take() {
            extractor.finish(|row| give(first + row.frame.index * hop, row));
        }
    }

    fn measure(&mut self, mono: &[f32], mut give: impl FnMut(u64, Row<'_>)) {
        let hop = self.plan.settings().hop_length as u64;
        let first = self.position;
        let plan = &self.plan;
        let run = self.run.get_or_insert_with(|| Run { first, extractor: Extractor::new(plan.clone(), Floor::SoFar) });
        let first = run.first;
        let measured = run.extractor.push(mono, |row| give(first + row.frame.index * hop, row));
        measured.expect("samples beyond the limit were replaced");
        self.position += mono.len() as u64;
    }
}

impl fmt::Debug for Live {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Live").field("channels", &self.channels).field("position", &self.position).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn noise(count: usize) -> Vec<f32> {
        let mut state = 7_u32;
        let next = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            state as i32 as f32 / i32::MAX as f32
        };
        std::iter::repeat_with(next).take(count).collect()
    }

    /// Positions and RMS of all rows.
    fn rows(run: impl FnOnce(&mut Live, &mut dyn FnMut(u64, Row<'_>))) -> Vec<(u64, f32)> {
        let plan = Plans::default().get(48_000.0).unwrap();
        let mut found = Vec::new();
        let mut give = |sample: u64, row: Row<'_>| found.push((sample, row.frame.rms));
        let mut live = Live::new(plan, 1, 1_000);
        run(&mut live, &mut give);
        live.finish(&mut give);
        found
    }

    #[test]
    fn rows_stand_at_the_centres_of_their_frames_and_a_long_gap_has_none() {
        let samples = noise(10_000);
        let found = rows(|live, give| {
            live.push(&samples[..5_000], &mut *give);
            live.skip(1 << 40, &mut *give);
            live.push(&samples[5_000..], &mut *give);
        });
        let positions: Vec<u64> = found.iter().map(|(position, _)| *position).collect();
        let run = |first: u64| (0..=5_000 / 512).map(move |frame| first + 512 * frame);
        assert_eq!(positions, run(1_000).chain(run(1_000 + 5_000 + (1 << 40))).collect::<Vec<_>>());
        // Each run is padded with zeros on both sides, as a take is.
        assert!(found.iter().all(|(_, rms)| *rms > 0.3), "{found:?}");
    }

    #[test]
    fn a_short_gap_is_silence() {
        let samples = noise(10_000);
        let gap = rows(|live, give| {
            live.push(&samples[..5_000], &mut *give);
            live.skip(100, &mut *give);
            live.push(&samples[5_000..], &mut *give);
        });
        let zeros = rows(|live, give| live.push(&[&samples[..5_000], &[0.0; 100], &samples[5_000..]].concat(), give));
        assert_eq!(gap, zeros);
    }

    #[test]
    fn what_is_no_sound_counts_as_zero() {
        let mut bad = noise(8_000);
        let mut clean = bad.clone();
        for (index, value) in [(10, f32::NAN), (3_000, f32::INFINITY), (5_000, -1e30)] {
            bad[index] = value;
            clean[index] = 0.0;
        }
        assert_eq!(rows(|live, give| live.push(&bad, give)), rows(|live, give| live.push(&clean, give)));
    }

    #[test]
    fn a_rate_has_one_plan_for_all_its_takes() {
        let mut plans = Plans::default();
        let (a, b) = (plans.get(44_100.0).unwrap(), plans.get(44_100.0).unwrap());
        assert!(Arc::ptr_eq(&a, &b) && !Arc::ptr_eq(&a, &plans.get(48_000.0).unwrap()));
        assert!(matches!(plans.get(10.0), Err(Error::Setting { name: "sample_rate", .. })));
        drop((a, b));
        plans.get(48_000.0).unwrap();
        assert_eq!(plans.known.len(), 1);
    }
}
