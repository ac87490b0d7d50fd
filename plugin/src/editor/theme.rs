//! Colours and sizes of the window.

use egui::{Color32, CornerRadius, FontFamily, FontId, Margin, Stroke, TextStyle, Visuals};

pub(super) const GOOD: Color32 = Color32::from_rgb(64, 201, 124);
pub(super) const WARN: Color32 = Color32::from_rgb(240, 178, 62);
pub(super) const BAD: Color32 = Color32::from_rgb(235, 87, 87);
pub(super) const PRIVATE: Color32 = Color32::from_rgb(178, 140, 246);
pub(super) const QUIET: Color32 = Color32::from_rgb(140, 148, 163);
pub(super) const ACCENT: Color32 = Color32::from_rgb(86, 156, 240);
pub(super) const MIDI: Color32 = Color32::from_rgb(246, 205, 76);
pub(super) const AUDIO: Color32 = Color32::from_rgb(70, 205, 220);
pub(super) const BLUE: Color32 = Color32::from_rgb(72, 140, 255);
pub(super) const BACKGROUND: Color32 = Color32::from_rgb(24, 27, 33);
pub(super) const CARD: Color32 = Color32::from_rgb(33, 37, 45);
pub(super) const RAISED: Color32 = Color32::from_rgb(40, 45, 55);
pub(super) const OFF: Color32 = Color32::from_rgb(70, 77, 91);
pub(super) const DARK: Color32 = Color32::from_rgb(16, 18, 23);
pub(super) const TEXT: Color32 = Color32::from_rgb(228, 231, 237);

/// Makes `context` look like this.
pub(super) fn apply(context: &egui::Context) {
    let mut visuals = Visuals::dark();
    visuals.panel_fill = BACKGROUND;
    visuals.extreme_bg_color = DARK;
    visuals.override_text_color = Some(TEXT);
    visuals.selection.bg_fill = ACCENT.gamma_multiply(0.5);
    for widget in [&mut visuals.widgets.inactive, &mut visuals.widgets.hovered, &mut visuals.widgets.active] {
        widget.corner_radius = CornerRadius::same(5);
    }
    visuals.widgets.inactive.weak_bg_fill = Color32::from_rgb(52, 58, 70);
    visuals.widgets.inactive.bg_stroke = Stroke::NONE;
    visuals.widgets.hovered.weak_bg_fill = Color32::from_rgb(66, 74, 89);
    context.set_visuals(visuals);
    context.all_styles_mut(|style| {
        style.spacing.item_spacing = egui::vec2(8.0, 8.0);
        style.spacing.button_padding = egui::vec2(12.0, 5.0);
        // Seen without the pointer on it, beside what is scrolled: there is more.
        style.spacing.scroll.dormant_handle_opacity = 0.5;
        style.spacing.scroll.bar_outer_margin = -8.0;
        let font = |size| FontId::new(size, FontFamily::Proportional);
        style.text_styles.insert(TextStyle::Heading, font(19.0));
        style.text_styles.insert(TextStyle::Body, font(13.5));
        style.text_styles.insert(TextStyle::Button, font(13.5));
        style.text_styles.insert(TextStyle::Small, font(11.5));
    });
}

/// A panel within the window, as wide as it.
pub(super) fn card<T>(ui: &mut egui::Ui, content: impl FnOnce(&mut egui::Ui) -> T) -> T {
    let frame = egui::Frame::new().fill(CARD).corner_radius(CornerRadius::same(8)).inner_margin(Margin::symmetric(14, 11));
    frame
        .show(ui, |ui| {
            ui.set_width(ui.available_width());
            content(ui)
        })
        .inner
}

/// A colour that is written as `#rrggbb`.
pub(super) fn parse(colour: &str) -> Option<Color32> {
    let number = u32::from_str_radix(colour.strip_prefix('#')?, 16).ok()?;
    Some(Color32::from_rgb((number >> 16) as u8, (number >> 8) as u8, number as u8))
}

/// One of several words to choose from.
pub(super) fn chip(ui: &mut egui::Ui, words: &str, selected: bool) -> egui::Response {
    let (fill, color) = if selected { (ACCENT, DARK) } else { (OFF.gamma_multiply(0.6), TEXT) };
    let chip =
        egui::Button::new(egui::RichText::new(words).size(12.5).color(color)).fill(fill).corner_radius(CornerRadius::same(11));
    ui.add(chip)
}
