//! What flows: the last seconds of MIDI and audio as a strip, a meter for each channel, and arrows while something is sent.

use std::collections::VecDeque;

use egui::{Align2, Color32, FontId, Rect, RichText, Sense, Shape, Stroke, pos2, vec2};

use super::theme;
use crate::report::Report;

/// Columns of the strip in a second, and how many there are.
const COLUMNS_PER_SECOND: f64 = 12.0;
const COLUMNS: usize = 96;

/// The meters' lower end, in decibels below full scale.
const FLOOR: f32 = -60.0;

/// How fast a meter falls, in decibels per second.
const FALL: f64 = 24.0;

/// Something was sent within this, in seconds: it is being sent.
const RECENT: f64 = 0.5;

/// Meters shown at most; of more channels the loudest of the rest shares the last.
const METERS: usize = 8;

/// Where the strip begins, behind its labels.
const LABELS: f32 = 62.0;

#[derive(Clone, Copy, Default)]
struct Column {
    midi: u64,
    /// 0 to 1, from the meters' floor to full scale.
    level: f32,
}

/// What was seen of the stream so far.
#[derive(Default)]
pub(super) struct Flow {
    columns: VecDeque<Column>,
    /// The number of the newest column, counted from time 0.
    newest: u64,
    midi: u64,
    datagrams: u64,
    sent: Option<f64>,
    /// Of each channel, in decibels.
    levels: Vec<f32>,
    looked: f64,
}

impl Flow {
    /// Takes note of `report` at `now`, in seconds.
    pub(super) fn look(&mut self, now: f64, report: &Report) {
        let number = (now * COLUMNS_PER_SECOND) as u64;
        let missing = number.saturating_sub(self.newest).min(COLUMNS as u64);
        for _ in 0..missing {
            self.columns.push_back(Column::default());
        }
        self.newest = number;
        while self.columns.len() > COLUMNS {
            self.columns.pop_front();
        }
        let fallen = (FALL * (now - self.looked).clamp(0.0, 10.0)) as f32;
        self.looked = now;
        self.levels.resize(report.peaks.len(), FLOOR);
        for (level, peak) in self.levels.iter_mut().zip(&report.peaks) {
            *level = (*level - fallen).max(decibels(*peak)).clamp(FLOOR, 6.0);
        }
        if let Some(column) = self.columns.back_mut() {
            column.midi += report.midi.saturating_sub(self.midi);
            let loudest = report.peaks.iter().fold(0.0_f32, |loudest, peak| loudest.max(*peak));
            column.level = column.level.max(share(decibels(loudest)));
        }
        self.midi = report.midi;
        if report.datagrams > self.datagrams {
            self.sent = Some(now);
        }
        self.datagrams = report.datagrams;
    }

    /// Whether the next frame will look different.
    pub(super) fn moves(&self, now: f64) -> bool {
        let seen = self.columns.iter().any(|column| column.midi > 0 || column.level > 0.0);
        seen || self.is_sending(now) || self.levels.iter().any(|level| *level > FLOOR)
    }

    fn is_sending(&self, now: f64) -> bool {
        self.sent.is_some_and(|sent| now - sent < RECENT)
    }

    /// Three arrows that run while something is sent, and how much that is.
    pub(super) fn arrows(&self, ui: &mut egui::Ui, now: f64, report: &Report) {
        let sending = self.is_sending(now);
        let (rect, _) = ui.allocate_exact_size(vec2(40.0, 16.0), Sense::hover());
        for arrow in 0..3 {
            let beat = (now * 2.5 - f64::from(arrow) / 3.0).rem_euclid(1.0) as f32;
            let color = if sending { theme::BLUE.gamma_multiply(1.0 - 0.65 * beat) } else { theme::OFF };
            let left = rect.left() + 13.0 * arrow as f32;
            let tip = pos2(left + 8.0, rect.center().y);
            let points = vec![tip + vec2(-7.0, -6.0), tip, tip + vec2(-7.0, 6.0)];
            ui.painter().add(Shape::line(points, Stroke::new(2.4, color)));
        }
        let words = if sending { format!("sending {:.1} Mbit/s", report.rate * 8e-6) } else { "not sending".to_owned() };
        ui.label(RichText::new(words).color(theme::QUIET).size(12.5));
    }

    /// The last seconds, the newest at the right: MIDI above, audio below.
    pub(super) fn strip(&self, ui: &mut egui::Ui, now: f64) {
        let (rect, _) = ui.allocate_exact_size(vec2(ui.available_width(), 44.0), Sense::hover());
        let painter = ui.painter();
        let (midi, audio) = rect.split_top_bottom_at_y(rect.top() + 14.0);
        label(painter, midi, theme::MIDI, "MIDI in");
        label(painter, audio, theme::AUDIO, "Audio");
        let field = |lane: Rect| Rect::from_min_max(pos2(lane.left() + LABELS, lane.top()), lane.max);
        let (midi, audio) = (field(midi).shrink2(vec2(0.0, 1.5)), field(audio).shrink2(vec2(0.0, 1.5)));
        for lane in [midi, audio] {
            painter.rect_filled(lane, 3.0, theme::DARK);
        }
        let width = audio.width() / (COLUMNS - 1) as f32;
        let part = (now * COLUMNS_PER_SECOND).fract() as f32;
        let clipped = painter.with_clip_rect(Rect::from_min_max(midi.min, audio.max));
        for (age, column) in self.columns.iter().rev().enumerate() {
            let right = audio.right() - (age as f32 - 1.0 + part) * width;
            let bar = |top: f32, bottom: f32| Rect::from_min_max(pos2(right - width + 1.0, top), pos2(right, bottom));
            if column.level > 0.0 {
                let half = (audio.height() / 2.0 - 1.0) * column.level;
                clipped.rect_filled(bar(audio.center().y - half, audio.center().y + half), 1.0, theme::AUDIO);
            }
            if column.midi > 0 {
                let height = 4.0 + (column.midi.min(8) as f32 / 8.0) * (midi.height() - 5.0);
                clipped.rect_filled(bar(midi.bottom() - height, midi.bottom()), 1.0, theme::MIDI);
            }
        }
    }

    /// A bar for each channel. `running`: whether it is known how many there are.
    pub(super) fn meters(&self, ui: &mut egui::Ui, running: bool) {
        let shown = self.levels.len().clamp(1, METERS);
        let height = if shown > 4 { 5.0 } else { 7.0 };
        let (rect, _) = ui.allocate_exact_size(vec2(ui.available_width(), shown as f32 * (height + 2.0)), Sense::hover());
        let loudest = self.levels.iter().fold(FLOOR, |loudest, level| loudest.max(*level));
        let words = match self.levels.len() {
            0 if running => "MIDI alone".to_owned(),
            _ if loudest > FLOOR => format!("{loudest:.0} dB"),
            _ => "silent".to_owned(),
        };
        let painter = ui.painter();
        painter.text(rect.left_center(), Align2::LEFT_CENTER, words, FontId::proportional(12.0), theme::QUIET);
        for meter in 0..shown {
            let last = meter + 1 == shown;
            let of_rest = self.levels.iter().skip(meter).fold(FLOOR, |loudest, level| loudest.max(*level));
            let level = if last { of_rest } else { self.levels.get(meter).copied().unwrap_or(FLOOR) };
            let top = rect.top() + meter as f32 * (height + 2.0);
            let bar = Rect::from_min_max(pos2(rect.left() + LABELS, top), pos2(rect.right(), top + height));
            painter.rect_filled(bar, 2.0, theme::DARK);
            let filled = Rect::from_min_size(bar.min, vec2(bar.width() * share(level), height));
            painter.rect_filled(filled, 2.0, if level >= 0.0 { theme::BAD } else { theme::GOOD });
        }
    }
}

fn label(painter: &egui::Painter, lane: Rect, color: Color32, words: &str) {
    let square = Rect::from_center_size(pos2(lane.left() + 4.0, lane.center().y), vec2(8.0, 8.0));
    painter.rect_filled(square, 2.0, color);
    let at = pos2(lane.left() + 13.0, lane.center().y);
    painter.text(at, Align2::LEFT_CENTER, words, FontId::proportional(12.0), theme::QUIET);
}

fn decibels(peak: f32) -> f32 {
    20.0 * peak.max(1e-6).log10()
}

/// Where a level stands between the floor and full scale, 0 to 1.
fn share(level: f32) -> f32 {
    ((level - FLOOR) / -FLOOR).clamp(0.0, 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_that_falls_silent_comes_to_rest() {
        let mut flow = Flow::default();
        let loud = Report { midi: 3, datagrams: 9, peaks: vec![0.5, 0.1], ..Report::default() };
        flow.look(1.0, &loud);
        assert!(flow.moves(1.0) && flow.is_sending(1.2) && !flow.is_sending(2.0));
        let quiet = Report { peaks: vec![0.0, 0.0], ..loud };
        (0..400).for_each(|frame| flow.look(1.0 + f64::from(frame) * 0.05, &quiet));
        assert!(!flow.moves(21.0), "the strip is empty again, and the meters are down");
    }

    #[test]
    fn a_pause_of_hours_costs_no_more_columns_than_are_shown() {
        let mut flow = Flow::default();
        flow.look(1.0, &Report::default());
        flow.look(100_000.0, &Report::default());
        assert_eq!(flow.columns.len(), COLUMNS);
    }
}
