//! `send-learn-visualizer`: the live 3D view.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use bevy::math::UVec2;
use clap::Parser;
use send_learn_visualizer::app::{Options, Origin, Output, Screenshot, run};
use send_learn_visualizer::settings;
use send_learn_visualizer::source::address;
use send_learn_visualizer::theme::Kind;

/// Shows every stream of all Send Learn receivers live, in 3D.
#[derive(Debug, Parser)]
#[command(version)]
struct Arguments {
    /// A receiver; may be given several times [default: all that are found in this network, and the one of this machine].
    #[arg(long, value_name = "HOST:PORT")]
    connect: Vec<String>,
    /// Show a recording instead: an .h5 file, or the folder of a take, a day, or all.
    #[arg(long, value_name = "RECORDING", conflicts_with_all = ["connect", "key_file"])]
    replay: Option<PathBuf>,
    /// How fast the recording is played: 1 is the music's own speed.
    #[arg(long, value_name = "FACTOR", default_value = "1", value_parser = speed, requires = "replay")]
    speed: f32,
    /// Play the recording again and again.
    #[arg(long = "loop", requires = "replay")]
    repeats: bool,
    /// The file of the receiver's key [default: the one that "send-learn key" made].
    #[arg(long, value_name = "FILE")]
    key_file: Option<PathBuf>,
    /// Draw into a PNG file instead of a window, and end. Needs no display server.
    #[arg(long, value_name = "OUT.png")]
    screenshot: Option<PathBuf>,
    /// When the screenshot is taken: in seconds after the start, or of the recording.
    #[arg(long, value_name = "SECONDS", default_value = "10", value_parser = seconds, requires = "screenshot")]
    after: Duration,
    /// Draw frame after frame into this folder instead of a window, and end: a replay in its own time, a live view as fast as it goes.
    #[arg(long, value_name = "DIR", conflicts_with = "screenshot")]
    frames: Option<PathBuf>,
    /// Open no window. Without --screenshot and --frames: draw, keep nothing, and tell how many frames a second were drawn.
    #[arg(long)]
    headless: bool,
    /// Frames a second of the film of a recording.
    #[arg(long, value_name = "COUNT", default_value = "30", value_parser = per_second, requires = "frames")]
    fps: f32,
    /// Length of what is drawn without a window, in seconds [default: the recording's, or 10].
    #[arg(long = "for", value_name = "SECONDS", value_parser = seconds, conflicts_with = "screenshot")]
    length: Option<Duration>,
    /// Width and height of the window or pictures, in pixels.
    #[arg(long, value_name = "WxH", default_value = "1280x720", value_parser = size)]
    size: UVec2,
    /// How many pixels of a picture are one of its texts, in each direction: 2 for screens with small pixels.
    #[arg(long, value_name = "FACTOR", default_value = "1", value_parser = scale)]
    scale: f32,
    /// Colours [default: as chosen last in a window; for files: dark].
    #[arg(long)]
    theme: Option<Kind>,
}

fn seconds(text: &str) -> Result<Duration, String> {
    let seconds: f64 = text.parse().map_err(|_| "not a number of seconds")?;
    Duration::try_from_secs_f64(seconds)
        .ok()
        .filter(|after| *after <= Duration::from_secs(86_400))
        .ok_or_else(|| "must be from 0 to 86400".into())
}

fn per_second(text: &str) -> Result<f32, String> {
    text.parse().ok().filter(|rate| (1.0..=240.0).contains(rate)).ok_or_else(|| "must be from 1 to 240".into())
}

fn scale(text: &str) -> Result<f32, String> {
    text.parse().ok().filter(|scale| (0.5..=4.0).contains(scale)).ok_or_else(|| "must be from 0.5 to 4".into())
}

fn speed(text: &str) -> Result<f32, String> {
    text.parse().ok().filter(|speed| (0.125..=8.0).contains(speed)).ok_or_else(|| "must be from 0.125 to 8".into())
}

fn size(text: &str) -> Result<UVec2, String> {
    let (width, height) = text.split_once('x').ok_or("must look like 1280x720")?;
    let parse = |text: &str| text.parse().ok().filter(|pixels| (64..=8_192).contains(pixels));
    let (width, height) = parse(width).zip(parse(height)).ok_or("each side must be from 64 to 8192 pixels")?;
    Ok(UVec2::new(width, height))
}

fn main() -> ExitCode {
    let started = Instant::now();
    let arguments = Arguments::parse();
    let output = match (arguments.screenshot, arguments.frames) {
        (Some(path), _) => Output::Picture(Screenshot { path, after: arguments.after }),
        (None, None) if !arguments.headless => Output::Window,
        (None, folder) => Output::Film { folder, per_second: arguments.fps, length: arguments.length },
    };
    let origin = match arguments.replay {
        Some(path) => Origin::Replay { path, speed: arguments.speed, repeats: arguments.repeats },
        None => Origin::Live {
            receivers: address::choose(arguments.connect),
            key_file: arguments.key_file.or_else(|| send_learn_key::file().ok()),
        },
    };
    let options = Options {
        started,
        origin,
        theme: arguments.theme,
        size: arguments.size,
        scale: arguments.scale,
        output,
        settings: settings::file(),
    };
    match run(&options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // It says in its own words what it came from.
            eprintln!("send-learn-visualizer: {error}");
            ExitCode::FAILURE
        }
    }
}
