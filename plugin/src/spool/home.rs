//! The user's spool folder, which all programs of the user share: each has a folder of its own in it, locked while it lives.

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use super::take::{create, make_folder};

/// One program's folder, which nobody else touches while this lives: `NAME/`, and `NAME.lock` beside it.
#[derive(Debug)]
pub(super) struct Claim {
    folder: PathBuf,
    lock: PathBuf,
    _locked: File,
}

impl Claim {
    /// A new folder for this program in `root`.
    ///
    /// # Errors
    /// When it cannot be made.
    pub(super) fn new(root: &Path) -> io::Result<Self> {
        make_folder(root)?;
        owner_alone(root)?;
        let name = uuid::Uuid::new_v4().to_string();
        // The lock comes first: a folder without one is an orphan.
        let claim = Self::lock(root, &name)?.ok_or(io::ErrorKind::ResourceBusy)?;
        make_folder(&claim.folder)?;
        Ok(claim)
    }

    /// The folders whose programs are gone; they are this one's from now on.
    pub(super) fn orphans(root: &Path) -> Vec<Self> {
        let names = fs::read_dir(root).into_iter().flatten().flatten().filter(|item| item.path().is_dir());
        let names = names.filter_map(|item| item.file_name().into_string().ok());
        // After the lock is there, the folder may not be: then its owner has just finished.
        names.filter_map(|name| Self::lock(root, &name).ok().flatten()).filter(|claim| claim.folder.is_dir()).collect()
    }

    /// The lock of a folder; `None` when another program, or another part of this one, holds it.
    fn lock(root: &Path, name: &str) -> io::Result<Option<Self>> {
        let (folder, lock) = (root.join(name), root.join(format!("{name}.lock")));
        let locked = create(&lock)?;
        match locked.try_lock() {
            Ok(()) => Ok(Some(Self { folder, lock, _locked: locked })),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }

    /// The folder.
    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// The takes' folders in it.
    pub(super) fn takes(&self) -> Vec<PathBuf> {
        fs::read_dir(&self.folder).into_iter().flatten().flatten().map(|item| item.path()).filter(|path| path.is_dir()).collect()
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        // Only an empty folder goes, and its lock after it. What is left waits for the next program.
        if fs::remove_dir(&self.folder).is_ok() || !self.folder.exists() {
            let _ = fs::remove_file(&self.lock);
        }
    }
}

#[cfg(unix)]
fn owner_alone(folder: &Path) -> io::Result<()> {
    fs::set_permissions(folder, std::os::unix::fs::PermissionsExt::from_mode(0o700))
}

#[cfg(not(unix))]
fn owner_alone(_: &Path) -> io::Result<()> {
    Ok(())
}

/// Bytes of all files below `folder`.
pub(super) fn size(folder: &Path) -> u64 {
    let items = fs::read_dir(folder).into_iter().flatten().flatten();
    items.map(|item| if item.path().is_dir() { size(&item.path()) } else { item.metadata().map_or(0, |data| data.len()) }).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_its_owners_until_it_ends_and_then_anybodys() {
        let root = tempfile::tempdir().unwrap();
        let owner = Claim::new(root.path()).unwrap();
        let take = owner.folder().join("take");
        fs::create_dir(&take).unwrap();
        assert!(Claim::orphans(root.path()).is_empty());
        let other = Claim::new(root.path()).unwrap();
        drop(owner);
        let orphans = Claim::orphans(root.path());
        assert_eq!(orphans.iter().flat_map(Claim::takes).collect::<Vec<_>>(), std::slice::from_ref(&take));
        assert!(Claim::orphans(root.path()).is_empty(), "one program alone adopts it");
        fs::remove_dir(&take).unwrap();
        drop((orphans, other));
        assert_eq!(fs::read_dir(root.path()).unwrap().count(), 0, "nothing is left behind");
    }

    #[cfg(unix)]
    #[test]
    fn nobody_else_can_look_into_it() {
        use std::os::unix::fs::PermissionsExt;
        let root = tempfile::tempdir().unwrap();
        let root = root.path().join("spool");
        make_folder(&root).unwrap();
        fs::set_permissions(&root, PermissionsExt::from_mode(0o755)).unwrap();
        let claim = Claim::new(&root).unwrap();
        for (path, mode) in [(root.as_path(), 0o700), (claim.folder(), 0o700), (&claim.lock, 0o600)] {
            assert_eq!(fs::metadata(path).unwrap().permissions().mode() & 0o777, mode, "{}", path.display());
        }
    }
}
