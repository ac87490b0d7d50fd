//! Puts the view into a window, or draws it off screen for a file.

use std::io;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use bevy::log::LogPlugin;
use bevy::prelude::*;
use bevy::render::RenderPlugin;
use bevy::render::pipelined_rendering::PipelinedRenderingPlugin;
use bevy::render::settings::WgpuSettings;
use bevy::time::TimeUpdateStrategy;
use bevy::window::{ExitCondition, PresentMode};
use bevy::winit::WinitPlugin;
use wgpu::{Backends, Instance, InstanceDescriptor};

use crate::camera;
use crate::deck::Deck;
use crate::export::Recording;
use crate::film::{Film, FilmError, FilmPlugin, Reel};
use crate::profile::{self, ProfilePlugin};
use crate::recovery::RecoveryPlugin;
use crate::settings::{Keeper, Settings};
use crate::shot::{Outcome, Shot, ShotError, ShotPlugin};
use crate::source::address::Receivers;
use crate::source::replay::ReplayError;
use crate::source::{LiveSource, Mailbox, ReplaySource, Source};
use crate::theme::Kind;
use crate::view::ViewPlugin;

/// The pause between two rounds off screen: the picture is not seen before it is taken, so this is only often enough to take
/// in what comes.
const OFF_SCREEN_PAUSE: Duration = Duration::from_millis(100);

/// How much of the view's time a round takes while the picture of a recording is drawn.
const STILL: Duration = Duration::from_millis(5);

/// What the person asked for.
#[derive(Clone, Debug)]
pub struct Options {
    /// The program's begin.
    pub started: Instant,
    /// What is shown.
    pub origin: Origin,
    /// Dark or light; `None`: as the person chose last.
    pub theme: Option<Kind>,
    /// Width and height of window or picture, in pixels of texts.
    pub size: UVec2,
    /// How many pixels of a picture are one of texts, in each direction.
    pub scale: f32,
    /// Where it is drawn.
    pub output: Output,
    /// The file of what the person chose, if there is a place for it.
    pub settings: Option<PathBuf>,
}

/// Where the view is drawn.
#[derive(Clone, Debug)]
pub enum Output {
    /// In a window.
    Window,
    /// Into a file, once.
    Picture(Screenshot),
    /// Off screen, frame after frame, into a folder if there is one.
    Film {
        /// The folder.
        folder: Option<PathBuf>,
        /// Frames a second of a replay's time.
        per_second: f32,
        /// How long it is; `None`: as long as the recording, or 10 s.
        length: Option<Duration>,
    },
}

/// What is shown.
#[derive(Clone, Debug)]
pub enum Origin {
    /// Running receivers.
    Live {
        /// Whom.
        receivers: Receivers,
        /// The file of the key, if there is a folder for it.
        key_file: Option<PathBuf>,
    },
    /// A recording: a file, or a folder of some.
    Replay {
        /// Where it lies.
        path: PathBuf,
        /// How fast it is played; 1 is the music's own speed.
        speed: f32,
        /// Whether it begins anew after its end.
        repeats: bool,
    },
}

/// A picture that the person asked for.
#[derive(Clone, Debug)]
pub struct Screenshot {
    /// The file.
    pub path: PathBuf,
    /// When it is taken: of a live view so long after the begin, of a replay at this moment of the recording.
    pub after: Duration,
}

/// Why the view cannot be shown.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ViewError {
    /// There is nothing to open a window on.
    #[error("there is no display to open a window on. To draw into a file instead, say --screenshot OUT.png --after SECONDS")]
    NoDisplay,
    /// There is no graphics driver.
    #[error(
        "there is no Vulkan driver on this machine, not even one that draws on the CPU. On Debian and Ubuntu: \
         apt install mesa-vulkan-drivers"
    )]
    NoDriver,
    /// The thread of the source cannot be started.
    #[error("cannot start a thread: {0}")]
    Thread(#[from] io::Error),
    /// The recording cannot be replayed.
    #[error(transparent)]
    Replay(#[from] ReplayError),
    /// There is no picture.
    #[error(transparent)]
    Shot(#[from] ShotError),
    /// There is no film.
    #[error(transparent)]
    Film(#[from] FilmError),
    /// The view ended by itself.
    #[error("the view ended with code {0}")]
    Ended(u8),
}

/// Shows the view until the person closes it, or until the picture is saved.
///
/// # Errors
/// [`ViewError`] says what is missing.
pub fn run(options: &Options) -> Result<(), ViewError> {
    let in_window = matches!(options.output, Output::Window);
    if in_window && !has_display() {
        return Err(ViewError::NoDisplay);
    }
    if !has_driver(!in_window) {
        return Err(ViewError::NoDriver);
    }
    let mailbox = Mailbox::default();
    let (source, replay) = start(&options.origin, &mailbox)?;
    let kept = options.settings.as_deref().map(Settings::load).unwrap_or_else(|| Ok(Settings::default()));
    let kept = kept.unwrap_or_else(|why| {
        eprintln!("send-learn-visualizer: {why}");
        Settings::default()
    });
    let recording = match (&options.origin, &source) {
        (Origin::Replay { path, .. }, Source::Replay(replay)) => {
            Some(Recording { path: path.clone(), takes: replay.recorded().to_vec() })
        }
        _ => None,
    };
    // What is drawn for a file shows the streams' own names, and no panel.
    let keeper = options.settings.clone().filter(|_| in_window).map(|path| Keeper::new(path, kept.clone()));
    let theme = options.theme.unwrap_or(if in_window { kept.theme } else { Kind::default() });
    let view = ViewPlugin { mailbox, replay, deck: deck(&source, &options.origin), recording, theme, keeper };
    match &options.output {
        Output::Window => window(view, options.size),
        Output::Picture(picture) => take_picture(view, picture, options),
        Output::Film { folder, per_second, length } => {
            let length = length.map(|length| length.as_secs_f32());
            let whole = view.deck.as_ref().map_or(10.0, |deck| deck.length() as f32 / deck.speed());
            let film = Film {
                folder: folder.clone(),
                per_second: *per_second,
                length: length.unwrap_or(whole),
                size: pixels(options),
                scale: options.scale,
            };
            take_film(view, film, options.started)
        }
    }
}

fn pixels(options: &Options) -> UVec2 {
    (options.size.as_vec2() * options.scale).round().as_uvec2()
}

fn take_picture(view: ViewPlugin, picture: &Screenshot, options: &Options) -> Result<(), ViewError> {
    // Of a replay the moment is there at once.
    let wait = if view.deck.is_some() { Duration::ZERO } else { picture.after };
    // Meters do not fall while it is drawn.
    let round = view.deck.is_some().then_some(STILL);
    let deck = view.deck.map(|deck| deck.standing_at(picture.after.as_secs_f64()));
    let shot = Shot { path: picture.path.clone(), due: options.started + wait, size: pixels(options), scale: options.scale, round };
    if off_screen(ViewPlugin { deck, ..view }, shot)? == 0 {
        eprintln!("no stream came by then: the picture in {} shows none", picture.path.display());
    } else {
        println!("saved {}", picture.path.display());
    }
    Ok(())
}

fn take_film(view: ViewPlugin, film: Film, started: Instant) -> Result<(), ViewError> {
    let mut app = drawn_off_screen(view);
    if app.world().contains_resource::<Deck>() {
        app.insert_resource(TimeUpdateStrategy::ManualDuration(Duration::from_secs_f32(1.0 / film.per_second)));
    }
    app.add_plugins((FilmPlugin(film.clone()), ProfilePlugin));
    finish(&mut app);
    let began = Instant::now();
    let exit = loop {
        app.update();
        if let Some(exit) = app.should_exit() {
            break exit;
        }
    };
    if let AppExit::Error(code) = exit {
        return Err(ViewError::Ended(code.get()));
    }
    let Some(reel) = app.world_mut().remove_resource::<Reel>() else { return Err(FilmError::NoPicture.into()) };
    if let Some(failure) = reel.failure {
        return Err(failure.into());
    }
    let rate = f64::from(reel.drawn) / began.elapsed().as_secs_f64();
    println!("drew {} frames, {rate:.1} a second", reel.drawn);
    match film.folder {
        Some(folder) => println!("saved {} in {}", reel.saved, folder.display()),
        None => println!("{}", profile::report(app.world().resource(), app.world().resource(), started)),
    }
    Ok(())
}

/// Starts the source, and says what a recording is called in the header.
fn start(origin: &Origin, mailbox: &Mailbox) -> Result<(Source, Option<String>), ViewError> {
    match origin {
        Origin::Live { receivers, key_file } => {
            let source = LiveSource::start(receivers.clone(), key_file.clone(), mailbox.clone())?;
            Ok((Source::Live(source), None))
        }
        Origin::Replay { path, .. } => {
            let source = ReplaySource::start(path, mailbox.clone())?;
            Ok((Source::Replay(source), Some(path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned())))
        }
    }
}

fn deck(source: &Source, origin: &Origin) -> Option<Deck> {
    match (source, origin) {
        (Source::Replay(replay), Origin::Replay { speed, repeats, .. }) => {
            Some(Deck::new(replay.control(), *repeats).with_speed(*speed))
        }
        _ => None,
    }
}

fn window(view: ViewPlugin, size: UVec2) -> Result<(), ViewError> {
    let window = Window {
        title: "Send Learn".into(),
        resolution: (size.x, size.y).into(),
        present_mode: PresentMode::AutoVsync,
        ..default()
    };
    let exit = App::new()
        .add_plugins(DefaultPlugins.set(quiet()).set(WindowPlugin { primary_window: Some(window), ..default() }))
        .add_plugins((view, RecoveryPlugin::default()))
        .add_systems(Startup, |mut commands: Commands<'_, '_>| camera::spawn(&mut commands, None))
        .run();
    match exit {
        AppExit::Success => Ok(()),
        AppExit::Error(code) => Err(ViewError::Ended(code.get())),
    }
}

/// Draws the view into a file, and tells how many streams are in it.
///
/// # Errors
/// [`ViewError::Shot`] when there is no picture.
pub fn off_screen(view: ViewPlugin, shot: Shot) -> Result<usize, ViewError> {
    off_screen_with(view, shot, |_| ())
}

/// The same, with an app that `prepare` may change before it starts.
///
/// # Errors
/// [`ViewError::Shot`] when there is no picture.
pub fn off_screen_with(view: ViewPlugin, shot: Shot, prepare: impl FnOnce(&mut App)) -> Result<usize, ViewError> {
    let pause = if shot.round.is_some() { Duration::ZERO } else { OFF_SCREEN_PAUSE };
    let mut app = drawn_off_screen(view);
    if let Some(round) = shot.round {
        app.insert_resource(TimeUpdateStrategy::ManualDuration(round));
    }
    app.add_plugins(ShotPlugin(shot));
    prepare(&mut app);
    finish(&mut app);
    while app.should_exit().is_none() {
        let began = Instant::now();
        app.update();
        std::thread::sleep(pause.saturating_sub(began.elapsed()));
    }
    match app.world_mut().remove_resource::<Outcome>() {
        Some(Outcome::Saved { streams }) => Ok(streams),
        Some(Outcome::Failed(error)) => Err(error.into()),
        Some(Outcome::Waiting) | None => Err(ShotError::NoPicture.into()),
    }
}

/// The view in an app that needs no display server.
fn drawn_off_screen(view: ViewPlugin) -> App {
    let no_window = WindowPlugin { primary_window: None, exit_condition: ExitCondition::DontExit, ..default() };
    let render = WgpuSettings { backends: Some(off_screen_backends()), ..default() };
    let mut app = App::new();
    app.add_plugins(
        DefaultPlugins
            .set(quiet())
            .set(no_window)
            // The first frame that is drawn is whole.
            .set(RenderPlugin { synchronous_pipeline_compilation: true, render_creation: render.clone().into(), ..default() })
            .disable::<PipelinedRenderingPlugin>()
            .disable::<WinitPlugin>(),
    )
    .add_plugins((view, RecoveryPlugin { settings: render, off_screen: true }));
    app
}

/// What a runner does before the first round.
fn finish(app: &mut App) {
    while app.plugins_state() == bevy::app::PluginsState::Adding {
        bevy::tasks::tick_global_task_pools_on_main_thread();
    }
    app.finish();
    app.cleanup();
}

fn quiet() -> LogPlugin {
    LogPlugin { filter: "warn,wgpu_hal=error,bevy_render::renderer=error".into(), ..default() }
}

/// Whether there is a driver to draw with, in a window or off screen.
pub fn has_driver(off_screen: bool) -> bool {
    let any = Backends::from_env().unwrap_or(Backends::all());
    let backends = if off_screen { off_screen_backends() } else { any };
    let descriptor = InstanceDescriptor { backends, ..InstanceDescriptor::new_without_display_handle() };
    !bevy::tasks::block_on(Instance::new(descriptor).enumerate_adapters(backends)).is_empty()
}

/// Vulkan and its like: OpenGL would look for a display first.
fn off_screen_backends() -> Backends {
    Backends::from_env().unwrap_or(Backends::PRIMARY)
}

/// Whether a window can be opened: the environment names a display, and where it is a local X server, that one answers.
fn has_display() -> bool {
    let named = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
    if !cfg!(target_os = "linux") || named("WAYLAND_DISPLAY").or_else(|| named("WAYLAND_SOCKET")).is_some() {
        return true;
    }
    named("DISPLAY").is_some_and(|display| answers(&display))
}

/// Whether the X server `display` (`:0`, `:0.0` or `host:0`) answers. One that is not local is taken to.
#[cfg(unix)]
fn answers(display: &str) -> bool {
    let Some(number) = display.strip_prefix(':') else { return true };
    let number = number.split('.').next().unwrap_or(number);
    std::os::unix::net::UnixStream::connect(format!("/tmp/.X11-unix/X{number}")).is_ok()
}

#[cfg(not(unix))]
fn answers(_display: &str) -> bool {
    true
}
