//! The folder that holds all recordings: one receiver at a time, and an identity that stays.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use send_learn_protocol::units::ReceiverId;

/// Why a folder cannot be recorded to.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DataError {
    /// Another receiver records to it.
    #[error("another receiver records to {data}. Stop it, or choose another folder with --data.", data = data.display())]
    Locked {
        /// The folder.
        data: PathBuf,
    },
    /// It cannot be made, read or written.
    #[error(
        "cannot record to {data}: {source}. Choose a folder that you may write to with --data, or mend its rights.",
        data = data.display()
    )]
    Refused {
        /// The folder.
        data: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
}

/// A data folder that this process has for itself, for as long as the value lives.
#[derive(Debug)]
pub struct DataFolder {
    identity: ReceiverId,
    _lock: File,
}

impl DataFolder {
    /// Makes the folder if it is not there, locks it, and reads its identity.
    ///
    /// # Errors
    /// [`DataError`]; each says what to do.
    pub fn open(data: &Path) -> Result<Self, DataError> {
        let refused = |source| DataError::Refused { data: data.to_owned(), source };
        fs::create_dir_all(data).map_err(refused)?;
        let path = data.join(".send-learn.lock");
        let file = OpenOptions::new().create(true).truncate(false).write(true).open(path).map_err(refused)?;
        match file.try_lock() {
            Ok(()) => Ok(Self { identity: identity(data).map_err(refused)?, _lock: file }),
            Err(TryLockError::WouldBlock) => Err(DataError::Locked { data: data.to_owned() }),
            Err(TryLockError::Error(source)) => Err(refused(source)),
        }
    }

    /// The folder's identity: senders know a restarted receiver by it.
    pub fn identity(&self) -> ReceiverId {
        self.identity
    }
}

/// The identity in the folder, made when it is first used.
fn identity(data: &Path) -> io::Result<ReceiverId> {
    let path = data.join(".send-learn-id");
    match fs::read_to_string(&path) {
        Ok(text) => text.trim().parse().map_err(|error| io::Error::other(format!("{}: {error}", path.display()))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let identity = ReceiverId::random();
            fs::write(&path, format!("{identity}\n"))?;
            Ok(identity)
        }
        Err(error) => Err(error),
    }
}
