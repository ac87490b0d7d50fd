//! How loud it is, and what was counted.

use egui::{Align, Layout, RichText, vec2};

use super::theme;
use crate::midi;
use crate::report::Report;

/// How fast the meter falls, in decibels per frame.
const FALL: f32 = 0.8;

/// The meter's lower end, in decibels below full scale.
pub(super) const FLOOR: f32 = -60.0;

/// The peak as a bar; `level` remembers it between frames, in decibels.
pub(super) fn meter(ui: &mut egui::Ui, level: &mut f32, report: Option<&Report>) {
    let peak = report.map_or(0.0, |report| report.peak);
    *level = (*level - FALL).max(20.0 * peak.max(1e-6).log10()).clamp(FLOOR, 6.0);
    ui.horizontal(|ui| {
        let words = if *level > FLOOR { format!("{:.0} dB", *level) } else { "silent".to_owned() };
        let (rect, _) = ui.allocate_exact_size(vec2(ui.available_width() - 56.0, 8.0), egui::Sense::hover());
        ui.painter().rect_filled(rect, 4.0, theme::DARK);
        let mut filled = rect;
        filled.set_width(rect.width() * ((*level - FLOOR) / -FLOOR).clamp(0.0, 1.0));
        let color = if *level >= 0.0 { theme::BAD } else { theme::GOOD };
        ui.painter().rect_filled(filled, 4.0, color);
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
            ui.label(RichText::new(words).color(theme::QUIET).size(12.5));
        });
    });
}

/// What was counted in this take.
pub(super) fn counters(ui: &mut egui::Ui, report: &Report) {
    let cells = [
        ("Blocks", grouped(report.blocks)),
        ("MIDI events", grouped(report.midi)),
        ("Sent", format!("{:.1} MB", report.bytes as f64 / 1e6)),
        ("Loss", format!("{:.1} %", report.loss * 100.0)),
        ("Repaired", grouped(report.repaired)),
        ("Owed", grouped(report.owed)),
        ("Disk lag", format!("{:.1} s", report.lag.as_secs_f64())),
        ("Dropped", grouped(report.dropped + report.lost_entries + midi::too_long())),
    ];
    ui.columns(4, |columns| {
        for (index, (label, value)) in cells.into_iter().enumerate() {
            let column = &mut columns[index % 4];
            column.spacing_mut().item_spacing.y = 1.0;
            column.label(RichText::new(label).color(theme::QUIET).size(11.5));
            column.label(RichText::new(value).size(15.0));
            column.add_space(4.0);
        }
    });
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
