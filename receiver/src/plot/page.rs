//! The page: title, panels one below another, the time axis, and what is missing across all of them.

use std::fmt::Write;
use std::ops::Range;

use maud::{Markup, PreEscaped, html};

use super::measure::Measured;
use super::{PlotError, axis, panels};
use crate::music::Score;
use crate::packet::reason;
use crate::source::Source;
use crate::store::layout::{GapRow, TransportRow};
use crate::take::date_and_time;

/// Columns of pixels of the panels.
pub(super) const COLUMNS: usize = 1_400;

/// Where the panels begin, and what stands right of them.
const LEFT: f64 = 104.0;
const RIGHT: f64 = 96.0;
const TOP: f64 = 112.0;

/// Between two panels: room for the name of the lower one.
const BETWEEN: f64 = 34.0;

/// The font that comes with the program.
pub(super) const FONT: &str = "Ubuntu";

/// The most gaps that are named one by one.
const NAMED: usize = 3;

/// Colours that people with any colour vision tell apart: M. Okabe and K. Ito, "Color Universal Design" (2008).
pub(super) const BLUE: &str = "#0072b2";
pub(super) const SKY: &str = "#56b4e9";
pub(super) const ORANGE: &str = "#d55e00";
pub(super) const GREEN: &str = "#009e73";
const RED: &str = "#a32a00";
const TEXT: &str = "#16191d";
const QUIET: &str = "#57606a";

/// A panel: its name, what its axis counts, its height, and its content, drawn from 0 to [`COLUMNS`] and from 0 to its height.
pub(super) struct Panel {
    pub(super) name: String,
    pub(super) unit: &'static str,
    pub(super) height: f64,
    pub(super) ground: &'static str,
    /// Heights and texts of its ticks.
    pub(super) ticks: Vec<(f64, String)>,
    /// Whether lines go through it at its ticks and times.
    pub(super) lines: bool,
    pub(super) content: Markup,
    /// What stands right of it.
    pub(super) key: Markup,
}

/// The samples that are drawn.
pub(super) struct Span {
    pub(super) range: Range<u64>,
    pub(super) rate: f64,
}

impl Span {
    /// Where a sample stands, counted from the take's begin.
    pub(super) fn x(&self, sample: u64) -> f64 {
        let into = sample.clamp(self.range.start, self.range.end) - self.range.start;
        into as f64 / (self.range.end - self.range.start) as f64 * COLUMNS as f64
    }

    fn seconds(&self) -> (f64, f64) {
        (self.range.start as f64 / self.rate, self.range.end as f64 / self.rate)
    }
}

/// Draws the page.
pub(super) fn draw(source: &Source, range: &Range<u64>, measured: &Measured) -> Result<String, PlotError> {
    let span = Span { range: range.clone(), rate: source.summary.sample_rate };
    let mut gaps = source.table::<GapRow>()?;
    gaps.retain(|gap| gap.sample < range.end && gap.sample + gap.frames > range.start);
    let transport = source.table::<TransportRow>()?;
    let (midi, sysex) = source.midi()?;
    let music = Score::new(&midi, &sysex, &transport, &[], source.end(), span.rate).window(range.clone());
    let mut all = panels::waveforms(measured);
    all.extend(panels::spectrogram(measured)?);
    all.extend(panels::notes(&music, &span));
    all.extend(panels::tempo(&music, &span));
    all.extend(panels::levels(measured));
    let heights: f64 = all.iter().map(|panel| panel.height + BETWEEN).sum();
    let strip = TOP + heights;
    let height = strip + 62.0;
    let width = LEFT + COLUMNS as f64 + RIGHT;
    let (begin, end) = span.seconds();
    let times: Vec<(f64, String)> = axis::times(begin, end, 14)
        .into_iter()
        .map(|(time, label)| ((time - begin) / (end - begin) * COLUMNS as f64, label))
        .collect();
    let mut y = TOP;
    let placed: Vec<(f64, &Panel)> = all
        .iter()
        .map(|panel| {
            let at = y;
            y += panel.height + BETWEEN;
            (at, panel)
        })
        .collect();
    let page = html! {
        svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" width=(width) height=(height) viewBox=(format!("0 0 {width} {height}"))
            font-family=(format!("{FONT}, 'Helvetica Neue', Arial, sans-serif")) font-size="15" fill=(TEXT) {
            title { (title(source)) }
            defs {
                pattern id="missing" width="8" height="8" patternUnits="userSpaceOnUse" patternTransform="rotate(45)" {
                    rect width="8" height="8" fill="#ffffff" fill-opacity="0.72" {}
                    rect width="3" height="8" fill=(RED) fill-opacity="0.75" {}
                }
            }
            rect width=(width) height=(height) fill="#ffffff" {}
            text x=(LEFT) y="40" font-size="27" { (title(source)) }
            text x=(LEFT) y="66" fill=(QUIET) { (subtitle(source, &span)) }
            @for (y, panel) in placed { (frame(y, panel, &times)) }
            (missing(&gaps, &span, TOP, strip))
            (time_axis(strip + 26.0, &times))
        }
    };
    Ok(format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n{}\n", page.into_string()))
}

fn title(source: &Source) -> String {
    match printable(&source.summary.name) {
        name if name.is_empty() => "(no name)".to_owned(),
        name => name,
    }
}

fn subtitle(source: &Source, span: &Span) -> String {
    let summary = &source.summary;
    let (date, time) = date_and_time(summary.started_unix_nanos / 1_000_000_000);
    let mut parts = vec![format!("{date} {}:{}:{} UTC", &time[..2], &time[2..4], &time[4..])];
    parts.extend(
        [&summary.project, &summary.host, &summary.machine].map(|text| printable(text)).into_iter().filter(|text| !text.is_empty()),
    );
    parts.push(format!("{} kHz", summary.sample_rate / 1_000.0));
    parts.push(match summary.channels {
        0 => "MIDI alone".to_owned(),
        1 => "mono".to_owned(),
        2 => "stereo".to_owned(),
        more => format!("{more} channels"),
    });
    let (begin, end) = span.seconds();
    parts.push(if begin > 0.0 { format!("{begin:.1} s to {end:.1} s") } else { format!("{:.1} s", end - begin) });
    if !summary.replay_of.is_empty() {
        parts.push("a replay".to_owned());
    }
    parts.join("  ·  ")
}

/// Names come from the network: what XML forbids is left out.
fn printable(text: &str) -> String {
    text.chars().filter(|character| !character.is_control()).collect::<String>().trim().to_owned()
}

fn frame(y: f64, panel: &Panel, times: &[(f64, String)]) -> Markup {
    let (width, height) = (COLUMNS as f64, panel.height);
    html! {
        text x=(LEFT) y=(y - 9.0) { (panel.name) }
        @if !panel.unit.is_empty() {
            text x=(LEFT + width) y=(y - 9.0) text-anchor="end" fill=(QUIET) font-size="13" { (panel.unit) }
        }
        g transform=(format!("translate({LEFT} {y})")) {
            rect width=(width) height=(height) fill=(panel.ground) {}
            @if panel.lines {
                @for (x, _) in times { line x1=(short(*x)) x2=(short(*x)) y1="0" y2=(height) stroke="#dde2e7" {} }
                @for (at, _) in &panel.ticks { line x1="0" x2=(width) y1=(short(*at)) y2=(short(*at)) stroke="#dde2e7" {} }
            }
            (panel.content)
            @for (at, label) in &panel.ticks {
                line x1="-5" x2="0" y1=(short(*at)) y2=(short(*at)) stroke=(QUIET) {}
                text x="-10" y=(short(at + 4.5)) text-anchor="end" font-size="13" fill=(QUIET) { (label) }
            }
            rect width=(width) height=(height) fill="none" stroke="#aab2bb" {}
            g transform=(format!("translate({} 0)", width + 14.0)) { (panel.key) }
        }
    }
}

/// What is missing, across all panels, and below them in words.
fn missing(gaps: &[GapRow], span: &Span, top: f64, bottom: f64) -> Markup {
    let frames: u64 = gaps.iter().map(|gap| (gap.sample + gap.frames).min(span.range.end) - gap.sample.max(span.range.start)).sum();
    let seconds = |frames: u64| format!("{:.2} s", frames as f64 / span.rate);
    let mut words = String::new();
    for gap in gaps.iter().take(NAMED) {
        let _ = write!(words, "  ·  {} at {}: {}", seconds(gap.frames), seconds(gap.sample), reason(gap.reason));
    }
    if gaps.len() > NAMED {
        let _ = write!(words, "  ·  and {} more", gaps.len() - NAMED);
    }
    html! {
        @for gap in gaps {
            @let (from, to) = (span.x(gap.sample), span.x(gap.sample + gap.frames));
            rect x=(short(LEFT + from)) y=(top) width=(short((to - from).max(1.0))) height=(bottom - BETWEEN - top) fill="url(#missing)" {}
        }
        @if gaps.is_empty() {
            text x=(LEFT) y=(bottom + 44.0) fill=(QUIET) font-size="13" { "Nothing is missing." }
        } @else {
            rect x=(LEFT) y=(bottom + 32.0) width="16" height="14" fill="url(#missing)" stroke="#aab2bb" {}
            text x=(LEFT + 24.0) y=(bottom + 44.0) fill=(RED) font-size="13" { "missing: " (seconds(frames)) " in all" (words) }
        }
    }
}

fn time_axis(y: f64, times: &[(f64, String)]) -> Markup {
    let top = y - BETWEEN - 26.0;
    html! {
        @for (x, label) in times {
            line x1=(short(LEFT + x)) x2=(short(LEFT + x)) y1=(top) y2=(top + 6.0) stroke=(QUIET) {}
            text x=(short(LEFT + x)) y=(top + 23.0) text-anchor="middle" font-size="13" fill=(QUIET) { (label) }
        }
        text x=(LEFT + COLUMNS as f64 / 2.0) y=(top + 43.0) text-anchor="middle" font-size="13" fill=(QUIET) { "time since the take began (minutes:seconds)" }
    }
}

/// An element written by hand, where many points make its attributes long.
pub(super) fn raw(element: String) -> Markup {
    PreEscaped(element)
}

/// Hundredths are enough.
pub(super) fn short(value: f64) -> f64 {
    (value * 100.0).round() / 100.0
}
