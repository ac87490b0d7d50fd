//! The camera: frames all streams by itself, and orbits when a person drags it.

use bevy::camera::RenderTarget;
use bevy::core_pipeline::tonemapping::Tonemapping;
use bevy::input::mouse::{AccumulatedMouseMotion, AccumulatedMouseScroll, MouseScrollUnit};
use bevy::prelude::*;

use crate::choice::Choice;
use crate::hud::timeline::Drag;
use crate::layout::{self, Grid, TILE};
use crate::picking::OverPanel;
use crate::stream::{Identity, Stream};

/// Vertical field of view, in radians.
pub const FIELD: f32 = 0.62;
/// Where streams may stand in the picture, left, bottom, right and top, -1 to 1: below are the cards, above the header.
const FREE: Rect = Rect { min: Vec2::new(-0.95, -0.70), max: Vec2::new(0.95, 0.84) };
/// How fast the camera follows, per second.
const FOLLOW: f32 = 7.0;
/// How long after the start it does not glide but jumps, in seconds.
const SETTLE: f32 = 1.0;
/// Radians a pixel.
const TURN: f32 = 0.005;
/// Radians, and lines of the wheel, a second while a key is held.
const KEY_TURN: f32 = 1.2;
const KEY_ZOOM: f32 = 12.0;

/// What the camera keeps in the picture by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Frames {
    /// All streams.
    All,
    /// One of them.
    One(Identity),
    /// The front of one of them, from close by: where it is now.
    Ride(Identity),
    /// Nothing: a person has moved it.
    Free,
}

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
    /// What it keeps in the picture, until a person moves or zooms it.
    pub frames: Frames,
    /// Whether a person has turned it.
    pub turned: bool,
}

impl Default for Orbit {
    fn default() -> Self {
        Self { yaw: 0.0, pitch: 0.7, distance: 20.0, target: Vec3::ZERO, frames: Frames::All, turned: false }
    }
}

/// The part of the picture in which streams may stand, -1 to 1: what panels leave.
#[derive(Resource, Clone, Copy, Debug, PartialEq)]
pub struct Free(pub Rect);

impl Default for Free {
    fn default() -> Self {
        Self(FREE)
    }
}

impl Free {
    /// What a panel on the left that covers so much of the width, and a time line that covers so much of the height (0 to 1), leave.
    pub fn beside(left: f32, below: f32) -> Self {
        let left = if left > 0.0 { -1.0 + 2.0 * left.min(0.6) + 0.03 } else { FREE.min.x };
        Self(Rect { min: Vec2::new(left, FREE.min.y + 2.0 * below.min(0.2)), max: FREE.max })
    }
}

impl Orbit {
    /// From where `count` streams are best seen: one of them from a little aside, several from the front and higher up.
    pub fn overview(count: usize) -> Self {
        let (yaw, pitch) = if count <= 1 { (-0.22, 0.5) } else { (0.0, 0.72) };
        Self { yaw, pitch, ..Self::default() }
    }

    /// From where what it frames is best seen.
    fn natural(&self, count: usize) -> Self {
        let (yaw, pitch) = match self.frames {
            Frames::All => return Self { frames: self.frames, ..Self::overview(count) },
            Frames::One(_) => (-0.22, 0.5),
            Frames::Ride(_) => (-0.5, 0.3),
            Frames::Free => (self.yaw, self.pitch),
        };
        Self { yaw, pitch, ..*self }
    }

    fn rotation(&self) -> Quat {
        Quat::from_euler(EulerRot::YXZ, self.yaw, -self.pitch, 0.0)
    }

    /// Where the camera stands, and how it is turned.
    pub fn transform(&self) -> Transform {
        let rotation = self.rotation();
        Transform::from_translation(self.target + rotation * Vec3::Z * self.distance).with_rotation(rotation)
    }

    /// The same direction, from where all between `low` and `high` fills the part `free` (-1 to 1) of a picture of `aspect`
    /// (width by height).
    #[must_use]
    pub fn framing(mut self, (low, high): (Vec3, Vec3), aspect: f32, free: Rect) -> Self {
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
            let shift = (seen.center() - free.center()) * scale * self.distance;
            let rotation = self.rotation();
            self.target += rotation * Vec3::new(shift.x, shift.y, 0.0);
            let ratio = seen.size() / free.size();
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

/// Turns, moves and zooms as the mouse says: the left button turns, the right one moves (or the left with Shift), the wheel, or two
/// fingers, zoom; so do arrows and Page keys with Ctrl.
pub fn steer(
    buttons: Res<'_, ButtonInput<MouseButton>>,
    keys: Res<'_, ButtonInput<KeyCode>>,
    motion: Res<'_, AccumulatedMouseMotion>,
    scroll: Res<'_, AccumulatedMouseScroll>,
    time: Res<'_, Time<Real>>,
    (drag, over): (Res<'_, Drag>, Res<'_, OverPanel>),
    mut orbit: Single<'_, '_, &mut Orbit>,
) {
    let motion = if drag.active || over.0 { Vec2::ZERO } else { motion.delta };
    let shift = keys.any_pressed([KeyCode::ShiftLeft, KeyCode::ShiftRight]);
    let ctrl = keys.any_pressed([KeyCode::ControlLeft, KeyCode::ControlRight]);
    let held =
        |less, more| if ctrl { f32::from(u8::from(keys.pressed(more))) - f32::from(u8::from(keys.pressed(less))) } else { 0.0 };
    let by_keys = Vec2::new(held(KeyCode::ArrowRight, KeyCode::ArrowLeft), held(KeyCode::ArrowDown, KeyCode::ArrowUp));
    let turn = by_keys * KEY_TURN * time.delta_secs()
        + if buttons.pressed(MouseButton::Left) && !shift { Vec2::new(-motion.x, motion.y) * TURN } else { Vec2::ZERO };
    if turn != Vec2::ZERO {
        orbit.turned = true;
        orbit.yaw += turn.x;
        orbit.pitch = (orbit.pitch + turn.y).clamp(0.03, 1.5);
    }
    let moves = buttons.pressed(MouseButton::Right) || buttons.pressed(MouseButton::Left) && shift;
    if moves && motion != Vec2::ZERO {
        let (rotation, step) = (orbit.rotation(), orbit.distance * 0.0012);
        orbit.target += rotation * Vec3::new(-motion.x, motion.y, 0.0) * step;
        orbit.frames = Frames::Free;
    }
    let lines = match scroll.unit {
        MouseScrollUnit::Line => scroll.delta.y,
        MouseScrollUnit::Pixel => scroll.delta.y / 40.0,
    };
    let lines = if over.0 { 0.0 } else { lines } + held(KeyCode::PageDown, KeyCode::PageUp) * KEY_ZOOM * time.delta_secs();
    if lines != 0.0 {
        orbit.distance = (orbit.distance * (-lines * 0.1).exp()).clamp(2.0, 300.0);
        orbit.frames = Frames::Free;
    }
}

/// The keys that take the camera somewhere: `F` all streams from the front, `O` from above, `Enter` to the selected one, `C` close
/// to its front.
pub fn fly(keys: Res<'_, ButtonInput<KeyCode>>, choice: Res<'_, Choice>, mut orbit: Single<'_, '_, &mut Orbit>) {
    if keys.just_pressed(KeyCode::KeyF) {
        **orbit = Orbit::default();
    }
    if keys.just_pressed(KeyCode::KeyO) {
        **orbit = Orbit { pitch: 1.3, turned: true, ..Orbit::default() };
    }
    if let Some(selected) = choice.selected {
        if keys.just_pressed(KeyCode::Enter) {
            **orbit = Orbit { frames: Frames::One(selected), ..Orbit::default() };
        }
        if keys.just_pressed(KeyCode::KeyC) {
            **orbit = Orbit { frames: Frames::Ride(selected), ..Orbit::default() };
        }
        // What is selected next is flown to in the same way.
        if choice.is_changed() {
            match orbit.frames {
                Frames::One(other) if other != selected => orbit.frames = Frames::One(selected),
                Frames::Ride(other) if other != selected => orbit.frames = Frames::Ride(selected),
                _ => {}
            }
        }
    }
}

/// Moves the camera towards where it should be.
pub fn follow(
    time: Res<'_, Time<Real>>,
    (grid, free): (Res<'_, Grid>, Res<'_, Free>),
    streams: Query<'_, '_, (&Stream, &Transform), Without<Orbit>>,
    camera: Single<'_, '_, (&mut Orbit, &mut Transform, &Projection)>,
) {
    let (mut orbit, mut transform, projection) = camera.into_inner();
    let aspect = match projection {
        Projection::Perspective(perspective) if perspective.aspect_ratio.is_finite() => perspective.aspect_ratio.clamp(0.1, 10.0),
        _ => 16.0 / 9.0,
    };
    let body = |id: Identity| {
        let (stream, place) = streams.iter().find(|(stream, _)| stream.identity() == id)?;
        let (low, high) = layout::body(place.translation);
        Some((low, high.with_x(low.x + layout::reach(stream))))
    };
    let bounds = match orbit.frames {
        Frames::All => Some(grid.bounds),
        Frames::One(id) => body(id),
        Frames::Ride(id) => body(id).map(|(low, high)| (low.with_z(high.z - TILE.z * 0.35), high)),
        Frames::Free => None,
    };
    if let Some(bounds) = bounds {
        let direction = if orbit.turned { *orbit } else { orbit.natural(grid.len()) };
        let framed = Orbit { turned: orbit.turned, ..direction }.framing(bounds, aspect, free.0);
        orbit.set_if_neq(framed);
    }
    let wanted = orbit.transform();
    // At first it is there at once.
    let share = if time.elapsed_secs() > SETTLE { 1.0 - (-FOLLOW * time.delta_secs()).exp() } else { 1.0 };
    if wanted.is_finite() {
        transform.translation = transform.translation.lerp(wanted.translation, share);
        transform.rotation = transform.rotation.slerp(wanted.rotation, share);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_streams_are_in_the_picture_and_fill_it() {
        for count in [1, 2, 4, 9, 64] {
            for aspect in [4.0 / 3.0, 16.0 / 9.0, 2.4] {
                let (low, high) = Grid::of(&[count]).bounds;
                let orbit = Orbit::overview(count).framing((low, high), aspect, FREE);
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

    #[test]
    fn a_window_without_size_does_the_camera_no_harm() {
        let mut app = App::new();
        app.add_plugins(MinimalPlugins).init_resource::<Grid>().init_resource::<Free>().add_systems(Update, follow);
        let aspect_ratio = |aspect_ratio| Projection::Perspective(PerspectiveProjection { aspect_ratio, ..default() });
        let camera = app.world_mut().spawn((Orbit::default(), Transform::default(), aspect_ratio(1.0))).id();
        for ratio in [0.0, f32::NAN, f32::INFINITY, 1e-30, 1e30, 1.5] {
            app.world_mut().entity_mut(camera).insert(aspect_ratio(ratio));
            app.update();
            let transform = app.world().get::<Transform>(camera).unwrap();
            assert!(transform.is_finite(), "{ratio}: {transform:?}");
        }
    }
}
