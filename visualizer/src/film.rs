//! Frame after frame for files, drawn off screen: needs no display server. A replay is filmed in its own time, however long a frame
//! takes to draw; a live view as fast as it can be drawn.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bevy::prelude::*;
use bevy::render::view::screenshot::{Screenshot, ScreenshotCaptured};

use crate::canvas::{Canvas, CanvasPlugin};
use crate::deck::Deck;
use crate::hud::details::FrameTime;
use crate::shot::write;
use crate::source::live::monotonic;
use crate::stream::Stream;
use crate::view::ViewSystems;

/// Frames at the start in which shaders are made; none of them is part of the film.
const WARM_UP: u32 = 3;
/// How long the picture of a frame, or a replay's source, may take.
const PATIENCE: Duration = Duration::from_secs(60);
/// How many frames may be on their way to files.
const ON_THE_WAY: usize = 8;
/// What is noted of each frame.
const LOG: &str = "frames.tsv";

/// What film is wanted.
#[derive(Resource, Clone, Debug)]
pub struct Film {
    /// The folder for the frames; `None` draws and keeps nothing.
    pub folder: Option<PathBuf>,
    /// Frames a second of a replay's time.
    pub per_second: f32,
    /// How long it is, in seconds.
    pub length: f32,
    /// Width and height in pixels.
    pub size: UVec2,
    /// How many of them are one pixel of texts.
    pub scale: f32,
}

/// Why there is no film.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FilmError {
    /// The folder cannot be used.
    #[error("cannot write to {}: {reason}", path.display())]
    Write {
        /// The folder or file.
        path: PathBuf,
        /// What the system says.
        reason: String,
    },
    /// The driver drew nothing.
    #[error("the graphics driver gave no picture within {} s", PATIENCE.as_secs())]
    NoPicture,
    /// The recording did not come.
    #[error("the recording could not be read within {} s", PATIENCE.as_secs())]
    NoReplay,
}

/// How far it is.
#[derive(Resource, Debug, Default)]
pub struct Reel {
    /// Frames that were drawn.
    pub drawn: u32,
    /// Frames that are saved.
    pub saved: u32,
    warmed: u32,
    waiting: BTreeMap<u32, f32>,
    seconds: f32,
    idle: f32,
    /// What went wrong.
    pub failure: Option<FilmError>,
}

/// Draws the film.
#[derive(Debug)]
pub struct FilmPlugin(pub Film);

impl Plugin for FilmPlugin {
    fn build(&self, app: &mut App) {
        app.insert_resource(self.0.clone())
            .init_resource::<Reel>()
            .add_plugins(CanvasPlugin { size: self.0.size, scale: self.0.scale })
            .add_systems(Startup, open)
            .add_systems(Update, wait.in_set(ViewSystems::Receive).after(crate::deck::play).before(crate::streams::receive))
            .add_systems(Last, draw);
    }
}

fn open(film: Res<'_, Film>, mut reel: ResMut<'_, Reel>) {
    let Some(folder) = &film.folder else { return };
    let make = || {
        fs::create_dir_all(folder)?;
        fs::write(folder.join(LOG), "frame\tmonotonic_ns\tstream\tsample\tlatency_ms\n")
    };
    if let Err(error) = make() {
        reel.failure = Some(FilmError::Write { path: folder.clone(), reason: error.to_string() });
    }
}

/// A replay is waited for: in a film no frame is late.
fn wait(deck: Option<Res<'_, Deck>>, mut reel: ResMut<'_, Reel>) {
    if deck.is_some_and(|deck| !deck.wait(PATIENCE)) && reel.failure.is_none() {
        reel.failure = Some(FilmError::NoReplay);
    }
}

fn draw(
    mut commands: Commands<'_, '_>,
    (film, canvas, frame, time): (Res<'_, Film>, Res<'_, Canvas>, Res<'_, FrameTime>, Res<'_, Time<Real>>),
    streams: Query<'_, '_, &Stream>,
    mut deck: Option<ResMut<'_, Deck>>,
    mut reel: ResMut<'_, Reel>,
    mut exit: MessageWriter<'_, AppExit>,
) {
    reel.warmed += 1;
    if reel.failure.is_some() {
        exit.write(AppExit::Success);
        return;
    }
    if reel.warmed <= WARM_UP {
        if let Some(deck) = deck.as_mut().filter(|_| reel.warmed == WARM_UP) {
            deck.seek(0.0);
        }
        return;
    }
    let done = reel.seconds >= film.length;
    if done {
        reel.idle += time.delta_secs();
        if reel.waiting.is_empty() {
            exit.write(AppExit::Success);
        } else if reel.idle > PATIENCE.as_secs_f32() {
            reel.failure = Some(FilmError::NoPicture);
        }
        return;
    }
    reel.seconds += time.delta_secs();
    let number = reel.drawn;
    reel.drawn += 1;
    let Some(folder) = film.folder.clone() else { return };
    if reel.waiting.len() >= ON_THE_WAY {
        // The driver is slower than the film: this frame is left out, and the next ones are not.
        return;
    }
    let seconds = reel.seconds;
    reel.waiting.insert(number, seconds);
    // When it will be drawn.
    let now = monotonic() + (f64::from(frame.0) * 1e6) as u64;
    let mut lines = String::new();
    for stream in &streams {
        let network = stream.health.map_or(f64::NAN, |health| health.latency_ms);
        let latency = network + f64::from(stream.lag.tap) + stream.to_pixel_ms(frame.0);
        lines += &format!("{number}\t{now}\t{}\t{:.0}\t{latency:.3}\n", stream.name(), stream.shown());
    }
    commands.spawn(Screenshot(canvas.0.clone())).observe(
        move |captured: On<'_, '_, ScreenshotCaptured>, mut reel: ResMut<'_, Reel>| {
            reel.waiting.remove(&number);
            let path = folder.join(format!("frame-{number:06}.png"));
            let saved = write(&captured.image, &path).and_then(|()| note(&folder.join(LOG), &lines));
            match saved {
                Ok(()) => reel.saved += 1,
                Err(reason) => reel.failure = Some(FilmError::Write { path, reason }),
            }
        },
    );
}

fn note(path: &Path, lines: &str) -> Result<(), String> {
    let append = || fs::File::options().append(true).open(path)?.write_all(lines.as_bytes());
    append().map_err(|error: std::io::Error| error.to_string())
}
