//! The two large switches: whether this track is captured, and whether it is private.

use egui::text::{LayoutJob, TextWrapping};
use egui::{Color32, CornerRadius, FontId, Response, Role, Sense, Stroke, StrokeKind, WidgetInfo, pos2, vec2};

use super::theme;
use crate::capture::{Pause, Wanted};
use crate::params::SendParams;
use crate::settings::Privately;

/// Of both, in logical pixels.
const HEIGHT: f32 = 58.0;
const PILL: egui::Vec2 = vec2(46.0, 25.0);

/// Between the words and the tile's edge, in logical pixels.
const EDGE: f32 = 8.0;

/// Shows both, side by side; `wanted`: what becomes of what is played now. Gives those that were clicked: capture, private.
pub(super) fn show(ui: &mut egui::Ui, params: &SendParams, wanted: Wanted, privately: Privately) -> (bool, bool) {
    let (capture, private) = (params.capture.value(), params.private.value());
    let width = (ui.available_width() - ui.spacing().item_spacing.x) / 2.0;
    let of_capture = match (capture, wanted) {
        (false, _) => ("Capture is off", "What you play stays here"),
        (true, Wanted::Skipped(Pause::Bypassed)) => ("Capture is on", "Not now: bypassed"),
        (true, Wanted::Skipped(Pause::Offline)) => ("Capture is on", "Not now: offline render"),
        (true, Wanted::Skipped(Pause::Private)) => ("Capture is on", "Not what is private"),
        (true, _) => ("Capture is on", "This track is recorded"),
    };
    let of_private = match (private, privately) {
        (false, _) => ("Private is off", "For what is yours alone"),
        (true, Privately::Mark) => ("Private is on", "Recorded, in no dataset"),
        (true, Privately::Withhold) => ("Private is on", "It is not even sent"),
    };
    ui.horizontal(|ui| {
        let capture = tile(ui, width, capture, theme::GOOD, of_capture).clicked();
        (capture, tile(ui, width, private, theme::PRIVATE, of_private).clicked())
    })
    .inner
}

/// A switch as wide as `width` with a title and what it means. All of it can be clicked.
fn tile(ui: &mut egui::Ui, width: f32, on: bool, color: Color32, (title, meaning): (&str, &str)) -> Response {
    let (rect, response) = ui.allocate_exact_size(vec2(width, HEIGHT), Sense::click());
    response.widget_info(|| WidgetInfo::selected(Role::Switch, true, on, format!("{title}. {meaning}")));
    let response = response.on_hover_cursor(egui::CursorIcon::PointingHand);
    let painter = ui.painter();
    let fill = if response.hovered() { theme::RAISED } else { theme::CARD };
    let edge = if on { color.gamma_multiply(0.55) } else { Color32::TRANSPARENT };
    painter.rect(rect, CornerRadius::same(8), fill, Stroke::new(1.0, edge), StrokeKind::Inside);

    let share = ui.ctx().animate_bool(response.id, on);
    let pill = egui::Rect::from_min_size(pos2(rect.left() + 14.0, rect.center().y - PILL.y / 2.0), PILL);
    painter.rect_filled(pill, PILL.y / 2.0, theme::OFF.lerp_to_gamma(color, share));
    let radius = PILL.y / 2.0 - 3.5;
    let travel = egui::lerp(pill.left() + PILL.y / 2.0..=pill.right() - PILL.y / 2.0, share);
    painter.circle_filled(pos2(travel, pill.center().y), radius, Color32::WHITE);

    let left = pill.right() + 13.0;
    let text = |y: f32, text: &str, size: f32, color: Color32| {
        let mut job = LayoutJob::simple_singleline(text.to_owned(), FontId::proportional(size), color);
        job.wrap = TextWrapping::truncate_at_width(rect.right() - EDGE - left);
        let galley = painter.layout_job(job);
        painter.galley(pos2(left, rect.center().y + y - galley.size().y / 2.0), galley, color);
    };
    text(-10.0, title, 16.0, theme::TEXT);
    text(11.0, meaning, 12.0, theme::QUIET);
    response
}
