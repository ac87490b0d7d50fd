//! The waveform of the last seconds, on the plate in front of each terrain.

use std::ops::Range;

use bevy::asset::embedded_asset;
use bevy::prelude::*;
use bevy::render::render_resource::{AsBindGroup, ShaderType};
use bevy::shader::ShaderRef;

use crate::flat::FlatMaterial;
use crate::history;
use crate::layout::{SKIRT, TILE};
use crate::ring::SampleRing;
use crate::stream::Stream;
use crate::theme::{Theme, Tint};
use crate::upload::{RowUpload, Uploads, row_texture};

/// Columns of the waveform.
const COLUMNS: u64 = 640;
/// Seconds that it spans.
pub const SECONDS: f64 = 4.0;
/// Columns that are kept, so that one can look back.
const KEPT: u64 = COLUMNS * (history::SECONDS / SECONDS) as u64;

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
pub struct WaveformRows {
    image: Handle<Image>,
    /// The column at the right edge, and the changes of the envelope, that were drawn last.
    drawn: Option<(u64, u64)>,
}

impl WaveformRows {
    /// An empty waveform.
    pub fn new(images: &mut Assets<Image>) -> Self {
        Self { image: images.add(row_texture(COLUMNS as u32, 2)), drawn: None }
    }

    /// Forgets what it holds.
    pub fn clear(&mut self) {
        self.drawn = None;
    }

    /// Asks for the seconds before the moment that `stream` shows to be drawn, if they are not.
    pub fn write(&mut self, uploads: &mut Uploads, stream: &Stream) {
        let state = (stream.envelope.column_of(stream.shown()), stream.envelope.changes());
        if self.drawn == Some(state) {
            return;
        }
        self.drawn = Some(state);
        let (lows, highs) = stream.envelope.columns_before(state.0).unzip();
        uploads.0.push(RowUpload { image: self.image.id(), row: 0, texels: lows });
        uploads.0.push(RowUpload { image: self.image.id(), row: 1, texels: highs });
    }
}

/// The lowest and the highest sample of each of the columns of the last two minutes. Columns keep to fixed positions, so that the waveform moves
/// without changing its shape.
#[derive(Clone, Debug)]
pub struct Envelope {
    per_column: u64,
    columns: Vec<(f32, f32)>,
    /// The number of the column after the newest that is full.
    end: u64,
    changes: u64,
}

impl Envelope {
    /// For a stream of `sample_rate` Hz.
    pub fn new(sample_rate: f64) -> Self {
        let per_column = (SECONDS * sample_rate / COLUMNS as f64).max(1.0) as u64;
        Self { per_column, columns: vec![(0.0, 0.0); KEPT as usize], end: 0, changes: 0 }
    }

    /// Notes that the samples of `written` have come.
    pub fn mark(&mut self, samples: &SampleRing, written: Range<u64>) {
        let end = samples.end() / self.per_column;
        let first = (written.start / self.per_column).min(self.end).max(end.saturating_sub(KEPT));
        let last = written.end.div_ceil(self.per_column).min(end);
        for column in first..last {
            let positions = column * self.per_column..(column + 1) * self.per_column;
            let extremes = positions.fold((0.0_f32, 0.0_f32), |(low, high), position| {
                let sample = samples.at(position);
                (low.min(sample), high.max(sample))
            });
            self.columns[(column % KEPT) as usize] = extremes;
        }
        self.changes += last.saturating_sub(first);
        self.end = end;
    }

    /// The column that the sample at `position` is in.
    pub fn column_of(&self, position: f64) -> u64 {
        ((position / self.per_column as f64) as u64).min(self.end)
    }

    /// Counts the columns that were made.
    pub fn changes(&self) -> u64 {
        self.changes
    }

    /// The columns before `end`, as many as are drawn, oldest first: lowest and highest sample, -1 to 1. Silence where there are none.
    pub fn columns_before(&self, end: u64) -> impl Iterator<Item = (f32, f32)> {
        let oldest = self.end.saturating_sub(KEPT);
        (1..=COLUMNS).rev().map(move |back| {
            let column = end.checked_sub(back).filter(|column| (oldest..self.end).contains(column));
            column.map_or((0.0, 0.0), |column| self.columns[(column % KEPT) as usize])
        })
    }
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

impl Look {
    fn of(theme: Theme) -> Self {
        Self { wave: theme.linear(Tint::Wave), plate: theme.linear(Tint::Plate), line: theme.linear(Tint::Line) }
    }
}

/// The ground under a terrain.
#[derive(Component, Debug)]
pub struct Plate;

/// Paints plates and waveforms anew when the theme has changed.
pub(crate) fn paint(
    theme: Res<'_, Theme>,
    mut waveforms: ResMut<'_, Assets<WaveformMaterial>>,
    mut flats: ResMut<'_, Assets<FlatMaterial>>,
    plates: Query<'_, '_, &MeshMaterial3d<FlatMaterial>, With<Plate>>,
) {
    for (_, waveform) in waveforms.iter_mut() {
        waveform.look = Look::of(*theme);
    }
    for plate in &plates {
        if let Some(mut plate) = flats.get_mut(&plate.0) {
            plate.colour = theme.linear(Tint::Plate);
        }
    }
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
    theme: Res<'_, Theme>,
) {
    for (stream, rows) in &streams {
        let look = Look::of(*theme);
        commands.spawn((
            ChildOf(stream),
            Mesh3d(meshes.add(Rectangle::new(TILE.x, SKIRT))),
            MeshMaterial3d(waveforms.add(WaveformMaterial { columns: rows.image.clone(), look })),
            Transform::from_xyz(TILE.x / 2.0, -SKIRT / 2.0, 0.0),
        ));
        commands.spawn((
            ChildOf(stream),
            Mesh3d(meshes.add(Cuboid::new(TILE.x, SKIRT, TILE.z))),
            Plate,
            MeshMaterial3d(flats.add(FlatMaterial { colour: theme.linear(Tint::Plate) })),
            Transform::from_xyz(TILE.x / 2.0, -SKIRT / 2.0 - 0.02, -TILE.z / 2.0 - 0.02),
        ));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wave(range: Range<u64>) -> Vec<f32> {
        range.map(|n| (n as f32 * 0.013).sin()).collect()
    }

    #[test]
    fn columns_keep_their_shape_while_they_move() {
        let mut ring = SampleRing::new(262_144);
        let mut envelope = Envelope::new(48_000.0);
        let written = ring.write(0, wave(0..300_000).into_iter());
        envelope.mark(&ring, written);
        let before: Vec<_> = envelope.columns_before(1_000).collect();
        let written = ring.write(300_000, wave(300_000..300_650).into_iter());
        envelope.mark(&ring, written);
        let after: Vec<_> = envelope.columns_before(1_002).collect();
        assert_eq!(before[2..], after[..after.len() - 2], "650 more samples are two more columns of 300");
    }

    #[test]
    fn order_of_arrival_makes_no_difference() {
        let order = [(0, 200_000), (230_000, 260_000), (200_000, 230_000)];
        let mut ring = SampleRing::new(262_144);
        let mut envelope = Envelope::new(48_000.0);
        for (start, end) in order {
            let written = ring.write(start, wave(start..end).into_iter());
            envelope.mark(&ring, written);
        }
        let mut straight = Envelope::new(48_000.0);
        straight.mark(&ring, 0..260_000);
        assert!(envelope.columns_before(866).eq(straight.columns_before(866)));
    }
}
