//! The receiver's side of a viewer's connection, until frames may be sent: the greeting, and the handshake where there is a key.

use bytemuck::{Pod, Zeroable};

use super::{GREETING, KEYED_GREETING, TapError};
use crate::le::U32;
use crate::secure::noise::{OVERHEAD, Responder};
use crate::secure::{Psk, SealKey};

/// Random bytes of the receiver, so that nobody can enter with what was heard of another connection.
pub(super) const CHALLENGE_LEN: usize = 16;

/// What the receiver sends instead of the handshake's answer to a viewer whose key is another; then it closes the connection.
pub const WRONG_KEY: u8 = 2;

/// What stands before the handshake's answer.
pub(super) const ACCEPTED: u8 = 1;

/// What stands before a sealed frame, and is authenticated with it.
#[derive(Clone, Copy, Pod, Zeroable)]
#[repr(C)]
pub(super) struct SealedWire {
    /// Bytes of the frame: those that follow, but for the tag.
    pub(super) len: U32,
}

/// What the two sides of the handshake must agree on.
pub(super) fn prologue(challenge: &[u8; CHALLENGE_LEN]) -> [u8; PURPOSE.len() + CHALLENGE_LEN] {
    let mut prologue = [0; PURPOSE.len() + CHALLENGE_LEN];
    prologue[..PURPOSE.len()].copy_from_slice(PURPOSE);
    prologue[PURPOSE.len()..].copy_from_slice(challenge);
    prologue
}

const PURPOSE: &[u8; 16] = b"Send Learn tap 1";

/// How a viewer is let in.
#[derive(Debug)]
pub struct Admission {
    /// What the receiver answers before the first frame; may be empty.
    pub answer: Vec<u8>,
    /// With a key: what seals the frames.
    pub sealer: Option<FrameSealer>,
}

/// Lets one viewer in, or does not.
#[derive(Debug)]
pub struct Door {
    /// With a key: the secret, the challenge, and random bytes for the handshake.
    keyed: Option<(Psk, [u8; CHALLENGE_LEN], [u8; 32])>,
    heard: Vec<u8>,
    open: bool,
}

impl Door {
    /// `psk`: the key, if one is needed. `random` are random bytes that are used once.
    pub fn new(psk: Option<Psk>, random: [[u8; 32]; 2]) -> Self {
        let [first, ephemeral] = random;
        let challenge = std::array::from_fn(|n| first[n]);
        Self { keyed: psk.map(|psk| (psk, challenge, ephemeral)), heard: Vec::new(), open: false }
    }

    /// What the receiver sends first.
    pub fn greeting(&self) -> Vec<u8> {
        match &self.keyed {
            Some((_, challenge, _)) => [&KEYED_GREETING[..], challenge].concat(),
            None => GREETING.to_vec(),
        }
    }

    /// Whether the viewer was let in.
    pub fn is_open(&self) -> bool {
        self.open
    }

    /// The viewer sent this; what it sends when it is in is passed over. Gives, once, how it is let in.
    ///
    /// # Errors
    /// [`TapError`]: close the connection. [`TapError::WrongKey`]: after sending [`WRONG_KEY`].
    pub fn push(&mut self, bytes: &[u8]) -> Result<Option<Admission>, TapError> {
        if self.open {
            return Ok(None);
        }
        let (greeting, wanted) = match self.keyed {
            Some(_) => (KEYED_GREETING, GREETING.len() + OVERHEAD),
            None => (GREETING, GREETING.len()),
        };
        let more = bytes.len().min(wanted - self.heard.len());
        self.heard.extend_from_slice(&bytes[..more]);
        let begun = &self.heard[..self.heard.len().min(GREETING.len())];
        if !greeting.starts_with(begun) {
            return Err(if GREETING.starts_with(begun) { TapError::KeyNeeded } else { TapError::Greeting });
        }
        if self.heard.len() < wanted {
            return Ok(None);
        }
        let Some((psk, challenge, ephemeral)) = &self.keyed else {
            self.open = true;
            return Ok(Some(Admission { answer: Vec::new(), sealer: None }));
        };
        let message = &self.heard[GREETING.len()..];
        let answering = Responder::read(psk, &prologue(challenge), *ephemeral, message, &mut Vec::new());
        let mut answer = vec![ACCEPTED];
        let keys = answering.ok_or(TapError::WrongKey)?.answer(&[], &mut answer);
        self.open = true;
        Ok(Some(Admission { answer, sealer: Some(FrameSealer { key: keys.send, number: 0 }) }))
    }
}

/// Seals one viewer's frames, in order.
#[derive(Debug)]
pub struct FrameSealer {
    key: SealKey,
    number: u64,
}

impl FrameSealer {
    /// A frame as it goes to the viewer.
    pub fn seal(&mut self, frame: &[u8]) -> Vec<u8> {
        let wire = SealedWire { len: (frame.len() as u32).into() };
        let mut sealed = [bytemuck::bytes_of(&wire), frame].concat();
        let tag = self.key.seal(self.number, bytemuck::bytes_of(&wire), &mut sealed[size_of::<SealedWire>()..]);
        self.number += 1;
        sealed.extend_from_slice(&tag);
        sealed
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Frame, FrameReader};
    use super::*;

    const PSK: Psk = Psk::from_bytes([1; 32]);
    const RANDOM: [[u8; 32]; 2] = [[2; 32], [3; 32]];

    /// A viewer and a door exchange what they have to say, in pieces of `step` bytes.
    fn meet(viewer: &mut FrameReader, door: &mut Door, step: usize) -> Result<Option<FrameSealer>, TapError> {
        let mut to_viewer = door.greeting();
        let mut sealer = None;
        for _ in 0..3 {
            for part in std::mem::take(&mut to_viewer).chunks(step) {
                viewer.push(part);
                assert_eq!(viewer.next_frame()?, None);
            }
            for part in viewer.to_send().chunks(step) {
                match door.push(part) {
                    Ok(Some(admission)) => (to_viewer, sealer) = (admission.answer, admission.sealer),
                    Ok(None) => {}
                    Err(TapError::WrongKey) => to_viewer = vec![WRONG_KEY],
                    Err(error) => return Err(error),
                }
            }
        }
        Ok(sealer)
    }

    #[test]
    fn with_the_same_key_frames_pass_sealed_and_in_order_however_bytes_are_cut() {
        for step in [1, 7, 1_000] {
            let (mut viewer, mut door) = (FrameReader::keyed(PSK, [4; 32]), Door::new(Some(PSK), RANDOM));
            let mut sealer = meet(&mut viewer, &mut door, step).unwrap().unwrap();
            assert!(door.is_open() && viewer.is_connected());
            let mut frame = Vec::new();
            Frame::StreamDown { key: 7 }.write(&mut frame);
            let sealed = [sealer.seal(&frame), sealer.seal(&frame)];
            assert!(!sealed[0].windows(frame.len()).any(|part| part == frame));
            let mut swapped = FrameReader::keyed(PSK, [4; 32]);
            let mut sealer = meet(&mut swapped, &mut Door::new(Some(PSK), RANDOM), step).unwrap().unwrap();
            sealer.seal(&frame);
            swapped.push(&sealer.seal(&frame));
            assert_eq!(swapped.next_frame(), Err(TapError::NotAuthentic), "one is missing");
            for part in sealed.concat().chunks(step) {
                viewer.push(part);
            }
            assert_eq!(viewer.next_frame().unwrap(), Some(Frame::StreamDown { key: 7 }));
            assert_eq!(viewer.next_frame().unwrap(), Some(Frame::StreamDown { key: 7 }));
            assert_eq!(viewer.next_frame().unwrap(), None);
        }
    }

    #[test]
    fn keys_that_do_not_match_are_said_in_words() {
        let with = |viewer: Option<u8>, door: Option<u8>| {
            let psk = |byte| Psk::from_bytes([byte; 32]);
            let mut viewer = viewer.map_or_else(FrameReader::default, |byte| FrameReader::keyed(psk(byte), [4; 32]));
            meet(&mut viewer, &mut Door::new(door.map(psk), RANDOM), 5).map(|sealer| sealer.is_some())
        };
        assert_eq!(with(None, None), Ok(false));
        assert_eq!(with(Some(1), Some(2)), Err(TapError::WrongKey));
        assert_eq!(with(None, Some(2)), Err(TapError::KeyNeeded));
        assert_eq!(with(Some(1), None), Err(TapError::NoKey));
    }

    #[test]
    fn what_was_heard_of_another_connection_lets_nobody_in() {
        let mut viewer = FrameReader::keyed(PSK, [4; 32]);
        viewer.push(&Door::new(Some(PSK), RANDOM).greeting());
        viewer.next_frame().unwrap();
        let entrance = viewer.to_send();
        assert!(Door::new(Some(PSK), RANDOM).push(&entrance).is_ok());
        assert_eq!(Door::new(Some(PSK), [[5; 32], [6; 32]]).push(&entrance).err(), Some(TapError::WrongKey));
    }

    #[test]
    fn a_changed_bit_ends_the_connection() {
        let mut frame = Vec::new();
        Frame::StreamDown { key: 7 }.write(&mut frame);
        for bit in 32..8 * (frame.len() + 20) {
            let (mut viewer, mut door) = (FrameReader::keyed(PSK, [4; 32]), Door::new(Some(PSK), RANDOM));
            let mut sealed = meet(&mut viewer, &mut door, 100).unwrap().unwrap().seal(&frame);
            sealed[bit / 8] ^= 1 << (bit % 8);
            viewer.push(&sealed);
            assert_eq!(viewer.next_frame(), Err(TapError::NotAuthentic), "bit {bit}");
        }
    }
}
