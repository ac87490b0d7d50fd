//! Where the picture's data come from. Every source puts the same [`Event`]s into a [`Mailbox`].

pub mod address;
pub mod live;
pub mod mailbox;
pub mod replay;
mod search;

pub use live::LiveSource;
pub use mailbox::Mailbox;
pub use replay::ReplaySource;

use std::time::{Duration, Instant};

use send_learn_protocol::packet::hello::{Description, PropertyKey};
use send_learn_protocol::record::Transport;
use send_learn_protocol::tap::{Arrival, Health};
use send_learn_protocol::units::SamplePosition;

/// A stream, for as long as its receiver is connected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct StreamKey {
    /// Which receiver; 0 in a recording.
    pub receiver: u32,
    /// Which connection to it, counted from 1.
    pub connection: u32,
    /// Which take on that connection.
    pub take: u32,
}

/// Where events come from.
#[derive(Debug)]
pub enum Source {
    /// Running receivers.
    Live(LiveSource),
    /// A recording.
    Replay(ReplaySource),
}

/// How the connection to a receiver is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Link {
    /// Tries to reach the receiver.
    Connecting,
    /// Connected.
    Connected,
    /// Not reached, or lost. It is tried again soon.
    Down {
        /// Why, in words.
        reason: String,
    },
    /// It is not followed any more.
    Gone,
}

/// A MIDI message at its sample.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MidiMessage {
    /// Where it happens.
    pub position: SamplePosition,
    /// Status and data bytes; unused ones are 0.
    pub bytes: [u8; 3],
}

/// How audio came to the viewer.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Delivery {
    /// How it came to the receiver.
    pub arrival: Arrival,
    /// From the receiver's arrival to the viewer's; `None` where the two have different clocks.
    pub tap: Option<Duration>,
    /// When the source had it.
    pub read: Instant,
}

/// What a source tells.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// A receiver, or a recording, is followed from now on.
    Receiver {
        /// Its number, from 1; 0 for a recording.
        receiver: u32,
        /// What it is called.
        name: String,
        /// Whether it is tried only because it might be there: of interest when it is, or when there is no other.
        is_last_resort: bool,
    },
    /// The state of a connection changed.
    Link {
        /// Which receiver's.
        receiver: u32,
        /// The state.
        link: Link,
    },
    /// A stream is there.
    StreamUp {
        /// The stream.
        key: StreamKey,
        /// What it is.
        description: Box<Description>,
    },
    /// A text of a stream's description changed.
    Property {
        /// The stream.
        key: StreamKey,
        /// Which text.
        property: PropertyKey,
        /// The new text.
        text: String,
    },
    /// Samples, possibly out of order.
    Audio {
        /// The stream.
        key: StreamKey,
        /// Where the first frame stands.
        position: SamplePosition,
        /// Channels, at least 1.
        channels: u16,
        /// Samples, interleaved by frame.
        samples: Vec<f32>,
        /// How it came.
        delivery: Delivery,
    },
    /// Samples that will not come.
    Gap {
        /// The stream.
        key: StreamKey,
        /// The first that is missing.
        position: SamplePosition,
        /// How many frames.
        frames: u64,
    },
    /// A MIDI message, possibly out of order.
    Midi {
        /// The stream.
        key: StreamKey,
        /// The message.
        message: MidiMessage,
    },
    /// A value of a parameter, possibly out of order.
    Automation {
        /// The stream.
        key: StreamKey,
        /// Which parameter.
        parameter: u32,
        /// From where on, in samples.
        position: SamplePosition,
        /// 0 to 1.
        value: f64,
    },
    /// What a parameter is called.
    Parameter {
        /// The stream.
        key: StreamKey,
        /// Which parameter.
        parameter: u32,
        /// Its name.
        name: String,
    },
    /// The host's transport, possibly out of order.
    Transport {
        /// The stream.
        key: StreamKey,
        /// The transport.
        transport: Transport,
    },
    /// How the stream's line fares.
    Health {
        /// The stream.
        key: StreamKey,
        /// The figures.
        health: Health,
    },
    /// Something about the source that a person should know.
    Notice(String),
    /// The stream ended.
    StreamDown {
        /// The stream.
        key: StreamKey,
    },
}

impl Event {
    /// Bytes that the event takes up, about.
    fn cost(&self) -> usize {
        size_of::<Self>()
            + match self {
                Self::Audio { samples, .. } => size_of_val(&samples[..]),
                Self::Property { text, .. }
                | Self::Parameter { name: text, .. }
                | Self::Notice(text)
                | Self::Receiver { name: text, .. } => text.len(),
                _ => 0,
            }
    }

    /// Whether the picture heals by itself when this event is left out.
    fn is_replaceable(&self) -> bool {
        matches!(
            self,
            Self::Audio { .. }
                | Self::Midi { .. }
                | Self::Automation { .. }
                | Self::Transport { .. }
                | Self::Health { .. }
                | Self::Gap { .. }
        )
    }
}
