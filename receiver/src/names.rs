//! Names that a person gave to streams at the receiver. They hold from then on, whatever the track is called in the DAW.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::journal::sync_folder;

/// The file in the data folder: a JSON object from stream to name.
const FILE: &str = ".send-learn-names.json";

/// The longest name, in bytes: as in a recording's tables.
pub const MAX_NAME: usize = 128;

/// Names by stream. Clones are the same names.
#[derive(Clone, Debug, Default)]
pub struct Names {
    path: PathBuf,
    by_stream: Arc<Mutex<BTreeMap<String, String>>>,
}

impl Names {
    /// The names that are kept in `data`. A file that cannot be read is logged, and left alone until a name is given.
    pub fn load(data: &Path) -> Self {
        let path = data.join(FILE);
        let read = fs::read(&path).and_then(|text| Ok(serde_json::from_slice(&text)?));
        let by_stream = read.unwrap_or_else(|error: io::Error| {
            if error.kind() != io::ErrorKind::NotFound {
                tracing::warn!("{}: {error}. Streams have the names that their senders say.", path.display());
            }
            BTreeMap::new()
        });
        Self { path, by_stream: Arc::new(Mutex::new(by_stream)) }
    }

    /// The name of `stream`, if a person gave it one.
    pub fn of(&self, stream: &str) -> Option<String> {
        self.lock().get(stream).cloned()
    }

    /// Gives `stream` a name, and keeps it; an empty one takes the name back.
    ///
    /// # Errors
    /// What the operating system says; the name does not hold then.
    pub fn set(&self, stream: &str, name: &str) -> io::Result<()> {
        let mut by_stream = self.lock();
        let mut new = by_stream.clone();
        match name {
            "" => new.remove(stream),
            name => new.insert(stream.to_owned(), name.to_owned()),
        };
        let draft = self.path.with_extension("new");
        let mut file = fs::File::create(&draft)?;
        file.write_all(&serde_json::to_vec_pretty(&new)?)?;
        file.sync_all()?;
        fs::rename(&draft, &self.path)?;
        sync_folder(self.path.parent().unwrap_or(Path::new(".")))?;
        *by_stream = new;
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, String>> {
        self.by_stream.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_kept_until_they_are_taken_back() {
        let data = tempfile::tempdir().unwrap();
        let names = Names::load(data.path());
        names.set("a", "Lead vox").unwrap();
        names.set("b", "Bass").unwrap();
        names.set("b", "").unwrap();
        let names = Names::load(data.path());
        assert_eq!((names.of("a").as_deref(), names.of("b")), (Some("Lead vox"), None));
        fs::write(data.path().join(FILE), "no JSON").unwrap();
        assert_eq!(Names::load(data.path()).of("a"), None);
    }
}
