//! When what was recorded: a band for each sitting, a bar for each take.

use maud::{Markup, html};

use super::picture::{Frame, WIDTH, head, label, line, rectangle};
use super::words::{clock, count, length, name_of};
use crate::quality::Quality;

/// Takes that begin within this of the end of the ones before are one sitting, in seconds.
const PAUSE: f64 = 30.0 * 60.0;

/// The most sittings and the most lanes that are drawn.
const SITTINGS: usize = 8;
const LANES: usize = 12;

/// Height of a lane and of what stands above the lanes.
const LANE: f64 = 12.0;
const HEAD: f64 = 28.0;
const AXIS: f64 = 26.0;

/// Takes of one sitting.
struct Sitting<'a> {
    /// Seconds since 1970.
    begin: f64,
    end: f64,
    /// Each with its lane: no two of a lane overlap.
    takes: Vec<(usize, &'a Quality)>,
    /// Where each lane is free again.
    lanes: Vec<f64>,
}

/// The newest sittings, the newest first; none without takes.
pub(super) fn timeline(takes: &[Quality]) -> Option<Markup> {
    let all = sittings(takes);
    let shown = &all[all.len().saturating_sub(SITTINGS)..];
    let more = match all.len() - shown.len() {
        0 => String::new(),
        older => format!(" {older} older ones are not shown."),
    };
    let seconds: f64 = takes.iter().map(|take| take.seconds).sum();
    let description = format!(
        "{} in {}, {} in all. Blue takes are good, striped ones deserve a look, crossed ones are bad; notches are gaps.{more}",
        count(takes.len() as u64, "take"),
        count(all.len() as u64, "sitting"),
        length(seconds)
    );
    let (mut y, mut bands) = (0.0, Vec::new());
    for sitting in shown.iter().rev() {
        bands.push((y, sitting));
        y += sitting.height();
    }
    let content = html! { @for (y, sitting) in &bands { (sitting.draw(*y)) } };
    let table = html! {
        table {
            (head(&["began (UTC)", "take", "length", "verdict"]))
            tbody { @for take in takes {
                tr {
                    th scope="row" { (clock(take.started_unix_nanos)) }
                    td { (name_of(take)) } td { (length(take.seconds)) } td { (take.verdict.name()) }
                }
            } }
        }
    };
    let frame = Frame { id: "timeline", title: "Sittings", description: &description, height: y };
    (!takes.is_empty()).then(|| frame.figure(&content, Some(table)))
}

impl Sitting<'_> {
    fn height(&self) -> f64 {
        HEAD + self.lanes.len().min(LANES) as f64 * LANE + AXIS
    }

    fn draw(&self, y: f64) -> Markup {
        let span = (self.end - self.begin).max(1.0);
        let x = |time: f64| (time - self.begin) / span * WIDTH;
        let floor = y + HEAD + self.lanes.len().min(LANES) as f64 * LANE;
        html! {
            (label(0.0, y + 18.0, &clock((self.begin * 1e9) as u64)))
            @for (lane, take) in self.takes.iter().filter(|(lane, _)| *lane < LANES) {
                @let begin = x(begin_of(take));
                // Never thinner than what can be seen.
                @let width = (take.seconds / span * WIDTH).max(2.0);
                @let top = y + HEAD + *lane as f64 * LANE;
                g {
                    title { (name_of(take)) ", " (length(take.seconds)) ", " (take.verdict.name()) }
                    (rectangle(&format!("take {}", take.verdict.name()), (begin, top), (width, LANE - 3.0)))
                    @for gap in &take.delivery.worst_gaps {
                        @let notch = (gap.seconds / span * WIDTH).max(1.0);
                        (rectangle("notch", (begin + gap.at / span * WIDTH, top), (notch, LANE - 3.0)))
                    }
                }
            }
            (line(floor))
            (label(0.0, floor + 17.0, "0:00"))
            (label(WIDTH, floor + 17.0, &length(span)))
        }
    }
}

/// Takes in order of their begin, as sittings.
fn sittings(takes: &[Quality]) -> Vec<Sitting<'_>> {
    let mut ordered: Vec<&Quality> = takes.iter().collect();
    ordered.sort_by_key(|take| take.started_unix_nanos);
    let mut sittings: Vec<Sitting<'_>> = Vec::new();
    for take in ordered {
        let begin = begin_of(take);
        if sittings.last().is_none_or(|sitting| begin > sitting.end + PAUSE) {
            sittings.push(Sitting { begin, end: begin, takes: Vec::new(), lanes: Vec::new() });
        }
        if let Some(sitting) = sittings.last_mut() {
            let end = begin + take.seconds;
            sitting.end = sitting.end.max(end);
            let lane = sitting.lanes.iter().position(|&free| free <= begin).unwrap_or(sitting.lanes.len());
            sitting.lanes.resize(sitting.lanes.len().max(lane + 1), 0.0);
            sitting.lanes[lane] = end;
            sitting.takes.push((lane, take));
        }
    }
    sittings
}

fn begin_of(take: &Quality) -> f64 {
    take.started_unix_nanos as f64 * 1e-9
}
