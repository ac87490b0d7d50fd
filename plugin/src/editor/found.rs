//! The receivers of this network by name, to choose from.

use egui::{Align, Layout, RichText};
use send_learn_discovery::Found;

use super::theme;
use crate::instance::Instance;
use crate::report::Sought;

/// Rows of the list that are seen at once, in logical pixels.
const HEIGHT: f32 = 84.0;

/// Shows who was found, and gives whom a click has chosen. The search begins when this is first shown: a person wants it.
pub(super) fn show(ui: &mut egui::Ui, instance: &Instance) -> Option<Found> {
    let sought = instance.look();
    if sought.receivers.is_empty() {
        ui.add(egui::Label::new(RichText::new(nobody(&sought)).color(theme::QUIET).size(12.5)).wrap());
        return None;
    }
    let at = instance.report().and_then(|report| report.address);
    let mut chosen = None;
    egui::ScrollArea::vertical().max_height(HEIGHT).auto_shrink([false, true]).show(ui, |ui| {
        for found in &sought.receivers {
            if row(ui, found, at.is_some_and(|at| found.addresses.contains(&at))) {
                chosen = Some(found.clone());
            }
        }
    });
    chosen
}

/// A receiver's name and address; true when it was clicked.
fn row(ui: &mut egui::Ui, found: &Found, in_use: bool) -> bool {
    ui.horizontal(|ui| {
        let name = if found.name.is_empty() { "(no name)" } else { &found.name };
        let clicked = ui.selectable_label(in_use, RichText::new(name).strong()).clicked();
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
            let address = found.address().map(|address| address.to_string()).unwrap_or_default();
            let key = if found.key { "needs its key · " } else { "" };
            let used = if in_use { " · in use" } else { "" };
            ui.label(RichText::new(format!("{key}{address}{used}")).color(theme::QUIET).size(12.5));
        });
        clicked
    })
    .inner
}

fn nobody(sought: &Sought) -> String {
    if sought.trouble.is_empty() {
        "No receiver has been found in this network yet. One that listens on 127.0.0.1 alone is not announced.".to_owned()
    } else {
        sought.trouble.clone()
    }
}
