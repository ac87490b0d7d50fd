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
use crate::theme;
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

/// The texture that a stream's rows are written into. Part of the stream's entity.
#[derive(Component, Clone, Debug)]
pub struct TerrainRows(Handle<Image>);

impl TerrainRows {
    /// An empty terrain.
    pub fn new(images: &mut Assets<Image>) -> Self {
        Self(images.add(row_texture(BANDS as u32, ROWS as u32 + 1)))
    }

    /// Asks for `levels` to be written as row `row` of the stream.
    pub fn write(&self, uploads: &mut Uploads, row: u64, levels: &Row) {
        uploads.0.push(RowUpload { image: self.0.id(), row: (row % ROWS as u64) as u32, texels: levels.to_vec() });
    }

    /// Tells the shader what is "now", in rows, and how bright the whole is, 0 to 1.
    pub fn show(&self, uploads: &mut Uploads, head_row: f64, brightness: f32) {
        let whole = head_row.floor();
        let texels = vec![(whole as u64 % ROWS as u64) as f32, (head_row - whole) as f32, brightness];
        uploads.0.push(RowUpload { image: self.0.id(), row: CONTROL_ROW, texels });
    }
}

/// What all terrains share.
#[derive(Resource, Debug)]
pub struct TerrainAssets {
    grid: Handle<Mesh>,
    colours: Handle<Image>,
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
    commands.insert_resource(TerrainAssets { grid: meshes.add(grid()), colours: images.add(colormap::texture()) });
}

/// Gives each new stream its terrain.
pub(crate) fn raise(
    mut commands: Commands<'_, '_>,
    streams: Query<'_, '_, (Entity, &TerrainRows), Added<Stream>>,
    assets: Res<'_, TerrainAssets>,
    mut materials: ResMut<'_, Assets<TerrainMaterial>>,
) {
    for (stream, rows) in &streams {
        let material = materials.add(TerrainMaterial {
            rows: rows.0.clone(),
            colours: assets.colours.clone(),
            shape: Shape { size: TILE, stride: STRIDE as f32, background: theme::BACKGROUND.to_linear() },
        });
        // The mesh is flat, so its own bounds say nothing of where it is seen.
        commands.spawn((ChildOf(stream), Mesh3d(assets.grid.clone()), MeshMaterial3d(material), NoFrustumCulling));
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
    Mesh::new(PrimitiveTopology::TriangleList, RenderAssetUsages::RENDER_WORLD)
        .with_inserted_attribute(Mesh::ATTRIBUTE_POSITION, positions)
        .with_inserted_indices(Indices::U32(indices))
}
