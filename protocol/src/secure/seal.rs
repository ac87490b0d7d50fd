//! Sealing: ChaCha20-Poly1305 (RFC 8439), the number of the message as nonce.

use chacha20poly1305::aead::{AeadInPlace, KeyInit};
use chacha20poly1305::{ChaCha20Poly1305, Nonce, Tag};

/// Bytes that sealing adds.
pub const TAG_LEN: usize = 16;

/// The key of one direction of one session. No two messages under it have the same number.
pub struct SealKey(ChaCha20Poly1305);

impl SealKey {
    pub(super) fn new(key: &[u8; 32]) -> Self {
        Self(ChaCha20Poly1305::new(key.into()))
    }

    /// Encrypts `text` in place; gives the tag, which also covers `associated`.
    pub(crate) fn seal(&self, number: u64, associated: &[u8], text: &mut [u8]) -> [u8; TAG_LEN] {
        let tag = self.0.encrypt_in_place_detached(&nonce(number), associated, text);
        tag.expect("a datagram, or a frame, is shorter than 256 GiB").into()
    }

    /// Decrypts `sealed`, whose end is the tag, in place. `None` when it is not what was sealed; then it is of no use.
    pub(crate) fn open<'a>(&self, number: u64, associated: &[u8], sealed: &'a mut [u8]) -> Option<&'a [u8]> {
        let (text, tag) = sealed.split_last_chunk_mut::<TAG_LEN>()?;
        self.0.decrypt_in_place_detached(&nonce(number), associated, text, Tag::from_slice(tag)).ok()?;
        Some(text)
    }
}

impl std::fmt::Debug for SealKey {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("SealKey")
    }
}

/// As Noise has it for this cipher: 4 zeros, then the number.
fn nonce(number: u64) -> Nonce {
    let mut nonce = Nonce::default();
    nonce[4..].copy_from_slice(&number.to_le_bytes());
    nonce
}

/// Both directions of a session, as one side uses them.
#[derive(Debug)]
pub struct SessionKeys {
    /// Seals what this side sends.
    pub send: SealKey,
    /// Opens what the other side sent.
    pub receive: SealKey,
}
