//! Where the receiver is: the address, those that were found, the test, and what that showed.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

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

    /// Shows what a test has shown.
    pub(super) fn show_test(&mut self, tested: Tested) {
        self.test = Some(Arc::new(Mutex::new(tested)));
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
            let (color, words) = test_result(&test.lock(), report);
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

/// What the test showed, in words; `report` is of the receiver that this track goes to.
fn test_result(tested: &Tested, report: &Report) -> (egui::Color32, String) {
    match tested {
        Tested::Waiting => (theme::QUIET, "Asking ...".to_owned()),
        Tested::Answered { address, after, keyed } => {
            let trip = after.as_secs_f64() * 1e3;
            let key = if *keyed { "Your key fits" } else { "It needs no key" };
            let clock = clock(*address, report);
            let words = format!(
                "A receiver answers at {address} after {trip:.1} ms, in this plugin's protocol (version {VERSION}). {key}. {clock}"
            );
            (theme::GOOD, words)
        }
        Tested::Silent { address } => (theme::BAD, format!("Nothing answers at {address}. Is \"send-learn serve\" running there?")),
        Tested::Failed(reason) => (theme::BAD, reason.clone()),
    }
}

/// How the clock of the receiver at `tested` stands to this computer's: that is measured of the connected one alone.
fn clock(tested: SocketAddr, report: &Report) -> String {
    if report.link != LinkState::Connected || report.address != Some(tested) {
        return "How its clock stands to this computer's shows when this track goes there.".to_owned();
    }
    let Some((offset, within)) = report.clock else {
        return "How its clock stands to this computer's shows once something was sent.".to_owned();
    };
    let exactly = format!("to within {:.2} ms", within as f64 * 1e-6);
    if offset.unsigned_abs() <= within {
        return format!("Its clock is the same as this computer's, {exactly}.");
    }
    // Both count from when the computer was started.
    let side = if offset > 0 { "longer" } else { "less long" };
    format!("Its clock has run {} {side} than this computer's, {exactly}.", span(Duration::from_nanos(offset.unsigned_abs())))
}

/// A length of time in words, no more exact than one wants to read.
fn span(length: Duration) -> String {
    let seconds = length.as_secs();
    match seconds {
        0 => format!("{:.1} ms", length.as_secs_f64() * 1e3),
        1..120 => format!("{:.1} s", length.as_secs_f64()),
        120..7_200 => format!("{} min", seconds / 60),
        7_200..172_800 => format!("{} h {} min", seconds / 3_600, seconds / 60 % 60),
        _ => format!("{} days", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: &str = "192.168.1.20:8080";

    /// What the window says of the receiver at `tested`, while this track goes to [`HERE`].
    fn words(tested: &str, keyed: bool, clock: Option<(i64, u64)>) -> String {
        let report = Report { link: LinkState::Connected, address: HERE.parse().ok(), clock, ..Report::default() };
        let tested = Tested::Answered { address: tested.parse().unwrap(), after: Duration::from_micros(900), keyed };
        test_result(&tested, &report).1
    }

    #[test]
    fn a_test_tells_round_trip_version_key_and_clock_of_the_receiver_that_was_tested() {
        let ahead = Some((11_565_000_000_000, 430_000));
        let here = words(HERE, true, ahead);
        assert_eq!(
            here,
            format!(
                "A receiver answers at {HERE} after 0.9 ms, in this plugin's protocol (version {VERSION}). Your key fits. \
                 Its clock has run 3 h 12 min longer than this computer's, to within 0.43 ms."
            )
        );
        let there = words("192.168.1.31:8080", false, ahead);
        assert!(there.contains("It needs no key.") && !there.contains("0.43 ms"), "another one's clock: {there}");
        let behind = words(HERE, false, Some((-1_200_000, 430_000)));
        assert!(behind.contains("has run 1.2 ms less long than"), "{behind}");
        assert!(words(HERE, false, Some((-1_200, 430_000))).contains("the same as this computer's, to within 0.43 ms"));
        assert!(words(HERE, false, None).contains("once something was sent"));
    }
}
