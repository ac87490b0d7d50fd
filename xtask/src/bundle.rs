//! The plugin's bundles: the library in the folders and under the names that VST3 and CLAP hosts look for.

use std::env::consts::{ARCH, EXE_SUFFIX};
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::cache::Cache;
use crate::plan::{Guess, Plan};
use crate::products;
use crate::{shell, system};

/// The name of the bundles. The library in a `.vst3` must bear it too, or JUCE hosts refuse the bundle.
pub(crate) const NAME: &str = "Send Learn";

/// The programs that lie beside the bundles.
const PROGRAMS: [&str; 2] = ["send-learn-standalone", "send-learn-send"];

/// The targets that make a universal program of macOS.
const UNIVERSAL: [&str; 2] = ["x86_64-apple-darwin", "aarch64-apple-darwin"];

/// Adds the steps that build the bundles and the programs for a studio machine. `--universal` makes them for both processors of
/// macOS, where rustup has both targets.
///
/// # Errors
/// When an option is unknown.
pub(crate) fn add(plan: &mut Plan<'_>, cache: &Cache, options: &[String]) -> Result<()> {
    let universal = options.iter().any(|option| option == "--universal");
    crate::none_left(&options.iter().filter(|option| *option != "--universal").cloned().collect::<Vec<_>>())?;
    let targets: &[&str] = if universal { &UNIVERSAL } else { &[] };
    system::add(plan, system::Purpose::Build);
    let here = cache.clone();
    plan.step("Build the plugin in release mode", "bundle", Guess { first: 10 * 60, again: 60 }, move || {
        let library = build(&here, targets, &["--package", "send-learn-plugin", "--lib"], &products::library_name())?;
        write(&library, &folder(&here))
    });
    let here = cache.clone();
    plan.step("Build the programs in release mode", "bundle-programs", Guess { first: 4 * 60, again: 60 }, move || {
        for name in PROGRAMS {
            let package = ["--package", "send-learn-plugin", "--features", "standalone", "--bin", name];
            let program = format!("{name}{EXE_SUFFIX}");
            copy(&build(&here, targets, &package, &program)?, &folder(&here).join(program))?;
        }
        println!("\nin {}:", folder(&here).display());
        bundles().iter().map(String::as_str).chain(PROGRAMS).for_each(|name| println!("  {name}"));
        println!("\n`cargo xtask install-plugin` puts both bundles where DAWs look for them.");
        Ok(())
    });
    Ok(())
}

/// Builds `what` in release mode, for this machine or for all of `targets` in one file. Gives the file, which cargo calls `name`.
fn build(cache: &Cache, targets: &[&str], what: &[&str], name: &str) -> Result<PathBuf> {
    let mut cargo = products::cargo(cache, "build");
    targets.iter().for_each(|target| _ = cargo.args(["--target", target]));
    shell::run(cargo.arg("--release").args(what))?;
    let built = cache.target().join("release").join(name);
    if !targets.is_empty() {
        let parts = targets.iter().map(|target| cache.target().join(target).join("release").join(name));
        make_parent(&built)?;
        shell::run(shell::program("lipo").arg("-create").args(parts).arg("-output").arg(&built))?;
    }
    Ok(built)
}

/// Where the bundles lie after that.
pub(crate) fn folder(cache: &Cache) -> PathBuf {
    cache.target().join("bundled-release")
}

/// Their names.
pub(crate) fn bundles() -> [String; 2] {
    ["vst3", "clap"].map(|kind| format!("{NAME}.{kind}"))
}

/// Writes both bundles into `folder`.
///
/// # Errors
/// When a file or folder cannot be written; the message names it.
pub(crate) fn write(library: &Path, folder: &Path) -> Result<()> {
    let vst3 = folder.join(format!("{NAME}.vst3"));
    let clap = folder.join(format!("{NAME}.clap"));
    if cfg!(target_os = "macos") {
        for (bundle, kind) in [(&vst3, "vst3"), (&clap, "clap")] {
            copy(library, &bundle.join("Contents/MacOS").join(NAME))?;
            text(&bundle.join("Contents/Info.plist"), &information(kind))?;
            text(&bundle.join("Contents/PkgInfo"), "BNDL????")?;
            shell::run(shell::program("codesign").args(["--force", "--sign", "-"]).arg(bundle))?;
        }
        return Ok(());
    }
    let inner = if cfg!(windows) { format!("Contents/{ARCH}-win/{NAME}.vst3") } else { format!("Contents/{ARCH}-linux/{NAME}.so") };
    copy(library, &vst3.join(inner))?;
    copy(library, &clap)
}

/// Copies by way of a new file: a host that has the old one loaded keeps it.
pub(crate) fn copy(from: &Path, to: &Path) -> Result<()> {
    make_parent(to)?;
    let fresh = to.with_extension("new");
    fs::copy(from, &fresh).with_context(|| format!("cannot copy {} to {}", from.display(), fresh.display()))?;
    fs::rename(&fresh, to).with_context(|| format!("cannot write {}", to.display()))
}

fn text(path: &Path, content: &str) -> Result<()> {
    make_parent(path)?;
    fs::write(path, content).with_context(|| format!("cannot write {}", path.display()))
}

fn make_parent(path: &Path) -> Result<()> {
    let parent = path.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(parent).with_context(|| format!("cannot create {}", parent.display()))
}

/// The property list of a bundle on macOS.
fn information(kind: &str) -> String {
    let version = env!("CARGO_PKG_VERSION");
    let pairs = [
        ("CFBundleExecutable", NAME),
        ("CFBundleIdentifier", &format!("org.send-learn.{kind}")),
        ("CFBundleName", NAME),
        ("CFBundlePackageType", "BNDL"),
        ("CFBundleSignature", "????"),
        ("CFBundleShortVersionString", version),
        ("CFBundleVersion", version),
    ];
    let body: String = pairs.iter().map(|(key, value)| format!("  <key>{key}</key><string>{value}</string>\n")).collect();
    format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<plist version=\"1.0\">\n<dict>\n{body}</dict>\n</plist>\n")
}
