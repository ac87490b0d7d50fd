//! The viewer's side of a connection: its greeting, the handshake where there is a key, and frames.

use super::door::{ACCEPTED, SealedWire, prologue};
use super::{Frame, FrameWire, GREETING, KEYED_GREETING, MAX_FRAME, TapError, WRONG_KEY, read_frame};
use crate::le;
use crate::secure::noise::{Initiator, OVERHEAD};
use crate::secure::{Psk, SealKey, TAG_LEN};

/// Cuts the bytes of a connection into frames. Holds at most one frame and one read.
///
/// Push what comes, send what [`to_send`](Self::to_send) gives, take frames.
#[derive(Debug)]
pub struct FrameReader {
    buffer: Vec<u8>,
    start: usize,
    state: State,
    outgoing: Vec<u8>,
}

#[derive(Debug)]
enum State {
    /// The receiver's greeting is awaited. With a key: the secret, and random bytes.
    Greeting(Option<(Psk, [u8; 32])>),
    /// The answer to the handshake's first message is awaited.
    Answer(Box<Initiator>),
    /// Frames come.
    Open,
    /// Sealed frames come.
    Sealed(Box<SealKey>, u64),
}

/// The same as without a key.
impl Default for FrameReader {
    fn default() -> Self {
        Self { buffer: Vec::new(), start: 0, state: State::Greeting(None), outgoing: GREETING.to_vec() }
    }
}

impl FrameReader {
    /// A viewer with a key, which trusts no receiver without it. `ephemeral` are random bytes that are used once.
    pub fn keyed(psk: Psk, ephemeral: [u8; 32]) -> Self {
        Self { state: State::Greeting(Some((psk, ephemeral))), outgoing: Vec::new(), ..Self::default() }
    }

    /// Appends bytes as they came.
    pub fn push(&mut self, bytes: &[u8]) {
        self.buffer.drain(..self.start);
        self.start = 0;
        self.buffer.extend_from_slice(bytes);
    }

    /// What is to be sent to the receiver now; mostly nothing.
    pub fn to_send(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.outgoing)
    }

    /// Whether the receiver has let this viewer in.
    pub fn is_connected(&self) -> bool {
        matches!(self.state, State::Open | State::Sealed(..))
    }

    /// The next whole frame; `None` until more bytes come.
    ///
    /// # Errors
    /// [`TapError`]: close the connection.
    pub fn next_frame(&mut self) -> Result<Option<Frame>, TapError> {
        loop {
            let bytes = &mut self.buffer[self.start..];
            let (used, frame) = match &mut self.state {
                State::Greeting(keyed) => {
                    let keyed = *keyed;
                    let Some((used, next)) = greet(keyed, bytes, &mut self.outgoing)? else { return Ok(None) };
                    self.state = next;
                    (used, None)
                }
                State::Answer(asking) => {
                    let Some((used, key)) = answered(asking, bytes)? else { return Ok(None) };
                    self.state = State::Sealed(Box::new(key), 0);
                    (used, None)
                }
                State::Open => match first_frame(bytes)? {
                    Some(read) => read,
                    None => return Ok(None),
                },
                State::Sealed(key, number) => {
                    let Some((sealed_len, frame)) = unseal(key, *number, bytes)? else { return Ok(None) };
                    *number += 1;
                    match first_frame(frame)? {
                        Some((len, read)) if len == frame.len() => (sealed_len, read),
                        _ => return Err(TapError::Invalid),
                    }
                }
            };
            self.start += used;
            // Kinds of a later version are passed over.
            if frame.is_some() {
                return Ok(frame);
            }
        }
    }
}

/// Reads the receiver's greeting. Gives how long it was, and what follows.
fn greet(keyed: Option<(Psk, [u8; 32])>, bytes: &[u8], outgoing: &mut Vec<u8>) -> Result<Option<(usize, State)>, TapError> {
    let Some((greeting, rest)) = bytes.split_first_chunk::<{ GREETING.len() }>() else { return Ok(None) };
    match (*greeting, keyed) {
        (GREETING, None) => Ok(Some((GREETING.len(), State::Open))),
        (GREETING, Some(_)) => Err(TapError::NoKey),
        (KEYED_GREETING, None) => Err(TapError::KeyNeeded),
        (KEYED_GREETING, Some((psk, ephemeral))) => {
            let Some((challenge, _)) = rest.split_first_chunk() else { return Ok(None) };
            let mut asking = Initiator::new(&psk, &prologue(challenge), ephemeral);
            outgoing.extend_from_slice(&KEYED_GREETING);
            asking.write(&[], outgoing);
            Ok(Some((GREETING.len() + challenge.len(), State::Answer(Box::new(asking)))))
        }
        _ => Err(TapError::Greeting),
    }
}

fn answered(asking: &mut Initiator, bytes: &[u8]) -> Result<Option<(usize, SealKey)>, TapError> {
    match bytes {
        [] => Ok(None),
        [WRONG_KEY, ..] => Err(TapError::WrongKey),
        [ACCEPTED, rest @ ..] => {
            let Some(message) = rest.get(..OVERHEAD) else { return Ok(None) };
            let keys = asking.finish(message, &mut Vec::new()).ok_or(TapError::NotAuthentic)?;
            Ok(Some((1 + OVERHEAD, keys.receive)))
        }
        _ => Err(TapError::Invalid),
    }
}

/// Opens the sealed frame that `bytes` begin with. Gives how long it was, and the frame.
fn unseal<'a>(key: &SealKey, number: u64, bytes: &'a mut [u8]) -> Result<Option<(usize, &'a [u8])>, TapError> {
    let Some((wire, _)) = le::split::<SealedWire>(bytes) else { return Ok(None) };
    let (wire, len) = (*wire, wire.len.value());
    if len as usize > size_of::<FrameWire>() + MAX_FRAME {
        return Err(TapError::Limit { len });
    }
    let end = size_of::<SealedWire>() + len as usize + TAG_LEN;
    let Some(sealed) = bytes.get_mut(size_of::<SealedWire>()..end) else { return Ok(None) };
    let frame = key.open(number, bytemuck::bytes_of(&wire), sealed).ok_or(TapError::NotAuthentic)?;
    Ok(Some((end, frame)))
}

/// Reads the frame that `bytes` begin with. Gives how long it was; and no frame where its kind is unknown.
fn first_frame(bytes: &[u8]) -> Result<Option<(usize, Option<Frame>)>, TapError> {
    let Some((wire, rest)) = le::split::<FrameWire>(bytes) else { return Ok(None) };
    let len = wire.len.value();
    if len as usize > MAX_FRAME {
        return Err(TapError::Limit { len });
    }
    let Some(body) = rest.get(..len as usize) else { return Ok(None) };
    let frame = read_frame(wire.kind.value(), wire.key.value(), body)?;
    Ok(Some((size_of::<FrameWire>() + len as usize, frame)))
}
