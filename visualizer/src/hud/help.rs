//! The help overlay: every key and every move of the mouse.

use bevy::prelude::*;

use super::{Typeface, show};
use crate::theme::{Fill, Kind, Stroke, Theme, Tint};

/// Keys and what they do, in the order of the overlay. docs/visualizer.md has the same, which a test sees to.
pub const KEYS: [(&str, &[(&str, &str)]); 4] = [
    (
        "Time",
        &[
            ("Space", "stop; go on, as late as it is"),
            ("Left, Right", "a second earlier, later; hold to glide; with Shift 0.1 s"),
            ("Page Up, Page Down", "10 s earlier, later"),
            ("Home", "as far back as it goes"),
            ("L or End", "back to live; in a replay to its end"),
            ("Up, Down", "replay faster, slower"),
            ("R", "replay again and again"),
            ("B, N", "begin and end of a range here"),
            ("Backspace", "no range"),
            ("E", "export the range"),
            ("G", "draw the range of the selected stream as a picture"),
            ("K", "save a picture of what is shown"),
        ],
    ),
    (
        "Streams",
        &[
            ("Click", "select; twice: fly there"),
            ("Tab", "select the next; with Shift the one before"),
            ("S", "show the selected one alone"),
            ("X", "hide it"),
            ("A", "show all"),
            ("M", "listen to the selected one; off"),
            ("F2", "call it otherwise, in this view"),
            ("/ or F3", "look for a stream"),
        ],
    ),
    (
        "Camera",
        &[
            ("Drag", "turn; with Shift or the right button: move"),
            ("Wheel", "nearer, farther"),
            ("Ctrl with arrows, Page keys", "turn, nearer, farther"),
            ("F", "all streams, from the front"),
            ("O", "all streams, from above"),
            ("Enter", "fly to the selected one"),
            ("C", "close to where it is now"),
        ],
    ),
    ("View", &[("P", "panel"), ("T", "dark, light"), ("H or F1", "this help"), ("Esc", "let go"), ("Q", "quit")]),
];

/// The overlay.
#[derive(Component, Debug)]
pub struct Help;

/// Brings up the overlay, hidden.
pub fn spawn(commands: &mut Commands<'_, '_>, typeface: &Typeface) {
    let panel = Node {
        display: Display::None,
        position_type: PositionType::Absolute,
        top: px(54),
        right: px(20),
        padding: UiRect::all(px(20)),
        column_gap: px(34),
        border: UiRect::all(px(1)),
        border_radius: BorderRadius::all(px(8)),
        ..default()
    };
    let column = Node { flex_direction: FlexDirection::Column, row_gap: px(5), ..default() };
    commands.spawn((Help, GlobalZIndex(2), panel, Fill(Tint::Panel), Stroke(Tint::Line))).with_children(|panel| {
        for sections in KEYS.chunks(2) {
            panel.spawn(column.clone()).with_children(|column| {
                for (title, keys) in sections {
                    let heading = Node { margin: UiRect::top(px(6)), ..default() };
                    column.spawn((heading, typeface.text(title, 15.0, Tint::Accent)));
                    for (key, action) in *keys {
                        column.spawn(Node { column_gap: px(14), ..default() }).with_children(|row| {
                            row.spawn((Node { width: px(170), ..default() }, typeface.text(key, 14.0, Tint::Text)));
                            row.spawn(typeface.text(action, 14.0, Tint::Dim));
                        });
                    }
                }
            });
        }
    });
}

/// `H` shows and hides the help, `Esc` hides it; `T` changes the theme; `Q` quits.
pub fn keys(
    keys: Res<'_, ButtonInput<KeyCode>>,
    mut help: Single<'_, '_, &mut Node, With<Help>>,
    mut theme: ResMut<'_, Theme>,
    mut exit: MessageWriter<'_, AppExit>,
) {
    if keys.any_just_pressed([KeyCode::KeyH, KeyCode::F1]) {
        let hidden = help.display == Display::None;
        show(&mut help, hidden);
    }
    if keys.just_pressed(KeyCode::Escape) {
        show(&mut help, false);
    }
    if keys.just_pressed(KeyCode::KeyT) {
        theme.0 = match theme.0 {
            Kind::Dark => Kind::Light,
            Kind::Light => Kind::Dark,
        };
    }
    if keys.just_pressed(KeyCode::KeyQ) {
        exit.write(AppExit::Success);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_is_explained_in_the_documentation() {
        let page = include_str!("../../../docs/visualizer.md");
        for (key, action) in KEYS.iter().flat_map(|(_, keys)| *keys) {
            let row = format!("| {key} | {action} |");
            assert!(page.contains(&row), "docs/visualizer.md lacks: {row}");
        }
    }
}
