//! The folder outside the clone that keeps build output, tools and recordings of the demo.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

/// How the names of this project's crates begin.
const OWN: [&str; 2] = ["send-learn", "xtask"];

/// The cache folder and what has its place in it.
#[derive(Clone, Debug)]
pub(crate) struct Cache {
    root: PathBuf,
}

impl Cache {
    /// The cache folder, created where it does not exist.
    ///
    /// # Errors
    /// When no home folder is known or the folder cannot be created.
    pub(crate) fn open() -> Result<Self> {
        let set = |name: &str| env::var_os(name).filter(|value: &OsString| !value.is_empty()).map(PathBuf::from);
        let root = set("SEND_LEARN_CACHE")
            .or_else(|| Some(set("XDG_CACHE_HOME")?.join("send-learn")))
            .or_else(|| Some(set("HOME").or_else(|| set("USERPROFILE"))?.join(".cache/send-learn")))
            .context("no home folder is known: set SEND_LEARN_CACHE to a folder for build output")?;
        fs::create_dir_all(&root).with_context(|| format!("cannot create the cache folder {}", root.display()))?;
        let cache = Self { root: root.canonicalize()? };
        cache.serve(source()).context("cannot look through the cache folder's build output")?;
        Ok(cache)
    }

    /// Has the crates of `clone` built anew where another clone used the cache last: Cargo goes by the time at which a file was
    /// changed, and would take what it built of the other's files for these.
    fn serve(&self, clone: &Path) -> io::Result<()> {
        let last = self.root.join("clone");
        if fs::read(&last).is_ok_and(|last| last == clone.as_os_str().as_encoded_bytes()) {
            return Ok(());
        }
        for target in [self.target(), self.viewer_target()] {
            for profile in entries(&target) {
                let built = entries(&profile.join(".fingerprint"));
                for own in built.filter(|built| is_own(built)) {
                    fs::remove_dir_all(own)?;
                }
            }
        }
        fs::write(last, clone.as_os_str().as_encoded_bytes())
    }

    /// Build output of everything but the viewer.
    pub(crate) fn target(&self) -> PathBuf {
        self.root.join("target")
    }

    /// Build output of the viewer: a folder of its own, so that its long build holds up no other.
    pub(crate) fn viewer_target(&self) -> PathBuf {
        self.root.join("target-viewer")
    }

    /// The Python environment of the readers.
    pub(crate) fn venv(&self) -> PathBuf {
        self.root.join("venv")
    }

    /// The Python of that environment.
    pub(crate) fn python(&self) -> PathBuf {
        if cfg!(windows) { self.venv().join("Scripts/python.exe") } else { self.venv().join("bin/python") }
    }

    /// A file or folder of another name.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }
}

fn is_own(built: &Path) -> bool {
    let name = built.file_name().unwrap_or_default().to_string_lossy();
    OWN.iter().any(|own| name.starts_with(own))
}

/// What is in a folder; nothing, where there is none.
fn entries(folder: &Path) -> impl Iterator<Item = PathBuf> + use<> {
    fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path())
}

/// The root of the clone.
pub(crate) fn source() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap_or(Path::new("."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_another_clone_built_is_built_anew_and_the_rest_is_kept() {
        let folder = env::temp_dir().join(format!("send-learn-cache-{}", std::process::id()));
        let cache = Cache { root: folder.clone() };
        let built = |name: &str| cache.target().join("debug/.fingerprint").join(name);
        let build = || ["send-learn-protocol-0a", "serde-0b"].map(|name| fs::create_dir_all(built(name)).unwrap());
        build();
        cache.serve(Path::new("/one")).unwrap();
        assert!(!built("send-learn-protocol-0a").exists() && built("serde-0b").exists());
        build();
        cache.serve(Path::new("/one")).unwrap();
        assert!(built("send-learn-protocol-0a").exists(), "the same clone goes on");
        cache.serve(Path::new("/two")).unwrap();
        assert!(!built("send-learn-protocol-0a").exists() && built("serde-0b").exists());
        fs::remove_dir_all(folder).unwrap();
    }
}
