//! The clock of the other side where delays vary. Both sides of the harness read the same clock: the true offset is 0.

#[allow(dead_code, unreachable_pub, reason = "a harness that several test files share")]
mod pair;

use std::time::Duration;

use pair::Pair;
use pair::link::Weather;

#[test]
fn after_10_s_with_5_ms_of_jitter_the_offset_is_known_to_half_a_millisecond() {
    let mut errors: Vec<u64> = (0..40)
        .map(|seed| {
            let mut pair = Pair::new(Weather { jitter: Duration::from_millis(5), ..Weather::default() }, seed);
            pair.play(Duration::from_secs(10));
            let clock = pair.sender.stats().clock.expect("an estimate");
            assert!(clock.offset.unsigned_abs() <= clock.uncertainty, "{clock:?}");
            clock.offset.unsigned_abs()
        })
        .collect();
    errors.sort_unstable();
    println!("wrong by {} us in the median of 40 seeds, {} us at most", errors[20] / 1_000, errors[39] / 1_000);
    assert!(errors[39] < 500_000, "{errors:?}");
}
