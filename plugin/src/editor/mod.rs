//! The window: state, flow, switches, receiver, counters, and what may be done with the music.

mod consent;
mod flow;
mod found;
mod lanes;
mod meters;
mod receiver;
mod sign;
pub mod stages;
mod state;
mod switches;
mod theme;

use std::sync::Arc;
use std::time::{Duration, Instant};

use egui::{Align, Label, Layout, RichText, ScrollArea, vec2};
use nice_plug::context::gui::GuiContext;
use nice_plug::editor::dpi::LogicalSize;
use nice_plug::prelude::{BoolParam, ResizeHint, TrackColor, TrackInfo};
use nice_plug_egui::{
    EguiEditor, EguiEditorState, EguiNiceSettings, Frame, NiceEguiApp, RepaintNotifier, baseview, create_egui_editor,
};

use crate::instance::Instance;
use crate::report::{Report, Sought, Tested};
use crate::settings::{Settings, SettingsError};
use consent::{Answer, Page};
use flow::Flow;
use receiver::ReceiverField;
use state::Headline;

/// At first, in logical pixels.
pub const SIZE: LogicalSize<f32> = LogicalSize { width: 560.0, height: 610.0 };

/// At least, in logical pixels. Narrower, and the buttons would be cut off; what is too high is scrolled.
pub const SMALLEST: LogicalSize<f32> = LogicalSize { width: 520.0, height: 360.0 };

/// More between cards than within them, in logical pixels.
const BETWEEN: f32 = 2.0;

/// Between frames while something moves: twenty a second.
const FRAME: Duration = Duration::from_millis(50);

/// Between looks while nothing does.
const IDLE: Duration = Duration::from_millis(800);

/// How often the settings are read again: another window may have changed them.
const SETTINGS_AGAIN: Duration = Duration::from_secs(1);

/// The editor of `instance`, a plugin that hosts list as `name`. Opens nothing yet.
pub fn create(instance: Arc<Instance>, name: &'static str) -> Option<EguiEditor<Window>> {
    create_with(Window::new(instance, name))
}

/// The editor that shows `window`. Opens nothing yet.
pub fn create_with(window: Window) -> Option<EguiEditor<Window>> {
    let settings =
        EguiNiceSettings::new().with_tile(window.title).with_resize_hint(ResizeHint::resizable().with_min_logical_size(SMALLEST));
    create_egui_editor(EguiEditorState::from_size(SIZE, 1.0), RepaintNotifier::new(), settings, window)
}

/// What the window needs between frames.
pub struct Window {
    instance: Arc<Instance>,
    /// The plugin's name.
    title: &'static str,
    gui: Option<GuiContext>,
    receiver: ReceiverField,
    flow: Flow,
    settings: Settings,
    /// Why the settings cannot be used; empty when they can.
    settings_trouble: String,
    settings_read: Instant,
    /// Open while a person says what may be done with the music.
    page: Option<Page>,
    lanes_open: bool,
    /// What is shown instead of what is, for pictures.
    staged: Option<Staged>,
}

/// A made-up state.
struct Staged {
    /// Gives the report so many seconds after its begin.
    report: Box<dyn FnMut(f64) -> Report + Send>,
    /// The receivers of the network.
    sought: Sought,
}

impl NiceEguiApp for Window {
    fn build(&mut self, context: egui::Context, gui: GuiContext, _: &mut Frame) -> Result<(), baseview::HandlerError> {
        self.gui = Some(gui);
        self.open(&context);
        Ok(())
    }

    fn ui(&mut self, ui: &mut egui::Ui, _: &mut Frame) {
        self.draw(ui);
    }

    fn editor_closed(&mut self) {
        self.gui = None;
        self.page = None;
        self.receiver = ReceiverField::default();
    }

    fn track_info_changed(&mut self, info: TrackInfo) {
        self.instance.set_name(info.name());
        if let Some((red, green, blue, _)) = info.color().map(TrackColor::rgba) {
            self.instance.set_colour((red, green, blue));
        }
    }
}

impl Window {
    /// Of `instance`, a plugin that is called `title`.
    pub fn new(instance: Arc<Instance>, title: &'static str) -> Self {
        Self {
            instance,
            title,
            gui: None,
            receiver: ReceiverField::default(),
            flow: Flow::default(),
            settings: Settings::default(),
            settings_trouble: String::new(),
            settings_read: Instant::now(),
            page: None,
            lanes_open: false,
            staged: None,
        }
    }

    /// The same, but showing `settings`, the receivers `sought`, and what `report` gives so many seconds after the begin: for
    /// pictures of each state.
    pub fn staged(self, settings: Settings, sought: Sought, report: impl FnMut(f64) -> Report + Send + 'static) -> Self {
        Self { staged: Some(Staged { report: Box::new(report), sought }), settings, ..self }
    }

    /// Opens the list of receivers, or closes it.
    pub fn show_receivers(&mut self, open: bool) {
        self.receiver.show_list(open);
    }

    /// Shows what a test of an address has shown.
    pub fn show_test(&mut self, tested: Tested) {
        self.receiver.show_test(tested);
    }

    /// Opens the page of the lanes, or closes it.
    pub fn show_lanes(&mut self, open: bool) {
        self.lanes_open = open;
    }

    /// Makes `context` look like this window, before it is drawn for the first time.
    pub fn open(&mut self, context: &egui::Context) {
        theme::apply(context);
        self.receiver.set_address(self.instance.server());
        if self.staged.is_none() {
            self.take_settings(Settings::load());
        }
        // Once on each computer it asks by itself.
        if !self.settings.asked && self.settings_trouble.is_empty() {
            self.open_page();
        }
    }

    /// Draws the window.
    pub fn draw(&mut self, ui: &mut egui::Ui) {
        if self.staged.is_none() && self.settings_read.elapsed() >= SETTINGS_AGAIN {
            self.take_settings(Settings::load());
        }
        let mut moves = false;
        let margin = egui::Frame::new().fill(theme::BACKGROUND).inner_margin(14);
        egui::CentralPanel::default().frame(margin).show(ui, |ui| match &mut self.page {
            Some(page) => {
                let answer = page.show(ui);
                self.answered(answer);
            }
            None => {
                ScrollArea::vertical().auto_shrink(false).show(ui, |ui| moves = self.overview(ui));
            }
        });
        ui.ctx().request_repaint_after(if moves { FRAME } else { IDLE });
    }

    /// All of it but pages. True while something moves.
    fn overview(&mut self, ui: &mut egui::Ui) -> bool {
        let now = ui.input(|input| input.time);
        let report = match &mut self.staged {
            Some(staged) => Some((staged.report)(now)),
            None => self.instance.report(),
        };
        let headline = state::headline(&self.instance, report.as_ref());
        let report = report.unwrap_or_default();
        self.flow.look(now, &report);
        self.title(ui);
        if self.lanes_open {
            theme::card(ui, |ui| lanes::show(ui, &self.instance, self.gui.as_ref()));
            ui.add_space(BETWEEN);
        }
        theme::card(ui, |ui| state(ui, now, &headline, &self.flow, &report));
        ui.add_space(BETWEEN);
        theme::card(ui, |ui| {
            self.flow.strip(ui, now);
            self.flow.meters(ui, report.running);
        });
        ui.add_space(BETWEEN);
        let params = &self.instance.params;
        let (capture, private) = switches::show(ui, params, state::wanted(&self.instance), self.settings.private);
        for (param, _) in [(&params.capture, capture), (&params.private, private)].iter().filter(|(_, clicked)| *clicked) {
            self.set(param, !param.value());
        }
        ui.add_space(BETWEEN);
        let sought = self.staged.as_ref().map(|staged| &staged.sought);
        theme::card(ui, |ui| self.receiver.show(ui, &self.instance, &report, sought));
        ui.add_space(BETWEEN);
        theme::card(ui, |ui| {
            meters::counters(ui, &report);
            meters::last_problem(ui, &report);
        });
        ui.add_space(BETWEEN);
        let own = self.instance.params.statement.read().clone();
        let said = own.as_ref().unwrap_or(&self.settings.statement);
        if theme::card(ui, |ui| consent::line(ui, said, own.is_some(), params.private.value(), &self.settings_trouble)) {
            self.open_page();
        }
        headline.pulses || self.flow.moves(now) || self.receiver.waits()
    }

    fn title(&mut self, ui: &mut egui::Ui) {
        ui.horizontal(|ui| {
            ui.heading(RichText::new(self.title).strong());
            if let Some(colour) = theme::parse(&self.instance.colour()) {
                let (dot, _) = ui.allocate_exact_size(vec2(10.0, 14.0), egui::Sense::hover());
                ui.painter().rect_filled(dot.shrink2(vec2(2.0, 0.0)), 2.0, colour);
            }
            ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
                let mut on = self.instance.params.offline.value();
                if ui.checkbox(&mut on, "Offline renders").on_hover_text("Record what the host renders offline too").changed() {
                    self.set(&self.instance.params.offline, on);
                }
                let about = "Eight parameters that the host can automate, recorded under the names that you give them";
                if theme::chip(ui, "Lanes", self.lanes_open).on_hover_text(about).clicked() {
                    self.lanes_open = !self.lanes_open;
                }
                ui.with_layout(Layout::left_to_right(Align::Center), |ui| {
                    ui.add(Label::new(RichText::new(self.instance.name()).color(theme::QUIET).size(15.0)).truncate());
                });
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

/// The sign, the words, and whether something is on its way.
fn state(ui: &mut egui::Ui, now: f64, headline: &Headline, flow: &Flow, report: &Report) {
    ui.horizontal(|ui| {
        sign::show(ui, headline.sign, headline.color, headline.pulses.then_some(now));
        ui.label(RichText::new(headline.words).size(18.0).strong());
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| flow.arrows(ui, now, report));
    });
    ui.add(Label::new(RichText::new(&headline.detail).color(theme::QUIET).size(12.5)).wrap());
}
