//! Recordings made smaller, to be kept: the audio in a file of its own beside an HDF5 file that has all the rest, or stored anew in
//! fewer bytes. What is kept says what it was made of, and what was lost.

mod flac;
mod opus;

use std::fs;
use std::path::{Path, PathBuf};

use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::clock::unix_nanos;
use crate::digest::{digest_of, hexadecimal};
use crate::source::within_data;
use crate::store::attributes::{create, write_text};
use crate::store::copy::{copy, least_storage};
use crate::store::{Recording, StoreError, options};

/// Frames read at once.
const STEP: u64 = 1 << 16;

/// How the audio is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Profile {
    /// In the HDF5 file, bit for bit, in the fewest bytes that say it.
    Exact,
    /// FLAC of 24 bits.
    Flac24,
    /// FLAC of 16 bits.
    Flac16,
    /// Opus, 80 kbit/s for each channel: for listening.
    Opus,
}

impl Profile {
    /// The name that is typed, and written.
    pub fn name(self) -> &'static str {
        match self {
            Self::Exact => "exact",
            Self::Flac24 => "flac24",
            Self::Flac16 => "flac16",
            Self::Opus => "opus",
        }
    }

    fn extension(self) -> Option<&'static str> {
        match self {
            Self::Exact => None,
            Self::Flac24 | Self::Flac16 => Some("flac"),
            Self::Opus => Some("opus"),
        }
    }
}

/// What the samples lose.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Loss {
    /// Samples between two steps, put on the nearest.
    pub rounded: u64,
    /// Samples beyond full scale, put on its end; NaN become 0.
    pub clipped: u64,
    /// The largest difference to a sample, 1 is full scale.
    pub largest_error: f64,
}

impl Loss {
    /// Whether every sample comes back bit for bit, but for the sign of zeros.
    pub fn is_none(&self) -> bool {
        self.rounded == 0 && self.clipped == 0
    }
}

/// A recording that was archived.
#[derive(Clone, Debug, Serialize)]
pub struct Archived {
    /// The HDF5 file.
    pub path: PathBuf,
    /// Seconds in it.
    pub seconds: f64,
    /// Bytes of the HDF5 file.
    pub bytes: u64,
    /// Bytes of the audio file; 0 without one.
    pub audio_bytes: u64,
    /// Bytes of the original.
    pub original_bytes: u64,
    /// What the samples lost; `None` where they are coded as they sound, not sample by sample.
    pub loss: Option<Loss>,
}

/// Why a recording cannot be archived.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ArchiveError {
    /// It cannot be read, or the archive not be written.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The operating system refused.
    #[error("{path}: {source}", path = path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What it said.
        source: std::io::Error,
    },
    /// The file is there.
    #[error("{path} is there already: choose another folder", path = path.display())]
    Exists {
        /// The file.
        path: PathBuf,
    },
    /// It is not finished.
    #[error("{path} is not finished: it can be archived when it is closed", path = path.display())]
    Unfinished {
        /// The file.
        path: PathBuf,
    },
    /// The format cannot hold it.
    #[error("{path}: {why}", path = path.display())]
    Unfit {
        /// The file.
        path: PathBuf,
        /// Why, in words.
        why: String,
    },
    /// Samples would be lost, and nobody said that they may.
    #[error(
        "{path}: {profile} would lose bits of {changed} samples ({clipped} of them beyond full scale), by at most {error:.1} dB of full scale. \
         Take another profile, or say --allow-loss.",
        path = path.display(),
        profile = profile.name(),
        changed = loss.rounded + loss.clipped,
        clipped = loss.clipped,
        error = 20.0 * loss.largest_error.log10()
    )]
    Lossy {
        /// The file.
        path: PathBuf,
        /// What was asked for.
        profile: Profile,
        /// What would be lost.
        loss: Loss,
    },
}

/// Archives a closed recording as `to` (an HDF5 file) and, beside it, its audio. With `flac16`, and where samples are beyond full scale,
/// bits are lost only if `allow_loss` says so.
///
/// # Errors
/// [`ArchiveError`]; nothing of what was begun is left then.
pub fn archive(from: &Recording, to: &Path, profile: Profile, allow_loss: bool) -> Result<Archived, ArchiveError> {
    if !from.summary.closed {
        return Err(ArchiveError::Unfinished { path: from.path().to_owned() });
    }
    let profile = if from.summary.channels == 0 { Profile::Exact } else { profile };
    let audio = profile.extension().map(|extension| to.with_extension(extension));
    for path in [Some(to), audio.as_deref()].into_iter().flatten() {
        if path.exists() {
            return Err(ArchiveError::Exists { path: path.to_owned() });
        }
    }
    let made = make(from, to, audio.as_deref(), profile, allow_loss);
    if made.is_err() {
        for path in [Some(to), audio.as_deref()].into_iter().flatten() {
            // Where nothing was begun there is nothing to remove.
            let _ = fs::remove_file(path);
        }
    }
    made
}

fn make(from: &Recording, to: &Path, audio: Option<&Path>, profile: Profile, allow_loss: bool) -> Result<Archived, ArchiveError> {
    let loss = match (profile, audio) {
        (Profile::Exact, _) | (_, None) => {
            copy(from, to, least_storage(from, from.summary.frames)?)?;
            Some(Loss::default())
        }
        (Profile::Flac24 | Profile::Flac16, Some(audio)) => {
            let bits = if profile == Profile::Flac16 { 16 } else { 24 };
            let loss = flac::loss(from, bits)?;
            let matters = loss.clipped > 0 || (bits == 16 && loss.rounded > 0);
            if matters && !allow_loss {
                return Err(ArchiveError::Lossy { path: from.path().to_owned(), profile, loss });
            }
            flac::write(from, audio, bits)?;
            copy(from, to, None)?;
            Some(loss)
        }
        (Profile::Opus, Some(audio)) => {
            opus::write(from, audio)?;
            copy(from, to, None)?;
            None
        }
    };
    state(from, to, audio, profile, loss)?;
    let bytes = |path: &Path| fs::metadata(path).map_or(0, |metadata| metadata.len());
    Ok(Archived {
        path: to.to_owned(),
        seconds: from.summary.seconds(),
        bytes: bytes(to),
        audio_bytes: audio.map_or(0, bytes),
        original_bytes: bytes(from.path()),
        loss,
    })
}

/// Writes into the archived file what it was made of, and how.
fn state(from: &Recording, to: &Path, audio: Option<&Path>, profile: Profile, loss: Option<Loss>) -> Result<(), ArchiveError> {
    let samples = digest_of_samples(from)?;
    let io = |path: &Path| {
        let path = path.to_owned();
        move |source| ArchiveError::Io { path, source }
    };
    let digest = audio.map(|audio| digest_of(audio).map_err(io(audio))).transpose()?;
    let write = || {
        let file = options().open_rw(to)?;
        write_text(&file, "archive_profile", profile.name())?;
        write_text(&file, "archived_from", &within_data(from.path()))?;
        write_text(&file, "archived_by", concat!("send-learn ", env!("CARGO_PKG_VERSION")))?;
        create(&file, "archived_unix_nanos", &unix_nanos())?;
        write_text(&file, "audio_sha256", &samples)?;
        if let (Some(name), Some(digest)) = (audio.and_then(Path::file_name), &digest) {
            write_text(&file, "audio_file", &name.to_string_lossy())?;
            write_text(&file, "audio_file_sha256", digest)?;
        }
        if let Some(loss) = loss {
            create(&file, "audio_rounded", &loss.rounded)?;
            create(&file, "audio_clipped", &loss.clipped)?;
            create(&file, "audio_largest_error", &loss.largest_error)?;
        }
        file.flush()
    };
    let written: hdf5::Result<()> = write();
    written.map_err(|source| StoreError::Hdf5 { path: to.to_owned(), source })?;
    fs::File::open(to).and_then(|file| file.sync_all()).map_err(io(to))
}

/// SHA-256 of the samples as little-endian float32, interleaved, in hexadecimal digits.
fn digest_of_samples(from: &Recording) -> Result<String, StoreError> {
    let mut hasher = Sha256::new();
    samples(from, |samples| {
        hasher.update(samples.iter().flat_map(|sample| sample.to_le_bytes()).collect::<Vec<u8>>());
        Ok::<_, StoreError>(())
    })?;
    Ok(hexadecimal(&hasher.finalize()))
}

/// Hands over all samples of a recording, one stretch after another.
fn samples<E: From<StoreError>>(from: &Recording, mut take: impl FnMut(&[f32]) -> Result<(), E>) -> Result<(), E> {
    let frames = from.summary.frames;
    (0..frames).step_by(STEP as usize).try_for_each(|begin| take(&from.audio(begin..frames.min(begin + STEP))?))
}
