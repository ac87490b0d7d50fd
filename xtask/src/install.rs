//! `cargo xtask install-plugin`: the bundles where DAWs look for them, for this user alone.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::bundle;
use crate::cache::Cache;
use crate::plan::{Guess, Plan};

/// Adds the steps. With `--dry-run` nothing is built or written, and it is said where the bundles would go.
///
/// # Errors
/// When an option is unknown, or no home folder is known.
pub(crate) fn add(plan: &mut Plan<'_>, cache: &Cache, options: &[String]) -> Result<()> {
    let dry = options.iter().any(|option| option == "--dry-run");
    crate::none_left(&options.iter().filter(|option| *option != "--dry-run").cloned().collect::<Vec<_>>())?;
    let places = bundle::bundles().map(|name| Some(place(&name)?.join(&name)));
    let [Some(vst3), Some(clap)] = places else { return Err(anyhow::anyhow!("no home folder is known: set HOME")) };
    if !dry {
        bundle::add(plan, cache, &[])?;
    }
    let from = bundle::folder(cache);
    plan.step("Install the plugin", "install", Guess { first: 2, again: 2 }, move || {
        for (name, to) in bundle::bundles().iter().zip([&vst3, &clap]) {
            if dry {
                println!("would write {}", to.display());
            } else {
                install(&from.join(name), to)?;
                println!("{}", to.display());
            }
        }
        if !dry {
            println!("\nLet your DAW scan for plugins. One that runs now keeps the old one until it is started again.");
        }
        Ok(())
    });
    Ok(())
}

/// The user's own folder for a bundle of this name.
fn place(name: &str) -> Option<PathBuf> {
    let folder = |variable: &str| env::var_os(variable).filter(|value| !value.is_empty()).map(PathBuf::from);
    let kind = if name.ends_with(".vst3") { "VST3" } else { "CLAP" };
    if cfg!(target_os = "macos") {
        return Some(folder("HOME")?.join("Library/Audio/Plug-Ins").join(kind));
    }
    if cfg!(windows) {
        return Some(folder("LOCALAPPDATA")?.join("Programs/Common").join(kind));
    }
    Some(folder("HOME")?.join(format!(".{}", kind.to_lowercase())))
}

/// Copies a file, or a folder with all that is in it. What was there of an older one is replaced; nothing else is touched.
fn install(from: &Path, to: &Path) -> Result<()> {
    if !from.is_dir() {
        return bundle::copy(from, to);
    }
    for entry in fs::read_dir(from).with_context(|| format!("cannot read {}", from.display()))? {
        let entry = entry.with_context(|| format!("cannot read {}", from.display()))?;
        install(&entry.path(), &to.join(entry.file_name()))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bundle_is_copied_over_an_older_one() {
        let folder = env::temp_dir().join(format!("send-learn-install-{}", std::process::id()));
        let (from, to) = (folder.join("from/A.vst3"), folder.join("to/A.vst3"));
        for (path, text) in [(from.join("Contents/x/A.so"), "new"), (to.join("Contents/x/A.so"), "old")] {
            fs::create_dir_all(path.parent().expect("a folder")).expect("a folder is made");
            fs::write(path, text).expect("a file is written");
        }
        install(&from, &to).expect("it is installed");
        assert_eq!(fs::read_to_string(to.join("Contents/x/A.so")).expect("it is there"), "new");
        fs::remove_dir_all(folder).expect("the test's own folder");
    }

    #[test]
    fn each_kind_has_a_folder_of_its_own() {
        let [vst3, clap] = bundle::bundles().map(|name| place(&name).expect("a home folder"));
        assert_ne!(vst3, clap);
    }
}
