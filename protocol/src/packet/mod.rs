//! Datagrams: one header, then one message. Past this module an invalid message cannot exist.

pub mod close;
pub mod feedback;
pub mod header;
pub mod hello;
pub mod probe;

pub use header::{HEADER_LEN, Head, Kind, MAX_DATAGRAM, MAX_PAYLOAD, MAX_SEALED, Shard};

/// Why bytes from the network are not a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PacketError {
    /// Fewer bytes than a header or message needs.
    #[error("{len} bytes are too few")]
    Short {
        /// Bytes received.
        len: usize,
    },
    /// Something else uses this port.
    #[error("not a Send Learn datagram")]
    NotOurs,
    /// The peer speaks another version of the wire format.
    #[error("wire format version {theirs}; this program speaks version {}: update the older side", header::VERSION)]
    Version {
        /// The peer's version.
        theirs: u8,
    },
    /// The payload is longer or shorter than the header says.
    #[error("payload of {actual} bytes where the header says {stated}")]
    Length {
        /// Bytes that the header states.
        stated: u16,
        /// Bytes that came.
        actual: usize,
    },
    /// Bits were changed on the way.
    #[error("checksum mismatch")]
    Checksum,
    /// A kind of datagram that this version does not know.
    #[error("unknown kind {kind}")]
    Kind {
        /// The kind's number.
        kind: u8,
    },
    /// A field holds a value that no sender would write.
    #[error("invalid {field}")]
    Invalid {
        /// The field.
        field: &'static str,
    },
}
