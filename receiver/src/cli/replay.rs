//! `send-learn replay`.

use std::collections::BTreeMap;
use std::net::{SocketAddr, ToSocketAddrs};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use anyhow::{Context, bail};
use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use send_learn::replay::{Replay, Speed, replay};
use send_learn::source;
use send_learn::store::Recording;
use signal_hook::consts::{SIGINT, SIGTERM};

use super::table;

/// What is sent again, and where.
///
/// What is recorded of it equals the original in audio, MIDI, transport, automation, markers and gaps. It is a take of its own; its
/// attribute `replay_of` names the take that it replays.
#[derive(Debug, Args)]
pub(super) struct ReplayOptions {
    /// A .h5 file, a take's folder, a day's, or a data folder; takes are sent one after another.
    path: PathBuf,
    /// The receiver, as address:port.
    #[arg(long, value_name = "ADDRESS")]
    to: String,
    /// How fast: 1 as it was played, 2 twice as fast, `max` as fast as the receiver takes it.
    #[arg(long, default_value = "1", value_parser = speed)]
    speed: Speed,
    /// Give up when no receiver answers for this many seconds.
    #[arg(long, value_name = "SECONDS", default_value_t = 30)]
    timeout: u64,
}

/// The status of a program that was interrupted (128 and SIGINT).
const INTERRUPTED: u8 = 130;

fn speed(text: &str) -> Result<Speed, String> {
    match text.parse::<f64>() {
        _ if text == "max" => Ok(Speed::Unbounded),
        Ok(times) if (0.01..=1_000.0).contains(&times) => Ok(Speed::Times(times)),
        _ => Err("a number from 0.01 to 1000, or max".to_owned()),
    }
}

pub(super) fn run(options: &ReplayOptions) -> anyhow::Result<ExitCode> {
    let to = resolve(&options.to)?;
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM] {
        // The second one ends the program at once.
        signal_hook::flag::register_conditional_shutdown(signal, i32::from(INTERRUPTED), Arc::clone(&stop))?;
        signal_hook::flag::register(signal, Arc::clone(&stop))?;
    }
    let key = send_learn_key::machine()?;
    let mut code = ExitCode::SUCCESS;
    for parts in takes(options, &mut code)? {
        let summary = &parts[0].summary;
        let (first, rate) = (summary.first_sample, summary.sample_rate);
        let end = parts.last().map_or(first, |part| part.summary.first_sample + part.summary.committed_frames);
        let name = if summary.name.is_empty() { "(no name)".to_owned() } else { table::clean(&summary.name) };
        let bar = ProgressBar::new(end - first);
        bar.set_style(
            ProgressStyle::with_template("{prefix} {bar:30} {percent} %, {eta} left").context("the progress bar's template")?,
        );
        bar.set_prefix(name.clone());
        let sent = replay(
            &parts,
            &Replay {
                to,
                speed: options.speed,
                // Other random bytes for each take.
                keyed: key.as_ref().map(|key| send_learn_key::keyed(key.psk())).transpose()?,
                patience: Duration::from_secs(options.timeout),
                stop: &stop,
                progress: &|position| bar.set_position(position - first),
            },
        )?;
        bar.finish_and_clear();
        println!(
            "{name}: {} sent, and on the receiver's disk as take {}",
            table::duration((sent.end - first) as f64 / rate),
            sent.take
        );
        if !sent.complete {
            println!("stopped before its end");
            return Ok(ExitCode::from(INTERRUPTED));
        }
    }
    Ok(code)
}

fn resolve(to: &str) -> anyhow::Result<SocketAddr> {
    let mut found = to.to_socket_addrs().with_context(|| format!("{to} is no address of a receiver, as 127.0.0.1:8080 is"))?;
    found.next().with_context(|| format!("{to} has no address"))
}

/// The files of each take, in order. Files that cannot be read are named, and left out.
fn takes(options: &ReplayOptions, code: &mut ExitCode) -> anyhow::Result<Vec<Vec<Recording>>> {
    let mut takes: BTreeMap<(u64, String), Vec<Recording>> = BTreeMap::new();
    for file in source::files(&options.path)? {
        match Recording::open(&file) {
            Ok(part) if !part.summary.audio_file.is_empty() => {
                eprintln!("send-learn: left out: {} has its audio in {}", file.display(), table::clean(&part.summary.audio_file));
                *code = ExitCode::FAILURE;
            }
            Ok(part) => takes.entry((part.summary.started_unix_nanos, part.summary.take_id.clone())).or_default().push(part),
            Err(error) => {
                eprintln!("send-learn: cannot be read, and left out: {}", table::clean(&error.to_string()));
                *code = ExitCode::FAILURE;
            }
        }
    }
    let mut takes: Vec<Vec<Recording>> = takes.into_values().collect();
    for parts in &mut takes {
        parts.sort_by_key(|part| part.summary.first_sample);
    }
    if takes.is_empty() {
        bail!("nothing in {} can be replayed", options.path.display());
    }
    Ok(takes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_speed_is_a_number_or_all_there_is() {
        assert_eq!(speed("2.5"), Ok(Speed::Times(2.5)));
        assert_eq!(speed("max"), Ok(Speed::Unbounded));
        assert!(speed("0").is_err() && speed("-1").is_err() && speed("nan").is_err() && speed("fast").is_err());
    }
}
