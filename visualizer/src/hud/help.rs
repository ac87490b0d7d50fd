//! The help overlay, and the keys that have to do with no stream.

use bevy::prelude::*;

use super::{Typeface, show};
use crate::theme;

/// Keys and what they do.
const KEYS: [(&str, &str); 6] = [
    ("Left button", "turn the picture"),
    ("Right button", "move it"),
    ("Wheel", "nearer or farther"),
    ("F", "all streams in the picture, from the front"),
    ("H", "this help"),
    ("Esc or Q", "quit"),
];

/// The overlay.
#[derive(Component, Debug)]
pub struct Help;

/// Brings up the overlay, hidden.
pub fn spawn(commands: &mut Commands<'_, '_>, typeface: &Typeface) {
    let panel = Node {
        display: Display::None,
        position_type: PositionType::Absolute,
        top: px(56),
        right: px(24),
        padding: UiRect::all(px(20)),
        flex_direction: FlexDirection::Column,
        row_gap: px(8),
        border: UiRect::all(px(1)),
        border_radius: BorderRadius::all(px(8)),
        ..default()
    };
    commands.spawn((Help, panel, BackgroundColor(theme::PANEL), BorderColor::all(theme::LINE))).with_children(|panel| {
        for (key, action) in KEYS {
            panel.spawn(Node { column_gap: px(18), ..default() }).with_children(|row| {
                row.spawn((Node { width: px(110), ..default() }, typeface.text(key, 15.0, theme::TEXT)));
                row.spawn(typeface.text(action, 15.0, theme::DIM));
            });
        }
    });
}

/// `H` shows and hides the help; `Esc` and `Q` quit.
pub fn keys(
    keys: Res<'_, ButtonInput<KeyCode>>,
    mut help: Single<'_, '_, &mut Node, With<Help>>,
    mut exit: MessageWriter<'_, AppExit>,
) {
    if keys.just_pressed(KeyCode::KeyH) {
        let hidden = help.display == Display::None;
        show(&mut help, hidden);
    }
    if keys.any_just_pressed([KeyCode::Escape, KeyCode::KeyQ]) {
        exit.write(AppExit::Success);
    }
}
