//! Probe and reply: keep-alive, tail detection, and the four-timestamp clock exchange of NTP (RFC 5905, section 8)
//! (spec/wire-format.md, section 6).

use bytemuck::{Pod, Zeroable};

use super::PacketError;
use crate::le::{self, U64};
use crate::units::{HostNanos, SourceNumber};

/// The sender is alive, says how far its log goes and how eagerly to ask, and asks for the receiver's time. As long as its reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Probe {
    /// The sender's clock when this was sent (t1).
    pub sent_at: HostNanos,
    /// The entry after the last that has been sent at least once, or is owed.
    pub next: SourceNumber,
    /// For how long a hole is to be known before it is named, in microseconds: what parity is given.
    pub patience_micros: u32,
    /// The round trip as the sender knows it, in microseconds: there is no use in naming a hole more often. 0: unknown.
    pub round_trip_micros: u32,
}

/// The answer to a probe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProbeReply {
    /// The probe's `sent_at` (t1).
    pub echo: HostNanos,
    /// The receiver's clock when the probe arrived (t2).
    pub received_at: HostNanos,
    /// The receiver's clock when this was sent (t3).
    pub sent_at: HostNanos,
}

#[derive(Clone, Copy, Pod, Zeroable)]
#[repr(C)]
struct ThreeTimes {
    fields: [U64; 3],
}

const _: () = assert!(size_of::<ThreeTimes>() == 24);

fn write_fields(out: &mut Vec<u8>, fields: [u64; 3]) {
    out.clear();
    out.extend_from_slice(bytemuck::bytes_of(&ThreeTimes { fields: fields.map(U64::from) }));
}

fn read_fields(payload: &[u8]) -> Result<[u64; 3], PacketError> {
    let (wire, _) = le::split::<ThreeTimes>(payload).ok_or(PacketError::Short { len: payload.len() })?;
    Ok(wire.fields.map(U64::value))
}

impl Probe {
    /// Writes the payload.
    pub fn write(&self, out: &mut Vec<u8>) {
        let hints = u64::from(self.patience_micros) | u64::from(self.round_trip_micros) << 32;
        write_fields(out, [self.sent_at.0, self.next.0, hints]);
    }

    /// Reads the payload.
    ///
    /// # Errors
    /// [`PacketError::Short`] when bytes are missing.
    pub fn read(payload: &[u8]) -> Result<Self, PacketError> {
        let [sent_at, next, hints] = read_fields(payload)?;
        Ok(Self {
            sent_at: HostNanos(sent_at),
            next: SourceNumber(next),
            patience_micros: hints as u32,
            round_trip_micros: (hints >> 32) as u32,
        })
    }
}

impl ProbeReply {
    /// Writes the payload.
    pub fn write(&self, out: &mut Vec<u8>) {
        write_fields(out, [self.echo.0, self.received_at.0, self.sent_at.0]);
    }

    /// Reads the payload.
    ///
    /// # Errors
    /// [`PacketError::Short`] when bytes are missing.
    pub fn read(payload: &[u8]) -> Result<Self, PacketError> {
        let [echo, received_at, sent_at] = read_fields(payload)?.map(HostNanos);
        Ok(Self { echo, received_at, sent_at })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn probe_and_reply_read_back_and_are_of_one_length() {
        let (mut question, mut answer) = (Vec::new(), Vec::new());
        let probe = Probe { sent_at: HostNanos(1), next: SourceNumber(2), patience_micros: 3, round_trip_micros: 4 };
        probe.write(&mut question);
        assert_eq!(Probe::read(&question), Ok(probe));
        let reply = ProbeReply { echo: HostNanos(1), received_at: HostNanos(2), sent_at: HostNanos(3) };
        reply.write(&mut answer);
        assert_eq!(ProbeReply::read(&answer), Ok(reply));
        assert_eq!(question.len(), answer.len());
    }
}
