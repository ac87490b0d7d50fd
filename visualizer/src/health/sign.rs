//! The sign at a terrain whose stream is in trouble: large words that are read from across the room.

use bevy::prelude::*;

use super::verdict::{self, Severity, Verdict};
use crate::choice::Choice;
use crate::hud::{Typeface, card, set, show};
use crate::stream::Stream;
use crate::theme::{Fill, Ink, Stroke, Tint};

/// How large a sign is, as the width of its terrain allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Size {
    /// Read from across the room.
    Large,
    /// Beside a name in small letters.
    Small,
    /// The mark alone, above the name.
    Mark,
}

impl Size {
    fn of((left, right): (Vec2, Vec2)) -> Self {
        match right.x - left.x {
            width if width >= card::ROOMY => Self::Large,
            width if width >= card::TERSE => Self::Small,
            _ => Self::Mark,
        }
    }

    /// The height of letters, in pixels.
    fn letters(self) -> f32 {
        if self == Self::Large { 20.0 } else { 14.0 }
    }

    fn words(self, verdict: Verdict) -> String {
        let mark = verdict.severity.mark();
        if self == Self::Mark { mark.to_owned() } else { format!("{mark}  {}", verdict.word) }
    }
}

/// The sign of a stream.
#[derive(Component, Debug)]
pub struct Sign(Entity);

/// Its words.
#[derive(Component, Debug)]
pub struct SignText(Entity);

/// Gives each new stream its sign.
pub fn raise(mut commands: Commands<'_, '_>, streams: Query<'_, '_, Entity, Added<Stream>>, typeface: Res<'_, Typeface>) {
    for stream in &streams {
        let board = Node {
            position_type: PositionType::Absolute,
            display: Display::None,
            padding: UiRect::axes(px(12), px(4)),
            border: UiRect::all(px(2)),
            border_radius: BorderRadius::all(px(4)),
            ..default()
        };
        commands.spawn((Sign(stream), board, Fill(Tint::Panel), Stroke(Tint::Warn))).with_children(|board| {
            board.spawn((SignText(stream), typeface.text("", Size::Large.letters(), Tint::Text)));
        });
    }
}

/// Keeps signs true, below the right end of their terrains' fronts, in line with the names, or above them where there is less room; takes away those of streams that are gone.
pub fn update(
    mut commands: Commands<'_, '_>,
    choice: Res<'_, Choice>,
    camera: Single<'_, '_, (&Camera, &Transform)>,
    streams: Query<'_, '_, (&Stream, &Transform), Without<Camera>>,
    mut signs: Query<'_, '_, (Entity, &Sign, &mut Node, &mut Fill, &mut Stroke, &ComputedNode)>,
    mut texts: Query<'_, '_, (&SignText, &mut Text, &mut Ink, &mut TextFont)>,
) {
    let (camera, view) = *camera;
    for (entity, sign, mut node, mut fill, mut stroke, size) in &mut signs {
        let Ok((stream, place)) = streams.get(sign.0) else {
            commands.entity(entity).despawn();
            continue;
        };
        let severity = verdict::of(stream).severity;
        let front = card::front(camera, view, place.translation);
        let (Some(front), true, true) = (front, severity >= Severity::Look, choice.shows(stream)) else {
            show(&mut node, false);
            continue;
        };
        show(&mut node, true);
        let extent = size.size() * size.inverse_scale_factor();
        let (padding, below) = match Size::of(front) {
            Size::Large => (UiRect::axes(px(12), px(4)), 12.0),
            Size::Small => (UiRect::axes(px(8), px(1)), 9.0),
            Size::Mark => (UiRect::axes(px(5), px(0)), -extent.y),
        };
        let (left, top) = (px((front.1.x - extent.x).round()), px((front.1.y + below).round()));
        if (node.left, node.top, node.padding) != (left, top, padding) {
            (node.left, node.top, node.padding) = (left, top, padding);
        }
        // Worth a look: an outline. Losing audio: a filled board.
        fill.set_if_neq(Fill(if severity == Severity::Bad { Tint::Bad } else { Tint::Panel }));
        stroke.set_if_neq(Stroke(severity.tint()));
    }
    for (text_of, mut text, mut ink, mut font) in &mut texts {
        let Ok((stream, place)) = streams.get(text_of.0) else { continue };
        let verdict = verdict::of(stream);
        let size = card::front(camera, view, place.translation).map_or(Size::Large, Size::of);
        let letters = FontSize::Px(size.letters());
        if font.font_size != letters {
            font.font_size = letters;
        }
        set(&mut text, &size.words(verdict));
        ink.set_if_neq(Ink(if verdict.severity == Severity::Bad { Tint::Background } else { verdict.severity.tint() }));
    }
}
