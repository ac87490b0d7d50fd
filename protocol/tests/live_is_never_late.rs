//! What a live view gets in time: entries that are there within 60 ms of their capture, on a link of 1 ms.

#[allow(dead_code, unreachable_pub, unused_imports, reason = "a harness that several test files share")]
mod pair;

use std::time::Duration;

use pair::Pair;
use pair::link::Weather;
use send_learn_protocol::quality;
use send_learn_protocol::sender::SenderConfig;

const DEADLINE: Duration = Duration::from_millis(60);

fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

fn bursts(length: u64) -> Weather {
    Weather { regular_bursts: Some((millis(2_000), millis(length))), ..Weather::default() }
}

/// A minute over such a link, both ways.
fn minute(weather: Weather, quality: quality::Config, seed: u64) -> Pair {
    let mut pair = Pair::with(weather, seed, SenderConfig { quality, ..SenderConfig::default() });
    pair.play(millis(60_000));
    pair.finish(millis(60_000));
    pair.assert_complete();
    pair
}

/// Parities for each live entry.
fn overhead(pair: &Pair) -> f64 {
    pair.sender.stats().parities as f64 / pair.sender.stats().entries as f64
}

#[test]
fn nothing_is_late_with_requests() {
    let random = |loss| Weather { loss, ..Weather::default() };
    for (name, weather) in [
        ("5 %", random(0.05)),
        ("10 %", random(0.1)),
        ("20 ms", bursts(20)),
        ("40 ms", bursts(40)),
    ] {
        for seed in 1..=3 {
            let pair = minute(weather, quality::Config::default(), seed);
            let late: Vec<_> = pair.delays.iter().filter(|(_, (delay, _))| *delay > DEADLINE).collect();
            println!("{late:?}");
            println!("{name}: {} late, p99 {:?}, {:.3} parity, {} repeats", pair.late(DEADLINE), pair.delay(0.99), overhead(&pair), pair.sender.stats().repeats);
        }
    }
}

#[test]
fn without_requests() {
    let quality = quality::Config { live_requests: false, most_parity: 0.25, ..quality::Config::default() };
    let random = |loss| Weather { loss, ..Weather::default() };
    for (name, weather) in [
        ("5 %", random(0.05)),
        ("10 %", random(0.1)),
        ("20 ms", bursts(20)),
    ] {
        for seed in 1..=3 {
            let pair = minute(weather, quality, seed);
            println!("{name}: {} late, {} at 200 ms, p99 {:?}, {:.3} parity, {} repeats", pair.late(DEADLINE), pair.late(millis(200)), pair.delay(0.99), overhead(&pair), pair.sender.stats().repeats);
        }
    }
}
