//! Histograms: how often which pitch, velocity, tempo, density and level occurs.

use std::collections::BTreeMap;

use maud::{Markup, html};

use super::picture::{Frame, WIDTH, head, label, line, rectangle};
use crate::quality::{Sound, Totals};

/// Where the bars stand.
const TOP: f64 = 30.0;
const BOTTOM: f64 = 170.0;
const HEIGHT: f64 = 216.0;

/// One bar.
struct Bar {
    name: String,
    value: f64,
}

/// A histogram.
struct Histogram {
    id: &'static str,
    title: &'static str,
    description: String,
    /// What the bars are, under them.
    axis: &'static str,
    unit: &'static str,
    bars: Vec<Bar>,
    /// What stands at the left edge of which bars.
    ticks: Vec<(usize, String)>,
}

/// All histograms for which there is something to count.
pub(super) fn histograms(totals: &Totals) -> Vec<Markup> {
    [pitches(totals), velocities(totals), tempos(totals), densities(totals), levels(totals)]
        .into_iter()
        .flatten()
        .map(|histogram| histogram.draw())
        .collect()
}

impl Histogram {
    fn draw(&self) -> Markup {
        let most = self.bars.iter().map(|bar| bar.value).fold(0.0, f64::max);
        let step = WIDTH / self.bars.len() as f64;
        let gap = if step > 6.0 { 1.0 } else { 0.0 };
        let content = html! {
            (line(TOP))
            (label(0.0, TOP - 8.0, &format!("{} {}", amount(most), self.unit)))
            @for (index, bar) in self.bars.iter().enumerate().filter(|(_, bar)| bar.value > 0.0) {
                // What is there is seen.
                @let height = ((BOTTOM - TOP) * bar.value / most).max(1.0);
                (rectangle("bar", (index as f64 * step, BOTTOM - height), (step - gap, height)))
            }
            (line(BOTTOM))
            @for (index, tick) in &self.ticks { (label(*index as f64 * step, BOTTOM + 20.0, tick)) }
            (label(WIDTH / 2.0, BOTTOM + 42.0, self.axis))
        };
        let table = html! {
            table {
                (head(&[self.axis, self.unit]))
                tbody { @for bar in self.bars.iter().filter(|bar| bar.value > 0.0) {
                    tr { th scope="row" { (bar.name) } td { (amount(bar.value)) } }
                } }
            }
        };
        Frame { id: self.id, title: self.title, description: &self.description, height: HEIGHT }.figure(&content, Some(table))
    }

    /// The name of the highest bar.
    fn peak(bars: &[Bar]) -> &str {
        bars.iter().max_by(|one, two| one.value.total_cmp(&two.value)).map_or("", |bar| &bar.name)
    }
}

/// The keys from the octave of the lowest to that of the highest.
fn pitches(totals: &Totals) -> Option<Histogram> {
    let lowest = totals.pitches.iter().position(|&count| count > 0)?;
    let highest = totals.pitches.iter().rposition(|&count| count > 0)?;
    let (from, to) = (lowest / 12 * 12, (highest / 12 * 12 + 12).min(128));
    let bars: Vec<Bar> = (from..to).map(|key| Bar { name: key_name(key), value: totals.pitches[key] as f64 }).collect();
    let octaves = bars.len().div_ceil(12);
    let ticks = (0..bars.len()).step_by(12 * octaves.div_ceil(6)).map(|bar| (bar, key_name(from + bar))).collect();
    let description = format!(
        "From {} to {}, mostly {}. C4 is middle C; percussion is counted by its keys.",
        key_name(lowest),
        key_name(highest),
        Histogram::peak(&bars)
    );
    Some(Histogram { id: "pitches", title: "Pitch", description, axis: "key", unit: "notes", bars, ticks })
}

fn velocities(totals: &Totals) -> Option<Histogram> {
    let lowest = totals.velocities.iter().position(|&count| count > 0)?;
    let highest = totals.velocities.iter().rposition(|&count| count > 0)?;
    let bars: Vec<Bar> = totals
        .velocities
        .chunks(8)
        .enumerate()
        .map(|(index, counts)| Bar {
            name: format!("{} to {}", index * 8, index * 8 + 7),
            value: counts.iter().sum::<u64>() as f64,
        })
        .collect();
    let description = format!("From {lowest} to {highest}, mostly {}.", Histogram::peak(&bars));
    let ticks = [0, 4, 8, 12].map(|bar| (bar, (bar * 8).to_string())).into();
    Some(Histogram { id: "velocities", title: "Velocity", description, axis: "velocity", unit: "notes", bars, ticks })
}

fn tempos(totals: &Totals) -> Option<Histogram> {
    let (slowest, fastest) = totals.tempo?;
    // Twenty bars or so, each of a round number of beats per minute.
    let width = [1, 2, 5, 10, 20, 50].into_iter().find(|width| (fastest - slowest) / f64::from(*width) < 24.0).unwrap_or(100);
    let bars = bins(&totals.tempo_seconds, width, |from, to| if width == 1 { from.to_string() } else { format!("{from} to {to}") });
    let description = if fastest - slowest < 0.05 {
        format!("{slowest:.1} quarter notes per minute throughout.")
    } else {
        format!("From {slowest:.1} to {fastest:.1}, mostly {}.", Histogram::peak(&bars))
    };
    let ticks = edges(slowest.round() as u32, width, bars.len());
    Some(Histogram { id: "tempos", title: "Tempo", description, axis: "quarter notes per minute", unit: "s", bars, ticks })
}

fn densities(totals: &Totals) -> Option<Histogram> {
    let most = *totals.density_stretches.keys().next_back()?;
    let counts: BTreeMap<u32, f64> = totals.density_stretches.iter().map(|(&density, &count)| (density, count as f64)).collect();
    let width = [1, 2, 5, 10].into_iter().find(|width| most / width < 24).unwrap_or(50);
    let bars = bins(&counts, width, |from, to| if width == 1 { from.to_string() } else { format!("{from} to {to}") });
    let description = format!("{:.1} notes per second on average, counted in stretches of 10 s.", totals.density);
    let ticks = edges(*totals.density_stretches.keys().next()?, width, bars.len());
    Some(Histogram {
        id: "densities",
        title: "Note density",
        description,
        axis: "notes per second",
        unit: "stretches",
        bars,
        ticks,
    })
}

fn levels(totals: &Totals) -> Option<Histogram> {
    if totals.levels.iter().sum::<f64>() == 0.0 {
        return None;
    }
    let last = totals.levels.len() - 1;
    let name = |index: usize| match index {
        0 => format!("below {:.0}", Sound::level(1)),
        index if index == last => format!("{:.0} and above", Sound::level(index)),
        index => format!("{:.0} to {:.0}", Sound::level(index), Sound::level(index + 1)),
    };
    let bars: Vec<Bar> = totals.levels.iter().enumerate().map(|(index, &value)| Bar { name: name(index), value }).collect();
    let description = format!(
        "RMS of stretches of 50 ms, mostly {} dBFS. Digital silence ({:.1} % of the audio) is left out.",
        Histogram::peak(&bars),
        totals.digital_silence * 100.0
    );
    let ticks = (0..last).step_by(4).map(|bar| (bar, format!("{:.0}", Sound::level(bar)))).collect();
    Some(Histogram { id: "levels", title: "Loudness", description, axis: "dBFS", unit: "s", bars, ticks })
}

/// Counts in bins of `width`, from that of the first to that of the last.
fn bins(counts: &BTreeMap<u32, f64>, width: u32, name: impl Fn(u32, u32) -> String) -> Vec<Bar> {
    let (Some((&first, _)), Some((&last, _))) = (counts.first_key_value(), counts.last_key_value()) else { return Vec::new() };
    let bin = |number: u32| {
        let (from, to) = (number * width, number * width + width - 1);
        Bar { name: name(from, to), value: counts.range(from..=to).map(|(_, value)| value).sum() }
    };
    (first / width..=last / width).map(bin).collect()
}

/// The lower edges of a few of `count` bins of `width`, the first of which holds `first`.
fn edges(first: u32, width: u32, count: usize) -> Vec<(usize, String)> {
    let edge = |bin: usize| (bin, ((first / width + bin as u32) * width).to_string());
    (0..count).step_by(count.div_ceil(5).max(1)).map(edge).collect()
}

/// `C4` of MIDI key 60.
pub(super) fn key_name(key: usize) -> String {
    const NAMES: [&str; 12] = ["C", "C♯", "D", "D♯", "E", "F", "F♯", "G", "G♯", "A", "A♯", "B"];
    format!("{}{}", NAMES[key % 12], key as i64 / 12 - 1)
}

fn amount(value: f64) -> String {
    if value.fract() == 0.0 || value >= 100.0 { format!("{value:.0}") } else { format!("{value:.1}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_have_the_names_of_the_standard() {
        assert_eq!([0, 21, 60, 61, 127].map(key_name), ["C-1", "A0", "C4", "C♯4", "G9"]);
    }

    #[test]
    fn bins_hold_all_that_was_counted() {
        let counts = BTreeMap::from([(58, 1.0), (60, 2.0), (64, 3.0), (71, 4.0)]);
        let bars = bins(&counts, 5, |from, to| format!("{from} to {to}"));
        let read: Vec<(&str, f64)> = bars.iter().map(|bar| (&*bar.name, bar.value)).collect();
        assert_eq!(read, [("55 to 59", 1.0), ("60 to 64", 5.0), ("65 to 69", 0.0), ("70 to 74", 4.0)]);
        assert!(bins(&BTreeMap::new(), 5, |_, _| String::new()).is_empty());
        assert_eq!(edges(58, 5, 4), [(0, "55".into()), (1, "60".into()), (2, "65".into()), (3, "70".into())]);
    }

    #[test]
    fn nothing_played_gives_no_picture() {
        assert!(histograms(&Totals::of(&[])).is_empty());
    }
}
