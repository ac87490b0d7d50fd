//! Where the receiver is: the address, those that were found, the test, and what that showed.

use std::sync::Arc;

use egui::{RichText, vec2};
use parking_lot::Mutex;

use send_learn_protocol::packet::header::VERSION;
use send_learn_protocol::packet::hello::Refusal;

use super::{found, theme};
use crate::address::AUTOMATIC;
use crate::instance::Instance;
use crate::report::{LinkState, Report, Sought, Tested};

/// What the buttons beside the address take, in logical pixels.
const BUTTONS: f32 = 218.0;

/// What the button beside the key takes.
const USE: f32 = 60.0;

/// The address field, the list of receivers, the test that was asked for, and the key field.
#[derive(Default)]
pub(super) struct ReceiverField {
    address: String,
    /// Whether the list is open.
    list: bool,
    test: Option<Arc<Mutex<Tested>>>,
    key: String,
    /// What came of the last key that was entered.
    entered: Option<Result<(), String>>,
}

impl ReceiverField {
    /// Shows `address`.
    pub(super) fn set_address(&mut self, address: String) {
        self.address = shown(address);
    }

    /// Opens the list, or closes it.
    pub(super) fn show_list(&mut self, open: bool) {
        self.list = open;
    }

    /// Whether an answer is awaited.
    pub(super) fn waits(&self) -> bool {
        self.test.as_ref().is_some_and(|test| *test.lock() == Tested::Waiting)
    }

    /// `sought`: the receivers to choose from, instead of those of this network.
    pub(super) fn show(&mut self, ui: &mut egui::Ui, instance: &Instance, report: &Report, sought: Option<&Sought>) {
        ui.horizontal(|ui| {
            ui.add_sized([60.0, 26.0], egui::Label::new("Receiver"));
            // Hosts keep some keys to themselves: pasting and Enter are enough to change the address.
            let field = egui::TextEdit::singleline(&mut self.address).hint_text("found by itself");
            let response = ui.add(field.margin(vec2(8.0, 5.0)).desired_width(ui.available_width() - BUTTONS));
            let entered = response.lost_focus() && ui.input(|input| input.key_pressed(egui::Key::Enter));
            if theme::chip(ui, "Find", self.list).on_hover_text("Show the receivers of this network").clicked() {
                self.list = !self.list;
            }
            if ui.button("Test").on_hover_text("Ask whether a receiver answers there").clicked() {
                self.test = instance.test(&self.address);
            }
            let reconnect = ui.button("Reconnect").on_hover_text("Use this address now").clicked();
            if (entered || reconnect) && self.address.trim() != shown(instance.server()) {
                instance.set_server(&self.address);
                self.address = shown(instance.server());
            } else if entered || reconnect {
                instance.reconnect();
            }
        });
        if self.list {
            // The search begins when the list is first shown: a person wants it.
            let sought = sought.cloned().unwrap_or_else(|| instance.look());
            if let Some(chosen) = found::show(ui, &sought, report.address) {
                instance.choose(chosen);
                *self = Self::default();
                self.set_address(instance.server());
            }
        }
        if let Some(test) = &self.test {
            let (color, words) = test_result(&test.lock(), report.clock);
            ui.add(egui::Label::new(RichText::new(words).color(color).size(12.5)).wrap());
        }
        if self.entered.is_some() || wants_key(report) {
            self.show_key(ui, instance);
        }
    }

    /// The key is entered once on each machine, when the receiver asks for it; what was entered is not shown again.
    fn show_key(&mut self, ui: &mut egui::Ui, instance: &Instance) {
        ui.horizontal(|ui| {
            ui.add_sized([60.0, 26.0], egui::Label::new("Key"));
            let field = egui::TextEdit::singleline(&mut self.key).hint_text("Paste what \"send-learn key\" shows there");
            let response = ui.add(field.margin(vec2(8.0, 5.0)).desired_width(ui.available_width() - USE));
            let entered = response.lost_focus() && ui.input(|input| input.key_pressed(egui::Key::Enter));
            let used = ui.button("Use").on_hover_text("For all tracks on this computer").clicked();
            if (entered || used) && !self.key.trim().is_empty() {
                let outcome = instance.set_key(&self.key);
                if outcome.is_ok() {
                    self.key.clear();
                }
                self.entered = Some(outcome);
            }
        });
        match &self.entered {
            Some(Ok(())) => ui.label(RichText::new("Kept for all tracks on this computer").color(theme::GOOD).size(12.5)),
            Some(Err(why)) => ui.label(RichText::new(why).color(theme::BAD).size(12.5)),
            None => return,
        };
    }
}

/// Whether there is no session for want of the right key.
fn wants_key(report: &Report) -> bool {
    match report.link {
        LinkState::Refused(reason) => matches!(reason, Refusal::KeyNeeded | Refusal::WrongKey | Refusal::NoKey),
        LinkState::Failed => !report.key_problem.is_empty(),
        _ => false,
    }
}

/// The address as the field shows it: nothing where one is searched for.
fn shown(address: String) -> String {
    if address.eq_ignore_ascii_case(AUTOMATIC) { String::new() } else { address }
}

/// What the test showed, in words. `clock` is how far the receiver's clock is ahead, and how well that is known, in nanoseconds.
fn test_result(tested: &Tested, clock: Option<(i64, u64)>) -> (egui::Color32, String) {
    match tested {
        Tested::Waiting => (theme::QUIET, "Asking ...".to_owned()),
        Tested::Answered { address, after } => {
            let trip = after.as_secs_f64() * 1e3;
            let clock = clock.map_or_else(
                || "How its clock stands to this computer's shows once something was sent.".to_owned(),
                |(_, within)| format!("Its clock is known to within {:.2} ms.", within as f64 * 1e-6),
            );
            (
                theme::GOOD,
                format!(
                    "A receiver answers at {address} after {trip:.1} ms, in this plugin's protocol (version {VERSION}). {clock}"
                ),
            )
        }
        Tested::Silent { address } => (theme::BAD, format!("Nothing answers at {address}. Is \"send-learn serve\" running there?")),
        Tested::Failed(reason) => (theme::BAD, reason.clone()),
    }
}
