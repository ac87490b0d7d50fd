//! Real music: tunes of OpenTTD's openmsx set, rendered by FluidSynth.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use midly::{MetaMessage, Smf, TrackEventKind};

use crate::piece;
use crate::process::Process;
use crate::products;
use crate::synth;

/// Where Debian's `openttd-openmsx` puts the tunes.
const FOLDER: &str = "/usr/share/games/openttd/baseset/openmsx";

/// A rendering takes seconds; one that does not end has run away, and would fill the disk.
const RENDER_LIMIT: Duration = Duration::from_secs(120);

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

/// Leaves out every event after `quarters` quarter notes.
fn cut(smf: &mut Smf<'_>, quarters: u32) -> Result<()> {
    let midly::Timing::Metrical(per_quarter) = smf.header.timing else { bail!("its time is in frames of film") };
    let limit = u64::from(per_quarter.as_int()) * u64::from(quarters);
    for track in &mut smf.tracks {
        let mut tick = 0;
        track.retain(|event| {
            tick += u64::from(event.delta.as_int());
            tick <= limit && event.kind != TrackEventKind::Meta(MetaMessage::EndOfTrack)
        });
        track.push(midly::TrackEvent { delta: 0.into(), kind: TrackEventKind::Meta(MetaMessage::EndOfTrack) });
    }
    Ok(())
}

fn render(midi: &Path, wav: &Path, rate: u32) -> Result<()> {
    let unfinished = wav.with_extension(format!("{}.part", std::process::id()));
    let rate = rate.to_string();
    let mut command = Command::new("fluidsynth");
    command.args(["-ni", "-q", "-r", &rate, "-O", "s16", "-T", "wav", "-F"]).arg(&unfinished);
    command.arg(synth::find_soundfont()?).arg(midi).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let status = Process::start(&mut command).context("run `cargo xtask setup`")?.wait(RENDER_LIMIT)?;
    if !status.success() {
        bail!("fluidsynth ended with {status} on {}", midi.display());
    }
    fs::rename(&unfinished, wav).with_context(|| format!("cannot write {}", wav.display()))
}
