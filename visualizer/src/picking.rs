//! The mouse selects the stream that is clicked; a double click flies there.

use bevy::math::bounding::{Aabb3d, RayCast3d};
use bevy::prelude::*;
use bevy::window::PrimaryWindow;

use crate::camera::{Frames, Orbit};
use crate::choice::Choice;
use crate::hud::timeline::Drag;
use crate::layout;
use crate::stream::{Identity, Stream};

/// A mouse that moved farther than this while the button was down has turned the picture, in pixels.
const STILL: f32 = 4.0;
/// The longest time between the two clicks of a double click, in seconds.
const DOUBLE: f32 = 0.4;

/// Whether the mouse is over something flat, which takes the click.
#[derive(Resource, Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct OverPanel(pub bool);

/// The click that is going on, and the one before.
#[derive(Debug, Default)]
pub struct Clicks {
    down: Option<Vec2>,
    last: Option<(Option<Identity>, f32)>,
}

/// The nearest of the bodies that `ray` meets.
pub fn hit<T>(ray: Ray3d, bodies: impl Iterator<Item = (T, (Vec3, Vec3))>) -> Option<T> {
    let cast = RayCast3d::from_ray(ray, 1_000.0);
    let hits = bodies.filter_map(|(what, (low, high))| {
        let body = Aabb3d { min: low.into(), max: high.into() };
        Some((what, cast.aabb_intersection_at(&body)?))
    });
    hits.min_by(|one, other| one.1.total_cmp(&other.1)).map(|(what, _)| what)
}

/// Selects what is clicked.
pub fn pick(
    window: Option<Single<'_, '_, &Window, With<PrimaryWindow>>>,
    (buttons, time): (Res<'_, ButtonInput<MouseButton>>, Res<'_, Time<Real>>),
    (drag, over): (Res<'_, Drag>, Res<'_, OverPanel>),
    camera: Single<'_, '_, (&Camera, &Transform, &mut Orbit)>,
    streams: Query<'_, '_, (&Stream, &Transform), Without<Camera>>,
    mut choice: ResMut<'_, Choice>,
    mut clicks: Local<'_, Clicks>,
) {
    let Some(cursor) = window.and_then(|window| window.cursor_position()) else { return };
    if buttons.just_pressed(MouseButton::Left) {
        clicks.down = (!over.0 && !drag.active).then_some(cursor);
    }
    if !buttons.just_released(MouseButton::Left) {
        return;
    }
    if clicks.down.take().is_none_or(|down| down.distance(cursor) > STILL) {
        return;
    }
    let (camera, view, mut orbit) = camera.into_inner();
    let Ok(ray) = camera.viewport_to_world(&GlobalTransform::from(*view), cursor) else { return };
    let shown = streams.iter().filter(|(stream, _)| choice.shows(stream));
    let hit = hit(ray, shown.map(|(stream, place)| (stream.identity(), layout::body(place.translation))));
    let now = time.elapsed_secs();
    let twice = clicks.last.is_some_and(|(what, at)| what == hit && now - at < DOUBLE);
    clicks.last = Some((hit, now));
    if choice.selected != hit {
        choice.selected = hit;
    }
    if let Some(stream) = hit.filter(|_| twice) {
        orbit.frames = Frames::One(stream);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layout::{Grid, TILE};

    #[test]
    fn a_click_hits_the_terrain_that_stands_in_front() {
        let grid = Grid::of(&[9]);
        for (index, place) in grid.places.iter().enumerate() {
            let target = *place + Vec3::new(TILE.x / 2.0, 0.0, -TILE.z / 2.0);
            let from = target + Vec3::new(3.0, 30.0, 30.0);
            let ray = Ray3d::new(from, Dir3::new(target - from).unwrap());
            assert_eq!(hit(ray, grid.places.iter().map(|place| layout::body(*place)).enumerate()), Some(index));
        }
        let up = Ray3d::new(Vec3::new(3.0, 10.0, -3.0), Dir3::Y);
        assert_eq!(hit(up, grid.places.iter().map(|place| layout::body(*place)).enumerate()), None);
    }
}
