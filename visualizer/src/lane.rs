//! The lane on the right of a terrain: curves of controllers, pitch bend and automation along the same time axis. A stream in which nothing
//! moves has none.

use std::f32::consts::FRAC_PI_2;

use bevy::asset::embedded_asset;
use bevy::prelude::*;
use bevy::render::render_resource::{AsBindGroup, ShaderType};
use bevy::shader::ShaderRef;

use crate::curves::MAX_CURVES;
use crate::layout::TILE;
use crate::stream::Stream;
use crate::theme::{Theme, Tint};
use crate::upload::{RowUpload, Uploads, row_texture};

/// Its width, in world units.
pub const WIDTH: f32 = 1.3;
/// Its distance from the terrain.
pub const ASIDE: f32 = 0.12;
/// Points of a curve from its oldest to its newest end.
const COLUMNS: u64 = 512;
/// The value of what has none.
const NONE: f32 = -1.0;
/// The colours of the curves.
pub const TINTS: [Tint; MAX_CURVES] = [Tint::Accent, Tint::Warn, Tint::Good, Tint::Text];

/// Draws the lanes.
#[derive(Debug, Default)]
pub struct LanePlugin;

impl Plugin for LanePlugin {
    fn build(&self, app: &mut App) {
        embedded_asset!(app, "lane.wgsl");
        app.add_plugins(MaterialPlugin::<LaneMaterial>::default());
    }
}

/// The texture that a stream's curves are written into, once it has any. Part of the stream's entity.
#[derive(Component, Clone, Debug, Default)]
pub struct LaneRows {
    image: Option<Handle<Image>>,
    /// The column at the front, and the changes of the curves, that were drawn last.
    drawn: Option<(u64, u64)>,
}

impl LaneRows {
    /// Forgets what it holds.
    pub fn clear(&mut self) {
        self.drawn = None;
    }
}

#[derive(Asset, TypePath, AsBindGroup, Debug, Clone)]
pub(crate) struct LaneMaterial {
    #[texture(0, sample_type = "float", filterable = false)]
    values: Handle<Image>,
    #[uniform(1)]
    look: Look,
}

#[derive(ShaderType, Debug, Clone)]
struct Look {
    colours: [LinearRgba; MAX_CURVES],
    plate: LinearRgba,
    line: LinearRgba,
}

impl Look {
    fn of(theme: Theme) -> Self {
        let colours = TINTS.map(|tint| theme.linear(tint));
        Self { colours, plate: theme.linear(Tint::Plate), line: theme.linear(Tint::Line) }
    }
}

impl Material for LaneMaterial {
    fn fragment_shader() -> ShaderRef {
        "embedded://send_learn_visualizer/lane.wgsl".into()
    }

    fn enable_prepass() -> bool {
        false
    }

    fn enable_shadows() -> bool {
        false
    }
}

/// Paints the lanes anew when the theme has changed.
pub(crate) fn paint(theme: Res<'_, Theme>, mut lanes: ResMut<'_, Assets<LaneMaterial>>) {
    for (_, lane) in lanes.iter_mut() {
        lane.look = Look::of(*theme);
    }
}

/// Gives a stream its lane when something moves in it, and keeps its curves true.
pub(crate) fn draw(
    mut commands: Commands<'_, '_>,
    theme: Res<'_, Theme>,
    mut meshes: ResMut<'_, Assets<Mesh>>,
    mut images: ResMut<'_, Assets<Image>>,
    mut lanes: ResMut<'_, Assets<LaneMaterial>>,
    mut uploads: ResMut<'_, Uploads>,
    mut streams: Query<'_, '_, (Entity, &Stream, &mut LaneRows)>,
) {
    for (owner, stream, mut rows) in &mut streams {
        if stream.curves.is_empty() && rows.image.is_none() {
            continue;
        }
        let image = rows.image.get_or_insert_with(|| {
            let image = images.add(row_texture(COLUMNS as u32, MAX_CURVES as u32));
            let material = LaneMaterial { values: image.clone(), look: Look::of(*theme) };
            commands.spawn((
                ChildOf(owner),
                Mesh3d(meshes.add(Rectangle::new(WIDTH, TILE.z))),
                MeshMaterial3d(lanes.add(material)),
                Transform::from_xyz(TILE.x + ASIDE + WIDTH / 2.0, 0.0, -TILE.z / 2.0)
                    .with_rotation(Quat::from_rotation_x(-FRAC_PI_2)),
            ));
            image
        });
        let image = image.id();
        let state = ((stream.shown() / per_column(stream)) as u64, stream.curves.changes());
        if rows.drawn != Some(state) {
            rows.drawn = Some(state);
            let texels = values(stream, state.0);
            uploads.0.extend((0..).zip(texels).map(|(row, texels)| RowUpload { image, row, texels }));
        }
    }
}

/// Samples that a column stands for. Columns keep to fixed positions, so that a curve moves without changing its shape.
fn per_column(stream: &Stream) -> f64 {
    (f64::from(stream.window_seconds()) * stream.description.sample_rate / COLUMNS as f64).max(1.0)
}

/// The values of all curves in the columns up to `end`, oldest first.
fn values(stream: &Stream, end: u64) -> [Vec<f32>; MAX_CURVES] {
    let mut curves = stream.curves.iter();
    let wide = per_column(stream);
    std::array::from_fn(|_| {
        let curve = curves.next();
        let value = |back: u64| {
            let position = end.checked_sub(back)? as f64 * wide;
            curve?.at(position, stream.curves.grain())
        };
        (0..COLUMNS).rev().map(|back| value(back).unwrap_or(NONE)).collect()
    })
}

#[cfg(test)]
mod tests {
    use send_learn_protocol::units::SamplePosition;

    use super::*;
    use crate::source::MidiMessage;
    use crate::stream::tests::{KEY, description, step};

    #[test]
    fn a_curve_stands_beside_what_sounded_at_the_same_time() {
        let mut stream = Stream::new(KEY, description("Pad"));
        for (position, bytes) in [(48_000, [0xB0, 1, 127]), (144_000, [0xB0, 1, 0])] {
            stream.push_midi(MidiMessage { position: SamplePosition(position), bytes });
        }
        stream.push_audio(0, 2, &vec![0.0; 2 * 192_000]);
        stream.advance(step(0.1), |_, _| ());
        let [modulation, none, ..] = values(&stream, (stream.shown() / per_column(&stream)) as u64);
        let a_second = (48_000.0 / per_column(&stream)) as usize;
        let ago = |seconds: f64| modulation[COLUMNS as usize - 1 - (seconds * a_second as f64) as usize];
        assert_eq!([0.5, 1.5, 2.5, 3.5].map(ago), [0.0, 1.0, 1.0, NONE]);
        assert!(none.iter().all(|value| *value == NONE));
    }
}
