//! What may be done with what is played: a line in the window, and the page on which a person says it.

use egui::{Align, CornerRadius, Label, Layout, Margin, RichText, ScrollArea, Sense, Stroke, vec2};

use super::theme;
use crate::instance::Scope;
use crate::settings::{CONSENT, MAX_TEXT, Privately, REFUSED, Settings, Statement};

/// Licences to choose from, and what each means.
const LICENCES: [(&str, &str); 4] = [
    ("CC-BY-4.0", "Others may use and change it if they name you."),
    ("CC-BY-NC-4.0", "Others may use and change it if they name you and earn no money with it."),
    ("CC0-1.0", "Anyone may do anything with it."),
    ("All rights reserved", "Only what your words above allow."),
];

#[derive(Clone, Copy, PartialEq, Eq)]
enum Choice {
    Yes,
    Unsaid,
    No,
}

/// The page while it is open.
pub(super) struct Page {
    choice: Choice,
    statement: Statement,
    scope: Scope,
    private: Privately,
    /// Why the last answer could not be kept.
    pub(super) trouble: String,
}

/// What a person did on the page.
pub(super) enum Answer {
    /// Nothing yet.
    Waiting,
    /// Closed it.
    NotNow,
    /// Said this.
    Said(Statement, Scope, Privately),
}

impl Page {
    /// Shows what holds now: `own` is what is said of this track alone.
    pub(super) fn new(settings: &Settings, own: Option<Statement>) -> Self {
        let scope = if own.is_some() { Scope::Track } else { Scope::Everywhere };
        let mut statement = own.unwrap_or_else(|| settings.statement.clone());
        let choice = match &statement {
            statement if statement.refuses() => Choice::No,
            statement if statement.is_unsaid() => Choice::Unsaid,
            _ => Choice::Yes,
        };
        if choice != Choice::Yes {
            CONSENT.clone_into(&mut statement.consent);
        }
        Self { choice, statement, scope, private: settings.private, trouble: String::new() }
    }

    /// The buttons stay in sight; what is above them is scrolled where it is too high.
    pub(super) fn show(&mut self, ui: &mut egui::Ui) -> Answer {
        let shown = ui.with_layout(Layout::bottom_up(Align::Max), |ui| {
            let answer = self.buttons(ui);
            ui.with_layout(Layout::top_down(Align::Min), |ui| {
                ScrollArea::vertical().auto_shrink(false).show(ui, |ui| self.questions(ui));
            });
            answer
        });
        shown.inner
    }

    fn questions(&mut self, ui: &mut egui::Ui) {
        ui.heading(RichText::new("What may be done with your music?").strong());
        let about = "What this track plays is recorded on your own receiver, to teach music software with it. Whether that may be \
            done, and by whom, is for you to say. You can change it at any time: a recording keeps what you had said when it was made.";
        ui.add(Label::new(RichText::new(about).color(theme::QUIET).size(12.5)).wrap());
        for (choice, title, meaning) in [
            (Choice::Yes, "Yes, it may be used", "It may go into datasets, with your name and your licence."),
            (Choice::Unsaid, "I say nothing yet", "Nobody but you can make a dataset of it."),
            (Choice::No, "No", "It is recorded for you. No dataset will ever hold it."),
        ] {
            if option(ui, self.choice == choice, title, meaning) {
                self.choice = choice;
            }
        }
        if self.choice == Choice::Yes {
            theme::card(ui, |ui| self.details(ui));
        }
        ui.add_space(2.0);
        let scopes = [(Scope::Everywhere, "all my tracks"), (Scope::Track, "this track alone")];
        choose(ui, "This holds for", &mut self.scope, scopes);
        let meanings = [(Privately::Mark, "is recorded, and stays with me"), (Privately::Withhold, "is not even sent")];
        choose(ui, "What is private", &mut self.private, meanings);
    }

    fn details(&mut self, ui: &mut egui::Ui) {
        let row = |ui: &mut egui::Ui, label: &str, content: &mut dyn FnMut(&mut egui::Ui)| {
            ui.horizontal(|ui| {
                name(ui, label, 58.0);
                content(ui);
            });
        };
        let Statement { contributor, licence, consent } = &mut self.statement;
        row(ui, "Words", &mut |ui| {
            let words = egui::TextEdit::multiline(consent).desired_rows(2).margin(vec2(8.0, 4.0));
            ui.add(words.desired_width(ui.available_width()));
        });
        row(ui, "Name", &mut |ui| {
            let field = egui::TextEdit::singleline(contributor).hint_text("who plays; may stay empty").margin(vec2(8.0, 4.0));
            ui.add(field.desired_width(ui.available_width()));
        });
        row(ui, "Licence", &mut |ui| {
            ui.spacing_mut().item_spacing.x = 6.0;
            let other = LICENCES.iter().all(|(name, _)| name != licence) && !licence.is_empty();
            let own = other.then(|| licence.clone());
            for name in LICENCES.iter().map(|(name, _)| *name).chain(own.as_deref()) {
                if theme::chip(ui, name, licence == name).clicked() {
                    name.clone_into(licence);
                }
            }
        });
        let meaning =
            LICENCES.iter().find(|(name, _)| name == licence).map_or("Choose one: it goes with every recording.", |(_, m)| m);
        row(ui, "", &mut |ui| {
            ui.label(RichText::new(meaning).color(theme::QUIET).size(12.0));
        });
        for text in [contributor, licence, consent] {
            text.truncate(text.floor_char_boundary(MAX_TEXT));
        }
    }

    fn buttons(&self, ui: &mut egui::Ui) -> Answer {
        let mut answer = Answer::Waiting;
        ui.horizontal(|ui| {
            ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
                let ready = self.choice != Choice::Yes || !self.statement.licence.trim().is_empty();
                let keep = egui::Button::new(RichText::new("Keep this").color(theme::DARK).strong()).fill(theme::GOOD);
                if ui.add_enabled(ready, keep).on_disabled_hover_text("Choose a licence first").clicked() {
                    answer = Answer::Said(self.said(), self.scope, self.private);
                }
                if ui.button("Not now").clicked() {
                    answer = Answer::NotNow;
                }
                if !self.trouble.is_empty() {
                    ui.add(Label::new(RichText::new(&self.trouble).color(theme::BAD).size(12.0)).truncate());
                }
            });
        });
        answer
    }

    fn said(&self) -> Statement {
        let (licence, consent) = match self.choice {
            Choice::Yes if self.statement.consent.trim().is_empty() => (self.statement.licence.clone(), CONSENT.to_owned()),
            Choice::Yes => (self.statement.licence.clone(), self.statement.consent.trim().to_owned()),
            Choice::Unsaid => (String::new(), String::new()),
            Choice::No => (String::new(), REFUSED.to_owned()),
        };
        Statement { contributor: self.statement.contributor.trim().to_owned(), licence, consent }
    }
}

/// The line in the window that says what holds of this track: `own`, what was said of it alone; `private`, whether what it plays now
/// is. True when a person wants to change it.
pub(super) fn line(ui: &mut egui::Ui, statement: &Statement, own: bool, private: bool, trouble: &str) -> bool {
    let mut clicked = false;
    let (color, mut words, button) = match statement {
        _ if !trouble.is_empty() => (theme::BAD, trouble.to_owned(), "Change"),
        said if said.refuses() => (theme::WARN, "In no dataset: you said no".to_owned(), "Change"),
        said if said.is_unsaid() => (theme::QUIET, "Nothing is said yet of what may be done with this music".to_owned(), "Say it"),
        said => {
            let (color, words) = match private {
                true => (theme::PRIVATE, "May be used, but for what is private"),
                false => (theme::GOOD, "May be used"),
            };
            let details = [&said.contributor, &said.licence].into_iter().filter(|text| !text.is_empty());
            (color, details.fold(words.to_owned(), |words, text| format!("{words}  ·  {text}")), "Change")
        }
    };
    if own && trouble.is_empty() {
        words.push_str("  ·  this track alone");
    }
    ui.horizontal(|ui| {
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
            clicked = ui.add_enabled(trouble.is_empty(), egui::Button::new(button)).clicked();
            ui.with_layout(Layout::left_to_right(Align::Center), |ui| {
                let (dot, _) = ui.allocate_exact_size(vec2(14.0, 14.0), Sense::hover());
                ui.painter().circle_stroke(dot.center(), 5.0, Stroke::new(2.0, color));
                ui.add(Label::new(RichText::new(&words).size(12.5)).truncate()).on_hover_text(if trouble.is_empty() {
                    &statement.consent
                } else {
                    trouble
                });
            });
        });
    });
    clicked
}

/// One of several answers, as wide as the page. True when it is clicked.
fn option(ui: &mut egui::Ui, selected: bool, title: &str, meaning: &str) -> bool {
    let edge = if selected { theme::ACCENT } else { egui::Color32::TRANSPARENT };
    let frame = egui::Frame::new().fill(theme::CARD).corner_radius(CornerRadius::same(8)).stroke(Stroke::new(1.0, edge));
    let shown = frame.inner_margin(Margin::symmetric(12, 7)).show(ui, |ui| {
        ui.set_width(ui.available_width());
        ui.horizontal(|ui| {
            let (circle, _) = ui.allocate_exact_size(vec2(18.0, 18.0), Sense::hover());
            ui.painter().circle_stroke(circle.center(), 7.0, Stroke::new(1.5, if selected { theme::ACCENT } else { theme::QUIET }));
            if selected {
                ui.painter().circle_filled(circle.center(), 3.5, theme::ACCENT);
            }
            ui.add(Label::new(RichText::new(title).size(14.5)).selectable(false));
            ui.add(Label::new(RichText::new(meaning).color(theme::QUIET).size(12.0)).selectable(false));
        });
    });
    let response = ui.interact(shown.response.rect, ui.scope_id().with(title), Sense::click());
    response.on_hover_cursor(egui::CursorIcon::PointingHand).clicked()
}

/// One of two, in a row behind a label.
fn choose<T: Copy + PartialEq>(ui: &mut egui::Ui, label: &str, value: &mut T, values: [(T, &str); 2]) {
    ui.horizontal(|ui| {
        name(ui, label, 96.0);
        for (choice, words) in values {
            if theme::chip(ui, words, *value == choice).clicked() {
                *value = choice;
            }
        }
    });
}

/// What a row is about, in a column of its own.
fn name(ui: &mut egui::Ui, text: &str, width: f32) {
    let (rect, _) = ui.allocate_exact_size(vec2(width, 22.0), Sense::hover());
    let font = egui::FontId::proportional(13.0);
    ui.painter().text(rect.left_center(), egui::Align2::LEFT_CENTER, text, font, theme::QUIET);
}
