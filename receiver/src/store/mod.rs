//! Recordings on disk: HDF5 files whose layout spec/hdf5-layout.md describes.

pub(crate) mod attributes;
mod checksum;
mod chunk;
pub mod clocks;
pub mod continuity;
pub mod copy;
mod deflate;
pub mod layout;
pub mod reader;
pub mod rows;
mod samples;
pub mod verify;
pub mod writer;

pub use chunk::write_audio_chunk;
pub use reader::{Recording, Summary};
pub use samples::Storage;
pub use writer::PartWriter;

use std::io;
use std::path::PathBuf;

use crate::source::told_within_data;

/// Why a recording cannot be written or read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// HDF5 refused.
    #[error("{path}: {source}", path = path.display())]
    Hdf5 {
        /// The file.
        path: PathBuf,
        /// What it said.
        source: hdf5::Error,
    },
    /// The operating system refused.
    #[error("{path}: {source}", path = path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What it said.
        source: io::Error,
    },
    /// Samples came that the file, as it was begun, cannot hold. It is to be made again, with room for them.
    #[error("{path}: samples came that its type cannot hold; it needs {needed:?}", path = path.display())]
    Narrow {
        /// The file.
        path: PathBuf,
        /// What holds them.
        needed: Storage,
    },
    /// What is in it is not what was written.
    #[error("{path} is damaged: {why}; put a copy in its place, if there is one", path = path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        why: String,
    },
    /// The file opens, but is no recording of ours, or one of a newer version.
    #[error("{path} is not a Send Learn recording: {why}", path = path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        why: String,
    },
}

impl StoreError {
    /// In words for others: as its text, but with the file's place in the data folder instead of the whole path.
    pub fn within_data(&self) -> String {
        let (Self::Hdf5 { path, .. }
        | Self::Io { path, .. }
        | Self::Narrow { path, .. }
        | Self::Damaged { path, .. }
        | Self::Foreign { path, .. }) = self;
        told_within_data(&self.to_string(), path)
    }
}

/// How files are opened and created: readable by every HDF5 there is (libver earliest), and without HDF5's own file locks, so
/// that a file that is being written can be read. The lock on the data folder keeps a second writer away.
pub(crate) fn options() -> hdf5::FileBuilder {
    let mut options = hdf5::File::with_options();
    options.with_fapl(|access| access.libver_earliest().file_locking(false));
    options
}
