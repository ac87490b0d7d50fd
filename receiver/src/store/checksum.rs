//! Checksums of tables: HDF5 keeps none of rows that are not compressed, and a note that a bad disk has changed would be
//! taken for one that was played.

use crc32fast::Hasher;
use hdf5::types::FixedUnicode;

/// The attribute of a table of a closed file.
pub(super) const ATTRIBUTE: &str = "crc32";

/// A value as it lies in a packed table.
pub trait Packed {
    /// Appends its bytes.
    fn pack(&self, bytes: &mut Vec<u8>);
}

macro_rules! packed {
    ($($number:ty)*) => {$(
        impl Packed for $number {
            fn pack(&self, bytes: &mut Vec<u8>) {
                bytes.extend(self.to_le_bytes());
            }
        }
    )*};
}

packed!(u8 u16 u32 u64 i32 i64 f32 f64);

impl<T: Packed, const N: usize> Packed for [T; N] {
    fn pack(&self, bytes: &mut Vec<u8>) {
        self.iter().for_each(|value| value.pack(bytes));
    }
}

impl<const N: usize> Packed for FixedUnicode<N> {
    fn pack(&self, bytes: &mut Vec<u8>) {
        let end = bytes.len() + N;
        bytes.extend(self.as_bytes());
        bytes.resize(end, 0);
    }
}

/// CRC-32 (IEEE 802.3) of rows, as they lie in the file.
#[derive(Clone, Debug, Default)]
pub(super) struct Checksum {
    hasher: Hasher,
    bytes: Vec<u8>,
}

impl Checksum {
    /// Takes in the next rows of a table.
    pub(super) fn rows<R: Packed>(&mut self, rows: &[R]) {
        self.bytes.clear();
        rows.iter().for_each(|row| row.pack(&mut self.bytes));
        self.hasher.update(&self.bytes);
    }

    /// Takes in the next bytes of a dataset of bytes.
    pub(super) fn bytes(&mut self, bytes: &[u8]) {
        self.hasher.update(bytes);
    }

    /// Of all that was taken in.
    pub(super) fn value(&self) -> u32 {
        self.hasher.clone().finalize()
    }
}
