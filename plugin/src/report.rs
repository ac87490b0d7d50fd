//! What the uplink tells windows and progress bars about a stream.

use std::net::SocketAddr;
use std::time::Duration;

use send_learn_protocol::packet::hello::Refusal;
use send_learn_protocol::units::SamplePosition;

/// Where a stream stands with its receiver.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum LinkState {
    /// Nothing was played yet, so nothing was sent.
    #[default]
    Idle,
    /// The receiver's name is being looked up.
    Resolving,
    /// No receiver has answered yet, or it has fallen silent.
    Connecting,
    /// A receiver takes the stream.
    Connected,
    /// The receiver declined.
    Refused(Refusal),
    /// The take is over and all of it is durable.
    Finished,
    /// Nothing can be sent; [`Report::problem`] says why.
    Failed,
}

/// A stream's state and counters, about thirty times a second. Counters are those of the current take.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Report {
    /// Where it stands.
    pub link: LinkState,
    /// Where datagrams go.
    pub address: Option<SocketAddr>,
    /// What is wrong, in words; empty when nothing is.
    pub problem: String,
    /// Whether a take is running.
    pub running: bool,
    /// Whether the host plays but nothing is captured.
    pub paused: bool,
    /// The take's sample counter.
    pub position: SamplePosition,
    /// Everything before this is durable at the receiver.
    pub durable: SamplePosition,
    /// Host blocks captured.
    pub blocks: u64,
    /// MIDI events captured.
    pub midi: u64,
    /// Host blocks and events that found no room in the ring.
    pub dropped: u64,
    /// Datagrams sent.
    pub datagrams: u64,
    /// Bytes of UDP payload sent.
    pub bytes: u64,
    /// Entries rebuilt from parity, and entries sent again.
    pub repaired: u64,
    /// Entries that are not durable yet, those of older takes included.
    pub owed: u64,
    /// Entries lost because there was no room for them, in memory or on disk.
    pub lost_entries: u64,
    /// Entries of those that are on this machine's disk.
    pub spooled: u64,
    /// Why nothing can be kept on this machine's disk, in words; empty when it can, or need not.
    pub disk_problem: String,
    /// How long ago the oldest entry was written that is not durable yet.
    pub lag: Duration,
    /// Share of datagrams lost before repair, 0 to 1.
    pub loss: f64,
    /// The shortest recent round trip.
    pub round_trip: Duration,
    /// Highest absolute sample of the last moment.
    pub peak: f32,
    /// Takes that are over but not durable yet.
    pub older_takes: usize,
}

/// What a test of an address showed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Tested {
    /// Not answered yet.
    Waiting,
    /// A receiver answers.
    Answered {
        /// Where.
        address: SocketAddr,
        /// After how long.
        after: Duration,
    },
    /// Nothing answers.
    Silent {
        /// Where.
        address: SocketAddr,
    },
    /// There is nowhere to send to.
    Failed(String),
}
