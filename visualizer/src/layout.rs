//! Where each stream stands: in a grid on the ground, in the order in which they came.

use bevy::prelude::*;

use crate::stream::Stream;

/// Width (frequency), height (level) and depth (time) of a terrain, in world units. It spans x from 0 to its width and z from
/// 0 (now) to its negative depth.
pub const TILE: Vec3 = Vec3::new(12.5, 2.6, 8.5);
/// How far the plate with the waveform reaches down in front of a terrain.
pub const SKIRT: f32 = 0.95;
/// The free ground between two terrains.
const GAP: Vec2 = Vec2::new(1.6, 4.2);

/// The place of a stream in the order of the picture.
#[derive(Component, Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Slot(pub u64);

/// Columns of a grid of `count` streams.
pub fn columns(count: usize) -> usize {
    (1..).find(|columns| columns * columns >= count).unwrap_or(1)
}

/// Where the stream at `index` of `count` stands: the front left corner of its terrain.
pub fn place(index: usize, count: usize) -> Vec3 {
    let columns = columns(count);
    let (row, column) = (index / columns, index % columns);
    Vec3::new(column as f32 * (TILE.x + GAP.x), 0.0, row as f32 * (TILE.z + GAP.y))
}

/// The lowest and the highest corner of all that `count` streams take up.
pub fn bounds(count: usize) -> (Vec3, Vec3) {
    let count = count.max(1);
    let last = place(count - 1, count);
    let right = place(columns(count) - 1, count);
    (Vec3::new(0.0, -SKIRT, -TILE.z), Vec3::new(right.x + TILE.x, TILE.y * 0.55, last.z))
}

/// Puts every stream in its place.
pub fn arrange(mut streams: Query<'_, '_, (&Slot, &mut Transform), With<Stream>>) {
    let mut sorted: Vec<_> = streams.iter_mut().collect();
    sorted.sort_by_key(|(slot, _)| **slot);
    let count = sorted.len();
    for (index, (_, transform)) in sorted.iter_mut().enumerate() {
        let at = place(index, count);
        if transform.translation != at {
            transform.translation = at;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn terrains_do_not_touch() {
        for count in 1..=64 {
            for (a, b) in (0..count).flat_map(|a| (0..a).map(move |b| (a, b))) {
                let apart = (place(a, count) - place(b, count)).abs();
                assert!(apart.x > TILE.x || apart.z > TILE.z, "{a} and {b} of {count}");
            }
        }
    }

    #[test]
    fn the_bounds_hold_every_terrain() {
        for count in 1..=64 {
            let (low, high) = bounds(count);
            for at in (0..count).map(|index| place(index, count)) {
                assert!(at.x >= low.x && at.x + TILE.x <= high.x + 1e-3, "{count}");
                assert!(at.z - TILE.z >= low.z && at.z <= high.z + 1e-3, "{count}");
            }
        }
    }
}
