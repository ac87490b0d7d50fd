//! Quantities that are easily confused, each with a type of its own.

use std::fmt;
use std::time::Duration;

use bytemuck::{Pod, Zeroable};

/// The number of one transmission within a session: every datagram that a sender emits takes the next one, repeats included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct PacketNumber(pub u64);

/// The number of one entry of a take's log, counted from 0. An entry never changes: whenever and however often it is sent,
/// it has the same number and the same bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct SourceNumber(pub u64);

/// A position in samples (frames) since the take began.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct SamplePosition(pub u64);

/// Nanoseconds on a machine's monotonic clock. Only differences, and comparisons on one machine, mean anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct HostNanos(pub u64);

impl HostNanos {
    /// This time and `duration`, saturating at the end of the range (584 years).
    pub fn after(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)))
    }

    /// The time from `earlier` to this; zero when `earlier` is later.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}

/// A session between one sender and one receiver, chosen at random by the sender for each connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct SessionId(pub u64);

macro_rules! identity {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Pod, Zeroable)]
        #[repr(transparent)]
        pub struct $name(pub [u8; 16]);

        impl $name {
            /// A new random identity (UUID version 4).
            pub fn random() -> Self {
                Self(uuid::Uuid::new_v4().into_bytes())
            }

            /// The first 8 hexadecimal digits, for file names and tables.
            pub fn short(&self) -> String {
                self.0[..4].iter().map(|byte| format!("{byte:02x}")).collect()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                uuid::Uuid::from_bytes(self.0).fmt(formatter)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, formatter)
            }
        }

        impl std::str::FromStr for $name {
            type Err = uuid::Error;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Ok(Self(uuid::Uuid::parse_str(text)?.into_bytes()))
            }
        }
    )*};
}

identity! {
    /// One plugin instance; saved in the DAW project, so a stream keeps its identity from day to day.
    StreamId;
    /// One uninterrupted run of a stream's sample counter.
    TakeId;
    /// One process that hosts streams (a DAW); streams that share it share a clock and a playhead.
    HostId;
    /// One studio machine; its streams share a monotonic clock.
    MachineId;
    /// One receiver's data folder.
    ReceiverId;
}
