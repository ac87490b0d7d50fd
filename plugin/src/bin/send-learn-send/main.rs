//! Sends WAV and MIDI files to a receiver, through the same capture and uplink as the plugin.

mod find;
mod folder;
mod key;
mod pipe;
mod progress;
mod rest;

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use clap::Parser;
use send_learn_plugin::address;
use send_learn_plugin::capture::{Capture, CaptureConfig, capture};
use send_learn_plugin::clock;
use send_learn_plugin::files::{Form, Performance, Song, Wav};
use send_learn_plugin::identity::{self, SERVER_VARIABLE};
use send_learn_plugin::report::{LinkState, Report};
use send_learn_plugin::settings::{REFUSED, Settings};
use send_learn_plugin::uplink::{StreamHandle, TakeConfig};
use send_learn_protocol::consent::Consent;
use send_learn_protocol::packet::hello::{Description, PropertyKey, Refusal};
use send_learn_protocol::record::EndReason;
use send_learn_protocol::sender::SendMode;
use send_learn_protocol::units::{SamplePosition, StreamId};

use progress::Progress;

/// Sends WAV and MIDI files to a Send Learn receiver, as the plugin would while they play. Ends with status 0 only when the
/// receiver has everything on disk.
///
/// Where the MIDI is longer than the audio, the recording goes on to the last event, and what has no audio is a gap.
#[derive(Clone, Debug, Parser)]
#[command(version, group = clap::ArgGroup::new("files").args(["wav", "midi", "folder", "stdin", "rest", "find", "set_key"]).required(true).multiple(true))]
struct Options {
    /// WAV file: float32, or integers of 8, 16, 24 (exact) or 32 bits (rounded to float32).
    #[arg(long)]
    wav: Option<PathBuf>,
    /// Standard MIDI File, format 0 or 1. Its tempo and meter become the transport.
    #[arg(long)]
    midi: Option<PathBuf>,
    /// Sends all WAV files of this folder and those below it, one after another, each with the MIDI file of the same name beside it.
    #[arg(long, conflicts_with_all = ["wav", "midi", "name"])]
    folder: Option<PathBuf>,
    /// Sends what comes through standard input until it ends: WAV, or raw samples with --raw.
    #[arg(long, conflicts_with_all = ["wav", "midi", "folder"])]
    stdin: bool,
    /// The form of raw samples: encoding (u8, s16, s24, s32, f32, little-endian), rate and channels, as in f32:48000:2.
    #[arg(long, requires = "stdin", value_name = "FORM")]
    raw: Option<Form>,
    /// Sends what earlier programs could not: takes of a DAW that ended, or crashed, while no receiver was there.
    #[arg(long, conflicts_with_all = ["wav", "midi", "folder", "stdin"])]
    rest: bool,
    /// Enters the key of the studio, typed or from standard input, for all programs of this machine, and ends. "send-learn key" shows it
    /// at the receiver.
    #[arg(long, conflicts_with_all = ["wav", "midi", "rest"])]
    set_key: bool,
    /// Lists the receivers of this network by name, and ends.
    #[arg(long, conflicts_with_all = ["wav", "midi", "rest"])]
    find: bool,
    /// The receiver, as address:port, or "auto": the one used last, or the first by name of those found in the network, or
    /// 127.0.0.1:8080 [default: auto; with --rest: where it was to go].
    #[arg(long, env = SERVER_VARIABLE)]
    to: Option<String>,
    /// The stream's name [default: the file's].
    #[arg(long)]
    name: Option<String>,
    /// Who plays [default: as in the plugin's settings].
    #[arg(long)]
    contributor: Option<String>,
    /// The licence of the files, as an SPDX identifier or in words [default: as in the plugin's settings].
    #[arg(long)]
    licence: Option<String>,
    /// What the contributor agreed to, in words; "no" forbids every export [default: as in the plugin's settings].
    #[arg(long)]
    consent: Option<String>,
    /// The file of the key [default: the one that all programs of this machine use].
    #[arg(long, value_name = "FILE")]
    key_file: Option<PathBuf>,
    /// As fast as the receiver takes it, instead of in real time.
    #[arg(long)]
    fast: bool,
    /// Frames of a block.
    #[arg(long, default_value_t = 512, value_parser = clap::value_parser!(u32).range(1..=65_536))]
    block: u32,
    /// Samples per second for MIDI without a WAV file.
    #[arg(long, default_value_t = 48_000, value_parser = clap::value_parser!(u32).range(1..=768_000))]
    rate: u32,
    /// Give up when no receiver answers for this many seconds; 0 waits for ever.
    #[arg(long, default_value_t = 30.0)]
    timeout: f64,
}

impl Options {
    /// Where to send.
    fn to(&self) -> &str {
        self.to.as_deref().unwrap_or(address::AUTOMATIC)
    }
}

/// How often the state is looked at while waiting.
const STEP: Duration = Duration::from_millis(1);

/// How long a receiver is asked that has another key, in seconds.
const KEY_TIMEOUT: f64 = 3.0;

/// The status of a program that was interrupted (128 and SIGINT).
const INTERRUPTED: u8 = 130;

fn main() -> ExitCode {
    let options = Options::parse();
    let sent = match &options.folder {
        _ if options.set_key => key::set(),
        _ if options.find => find::list().map(|()| true),
        _ if options.rest => rest::send(&options),
        _ if options.stdin => pipe::send(&options),
        Some(folder) => folder::send(&options, folder),
        None => watch_interrupts().and_then(|interrupts| send(&options, interrupts)),
    };
    match sent {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(INTERRUPTED),
        Err(error) => {
            eprintln!("send-learn-send: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// True when all of it is durable, false when a person stopped it and all up to there is.
fn send(options: &Options, interrupts: Arc<AtomicU32>) -> Result<bool> {
    let wav = options.wav.as_deref().map(Wav::open).transpose()?;
    let song = options.midi.as_deref().map(Song::open).transpose()?;
    options.to().parse::<address::Address>()?;
    if wav.as_ref().is_some_and(Wav::is_rounded) {
        eprintln!("note: 32-bit integers have more digits than float32; each sample is rounded to the nearest");
    }
    let mut performance = Performance::new(wav, song, options.rate);
    if performance.length() == 0 {
        bail!("the files hold neither audio nor events: there is nothing to send");
    }
    let uplink = key::uplink(options)?;
    let stream = uplink.open(options.to());
    let config = CaptureConfig {
        sample_rate: f64::from(performance.sample_rate()),
        channels: performance.channels(),
        max_block: options.block,
        patient: true,
    };
    let (audio, captured) = capture(config);
    let mode = if options.fast { SendMode::Fast } else { SendMode::Live };
    stream.start(TakeConfig { description: describe(options, &config)?, parameters: Vec::new(), mode }, captured);
    let length = performance.length();
    let progress = Progress::new(length, config.sample_rate);
    let mut watch = Watch::new(stream, interrupts, progress, options);
    let performed = perform(&mut performance, audio, &mut watch);
    if performed.is_err() {
        watch.leave();
    }
    let (complete, position) = performed?;
    watch.progress.finish(&watch.stream.report(), position, complete);
    Ok(complete)
}

/// Plays, and waits until all of it is durable. Gives whether it was played to the end, and where the take ends.
fn perform(performance: &mut Performance, mut audio: Capture, watch: &mut Watch<'_>) -> Result<(bool, SamplePosition)> {
    let complete = play(performance, &mut audio, watch)?;
    let position = audio.position();
    audio.finish(if complete { EndReason::EndOfFile } else { EndReason::Stopped });
    watch.until_durable(complete)?;
    Ok((complete, position))
}

/// Plays to the end, or until a person stops it; then false.
fn play(performance: &mut Performance, audio: &mut Capture, watch: &mut Watch<'_>) -> Result<bool> {
    let start = Instant::now();
    let rate = f64::from(performance.sample_rate());
    loop {
        let frames = performance.next_block(watch.options.block);
        if frames == 0 {
            return Ok(true);
        }
        let due = start + Duration::from_secs_f64(performance.position() as f64 / rate);
        loop {
            if watch.look()? {
                return Ok(false);
            }
            let early = due.saturating_duration_since(Instant::now());
            if !watch.options.fast && !early.is_zero() {
                std::thread::sleep(early.min(Duration::from_millis(20)));
            } else if audio.has_room(frames) {
                break;
            } else {
                std::thread::sleep(STEP);
            }
        }
        performance.play(frames, clock::now(), audio)?;
    }
}

/// Counts Ctrl-C: the first ends the take, a second ends the program.
fn watch_interrupts() -> Result<Arc<AtomicU32>> {
    let interrupts = Arc::new(AtomicU32::new(0));
    let count = interrupts.clone();
    ctrlc::set_handler(move || {
        if count.fetch_add(1, Ordering::Relaxed) > 0 {
            std::process::exit(i32::from(INTERRUPTED));
        }
    })
    .context("cannot watch for Ctrl-C")?;
    Ok(interrupts)
}

fn describe(options: &Options, config: &CaptureConfig) -> Result<Description> {
    let file = options.wav.as_ref().or(options.midi.as_ref());
    let name = options.name.clone().or_else(|| Some(file?.file_stem()?.to_string_lossy().into_owned()));
    let mut description = identity::new_take(StreamId::random(), config);
    description.set_property(PropertyKey::NAME, name.as_deref().unwrap_or("stdin"));
    description.set_property(PropertyKey::HOST, "send-learn-send");
    description.set_property(PropertyKey::HOST_VERSION, env!("CARGO_PKG_VERSION"));
    description.set_property(PropertyKey::FORMAT, "file");
    description.set_property(PropertyKey::SENDER_VERSION, env!("CARGO_PKG_VERSION"));
    description.set_property(PropertyKey::MACHINE, &identity::machine_name());
    options.consent.as_deref().map_or(Ok(()), clear)?;
    let mut statement = Settings::load()?.statement;
    for (stated, option) in [
        (&mut statement.contributor, &options.contributor),
        (&mut statement.licence, &options.licence),
        (&mut statement.consent, &options.consent),
    ] {
        if let Some(text) = option {
            stated.clone_from(text);
        }
    }
    statement.state(&mut description);
    Ok(description)
}

/// Words of consent that nobody can mistake: nothing, exactly "no", or what is allowed.
fn clear(consent: &str) -> Result<()> {
    let is_clear = match Consent::read(consent) {
        Consent::Given => true,
        Consent::Unstated => consent.is_empty(),
        Consent::Refused => consent == REFUSED,
    };
    if !is_clear {
        bail!("--consent {consent:?} is not clear: say what may be done with the recording, or \"no\" for nothing");
    }
    Ok(())
}

/// Watches the stream: shows where it stands, and gives up when there is no hope.
struct Watch<'a> {
    stream: StreamHandle,
    interrupts: Arc<AtomicU32>,
    progress: Progress,
    options: &'a Options,
    /// Since when no receiver has answered.
    unanswered: Option<Instant>,
    /// Whether a receiver has ever taken the stream.
    reached: bool,
    /// Whether it was said that nothing can be kept on disk.
    told_disk: bool,
}

impl<'a> Watch<'a> {
    fn new(stream: StreamHandle, interrupts: Arc<AtomicU32>, progress: Progress, options: &'a Options) -> Self {
        Self { stream, interrupts, progress, options, unanswered: None, reached: false, told_disk: false }
    }
}

impl Watch<'_> {
    /// Shows the state. True when a person wants to stop.
    fn look(&mut self) -> Result<bool> {
        let report = self.stream.report();
        if !report.disk_problem.is_empty() && !std::mem::replace(&mut self.told_disk, true) {
            eprintln!("note: {}; what memory cannot hold while the receiver is away is lost", report.disk_problem);
        }
        self.check(&report)?;
        self.progress.show(&report);
        Ok(self.interrupts.load(Ordering::Relaxed) > 0)
    }

    fn check(&mut self, report: &Report) -> Result<()> {
        if report.link == LinkState::Failed {
            bail!("{}", report.problem);
        }
        if matches!(report.link, LinkState::Connected | LinkState::Finished) {
            self.unanswered = None;
            self.reached = true;
            return Ok(());
        }
        let waited = self.unanswered.get_or_insert_with(Instant::now).elapsed();
        let timeout = match report.link {
            // Waiting does not mend it, but somebody else than the receiver may have said it.
            LinkState::Refused(Refusal::KeyNeeded | Refusal::WrongKey | Refusal::NoKey) => KEY_TIMEOUT.min(self.options.timeout),
            _ => self.options.timeout,
        };
        if timeout <= 0.0 || waited.as_secs_f64() < timeout {
            return Ok(());
        }
        let given = self.options.to();
        let to = report.address.map_or_else(|| given.to_owned(), |address| address.to_string());
        let seconds = waited.as_secs_f64();
        let tried = format!("tried {to} for {seconds:.0} s");
        match report.link {
            LinkState::Refused(reason) => bail!("the receiver at {to} declined: {reason} ({tried})"),
            LinkState::Resolving => bail!("the name in {to} is still not found ({tried})"),
            _ if report.durable.0 > 0 => bail!(
                "the receiver stopped answering ({tried}); it has {:.1} s of the recording on disk. The rest is kept: \"send-learn-send --rest\" sends it",
                report.durable.0 as f64 / self.progress.sample_rate()
            ),
            _ if !report.tried.is_empty() => bail!(
                "no receiver answers after {seconds:.0} s: {}. Is \"send-learn serve\" running, and listening on more than \
                 127.0.0.1? Name it with --to ADDRESS; \"send-learn doctor\" looks for the reason",
                report.tried
            ),
            _ => bail!(
                "no receiver answers ({tried}). Is \"send-learn serve --listen {to}\" running there? Does a firewall block UDP?"
            ),
        }
    }

    /// Gives up. Of what no receiver has a part, nothing is kept: the files are still there.
    fn leave(&self) {
        if !self.reached {
            self.stream.discard();
        }
    }

    /// Waits until everything is on the receiver's disk.
    fn until_durable(&mut self, complete: bool) -> Result<()> {
        let asked = self.interrupts.load(Ordering::Relaxed);
        loop {
            let report = self.stream.report();
            if report.lost_entries > 0 {
                bail!(
                    "{} datagrams were lost: the receiver was away for longer than there is room for, in memory and on disk",
                    report.lost_entries
                );
            }
            if report.dropped > 0 {
                bail!("{} blocks or events were dropped on this machine", report.dropped);
            }
            if report.link == LinkState::Finished && !report.running {
                return Ok(());
            }
            if self.look()? && complete && self.interrupts.load(Ordering::Relaxed) > asked {
                bail!("stopped while {} datagrams were not on the receiver's disk yet", report.owed);
            }
            std::thread::sleep(STEP);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn consent_is_taken_only_where_nobody_can_mistake_it() {
        for consent in ["", "no", "May be used to train models."] {
            assert!(clear(consent).is_ok(), "{consent:?}");
        }
        for consent in ["No.", "nein", "refused", "not given", "-", " "] {
            assert!(clear(consent).is_err(), "{consent:?}");
        }
    }
}
