//! What is built, and where it lies.

use std::env::consts::{DLL_PREFIX, DLL_SUFFIX, EXE_SUFFIX};
use std::path::PathBuf;
use std::process::Command;

use crate::bundle;
use crate::cache::Cache;
use crate::plan::{Guess, Plan};
use crate::shell;

/// Everything but the viewer. Always built together, so that every crate below is built once, with one set of features.
pub(crate) const RECORDING_HALF: [&str; 3] = ["--workspace", "--exclude", "send-learn-visualizer"];

/// What is built of it. The tests' dependencies ask more features of some crates, and cargo heeds that only where a test is
/// built too: with one small test in every build all crates have the same features everywhere, and are compiled once.
const TARGETS: [&str; 3] = ["--lib", "--test", "piece_equals_its_generator"];

/// A build of the plugin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Variant {
    /// As the demo plays it.
    Plain,
    /// Aborts when the audio thread allocates.
    Checked,
    /// Checked, and with an allocation in the audio thread: it must abort.
    Faulty,
    /// Checked, and without the hidden parameters by which VST3 brings controllers: pedalboard needs a minute to load those.
    BasicMidi,
}

impl Variant {
    /// The folder of its bundles.
    pub(crate) fn folder(self, cache: &Cache) -> PathBuf {
        let name = match self {
            Self::Plain => "bundled",
            Self::Checked => "bundled-checked",
            Self::Faulty => "bundled-faulty",
            Self::BasicMidi => "bundled-basic-midi",
        };
        cache.target().join(name)
    }

    fn features(self) -> &'static [&'static str] {
        match self {
            Self::Plain => &[],
            Self::Checked => &["allocation-check"],
            Self::Faulty => &["deliberate-allocation"],
            Self::BasicMidi => &["allocation-check", "basic-midi"],
        }
    }
}

/// Adds the step that builds plugin, receiver and tests' programs, and makes the plugin's bundles.
pub(crate) fn add_recording_half(plan: &mut Plan<'_>, cache: &Cache) {
    let cache = cache.clone();
    plan.step("Build the plugin and the receiver", "build", Guess { first: 12 * 60, again: 10 }, move || {
        shell::run(cargo(&cache, "build").args(RECORDING_HALF).args(TARGETS).arg("--bins"))?;
        bundle::write(&library(&cache), &Variant::Plain.folder(&cache))
    });
}

/// Adds the step that builds the plugin with the allocation check.
pub(crate) fn add_checked_plugins(plan: &mut Plan<'_>, cache: &Cache) {
    let cache = cache.clone();
    plan.step("Build the plugin with its allocation check", "build-checked", Guess { first: 150, again: 20 }, move || {
        // One build folder for all: only what the check touches is built again, and each library is copied at once.
        for variant in [Variant::Checked, Variant::BasicMidi, Variant::Faulty] {
            let mut build = cargo(&cache, "build");
            build.args(RECORDING_HALF).args(TARGETS);
            build.args(variant.features().iter().map(|feature| format!("--features=send-learn-plugin/{feature}")));
            shell::run(&mut build)?;
            bundle::write(&library(&cache), &variant.folder(&cache))?;
        }
        Ok(())
    });
}

/// Adds the step that builds the standalone program. It links libraries that the plugin must not need, so it is built alone.
pub(crate) fn add_standalone(plan: &mut Plan<'_>, cache: &Cache) {
    let cache = cache.clone();
    plan.step("Build the standalone program", "build-standalone", Guess { first: 150, again: 5 }, move || {
        shell::run(cargo(&cache, "build").args(STANDALONE))
    });
}

/// What is built for it.
pub(crate) const STANDALONE: [&str; 6] =
    ["--package", "send-learn-plugin", "--features", "standalone", "--bin", "send-learn-standalone"];

/// Adds the step that builds the viewer.
pub(crate) fn add_viewer(plan: &mut Plan<'_>, cache: &Cache) {
    let cache = cache.clone();
    plan.step("Build the viewer", "viewer", Guess { first: 20 * 60, again: 20 }, move || {
        shell::run(viewer_cargo(&cache, "build").args(["--package", "send-learn-visualizer"]))
    });
}

/// A cargo command on the recording half.
pub(crate) fn cargo(cache: &Cache, command: &str) -> Command {
    let mut cargo = shell::cargo();
    cargo.arg(command).env("CARGO_TARGET_DIR", cache.target());
    cargo
}

/// A cargo command on the viewer.
pub(crate) fn viewer_cargo(cache: &Cache, command: &str) -> Command {
    let mut cargo = shell::cargo();
    cargo.arg(command).env("CARGO_TARGET_DIR", cache.viewer_target());
    cargo
}

/// The folder of the built programs.
pub(crate) fn programs(cache: &Cache) -> PathBuf {
    cache.target().join("debug")
}

/// The built viewer.
pub(crate) fn viewer(cache: &Cache) -> PathBuf {
    cache.viewer_target().join("debug").join(format!("send-learn-visualizer{EXE_SUFFIX}"))
}

/// The plugin's library as cargo leaves it.
fn library(cache: &Cache) -> PathBuf {
    programs(cache).join(library_name())
}

/// Its name.
pub(crate) fn library_name() -> String {
    format!("{DLL_PREFIX}send_learn_plugin{DLL_SUFFIX}")
}
