//! Plays music through the real plugin, as a DAW does: block by block, with MIDI, rolling transport and automation. It checks
//! that what comes out is what went in, and says `played` when all is played. Then it stays until its input ends, as a DAW
//! stays open: the plugin sends on what the network held up.

use std::io::{IsTerminal, Read, Write, stderr, stdin, stdout};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use clap::Parser;
use indicatif::{ProgressBar, ProgressStyle};
use send_learn_tests::audio::Audio;
use send_learn_tests::host::{AutomationPoint, EFFECT, INSTRUMENT, Manner, Music, Outcome, Parameter, Plugin};
use send_learn_tests::score::{Event, Score};
use send_learn_tests::synth;
use serde_json::json;

/// Seconds that sounds may ring on after the last event.
const TAIL: f64 = 1.0;

/// How often automation moves, in frames. A prime, so that it falls everywhere in the blocks.
const AUTOMATION_STEP: usize = 4_999;

/// Plays music through the plugin.
#[derive(Debug, Parser)]
#[command(version)]
struct Arguments {
    /// The plugin's CLAP bundle.
    #[arg(long, value_name = "FILE.clap")]
    plugin: PathBuf,
    /// The sound; without it, a synthesizer sounds the MIDI file.
    #[arg(long, value_name = "FILE.wav", required_unless_present = "midi")]
    wav: Option<PathBuf>,
    /// MIDI, tempo and meter.
    #[arg(long, value_name = "FILE.mid")]
    midi: Option<PathBuf>,
    /// The synthesizer's sounds.
    #[arg(long, value_name = "FILE.sf2")]
    soundfont: Option<PathBuf>,
    /// The track's name; without it, the piece's title or the file's name.
    #[arg(long)]
    track: Option<String>,
    /// Samples per second of the synthesizer.
    #[arg(long, default_value_t = 48_000, value_parser = clap::value_parser!(u32).range(8_000..=192_000))]
    rate: u32,
    /// Frames per block.
    #[arg(long, default_value_t = 512, value_parser = clap::value_parser!(u32).range(1..=65_536))]
    block: u32,
    /// How fast: 1 is real time.
    #[arg(long, default_value_t = 1.0)]
    speed: f64,
    /// Sets a parameter from a sample on, as in "Capture@48000=0"; may be given more than once.
    #[arg(long, value_name = "NAME@SAMPLE=VALUE", value_parser = setting)]
    set: Vec<(String, u64, f64)>,
    /// Loads the plugin for MIDI alone, which must play silence.
    #[arg(long, requires = "midi")]
    midi_alone: bool,
    /// What was played goes here: played.wav and played.json.
    #[arg(long, value_name = "FOLDER")]
    out: PathBuf,
}

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Whoever waits for `played` reads why it does not come.
            println!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> Result<()> {
    if arguments.speed <= 0.0 || arguments.speed.is_nan() {
        bail!("the speed must be above 0");
    }
    let id = if arguments.midi_alone { INSTRUMENT } else { EFFECT };
    let mut plugin = Plugin::load(&arguments.plugin, id, &track(arguments)?)?;
    let parameters = plugin.parameters();
    let named = |name: &str| {
        parameters.iter().find(|parameter| parameter.name == name).with_context(|| format!("the plugin has no parameter {name}"))
    };
    let lane = named("Lane 1")?;
    let mut music = music(arguments, lane)?;
    music.audio.save(&arguments.out.join("played.wav"))?;
    let automation: Vec<_> = music.automation.iter().map(|point| json!([point.sample, lane.name, point.value])).collect();
    let log = json!({ "rate": music.audio.rate, "channels": music.audio.channels, "automation": automation });
    std::fs::write(arguments.out.join("played.json"), log.to_string()).context("cannot write played.json")?;

    for (name, sample, value) in &arguments.set {
        music.automation.push(AutomationPoint { sample: *sample, parameter: named(name)?.id, value: *value });
    }
    music.automation.sort_by_key(|point| point.sample);

    let mut progress = Progress::new(music.audio.frames(), music.audio.rate);
    let manner = Manner { block: arguments.block as usize, speed: arguments.speed };
    let outcome = plugin.play(&music, manner, &mut |frames| progress.at(frames))?;
    progress.end();
    let expected = if arguments.midi_alone { silence(&music.audio) } else { music.audio.clone() };
    check(&music, &expected, &outcome)?;
    println!("played");
    stdout().flush()?;
    stdin().read_to_end(&mut Vec::new())?;
    Ok(())
}

/// Reads NAME@SAMPLE=VALUE.
fn setting(text: &str) -> Result<(String, u64, f64), String> {
    let parts = || {
        let (name, rest) = text.rsplit_once('@')?;
        let (sample, value) = rest.split_once('=')?;
        Some((name.to_owned(), sample.parse().ok()?, value.parse().ok()?))
    };
    parts().ok_or_else(|| format!("{text:?} is not like Capture@48000=0"))
}

fn track(arguments: &Arguments) -> Result<String> {
    let score = arguments.midi.as_deref().map(|path| Score::open(path, arguments.rate)).transpose()?;
    let file = arguments.wav.as_deref().or(arguments.midi.as_deref()).and_then(Path::file_stem);
    let file = || file.map(|name| name.to_string_lossy().into_owned());
    let title = || score.map(|score| score.title).filter(|title| !title.is_empty());
    Ok(arguments.track.clone().or_else(title).or_else(file).unwrap_or_default())
}

fn music(arguments: &Arguments, lane: &Parameter) -> Result<Music> {
    let given = arguments.wav.as_deref().map(Audio::open).transpose()?;
    let rate = given.as_ref().map_or(arguments.rate, |audio| audio.rate);
    let score = arguments.midi.as_deref().map(|path| Score::open(path, rate)).transpose()?;
    let mut audio = match (given, &score) {
        (Some(audio), _) => audio,
        (None, Some(score)) => {
            let soundfont = arguments.soundfont.clone().map_or_else(synth::find_soundfont, Ok)?;
            Audio { rate, channels: 2, samples: synth::render(score, &soundfont, TAIL)? }
        }
        (None, None) => bail!("nothing to play"),
    };
    // MIDI may go on after the sound: then there is silence.
    let last = score.as_ref().and_then(|score| score.events.last()).map_or(0, |event| event.sample as usize + 1);
    if audio.frames() < last {
        audio.samples.resize(last * audio.channels, 0.0);
    }
    let automation = (0..audio.frames() / AUTOMATION_STEP).map(|step| {
        // Sixty-fourths are exact in every float; each value differs from the one before.
        let share = (step as f64 * 7.0 + 1.0) % 65.0 / 64.0;
        let sample = (step * AUTOMATION_STEP + 100) as u64;
        AutomationPoint { sample, parameter: lane.id, value: lane.range.0 + share * (lane.range.1 - lane.range.0) }
    });
    Ok(Music { automation: automation.collect(), audio, score })
}

fn silence(audio: &Audio) -> Audio {
    Audio { samples: vec![0.0; audio.samples.len()], ..audio.clone() }
}

/// The plugin's promise: output equals input bit for bit, MIDI included.
fn check(music: &Music, expected: &Audio, outcome: &Outcome) -> Result<()> {
    let bits = |audio: &Audio| audio.samples.iter().map(|sample| sample.to_bits()).collect::<Vec<_>>();
    let (played, heard) = (bits(expected), bits(&outcome.audio));
    if let Some(index) = played.iter().zip(&heard).position(|(played, heard)| played != heard) {
        let (frame, channel) = (index / music.audio.channels, index % music.audio.channels);
        bail!("output differs from input in frame {frame}, channel {channel}: {:#010x}, not {:#010x}", heard[index], played[index]);
    }
    let sent: Vec<Event> = music.score.iter().flat_map(|score| score.events.iter().map(as_sent)).collect();
    if sent != outcome.events {
        let index = sent.iter().zip(&outcome.events).take_while(|(sent, heard)| sent == heard).count();
        let (sent, heard) = (sent.get(index), outcome.events.get(index));
        bail!("MIDI output differs from input at event {index}: {heard:02x?}, not {sent:02x?}");
    }
    eprintln!("output equals input: {} frames, {} MIDI events", outcome.audio.frames(), outcome.events.len());
    Ok(())
}

/// Hosts make a note's end of a note-on without velocity.
fn as_sent(event: &Event) -> Event {
    match event.bytes[..] {
        [status @ 0x90..=0x9F, key, 0] => Event { sample: event.sample, bytes: vec![status & 0x8F, key, 0] },
        _ => event.clone(),
    }
}

/// How far the music is: a bar on a terminal, else a line every five seconds of music.
struct Progress {
    bar: Option<ProgressBar>,
    rate: u32,
    seconds: usize,
    said: usize,
}

impl Progress {
    fn new(frames: usize, rate: u32) -> Self {
        let seconds = frames / rate as usize;
        let bar = stderr().is_terminal().then(|| {
            let style = ProgressStyle::with_template("playing {bar:40} {pos} of {len} s, {eta} left");
            ProgressBar::new(seconds as u64).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
        });
        Self { bar, rate, seconds, said: 0 }
    }

    fn at(&mut self, frames: usize) {
        let second = frames / self.rate as usize;
        if second == self.said {
            return;
        }
        self.said = second;
        match &self.bar {
            Some(bar) => bar.set_position(second as u64),
            None if second.is_multiple_of(5) => eprintln!("playing: {second} of {} s", self.seconds),
            None => {}
        }
    }

    fn end(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
