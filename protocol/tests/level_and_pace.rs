//! On a network that takes less than everything, the live path stays in time at a lower level, back-fill takes the rest, and nothing
//! oscillates.

#[allow(dead_code, unreachable_pub, reason = "a harness that several test files share")]
mod pair;

use std::time::Duration;

use pair::Pair;
use pair::link::Weather;
use send_learn_protocol::quality::Level;
use send_learn_protocol::sender::SenderConfig;

/// Bytes per second of the harness's stream at level 1.0, without parity.
const NEED: f64 = 412_000.0;

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// A pair that has room for everything that is owed.
fn pair(weather: Weather) -> Pair {
    Pair::with(weather, 1, SenderConfig { retention_bytes: 1 << 30, ..SenderConfig::default() })
}

/// Ten minutes over a link of this share of the need. After half a minute nothing changes any more.
fn ten_minutes(share: f64, jitter: Duration, level: Level) {
    let mut pair = pair(Weather { rate: Some(NEED * share), jitter, ..Weather::default() });
    pair.play(seconds(30));
    let (changes, sent, lost) = (pair.levels.len(), pair.sender.stats().bytes, pair.up.lost);
    let mut rates = Vec::new();
    for _ in 0..570 {
        pair.play(seconds(1));
        rates.push(pair.sender.stats().rate);
    }
    assert_eq!(pair.sender.stats().level, level);
    assert_eq!(pair.levels.len(), changes, "the level changed: {:?}", pair.levels);
    assert_eq!(pair.up.lost, lost, "the link's queue was full");
    let delay = pair.live_delay(0.999);
    assert!(delay < Duration::from_millis(80), "{delay:?}");
    let used = (pair.sender.stats().bytes - sent) as f64 / 570.0 / (NEED * share);
    assert!((0.9..1.01).contains(&used), "{used} of the link was used");
    let (least, most) = rates.iter().fold((f64::MAX, 0.0_f64), |(least, most), rate| (least.min(*rate), most.max(*rate)));
    println!("{share} of the need: {used:.3} used, rate {least:.0} to {most:.0}, live p99.9 {delay:?}");
    assert!(most / least < 2.0, "the rate swings from {least} to {most}");
}

#[test]
fn at_half_of_the_need_nothing_oscillates_for_ten_minutes() {
    ten_minutes(0.5, Duration::ZERO, Level::Reduced);
}

#[test]
fn just_above_the_need_nothing_oscillates_for_ten_minutes() {
    ten_minutes(1.1, Duration::from_millis(5), Level::Full);
}

#[test]
fn a_network_that_recovers_is_used_again_within_10_s() {
    let mut pair = pair(Weather { rate: Some(NEED * 0.4), ..Weather::default() });
    pair.play(seconds(20));
    assert!(pair.sender.stats().level < Level::Full);
    (pair.up.weather.rate, pair.down.weather.rate) = (None, None);
    pair.play(seconds(10));
    assert_eq!(pair.sender.stats().level, Level::Full, "{:?}", pair.levels);
    assert!(pair.levels.windows(2).all(|pair| pair[1].0.since(pair[0].0) >= seconds(2)), "{:?}", pair.levels);
    pair.finish(seconds(10));
    pair.assert_complete();
}

#[test]
fn at_a_tenth_of_the_need_the_recording_is_complete_in_the_end() {
    let mut pair = pair(Weather { rate: Some(NEED * 0.1), loss: 0.05, ..Weather::default() });
    pair.play(seconds(10));
    assert_eq!(pair.sender.stats().level, Level::Coarse);
    pair.finish(seconds(600));
    pair.assert_complete();
}

#[test]
fn previews_are_never_recorded_and_all_their_entries_are_back_filled() {
    let mut pair = pair(Weather { rate: Some(NEED * 0.6), ..Weather::default() });
    pair.play(seconds(10));
    let stats = *pair.sender.stats();
    assert!(stats.previews > 500, "{stats:?}");
    assert!(pair.disk.entries.values().all(|entry| send_learn_protocol::record::is_entry(entry)));
    pair.finish(seconds(60));
    pair.assert_complete();
}

#[test]
fn while_the_network_is_away_only_probes_go_out() {
    let away = Some((Duration::from_secs(2), Duration::from_millis(4_500)));
    let mut pair = pair(Weather { outage: away, ..Weather::default() });
    pair.play(Duration::from_millis(2_700));
    let before = pair.sender.stats().bytes;
    pair.play(Duration::from_millis(1_500));
    let sent = pair.sender.stats().bytes - before;
    assert!(sent < 10_000, "{sent} bytes were sent to nobody");
    pair.finish(seconds(10));
    pair.assert_complete();
}
