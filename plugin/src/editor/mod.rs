//! The window: state, switches, address, level, counters, and what may be done with the music.

mod consent;
mod meters;
mod receiver;
mod state;
mod switches;
mod theme;

use std::sync::Arc;
use std::time::{Duration, Instant};

use egui::{Align, Layout, RichText, vec2};
use nice_plug::context::gui::GuiContext;
use nice_plug::editor::dpi::LogicalSize;
use nice_plug::prelude::{BoolParam, TrackInfo};
use nice_plug_egui::{
    EguiEditor, EguiEditorState, EguiNiceSettings, Frame, NiceEguiApp, RepaintNotifier, baseview, create_egui_editor,
};

use crate::instance::Instance;
use crate::report::Report;
use crate::settings::{Settings, SettingsError};
use consent::{Answer, Page};
use receiver::ReceiverField;

/// In logical pixels. Narrower, and the buttons would be cut off.
const SIZE: LogicalSize<f32> = LogicalSize { width: 560.0, height: 530.0 };

/// More between cards than within them, in logical pixels.
const BETWEEN: f32 = 4.0;

/// Between frames while the window is open.
const FRAME: Duration = Duration::from_millis(33);

/// How often the settings are read again: another window may have changed them.
const SETTINGS_AGAIN: Duration = Duration::from_secs(1);

/// The editor of `instance`. Opens nothing yet.
pub fn create(instance: Arc<Instance>) -> Option<EguiEditor<Window>> {
    let window = Window {
        instance,
        gui: None,
        receiver: ReceiverField::default(),
        level: meters::FLOOR,
        settings: Settings::default(),
        settings_trouble: String::new(),
        settings_read: Instant::now(),
        page: None,
    };
    let settings = EguiNiceSettings::new().with_tile("Send Learn");
    create_egui_editor(EguiEditorState::from_size(SIZE, 1.0), RepaintNotifier::new(), settings, window)
}

/// What the window needs between frames.
pub struct Window {
    instance: Arc<Instance>,
    gui: Option<GuiContext>,
    receiver: ReceiverField,
    /// The meter, in decibels below full scale.
    level: f32,
    settings: Settings,
    /// Why the settings cannot be used; empty when they can.
    settings_trouble: String,
    settings_read: Instant,
    /// Open while a person says what may be done with the music.
    page: Option<Page>,
}

impl NiceEguiApp for Window {
    fn build(&mut self, context: egui::Context, gui: GuiContext, _: &mut Frame) -> Result<(), baseview::HandlerError> {
        theme::apply(&context);
        self.gui = Some(gui);
        self.receiver = ReceiverField::new(self.instance.server());
        self.take_settings(Settings::load());
        // Once on each computer it asks by itself.
        if !self.settings.asked && self.settings_trouble.is_empty() {
            self.open_page();
        }
        Ok(())
    }

    fn ui(&mut self, ui: &mut egui::Ui, _: &mut Frame) {
        if self.settings_read.elapsed() >= SETTINGS_AGAIN {
            self.take_settings(Settings::load());
        }
        let margin = egui::Frame::new().fill(theme::BACKGROUND).inner_margin(14);
        egui::CentralPanel::default().frame(margin).show(ui, |ui| match &mut self.page {
            Some(page) => {
                let answer = page.show(ui);
                self.answered(answer);
            }
            None => self.overview(ui),
        });
        ui.ctx().request_repaint_after(FRAME);
    }

    fn editor_closed(&mut self) {
        self.gui = None;
        self.page = None;
        self.receiver = ReceiverField::default();
    }

    fn track_info_changed(&mut self, info: TrackInfo) {
        self.instance.set_name(info.name());
    }
}

impl Window {
    fn overview(&mut self, ui: &mut egui::Ui) {
        let report = self.instance.report();
        self.title(ui);
        theme::card(ui, |ui| state(ui, &self.instance, report.as_ref()));
        ui.add_space(BETWEEN);
        let params = &self.instance.params;
        let (capture, private) = switches::show(ui, params, self.settings.private);
        for (param, _) in [(&params.capture, capture), (&params.private, private)].iter().filter(|(_, clicked)| *clicked) {
            self.set(param, !param.value());
        }
        ui.add_space(BETWEEN);
        theme::card(ui, |ui| self.receiver.show(ui, &self.instance));
        ui.add_space(BETWEEN);
        theme::card(ui, |ui| {
            meters::meter(ui, &mut self.level, report.as_ref());
            ui.add_space(3.0);
            meters::counters(ui, &report.unwrap_or_default());
        });
        ui.add_space(BETWEEN);
        let own = self.instance.params.statement.read().clone();
        let said = own.as_ref().unwrap_or(&self.settings.statement);
        if theme::card(ui, |ui| consent::line(ui, said, own.is_some(), &self.settings_trouble)) {
            self.open_page();
        }
    }

    fn title(&self, ui: &mut egui::Ui) {
        ui.horizontal(|ui| {
            ui.heading(RichText::new("Send Learn").strong());
            ui.label(RichText::new(self.instance.name()).color(theme::QUIET).size(15.0));
            ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
                let mut on = self.instance.params.offline.value();
                if ui.checkbox(&mut on, "Offline renders").on_hover_text("Record what the host renders offline too").changed() {
                    self.set(&self.instance.params.offline, on);
                }
            });
        });
    }

    fn set(&self, param: &BoolParam, on: bool) {
        if let Some(gui) = &self.gui {
            let setter = gui.param_setter();
            setter.begin_set_parameter(param);
            setter.set_parameter(param, on);
            setter.end_set_parameter(param);
        }
    }

    fn open_page(&mut self) {
        self.page = Some(Page::new(&self.settings, self.instance.params.statement.read().clone()));
    }

    fn answered(&mut self, answer: Answer) {
        match answer {
            Answer::Waiting => return,
            Answer::NotNow => {
                // Where it cannot be kept, the next window asks again.
                let _ = Settings::change(|settings| settings.asked = true);
            }
            Answer::Said(statement, scope, private) => {
                if let Err(error) = self.instance.state(statement, scope, private) {
                    if let Some(page) = &mut self.page {
                        page.trouble = error.to_string();
                    }
                    return;
                }
            }
        }
        self.page = None;
        self.take_settings(Settings::load());
    }

    fn take_settings(&mut self, loaded: Result<Settings, SettingsError>) {
        self.settings_read = Instant::now();
        self.settings_trouble = loaded.as_ref().err().map(ToString::to_string).unwrap_or_default();
        self.settings = loaded.unwrap_or_else(|_| Settings::cautious());
    }
}

fn state(ui: &mut egui::Ui, instance: &Instance, report: Option<&Report>) {
    let headline = state::headline(instance, report);
    ui.horizontal(|ui| {
        let (rect, _) = ui.allocate_exact_size(vec2(22.0, 22.0), egui::Sense::hover());
        ui.painter().circle_filled(rect.center(), 9.0, headline.color.gamma_multiply(0.25));
        ui.painter().circle_filled(rect.center(), 6.0, headline.color);
        ui.label(RichText::new(headline.words).size(17.0).strong());
    });
    ui.add(egui::Label::new(RichText::new(headline.detail).color(theme::QUIET).size(12.5)).wrap());
}
