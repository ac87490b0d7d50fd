//! What was counted, and what went wrong last.

use std::time::Duration;

use egui::text::LayoutJob;
use egui::{FontId, Label, RichText};

use super::theme;
use crate::midi;
use crate::report::Report;

/// Of the last problem, at most: what is longer is shown whole under the pointer.
const ROWS: usize = 2;

/// What was counted in this take.
pub(super) fn counters(ui: &mut egui::Ui, report: &Report) {
    let errors = report.errors + report.dropped + report.lost_entries + midi::too_long();
    let cells = [
        ("MIDI", grouped(report.midi), "Events captured in this take"),
        ("Audio", length(report), "How long this take is"),
        ("Packets", grouped(report.datagrams), "Datagrams sent"),
        ("Latency", latency(report), "Half of the shortest recent round trip to the receiver. The track itself is never delayed"),
        ("Mbit/s", format!("{:.2}", report.rate * 8e-6), "Sent over the last second"),
        (
            "Errors",
            grouped(errors),
            "What could not be sent or understood, found no room, or was a message of more than 1,024 bytes",
        ),
        ("Owed", owed(report), "What the receiver does not have safely on disk yet. It is kept here until then"),
        ("Loss", format!("{:.1} %", report.loss * 100.0), "Datagrams that the network lost. They are repaired or sent again"),
    ];
    ui.columns(4, |columns| {
        for (index, (label, value, meaning)) in cells.into_iter().enumerate() {
            let column = &mut columns[index % 4];
            column.spacing_mut().item_spacing.y = 1.0;
            column.label(RichText::new(label).color(theme::QUIET).size(11.5)).on_hover_text(meaning);
            column.label(RichText::new(value).size(15.5)).on_hover_text(meaning);
            column.add_space(4.0);
        }
    });
}

/// What went wrong last, if anything did.
pub(super) fn last_problem(ui: &mut egui::Ui, report: &Report) {
    let Some((words, ago)) = &report.last_problem else { return };
    let text = format!("Last problem, {}: {words}", since(*ago));
    let color = if report.problem.is_empty() { theme::QUIET } else { theme::BAD };
    let mut job = LayoutJob::simple(text.clone(), FontId::proportional(12.0), color, ui.available_width());
    job.wrap.max_rows = ROWS;
    ui.add(Label::new(job).wrap()).on_hover_text(&text);
}

fn length(report: &Report) -> String {
    if report.sample_rate <= 0.0 {
        return "0:00".to_owned();
    }
    let seconds = (report.position.0 as f64 / report.sample_rate) as u64;
    match seconds / 3_600 {
        0 => format!("{}:{:02}", seconds / 60, seconds % 60),
        hours => format!("{hours}:{:02}:{:02}", seconds / 60 % 60, seconds % 60),
    }
}

fn latency(report: &Report) -> String {
    match report.round_trip {
        Duration::ZERO => "-".to_owned(),
        trip => format!("{:.1} ms", trip.as_secs_f64() * 500.0),
    }
}

fn owed(report: &Report) -> String {
    match report.lag.as_secs_f64() {
        lag if report.owed == 0 || lag < 0.05 => "0 s".to_owned(),
        lag if lag < 100.0 => format!("{lag:.1} s"),
        lag => format!("{:.0} min", lag / 60.0),
    }
}

fn since(ago: Duration) -> String {
    match ago.as_secs() {
        0..5 => "just now".to_owned(),
        seconds @ 5..120 => format!("{seconds} s ago"),
        seconds @ 120..7_200 => format!("{} min ago", seconds / 60),
        seconds => format!("{} h ago", seconds / 3_600),
    }
}

/// A number with a thin space between thousands.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push('\u{2009}');
        }
        text.push(digit);
    }
    text
}
