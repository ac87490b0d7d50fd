//! The folder outside the clone that keeps build output, tools and recordings of the demo.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

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
        Ok(Self { root: root.canonicalize()? })
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

/// The root of the clone.
pub(crate) fn source() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap_or(Path::new("."))
}
