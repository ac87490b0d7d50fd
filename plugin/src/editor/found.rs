//! The receivers of this network by name, to choose from.

use std::net::SocketAddr;

use egui::{Align, Layout, RichText};
use send_learn_discovery::Found;

use super::theme;
use crate::report::Sought;

/// Of the rows that are seen at once, three, and between two of them, in logical pixels.
const HEIGHT: f32 = 86.0;
const BETWEEN: f32 = 3.0;

/// Shows who was found, and gives whom a click has chosen. `at` is where the stream goes now.
pub(super) fn show<'a>(ui: &mut egui::Ui, sought: &'a Sought, at: Option<SocketAddr>) -> Option<&'a Found> {
    if sought.receivers.is_empty() {
        ui.add(egui::Label::new(RichText::new(nobody(sought)).color(theme::QUIET).size(12.5)).wrap());
        return None;
    }
    let mut chosen = None;
    egui::ScrollArea::vertical().max_height(HEIGHT).auto_shrink([false, true]).show(ui, |ui| {
        ui.spacing_mut().item_spacing.y = BETWEEN;
        for found in &sought.receivers {
            if row(ui, found, at.is_some_and(|at| found.addresses.contains(&at))) {
                chosen = Some(found);
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
        "No receiver has been found yet. One that was started by \"send-learn serve\" alone listens for its own computer; with \
         --listen 0.0.0.0:8080 it is found here."
            .to_owned()
    } else {
        sought.trouble.clone()
    }
}
