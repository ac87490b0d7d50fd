//! The plugin's bundles: the library in the folders and under the names that VST3 and CLAP hosts look for.

use std::env::consts::ARCH;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

use crate::cache::Cache;
use crate::plan::{Guess, Plan};
use crate::products;
use crate::{shell, system};

/// The name of the bundles. The library in a `.vst3` must bear it too, or JUCE hosts refuse the bundle.
pub(crate) const NAME: &str = "Send Learn";

/// Adds the steps that build the bundles for use in a DAW.
pub(crate) fn add(plan: &mut Plan<'_>, cache: &Cache) {
    system::add(plan, system::Purpose::Build);
    let cache = cache.clone();
    plan.step("Build the plugin in release mode", "bundle", Guess { first: 10 * 60, again: 60 }, move || {
        shell::run(products::cargo(&cache, "build").args(["--release", "--package", "send-learn-plugin", "--lib"]))?;
        let folder = cache.target().join("bundled-release");
        write(&products::library(&cache, "release"), &folder)?;
        println!("\n{}\n{}", folder.join(format!("{NAME}.vst3")).display(), folder.join(format!("{NAME}.clap")).display());
        println!("\nCopy them to where your DAW looks for plugins:\n{}", places());
        Ok(())
    });
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
fn copy(from: &Path, to: &Path) -> Result<()> {
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

fn places() -> &'static str {
    if cfg!(target_os = "macos") {
        "  ~/Library/Audio/Plug-Ins/VST3\n  ~/Library/Audio/Plug-Ins/CLAP"
    } else if cfg!(windows) {
        "  C:\\Program Files\\Common Files\\VST3\n  C:\\Program Files\\Common Files\\CLAP"
    } else {
        "  ~/.vst3\n  ~/.clap"
    }
}
