//! The window: state, address, level, counters.

mod state;
mod theme;

use std::sync::Arc;
use std::time::Duration;

use egui::{Align, Layout, RichText, vec2};
use nice_plug::context::gui::GuiContext;
use nice_plug::editor::dpi::LogicalSize;
use nice_plug::prelude::{BoolParam, TrackInfo};
use nice_plug_egui::{
    EguiEditor, EguiEditorState, EguiNiceSettings, Frame, NiceEguiApp, RepaintNotifier, baseview, create_egui_editor,
};
use parking_lot::Mutex;

use crate::instance::Instance;
use crate::midi;
use crate::report::{Report, Tested};

/// In logical pixels. Narrower, and the buttons would be cut off.
const SIZE: LogicalSize<f32> = LogicalSize { width: 540.0, height: 356.0 };

/// What the two buttons beside the address take, in logical pixels.
const BUTTONS: f32 = 168.0;

/// Between frames while the window is open.
const FRAME: Duration = Duration::from_millis(33);

/// How fast the meter falls, in decibels per frame.
const FALL: f32 = 0.8;

/// The meter's lower end, in decibels below full scale.
const FLOOR: f32 = -60.0;

/// The editor of `instance`. Opens nothing yet.
pub fn create(instance: Arc<Instance>) -> Option<EguiEditor<Window>> {
    let window = Window { instance, gui: None, address: String::new(), test: None, level: FLOOR };
    let settings = EguiNiceSettings::new().with_tile("Send Learn");
    create_egui_editor(EguiEditorState::from_size(SIZE, 1.0), RepaintNotifier::new(), settings, window)
}

/// What the window needs between frames.
pub struct Window {
    instance: Arc<Instance>,
    gui: Option<GuiContext>,
    /// The address field's text.
    address: String,
    test: Option<Arc<Mutex<Tested>>>,
    /// The meter, in decibels below full scale.
    level: f32,
}

impl NiceEguiApp for Window {
    fn build(&mut self, context: egui::Context, gui: GuiContext, _: &mut Frame) -> Result<(), baseview::HandlerError> {
        theme::apply(&context);
        self.gui = Some(gui);
        self.address = self.instance.server();
        Ok(())
    }

    fn ui(&mut self, ui: &mut egui::Ui, _: &mut Frame) {
        let report = self.instance.report();
        let margin = egui::Frame::new().fill(theme::BACKGROUND).inner_margin(14);
        egui::CentralPanel::default().frame(margin).show(ui, |ui| {
            self.title(ui);
            ui.add_space(2.0);
            theme::card(ui, |ui| self.state(ui, report.as_ref()));
            theme::card(ui, |ui| self.receiver(ui));
            theme::card(ui, |ui| {
                self.meter(ui, report.as_ref());
                ui.add_space(3.0);
                counters(ui, &report.unwrap_or_default());
            });
        });
        ui.ctx().request_repaint_after(FRAME);
    }

    fn editor_closed(&mut self) {
        self.gui = None;
        self.test = None;
    }

    fn track_info_changed(&mut self, info: TrackInfo) {
        self.instance.set_name(info.name());
    }
}

impl Window {
    fn title(&self, ui: &mut egui::Ui) {
        ui.horizontal(|ui| {
            ui.heading(RichText::new("Send Learn").strong());
            ui.label(RichText::new(self.instance.name()).color(theme::QUIET).size(15.0));
            ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
                self.switch(ui, "Capture", &self.instance.params.capture, "Record what this track plays");
                self.switch(ui, "Offline", &self.instance.params.offline, "Record offline renders too");
            });
        });
    }

    fn switch(&self, ui: &mut egui::Ui, label: &str, param: &BoolParam, hint: &str) {
        let mut on = param.value();
        if ui.checkbox(&mut on, label).on_hover_text(hint).changed()
            && let Some(gui) = &self.gui
        {
            let setter = gui.param_setter();
            setter.begin_set_parameter(param);
            setter.set_parameter(param, on);
            setter.end_set_parameter(param);
        }
    }

    fn state(&self, ui: &mut egui::Ui, report: Option<&Report>) {
        let headline = state::headline(&self.instance, report);
        ui.horizontal(|ui| {
            let (rect, _) = ui.allocate_exact_size(vec2(22.0, 22.0), egui::Sense::hover());
            ui.painter().circle_filled(rect.center(), 9.0, headline.color.gamma_multiply(0.25));
            ui.painter().circle_filled(rect.center(), 6.0, headline.color);
            ui.label(RichText::new(headline.words).size(17.0).strong());
        });
        ui.add(egui::Label::new(RichText::new(headline.detail).color(theme::QUIET).size(12.5)).wrap());
    }

    fn receiver(&mut self, ui: &mut egui::Ui) {
        ui.horizontal(|ui| {
            ui.add_sized([60.0, 26.0], egui::Label::new("Receiver"));
            // Hosts keep some keys to themselves: pasting and Enter are enough to change the address.
            let field = egui::TextEdit::singleline(&mut self.address).hint_text("192.168.1.20:8080");
            let response = ui.add(field.margin(vec2(8.0, 5.0)).desired_width(ui.available_width() - BUTTONS));
            let entered = response.lost_focus() && ui.input(|input| input.key_pressed(egui::Key::Enter));
            if ui.button("Test").on_hover_text("Ask whether a receiver answers there").clicked() {
                self.test = self.instance.test(&self.address);
            }
            let reconnect = ui.button("Reconnect").on_hover_text("Use this address now").clicked();
            if (entered || reconnect) && self.address.trim() != self.instance.server() {
                self.instance.set_server(&self.address);
                self.address = self.instance.server();
            } else if entered || reconnect {
                self.instance.reconnect();
            }
        });
        if let Some(test) = &self.test {
            let (color, words) = test_result(&test.lock());
            ui.label(RichText::new(words).color(color).size(12.5));
        }
    }

    fn meter(&mut self, ui: &mut egui::Ui, report: Option<&Report>) {
        let peak = report.map_or(0.0, |report| report.peak);
        self.level = (self.level - FALL).max(20.0 * peak.max(1e-6).log10()).clamp(FLOOR, 6.0);
        ui.horizontal(|ui| {
            let words = if self.level > FLOOR { format!("{:.0} dB", self.level) } else { "silent".to_owned() };
            let (rect, _) = ui.allocate_exact_size(vec2(ui.available_width() - 56.0, 8.0), egui::Sense::hover());
            ui.painter().rect_filled(rect, 4.0, theme::DARK);
            let mut filled = rect;
            filled.set_width(rect.width() * ((self.level - FLOOR) / -FLOOR).clamp(0.0, 1.0));
            let color = if self.level >= 0.0 { theme::BAD } else { theme::GOOD };
            ui.painter().rect_filled(filled, 4.0, color);
            ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
                ui.label(RichText::new(words).color(theme::QUIET).size(12.5));
            });
        });
    }
}

fn test_result(tested: &Tested) -> (egui::Color32, String) {
    match tested {
        Tested::Waiting => (theme::QUIET, "Asking ...".to_owned()),
        Tested::Answered { address, after } => {
            (theme::GOOD, format!("A receiver answers at {address} after {:.1} ms", after.as_secs_f64() * 1e3))
        }
        Tested::Silent { address } => (theme::BAD, format!("Nothing answers at {address}. Is \"send-learn serve\" running there?")),
        Tested::Failed(reason) => (theme::BAD, reason.clone()),
    }
}

fn counters(ui: &mut egui::Ui, report: &Report) {
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
