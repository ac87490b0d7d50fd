//! `cargo xtask demo`: the whole system does its job before your eyes.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};

use crate::bundle;
use crate::cache::{self, Cache};
use crate::plan::{Guess, Plan};
use crate::products::{self, Variant};
use crate::{files, readers, system};

/// What the person asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Options {
    wav: Option<PathBuf>,
    midi: Option<PathBuf>,
    soundfont: Option<PathBuf>,
    no_view: bool,
}

impl Options {
    /// Whether what is played, or by which sounds, is the person's own.
    fn own(&self) -> bool {
        [&self.wav, &self.midi, &self.soundfont].into_iter().any(Option::is_some)
    }
}

/// Adds the steps of the demo. The piece is played as soon as the recording half is built; on the first run once more, with
/// the viewer, when that is built too.
///
/// # Errors
/// When `options` are not those of the demo.
pub(crate) fn add(plan: &mut Plan<'_>, cache: &Cache, options: &[String]) -> Result<()> {
    let options = parse(options)?;
    if options.wav.is_none() && options.soundfont.is_none() {
        system::check_soundfont()?;
    }
    let view = !options.no_view;
    system::add(plan, if view { system::Purpose::View } else { system::Purpose::Record });
    readers::add(plan, cache, readers::Set::Readers);
    products::add_recording_half(plan, cache);
    let first_view = view && !products::viewer(cache).exists();
    if !view || first_view {
        add_play(plan, cache, &options, false);
    }
    if view {
        products::add_viewer(plan, cache);
        add_play(plan, cache, &options, true);
    }
    Ok(())
}

fn add_play(plan: &mut Plan<'_>, cache: &Cache, options: &Options, view: bool) {
    let mut play = play(cache, options);
    let (title, key) = if view {
        play.arg("--viewer").arg(products::viewer(cache));
        ("Play, record, show and compare", "play-viewed")
    } else {
        ("Play, record and compare", "play")
    };
    // How long a person's own music takes says nothing about the piece.
    let key = if options.own() { format!("{key}-own") } else { key.to_owned() };
    plan.step(title, &key, Guess { first: 40, again: 40 }, move || {
        let status = play.status().context("cannot start the demo's program")?;
        ensure!(status.success(), "it ended with {status}; the reason stands above");
        Ok(())
    });
}

fn play(cache: &Cache, options: &Options) -> Command {
    let programs = products::programs(cache);
    let mut play = Command::new(programs.join(format!("send-learn-demo{}", env::consts::EXE_SUFFIX)));
    play.arg("--programs").arg(programs);
    play.arg("--plugin").arg(Variant::Plain.folder(cache).join(format!("{}.clap", bundle::NAME)));
    play.arg("--python").arg(cache.python());
    play.arg("--folder").arg(cache.file("demo"));
    for (name, file) in [("--wav", &options.wav), ("--midi", &options.midi), ("--soundfont", &options.soundfont)] {
        if let Some(file) = file {
            play.arg(name).arg(file);
        }
    }
    if options.own() {
        play.arg("--own");
    }
    if options.wav.is_none() && options.midi.is_none() {
        play.arg("--midi").arg(cache::source().join("demo/piece.mid"));
    }
    play
}

fn parse(options: &[String]) -> Result<Options> {
    let mut parsed = Options::default();
    let mut rest = options.iter();
    while let Some(option) = rest.next() {
        let (file, check): (_, fn(&Path) -> Result<()>) = match option.as_str() {
            "--no-view" => {
                parsed.no_view = true;
                continue;
            }
            "--wav" => (&mut parsed.wav, files::check_wav),
            "--midi" => (&mut parsed.midi, files::check_midi),
            "--soundfont" => (&mut parsed.soundfont, files::check_soundfont),
            other => bail!("unknown option {other:?} of demo\n\n{}", crate::USAGE),
        };
        let path = PathBuf::from(rest.next().with_context(|| format!("{option} needs a file"))?);
        let path = path.canonicalize().with_context(|| format!("cannot read {}", path.display()))?;
        check(&path)?;
        *file = Some(path);
    }
    Ok(parsed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<String> {
        text.split(' ').map(str::to_owned).collect()
    }

    #[test]
    fn options_of_the_demo_are_read() {
        let piece = concat!(env!("CARGO_MANIFEST_DIR"), "/../demo/piece.mid");
        let parsed = parse(&words(&format!("--no-view --midi {piece}"))).expect("valid options");
        assert!(parsed.no_view && parsed.midi.is_some() && parsed.wav.is_none());
    }

    #[test]
    fn wrong_options_are_refused_with_their_name() {
        for wrong in ["--nosuch", "--wav", "--midi /no/such/file.mid"] {
            let error = format!("{:#}", parse(&words(wrong)).expect_err("an invalid option"));
            assert!(error.contains(wrong.split(' ').next_back().unwrap_or_default()), "{error}");
        }
    }
}
