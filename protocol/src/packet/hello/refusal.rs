//! Refuse: why there is no session (spec/wire-format.md, section 3.4).

use crate::packet::PacketError;

/// Why a receiver declines a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[repr(u8)]
#[non_exhaustive]
pub enum Refusal {
    /// No common version of the wire format.
    #[error("the receiver speaks another version: update the older side")]
    Version = 1,
    /// As many streams are open as the receiver allows.
    #[error("the receiver has as many streams as it allows: close some, or raise its limit")]
    TooManyStreams = 2,
    /// The recording cannot be written.
    #[error("the receiver cannot write its recording: look at its messages, free disk space or mend the folder's rights")]
    Storage = 3,
    /// The receiver is being closed.
    #[error("the receiver is closing: start it again")]
    Closing = 4,
    /// The take was closed by the receiver earlier, as complete.
    #[error("the take is already complete")]
    Complete = 5,
    /// The receiver knows nothing of the session: it was restarted, or has dropped the session. Ask for a new one.
    #[error("the receiver was restarted")]
    UnknownSession = 6,
    /// The receiver takes only what is encrypted, and the sender has no key.
    #[error("the receiver needs its key: \"send-learn key\" shows it there")]
    KeyNeeded = 7,
    /// The receiver cannot decrypt what the sender says: their keys differ.
    #[error("the receiver has another key: \"send-learn key\" shows it there")]
    WrongKey = 8,
    /// The sender encrypts, and the receiver has no key.
    #[error("the receiver has no key: make one there with \"send-learn key\", or enter this one with \"send-learn key --set\"")]
    NoKey = 9,
    /// As many streams are open from the sender's address as the receiver allows.
    #[error("the receiver has as many streams from this machine as it allows: close some")]
    TooManyFromAddress = 10,
    /// A reason that this version does not know.
    #[error("the receiver declined for a reason that this version does not know: update it")]
    Other = 255,
}

impl Refusal {
    /// Writes the payload: one byte. With a key, the [code](crate::secure::refusal) follows it, or the tag where it is sealed.
    pub fn write(self, out: &mut Vec<u8>) {
        out.clear();
        out.push(self as u8);
    }

    /// Reads the payload.
    ///
    /// # Errors
    /// [`PacketError::Short`] when it is empty.
    pub fn read(payload: &[u8]) -> Result<Self, PacketError> {
        let code = *payload.first().ok_or(PacketError::Short { len: 0 })?;
        let known = [
            Self::Version,
            Self::TooManyStreams,
            Self::Storage,
            Self::Closing,
            Self::Complete,
            Self::UnknownSession,
            Self::KeyNeeded,
            Self::WrongKey,
            Self::NoKey,
            Self::TooManyFromAddress,
        ];
        Ok(known.into_iter().find(|reason| *reason as u8 == code).unwrap_or(Self::Other))
    }
}
