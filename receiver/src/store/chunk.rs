//! Whole chunks of `/audio`, filtered here and written in one piece.
//!
//! HDF5's ordinary writes rewrite a partly filled compressed chunk at every flush, and a process that dies then leaves an
//! unreadable one. A whole chunk written once, by `H5Dwrite_chunk`, never changes.
#![allow(unsafe_code, reason = "H5Dwrite_chunk has no safe wrapper; this is the only module that calls HDF5 itself")]

use std::io::Write;

use flate2::Compression;
use flate2::write::ZlibEncoder;
use hdf5::Dataset;
use hdf5_sys::h5d::H5Dwrite_chunk;
use hdf5_sys::h5p::H5P_DEFAULT;

/// Writes the chunk whose first frame is `frame`: `samples` fill the chunk, filters are shuffle and deflate of
/// this level.
///
/// # Errors
/// What HDF5 says.
pub fn write_audio_chunk(audio: &Dataset, frame: u64, samples: &[f32], level: u8) -> hdf5::Result<()> {
    let filtered = deflate(&shuffle(samples), level)?;
    let offset = [frame, 0];
    let status = hdf5::sync::sync(|| {
        // SAFETY: the dataset is open, as `audio` holds it; `offset` has one number for each of its two dimensions; the buffer
        // is as long as stated and outlives the call; `sync` holds the library's lock.
        unsafe { H5Dwrite_chunk(audio.id(), H5P_DEFAULT, 0, offset.as_ptr(), filtered.len(), filtered.as_ptr().cast()) }
    });
    if status < 0 { Err(hdf5::Error::query().unwrap_or_else(|_| "H5Dwrite_chunk failed".into())) } else { Ok(()) }
}

/// HDF5's shuffle filter on 4-byte elements: all lowest bytes, all next bytes, and so on.
fn shuffle(samples: &[f32]) -> Vec<u8> {
    let count = samples.len();
    let mut out = vec![0; count * 4];
    let (first, rest) = out.split_at_mut(count);
    let (second, rest) = rest.split_at_mut(count);
    let (third, fourth) = rest.split_at_mut(count);
    for (index, sample) in samples.iter().enumerate() {
        [first[index], second[index], third[index], fourth[index]] = sample.to_le_bytes();
    }
    out
}

fn deflate(bytes: &[u8], level: u8) -> hdf5::Result<Vec<u8>> {
    let mut encoder = ZlibEncoder::new(Vec::with_capacity(bytes.len()), Compression::new(u32::from(level)));
    encoder.write_all(bytes).and_then(|()| encoder.finish()).map_err(|error| hdf5::Error::from(error.to_string()))
}
