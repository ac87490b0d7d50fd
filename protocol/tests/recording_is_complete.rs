//! Whatever the network does, the recording ends complete and bit-exact, and the live path is not held up.

#[allow(dead_code, unreachable_pub, reason = "a harness that several test files share")]
mod pair;

use std::time::Duration;

use pair::Pair;
use pair::link::Weather;
use send_learn_protocol::sender::{SendMode, SenderConfig, SenderEvent};
use send_learn_protocol::tap::Arrival;

const MINUTE: Duration = Duration::from_secs(60);

fn seconds(seconds: f64) -> Duration {
    Duration::from_secs_f64(seconds)
}

/// Plays ten seconds over such a link, with several seeds; the recording must be complete each time.
fn plays_through(weather: Weather) -> Vec<Pair> {
    (1..=5)
        .map(|seed| {
            let mut pair = Pair::new(weather, seed);
            pair.play(seconds(10.0));
            pair.finish(MINUTE);
            pair.assert_complete();
            pair
        })
        .collect()
}

#[test]
fn a_clean_link_delivers_everything_at_once() {
    for pair in plays_through(Weather::default()) {
        assert_eq!(pair.late(seconds(0.005)), 0.0);
        assert!(pair.delays.values().all(|(_, arrival)| *arrival == Arrival::Live));
        assert_eq!((pair.sender.stats().repeats, pair.sender.stats().loss), (0, 0.0));
    }
}

#[test]
fn random_loss_is_repaired() {
    for (loss, late) in [(0.001, 0.002), (0.01, 0.005), (0.05, 0.01), (0.1, 0.03), (0.2, 0.1)] {
        for pair in plays_through(Weather { loss, ..Weather::default() }) {
            assert!(pair.late(seconds(0.2)) <= late, "loss {loss}: {} late", pair.late(seconds(0.2)));
        }
    }
}

#[test]
fn bursts_longer_than_parity_are_recovered_by_request() {
    for length in [5, 20, 100] {
        let bursts = Some((seconds(2.0), Duration::from_millis(length)));
        plays_through(Weather { bursts, ..Weather::default() });
    }
}

#[test]
fn everything_at_once_is_survived() {
    plays_through(Weather {
        loss: 0.05,
        bursts: Some((seconds(3.0), Duration::from_millis(30))),
        delay: Duration::from_millis(30),
        jitter: Duration::from_millis(20),
        reorder: 0.02,
        duplicate: 0.01,
        bit_flip: 1.0e-5,
        ..Weather::default()
    });
}

#[test]
fn a_long_way_is_no_obstacle() {
    plays_through(Weather { loss: 0.02, delay: Duration::from_millis(200), ..Weather::default() });
}

#[test]
fn a_link_that_is_just_wide_enough_suffices() {
    // 48 kHz stereo float32 is 384 kB/s of samples; parity and headers need some more.
    plays_through(Weather { rate: Some(520_000.0), ..Weather::default() });
}

#[test]
fn an_outage_is_caught_up_and_live_goes_on_at_once() {
    for length in [0.5, 5.0] {
        let mut pair = Pair::new(Weather { outage: Some((seconds(2.0), seconds(2.0 + length))), ..Weather::default() }, 7);
        pair.play(seconds(4.0 + length));
        let live: Vec<_> = pair.delays.values().filter(|(_, arrival)| *arrival == Arrival::Live).collect();
        assert!(live.iter().all(|(delay, _)| *delay < seconds(0.3)), "a live entry waited");
        pair.finish(MINUTE);
        pair.assert_complete();
    }
}

#[test]
fn a_receiver_killed_and_restarted_ends_with_everything() {
    let mut pair = Pair::new(Weather { loss: 0.02, ..Weather::default() }, 3);
    for _ in 0..5 {
        pair.play(seconds(1.7));
        pair.kill_receiver();
    }
    pair.play(seconds(2.0));
    pair.finish(MINUTE);
    pair.assert_complete();
    assert!(pair.events.iter().filter(|event| matches!(event, SenderEvent::Connected { .. })).count() >= 6);
}

#[test]
fn a_file_goes_much_faster_than_real_time() {
    let config = SenderConfig { mode: SendMode::Fast, ..SenderConfig::default() };
    for loss in [0.0, 0.05] {
        let mut pair = Pair::with(Weather { loss, ..Weather::default() }, 5, config);
        let start = pair.now;
        for _ in 0..5_000 {
            while !pair.sender.has_room() {
                let step = pair.now.after(Duration::from_millis(1));
                pair.run_until(step);
            }
            pair.write_block();
        }
        pair.finish(MINUTE);
        pair.assert_complete();
        let speed = 5_000.0 * 512.0 / 48_000.0 / pair.now.since(start).as_secs_f64();
        assert!(speed > 10.0, "loss {loss}: {speed:.1} times real time");
    }
}

#[test]
fn what_retention_had_to_drop_is_named_and_the_rest_is_there() {
    let mut pair = Pair::with(
        Weather { outage: Some((seconds(1.0), seconds(9.0))), ..Weather::default() },
        11,
        pair::small_retention(1 << 20),
    );
    pair.play(seconds(11.0));
    pair.finish(MINUTE);
    let gone: u64 = pair.disk.gone.iter().map(|gone| gone.range.count).sum();
    // What was dropped had in part arrived before the outage.
    assert!(gone > 0 && gone <= pair.sender.stats().dropped_entries);
    assert_eq!(pair.disk.entries.len() as u64 + gone, pair.sender.stats().entries);
}

#[test]
fn a_receiver_that_knows_nothing_of_the_take_is_told_what_it_will_never_get() {
    let mut pair = Pair::new(Weather::default(), 19);
    pair.play(seconds(3.0));
    let durable = pair.sender.stats().durable.0;
    assert!(durable > 0);
    // The person chose another receiver, or another folder: the old one keeps what it has.
    pair.forget_disk();
    pair.kill_receiver();
    pair.play(seconds(2.0));
    pair.finish(MINUTE);
    let gone: u64 = pair.disk.gone.iter().map(|gone| gone.range.count).sum();
    assert!(gone >= durable);
    assert_eq!(pair.disk.entries.len() as u64 + gone, pair.sender.stats().entries);
}

#[test]
fn a_stalled_disk_holds_up_neither_live_nor_the_end() {
    let mut pair = Pair::new(Weather::default(), 13);
    pair.disk_stalled = true;
    pair.play(seconds(5.0));
    assert_eq!(pair.late(seconds(0.01)), 0.0);
    assert_eq!(pair.sender.stats().durable.0, 0);
    pair.disk_stalled = false;
    pair.finish(MINUTE);
    pair.assert_complete();
}

#[test]
fn the_clock_offset_is_measured_and_logged() {
    let mut pair = Pair::new(Weather { jitter: Duration::from_millis(5), ..Weather::default() }, 17);
    pair.play(seconds(10.0));
    let clock = pair.sender.stats().clock.unwrap();
    // Both sides share the virtual clock.
    assert!(clock.offset.unsigned_abs() < 1_500_000, "{clock:?}");
    assert!(clock.offset.unsigned_abs() <= clock.uncertainty);
    pair.finish(MINUTE);
    pair.assert_complete();
}
