//! The eight free lanes: what a person calls them, and their values.

use egui::{RichText, vec2};
use nice_plug::context::gui::GuiContext;

use super::theme;
use crate::instance::Instance;
use crate::params::LANES;

/// The longest name that a recording can hold, in bytes.
const LONGEST: usize = 64;

/// Of a name's field, and of all else in a row but its slider, in logical pixels.
const NAME: f32 = 84.0;
const OTHERS: f32 = 96.0;

pub(super) fn show(ui: &mut egui::Ui, instance: &Instance, gui: Option<&GuiContext>) {
    let about = "Map what matters on this track to a lane, and let the host automate it. It is recorded to the sample, under the name \
        that you give it here; the host goes on calling it Lane 1 to 8.";
    ui.add(egui::Label::new(RichText::new(about).color(theme::QUIET).size(12.5)).wrap());
    ui.add_space(2.0);
    ui.columns(2, |columns| {
        for lane in 0..LANES {
            let column = &mut columns[lane / (LANES / 2)];
            column.horizontal(|ui| row(ui, lane, instance, gui));
        }
    });
}

fn row(ui: &mut egui::Ui, lane: usize, instance: &Instance, gui: Option<&GuiContext>) {
    let width = ui.available_width();
    ui.label(RichText::new((lane + 1).to_string()).color(theme::QUIET));
    let mut name = instance.params.lane_names.read()[lane].clone();
    let field = egui::TextEdit::singleline(&mut name).hint_text(format!("Lane {}", lane + 1)).margin(vec2(6.0, 3.0));
    if ui.add(field.desired_width(NAME)).changed() {
        name.truncate(name.floor_char_boundary(LONGEST));
        instance.set_lane_name(lane, &name);
    }
    let param = &instance.params.lanes[lane].value;
    let mut value = param.value();
    ui.spacing_mut().slider_width = (width - NAME - OTHERS).max(40.0);
    let slider = ui.add(egui::Slider::new(&mut value, 0.0..=1.0).show_value(false).trailing_fill(true));
    ui.label(RichText::new(format!("{value:.2}")).color(theme::QUIET).size(12.0));
    let Some(gui) = gui else { return };
    let setter = gui.param_setter();
    if slider.drag_started() {
        setter.begin_set_parameter(param);
    }
    if slider.changed() {
        setter.set_parameter(param, value);
    }
    if slider.drag_stopped() {
        setter.end_set_parameter(param);
    }
}
