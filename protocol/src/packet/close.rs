//! Gone, close and close-ack (spec/wire-format.md, sections 7 and 8).

use bytemuck::{Pod, Zeroable};

use super::PacketError;
use super::feedback::SourceRange;
use crate::le::{self, U64};
use crate::units::SourceNumber;

/// Why entries are gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
#[non_exhaustive]
pub enum GoneReason {
    /// The sender's retention was full: the receiver was away, or its disk too slow, for too long.
    RetentionFull = 1,
    /// The sender itself was restarted without the entries.
    SenderRestarted = 2,
    /// A reason that this version does not know.
    Other = 255,
}

impl GoneReason {
    /// The reason that a wire byte stands for.
    pub fn from_wire(code: u8) -> Self {
        [Self::RetentionFull, Self::SenderRestarted].into_iter().find(|reason| *reason as u8 == code).unwrap_or(Self::Other)
    }
}

/// Entries that the sender no longer has; the recording will say so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gone {
    /// Which entries.
    pub range: SourceRange,
    /// Why.
    pub reason: GoneReason,
}

#[derive(Clone, Copy, Pod, Zeroable)]
#[repr(C)]
struct GoneWire {
    first: U64,
    count: U64,
    reason: u8,
    reserved: [u8; 7],
}

const _: () = assert!(size_of::<GoneWire>() == 24);

impl Gone {
    /// Writes the payload.
    pub fn write(&self, out: &mut Vec<u8>) {
        out.clear();
        out.extend_from_slice(bytemuck::bytes_of(&GoneWire {
            first: self.range.first.0.into(),
            count: self.range.count.into(),
            reason: self.reason as u8,
            reserved: [0; 7],
        }));
    }

    /// Reads the payload.
    ///
    /// # Errors
    /// [`PacketError`] when bytes are missing or the range is empty or runs over.
    pub fn read(payload: &[u8]) -> Result<Self, PacketError> {
        let (wire, _) = le::split::<GoneWire>(payload).ok_or(PacketError::Short { len: payload.len() })?;
        let (first, count) = (wire.first.value(), wire.count.value());
        if count == 0 || first.checked_add(count).is_none() {
            return Err(PacketError::Invalid { field: "gone range" });
        }
        let range = SourceRange { first: SourceNumber(first), count };
        Ok(Self { range, reason: GoneReason::from_wire(wire.reason) })
    }
}

/// The sender ends the session. The receiver repeats the same number in its close-ack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Close {
    /// The entry after the last of the log.
    pub end: SourceNumber,
}

impl Close {
    /// Writes the payload.
    pub fn write(&self, out: &mut Vec<u8>) {
        out.clear();
        out.extend_from_slice(bytemuck::bytes_of(&U64::from(self.end.0)));
    }

    /// Reads the payload.
    ///
    /// # Errors
    /// [`PacketError::Short`] when bytes are missing.
    pub fn read(payload: &[u8]) -> Result<Self, PacketError> {
        let (end, _) = le::split::<U64>(payload).ok_or(PacketError::Short { len: payload.len() })?;
        Ok(Self { end: SourceNumber(end.value()) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gone_and_close_read_back_as_they_were_written() {
        let mut payload = Vec::new();
        let gone = Gone { range: SourceRange { first: SourceNumber(7), count: 3 }, reason: GoneReason::RetentionFull };
        gone.write(&mut payload);
        assert_eq!(Gone::read(&payload), Ok(gone));
        let close = Close { end: SourceNumber(12) };
        close.write(&mut payload);
        assert_eq!(Close::read(&payload), Ok(close));
    }

    #[test]
    fn a_range_that_runs_over_is_refused() {
        let mut payload = Vec::new();
        let range = SourceRange { first: SourceNumber(u64::MAX), count: 2 };
        Gone { range, reason: GoneReason::Other }.write(&mut payload);
        assert!(Gone::read(&payload).is_err());
    }
}
