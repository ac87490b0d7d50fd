//! What is measured in the samples: peak, level, silence, noise floor, clipping, offset.

use serde::Serialize;

use super::clipping::Clipping;

/// Length of the stretches whose level is measured, in seconds.
const STRETCH: f64 = 0.05;

/// Below this level a stretch is all but silent, in dB of full scale.
const NEARLY_SILENT: f64 = -60.0;

/// The noise floor is the level that this share of the time is below: quantile-based noise estimation, V. Stahl, A. Fischer and
/// R. Bippus, ICASSP 2000, with a low quantile because music rests less than speech does.
const FLOOR_QUANTILE: f64 = 0.1;

/// The steps in which levels are counted: a tenth of a decibel from -160 dBFS on.
const STEPS: usize = 2000;
const STEPS_PER_DECIBEL: f64 = 10.0;
const LOWEST: f64 = -160.0;

/// The bars of the histogram: from -72 dBFS on, 3 dB each; what is quieter or louder is in the outer ones.
const BAR_DECIBELS: f64 = 3.0;
const LOWEST_BAR: f64 = -72.0;
const BARS: usize = 25;
/// The step at which the first bar begins, and the steps of a bar.
const FIRST_BAR: usize = ((LOWEST_BAR - LOWEST) * STEPS_PER_DECIBEL) as usize;
const BAR_STEPS: usize = (BAR_DECIBELS * STEPS_PER_DECIBEL) as usize;

/// What was measured in a take's samples. Gaps are left out. Levels are in dB of full scale: 0 is a square wave at full scale, and
/// a full-scale sine has an RMS of -3.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Sound {
    /// Seconds that were measured.
    pub seconds: f64,
    /// The highest absolute sample; none in digital silence.
    pub peak_dbfs: Option<f64>,
    /// The root mean square of all samples; none in digital silence.
    pub rms_dbfs: Option<f64>,
    /// The level that a tenth of the time is below, digital silence left out; none in digital silence. The noise of a recording
    /// with rests in it; of music without rests it only says that the noise is lower.
    pub noise_floor_dbfs: Option<f64>,
    /// The mean of the channel whose mean is farthest from 0, in full scales.
    pub dc_offset: f64,
    /// Share of the time in which all samples of all channels are 0.
    pub digital_silence: f64,
    /// Share of the time below -60 dBFS, digital silence included.
    pub near_silence: f64,
    /// Runs of three or more equal samples of one channel, at 0.999 of full scale or beyond.
    pub clipped_runs: u64,
    /// Share of all samples that are in such runs.
    pub clipped: f64,
    /// Samples that are not a number or infinite; they are left out of all else.
    pub not_finite: u64,
    /// Seconds at each level of stretches of 50 ms: below -69 dBFS, then 3 dB each; the last from 0 dBFS on.
    pub levels: Vec<f64>,
}

impl Sound {
    /// The lower edge of bar `index` of [`levels`](Self::levels), in dBFS.
    pub fn level(index: usize) -> f64 {
        LOWEST_BAR + index as f64 * BAR_DECIBELS
    }
}

/// Measures samples as they come.
#[derive(Debug)]
pub(super) struct Meter {
    sample_rate: f64,
    channels: usize,
    frames: u64,
    silent_frames: u64,
    peak: f32,
    squares: f64,
    sums: Vec<f64>,
    clipping: Vec<Clipping>,
    not_finite: u64,
    stretch: Stretch,
    stretch_frames: u64,
    /// Frames of stretches at each step of level.
    steps: Vec<u64>,
    nearly_silent_frames: u64,
}

/// The stretch that is being measured.
#[derive(Debug, Default)]
struct Stretch {
    frames: u64,
    squares: f64,
}

impl Meter {
    pub(super) fn new(sample_rate: f64, channels: u16) -> Self {
        let channels = usize::from(channels);
        Self {
            sample_rate,
            channels,
            frames: 0,
            silent_frames: 0,
            peak: 0.0,
            squares: 0.0,
            sums: vec![0.0; channels],
            clipping: vec![Clipping::default(); channels],
            not_finite: 0,
            stretch: Stretch::default(),
            stretch_frames: (sample_rate * STRETCH).round().max(1.0) as u64,
            steps: vec![0; STEPS],
            nearly_silent_frames: 0,
        }
    }

    /// Takes interleaved samples.
    pub(super) fn push(&mut self, samples: &[f32]) {
        for frame in samples.chunks_exact(self.channels) {
            let mut squares = 0.0;
            let mut silent = true;
            for ((&sample, sum), clipping) in frame.iter().zip(&mut self.sums).zip(&mut self.clipping) {
                silent &= sample == 0.0;
                if !sample.is_finite() {
                    self.not_finite += 1;
                    continue;
                }
                self.peak = self.peak.max(sample.abs());
                *sum += f64::from(sample);
                squares += f64::from(sample) * f64::from(sample);
                clipping.push(sample);
            }
            self.frames += 1;
            self.silent_frames += u64::from(silent);
            self.stretch.frames += 1;
            self.stretch.squares += squares;
            if self.stretch.frames == self.stretch_frames {
                self.close_stretch();
            }
        }
    }

    /// Samples are missing here.
    pub(super) fn interrupt(&mut self) {
        self.close_stretch();
        self.clipping.iter_mut().for_each(Clipping::interrupt);
    }

    fn close_stretch(&mut self) {
        let Stretch { frames, squares } = std::mem::take(&mut self.stretch);
        self.squares += squares;
        match decibels((squares / (frames * self.channels as u64) as f64).sqrt()) {
            Some(level) => {
                let step = (level - LOWEST) * STEPS_PER_DECIBEL;
                self.steps[(step.max(0.0) as usize).min(STEPS - 1)] += frames;
                self.nearly_silent_frames += if level < NEARLY_SILENT { frames } else { 0 };
            }
            None => self.nearly_silent_frames += frames,
        }
    }

    /// Ends the take.
    pub(super) fn finish(mut self) -> Sound {
        self.interrupt();
        let share = |part: u64| if self.frames > 0 { part as f64 / self.frames as f64 } else { 0.0 };
        let samples = (self.frames * self.channels as u64).max(1) as f64;
        let offsets = self.sums.iter().map(|sum| sum / self.frames.max(1) as f64);
        Sound {
            seconds: self.frames as f64 / self.sample_rate,
            peak_dbfs: decibels(self.peak.into()),
            rms_dbfs: decibels((self.squares / samples).sqrt()),
            noise_floor_dbfs: self.quantile(FLOOR_QUANTILE),
            dc_offset: offsets.max_by(|one, two| one.abs().total_cmp(&two.abs())).unwrap_or_default(),
            digital_silence: share(self.silent_frames),
            near_silence: share(self.nearly_silent_frames),
            clipped_runs: self.clipping.iter().map(|clipping| clipping.runs).sum(),
            clipped: self.clipping.iter().map(|clipping| clipping.samples).sum::<u64>() as f64 / samples,
            not_finite: self.not_finite,
            levels: self.bars(),
        }
    }

    /// The level that `share` of the time with sound is below.
    fn quantile(&self, share: f64) -> Option<f64> {
        let all: u64 = self.steps.iter().sum();
        let mut below = 0;
        let step = self.steps.iter().position(|frames| {
            below += frames;
            below > 0 && below as f64 >= share * all as f64
        })?;
        Some(LOWEST + (step as f64 + 0.5) / STEPS_PER_DECIBEL)
    }

    fn bars(&self) -> Vec<f64> {
        let mut bars = vec![0.0; BARS];
        for (step, &frames) in self.steps.iter().enumerate() {
            bars[(step.saturating_sub(FIRST_BAR) / BAR_STEPS).min(BARS - 1)] += frames as f64 / self.sample_rate;
        }
        bars
    }
}

/// A level as dB of full scale; none for silence.
fn decibels(level: f64) -> Option<f64> {
    (level > 0.0).then(|| 20.0 * level.log10())
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATE: f64 = 1000.0;

    fn of(channels: u16, samples: &[f32]) -> Sound {
        let mut meter = Meter::new(RATE, channels);
        // What is measured does not depend on the chunks.
        samples.chunks(usize::from(channels) * 7).for_each(|chunk| meter.push(chunk));
        let sound = meter.finish();
        let mut whole = Meter::new(RATE, channels);
        whole.push(samples);
        assert_eq!(sound, whole.finish());
        sound
    }

    fn close(value: Option<f64>, expected: f64) -> bool {
        value.is_some_and(|value| (value - expected).abs() < 0.051)
    }

    #[test]
    fn a_sine_has_its_levels() {
        let samples: Vec<f32> = (0..10_000).map(|n| 0.5 * (n as f32 * std::f32::consts::TAU / 25.0).sin() + 0.01).collect();
        let sound = of(1, &samples);
        assert!(close(sound.peak_dbfs, -5.87), "{sound:?}");
        assert!(close(sound.rms_dbfs, -9.03) && close(sound.noise_floor_dbfs, -9.03), "{sound:?}");
        assert!((sound.dc_offset - 0.01).abs() < 1e-6);
        assert_eq!((sound.seconds, sound.digital_silence, sound.near_silence, sound.clipped), (10.0, 0.0, 0.0, 0.0));
        // -9.03 dBFS lies in the bar below -9.
        assert_eq!(sound.levels.iter().position(|&seconds| seconds == 10.0).map(Sound::level), Some(-12.0));
    }

    #[test]
    fn silence_and_near_silence_are_told_apart() {
        let mut samples = vec![0.0; 2 * 2000];
        samples.extend(vec![1e-4; 2 * 3000]);
        samples.extend(vec![0.1; 2 * 5000]);
        // One channel alone is no digital silence.
        samples[0] = 1e-9;
        let sound = of(2, &samples);
        assert_eq!((sound.digital_silence, sound.near_silence), (0.1999, 0.5));
        // A tenth of what is no digital silence lies in the part at -80 dBFS.
        assert!(close(sound.noise_floor_dbfs, -80.0), "{sound:?}");
    }

    #[test]
    fn silence_has_no_level() {
        let sound = of(2, &[0.0; 2000]);
        assert_eq!((sound.peak_dbfs, sound.rms_dbfs, sound.noise_floor_dbfs), (None, None, None));
        assert_eq!((sound.digital_silence, sound.near_silence), (1.0, 1.0));
        let nothing = of(2, &[]);
        assert_eq!((nothing.seconds, nothing.digital_silence, nothing.peak_dbfs), (0.0, 0.0, None));
    }

    #[test]
    fn clipping_counts_by_channel() {
        let mut samples = vec![0.1; 2 * 1000];
        for frame in 10..20 {
            samples[2 * frame] = 1.0;
        }
        for frame in 15..17 {
            samples[2 * frame + 1] = 1.0;
        }
        let sound = of(2, &samples);
        assert_eq!((sound.clipped_runs, sound.clipped), (1, 10.0 / 2000.0));
    }

    #[test]
    fn what_is_no_number_is_counted_and_left_out() {
        let sound = of(1, &[0.5, f32::NAN, 0.5, f32::INFINITY]);
        assert_eq!((sound.not_finite, sound.digital_silence), (2, 0.0));
        assert!(close(sound.peak_dbfs, -6.02));
    }
}
