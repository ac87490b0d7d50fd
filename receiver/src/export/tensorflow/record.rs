//! A record of a TFRecord file: its length, its bytes, and a checksum of each (TensorFlow's `record_writer.cc`).

use std::io::{self, Write};

/// Writes a record.
///
/// # Errors
/// What the writer says.
pub(super) fn write(out: &mut impl Write, bytes: &[u8]) -> io::Result<()> {
    let length = (bytes.len() as u64).to_le_bytes();
    out.write_all(&length)?;
    out.write_all(&masked_checksum(&length).to_le_bytes())?;
    out.write_all(bytes)?;
    out.write_all(&masked_checksum(bytes).to_le_bytes())
}

/// CRC-32C, rotated and shifted by a constant: a checksum of data that itself holds checksums would be weak
/// (TensorFlow's `crc32c.h`).
fn masked_checksum(bytes: &[u8]) -> u32 {
    const DELTA: u32 = 0xA282_EAD8;
    crc32c::crc32c(bytes).rotate_right(15).wrapping_add(DELTA)
}
