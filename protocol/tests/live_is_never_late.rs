//! What a live view gets in time: entries that are there within 60 ms of their capture, over a minute, on a link of 1 ms.

#[allow(dead_code, unreachable_pub, reason = "a harness that several test files share")]
mod pair;

use std::time::Duration;

use pair::Pair;
use pair::link::Weather;
use send_learn_protocol::quality::Config;
use send_learn_protocol::sender::SenderConfig;

const DEADLINE: Duration = Duration::from_millis(60);

/// Seeds for each network. Twelve of each were played when this was written, with the same result.
const SEEDS: std::ops::RangeInclusive<u64> = 1..=1;

/// No requests in time for the live path, and a quarter of parity at most.
const PARITY_ALONE: Config = Config { deadline: DEADLINE, live_requests: false, most_parity: 0.25, lower_levels: true };

fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

fn random(loss: f64) -> Weather {
    Weather { loss, ..Weather::default() }
}

fn bursts(length: u64) -> Weather {
    Weather { regular_bursts: Some((millis(2_000), millis(length))), ..Weather::default() }
}

/// A minute over such a link, both ways.
fn minute(name: &str, weather: Weather, quality: Config, seed: u64) -> Pair {
    let mut pair = Pair::with(weather, seed, SenderConfig { quality, ..SenderConfig::default() });
    pair.play(millis(60_000));
    pair.finish(millis(60_000));
    pair.assert_complete();
    println!(
        "{name}, seed {seed}: {:.5} late, {:.5} after 200 ms; blocks p99 {:.1} ms; {:.3} parities and {:.3} repeats for each entry",
        pair.late(DEADLINE),
        pair.late(millis(200)),
        pair.live_delay(0.99).as_secs_f64() * 1e3,
        overhead(&pair),
        pair.sender.stats().repeats as f64 / pair.sender.stats().entries as f64,
    );
    pair
}

/// Parities for each live entry.
fn overhead(pair: &Pair) -> f64 {
    pair.sender.stats().parities as f64 / pair.sender.stats().entries as f64
}

/// The share of entries that a code of k + m loses at independent losses.
fn bound(sources: i32, parities: i32, loss: f64) -> f64 {
    let n = sources + parities;
    let ways = |lost: i32| (0..lost).map(|j| f64::from(n - j) / f64::from(lost - j)).product::<f64>();
    let share = |lost: i32| ways(lost) * loss.powi(lost) * (1.0 - loss).powi(n - lost) * f64::from(lost) / f64::from(n);
    (parities + 1..=n).map(share).sum()
}

#[test]
fn nothing_is_late_at_random_loss_and_parity_stays_below_a_tenth() {
    for loss in [0.05, 0.1] {
        for seed in SEEDS {
            let pair = minute(&format!("{loss} lost"), random(loss), Config::default(), seed);
            assert_eq!(pair.late(DEADLINE), 0.0);
            assert!(overhead(&pair) < 0.1);
            // The block is written when it is over: this is the delay beyond it.
            assert!(pair.live_delay(0.99) <= millis(30));
        }
    }
}

#[test]
fn nothing_is_late_at_bursts_of_20_and_40_ms() {
    for length in [20, 40] {
        for seed in SEEDS {
            let pair = minute(&format!("bursts of {length} ms"), bursts(length), Config::default(), seed);
            assert_eq!(pair.late(DEADLINE), 0.0);
        }
    }
}

#[test]
fn without_requests_what_is_late_at_random_loss_is_what_the_code_cannot_repair() {
    for (loss, seeds) in [(0.05, 1..=3), (0.1, 1..=1)] {
        let pairs: Vec<Pair> =
            seeds.map(|seed| minute(&format!("{loss} lost, parity alone"), random(loss), PARITY_ALONE, seed)).collect();
        let late = pairs.iter().map(|pair| pair.late(DEADLINE)).sum::<f64>() / pairs.len() as f64;
        let bound = bound(13, 3, loss);
        println!("{late:.5} late; the bound is {bound:.5}");
        assert!(pairs.iter().all(|pair| overhead(pair) <= 0.25));
        // What is lost comes in some thirty groups at 5 %: chance is good for a third.
        assert!(late <= bound * 1.5, "more than chance beyond the bound");
    }
}

#[test]
fn without_requests_bursts_of_20_ms_are_repaired_though_not_within_the_deadline() {
    for seed in SEEDS {
        let pair = minute("bursts of 20 ms, parity alone", bursts(20), PARITY_ALONE, seed);
        assert!(overhead(&pair) <= 0.25 + 1e-3);
        // The first burst meets groups that no burst had been seen for.
        let first = 12.0 / pair.delays.len() as f64;
        assert!(pair.late(millis(200)) <= first, "{}", pair.late(millis(200)));
    }
}
