//! `send-learn plot`.

use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, bail};
use clap::Args;
use send_learn::plot;
use send_learn::source::{self, Sources};

use super::table;

/// What is drawn, and where to.
#[derive(Debug, Args)]
pub(super) struct PlotOptions {
    /// A .h5 file, or a take's folder.
    path: PathBuf,
    /// The picture: a file that ends in .png or .svg.
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
    /// Begin at this second of the take.
    #[arg(long, value_name = "SECONDS", default_value_t = 0.0, value_parser = seconds)]
    from: f64,
    /// End at this second of the take [default: its end].
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    to: Option<f64>,
    /// Pixels of a PNG for each of the picture's units, of which it is 1,600 wide.
    #[arg(long, default_value_t = 1.0, value_parser = scale)]
    scale: f32,
}

fn seconds(text: &str) -> Result<f64, String> {
    text.parse().ok().filter(|seconds| (0.0..1e9).contains(seconds)).ok_or_else(|| "a number of seconds".to_owned())
}

fn scale(text: &str) -> Result<f32, String> {
    text.parse().ok().filter(|scale| (0.25..=4.0).contains(scale)).ok_or_else(|| "a number from 0.25 to 4".to_owned())
}

pub(super) fn run(options: &PlotOptions) -> anyhow::Result<ExitCode> {
    let ending = options.output.extension().and_then(|ending| ending.to_str()).map(str::to_lowercase);
    let is_png = match ending.as_deref() {
        Some("png") => true,
        Some("svg") => false,
        _ => bail!("{} ends neither in .png nor in .svg", options.output.display()),
    };
    let sources = Sources::open(&source::files(&options.path)?);
    let mut code = ExitCode::SUCCESS;
    for error in &sources.broken {
        eprintln!("send-learn: cannot be read, and left out: {}", table::clean(&error.to_string()));
        code = ExitCode::FAILURE;
    }
    let take = match &sources.takes[..] {
        [take] => take,
        [] => bail!("{} holds no finished take", options.path.display()),
        takes => bail!("{} holds {}: name one of them", options.path.display(), table::count(takes.len() as u64, "take")),
    };
    let rate = take.summary.sample_rate;
    let end = options.to.map_or(take.end(), |to| (to * rate) as u64);
    let first = take.held().next().map_or(0, |held| held.start);
    let svg = plot::svg(take, ((options.from * rate) as u64).max(first)..end)?;
    let bytes = if is_png { plot::png(&svg, options.scale)? } else { svg.into_bytes() };
    fs::write(&options.output, bytes).with_context(|| format!("cannot write {}", options.output.display()))?;
    Ok(code)
}
