//! From the view to the sound device: the feeder, on the view's side, brings a stream to the device's rate; the voice, in the device's
//! callback, fades and limits. Between them lies a ring without locks, so that neither waits for the other.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use rtrb::{Consumer, Producer, RingBuffer};

use crate::ring::SampleRing;

/// How long after the newest sample one listens, in seconds: what is lost may be rebuilt meanwhile.
const BEHIND: f64 = 0.15;
/// How much lies in the ring when all is even, and how much it holds, in seconds.
const STOCK: f64 = 0.12;
const CAPACITY: f64 = 1.0;
/// Farther than this from where it should be, in seconds, the feeder begins anew.
const LOST: f64 = 0.5;
/// How much faster or slower it plays to keep the stock even: 3 cents.
const BEND: f64 = 0.002;
/// How long a fade takes, in seconds.
const FADE: f64 = 0.02;
/// Up to this, samples are as they were; above, they bend towards the ceiling (-1 dB), and never reach it.
const KNEE: f32 = 0.7;
const CEILING: f32 = 0.89;

/// What the two ends tell each other.
#[derive(Debug, Default)]
struct Shared {
    /// Whether anything is to be heard.
    wanted: AtomicBool,
    /// Counts what was begun anew; the voice answers when the old is faded out and gone.
    round: AtomicU64,
    answered: AtomicU64,
}

/// The view's side.
#[derive(Debug)]
pub struct Feeder {
    ring: Producer<f32>,
    shared: Arc<Shared>,
    rate: f64,
    /// The next position of the stream that is played, in samples.
    at: Option<f64>,
}

/// The device's side.
#[derive(Debug)]
pub struct Voice {
    ring: Consumer<f32>,
    shared: Arc<Shared>,
    gain: f32,
    step: f32,
    /// Whether the ring ran dry and fills again.
    fills: bool,
    stock: usize,
}

/// Both ends, for a device of `rate` Hz.
pub fn ends(rate: f64) -> (Feeder, Voice) {
    let (producer, consumer) = RingBuffer::new((CAPACITY * rate) as usize);
    let shared = Arc::new(Shared::default());
    let feeder = Feeder { ring: producer, shared: shared.clone(), rate, at: None };
    let step = (1.0 / (FADE * rate)) as f32;
    (feeder, Voice { ring: consumer, shared, gain: 0.0, step, fills: true, stock: (STOCK * rate) as usize })
}

impl Feeder {
    /// Plays another stream from now on, or, with `false`, nothing.
    pub fn begin(&mut self, wanted: bool) {
        self.shared.wanted.store(wanted, Ordering::Relaxed);
        self.begin_anew();
    }

    fn begin_anew(&mut self) {
        self.at = None;
        self.shared.round.fetch_add(1, Ordering::Release);
    }

    /// Hands on what there is of the stream's `samples` of `rate` Hz, and never waits.
    pub fn feed(&mut self, samples: &SampleRing, rate: f64) {
        if self.shared.answered.load(Ordering::Acquire) != self.shared.round.load(Ordering::Relaxed) {
            // What was played before is still fading.
            return;
        }
        let until = samples.end() as f64 - BEHIND * rate;
        let from = until - STOCK * rate;
        let at = match self.at {
            Some(at) if (at - until).abs() <= LOST * rate => at,
            Some(_) => return self.begin_anew(),
            None => from.max(0.0),
        };
        let stock = (CAPACITY * self.rate) as usize - self.ring.slots();
        let surplus = (stock as f64 / self.rate - STOCK) / STOCK;
        let step = rate / self.rate * (1.0 + BEND * surplus.clamp(-1.0, 1.0));
        let count = ((until - at) / step).clamp(0.0, self.ring.slots() as f64) as usize;
        for index in 0..count {
            // There is room for as many.
            let _ = self.ring.push(between(samples, at + index as f64 * step));
        }
        self.at = Some(at + count as f64 * step);
    }
}

impl Drop for Feeder {
    fn drop(&mut self) {
        self.begin(false);
    }
}

/// The value between samples, by the cubic through the four nearest (Catmull and Rom).
fn between(samples: &SampleRing, at: f64) -> f32 {
    let (whole, part) = (at.floor() as u64, at.fract() as f32);
    let [a, b, c, d] = [whole.saturating_sub(1), whole, whole + 1, whole + 2].map(|position| samples.at(position));
    let (square, cube) = (part * part, part * part * part);
    b + 0.5 * ((c - a) * part + (2.0 * a - 5.0 * b + 4.0 * c - d) * square + (3.0 * (b - c) + d - a) * cube)
}

impl Voice {
    /// The next sample for all channels of the device. Neither waits nor allocates.
    pub fn next_sample(&mut self) -> f32 {
        let round = self.shared.round.load(Ordering::Acquire);
        let is_over = self.shared.answered.load(Ordering::Relaxed) != round;
        if is_over && self.gain <= 0.0 {
            while self.ring.pop().is_ok() {}
            self.fills = true;
            self.shared.answered.store(round, Ordering::Release);
            return 0.0;
        }
        let stock = self.ring.slots();
        // What is left is faded out, not cut off.
        let runs_dry = stock as f32 * self.step <= self.gain;
        self.fills = if self.fills { stock < self.stock } else { runs_dry };
        let wanted = self.shared.wanted.load(Ordering::Relaxed) && !is_over && !self.fills;
        self.gain = (self.gain + if wanted { self.step } else { -self.step }).clamp(0.0, 1.0);
        if self.gain <= 0.0 && !wanted {
            return 0.0;
        }
        limit(self.ring.pop().unwrap_or_default()) * self.gain
    }
}

/// Bends what is too loud below the ceiling; what is no number is silence.
fn limit(sample: f32) -> f32 {
    let loud = sample.abs();
    if sample.is_nan() {
        0.0
    } else if loud <= KNEE {
        sample
    } else {
        let room = CEILING - KNEE;
        (KNEE + room * ((loud - KNEE) / room).tanh()).copysign(sample)
    }
}

#[cfg(test)]
mod tests {
    use std::f64::consts::TAU;

    use super::*;

    const RATE: f64 = 44_100.0;

    /// A stream of 48 kHz, of which `seconds` have come.
    fn tone(ring: &mut SampleRing, seconds: f64, loudness: f32) {
        let wave = |at: u64| loudness * (TAU * 440.0 * at as f64 / 48_000.0).sin() as f32;
        let from = ring.end();
        let samples: Vec<f32> = (from..(seconds * 48_000.0) as u64).map(wave).collect();
        ring.write(from, samples.into_iter());
    }

    /// Plays `seconds` by frames of a 60th, and gives what the device got.
    fn play(feeder: &mut Feeder, voice: &mut Voice, ring: &mut SampleRing, seconds: f64, loudness: f32) -> Vec<f32> {
        let mut heard = Vec::new();
        for _ in 0..(seconds * 60.0) as usize {
            let end = ring.end() as f64 / 48_000.0 + 1.0 / 60.0 + 1e-9;
            tone(ring, end, loudness);
            feeder.feed(ring, 48_000.0);
            heard.extend((0..(RATE / 60.0) as usize).map(|_| voice.next_sample()));
        }
        heard
    }

    fn loudest(samples: &[f32]) -> f32 {
        samples.iter().fold(0.0, |most, sample| sample.abs().max(most))
    }

    /// The largest step from one sample to the next: a click is larger than the tone's own.
    fn steepest(samples: &[f32]) -> f32 {
        samples.windows(2).map(|pair| (pair[1] - pair[0]).abs()).fold(0.0, f32::max)
    }

    #[test]
    fn a_tone_is_heard_at_its_pitch_and_fades_in_and_out_without_a_click() {
        let (mut feeder, mut voice) = ends(RATE);
        let mut ring = SampleRing::new(1 << 19);
        tone(&mut ring, 2.0, 0.5);
        assert_eq!(loudest(&play(&mut feeder, &mut voice, &mut ring, 0.5, 0.5)), 0.0, "it is off");
        feeder.begin(true);
        let mut heard = play(&mut feeder, &mut voice, &mut ring, 3.0, 0.5);
        let settled = &heard[RATE as usize..];
        assert!((loudest(settled) - 0.5).abs() < 0.01);
        let crossings = settled.windows(2).filter(|pair| pair[0] < 0.0 && pair[1] >= 0.0).count() as f64;
        assert!((crossings / (settled.len() as f64 / RATE) - 440.0).abs() < 2.0, "{crossings}");
        // Switched off, and then to another stream.
        feeder.begin(false);
        heard.extend(play(&mut feeder, &mut voice, &mut ring, 0.5, 0.5));
        assert_eq!(loudest(&heard[heard.len() - 10_000..]), 0.0);
        feeder.begin(true);
        heard.extend(play(&mut feeder, &mut voice, &mut ring, 0.5, 0.5));
        feeder.begin(true);
        heard.extend(play(&mut feeder, &mut voice, &mut ring, 1.0, 0.5));
        assert!(loudest(&heard[heard.len() - 10_000..]) > 0.49);
        // 440 Hz at half of full scale moves by 0.031 a sample.
        assert!(steepest(&heard) < 0.04, "{}", steepest(&heard));
    }

    #[test]
    fn a_view_that_stands_still_makes_silence_and_no_click() {
        let (mut feeder, mut voice) = ends(RATE);
        let mut ring = SampleRing::new(1 << 19);
        tone(&mut ring, 2.0, 0.5);
        feeder.begin(true);
        let mut heard = play(&mut feeder, &mut voice, &mut ring, 1.0, 0.5);
        // The view draws nothing for a second: nobody feeds.
        heard.extend((0..RATE as usize).map(|_| voice.next_sample()));
        assert_eq!(loudest(&heard[heard.len() - 10_000..]), 0.0);
        tone(&mut ring, 4.0, 0.5);
        heard.extend(play(&mut feeder, &mut voice, &mut ring, 1.0, 0.5));
        assert!(loudest(&heard[heard.len() - 10_000..]) > 0.49);
        assert!(steepest(&heard) < 0.04, "{}", steepest(&heard));
    }

    #[test]
    fn whatever_comes_is_never_louder_than_the_ceiling() {
        let (mut feeder, mut voice) = ends(RATE);
        let mut ring = SampleRing::new(1 << 19);
        feeder.begin(true);
        let heard = play(&mut feeder, &mut voice, &mut ring, 2.0, 50.0);
        let most = loudest(&heard);
        assert!((0.8..=CEILING).contains(&most), "{most}");
        assert!([f32::NAN, f32::INFINITY, f32::NEG_INFINITY, 1e30, -0.7].map(limit).iter().all(|sample| sample.abs() <= CEILING));
        assert_eq!(limit(0.6), 0.6);
    }

    #[test]
    fn a_device_with_a_clock_of_its_own_is_followed_for_minutes() {
        let (mut feeder, mut voice) = ends(RATE);
        let mut ring = SampleRing::new(1 << 19);
        feeder.begin(true);
        play(&mut feeder, &mut voice, &mut ring, 1.0, 0.5);
        // The device is slower by a part in a thousand, which is far worse than real ones.
        for second in 0..180 {
            let mut heard = Vec::new();
            for _ in 0..20 {
                let end = ring.end() as f64 / 48_000.0 + 0.05 + 1e-9;
                tone(&mut ring, end, 0.5);
                feeder.feed(&ring, 48_000.0);
                heard.extend((0..(RATE * 0.999 / 20.0) as usize).map(|_| voice.next_sample()));
            }
            let quietest = heard.chunks(441).map(loudest).fold(1.0, f32::min);
            assert!(quietest > 0.4 || second == 0, "second {second}: {quietest}");
            assert!(feeder.ring.slots() as f64 > 0.3 * RATE, "second {second}: the ring is full");
        }
    }
}
