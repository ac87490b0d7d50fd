//! Ticks and their labels.

/// Steps of a time axis, seconds.
const STEPS: [f64; 22] = [
    0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 15.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1_800.0,
    3_600.0, 7_200.0,
];

/// Ticks of a time axis from `begin` to `end`, seconds: at most `most` of them, each with its label.
pub(super) fn times(begin: f64, end: f64, most: usize) -> Vec<(f64, String)> {
    let wide = |step: &&f64| (end - begin) / **step <= most as f64;
    let step = STEPS.iter().find(wide).copied().unwrap_or_else(|| (end - begin) / most as f64);
    let first = (begin / step).ceil() as u64;
    (first..)
        .map(|number| number as f64 * step)
        .take_while(|time| *time <= end + 1e-9)
        .map(|time| (time, clock(time, step)))
        .collect()
}

/// `1:02:03` or `2:03`, with as many digits as the step needs.
fn clock(time: f64, step: f64) -> String {
    let digits = if step >= 1.0 { 0 } else { (-step.log10()).ceil() as usize };
    let whole = (time / 60.0 + 1e-9).floor();
    let seconds = (time - whole * 60.0).max(0.0);
    let width = if digits > 0 { digits + 3 } else { 2 };
    let (hours, minutes) = ((whole / 60.0).floor(), whole % 60.0);
    if hours > 0.0 {
        format!("{hours}:{minutes:02}:{seconds:0width$.digits$}")
    } else {
        format!("{minutes}:{seconds:0width$.digits$}")
    }
}

/// Round numbers from `lowest` to `highest`, at most `most`.
pub(super) fn numbers(lowest: f64, highest: f64, most: usize) -> Vec<f64> {
    let span = (highest - lowest).max(1e-9);
    let magnitude = 10_f64.powf((span / most as f64).log10().floor());
    let step = [1.0, 2.0, 5.0, 10.0].into_iter().map(|factor| factor * magnitude).find(|step| span / step <= most as f64);
    let step = step.unwrap_or(span);
    let first = (lowest / step).ceil() as i64;
    (first..).map(|number| number as f64 * step).take_while(|value| *value <= highest + step * 1e-6).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_axis_has_round_times() {
        let labels = |begin, end| times(begin, end, 10).into_iter().map(|(_, label)| label).collect::<Vec<_>>();
        assert_eq!(labels(0.0, 19.4), ["0:00", "0:02", "0:04", "0:06", "0:08", "0:10", "0:12", "0:14", "0:16", "0:18"]);
        assert_eq!(labels(0.0, 7_200.0)[..3], ["0:00", "30:00", "1:00:00"]);
        assert_eq!(labels(0.1, 0.5)[..3], ["0:00.10", "0:00.15", "0:00.20"]);
    }

    #[test]
    fn numbers_are_round() {
        assert_eq!(numbers(88.0, 132.0, 5), [90.0, 100.0, 110.0, 120.0, 130.0]);
        assert_eq!(numbers(-60.0, 0.0, 4), [-60.0, -40.0, -20.0, 0.0]);
    }
}
