#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use send_learn_protocol::secure::{Key, KeyError, Keyed, Psk, Random};

/// The file's name in the folder of settings.
const NAME: &str = "key";

const HEAD: &str = "# The key of this studio. Whoever has it can send to the receiver, and watch. `send-learn key` shows it.\n";

/// Longer files are none of ours.
const MAX_FILE: u64 = 4_096;

/// Why the machine's key cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeyFileError {
    /// There is no folder for it.
    #[error("no folder for settings is known: set HOME, or name the file of the key")]
    NoFolder,
    /// The file cannot be read or written.
    #[error("cannot use the key in {path}: {source}", path = path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// Others can read or change the file.
    #[error(
        "the key in {path} can be read or changed by other users of this machine. If none of them knows it: chmod 600 {path}. \
         Otherwise make another one: send-learn key --new",
        path = path.display()
    )]
    Open {
        /// The file.
        path: PathBuf,
    },
    /// What the file holds is no key.
    #[error("{path} holds no key: {why}. Enter it again with \"send-learn key --set\", or remove the file", path = path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: KeyError,
    },
}

/// The folder in which Send Learn's programs keep what a person chose, if the system has one.
pub fn folder() -> Option<PathBuf> {
    let filled = |name| std::env::var_os(name).filter(|folder| !folder.is_empty()).map(PathBuf::from);
    let folder = if cfg!(windows) {
        filled("APPDATA")?
    } else if cfg!(target_os = "macos") {
        filled("HOME")?.join("Library/Application Support")
    } else {
        filled("XDG_CONFIG_HOME").or_else(|| Some(filled("HOME")?.join(".config")))?
    };
    Some(folder.join("send-learn"))
}

/// The file of the key of this machine and user.
///
/// # Errors
/// [`KeyFileError::NoFolder`].
pub fn file() -> Result<PathBuf, KeyFileError> {
    Ok(folder().ok_or(KeyFileError::NoFolder)?.join(NAME))
}

/// The key of this machine and user; `None` where there is none. A system without a folder for settings has none.
///
/// # Errors
/// [`KeyFileError`] when there is one that cannot be used. Nothing may be sent in clear then.
pub fn machine() -> Result<Option<Key>, KeyFileError> {
    file().map_or(Ok(None), |path| load(&path))
}

/// The key that a file holds; `None` where there is no file.
///
/// # Errors
/// [`KeyFileError`] when it cannot be used.
pub fn load(path: &Path) -> Result<Option<Key>, KeyFileError> {
    let failed = |source| KeyFileError::Io { path: path.to_owned(), source };
    let file = match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        file => file.map_err(failed)?,
    };
    if is_open_to_others(&file).map_err(failed)? {
        return Err(KeyFileError::Open { path: path.to_owned() });
    }
    let mut text = String::new();
    file.take(MAX_FILE).read_to_string(&mut text).map_err(failed)?;
    let line = text.lines().find(|line| !line.trim().is_empty() && !line.starts_with('#')).unwrap_or_default();
    line.parse().map(Some).map_err(|why| KeyFileError::Malformed { path: path.to_owned(), why })
}

/// Keeps a key, for the owner of the file alone; another that was there is gone.
///
/// # Errors
/// [`KeyFileError::Io`].
pub fn save(path: &Path, key: &Key) -> Result<(), KeyFileError> {
    let failed = |source| KeyFileError::Io { path: path.to_owned(), source };
    path.parent().map_or(Ok(()), fs::create_dir_all).map_err(failed)?;
    // A new file is renamed: nobody ever sees half of it, nor an old one's rights.
    let draft = path.with_extension(format!("{}.tmp", std::process::id()));
    let write = || {
        let _ = fs::remove_file(&draft);
        let mut file = owners_file(&draft)?;
        writeln!(file, "{HEAD}{key}")?;
        file.sync_all()?;
        fs::rename(&draft, path)
    };
    write().map_err(|source| {
        let _ = fs::remove_file(&draft);
        failed(source)
    })
}

/// A key that nobody had before.
///
/// # Errors
/// What the operating system says when it gives no random bytes.
pub fn new() -> io::Result<Key> {
    Ok(Key::new(random()?))
}

/// 32 random bytes of the operating system.
///
/// # Errors
/// What it says when it gives none.
pub fn random() -> io::Result<[u8; 32]> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).map_err(|error| io::Error::other(error.to_string()))?;
    Ok(bytes)
}

/// What a sender with this secret needs.
///
/// # Errors
/// As [`random`].
pub fn keyed(psk: Psk) -> io::Result<Keyed> {
    Ok(Keyed { psk, random: Random::new(random()?) })
}

#[cfg(unix)]
fn owners_file(path: &Path) -> io::Result<File> {
    use std::os::unix::fs::OpenOptionsExt;
    File::options().write(true).create_new(true).mode(0o600).open(path)
}

/// Folders of settings are for their user alone there.
#[cfg(not(unix))]
fn owners_file(path: &Path) -> io::Result<File> {
    File::options().write(true).create_new(true).open(path)
}

#[cfg(unix)]
fn is_open_to_others(file: &File) -> io::Result<bool> {
    use std::os::unix::fs::PermissionsExt;
    Ok(file.metadata()?.permissions().mode() & 0o077 != 0)
}

#[cfg(not(unix))]
fn is_open_to_others(_file: &File) -> io::Result<bool> {
    Ok(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_kept_for_its_owner_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("new/key");
        assert_eq!(load(&path).unwrap(), None);
        let (first, second) = (new().unwrap(), new().unwrap());
        assert!(first != second);
        for key in [first, second] {
            save(&path, &key).unwrap();
            assert_eq!(load(&path).unwrap(), Some(key));
        }
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1, "no draft is left");
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
            fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
            let error = load(&path).unwrap_err();
            assert!(matches!(error, KeyFileError::Open { .. }));
            assert!(error.to_string().contains("chmod 600"), "{error}");
            save(&path, &first).unwrap();
            assert_eq!(load(&path).unwrap(), Some(first), "what is saved again is mended");
        }
    }

    #[test]
    fn a_file_without_a_key_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        save(&path, &new().unwrap()).unwrap();
        for text in ["", "# nothing\n\n", "0000-0000-0000-0000-0001\n"] {
            fs::write(&path, text).unwrap();
            let error = load(&path).unwrap_err().to_string();
            assert!(error.contains(&path.display().to_string()) && error.contains("--set"), "{error}");
        }
        fs::write(&path, "0000 0000 0000 0000 0000").unwrap();
        assert_eq!(load(&path).unwrap(), Some(Key::new([0; 32])));
    }
}
