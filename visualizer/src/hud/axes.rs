//! Scales: frequencies along the front of each terrain, seconds along its right side; and what the curves beside it are of.

use bevy::prelude::*;

use super::{Typeface, set, show};
use crate::curves::MAX_CURVES;
use crate::lane;
use crate::layout::{self, Grid, TILE};
use crate::spectrum::frequency_to_unit;
use crate::stream::Stream;
use crate::theme::Tint;

/// Frequencies with a mark, in Hz, and what the mark says.
const FREQUENCIES: [(f32, &str); 5] = [(50.0, "50 Hz"), (200.0, "200"), (1_000.0, "1 kHz"), (4_000.0, "4"), (12_000.0, "12")];
/// Seconds from one mark to the next.
const SECONDS: f32 = 2.0;
/// From one name of a curve to the next, in pixels.
const LINE: f32 = 14.0;
/// What stays free between a text and the right edge of the picture, in pixels.
const MARGIN: f32 = 8.0;
/// With more streams than this, scales are left out.
const MOST_STREAMS: usize = 4;

/// A text at a place of a stream's terrain.
#[derive(Component, Debug)]
pub struct Mark {
    stream: Entity,
    at: Vec3,
    /// Which part of the text stands at the place: 0 its left end, 1 its right end.
    align: f32,
    kind: MarkKind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum MarkKind {
    Frequency,
    /// Stands beyond the lane with the curves, where there is one.
    Seconds,
    /// The name of the curve with this index.
    Curve(usize),
}

/// Gives each new stream its scales.
pub fn mark(mut commands: Commands<'_, '_>, streams: Query<'_, '_, (Entity, &Stream), Added<Stream>>, typeface: Res<'_, Typeface>) {
    for (stream, state) in &streams {
        let frequencies = FREQUENCIES.iter().map(|(frequency, label)| {
            let at = Vec3::new(frequency_to_unit(*frequency) * TILE.x, -0.02, 0.02);
            (Mark { stream, at, align: 0.5, kind: MarkKind::Frequency }, (*label).to_owned(), Tint::Dim)
        });
        let window = state.window_seconds();
        let seconds = (0..=((window / SECONDS) as usize)).map(|mark| {
            let ago = mark as f32 * SECONDS;
            let at = Vec3::new(TILE.x + 0.12, 0.0, -ago / window * TILE.z);
            let label = if mark == 0 { "now".to_owned() } else { format!("-{ago:.0} s") };
            (Mark { stream, at, align: 0.0, kind: MarkKind::Seconds }, label, Tint::Dim)
        });
        let curves = (0..MAX_CURVES).map(|index| {
            let at = Vec3::new(TILE.x + lane::ASIDE, -0.06, 0.02);
            (Mark { stream, at, align: 0.0, kind: MarkKind::Curve(index) }, String::new(), lane::TINTS[index])
        });
        for (mark, label, tint) in frequencies.chain(seconds).chain(curves) {
            let node = Node { position_type: PositionType::Absolute, ..default() };
            commands.spawn((mark, node, typeface.text(&label, 12.0, tint)));
        }
    }
}

/// Keeps the marks at their places, and takes away those of streams that are gone.
pub fn place(
    mut commands: Commands<'_, '_>,
    grid: Res<'_, Grid>,
    camera: Single<'_, '_, (&Camera, &Transform)>,
    streams: Query<'_, '_, (&Stream, &Transform, &Visibility)>,
    mut marks: Query<'_, '_, (Entity, &Mark, &mut Node, &mut Text, &ComputedNode)>,
) {
    let (camera, view) = *camera;
    let view = GlobalTransform::from(*view);
    let few = grid.len() <= MOST_STREAMS;
    let right = camera.logical_viewport_size().unwrap_or_default().x - MARGIN;
    for (entity, mark, mut node, mut text, size) in &mut marks {
        let Ok((stream, place, visibility)) = streams.get(mark.stream) else {
            commands.entity(entity).despawn();
            continue;
        };
        let aside = if mark.kind == MarkKind::Seconds { layout::reach(stream) - TILE.x } else { 0.0 };
        let Ok(mut at) = camera.world_to_viewport(&view, place.translation + mark.at + Vec3::X * aside) else {
            show(&mut node, false);
            continue;
        };
        if let MarkKind::Curve(index) = mark.kind {
            let name = stream.curves.iter().nth(index).map(|curve| stream.curves.name(curve.control));
            set(&mut text, &name.unwrap_or_default());
            at.y += LINE * (index as f32 + 0.7);
        }
        show(&mut node, few && *visibility != Visibility::Hidden);
        let size = size.size() * size.inverse_scale_factor();
        // What stands in the picture is not cut off by its edge.
        let left = if at.x < right { (at.x - size.x * mark.align).min(right - size.x) } else { at.x };
        let (left, top) = (px(left.round()), px((at.y - size.y * 0.5 + 8.0 * mark.align).round()));
        if node.left != left || node.top != top {
            (node.left, node.top) = (left, top);
        }
    }
}
