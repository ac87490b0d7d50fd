//! The spectrogram terrain: a grid that never changes, displaced in the vertex shader by a texture of which one row is
//! written per hop.

pub mod colormap;

use bevy::asset::{RenderAssetUsages, embedded_asset};
use bevy::camera::visibility::NoFrustumCulling;
use bevy::mesh::{Indices, PrimitiveTopology};
use bevy::prelude::*;
use bevy::render::render_resource::{AsBindGroup, ShaderType};
use bevy::shader::ShaderRef;

use crate::layout::TILE;
use crate::spectrum::{BANDS, ROWS, Row};
use crate::stream::Stream;
use crate::theme::{Kind, Theme, Tint};
use crate::upload::{RowUpload, Uploads, row_texture};

/// Rows of the ring from one row of the mesh to the next.
const STRIDE: usize = 4;
/// Rows of the mesh: the foot of the front, one at the head, and those at fixed rows of the ring, which all but fill it.
const MESH_ROWS: usize = ROWS / STRIDE + 1;
/// Columns of the mesh: the bands, and the feet of both sides.
const MESH_COLUMNS: usize = BANDS + 2;
/// The row of the texture that tells the shader where the head is.
const CONTROL_ROW: u32 = ROWS as u32;

/// Draws a terrain for each [`Stream`].
#[derive(Debug, Default)]
pub struct TerrainPlugin;

impl Plugin for TerrainPlugin {
    fn build(&self, app: &mut App) {
        embedded_asset!(app, "terrain.wgsl");
        app.add_plugins(MaterialPlugin::<TerrainMaterial>::default()).add_systems(Startup, prepare);
    }
}

/// The texture that a stream's rows are written into, a ring: it holds the rows before the moment shown. Part of the stream's
/// entity.
#[derive(Component, Clone, Debug)]
pub struct TerrainRows {
    image: Handle<Image>,
    /// The row after the newest that it holds; `None` when it holds none.
    end: Option<i64>,
}

impl TerrainRows {
    /// An empty terrain.
    pub fn new(images: &mut Assets<Image>) -> Self {
        Self { image: images.add(row_texture(BANDS as u32, ROWS as u32 + 1)), end: Some(0) }
    }

    /// Forgets what it holds.
    pub fn clear(&mut self) {
        self.end = None;
    }

    /// Row `row` of the stream is made, or made anew: it is written if it is in sight.
    pub fn write(&self, uploads: &mut Uploads, row: u64, levels: &Row) {
        let end = self.end.unwrap_or(0);
        if (end - ROWS as i64..end).contains(&row.cast_signed()) {
            self.push(uploads, row.cast_signed(), levels.to_vec());
        }
    }

    /// Follows the moment that `stream` shows: rows that come in sight are written, and only they.
    pub fn follow(&mut self, uploads: &mut Uploads, stream: &Stream) {
        let all = ROWS as i64;
        let end = (stream.head_row() as u64).cast_signed() + 1;
        let held = self.end.map_or(0..0, |end| end - all..end);
        let entering = (end - all..end).filter(|row| !held.contains(row));
        for row in entering {
            let levels = u64::try_from(row).ok().and_then(|row| stream.history.row(row));
            self.push(uploads, row, levels.map_or_else(|| vec![0.0; BANDS], |levels| levels.to_vec()));
        }
        self.end = Some(end);
    }

    fn push(&self, uploads: &mut Uploads, row: i64, texels: Vec<f32>) {
        uploads.0.push(RowUpload { image: self.image.id(), row: row.rem_euclid(ROWS as i64) as u32, texels });
    }

    /// Tells the shader what is "now", in rows, and how bright the whole is, 0 to 1.
    pub fn show(&self, uploads: &mut Uploads, head_row: f64, brightness: f32) {
        let whole = head_row.floor();
        let texels = vec![(whole as u64 % ROWS as u64) as f32, (head_row - whole) as f32, brightness];
        uploads.0.push(RowUpload { image: self.image.id(), row: CONTROL_ROW, texels });
    }
}

/// What all terrains share.
#[derive(Resource, Debug)]
pub struct TerrainAssets {
    grid: Handle<Mesh>,
    colours: [Handle<Image>; 2],
}

impl TerrainAssets {
    fn colours(&self, theme: Theme) -> Handle<Image> {
        self.colours[usize::from(theme.0 == Kind::Light)].clone()
    }
}

#[derive(Asset, TypePath, AsBindGroup, Debug, Clone)]
pub(crate) struct TerrainMaterial {
    #[texture(0, sample_type = "float", filterable = false, visibility(vertex, fragment))]
    rows: Handle<Image>,
    #[texture(1)]
    #[sampler(2)]
    colours: Handle<Image>,
    #[uniform(3, visibility(vertex, fragment))]
    shape: Shape,
}

#[derive(ShaderType, Debug, Clone)]
struct Shape {
    size: Vec3,
    stride: f32,
    background: LinearRgba,
}

const SHADER: &str = "embedded://send_learn_visualizer/terrain/terrain.wgsl";

impl Material for TerrainMaterial {
    fn vertex_shader() -> ShaderRef {
        SHADER.into()
    }

    fn fragment_shader() -> ShaderRef {
        SHADER.into()
    }

    fn enable_prepass() -> bool {
        false
    }

    fn enable_shadows() -> bool {
        false
    }
}

fn prepare(mut commands: Commands<'_, '_>, mut meshes: ResMut<'_, Assets<Mesh>>, mut images: ResMut<'_, Assets<Image>>) {
    commands.insert_resource(TerrainAssets {
        grid: meshes.add(grid()),
        colours: [Kind::Dark, Kind::Light].map(|kind| images.add(colormap::texture(kind))),
    });
}

/// Gives each new stream its terrain.
pub(crate) fn raise(
    mut commands: Commands<'_, '_>,
    streams: Query<'_, '_, (Entity, &TerrainRows), Added<Stream>>,
    assets: Res<'_, TerrainAssets>,
    mut materials: ResMut<'_, Assets<TerrainMaterial>>,
    theme: Res<'_, Theme>,
) {
    for (stream, rows) in &streams {
        let background = theme.linear(Tint::Background);
        let material = materials.add(TerrainMaterial {
            rows: rows.image.clone(),
            colours: assets.colours(*theme),
            shape: Shape { size: TILE, stride: STRIDE as f32, background },
        });
        // The mesh is flat, so its own bounds say nothing of where it is seen.
        commands.spawn((ChildOf(stream), Mesh3d(assets.grid.clone()), MeshMaterial3d(material), NoFrustumCulling));
    }
}

/// Paints all terrains anew when the theme has changed.
pub(crate) fn paint(theme: Res<'_, Theme>, assets: Res<'_, TerrainAssets>, mut materials: ResMut<'_, Assets<TerrainMaterial>>) {
    for (_, material) in materials.iter_mut() {
        material.colours = assets.colours(*theme);
        material.shape.background = theme.linear(Tint::Background);
    }
}

/// Vertices at (column, 0, row); the shader puts them in their places.
fn grid() -> Mesh {
    let positions: Vec<[f32; 3]> =
        (0..MESH_ROWS).flat_map(|row| (0..MESH_COLUMNS).map(move |column| [column as f32, 0.0, row as f32])).collect();
    let corner = |row: usize, column: usize| (row * MESH_COLUMNS + column) as u32;
    let indices = (0..MESH_ROWS - 1)
        .flat_map(|row| (0..MESH_COLUMNS - 1).map(move |column| (row, column)))
        .flat_map(|(row, column)| {
            let (a, b) = (corner(row, column), corner(row, column + 1));
            let (c, d) = (corner(row + 1, column), corner(row + 1, column + 1));
            [a, b, c, c, b, d]
        })
        .collect();
    Mesh::new(PrimitiveTopology::TriangleList, RenderAssetUsages::default())
        .with_inserted_attribute(Mesh::ATTRIBUTE_POSITION, positions)
        .with_inserted_indices(Indices::U32(indices))
}
