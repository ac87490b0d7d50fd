//! Writes single rows of textures, so that a terrain that scrolls costs the bytes of its new rows and no more.

use bevy::asset::AssetId;
use bevy::image::Image;
use bevy::prelude::*;
use bevy::render::render_asset::RenderAssets;
use bevy::render::render_resource::{Extent3d, Origin3d, TexelCopyBufferLayout, TexelCopyTextureInfo, TextureAspect};
use bevy::render::renderer::RenderQueue;
use bevy::render::texture::GpuImage;
use bevy::render::{ExtractSchedule, MainWorld, Render, RenderApp, RenderSystems};

/// The most rows that wait for a texture that is not on the GPU yet.
const MAX_WAITING: usize = 65_536;

/// One row, or the begin of one, for a texture of the format `R32Float`.
#[derive(Clone, Debug, PartialEq)]
pub struct RowUpload {
    /// The texture.
    pub image: AssetId<Image>,
    /// Its row.
    pub row: u32,
    /// What the row holds from its first texel on.
    pub texels: Vec<f32>,
}

/// Rows that are to be written before the next frame is drawn.
#[derive(Resource, Debug, Default)]
pub struct Uploads(pub Vec<RowUpload>);

/// Carries [`Uploads`] to the GPU.
#[derive(Debug, Default)]
pub struct UploadPlugin;

impl Plugin for UploadPlugin {
    fn build(&self, app: &mut App) {
        app.init_resource::<Uploads>();
        if let Some(render_app) = app.get_sub_app_mut(RenderApp) {
            render_app
                .init_resource::<Uploads>()
                .add_systems(ExtractSchedule, extract)
                .add_systems(Render, write.in_set(RenderSystems::PrepareResources));
        }
    }
}

fn extract(mut main: ResMut<'_, MainWorld>, mut waiting: ResMut<'_, Uploads>) {
    if let Some(mut uploads) = main.get_resource_mut::<Uploads>() {
        waiting.0.append(&mut uploads.0);
    }
    let surplus = waiting.0.len().saturating_sub(MAX_WAITING);
    waiting.0.drain(..surplus);
}

fn write(mut waiting: ResMut<'_, Uploads>, images: Res<'_, RenderAssets<GpuImage>>, queue: Res<'_, RenderQueue>) {
    waiting.0.retain(|upload| {
        let Some(image) = images.get(upload.image) else { return true };
        let size = image.texture_descriptor.size;
        let width = upload.texels.len() as u32;
        if upload.row < size.height && width <= size.width {
            queue.write_texture(
                TexelCopyTextureInfo {
                    texture: &image.texture,
                    mip_level: 0,
                    origin: Origin3d { x: 0, y: upload.row, z: 0 },
                    aspect: TextureAspect::All,
                },
                bytemuck::cast_slice(&upload.texels),
                TexelCopyBufferLayout { offset: 0, bytes_per_row: Some(width * 4), rows_per_image: None },
                Extent3d { width, height: 1, depth_or_array_layers: 1 },
            );
        }
        false
    });
}

/// A texture of the format `R32Float`, all 0, for rows to be written into. Nothing of it is held in memory, and it is made again after a
/// card was lost.
pub fn row_texture(width: u32, height: u32) -> Image {
    use bevy::asset::RenderAssetUsages;
    use bevy::render::render_resource::{TextureDimension, TextureFormat};
    let size = Extent3d { width, height, depth_or_array_layers: 1 };
    Image::new_uninit(size, TextureDimension::D2, TextureFormat::R32Float, RenderAssetUsages::default())
}
