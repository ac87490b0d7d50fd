//! Real music: tunes of OpenTTD's openmsx set, rendered by FluidSynth.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use midly::num::{u7, u28};
use midly::{MetaMessage, MidiMessage, Smf, TrackEvent, TrackEventKind};

use crate::piece;
use crate::process::{Process, wait_for};
use crate::products;
use crate::synth;

/// Where Debian's `openttd-openmsx` puts the tunes.
const FOLDER: &str = "/usr/share/games/openttd/baseset/openmsx";

/// A rendering takes seconds; one that does not end has run away, and would fill the disk.
const RENDER_LIMIT: Duration = Duration::from_secs(120);
const RENDER_BYTES: u64 = 100_000_000;

/// The controller of the sustain pedal.
const SUSTAIN: u7 = u7::new(64);

/// A tune as MIDI and as sound.
#[derive(Clone, Debug)]
pub struct Tune {
    /// The MIDI file.
    pub midi: PathBuf,
    /// Its rendering: 16-bit stereo.
    pub wav: PathBuf,
}

/// The tune `name`, cut after `quarters` quarter notes, rendered at `rate`. Renderings are kept for the next run.
///
/// # Errors
/// When tune, SoundFont or FluidSynth are not there (`cargo xtask setup` installs them), or the rendering fails.
pub fn tune(name: &str, quarters: u32, rate: u32) -> Result<Tune> {
    let source = Path::new(FOLDER).join(format!("{name}.mid"));
    let bytes = fs::read(&source).with_context(|| format!("cannot read {}: run `cargo xtask setup`", source.display()))?;
    let folder = products::named("SEND_LEARN_RENDERS")?;
    fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
    let stem = format!("{name}-{quarters}-{rate}");
    let midi = folder.join(format!("{stem}.mid"));
    let wav = folder.join(format!("{stem}.wav"));
    // Tests of one program run beside one another, and may want the same tune.
    static RENDERING: Mutex<()> = Mutex::new(());
    let _one = RENDERING.lock();
    if !wav.exists() {
        let mut smf = Smf::parse(&bytes).with_context(|| format!("{} is not a MIDI file", source.display()))?;
        cut(&mut smf, quarters)?;
        smf.save(&midi)?;
        render(&midi, &wav, rate)?;
    }
    Ok(Tune { midi, wav })
}

/// The demo's piece, cut after `quarters` quarter notes, written to `path`.
///
/// # Errors
/// When it cannot be written.
pub fn cut_piece(path: &Path, quarters: u32) -> Result<PathBuf> {
    let bytes = piece::file()?;
    let mut smf = Smf::parse(&bytes)?;
    cut(&mut smf, quarters)?;
    smf.save(path).with_context(|| format!("cannot write {}", path.display()))?;
    Ok(path.to_owned())
}

/// Leaves out every event after `quarters` quarter notes; what sounds then ends there, or FluidSynth would render for ever.
fn cut(smf: &mut Smf<'_>, quarters: u32) -> Result<()> {
    let midly::Timing::Metrical(per_quarter) = smf.header.timing else { bail!("its time is in frames of film") };
    let limit = u32::from(per_quarter.as_int()) * quarters;
    for track in &mut smf.tracks {
        let mut tick = 0;
        let mut sounding = BTreeSet::new();
        let mut pedals = BTreeSet::new();
        track.retain(|event| {
            tick += event.delta.as_int();
            if tick > limit || event.kind == TrackEventKind::Meta(MetaMessage::EndOfTrack) {
                return false;
            }
            if let TrackEventKind::Midi { channel, message } = event.kind {
                match message {
                    MidiMessage::NoteOn { key, vel } if vel > 0 => _ = sounding.insert((channel, key)),
                    MidiMessage::NoteOn { key, .. } | MidiMessage::NoteOff { key, .. } => _ = sounding.remove(&(channel, key)),
                    MidiMessage::Controller { controller, .. } if controller == SUSTAIN => _ = pedals.insert(channel),
                    _ => {}
                }
            }
            true
        });
        let last: u32 = track.iter().map(|event| event.delta.as_int()).sum();
        let mut wait = if tick > limit { limit - last } else { 0 };
        let mut end = |kind| track.push(TrackEvent { delta: u28::new(std::mem::take(&mut wait)), kind });
        for channel in pedals {
            let message = MidiMessage::Controller { controller: SUSTAIN, value: 0.into() };
            end(TrackEventKind::Midi { channel, message });
        }
        for (channel, key) in sounding {
            end(TrackEventKind::Midi { channel, message: MidiMessage::NoteOff { key, vel: 64.into() } });
        }
        end(TrackEventKind::Meta(MetaMessage::EndOfTrack));
    }
    Ok(())
}

fn render(midi: &Path, wav: &Path, rate: u32) -> Result<()> {
    let unfinished = wav.with_extension(format!("{}.part", std::process::id()));
    let rate = rate.to_string();
    let mut command = Command::new("fluidsynth");
    command.args(["-ni", "-q", "-r", &rate, "-O", "s16", "-T", "wav", "-F"]).arg(&unfinished);
    command.arg(synth::find_soundfont()?).arg(midi).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let mut process = Process::start(&mut command).context("run `cargo xtask setup`")?;
    let ended = wait_for(RENDER_LIMIT, || {
        let run_away = fs::metadata(&unfinished).is_ok_and(|file| file.len() > RENDER_BYTES);
        let status = process.child().try_wait().ok().flatten();
        (run_away || status.is_some()).then_some(status)
    });
    match ended.flatten() {
        Some(status) if status.success() => fs::rename(&unfinished, wav).with_context(|| format!("cannot write {}", wav.display())),
        ended => {
            process.kill()?;
            fs::remove_file(&unfinished).ok();
            match ended {
                Some(status) => bail!("fluidsynth ended with {status} on {}", midi.display()),
                None => bail!("fluidsynth does not come to an end on {}", midi.display()),
            }
        }
    }
}
