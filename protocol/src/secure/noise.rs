//! The handshake: `Noise_NNpsk0_25519_ChaChaPoly_BLAKE2s` (noiseprotocol.org, revision 34), by the crate `snow`.
//!
//! Two messages. The first is encrypted under the pre-shared key; from the second on, the keys also depend on two ephemeral keys that
//! both sides forget. The prologue says for what the handshake is: one for another purpose, session or cookie fails.

use snow::resolvers::{BoxedCryptoResolver, CryptoResolver, DefaultResolver};
use snow::types::{Cipher, Dh, Hash, Random};
use snow::{Builder, HandshakeState};

use super::{Psk, SealKey, SessionKeys, TAG_LEN};

const PATTERN: &str = "Noise_NNpsk0_25519_ChaChaPoly_BLAKE2s";

/// Bytes of an ephemeral public key.
const PUBLIC_LEN: usize = 32;

/// Bytes that a message is longer than what it says.
pub const OVERHEAD: usize = PUBLIC_LEN + TAG_LEN;

/// The side that asks, from its message to the answer.
pub struct Initiator(HandshakeState);

impl Initiator {
    /// `ephemeral` are random bytes that are used once.
    pub fn new(psk: &Psk, prologue: &[u8], ephemeral: [u8; 32]) -> Self {
        Self(builder(psk, prologue, ephemeral).build_initiator().expect("nothing is missing"))
    }

    /// Appends the message that says `text` to `out`. To be called once.
    pub fn write(&mut self, text: &[u8], out: &mut Vec<u8>) {
        write(&mut self.0, text, out);
    }

    /// Reads the answer: what it says is appended to `text`. `None` when it is not authentic; another one may be.
    pub fn finish(&mut self, message: &[u8], text: &mut Vec<u8>) -> Option<SessionKeys> {
        read(&mut self.0, message, text)?;
        let (send, receive) = self.0.dangerously_get_raw_split();
        Some(SessionKeys { send: SealKey::new(&send), receive: SealKey::new(&receive) })
    }
}

/// The side that answers, between the message and its answer.
pub struct Responder(HandshakeState);

impl Responder {
    /// Reads a message: what it says is appended to `text`. `None` when it is not authentic: another key, or another prologue.
    /// `ephemeral` are random bytes that are used once.
    pub fn read(psk: &Psk, prologue: &[u8], ephemeral: [u8; 32], message: &[u8], text: &mut Vec<u8>) -> Option<Self> {
        let mut state = builder(psk, prologue, ephemeral).build_responder().expect("nothing is missing");
        read(&mut state, message, text)?;
        Some(Self(state))
    }

    /// Appends the answer that says `text` to `out`.
    pub fn answer(mut self, text: &[u8], out: &mut Vec<u8>) -> SessionKeys {
        write(&mut self.0, text, out);
        let (receive, send) = self.0.dangerously_get_raw_split();
        SessionKeys { send: SealKey::new(&send), receive: SealKey::new(&receive) }
    }
}

impl std::fmt::Debug for Initiator {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Initiator")
    }
}

impl std::fmt::Debug for Responder {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Responder")
    }
}

fn builder<'a>(psk: &'a Psk, prologue: &'a [u8], ephemeral: [u8; 32]) -> Builder<'a> {
    let resolver: BoxedCryptoResolver = Box::new(Given(ephemeral));
    let builder = Builder::with_resolver(PATTERN.parse().expect("a pattern of Noise"), resolver);
    builder.psk(0, &psk.0).and_then(|builder| builder.prologue(prologue)).expect("each is said once")
}

fn write(state: &mut HandshakeState, text: &[u8], out: &mut Vec<u8>) {
    let start = out.len();
    out.resize(start + text.len() + OVERHEAD, 0);
    let written = state.write_message(text, &mut out[start..]).expect("it is this side's turn, and there is room");
    debug_assert_eq!(written, text.len() + OVERHEAD);
}

fn read(state: &mut HandshakeState, message: &[u8], text: &mut Vec<u8>) -> Option<()> {
    let len = message.len().checked_sub(OVERHEAD)?;
    let start = text.len();
    text.resize(start + len, 0);
    let read = state.read_message(message, &mut text[start..]);
    if read.is_err() {
        text.truncate(start);
    }
    (read.ok()? == len).then_some(())
}

/// Resolves as snow does, but for the randomness, which is given.
struct Given([u8; 32]);

impl CryptoResolver for Given {
    fn resolve_rng(&self) -> Option<Box<dyn Random>> {
        Some(Box::new(Once(Some(self.0))))
    }

    fn resolve_dh(&self, choice: &snow::params::DHChoice) -> Option<Box<dyn Dh>> {
        DefaultResolver.resolve_dh(choice)
    }

    fn resolve_hash(&self, choice: &snow::params::HashChoice) -> Option<Box<dyn Hash>> {
        DefaultResolver.resolve_hash(choice)
    }

    fn resolve_cipher(&self, choice: &snow::params::CipherChoice) -> Option<Box<dyn Cipher>> {
        DefaultResolver.resolve_cipher(choice)
    }
}

/// Random bytes for one ephemeral key, which is all that a side of `NN` needs.
struct Once(Option<[u8; 32]>);

impl Random for Once {
    fn try_fill_bytes(&mut self, out: &mut [u8]) -> Result<(), snow::Error> {
        let bytes = self.0.take().filter(|bytes| bytes.len() == out.len()).ok_or(snow::Error::Rng)?;
        out.copy_from_slice(&bytes);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PSK: Psk = Psk::from_bytes([9; 32]);

    #[test]
    fn both_sides_end_with_the_same_keys_and_know_what_was_said() {
        let mut asking = Initiator::new(&PSK, b"for this", [1; 32]);
        let (mut message, mut heard) = (Vec::new(), Vec::new());
        asking.write(b"question", &mut message);
        assert_eq!(message.len(), 8 + OVERHEAD);
        let answering = Responder::read(&PSK, b"for this", [2; 32], &message, &mut heard).unwrap();
        assert_eq!(heard, b"question");
        let mut answer = Vec::new();
        let theirs = answering.answer(b"reply", &mut answer);
        heard.clear();
        let mut forged = answer.clone();
        forged[40] ^= 1;
        assert!(asking.finish(&forged, &mut heard).is_none() && heard.is_empty());
        let ours = asking.finish(&answer, &mut heard).expect("a forged answer before it does no harm");
        assert_eq!(heard, b"reply");
        let mut text = *b"text............";
        let tag = ours.send.seal(3, b"head", &mut text[..4]);
        text[4..].copy_from_slice(&tag[..12]);
        let mut sealed = [&text[..4], &tag[..]].concat();
        assert!(theirs.receive.open(4, b"head", &mut sealed.clone()).is_none(), "another number");
        assert!(theirs.receive.open(3, b"heap", &mut sealed.clone()).is_none(), "another header");
        assert!(theirs.send.open(3, b"head", &mut sealed.clone()).is_none(), "the other direction");
        assert_eq!(theirs.receive.open(3, b"head", &mut sealed).unwrap(), b"text");
    }

    #[test]
    fn another_key_and_another_purpose_are_refused() {
        let mut message = Vec::new();
        Initiator::new(&PSK, b"for this", [1; 32]).write(b"question", &mut message);
        let other = Psk::from_bytes([8; 32]);
        let mut heard = Vec::new();
        assert!(Responder::read(&other, b"for this", [2; 32], &message, &mut heard).is_none());
        assert!(Responder::read(&PSK, b"for that", [2; 32], &message, &mut heard).is_none());
        for bit in 0..message.len() * 8 {
            let mut damaged = message.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert!(Responder::read(&PSK, b"for this", [2; 32], &damaged, &mut heard).is_none(), "bit {bit}");
        }
        for len in 0..message.len() {
            assert!(Responder::read(&PSK, b"for this", [2; 32], &message[..len], &mut heard).is_none());
        }
        assert!(heard.is_empty());
    }
}
