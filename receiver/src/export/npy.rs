//! The file format of NumPy arrays, version 1.0
//! (<https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html>).

use super::columns::Kind;

/// A file begins with this; then come the header's length as u16, the header, and the values.
const MAGIC: &[u8] = b"\x93NUMPY\x01\x00";

/// The values begin at a multiple of so many bytes.
const ALIGNMENT: usize = 64;

/// The file of an array of `shape`, whose last axis runs fastest in the little-endian `values`.
pub(super) fn encode(kind: Kind, shape: &[usize], values: &[u8]) -> Vec<u8> {
    let description = match kind {
        Kind::Float32 => "<f4",
        Kind::Int64 => "<i8",
        Kind::Uint8 => "|u1",
    };
    let axes = match shape {
        // So Python writes a tuple of one.
        [length] => format!("{length},"),
        _ => shape.iter().map(usize::to_string).collect::<Vec<_>>().join(", "),
    };
    let header = format!("{{'descr': '{description}', 'fortran_order': False, 'shape': ({axes}), }}");
    let before = MAGIC.len() + size_of::<u16>();
    // A line feed ends the header.
    let length = (before + header.len() + 1).next_multiple_of(ALIGNMENT) - before;
    let header = format!("{header:width$}\n", width = length - 1);
    let length = u16::try_from(length).expect("an array has few axes").to_le_bytes();
    [MAGIC, &length, header.as_bytes(), values].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `numpy.save` of NumPy 2.4 wrote these headers.
    #[test]
    fn files_are_those_of_numpy_byte_for_byte() {
        for (kind, shape, values, header) in [
            (Kind::Int64, &[1, 2][..], &[7; 16][..], "{'descr': '<i8', 'fortran_order': False, 'shape': (1, 2), }"),
            (Kind::Uint8, &[5], &[1, 2, 3, 4, 5], "{'descr': '|u1', 'fortran_order': False, 'shape': (5,), }"),
            (Kind::Float32, &[0, 7], &[], "{'descr': '<f4', 'fortran_order': False, 'shape': (0, 7), }"),
        ] {
            let header = format!("{header:117}\n");
            let expected = [b"\x93NUMPY\x01\x00v\x00", header.as_bytes(), values].concat();
            assert_eq!(encode(kind, shape, values), expected);
        }
    }
}
