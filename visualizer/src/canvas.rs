//! What is drawn on where there is no window: an image, with a camera of its own.

use bevy::asset::RenderAssetUsages;
use bevy::camera::{ImageRenderTarget, RenderTarget};
use bevy::prelude::*;
use bevy::render::render_resource::{Extent3d, TextureDimension, TextureFormat, TextureUsages};

use crate::camera;

/// Makes an image, and a camera that draws into it.
#[derive(Clone, Copy, Debug)]
pub struct CanvasPlugin {
    /// Width and height in pixels.
    pub size: UVec2,
    /// How many of them are one pixel of texts and lines: 2 on a screen with small pixels.
    pub scale: f32,
}

/// The image as the camera draws into it: by this, scale included, a screenshot finds it.
#[derive(Resource, Clone, Debug)]
pub struct Canvas(pub RenderTarget);

impl Plugin for CanvasPlugin {
    fn build(&self, app: &mut App) {
        let Self { size, scale } = *self;
        app.add_systems(Startup, move |mut commands: Commands<'_, '_>, mut images: ResMut<'_, Assets<Image>>| {
            let size = Extent3d { width: size.x, height: size.y, depth_or_array_layers: 1 };
            let format = TextureFormat::Rgba8UnormSrgb;
            let mut image = Image::new_uninit(size, TextureDimension::D2, format, RenderAssetUsages::default());
            image.texture_descriptor.usage |= TextureUsages::RENDER_ATTACHMENT;
            let target = RenderTarget::Image(ImageRenderTarget { handle: images.add(image), scale_factor: scale });
            camera::spawn(&mut commands, Some(target.clone()));
            commands.insert_resource(Canvas(target));
        });
    }
}
