//! The panel on the left: every stream by machine, and the details of the selected one.

use bevy::ecs::relationship::RelatedSpawnerCommands;
use bevy::input::mouse::{AccumulatedMouseScroll, MouseScrollUnit};
use bevy::prelude::*;
use bevy::window::PrimaryWindow;
use send_learn_protocol::packet::hello::PropertyKey;

use super::timeline::{self, Timeline};
use super::{Typeface, details, set, show, words};
use crate::camera::{Frames, Free, Orbit};
use crate::choice::{self, Choice, Typing};
use crate::health::verdict::{self, Severity};
use crate::layout::Slot;
use crate::picking::OverPanel;
use crate::stream::{Identity, Stream};
use crate::theme::{Fill, Ink, Stroke, Tint};

/// Its width, in pixels.
pub const WIDTH: f32 = 292.0;
/// Its distance from the top and the bottom, in pixels.
const TOP: f32 = 54.0;
const BOTTOM: f32 = 52.0;
/// Pixels that a line of the wheel scrolls.
const LINE: f32 = 24.0;

/// Whether it is open.
#[derive(Resource, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Open(pub bool);

/// The whole.
#[derive(Component, Debug)]
pub struct Panel;

/// The list of streams.
#[derive(Component, Debug)]
pub struct Tree;

/// The line that says what is looked for.
#[derive(Component, Debug)]
pub struct SearchLine;

/// A stream's row.
#[derive(Component, Debug, Clone, Copy)]
pub struct Row(Identity);

/// A text of a row.
#[derive(Component, Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cell {
    /// How its line fares: a sign.
    Mark,
    /// Its name.
    Name,
    /// Solo, hidden, or its level.
    State,
}

/// Brings it up.
pub fn spawn(commands: &mut Commands<'_, '_>, typeface: &Typeface) {
    let panel = Node {
        display: Display::None,
        position_type: PositionType::Absolute,
        left: px(16),
        top: px(TOP),
        bottom: px(BOTTOM),
        width: px(WIDTH),
        padding: UiRect::all(px(14)),
        flex_direction: FlexDirection::Column,
        row_gap: px(8),
        overflow: Overflow::clip(),
        border: UiRect::all(px(1)),
        border_radius: BorderRadius::all(px(8)),
        ..default()
    };
    commands.spawn((Panel, panel, Fill(Tint::Panel), Stroke(Tint::Line))).with_children(|panel| {
        panel.spawn((SearchLine, typeface.text("", 13.0, Tint::Dim)));
        let tree = Node {
            flex_direction: FlexDirection::Column,
            flex_grow: 1.0,
            flex_basis: px(0),
            min_height: px(54),
            overflow: Overflow::scroll_y(),
            ..default()
        };
        panel.spawn((Tree, tree, ScrollPosition::DEFAULT));
        details::spawn(panel, typeface);
    });
}

/// `P` opens and closes it.
pub fn keys(keys: Res<'_, ButtonInput<KeyCode>>, mut open: ResMut<'_, Open>) {
    if keys.just_pressed(KeyCode::KeyP) {
        open.0 = !open.0;
    }
}

/// What the list is made of: made anew only when it changes.
type Listed = Vec<(String, Identity)>;

/// Keeps the list of streams true.
pub fn list(
    mut commands: Commands<'_, '_>,
    (open, choice, typing, typeface): (Res<'_, Open>, Res<'_, Choice>, Res<'_, Typing>, Res<'_, Typeface>),
    streams: Query<'_, '_, (&Stream, &Slot)>,
    tree: Single<'_, '_, Entity, With<Tree>>,
    mut panel: Single<'_, '_, &mut Node, With<Panel>>,
    mut listed: Local<'_, Option<Listed>>,
) {
    show(&mut panel, open.0);
    if !open.0 {
        return;
    }
    let wanted = if let Typing::Search(wanted) = &*typing { wanted.as_str() } else { "" };
    let found = choice::in_order(streams.iter()).into_iter().filter(|stream| choice::matches(stream, &choice, wanted));
    let now: Listed = found.map(|stream| (machine(stream).to_owned(), stream.identity())).collect();
    if listed.as_ref() == Some(&now) {
        return;
    }
    commands.entity(*tree).despawn_children().with_children(|tree| {
        for group in now.chunk_by(|one, other| one.0 == other.0) {
            let heading = Node { margin: UiRect::vertical(px(5)), flex_shrink: 0.0, ..default() };
            tree.spawn(heading).with_child(typeface.text(&group[0].0, 12.0, Tint::Dim));
            group.iter().for_each(|(_, id)| row(tree, *id, &typeface));
        }
    });
    *listed = Some(now);
}

fn row(tree: &mut RelatedSpawnerCommands<'_, ChildOf>, id: Identity, typeface: &Typeface) {
    let row = Node {
        padding: UiRect::axes(px(6), px(3)),
        column_gap: px(8),
        flex_shrink: 0.0,
        align_items: AlignItems::Center,
        border_radius: BorderRadius::all(px(4)),
        ..default()
    };
    tree.spawn((Row(id), row, Fill(Tint::None))).with_children(|row| {
        row.spawn((Node { width: px(14), ..default() }, Row(id), Cell::Mark, typeface.text("", 14.0, Tint::Good)));
        let name = Node { flex_grow: 1.0, flex_basis: px(0), overflow: Overflow::clip(), ..default() };
        row.spawn(name).with_child((Row(id), Cell::Name, typeface.text("", 14.0, Tint::Text)));
        row.spawn((Row(id), Cell::State, typeface.text("", 12.0, Tint::Dim)));
    });
}

fn machine(stream: &Stream) -> &str {
    match stream.description.property(PropertyKey::MACHINE) {
        "" => "a machine without a name",
        name => name,
    }
}

/// Keeps the rows true.
pub fn tell(
    (open, choice, typing): (Res<'_, Open>, Res<'_, Choice>, Res<'_, Typing>),
    streams: Query<'_, '_, &Stream>,
    mut rows: Query<'_, '_, (&Row, &mut Fill), Without<Cell>>,
    mut cells: Query<'_, '_, (&Row, &Cell, &mut Text, &mut Ink), Without<SearchLine>>,
    line: Single<'_, '_, (&mut Text, &mut Ink), With<SearchLine>>,
) {
    if !open.0 {
        return;
    }
    let (mut text, mut ink) = line.into_inner();
    let (words, tint) = match &*typing {
        Typing::Search(wanted) => (format!("Look for: {wanted}|"), Tint::Accent),
        Typing::Rename(_, name) => (format!("Call it: {name}|"), Tint::Accent),
        Typing::No => ("/ look for a stream".to_owned(), Tint::Dim),
    };
    set(&mut text, &words);
    ink.set_if_neq(Ink(tint));
    for (row, mut fill) in &mut rows {
        fill.set_if_neq(Fill(if choice.selected == Some(row.0) { Tint::Chosen } else { Tint::None }));
    }
    for (row, cell, mut text, mut ink) in &mut cells {
        let Some(stream) = streams.iter().find(|stream| stream.identity() == row.0) else { continue };
        let (severity, shown) = (verdict::of(stream).severity, choice.shows(stream));
        let (words, tint) = match cell {
            Cell::Mark => (sign(severity).to_owned(), severity.tint()),
            Cell::Name => (choice.name(stream).to_owned(), if shown { Tint::Text } else { Tint::Dim }),
            Cell::State if choice.solo.contains(&row.0) => ("solo".to_owned(), Tint::Accent),
            Cell::State if choice.hidden.contains(&row.0) => ("hidden".to_owned(), Tint::Dim),
            Cell::State => (words::level(stream), Tint::Dim),
        };
        set(&mut text, &words);
        ink.set_if_neq(Ink(tint));
    }
}

/// A sign for how a line fares, that differs in shape.
fn sign(severity: Severity) -> &'static str {
    match severity {
        Severity::Over => "–",
        Severity::Well => "•",
        Severity::Look | Severity::Bad => severity.mark(),
    }
}

/// The mouse in the panel: a click selects, a second one flies there; the wheel scrolls.
pub fn mouse(
    window: Option<Single<'_, '_, &Window, With<PrimaryWindow>>>,
    (buttons, scroll): (Res<'_, ButtonInput<MouseButton>>, Res<'_, AccumulatedMouseScroll>),
    panel: Single<'_, '_, (&Node, &ComputedNode, &UiGlobalTransform), With<Panel>>,
    rows: Query<'_, '_, (&Row, &ComputedNode, &UiGlobalTransform), Without<Cell>>,
    mut tree: Single<'_, '_, (&mut ScrollPosition, &ComputedNode), With<Tree>>,
    mut orbit: Single<'_, '_, &mut Orbit>,
    (mut over, mut choice): (ResMut<'_, OverPanel>, ResMut<'_, Choice>),
) {
    let (node, size, transform) = *panel;
    let cursor = window.and_then(|window| window.physical_cursor_position());
    let inside = cursor.filter(|cursor| node.display != Display::None && size.contains_point(*transform, *cursor));
    over.set_if_neq(OverPanel(inside.is_some()));
    let Some(cursor) = inside else { return };
    let lines = match scroll.unit {
        MouseScrollUnit::Line => scroll.delta.y * LINE,
        MouseScrollUnit::Pixel => scroll.delta.y,
    };
    if lines != 0.0 {
        let (position, node) = &mut *tree;
        let most = (node.content_size().y - node.size().y).max(0.0) * node.inverse_scale_factor();
        position.0.y = (position.0.y - lines).clamp(0.0, most);
    }
    if buttons.just_pressed(MouseButton::Left)
        && let Some((row, ..)) = rows.iter().find(|(_, node, transform)| node.contains_point(**transform, cursor))
    {
        if choice.selected == Some(row.0) {
            orbit.frames = Frames::One(row.0);
        }
        choice.selected = Some(row.0);
    }
}

/// What the panel leaves for the streams.
pub fn leave(
    open: Res<'_, Open>,
    camera: Single<'_, '_, &Camera>,
    timeline: Single<'_, '_, &Node, With<Timeline>>,
    mut free: ResMut<'_, Free>,
) {
    let size = camera.logical_viewport_size().unwrap_or_default().max(Vec2::ONE);
    let left = if open.0 { (WIDTH + 16.0) / size.x } else { 0.0 };
    let below = if timeline.display == Display::None { 0.0 } else { timeline::TAKES / size.y };
    free.set_if_neq(Free::beside(left, below));
}
