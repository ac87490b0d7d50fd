//! The saved corpus: for each target a text file, one input in hexadecimal digits a line; and the golden vectors, which every
//! target gets too.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// The saved inputs of a target.
///
/// # Errors
/// When they cannot be read, or hold anything else.
pub fn inputs(target: &str) -> io::Result<Vec<Vec<u8>>> {
    fs::read_to_string(file(target))?.lines().map(bytes).collect()
}

/// The golden vectors of spec/vectors: whole datagrams, and their payloads.
///
/// # Errors
/// As [`inputs`].
pub fn vectors() -> io::Result<Vec<Vec<u8>>> {
    const HEADER: usize = send_learn_protocol::packet::header::HEADER_LEN;
    let mut found = Vec::new();
    for file in fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("../spec/vectors"))? {
        let datagram = bytes(&fs::read_to_string(file?.path())?)?;
        found.extend(datagram.get(HEADER..).map(<[u8]>::to_vec));
        found.push(datagram);
    }
    found.sort();
    Ok(found)
}

fn file(target: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(format!("{target}.hex"))
}

fn bytes(digits: &str) -> io::Result<Vec<u8>> {
    let digits: Vec<u8> = digits.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect();
    let value = |pair: &[u8]| std::str::from_utf8(pair).ok().and_then(|pair| u8::from_str_radix(pair, 16).ok());
    let wrong = || io::Error::new(io::ErrorKind::InvalidData, "not pairs of hexadecimal digits");
    digits.chunks(2).map(|pair| value(pair).filter(|_| pair.len() == 2).ok_or_else(wrong)).collect()
}
