//! A picture of the view for a file, drawn off screen: needs no display server.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use bevy::asset::RenderAssetUsages;
use bevy::camera::RenderTarget;
use bevy::prelude::*;
use bevy::render::render_resource::{Extent3d, TextureDimension, TextureFormat, TextureUsages};
use bevy::render::view::screenshot::{Screenshot, ScreenshotCaptured};

use crate::camera;
use crate::stream::Stream;
use crate::view::ViewSystems;

/// Frames that are drawn at the start, so that every shader is ready, and before the picture is taken.
const FRAMES_DRAWN: u32 = 3;
/// How long the driver may take for the picture.
const PATIENCE: Duration = Duration::from_secs(60);

/// What picture is wanted.
#[derive(Resource, Clone, Debug)]
pub struct Shot {
    /// Where to: a `.png` file.
    pub path: PathBuf,
    /// When.
    pub due: Instant,
    /// Width and height in pixels.
    pub size: UVec2,
}

/// What became of it.
#[derive(Resource, Debug, Default)]
pub enum Outcome {
    /// Not taken yet.
    #[default]
    Waiting,
    /// Saved; `streams` were in it.
    Saved {
        /// How many.
        streams: usize,
    },
    /// Not saved.
    Failed(ShotError),
}

/// Why there is no picture.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ShotError {
    /// The file cannot be written.
    #[error("cannot write {}: {reason}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system says.
        reason: String,
    },
    /// The driver drew nothing.
    #[error("the graphics driver gave no picture within {} s", PATIENCE.as_secs())]
    NoPicture,
}

#[derive(Resource, Clone, Debug)]
struct Canvas(Handle<Image>);

/// How far the picture is.
#[derive(Resource, Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Phase {
    #[default]
    WarmUp,
    Idle,
    Draw {
        frames: u32,
    },
    Taken,
}

/// Draws off screen and takes the picture.
#[derive(Debug)]
pub struct ShotPlugin(pub Shot);

impl Plugin for ShotPlugin {
    fn build(&self, app: &mut App) {
        app.insert_resource(self.0.clone())
            .init_resource::<Outcome>()
            .init_resource::<Phase>()
            .add_systems(Startup, prepare)
            .configure_sets(Update, ViewSystems::Receive.run_if(is_not_drawn_yet))
            .add_systems(Last, take);
    }
}

fn prepare(mut commands: Commands<'_, '_>, shot: Res<'_, Shot>, mut images: ResMut<'_, Assets<Image>>) {
    let size = Extent3d { width: shot.size.x, height: shot.size.y, depth_or_array_layers: 1 };
    let format = TextureFormat::Rgba8UnormSrgb;
    let mut image = Image::new_uninit(size, TextureDimension::D2, format, RenderAssetUsages::RENDER_WORLD);
    image.texture_descriptor.usage |= TextureUsages::RENDER_ATTACHMENT;
    let canvas = images.add(image);
    camera::spawn(&mut commands, Some(RenderTarget::from(canvas.clone())));
    commands.insert_resource(Canvas(canvas));
}

/// While the picture is drawn, time stands still in it: all of its frames show the moment that was asked for.
fn is_not_drawn_yet(phase: Res<'_, Phase>) -> bool {
    matches!(*phase, Phase::WarmUp | Phase::Idle)
}

/// Draws a few frames at the start, nothing until the picture is due, a few frames, and the picture. A CPU driver would take
/// the time that the music needs.
fn take(
    mut commands: Commands<'_, '_>,
    (shot, canvas): (Res<'_, Shot>, Res<'_, Canvas>),
    mut phase: ResMut<'_, Phase>,
    mut frames: Local<'_, u32>,
    mut camera: Single<'_, '_, &mut Camera>,
    mut outcome: ResMut<'_, Outcome>,
    mut exit: MessageWriter<'_, AppExit>,
) {
    let now = Instant::now();
    *frames += 1;
    match *phase {
        Phase::WarmUp if *frames >= FRAMES_DRAWN => {
            camera.is_active = false;
            *phase = Phase::Idle;
        }
        Phase::Idle if now >= shot.due => {
            camera.is_active = true;
            *phase = Phase::Draw { frames: *frames };
        }
        Phase::Draw { frames: since } if *frames >= since + FRAMES_DRAWN => {
            commands.spawn(Screenshot::image(canvas.0.clone())).observe(save);
            *phase = Phase::Taken;
        }
        Phase::Taken => {
            if matches!(*outcome, Outcome::Waiting) && now > shot.due + PATIENCE {
                *outcome = Outcome::Failed(ShotError::NoPicture);
            }
            if !matches!(*outcome, Outcome::Waiting) {
                exit.write(AppExit::Success);
            }
        }
        _ => {}
    }
}

fn save(
    captured: On<'_, '_, ScreenshotCaptured>,
    shot: Res<'_, Shot>,
    streams: Query<'_, '_, (), With<Stream>>,
    mut outcome: ResMut<'_, Outcome>,
) {
    *outcome = match write(&captured.image, &shot.path) {
        Ok(()) => Outcome::Saved { streams: streams.iter().len() },
        Err(reason) => Outcome::Failed(ShotError::Write { path: shot.path.clone(), reason }),
    };
}

fn write(image: &Image, path: &Path) -> Result<(), String> {
    let picture = image.clone().try_into_dynamic().map_err(|error| error.to_string())?;
    picture.to_rgb8().save(path).map_err(|error| error.to_string())
}
