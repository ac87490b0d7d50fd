//! The sign at a terrain whose stream is in trouble: large words that are read from across the room.

use bevy::prelude::*;

use super::verdict::{self, Severity};
use crate::choice::Choice;
use crate::hud::{Typeface, set, show};
use crate::layout::{SKIRT, TILE};
use crate::stream::Stream;
use crate::theme::{Fill, Ink, Stroke, Tint};

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
            board.spawn((SignText(stream), typeface.text("", 20.0, Tint::Text)));
        });
    }
}

/// Keeps signs true, below the right end of their terrains' fronts, in line with the names; takes away those of streams that are gone.
pub fn update(
    mut commands: Commands<'_, '_>,
    choice: Res<'_, Choice>,
    camera: Single<'_, '_, (&Camera, &Transform)>,
    streams: Query<'_, '_, (&Stream, &Transform), Without<Camera>>,
    mut signs: Query<'_, '_, (Entity, &Sign, &mut Node, &mut Fill, &mut Stroke, &ComputedNode)>,
    mut texts: Query<'_, '_, (&SignText, &mut Text, &mut Ink)>,
) {
    let (camera, view) = *camera;
    let view = GlobalTransform::from(*view);
    for (entity, sign, mut node, mut fill, mut stroke, size) in &mut signs {
        let Ok((stream, place)) = streams.get(sign.0) else {
            commands.entity(entity).despawn();
            continue;
        };
        let severity = verdict::of(stream).severity;
        let at = camera.world_to_viewport(&view, place.translation + Vec3::new(TILE.x, -SKIRT, 0.0));
        let (Ok(at), true, true) = (at, severity >= Severity::Look, choice.shows(stream)) else {
            show(&mut node, false);
            continue;
        };
        show(&mut node, true);
        let width = size.size().x * size.inverse_scale_factor();
        let (left, top) = (px((at.x - width).round()), px((at.y + 12.0).round()));
        if (node.left, node.top) != (left, top) {
            (node.left, node.top) = (left, top);
        }
        // Worth a look: an outline. Losing audio: a filled board.
        fill.set_if_neq(Fill(if severity == Severity::Bad { Tint::Bad } else { Tint::Panel }));
        stroke.set_if_neq(Stroke(severity.tint()));
    }
    for (text_of, mut text, mut ink) in &mut texts {
        let Ok((stream, _)) = streams.get(text_of.0) else { continue };
        let verdict = verdict::of(stream);
        set(&mut text, &format!("{}  {}", verdict.severity.mark(), verdict.word));
        ink.set_if_neq(Ink(if verdict.severity == Severity::Bad { Tint::Background } else { verdict.severity.tint() }));
    }
}
