//! The frame around a terrain: seen when its stream is selected, worth a look, or losing audio. Each has a pattern of its own.

use bevy::asset::embedded_asset;
use bevy::prelude::*;
use bevy::render::render_resource::{AsBindGroup, ShaderType};
use bevy::shader::ShaderRef;

use super::verdict::{self, Severity};
use crate::choice::Choice;
use crate::layout::{SKIRT, TILE};
use crate::stream::Stream;
use crate::theme::{Theme, Tint};

/// How far it stands out on each side.
const MARGIN: f32 = 0.42;

/// Draws the frames.
#[derive(Debug, Default)]
pub struct FramePlugin;

impl Plugin for FramePlugin {
    fn build(&self, app: &mut App) {
        embedded_asset!(app, "frame.wgsl");
        app.add_plugins(MaterialPlugin::<FrameMaterial>::default());
    }
}

/// What a frame looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Pattern {
    /// There is none.
    None = 0,
    /// A solid line: selected.
    Line = 1,
    /// Dashes: worth a look.
    Dashes = 2,
    /// Diagonal stripes over its whole width: losing audio.
    Stripes = 3,
}

/// The frame of a stream, and what it shows.
#[derive(Component, Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame {
    stream: Entity,
    shown: Option<(Pattern, Tint)>,
}

#[derive(Asset, TypePath, AsBindGroup, Debug, Clone)]
pub(crate) struct FrameMaterial {
    #[uniform(0)]
    look: Look,
}

#[derive(ShaderType, Debug, Clone)]
struct Look {
    colour: LinearRgba,
    ground: LinearRgba,
    shape: Vec4,
}

impl Material for FrameMaterial {
    fn fragment_shader() -> ShaderRef {
        "embedded://send_learn_visualizer/health/frame.wgsl".into()
    }

    fn enable_prepass() -> bool {
        false
    }

    fn enable_shadows() -> bool {
        false
    }
}

/// The frame that a stream has, and its tint.
pub fn pattern(stream: &Stream, choice: &Choice) -> (Pattern, Tint) {
    match verdict::of(stream).severity {
        Severity::Bad => (Pattern::Stripes, Tint::Bad),
        _ if choice.selected == Some(stream.identity()) => (Pattern::Line, Tint::Accent),
        Severity::Look => (Pattern::Dashes, Tint::Warn),
        Severity::Well | Severity::Over => (Pattern::None, Tint::None),
    }
}

/// Gives each new stream its frame.
pub(crate) fn lay(
    mut commands: Commands<'_, '_>,
    streams: Query<'_, '_, Entity, Added<Stream>>,
    mut meshes: ResMut<'_, Assets<Mesh>>,
    mut materials: ResMut<'_, Assets<FrameMaterial>>,
    theme: Res<'_, Theme>,
) {
    let size = Vec2::new(TILE.x, TILE.z) + 2.0 * MARGIN;
    for stream in &streams {
        let look = Look {
            colour: theme.linear(Tint::Accent),
            ground: theme.linear(Tint::Background),
            shape: size.extend(0.0).extend(0.0),
        };
        commands.spawn((
            Frame { stream, shown: None },
            ChildOf(stream),
            Mesh3d(meshes.add(Plane3d::default().mesh().size(size.x, size.y))),
            MeshMaterial3d(materials.add(FrameMaterial { look })),
            Transform::from_xyz(TILE.x / 2.0, -SKIRT - 0.02, -TILE.z / 2.0),
            Visibility::Hidden,
        ));
    }
}

/// Keeps frames true.
pub(crate) fn show(
    theme: Res<'_, Theme>,
    choice: Res<'_, Choice>,
    streams: Query<'_, '_, &Stream>,
    mut frames: Query<'_, '_, (&mut Frame, &MeshMaterial3d<FrameMaterial>, &mut Visibility)>,
    mut materials: ResMut<'_, Assets<FrameMaterial>>,
) {
    for (mut frame, material, mut visibility) in &mut frames {
        let Ok(stream) = streams.get(frame.stream) else { continue };
        let (pattern, tint) = pattern(stream, &choice);
        if frame.shown == Some((pattern, tint)) && !theme.is_changed() {
            continue;
        }
        frame.shown = Some((pattern, tint));
        visibility.set_if_neq(if pattern == Pattern::None { Visibility::Hidden } else { Visibility::Inherited });
        if let Some(mut material) = materials.get_mut(&material.0) {
            material.look.colour = theme.linear(tint);
            material.look.ground = theme.linear(Tint::Background);
            material.look.shape.z = f32::from(pattern as u8);
        }
    }
}

#[cfg(test)]
mod tests {
    use send_learn_protocol::tap::Health;

    use super::*;
    use crate::stream::tests::{KEY, description};

    #[test]
    fn what_is_wrong_has_a_pattern_of_its_own() {
        let mut stream = Stream::new(KEY, description("Bass"));
        let mut choice = Choice::default();
        let of = |stream: &Stream, choice: &Choice| pattern(stream, choice).0;
        assert_eq!(of(&stream, &choice), Pattern::None);
        choice.selected = Some(stream.identity());
        assert_eq!(of(&stream, &choice), Pattern::Line);
        stream.health = Some(Health { residual_loss: 0.2, level: 1.0, ..Health::default() });
        assert_eq!(of(&stream, &choice), Pattern::Stripes, "a loss is seen even on what is selected");
        stream.health = Some(Health { level: 0.7, ..Health::default() });
        assert_eq!(of(&stream, &Choice::default()), Pattern::Dashes);
    }
}
