//! The line at the top: what this is, and how the connection fares.

use bevy::prelude::*;

use super::words::{self, Count};
use super::{Typeface, panel, set};
use crate::choice::Choice;
use crate::monitor::Monitor;
use crate::stream::Stream;
use crate::streams::{Inbox, SourceState};
use crate::theme::{Ink, Tint};

/// The state of the connection, in words.
#[derive(Component, Debug)]
pub struct StateLine;

/// The same, large in the middle, as long as there is nothing else to see.
#[derive(Component, Debug)]
pub struct Invitation;

/// Where that stands.
#[derive(Component, Debug)]
pub struct Middle;

/// Brings up the header.
pub fn spawn(commands: &mut Commands<'_, '_>, typeface: &Typeface) {
    let bar = Node {
        position_type: PositionType::Absolute,
        top: px(18),
        left: px(24),
        right: px(24),
        align_items: AlignItems::Baseline,
        column_gap: px(14),
        ..default()
    };
    commands.spawn(bar).with_children(|bar| {
        bar.spawn(typeface.text("Send Learn", 22.0, Tint::Text));
        bar.spawn((StateLine, typeface.text("", 15.0, Tint::Dim)));
        bar.spawn((Node { margin: UiRect::left(auto()), ..default() }, typeface.text("H  help", 13.0, Tint::Dim)));
    });
    let middle = Node {
        position_type: PositionType::Absolute,
        width: percent(100),
        height: percent(100),
        align_items: AlignItems::Center,
        justify_content: JustifyContent::Center,
        padding: UiRect::all(px(40)),
        ..default()
    };
    commands.spawn((Middle, middle)).with_children(|middle| {
        let layout = TextLayout::justify(Justify::Center);
        middle.spawn((Invitation, typeface.text("", 28.0, Tint::Text))).insert(layout);
    });
}

/// Leaves the panel its place.
pub fn make_room(open: Res<'_, panel::Open>, mut middle: Single<'_, '_, &mut Node, With<Middle>>) {
    let left = px(if open.0 { panel::WIDTH + 56.0 } else { 40.0 });
    if middle.padding.left != left {
        middle.padding.left = left;
    }
}

/// Keeps the header true.
pub fn update(
    state: Res<'_, SourceState>,
    (inbox, monitor, choice): (Res<'_, Inbox>, Res<'_, Monitor>, Res<'_, Choice>),
    streams: Query<'_, '_, &Stream>,
    line: Single<'_, '_, (&mut Text, &mut Ink), With<StateLine>>,
    mut invitation: Single<'_, '_, &mut Text, (With<Invitation>, Without<StateLine>)>,
) {
    let count = |receiver| {
        let its = streams.iter().filter(|stream| stream.key.receiver == receiver);
        its.fold(Count::default(), |count, stream| match stream.ended {
            None => Count { live: count.live + 1, ..count },
            Some(_) => Count { ended: count.ended + 1, ..count },
        })
    };
    let (mut words, tint) = words::connection(&state, count);
    let shown = streams.iter().len();
    set(&mut invitation, if shown == 0 { &words } else { "" });
    if shown == 0 {
        words.clear();
    }
    match inbox.0.dropped() {
        0 => {}
        dropped => words += &format!("  ·  this view was too slow and left out {dropped} packets (the recording has them)"),
    }
    if let Some(stream) = streams.iter().find(|stream| monitor.plays(stream)) {
        words += &format!("  ·  listening to {}", choice.name(stream));
    }
    if !state.notice.is_empty() {
        words += &format!("  ·  {}", state.notice);
    }
    let (mut text, mut ink) = line.into_inner();
    set(&mut text, &words);
    ink.set_if_neq(Ink(tint));
}
