//! A picture of the view for a file, drawn off screen: needs no display server.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use bevy::prelude::*;
use bevy::render::view::screenshot::{Screenshot, ScreenshotCaptured};

use crate::canvas::{Canvas, CanvasPlugin};
use crate::deck::Deck;
use crate::stream::Stream;
use crate::streams::Inbox;
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
    /// How many of them are one pixel of texts.
    pub scale: f32,
    /// How long a round of the view's time is; `None`: as long as it takes.
    pub round: Option<Duration>,
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
            .add_plugins(CanvasPlugin { size: self.0.size, scale: self.0.scale })
            .configure_sets(Update, ViewSystems::Receive.run_if(is_not_drawn_yet))
            .add_systems(Last, take);
    }
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
    (inbox, deck): (Res<'_, Inbox>, Option<Res<'_, Deck>>),
    mut phase: ResMut<'_, Phase>,
    mut frames: Local<'_, u32>,
    mut camera: Single<'_, '_, &mut Camera>,
    (mut outcome, mut exit): (ResMut<'_, Outcome>, MessageWriter<'_, AppExit>),
) {
    let now = Instant::now();
    *frames += 1;
    match *phase {
        Phase::WarmUp if *frames >= FRAMES_DRAWN => {
            camera.is_active = false;
            *phase = Phase::Idle;
        }
        Phase::Idle if now >= shot.due && deck.as_ref().is_none_or(|deck| deck.is_served() && inbox.0.is_empty()) => {
            camera.is_active = true;
            *phase = Phase::Draw { frames: *frames };
        }
        Phase::Draw { frames: since } if *frames >= since + FRAMES_DRAWN => {
            commands.spawn(Screenshot(canvas.0.clone())).observe(save);
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

/// Writes a picture to a file.
pub(crate) fn write(image: &Image, path: &Path) -> Result<(), String> {
    let picture = image.clone().try_into_dynamic().map_err(|error| error.to_string())?;
    picture.to_rgb8().save(path).map_err(|error| error.to_string())
}
