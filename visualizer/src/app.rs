//! Puts the view into a window, or draws it off screen for a file.

use std::io;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use bevy::log::LogPlugin;
use bevy::prelude::*;
use bevy::render::RenderPlugin;
use bevy::render::pipelined_rendering::PipelinedRenderingPlugin;
use bevy::render::settings::WgpuSettings;
use bevy::window::{ExitCondition, PresentMode};
use bevy::winit::WinitPlugin;
use wgpu::{Backends, Instance, InstanceDescriptor};

use crate::camera;
use crate::shot::{Outcome, Shot, ShotError, ShotPlugin};
use crate::source::{LiveSource, Mailbox};
use crate::view::ViewPlugin;

/// The pause between two rounds off screen: the picture is not seen before it is taken, so this is only often enough to take
/// in what comes.
const OFF_SCREEN_PAUSE: Duration = Duration::from_millis(100);

/// What the person asked for.
#[derive(Clone, Debug)]
pub struct Options {
    /// The receiver, `HOST:PORT`.
    pub connect: String,
    /// The file of the key, if there is a folder for it.
    pub key_file: Option<PathBuf>,
    /// Width and height of window or picture, in pixels.
    pub size: UVec2,
    /// A picture instead of a window.
    pub screenshot: Option<Screenshot>,
}

/// A picture that the person asked for.
#[derive(Clone, Debug)]
pub struct Screenshot {
    /// The file.
    pub path: PathBuf,
    /// When it is taken.
    pub due: Instant,
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
    /// There is no picture.
    #[error(transparent)]
    Shot(#[from] ShotError),
    /// The view ended by itself.
    #[error("the view ended with code {0}")]
    Ended(u8),
}

/// Shows the view until the person closes it, or until the picture is saved.
///
/// # Errors
/// [`ViewError`] says what is missing.
pub fn run(options: &Options) -> Result<(), ViewError> {
    if options.screenshot.is_none() && !has_display() {
        return Err(ViewError::NoDisplay);
    }
    if !has_driver(options.screenshot.is_some()) {
        return Err(ViewError::NoDriver);
    }
    let mailbox = Mailbox::default();
    let _source = LiveSource::start(options.connect.clone(), options.key_file.clone(), mailbox.clone())?;
    let view = ViewPlugin { mailbox, address: options.connect.clone() };
    match &options.screenshot {
        None => window(view, options.size),
        Some(picture) => {
            let shot = Shot { path: picture.path.clone(), due: picture.due, size: options.size };
            let streams = off_screen(view, shot)?;
            if streams == 0 {
                eprintln!("no stream came by then: the picture in {} shows none", picture.path.display());
            } else {
                println!("saved {}", picture.path.display());
            }
            Ok(())
        }
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
        .add_plugins(view)
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
    let no_window = WindowPlugin { primary_window: None, exit_condition: ExitCondition::DontExit, ..default() };
    let render = WgpuSettings { backends: Some(off_screen_backends()), ..default() };
    let mut app = App::new();
    app.add_plugins(
        DefaultPlugins
            .set(quiet())
            .set(no_window)
            // The first frame that is drawn is whole.
            .set(RenderPlugin { synchronous_pipeline_compilation: true, render_creation: render.into(), ..default() })
            .disable::<PipelinedRenderingPlugin>()
            .disable::<WinitPlugin>(),
    )
    .add_plugins((view, ShotPlugin(shot)));
    finish(&mut app);
    while app.should_exit().is_none() {
        let began = Instant::now();
        app.update();
        std::thread::sleep(OFF_SCREEN_PAUSE.saturating_sub(began.elapsed()));
    }
    match app.world_mut().remove_resource::<Outcome>() {
        Some(Outcome::Saved { streams }) => Ok(streams),
        Some(Outcome::Failed(error)) => Err(error.into()),
        Some(Outcome::Waiting) | None => Err(ShotError::NoPicture.into()),
    }
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
