//! `/audio` beyond HDF5's safe wrappers: its types, and its samples as they are stored.
//!
//! HDF5's ordinary writes rewrite a partly filled compressed chunk at every flush, and a process that dies then leaves an
//! unreadable one. A whole chunk written once, by `H5Dwrite_chunk`, never changes. It is filtered here.
#![allow(unsafe_code, reason = "these calls have no safe wrapper; this is the only module that calls HDF5 itself")]

use std::ffi::c_int;
use std::ptr;

use hdf5::{Dataset, Datatype};
use hdf5_sys::h5d::{H5Dread, H5Dwrite_chunk};
use hdf5_sys::h5p::H5P_DEFAULT;
use hdf5_sys::h5s::{H5S_seloper_t, H5Sclose, H5Screate_simple, H5Sselect_hyperslab};
use hdf5_sys::h5t::{H5T_order_t, H5Tequal, H5Tset_ebias, H5Tset_fields, H5Tset_order, H5Tset_precision, H5Tset_size};

use super::deflate::deflate;
use super::samples::Storage;

/// HDF5's type for stored samples, little-endian.
///
/// # Errors
/// What HDF5 says.
pub(super) fn datatype(storage: Storage) -> hdf5::Result<Datatype> {
    let datatype = Datatype::from_type::<f32>()?;
    let made = hdf5::sync::sync(|| {
        let id = datatype.id();
        // SAFETY: the type is open, as `datatype` holds it, and is not used by a dataset yet; `sync` holds the library's lock.
        unsafe {
            let mut status = H5Tset_order(id, H5T_order_t::H5T_ORDER_LE);
            if let Some(mantissa) = storage.mantissa().map(|bits| bits as usize) {
                // Mantissa from bit 0, then the sign, then two bits of exponent: 0 for fractions, 1 for what is 1 and above.
                status = status.min(H5Tset_fields(id, mantissa, mantissa + 1, 2, 0, mantissa));
                status = status.min(H5Tset_ebias(id, 1));
                status = status.min(H5Tset_precision(id, mantissa + 3));
                status = status.min(H5Tset_size(id, storage.bytes()));
            }
            status
        }
    });
    checked(made, "the type of /audio cannot be made").map(|()| datatype)
}

/// How the samples of a dataset are stored; `None` where its type is none of those that this version writes.
///
/// # Errors
/// What HDF5 says.
pub(super) fn storage_of(audio: &Dataset) -> hdf5::Result<Option<Storage>> {
    let found = audio.dtype()?;
    for storage in [Storage::Float32, Storage::Fixed16, Storage::Fixed24] {
        let known = datatype(storage)?;
        // SAFETY: both types are open for as long as their values live; `sync` holds the library's lock.
        if hdf5::sync::sync(|| unsafe { H5Tequal(found.id(), known.id()) }) > 0 {
            return Ok(Some(storage));
        }
    }
    Ok(None)
}

/// Reads `frames` rows of `audio` from row `first` on as they are stored, and makes float32 of them. HDF5 would do that too, one bit
/// after another.
///
/// # Errors
/// What HDF5 says: rows that are not there, or a damaged chunk.
pub(super) fn read_audio(audio: &Dataset, storage: Storage, first: u64, frames: u64) -> hdf5::Result<Vec<f32>> {
    let &[rows, channels] = &audio.shape()[..] else { return Err("/audio does not have two dimensions".into()) };
    if first.checked_add(frames).is_none_or(|end| end > rows as u64) {
        return Err(format!("/audio has {rows} frames, not {frames} from {first} on").into());
    }
    if frames == 0 || channels == 0 {
        return Ok(Vec::new());
    }
    let samples = frames as usize * channels;
    if storage == Storage::Float32 {
        let mut read = vec![0_f32; samples];
        read_rows(audio, &Datatype::from_type::<f32>()?, [first, frames], bytemuck::cast_slice_mut(&mut read))?;
        return Ok(read);
    }
    let mut stored = vec![0_u8; samples * storage.bytes()];
    read_rows(audio, &audio.dtype()?, [first, frames], &mut stored)?;
    Ok(match storage.bytes() {
        3 => gathered::<3>(&stored, |stored| storage.decode(stored)),
        _ => gathered::<4>(&stored, |stored| storage.decode(stored)),
    })
}

/// Reads rows of `audio`, the first of them and how many, as `datatype` into `buffer`, which has room for just these.
fn read_rows(audio: &Dataset, datatype: &Datatype, [first, frames]: [u64; 2], buffer: &mut [u8]) -> hdf5::Result<()> {
    let channels = audio.shape().get(1).map_or(0, |channels| *channels as u64);
    let count = [frames, channels];
    if buffer.len() as u64 != frames * channels * datatype.size() as u64 {
        return Err("a buffer of another size".into());
    }
    let file_space = audio.space()?;
    let status = hdf5::sync::sync(|| {
        // SAFETY: dataset, type and space are open, as their values hold them; start and count have one number for each of the two
        // dimensions; HDF5 refuses what lies beyond the extent; the buffer has room for as many elements of the type as are selected,
        // as was just checked; `sync` holds the library's lock.
        unsafe {
            let start = [first, 0];
            let selected = H5Sselect_hyperslab(
                file_space.id(),
                H5S_seloper_t::H5S_SELECT_SET,
                start.as_ptr(),
                ptr::null(),
                count.as_ptr(),
                ptr::null(),
            );
            let memory = H5Screate_simple(2, count.as_ptr(), ptr::null());
            if selected < 0 || memory < 0 {
                return -1;
            }
            let status = H5Dread(audio.id(), datatype.id(), memory, file_space.id(), H5P_DEFAULT, buffer.as_mut_ptr().cast());
            H5Sclose(memory);
            status
        }
    });
    checked(status, "H5Dread failed")
}

/// Samples of `N` bytes each.
fn gathered<const N: usize>(stored: &[u8], decode: impl Fn(u32) -> f32) -> Vec<f32> {
    let sample = |bytes: &[u8; N]| {
        let mut whole = [0; 4];
        whole[..N].copy_from_slice(bytes);
        decode(u32::from_le_bytes(whole))
    };
    stored.as_chunks::<N>().0.iter().map(sample).collect()
}

/// Writes the chunk whose first frame is `frame`: `samples` fill the chunk, filters are shuffle and deflate of
/// this level.
///
/// # Errors
/// What HDF5 says.
pub fn write_audio_chunk(audio: &Dataset, storage: Storage, frame: u64, samples: &[f32], level: u8) -> hdf5::Result<()> {
    let filtered = deflate(&shuffle(storage, samples), samples.len(), level);
    let offset = [frame, 0];
    let status = hdf5::sync::sync(|| {
        // SAFETY: the dataset is open, as `audio` holds it; `offset` has one number for each of its two dimensions; the buffer
        // is as long as stated and outlives the call; `sync` holds the library's lock.
        unsafe { H5Dwrite_chunk(audio.id(), H5P_DEFAULT, 0, offset.as_ptr(), filtered.len(), filtered.as_ptr().cast()) }
    });
    checked(status, "H5Dwrite_chunk failed")
}

fn checked(status: c_int, what: &'static str) -> hdf5::Result<()> {
    if status < 0 { Err(hdf5::Error::query().unwrap_or_else(|_| what.into())) } else { Ok(()) }
}

/// HDF5's shuffle filter on the stored samples: all lowest bytes, all next bytes, and so on.
fn shuffle(storage: Storage, samples: &[f32]) -> Vec<u8> {
    match storage {
        Storage::Fixed16 => spread::<3>(samples, |sample| Storage::Fixed16.encode(sample)),
        Storage::Fixed24 => spread::<4>(samples, |sample| Storage::Fixed24.encode(sample)),
        Storage::Float32 => spread::<4>(samples, f32::to_bits),
    }
}

fn spread<const N: usize>(samples: &[f32], encode: impl Fn(f32) -> u32) -> Vec<u8> {
    let mut out = vec![0; samples.len() * N];
    let mut rest = out.chunks_exact_mut(samples.len().max(1));
    let planes: [&mut [u8]; N] = std::array::from_fn(|_| rest.next().unwrap_or_default());
    for (index, &sample) in samples.iter().enumerate() {
        let bytes = encode(sample).to_le_bytes();
        for plane in 0..N {
            planes[plane][index] = bytes[plane];
        }
    }
    out
}
