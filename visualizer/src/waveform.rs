//! The waveform of the last seconds, on the plate in front of each terrain.

use bevy::asset::embedded_asset;
use bevy::prelude::*;
use bevy::render::render_resource::{AsBindGroup, ShaderType};
use bevy::shader::ShaderRef;

use crate::flat::FlatMaterial;
use crate::layout::{SKIRT, TILE};
use crate::ring::SampleRing;
use crate::stream::Stream;
use crate::theme;
use crate::upload::{RowUpload, Uploads, row_texture};

/// Columns of the waveform.
const COLUMNS: u64 = 640;
/// Seconds that it spans.
pub const SECONDS: f64 = 4.0;

/// Draws the waveform of each stream.
#[derive(Debug, Default)]
pub struct WaveformPlugin;

impl Plugin for WaveformPlugin {
    fn build(&self, app: &mut App) {
        embedded_asset!(app, "waveform.wgsl");
        app.add_plugins(MaterialPlugin::<WaveformMaterial>::default());
    }
}

/// The texture that a stream's waveform is written into. Part of the stream's entity.
#[derive(Component, Clone, Debug)]
pub struct WaveformRows(Handle<Image>);

impl WaveformRows {
    /// An empty waveform.
    pub fn new(images: &mut Assets<Image>) -> Self {
        Self(images.add(row_texture(COLUMNS as u32, 2)))
    }

    /// Asks for the newest seconds of `stream` to be drawn.
    pub fn write(&self, uploads: &mut Uploads, stream: &Stream) {
        let per_column = (SECONDS * stream.description.sample_rate / COLUMNS as f64).max(1.0) as u64;
        let (lows, highs) = extremes(&stream.samples, per_column);
        uploads.0.push(RowUpload { image: self.0.id(), row: 0, texels: lows });
        uploads.0.push(RowUpload { image: self.0.id(), row: 1, texels: highs });
    }
}

/// The lowest and the highest sample of each column; the last column is the newest that is full. Columns keep to fixed
/// positions, so that the waveform moves without changing its shape.
fn extremes(samples: &SampleRing, per_column: u64) -> (Vec<f32>, Vec<f32>) {
    let end = samples.end() / per_column;
    (0..COLUMNS)
        .map(|column| {
            let Some(column) = (end + column).checked_sub(COLUMNS) else { return (0.0, 0.0) };
            let column = (column * per_column..(column + 1) * per_column).map(|position| samples.at(position));
            column.fold((0.0_f32, 0.0_f32), |(low, high), sample| (low.min(sample), high.max(sample)))
        })
        .unzip()
}

#[derive(Asset, TypePath, AsBindGroup, Debug, Clone)]
pub(crate) struct WaveformMaterial {
    #[texture(0, sample_type = "float", filterable = false)]
    columns: Handle<Image>,
    #[uniform(1)]
    look: Look,
}

#[derive(ShaderType, Debug, Clone)]
struct Look {
    wave: LinearRgba,
    plate: LinearRgba,
    line: LinearRgba,
}

impl Material for WaveformMaterial {
    fn fragment_shader() -> ShaderRef {
        "embedded://send_learn_visualizer/waveform.wgsl".into()
    }

    fn enable_prepass() -> bool {
        false
    }

    fn enable_shadows() -> bool {
        false
    }
}

/// Gives each new stream its plates: the ground under its terrain, and the front with its waveform.
pub(crate) fn lay(
    mut commands: Commands<'_, '_>,
    streams: Query<'_, '_, (Entity, &WaveformRows), Added<Stream>>,
    mut meshes: ResMut<'_, Assets<Mesh>>,
    mut waveforms: ResMut<'_, Assets<WaveformMaterial>>,
    mut flats: ResMut<'_, Assets<FlatMaterial>>,
) {
    for (stream, rows) in &streams {
        let look = Look { wave: theme::WAVE.to_linear(), plate: theme::PLATE.to_linear(), line: theme::LINE.to_linear() };
        commands.spawn((
            ChildOf(stream),
            Mesh3d(meshes.add(Rectangle::new(TILE.x, SKIRT))),
            MeshMaterial3d(waveforms.add(WaveformMaterial { columns: rows.0.clone(), look })),
            Transform::from_xyz(TILE.x / 2.0, -SKIRT / 2.0, 0.0),
        ));
        commands.spawn((
            ChildOf(stream),
            Mesh3d(meshes.add(Cuboid::new(TILE.x, SKIRT, TILE.z))),
            MeshMaterial3d(flats.add(FlatMaterial { colour: theme::PLATE.to_linear() })),
            Transform::from_xyz(TILE.x / 2.0, -SKIRT / 2.0 - 0.02, -TILE.z / 2.0 - 0.02),
        ));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_keep_their_shape_while_they_move() {
        let mut ring = SampleRing::new(65_536);
        let wave = |range: std::ops::Range<u64>| range.map(|n| (n as f32 * 0.013).sin()).collect::<Vec<_>>();
        ring.write(0, wave(0..50_000).into_iter());
        let (_, before) = extremes(&ring, 50);
        ring.write(50_000, wave(50_000..50_130).into_iter());
        let (_, after) = extremes(&ring, 50);
        assert_eq!(before[2..], after[..after.len() - 2], "130 more samples are two more columns");
    }
}
