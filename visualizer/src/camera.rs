//! The camera: frames all streams by itself, and orbits when a person drags it.

use bevy::camera::RenderTarget;
use bevy::core_pipeline::tonemapping::Tonemapping;
use bevy::input::mouse::{AccumulatedMouseMotion, AccumulatedMouseScroll, MouseScrollUnit};
use bevy::prelude::*;

use crate::layout;
use crate::stream::Stream;

/// Vertical field of view, in radians.
pub const FIELD: f32 = 0.62;
/// Where streams may stand in the picture, left, bottom, right and top, -1 to 1: below are the cards, above the header.
const FREE: Rect = Rect { min: Vec2::new(-0.95, -0.70), max: Vec2::new(0.95, 0.84) };
/// How fast the camera follows, per second.
const FOLLOW: f32 = 7.0;
/// Radians a pixel.
const TURN: f32 = 0.005;

/// What the camera looks at, and from where.
#[derive(Component, Clone, Copy, Debug, PartialEq)]
pub struct Orbit {
    /// Around the vertical, in radians; 0 looks from the front.
    pub yaw: f32,
    /// Above the ground, in radians.
    pub pitch: f32,
    /// In world units.
    pub distance: f32,
    /// The point looked at.
    pub target: Vec3,
    /// Whether it frames all streams by itself, until a person moves or zooms it.
    pub frames_all: bool,
    /// Whether a person has turned it.
    pub turned: bool,
}

impl Default for Orbit {
    fn default() -> Self {
        Self { yaw: 0.0, pitch: 0.7, distance: 20.0, target: Vec3::ZERO, frames_all: true, turned: false }
    }
}

impl Orbit {
    /// From where `count` streams are best seen: one of them from a little aside, several from the front and higher up.
    pub fn overview(count: usize) -> Self {
        let (yaw, pitch) = if count <= 1 { (-0.22, 0.5) } else { (0.0, 0.72) };
        Self { yaw, pitch, ..Self::default() }
    }

    fn rotation(&self) -> Quat {
        Quat::from_euler(EulerRot::YXZ, self.yaw, -self.pitch, 0.0)
    }

    /// Where the camera stands, and how it is turned.
    pub fn transform(&self) -> Transform {
        let rotation = self.rotation();
        Transform::from_translation(self.target + rotation * Vec3::Z * self.distance).with_rotation(rotation)
    }

    /// The same direction, from where all between `low` and `high` fills the free part of a picture of `aspect` (width by
    /// height).
    #[must_use]
    pub fn framing(mut self, (low, high): (Vec3, Vec3), aspect: f32) -> Self {
        let corners = (0..8).map(|bits| {
            let pick = |bit: usize, low: f32, high: f32| if bits >> bit & 1 == 0 { low } else { high };
            Vec3::new(pick(0, low.x, high.x), pick(1, low.y, high.y), pick(2, low.z, high.z))
        });
        let corners: Vec<Vec3> = corners.collect();
        self.target = low.midpoint(high);
        self.distance = low.distance(high).max(1.0) * 2.0;
        let scale = Vec2::new((FIELD / 2.0).tan() * aspect, (FIELD / 2.0).tan());
        // Each round brings the projected box closer to the free one in size and place; perspective makes it inexact.
        for _ in 0..24 {
            let view = self.transform().to_matrix().inverse();
            let points = corners.iter().map(|corner| view.transform_point3(*corner)).map(|point| {
                let depth = (-point.z).max(0.1);
                Vec2::new(point.x, point.y) / depth / scale
            });
            let (min, max) = points.fold((Vec2::MAX, Vec2::MIN), |(min, max), point| (min.min(point), max.max(point)));
            let seen = Rect { min, max };
            let shift = (seen.center() - FREE.center()) * scale * self.distance;
            let rotation = self.rotation();
            self.target += rotation * Vec3::new(shift.x, shift.y, 0.0);
            let ratio = seen.size() / FREE.size();
            self.distance *= ratio.max_element().clamp(0.5, 2.0);
        }
        self
    }
}

/// Brings up the camera. It draws into `target`, or into the window where there is none.
pub fn spawn(commands: &mut Commands<'_, '_>, target: Option<RenderTarget>) {
    let projection = PerspectiveProjection { fov: FIELD, far: 400.0, ..default() };
    let projection = Projection::Perspective(projection);
    // A camera that draws into an image must be told that texts go there too.
    let texts = IsDefaultUiCamera;
    let look = (Tonemapping::None, Msaa::Sample4);
    let mut camera = commands.spawn((Camera3d::default(), projection, look, texts, Orbit::default()));
    if let Some(target) = target {
        camera.insert(target);
    }
}

/// Turns, moves and zooms as the mouse says: left button orbits, right button moves, the wheel zooms, `F` frames all again.
pub fn steer(
    buttons: Res<'_, ButtonInput<MouseButton>>,
    keys: Res<'_, ButtonInput<KeyCode>>,
    motion: Res<'_, AccumulatedMouseMotion>,
    scroll: Res<'_, AccumulatedMouseScroll>,
    mut orbit: Single<'_, '_, &mut Orbit>,
) {
    let motion = motion.delta;
    if buttons.pressed(MouseButton::Left) && motion != Vec2::ZERO {
        orbit.turned = true;
        orbit.yaw -= motion.x * TURN;
        orbit.pitch = (orbit.pitch + motion.y * TURN).clamp(0.03, 1.5);
    }
    if buttons.pressed(MouseButton::Right) && motion != Vec2::ZERO {
        let (rotation, step) = (orbit.rotation(), orbit.distance * 0.0012);
        orbit.target += rotation * Vec3::new(-motion.x, motion.y, 0.0) * step;
        orbit.frames_all = false;
    }
    let lines = match scroll.unit {
        MouseScrollUnit::Line => scroll.delta.y,
        MouseScrollUnit::Pixel => scroll.delta.y / 40.0,
    };
    if lines != 0.0 {
        orbit.distance = (orbit.distance * (-lines * 0.1).exp()).clamp(2.0, 300.0);
        orbit.frames_all = false;
    }
    if keys.just_pressed(KeyCode::KeyF) {
        **orbit = Orbit::default();
    }
}

/// Moves the camera towards where it should be.
pub fn follow(
    time: Res<'_, Time<Real>>,
    streams: Query<'_, '_, (), With<Stream>>,
    camera: Single<'_, '_, (&mut Orbit, &mut Transform, &Projection)>,
    mut settled: Local<'_, bool>,
) {
    let (mut orbit, mut transform, projection) = camera.into_inner();
    let aspect = match projection {
        Projection::Perspective(perspective) if perspective.aspect_ratio.is_finite() => perspective.aspect_ratio.max(0.1),
        _ => 16.0 / 9.0,
    };
    let count = streams.iter().len();
    if orbit.frames_all {
        let direction = if orbit.turned { *orbit } else { Orbit::overview(count) };
        let framed = Orbit { turned: orbit.turned, ..direction }.framing(layout::bounds(count), aspect);
        orbit.set_if_neq(framed);
    }
    let wanted = orbit.transform();
    let share = if *settled { 1.0 - (-FOLLOW * time.delta_secs()).exp() } else { 1.0 };
    *settled = true;
    transform.translation = transform.translation.lerp(wanted.translation, share);
    transform.rotation = transform.rotation.slerp(wanted.rotation, share);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_streams_are_in_the_picture_and_fill_it() {
        for count in [1, 2, 4, 9, 64] {
            for aspect in [4.0 / 3.0, 16.0 / 9.0, 2.4] {
                let (low, high) = layout::bounds(count);
                let orbit = Orbit::overview(count).framing((low, high), aspect);
                let view = orbit.transform().to_matrix().inverse();
                let scale = Vec2::new((FIELD / 2.0).tan() * aspect, (FIELD / 2.0).tan());
                let mut seen = Rect { min: Vec2::MAX, max: Vec2::MIN };
                for corner in (0..8).map(|bits| Vec3::select(BVec3::new(bits & 1 == 0, bits & 2 == 0, bits & 4 == 0), low, high)) {
                    let point = view.transform_point3(corner);
                    assert!(point.z < 0.0, "{count} streams: behind the camera");
                    seen = seen.union_point(Vec2::new(point.x, point.y) / -point.z / scale);
                }
                let slack = 0.02;
                assert!(seen.min.cmpge(FREE.min - slack).all() && seen.max.cmple(FREE.max + slack).all(), "{count}: {seen:?}");
                let filled = seen.size() / FREE.size();
                assert!(filled.max_element() > 0.97, "{count} streams fill {filled} of the free part");
            }
        }
    }
}
