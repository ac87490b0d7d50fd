//! What the uplink tells windows and progress bars about a stream.

use std::net::SocketAddr;
use std::time::Duration;

use send_learn_discovery::Found;
use send_learn_protocol::packet::feedback::Storage;
use send_learn_protocol::packet::hello::Refusal;
use send_learn_protocol::units::SamplePosition;

/// A receiver that has not answered for this long is called missing.
pub const NO_RECEIVER: Duration = Duration::from_secs(3);

/// Where a stream stands with its receiver.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum LinkState {
    /// Nothing was played yet, so nothing was sent.
    #[default]
    Idle,
    /// The receiver's name is being looked up, or a receiver is searched for.
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
    /// Why the key of this machine cannot be used, in words; empty when it can, or there is none.
    pub key_problem: String,
    /// Where a receiver was searched for, in words; empty where the address was given, or one answers.
    pub tried: String,
    /// Whether a take is running.
    pub running: bool,
    /// Whether the host plays but nothing is captured.
    pub paused: bool,
    /// Samples per second of the take; 0 before the first.
    pub sample_rate: f64,
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
    /// Whether the receiver can record at present; known only while it is connected.
    pub storage: Storage,
    /// Why nothing can be kept on this machine's disk, in words; empty when it can, or need not.
    pub disk_problem: String,
    /// How long ago the oldest entry was written that is not durable yet.
    pub lag: Duration,
    /// Share of datagrams lost before repair, 0 to 1.
    pub loss: f64,
    /// The shortest recent round trip.
    pub round_trip: Duration,
    /// Bytes of UDP payload sent per second, over the last second.
    pub rate: f64,
    /// Whether the live path is sent in full quality: otherwise the receiver's view gets previews, and the recording follows.
    pub whole: bool,
    /// The receiver's clock less this machine's, and within what it is true, in nanoseconds; `None` until it is known.
    pub clock: Option<(i64, u64)>,
    /// For how long no receiver has answered though there is something to send.
    pub unanswered: Duration,
    /// Datagrams that could not be sent, and answers that were not understood.
    pub errors: u64,
    /// What went wrong last, in words and with what to do, and how long ago; it stays when all is well again.
    pub last_problem: Option<(String, Duration)>,
    /// Highest absolute sample of the last moment, of each channel.
    pub peaks: Vec<f32>,
    /// Takes that are over but not durable yet.
    pub older_takes: usize,
}

/// What is wrong with the receiver's disk and what to do, in words; `None` when nothing is.
pub fn disk_trouble(storage: Storage) -> Option<&'static str> {
    match storage {
        Storage::Good => None,
        Storage::Full => Some("the receiver's disk is full: make room there, and recording goes on by itself"),
        Storage::Failing => {
            Some("the receiver cannot write to its disk: \"send-learn status\" there says why; recording goes on when it can")
        }
    }
}

/// The receivers of this network, as far as somebody looked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sought {
    /// Whether a search goes on.
    pub looking: bool,
    /// Who was found, by name.
    pub receivers: Vec<Found>,
    /// Why nobody looks, in words; empty when somebody does, or nobody was asked to.
    pub trouble: String,
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
        /// Whether it proved to have this machine's key; false: it takes everybody, and this machine has none.
        keyed: bool,
    },
    /// Nothing answers.
    Silent {
        /// Where.
        address: SocketAddr,
    },
    /// There is nowhere to send to.
    Failed(String),
}
