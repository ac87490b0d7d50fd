//! Peak meters.

/// How fast a bar falls, in dB per second (as IEC 60268-18 asks of digital peak meters).
const FALL_DB: f32 = 20.0;
/// How long the highest peak and a clip stay, in seconds.
const HOLD: f32 = 1.5;
/// The largest magnitude of 16-bit audio: from here on a sample counts as clipped.
const FULL_SCALE: f32 = 32_767.0 / 32_768.0;
/// The level of an empty bar, in dB.
pub const EMPTY_DB: f32 = -60.0;
/// The most channels that are shown.
pub const MAX_SHOWN: usize = 8;

/// The meter of one channel.
#[derive(Clone, Copy, Debug)]
pub struct Meter {
    level: f32,
    peak: f32,
    peak_age: f32,
    clip_age: f32,
}

impl Default for Meter {
    fn default() -> Self {
        Self { level: EMPTY_DB, peak: EMPTY_DB, peak_age: HOLD, clip_age: HOLD }
    }
}

impl Meter {
    /// Takes in the largest magnitude of some samples, 1 for full scale.
    pub fn push(&mut self, magnitude: f32) {
        let level = (20.0 * magnitude.max(1e-9).log10()).max(EMPTY_DB);
        self.level = self.level.max(level);
        if level >= self.peak {
            self.peak = level;
            self.peak_age = 0.0;
        }
        if magnitude >= FULL_SCALE {
            self.clip_age = 0.0;
        }
    }

    /// Lets `seconds` pass.
    pub fn advance(&mut self, seconds: f32) {
        self.level = (self.level - FALL_DB * seconds).max(EMPTY_DB);
        self.peak_age += seconds;
        self.clip_age += seconds;
        if self.peak_age > HOLD {
            self.peak = (self.peak - FALL_DB * seconds).max(self.level);
        }
    }

    /// The bar's level in dB relative to full scale.
    pub fn level_db(&self) -> f32 {
        self.level
    }

    /// The highest peak of late, in dB relative to full scale.
    pub fn peak_db(&self) -> f32 {
        self.peak
    }

    /// Whether samples reached full scale of late.
    pub fn clips(&self) -> bool {
        self.clip_age < HOLD
    }
}

/// Where a level stands on a bar: 0 empty to 1 full scale.
pub fn bar(level_db: f32) -> f32 {
    (1.0 - level_db / EMPTY_DB).clamp(0.0, 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_falls_evenly_and_its_peak_stays_for_a_while() {
        let mut meter = Meter::default();
        meter.push(0.5);
        assert!((meter.level_db() + 6.02).abs() < 0.01);
        (0..10).for_each(|_| meter.advance(0.1));
        assert!((meter.level_db() + 26.02).abs() < 0.01);
        assert!((meter.peak_db() + 6.02).abs() < 0.01);
        (0..50).for_each(|_| meter.advance(0.1));
        assert_eq!((meter.level_db(), meter.peak_db()), (EMPTY_DB, EMPTY_DB));
    }

    #[test]
    fn full_scale_is_shown_as_a_clip() {
        let mut meter = Meter::default();
        meter.push(0.99);
        assert!(!meter.clips());
        meter.push(1.0);
        assert!(meter.clips());
        meter.advance(2.0);
        assert!(!meter.clips());
    }
}
