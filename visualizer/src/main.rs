//! `send-learn-visualizer`: the live 3D view.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::Context;
use bevy::math::UVec2;
use clap::Parser;
use send_learn_visualizer::app::{Options, Screenshot, run};

/// Shows every stream of a Send Learn receiver live, in 3D.
#[derive(Debug, Parser)]
#[command(version)]
struct Arguments {
    /// The receiver.
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:8080")]
    connect: String,
    /// The file of the receiver's key [default: the one that "send-learn key" made].
    #[arg(long, value_name = "FILE")]
    key_file: Option<PathBuf>,
    /// Draw into a PNG file instead of a window, and end. Needs no display server.
    #[arg(long, value_name = "OUT.png")]
    screenshot: Option<PathBuf>,
    /// When the screenshot is taken, in seconds after the start.
    #[arg(long, value_name = "SECONDS", default_value = "10", value_parser = seconds, requires = "screenshot")]
    after: Duration,
    /// Width and height of the window or screenshot, in pixels.
    #[arg(long, value_name = "WxH", default_value = "1280x720", value_parser = size)]
    size: UVec2,
}

fn seconds(text: &str) -> Result<Duration, String> {
    let seconds: f64 = text.parse().map_err(|_| "not a number of seconds")?;
    Duration::try_from_secs_f64(seconds)
        .ok()
        .filter(|after| *after <= Duration::from_secs(86_400))
        .ok_or_else(|| "must be from 0 to 86400".into())
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
    let screenshot = arguments.screenshot.map(|path| Screenshot { path, due: started + arguments.after });
    let key_file = arguments.key_file.or_else(|| send_learn_key::file().ok());
    let options = Options { connect: arguments.connect, key_file, size: arguments.size, screenshot };
    match run(&options).context("send-learn-visualizer") {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::FAILURE
        }
    }
}
