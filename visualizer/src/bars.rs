//! Bar lines: they fly with the notes, at their height, each with its number at the left end.

use bevy::prelude::*;

use crate::flat::FlatMaterial;
use crate::hud::{Typeface, set, show};
use crate::layout::{Grid, TILE};
use crate::piano_roll::ALTITUDE;
use crate::spectrum::ROWS;
use crate::stream::Stream;
use crate::theme::{Theme, Tint};

/// The most bars that one stream shows.
const MAX_SHOWN: usize = 24;
/// With more streams than this, bars have no numbers.
const MOST_STREAMS: usize = 4;
/// Part of a terrain's depth at whose far end bars are no longer shown: it sinks into the ground there.
const FAR: f32 = 0.94;

/// What all bar lines share.
#[derive(Resource, Debug)]
pub struct BarAssets {
    body: Handle<Mesh>,
    colour: Handle<FlatMaterial>,
}

/// The lines of one stream, and their numbers: made when needed, hidden when not. Part of the stream's entity.
#[derive(Component, Debug, Default)]
pub struct BarLines(Vec<Entity>);

/// A line.
#[derive(Component, Debug)]
pub struct BarLine {
    number: i32,
    stream: Entity,
}

/// The number of a line.
#[derive(Component, Debug)]
pub struct BarNumber(Entity);

/// Prepares mesh and colour.
pub fn prepare(
    mut commands: Commands<'_, '_>,
    mut meshes: ResMut<'_, Assets<Mesh>>,
    mut materials: ResMut<'_, Assets<FlatMaterial>>,
    theme: Res<'_, Theme>,
) {
    let colour = materials.add(FlatMaterial { colour: theme.linear(Tint::Line) });
    commands.insert_resource(BarAssets { body: meshes.add(Cuboid::new(TILE.x, 0.012, 0.022)), colour });
}

/// Paints the lines anew when the theme has changed.
pub fn paint(theme: Res<'_, Theme>, assets: Res<'_, BarAssets>, mut materials: ResMut<'_, Assets<FlatMaterial>>) {
    if let Some(mut material) = materials.get_mut(&assets.colour) {
        material.colour = theme.linear(Tint::Line);
    }
}

/// How far behind the front the bars of a stream begin, in world units, with their numbers.
fn places(stream: &Stream) -> Vec<(f32, i32)> {
    let rate = stream.description.sample_rate;
    let reach = f64::from(stream.window_seconds()) * rate * f64::from(FAR);
    let (now, row) = (stream.shown(), TILE.z / ROWS as f32);
    let mut places = Vec::new();
    stream.score.bars((now - reach).max(0.0), now, rate, |at, number| {
        places.push((-stream.age_in_rows(at as u64) * row, number));
    });
    // The newest are nearest to the eye.
    let surplus = places.len().saturating_sub(MAX_SHOWN);
    places.split_off(surplus)
}

/// Puts the lines of all streams in their places.
pub fn fly(
    mut commands: Commands<'_, '_>,
    (assets, typeface): (Res<'_, BarAssets>, Res<'_, Typeface>),
    mut streams: Query<'_, '_, (Entity, &Stream, &mut BarLines)>,
    mut lines: Query<'_, '_, (&mut BarLine, &mut Transform, &mut Visibility)>,
) {
    for (owner, stream, mut pool) in &mut streams {
        let places = places(stream);
        for (index, (z, number)) in places.iter().enumerate() {
            let place = Transform::from_xyz(TILE.x / 2.0, ALTITUDE * TILE.y, *z);
            if let Some(line) = pool.0.get(index) {
                // One that was spawned in this very frame has its place.
                let Ok((mut line, mut transform, mut visibility)) = lines.get_mut(*line) else { continue };
                line.number = *number;
                *transform = place;
                visibility.set_if_neq(Visibility::Inherited);
                continue;
            }
            let body = (Mesh3d(assets.body.clone()), MeshMaterial3d(assets.colour.clone()));
            let line = commands.spawn((BarLine { number: *number, stream: owner }, ChildOf(owner), body, place)).id();
            let node = Node { position_type: PositionType::Absolute, display: Display::None, ..default() };
            commands.spawn((BarNumber(line), node, typeface.text("", 12.0, Tint::Dim)));
            pool.0.push(line);
        }
        for line in pool.0.iter().skip(places.len()) {
            if let Ok((_, _, mut visibility)) = lines.get_mut(*line) {
                visibility.set_if_neq(Visibility::Hidden);
            }
        }
    }
}

/// Keeps the numbers at the left ends of their lines; takes away those of lines that are gone.
pub fn number(
    mut commands: Commands<'_, '_>,
    grid: Res<'_, Grid>,
    camera: Single<'_, '_, (&Camera, &Transform)>,
    streams: Query<'_, '_, (&Transform, &Visibility), With<Stream>>,
    lines: Query<'_, '_, (&BarLine, &Transform, &Visibility), Without<Stream>>,
    mut numbers: Query<'_, '_, (Entity, &BarNumber, &mut Node, &mut Text, &ComputedNode)>,
) {
    let (camera, view) = *camera;
    let view = GlobalTransform::from(*view);
    for (entity, of, mut node, mut text, size) in &mut numbers {
        let Ok((line, place, visibility)) = lines.get(of.0) else {
            commands.entity(entity).despawn();
            continue;
        };
        let Ok((stream, shown)) = streams.get(line.stream) else { continue };
        let end = stream.translation + place.translation - Vec3::X * (TILE.x / 2.0 + 0.1);
        let at = camera.world_to_viewport(&view, end);
        let wanted = grid.len() <= MOST_STREAMS && *visibility != Visibility::Hidden && *shown != Visibility::Hidden;
        let (true, Ok(at)) = (wanted, at) else {
            show(&mut node, false);
            continue;
        };
        show(&mut node, true);
        set(&mut text, &line.number.to_string());
        let size = size.size() * size.inverse_scale_factor();
        let (left, top) = (px((at.x - size.x).round()), px((at.y - size.y / 2.0).round()));
        if (node.left, node.top) != (left, top) {
            (node.left, node.top) = (left, top);
        }
    }
}

#[cfg(test)]
mod tests {
    use send_learn_protocol::record::{Transport, TransportFlags};

    use super::*;
    use crate::stream::tests::{KEY, description, step};

    #[test]
    fn bars_stand_where_they_were_played() {
        let mut stream = Stream::new(KEY, description("Drums"));
        let given = [TransportFlags::TEMPO, TransportFlags::METER, TransportFlags::PPQ, TransportFlags::BAR];
        let flags = given.into_iter().fold(TransportFlags::PLAYING, |flags, flag| flags.with(flag, true));
        stream.push_transport(Transport { flags, meter: (4, 4), tempo: 120.0, ..Transport::default() });
        stream.push_audio(0, 2, &vec![0.0; 2 * 240_000]);
        stream.advance(step(0.1), |_, _| ());
        let second = 48_000.0 / 512.0 * TILE.z / ROWS as f32;
        let found = places(&stream);
        let expected = [(-5.0 * second, 1), (-3.0 * second, 2), (-second, 3)];
        assert_eq!(found.len(), expected.len(), "{found:?}");
        for ((z, number), (at, bar)) in found.iter().zip(expected) {
            assert!((z - at).abs() < 1e-3 && *number == bar, "{found:?}");
        }
    }
}
