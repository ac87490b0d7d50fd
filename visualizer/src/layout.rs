//! Where each stream stands: in a grid on the ground, by machine and then in the order in which they came.

use std::collections::BTreeMap;

use bevy::prelude::*;
use send_learn_protocol::units::MachineId;

use crate::choice::Choice;
use crate::lane;
use crate::stream::Stream;

/// Width (frequency), height (level) and depth (time) of a terrain, in world units. It spans x from 0 to its width and z from
/// 0 (now) to its negative depth.
pub const TILE: Vec3 = Vec3::new(12.5, 2.6, 8.5);
/// How far the plate with the waveform reaches down in front of a terrain.
pub const SKIRT: f32 = 0.95;
/// The free ground between two terrains: beside one, its lane and its scale; before it, its card.
const GAP: Vec2 = Vec2::new(2.4, 6.0);
/// More free ground before another machine's.
const MACHINE_GAP: f32 = 2.4;

/// The place of a stream in the order of the picture.
#[derive(Component, Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Slot(pub u64);

/// Where terrains stand: one group for each machine, each from a new row on.
#[derive(Resource, Clone, Debug, PartialEq)]
pub struct Grid {
    /// The front left corner of each terrain, group by group.
    pub places: Vec<Vec3>,
    /// The lowest and the highest corner of all.
    pub bounds: (Vec3, Vec3),
}

impl Default for Grid {
    fn default() -> Self {
        Self::of(&[])
    }
}

impl Grid {
    /// A grid for groups of so many terrains, about as wide as it is deep.
    pub fn of(groups: &[usize]) -> Self {
        let rows = |columns: usize| groups.iter().map(|count| count.div_ceil(columns)).sum::<usize>();
        let columns = (1..).find(|columns| columns * columns >= rows(*columns) * columns && *columns >= rows(*columns));
        let columns = columns.unwrap_or(1);
        let mut places = Vec::new();
        let mut row = 0;
        for (group, count) in groups.iter().enumerate() {
            for index in 0..*count {
                let x = (index % columns) as f32 * (TILE.x + GAP.x);
                let z = (row + index / columns) as f32 * (TILE.z + GAP.y) + group as f32 * MACHINE_GAP;
                places.push(Vec3::new(x, 0.0, z));
            }
            row += count.div_ceil(columns);
        }
        let ends = places.iter().fold(Vec3::ZERO, |ends, place| ends.max(*place));
        let high = Vec3::new(ends.x + TILE.x, TILE.y * 0.55, ends.z);
        Self { places, bounds: (Vec3::new(0.0, -SKIRT, -TILE.z), high) }
    }

    /// How many terrains stand in it.
    pub fn len(&self) -> usize {
        self.places.len()
    }

    /// Whether none does.
    pub fn is_empty(&self) -> bool {
        self.places.is_empty()
    }
}

/// What a terrain at `place` takes up: its lowest and its highest corner.
pub fn body(place: Vec3) -> (Vec3, Vec3) {
    (place + Vec3::new(0.0, -SKIRT, -TILE.z), place + Vec3::new(TILE.x, TILE.y * 0.55, 0.0))
}

/// How far a terrain reaches to the right with its lane, if there is one, in world units.
pub fn reach(stream: &Stream) -> f32 {
    TILE.x + if stream.curves.is_empty() { 0.0 } else { lane::ASIDE + lane::WIDTH }
}

/// Puts every stream in its place, and hides those that are not wanted.
pub fn arrange(
    choice: Res<'_, Choice>,
    mut grid: ResMut<'_, Grid>,
    mut streams: Query<'_, '_, (&Slot, &Stream, &mut Transform, &mut Visibility)>,
) {
    let mut sorted: Vec<_> = Vec::new();
    let mut first: BTreeMap<MachineId, Slot> = BTreeMap::new();
    for (slot, stream, transform, mut visibility) in &mut streams {
        let shown = choice.shows(stream);
        visibility.set_if_neq(if shown { Visibility::Inherited } else { Visibility::Hidden });
        let machine = stream.description.machine;
        let earliest = first.entry(machine).or_insert(*slot);
        *earliest = (*earliest).min(*slot);
        if shown {
            sorted.push((machine, *slot, transform, reach(stream)));
        }
    }
    sorted.sort_by_key(|(machine, slot, ..)| (first[machine], *slot));
    let groups: Vec<usize> = sorted.chunk_by(|one, other| one.0 == other.0).map(<[_]>::len).collect();
    let mut wanted = Grid::of(&groups);
    for ((.., reach), place) in sorted.iter().zip(&wanted.places) {
        wanted.bounds.1.x = wanted.bounds.1.x.max(place.x + reach);
    }
    grid.set_if_neq(wanted);
    for ((_, _, transform, _), place) in sorted.iter_mut().zip(&grid.places) {
        if transform.translation != *place {
            transform.translation = *place;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grids() -> impl Iterator<Item = Grid> {
        let several = [vec![1, 1], vec![3, 1, 2], vec![16, 16, 16, 16], vec![60, 4], vec![1; 64]];
        (0..=64).map(|count| vec![count]).chain(several).map(|groups| Grid::of(&groups))
    }

    #[test]
    fn terrains_do_not_touch_and_all_are_within_the_bounds() {
        for grid in grids() {
            let (low, high) = grid.bounds;
            for (index, at) in grid.places.iter().enumerate() {
                for other in &grid.places[..index] {
                    let apart = (*at - *other).abs();
                    assert!(apart.x > TILE.x || apart.z > TILE.z, "{at} and {other}");
                }
                assert!(at.x >= low.x && at.x + TILE.x <= high.x + 1e-3);
                assert!(at.z - TILE.z >= low.z && at.z <= high.z + 1e-3);
            }
        }
    }

    #[test]
    fn a_grid_is_about_as_wide_as_it_is_deep() {
        assert_eq!(Grid::of(&[64]).places[63], Vec3::new(7.0 * (TILE.x + GAP.x), 0.0, 7.0 * (TILE.z + GAP.y)));
        assert_eq!(Grid::of(&[2]).places[1].z, 0.0, "two stand side by side");
        assert!(Grid::of(&[]).is_empty());
    }

    #[test]
    fn each_machine_begins_a_row_of_its_own() {
        let grid = Grid::of(&[3, 2]);
        assert_eq!(grid.len(), 5);
        assert_eq!(grid.places[3].x, 0.0);
        assert!(grid.places[3].z > grid.places[2].z);
    }
}
