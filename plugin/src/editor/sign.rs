//! A sign for each kind of state, so that colour is never the only one.

use std::f32::consts::TAU;

use egui::{Color32, Pos2, Sense, Shape, Stroke, pos2, vec2};

use super::theme;

/// Seconds of one pulse.
const PULSE: f64 = 1.6;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sign {
    /// A full dot: all is well.
    Dot,
    /// A ring with a gap that turns: it is being asked.
    Asking,
    /// An empty ring: nothing to do.
    Ring,
    /// A ring with a bar across: passed by.
    Barred,
    /// A cross.
    Cross,
    /// A triangle with an exclamation mark.
    Warning,
    /// An arrow that goes up.
    Up,
    /// A padlock.
    Lock,
    /// A square: not in real time.
    Square,
    /// A tick: done.
    Tick,
}

/// Draws `sign`. `pulse` is the time in seconds while it pulses.
pub(super) fn show(ui: &mut egui::Ui, sign: Sign, color: Color32, pulse: Option<f64>) {
    let (rect, _) = ui.allocate_exact_size(vec2(26.0, 26.0), Sense::hover());
    let (painter, at) = (ui.painter(), rect.center());
    let share = pulse.map_or(0.0, |time| 0.5 - 0.5 * ((time % PULSE / PULSE) as f32 * TAU).cos());
    painter.circle_filled(at, 9.0 + 3.0 * share, color.gamma_multiply(0.16 + 0.12 * share));
    let line = Stroke::new(2.0, color);
    let (dot, ring) = (|radius| painter.circle_filled(at, radius, color), |radius| painter.circle_stroke(at, radius, line));
    let path = |points: &[(f32, f32)]| {
        let points: Vec<Pos2> = points.iter().map(|(x, y)| at + vec2(*x, *y)).collect();
        painter.add(Shape::line(points, line));
    };
    match sign {
        Sign::Dot => _ = dot(6.5 + 0.8 * share),
        Sign::Asking => {
            let turn = pulse.map_or(0.0, |time| (time % PULSE / PULSE) as f32 * TAU);
            let arc = (0..=24).map(|step| turn + step as f32 / 24.0 * TAU * 0.75);
            painter.add(Shape::line(arc.map(|angle| at + 7.0 * vec2(angle.cos(), angle.sin())).collect(), line));
        }
        Sign::Ring => _ = ring(6.5),
        Sign::Barred => {
            ring(7.0);
            path(&[(-4.6, 4.6), (4.6, -4.6)]);
        }
        Sign::Cross => {
            path(&[(-5.0, -5.0), (5.0, 5.0)]);
            path(&[(-5.0, 5.0), (5.0, -5.0)]);
        }
        Sign::Warning => {
            let corners = [at + vec2(0.0, -8.0), at + vec2(8.5, 6.5), at + vec2(-8.5, 6.5)];
            painter.add(Shape::convex_polygon(corners.to_vec(), color, Stroke::NONE));
            painter.line_segment([at + vec2(0.0, -3.5), at + vec2(0.0, 1.8)], Stroke::new(2.0, theme::DARK));
            painter.circle_filled(at + vec2(0.0, 4.4), 1.2, theme::DARK);
        }
        Sign::Up => {
            path(&[(0.0, 7.0), (0.0, -6.5)]);
            path(&[(-5.0, -1.5), (0.0, -6.5), (5.0, -1.5)]);
        }
        Sign::Lock => {
            let body = egui::Rect::from_min_max(at + vec2(-6.0, -1.0), at + vec2(6.0, 7.5));
            painter.rect_filled(body, 2.0, color);
            let bow = (0..=16).map(|step| std::f32::consts::PI * (1.0 + step as f32 / 16.0));
            let bow = bow.map(|angle| pos2(at.x + 4.0 * angle.cos(), at.y - 2.5 + 5.0 * angle.sin()));
            painter.add(Shape::line(bow.collect(), line));
            painter.circle_filled(at + vec2(0.0, 3.0), 1.5, theme::DARK);
        }
        Sign::Square => _ = painter.rect_filled(egui::Rect::from_center_size(at, vec2(12.0, 12.0)), 2.0, color),
        Sign::Tick => path(&[(-6.0, 0.5), (-1.5, 5.0), (6.5, -5.0)]),
    }
}
