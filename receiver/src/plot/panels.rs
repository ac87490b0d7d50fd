//! What stands in each panel.

use std::fmt::Write;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use maud::{Markup, html};

use super::measure::{Column, Measured};
use super::page::{BLUE, COLUMNS, GREEN, ORANGE, Panel, SKY, Span, raw, short};
use super::spectrogram::{LOWEST, RANGE, ROWS};
use super::{PlotError, axis};
use crate::music::Music;

/// The channel of percussion in General MIDI, from 0.
const PERCUSSION: u8 = 9;

/// The fewest keys from bottom to top of the piano roll.
const KEYS: u8 = 24;

/// The quietest level shown, dB of full scale.
const QUIETEST: f64 = -70.0;

const PALE: &str = "#f7f9fb";

/// Lowest and highest sample of each column, and the loudness within.
pub(super) fn waveforms(measured: &Measured) -> Vec<Panel> {
    let peak = measured.channels.iter().flatten().map(Column::peak).fold(0.0, f64::max);
    // Quiet takes are drawn larger, and their axis says so.
    let full = [0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0].into_iter().find(|full| peak <= *full).unwrap_or(peak);
    let height = if measured.channels.len() > 1 { 86.0 } else { 130.0 };
    let y = |value: f64| (1.0 - value / full) * height / 2.0;
    let names = match measured.channels.len() {
        2 => vec!["Waveform, left", "Waveform, right"],
        _ => vec!["Waveform"],
    };
    let panel = |(columns, name): (&Vec<Column>, &str)| {
        let mut outline = String::new();
        let mut body = String::new();
        for (path, top, bottom) in [
            (&mut outline, highest as fn(&Column) -> f64, lowest as fn(&Column) -> f64),
            (&mut body, Column::rms as fn(&Column) -> f64, quiet as fn(&Column) -> f64),
        ] {
            for (x, column) in columns.iter().enumerate() {
                let _ = write!(path, "{}{x} {}", if x == 0 { "M" } else { "L" }, short(y(top(column)) - 0.4));
            }
            for (x, column) in columns.iter().enumerate().rev() {
                let _ = write!(path, "L{x} {}", short(y(bottom(column)) + 0.4));
            }
            path.push('Z');
        }
        Panel {
            name: name.to_owned(),
            unit: "1 is full scale",
            height,
            ground: PALE,
            ticks: [full, 0.0, -full].map(|value| (y(value), format!("{value}"))).to_vec(),
            lines: true,
            content: raw(format!("<path d=\"{outline}\" fill=\"{SKY}\"/><path d=\"{body}\" fill=\"{BLUE}\"/>")),
            key: html! { (swatch(12.0, SKY, "peaks")) (swatch(32.0, BLUE, "RMS")) },
        }
    };
    measured.channels.iter().zip(names).map(panel).collect()
}

fn highest(column: &Column) -> f64 {
    if column.is_empty() { 0.0 } else { f64::from(column.highest) }
}

fn lowest(column: &Column) -> f64 {
    if column.is_empty() { 0.0 } else { f64::from(column.lowest) }
}

fn quiet(column: &Column) -> f64 {
    -column.rms()
}

fn swatch(y: f64, colour: &str, text: &str) -> Markup {
    html! {
        rect y=(y - 9.0) width="12" height="12" fill=(colour) {}
        text x="18" y=(y + 1.5) font-size="13" fill="#57606a" { (text) }
    }
}

/// The spectrogram, with the key of its colours.
pub(super) fn spectrogram(measured: &Measured) -> Result<Option<Panel>, PlotError> {
    let Some(spectrogram) = &measured.spectrogram else { return Ok(None) };
    let height = ROWS as f64;
    let place = |hertz: f64| (hertz / spectrogram.highest()).ln() / (LOWEST / spectrogram.highest()).ln() * height;
    let hertz = [50.0, 100.0, 200.0, 500.0, 1_000.0, 2_000.0, 5_000.0, 10_000.0, 20_000.0];
    let name = |hertz: f64| if hertz >= 1_000.0 { format!("{} kHz", hertz / 1_000.0) } else { format!("{hertz} Hz") };
    let ticks =
        hertz.into_iter().filter(|hertz| *hertz <= spectrogram.highest()).map(|hertz| (place(hertz), name(hertz))).collect();
    let image = STANDARD.encode(spectrogram.png()?);
    let top = spectrogram.loudest();
    let steps = 64;
    let shade = |step: usize| {
        let colour = colorous::INFERNO.eval_rational(steps - 1 - step, steps);
        format!("#{colour:x}")
    };
    let band = height / steps as f64;
    Ok(Some(Panel {
        name: "Spectrogram, mean of the channels".to_owned(),
        unit: "dB of a sine of full scale",
        height,
        ground: "#000004",
        ticks,
        lines: false,
        content: raw(format!(
            "<image width=\"{COLUMNS}\" height=\"{ROWS}\" preserveAspectRatio=\"none\" xlink:href=\"data:image/png;base64,{image}\"/>"
        )),
        key: html! {
            @for step in 0..steps { rect y=(short(step as f64 * band)) width="16" height=(short(band + 0.5)) fill=(shade(step)) {} }
            @for tenth in 0..=4 {
                @let y = f64::from(tenth) * height / 4.0;
                text x="22" y=(short(y.clamp(10.0, height - 1.0) + 3.0)) font-size="13" fill="#57606a" { (format!("{:.0}", top - f64::from(tenth) * RANGE / 4.0)) }
            }
        },
    }))
}

/// The piano roll; none without notes.
pub(super) fn notes(music: &Music, span: &Span) -> Option<Panel> {
    let pitches = || music.notes.iter().map(|note| note.pitch);
    let (lowest, highest) = (pitches().min()?, pitches().max()?);
    let bottom = lowest.saturating_sub(KEYS.saturating_sub(highest - lowest) / 2).saturating_sub(1);
    let keys = (highest + 2 - bottom).max(KEYS);
    let height = (f64::from(keys) * 5.0).clamp(150.0, 260.0);
    let row = height / f64::from(keys);
    let y = |pitch: u8| height - (f64::from(pitch) - f64::from(bottom) + 1.0) * row;
    let mut content = String::new();
    for pitch in bottom..bottom.saturating_add(keys) {
        // The black keys.
        if [1, 3, 6, 8, 10].contains(&(pitch % 12)) {
            let _ =
                write!(content, "<rect y=\"{}\" width=\"{COLUMNS}\" height=\"{}\" fill=\"#eceff3\"/>", short(y(pitch)), short(row));
        }
    }
    for note in &music.notes {
        let (from, to) =
            (span.x(span.range.start + note.onset), span.x(span.range.start + note.onset + note.duration.max(note.sustained)));
        let colour = if note.channel == PERCUSSION { ORANGE } else { BLUE };
        let strength = 0.35 + 0.65 * f64::from(note.velocity.min(127)) / 127.0;
        let _ = write!(
            content,
            "<rect x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\" rx=\"1\" fill=\"{colour}\" fill-opacity=\"{}\"/>",
            short(from),
            short(y(note.pitch) + row * 0.08),
            short((to - from).max(2.0)),
            short((row * 0.84).max(1.5)),
            short(strength)
        );
    }
    let octaves = (0..=10_u8).map(|octave| octave * 12).filter(|c| (bottom..bottom.saturating_add(keys)).contains(c));
    let drums = music.notes.iter().any(|note| note.channel == PERCUSSION);
    Some(Panel {
        name: format!("Notes ({})", music.notes.len()),
        unit: "the stronger the colour, the louder",
        height,
        ground: PALE,
        ticks: octaves.map(|c| (y(c) + row / 2.0, format!("C{}", i32::from(c / 12) - 1))).collect(),
        lines: true,
        content: raw(content),
        key: html! {
            (swatch(12.0, BLUE, "notes"))
            @if drums { (swatch(32.0, ORANGE, "drums")) }
        },
    })
}

/// Tempo, and where the meter changes; none where the host gave no tempo.
pub(super) fn tempo(music: &Music, span: &Span) -> Option<Panel> {
    let last = music.tempos.last()?;
    let tempos = || music.tempos.iter().map(|tempo| tempo.tempo);
    let (slowest, fastest) = (tempos().fold(f64::INFINITY, f64::min), tempos().fold(0.0, f64::max));
    // Above the line is room for the meters.
    let room = ((fastest - slowest) * 0.35).max(5.0);
    let (low, high) = (slowest - room, fastest + room);
    let height = 84.0;
    let y = |tempo: f64| (high - tempo) / (high - low) * height;
    let x = |sample: u64| span.x(span.range.start + sample);
    let mut line = String::new();
    for (index, tempo) in music.tempos.iter().enumerate() {
        if index == 0 {
            let _ = write!(line, "M{} {}", short(x(tempo.sample)), short(y(tempo.tempo)));
        } else {
            let _ = write!(line, "H{} V{}", short(x(tempo.sample)), short(y(tempo.tempo)));
        }
    }
    let _ = write!(line, "H{COLUMNS}");
    let name = if fastest - slowest < 0.005 {
        format!("Tempo: {:.2}", last.tempo)
    } else {
        format!("Tempo: {slowest:.2} to {fastest:.2}")
    };
    Some(Panel {
        name,
        unit: "quarter notes per minute; meter",
        height,
        ground: PALE,
        ticks: axis::numbers(low, high, 4).into_iter().map(|tempo| (y(tempo), format!("{tempo}"))).collect(),
        lines: true,
        content: html! {
            (raw(format!("<path d=\"{line}\" fill=\"none\" stroke=\"{GREEN}\" stroke-width=\"2.5\" stroke-linejoin=\"round\"/>")))
            @for meter in &music.meters {
                @let at = x(meter.sample);
                line x1=(short(at)) x2=(short(at)) y1="0" y2=(height) stroke=(ORANGE) stroke-dasharray="4 3" {}
                text x=(short(at + 5.0)) y="15" font-size="13" fill=(ORANGE) stroke=(PALE) stroke-width="4" paint-order="stroke" { (meter.numerator) "/" (meter.denominator) }
            }
        },
        key: html! {},
    })
}

/// Peak and loudness over time, in dB; none without audio.
pub(super) fn levels(measured: &Measured) -> Option<Panel> {
    let columns = measured.together();
    columns.first()?;
    let height = 110.0;
    let decibels = |level: f64| if level > 0.0 { (20.0 * level.log10()).max(QUIETEST) } else { QUIETEST };
    let top = columns.iter().map(|column| decibels(column.peak())).fold(0.0, f64::max).ceil();
    let y = |level: f64| (top - decibels(level)) / (top - QUIETEST) * height;
    let (mut body, mut line) = (format!("M0 {height}"), String::new());
    for (x, column) in columns.iter().enumerate() {
        let _ = write!(body, "L{x} {}", short(y(column.rms())));
        let _ = write!(line, "{}{x} {}", if x == 0 { "M" } else { "L" }, short(y(column.peak())));
    }
    let _ = write!(body, "L{} {height}Z", COLUMNS - 1);
    let at = |decibels: f64| (top - decibels) / (top - QUIETEST) * height;
    Some(Panel {
        name: "Levels".to_owned(),
        unit: "dB of full scale",
        height,
        ground: PALE,
        ticks: axis::numbers(QUIETEST, top, 4).into_iter().map(|value| (at(value), format!("{value}"))).collect(),
        lines: true,
        content: raw(format!(
            "<path d=\"{body}\" fill=\"{SKY}\" fill-opacity=\"0.6\"/><path d=\"{line}\" fill=\"none\" stroke=\"{BLUE}\" stroke-width=\"1.3\"/>"
        )),
        key: html! { (swatch(12.0, BLUE, "peak")) (swatch(32.0, SKY, "RMS")) },
    })
}
