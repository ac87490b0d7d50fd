//! Scales: frequencies along the front of each terrain, seconds along its right side.

use bevy::prelude::*;

use super::{Typeface, show};
use crate::layout::{Grid, TILE};
use crate::spectrum::frequency_to_unit;
use crate::stream::Stream;
use crate::theme::Tint;

/// Frequencies with a mark, in Hz, and what the mark says.
const FREQUENCIES: [(f32, &str); 5] = [(50.0, "50 Hz"), (200.0, "200"), (1_000.0, "1 kHz"), (4_000.0, "4"), (12_000.0, "12")];
/// Seconds from one mark to the next.
const SECONDS: f32 = 2.0;
/// With more streams than this, scales are left out.
const MOST_STREAMS: usize = 4;

/// A text at a place of a stream's terrain.
#[derive(Component, Debug)]
pub struct Mark {
    stream: Entity,
    at: Vec3,
    /// Which part of the text stands at the place: 0 its left end, 1 its right end.
    align: f32,
}

/// Gives each new stream its scales.
pub fn mark(mut commands: Commands<'_, '_>, streams: Query<'_, '_, (Entity, &Stream), Added<Stream>>, typeface: Res<'_, Typeface>) {
    for (stream, state) in &streams {
        let frequencies = FREQUENCIES.iter().map(|(frequency, label)| {
            let at = Vec3::new(frequency_to_unit(*frequency) * TILE.x, -0.02, 0.02);
            (Mark { stream, at, align: 0.5 }, (*label).to_owned())
        });
        let window = state.window_seconds();
        let seconds = (0..=((window / SECONDS) as usize)).map(|mark| {
            let ago = mark as f32 * SECONDS;
            let at = Vec3::new(TILE.x + 0.12, 0.0, -ago / window * TILE.z);
            (Mark { stream, at, align: 0.0 }, if mark == 0 { "now".to_owned() } else { format!("-{ago:.0} s") })
        });
        for (mark, label) in frequencies.chain(seconds) {
            let node = Node { position_type: PositionType::Absolute, ..default() };
            commands.spawn((mark, node, typeface.text(&label, 12.0, Tint::Dim)));
        }
    }
}

/// Keeps the marks at their places, and takes away those of streams that are gone.
pub fn place(
    mut commands: Commands<'_, '_>,
    grid: Res<'_, Grid>,
    camera: Single<'_, '_, (&Camera, &Transform)>,
    streams: Query<'_, '_, (&Transform, &Visibility), With<Stream>>,
    mut marks: Query<'_, '_, (Entity, &Mark, &mut Node, &ComputedNode)>,
) {
    let (camera, view) = *camera;
    let view = GlobalTransform::from(*view);
    let few = grid.len() <= MOST_STREAMS;
    for (entity, mark, mut node, size) in &mut marks {
        let Ok((stream, visibility)) = streams.get(mark.stream) else {
            commands.entity(entity).despawn();
            continue;
        };
        let Ok(at) = camera.world_to_viewport(&view, stream.translation + mark.at) else {
            show(&mut node, false);
            continue;
        };
        show(&mut node, few && *visibility != Visibility::Hidden);
        let size = size.size() * size.inverse_scale_factor();
        let (left, top) = (px((at.x - size.x * mark.align).round()), px((at.y - size.y * 0.5 + 8.0 * mark.align).round()));
        if node.left != left || node.top != top {
            (node.left, node.top) = (left, top);
        }
    }
}
