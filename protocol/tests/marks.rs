//! A queue that marks instead of dropping (ECN, RFC 3168): heeded like rising delay, before there is any loss, and never counted as
//! loss.

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

fn pair(weather: Weather) -> Pair {
    Pair::with(weather, 1, SenderConfig { retention_bytes: 1 << 30, ..SenderConfig::default() })
}

/// The live path alone on a link of this share of the need, whose queue marks above 4 ms: its level after 20 s.
fn level_at(share: f64) -> Pair {
    let mut pair = pair(Weather { rate: Some(NEED * share), mark: Some(Duration::from_millis(4)), ..Weather::default() });
    pair.play(seconds(20));
    pair
}

#[test]
fn where_the_live_path_is_too_much_marks_lower_the_level() {
    let mut pair = level_at(0.6);
    assert!(pair.up.marked > 50, "{} marks", pair.up.marked);
    assert_eq!(pair.sender.stats().level, Level::Reduced, "{:?}", pair.levels);
    // Once the level is found, which takes a third of a second from a cold start, live is in time.
    let slowest = pair.live.range(100..).map(|(_, delay)| *delay).max().unwrap_or_default();
    assert!(slowest < Duration::from_millis(60), "{slowest:?}");
    pair.up.weather.rate = None;
    pair.finish(seconds(60));
    pair.assert_complete();
}

#[test]
fn marks_of_what_fits_leave_the_level_alone_and_are_no_loss() {
    let pair = level_at(1.5);
    // A block of 512 frames takes 7 ms of this link: its last datagrams find a queue.
    assert!(pair.up.marked > 500, "{} marks", pair.up.marked);
    assert_eq!((pair.sender.stats().level, pair.sender.stats().loss), (Level::Full, 0.0));
}

#[test]
fn a_mark_slows_back_fill_before_the_queue_is_long() {
    let run = |mark| {
        let away = Some((seconds(3), seconds(6)));
        let mut pair = pair(Weather { rate: Some(NEED * 3.0), mark, outage: away, ..Weather::default() });
        pair.play(seconds(15));
        pair.finish(seconds(60));
        pair.assert_complete();
        (pair.up.longest_queue, pair.up.marked)
    };
    let ((without, none), (with, marks)) = (run(None), run(Some(Duration::from_millis(8))));
    println!("the longest queue: {without:?} without marks, {with:?} with {marks}");
    assert!(none == 0 && marks > 0);
    assert!(with < without.mul_f64(0.7), "{with:?} {without:?}");
}
