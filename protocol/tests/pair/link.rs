//! A seeded link: loss, bursts (Gilbert-Elliott), delay, jitter, reordering, duplicates, bit flips, and a rate limit, with marks
//! where the queue is long.

use std::collections::BTreeMap;
use std::time::Duration;

use send_learn_protocol::units::HostNanos;

/// SplitMix64 (Steele, Lea, Flood 2014).
#[derive(Clone, Debug)]
pub struct Random(pub u64);

impl Random {
    pub fn word(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// Uniform in [0, 1).
    pub fn unit(&mut self) -> f64 {
        (self.word() >> 11) as f64 / (1_u64 << 53) as f64
    }

    pub fn happens(&mut self, probability: f64) -> bool {
        self.unit() < probability
    }
}

/// What a link does to datagrams.
#[derive(Clone, Copy, Debug)]
pub struct Weather {
    /// Probability that a datagram is lost.
    pub loss: f64,
    /// Mean time between bursts and mean length of one, in which everything is lost: Gilbert and Elliott's model in continuous time.
    pub bursts: Option<(Duration, Duration)>,
    /// Everything is lost once in each of the first, for the second: bursts of one length.
    pub regular_bursts: Option<(Duration, Duration)>,
    pub delay: Duration,
    /// Added to the delay, uniform between zero and this.
    pub jitter: Duration,
    /// Probability that a datagram is held for another 20 ms.
    pub reorder: f64,
    pub duplicate: f64,
    /// Probability of each bit to be flipped.
    pub bit_flip: f64,
    /// Bytes per second, with a queue of 100 ms.
    pub rate: Option<f64>,
    /// What may be marked is, where the queue is longer than this; what may not be is lost there (RFC 3168).
    pub mark: Option<Duration>,
    /// Nothing passes in this span.
    pub outage: Option<(Duration, Duration)>,
}

impl Default for Weather {
    fn default() -> Self {
        Self {
            loss: 0.0,
            bursts: None,
            regular_bursts: None,
            delay: Duration::from_millis(1),
            jitter: Duration::ZERO,
            reorder: 0.0,
            duplicate: 0.0,
            bit_flip: 0.0,
            rate: None,
            mark: None,
            outage: None,
        }
    }
}

/// What comes out of a link.
#[derive(Debug)]
pub struct Datagram {
    pub bytes: Vec<u8>,
    /// Whether it was marked (CE).
    pub marked: bool,
}

/// One direction.
#[derive(Debug)]
pub struct Link {
    /// May be changed while it runs.
    pub weather: Weather,
    random: Random,
    burst_until: HostNanos,
    next_burst: HostNanos,
    busy_until: HostNanos,
    phase: u64,
    under_way: BTreeMap<(HostNanos, u64), Datagram>,
    count: u64,
    pub lost: u64,
    pub marked: u64,
    /// The longest queue so far.
    pub longest_queue: Duration,
}

impl Link {
    pub fn new(weather: Weather, seed: u64) -> Self {
        let mut random = Random(seed);
        let next_burst = weather.bursts.map_or(HostNanos(u64::MAX), |(between, _)| HostNanos(exponential(&mut random, between)));
        let phase = weather.regular_bursts.map_or(0, |(every, _)| (random.unit() * every.as_nanos() as f64) as u64);
        Self {
            weather,
            random,
            phase,
            burst_until: HostNanos(0),
            next_burst,
            busy_until: HostNanos(0),
            under_way: BTreeMap::new(),
            count: 0,
            lost: 0,
            marked: 0,
            longest_queue: Duration::ZERO,
        }
    }

    /// `markable`: whether it may be marked (ECT).
    pub fn send(&mut self, now: HostNanos, datagram: &[u8], markable: bool) {
        let weather = self.weather;
        if let Some((between, length)) = weather.bursts
            && now >= self.next_burst
        {
            self.burst_until = HostNanos(now.0 + exponential(&mut self.random, length));
            self.next_burst = HostNanos(self.burst_until.0 + exponential(&mut self.random, between));
        }
        let outage = weather.outage.is_some_and(|(from, to)| (from..to).contains(&Duration::from_nanos(now.0)));
        let mut leaves = now;
        let mut marked = false;
        if let Some(rate) = weather.rate {
            leaves = self.busy_until.max(now);
            let queue = leaves.since(now);
            let long = weather.mark.is_some_and(|mark| queue > mark);
            if queue > Duration::from_millis(100) || (long && !markable) {
                self.lost += 1;
                return;
            }
            marked = long;
            self.marked += u64::from(long);
            self.longest_queue = self.longest_queue.max(queue);
            leaves = HostNanos(leaves.0 + (datagram.len() as f64 / rate * 1.0e9) as u64);
            self.busy_until = leaves;
        }
        let regular = weather
            .regular_bursts
            .is_some_and(|(every, length)| Duration::from_nanos((now.0 + self.phase) % every.as_nanos() as u64) < length);
        if outage || regular || now < self.burst_until || self.random.happens(weather.loss) {
            self.lost += 1;
            return;
        }
        let copies = 1 + u32::from(self.random.happens(weather.duplicate));
        for _ in 0..copies {
            let mut arrives = leaves.after(weather.delay).after(weather.jitter.mul_f64(self.random.unit()));
            if self.random.happens(weather.reorder) {
                arrives = arrives.after(Duration::from_millis(20));
            }
            let mut bytes = datagram.to_vec();
            if weather.bit_flip > 0.0 {
                let flips = weather.bit_flip * bytes.len() as f64 * 8.0;
                if self.random.happens(flips) {
                    let bit = self.random.word() as usize % (bytes.len() * 8);
                    bytes[bit / 8] ^= 1 << (bit % 8);
                }
            }
            self.count += 1;
            self.under_way.insert((arrives, self.count), Datagram { bytes, marked });
        }
    }

    pub fn next_arrival(&self) -> Option<HostNanos> {
        self.under_way.keys().next().map(|(time, _)| *time)
    }

    pub fn receive(&mut self, now: HostNanos) -> Option<Datagram> {
        let first = self.under_way.first_entry().filter(|first| first.key().0 <= now)?;
        Some(first.remove())
    }
}

fn exponential(random: &mut Random, mean: Duration) -> u64 {
    (-(1.0 - random.unit()).ln() * mean.as_nanos() as f64) as u64
}
