//! The bodies of sparks, on the left side of each terrain, along the same time axis: a diamond was rebuilt from parity, a spike was
//! sent again, a bar caught up later, and a barrier across the terrain is missing for good.

use std::f32::consts::FRAC_PI_4;

use bevy::prelude::*;

use super::sparks::{Spark, SparkKind};
use crate::flat::FlatMaterial;
use crate::layout::TILE;
use crate::spectrum::ROWS;
use crate::stream::Stream;
use crate::theme::{Theme, Tint};

/// The most sparks that one stream draws.
const MAX_DRAWN: usize = 256;
/// How far left of the terrain they stand.
const ASIDE: f32 = 0.34;

/// What all sparks share: a mesh and a material for each kind.
#[derive(Resource, Debug)]
pub struct SparkAssets(Vec<(Handle<Mesh>, Handle<FlatMaterial>)>);

/// The bodies of one stream's sparks: made when needed, hidden when not. Part of the stream's entity.
#[derive(Component, Debug, Default)]
pub struct SparkBodies(Vec<Entity>);

/// One spark's body.
#[derive(Component, Debug)]
pub struct SparkBody;

fn tint(kind: SparkKind) -> Tint {
    match kind {
        SparkKind::Repaired => Tint::Good,
        SparkKind::Resent => Tint::Warn,
        SparkKind::Backfilled => Tint::Accent,
        SparkKind::Gap => Tint::Bad,
    }
}

/// Prepares meshes and colours.
pub fn prepare(
    mut commands: Commands<'_, '_>,
    mut meshes: ResMut<'_, Assets<Mesh>>,
    mut materials: ResMut<'_, Assets<FlatMaterial>>,
    theme: Res<'_, Theme>,
) {
    let assets = SparkKind::ALL.map(|kind| {
        let mesh = match kind {
            SparkKind::Resent => Mesh::from(Cone { radius: 0.5, height: 1.0 }),
            _ => Mesh::from(Cuboid::from_length(1.0)),
        };
        (meshes.add(mesh), materials.add(FlatMaterial { colour: theme.linear(tint(kind)) }))
    });
    commands.insert_resource(SparkAssets(assets.into()));
}

/// Paints the sparks anew when the theme has changed.
pub fn paint(theme: Res<'_, Theme>, assets: Res<'_, SparkAssets>, mut materials: ResMut<'_, Assets<FlatMaterial>>) {
    for (kind, (_, handle)) in SparkKind::ALL.iter().zip(&assets.0) {
        if let Some(mut material) = materials.get_mut(handle) {
            material.colour = theme.linear(tint(*kind));
        }
    }
}

/// Puts the bodies of all streams' sparks in their places. With more than `MAX_DRAWN`, the oldest are not drawn.
pub fn fly(
    mut commands: Commands<'_, '_>,
    assets: Res<'_, SparkAssets>,
    mut streams: Query<'_, '_, (Entity, &Stream, &mut SparkBodies)>,
    mut bodies: Query<'_, '_, (&mut Transform, &mut Visibility, &mut Mesh3d, &mut MeshMaterial3d<FlatMaterial>), With<SparkBody>>,
) {
    for (owner, stream, mut pool) in &mut streams {
        let mut used = 0;
        let newest_first = stream.health_sparks().filter_map(|spark| Some((spark.kind, place(stream, spark)?)));
        for (kind, place) in newest_first.take(MAX_DRAWN) {
            let (mesh, material) = &assets.0[kind as usize];
            if let Some(body) = pool.0.get(used) {
                // One that was spawned in this very frame has its place.
                if let Ok((mut transform, mut visibility, mut shape, mut colour)) = bodies.get_mut(*body) {
                    *transform = place;
                    visibility.set_if_neq(Visibility::Inherited);
                    if shape.0 != *mesh {
                        shape.0 = mesh.clone();
                        colour.0 = material.clone();
                    }
                    if colour.0 != *material {
                        colour.0 = material.clone();
                    }
                }
            } else {
                let body = (SparkBody, ChildOf(owner), Mesh3d(mesh.clone()), MeshMaterial3d(material.clone()), place);
                pool.0.push(commands.spawn(body).id());
            }
            used += 1;
        }
        for body in pool.0.iter().skip(used) {
            if let Ok((_, mut visibility, ..)) = bodies.get_mut(*body) {
                visibility.set_if_neq(Visibility::Hidden);
            }
        }
    }
}

/// Where a spark's body stands; `None` when it is out of sight.
fn place(stream: &Stream, spark: &Spark) -> Option<Transform> {
    let row = TILE.z / ROWS as f32;
    let oldest = stream.age_in_rows(spark.range.start).min(ROWS as f32 * 0.94);
    let newest = stream.age_in_rows(spark.range.end).max(0.0);
    if oldest <= newest {
        return None;
    }
    let (middle, length) = (-(oldest + newest) / 2.0 * row, (oldest - newest) * row);
    Some(match spark.kind {
        SparkKind::Repaired => Transform::from_xyz(-ASIDE, 0.10, middle)
            .with_rotation(Quat::from_rotation_y(FRAC_PI_4))
            .with_scale(Vec3::new(0.15, 0.15, 0.15)),
        SparkKind::Resent => Transform::from_xyz(-ASIDE, 0.28, middle).with_scale(Vec3::new(0.24, 0.62, 0.24)),
        SparkKind::Backfilled => Transform::from_xyz(-ASIDE, 0.05, middle).with_scale(Vec3::new(0.13, 0.13, length.max(0.12))),
        SparkKind::Gap => {
            Transform::from_xyz(TILE.x / 2.0 - 0.3, 0.20, middle).with_scale(Vec3::new(TILE.x + 0.6, 0.40, length.max(0.05)))
        }
    })
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use send_learn_protocol::tap::Arrival;

    use super::*;
    use crate::source::Delivery;
    use crate::stream::tests::{KEY, description, step};

    #[test]
    fn a_spark_stands_at_the_time_of_its_audio() {
        let mut stream = Stream::new(KEY, description("Bass"));
        stream.push_audio(0, 2, &vec![0.0; 2 * 96_000]);
        let delivery = |arrival| Delivery { arrival, tap: None, read: Instant::now() };
        stream.deliver(24_000, 512, &delivery(Arrival::Repaired));
        stream.deliver(0, 48_000, &delivery(Arrival::Live));
        stream.push_gap(72_000, 24_000);
        stream.advance(step(0.1), |_, _| ());
        let found: Vec<_> = stream.health_sparks().map(|spark| (spark.kind, place(&stream, spark).unwrap())).collect();
        let second = 48_000.0 / 512.0 * TILE.z / ROWS as f32;
        let [(gap, barrier), (repaired, diamond)] = found[..] else { panic!("{found:?}") };
        assert_eq!((gap, repaired), (SparkKind::Gap, SparkKind::Repaired));
        assert!((barrier.translation.z + 0.25 * second).abs() < 0.01 && (barrier.scale.z - 0.5 * second).abs() < 0.01);
        assert!((diamond.translation.z + 1.495 * second).abs() < 0.01 && diamond.translation.x < 0.0);
    }
}
