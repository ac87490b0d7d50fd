//! What a sender is told and what it tells: settings, states, events, counters.

use std::time::Duration;

use crate::packet::feedback::Storage;
use crate::packet::hello::Refusal;
use crate::quality::{self, Level};
use crate::record::ClockEstimate;
use crate::secure::Keyed;
use crate::units::{ReceiverId, SourceNumber};

/// Whether entries are born in real time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SendMode {
    /// Every entry goes out at once; after an outage, live entries first.
    Live,
    /// Entries wait for a window, so that a file goes as fast as the receiver takes it.
    Fast,
}

/// What a sender may use.
#[derive(Clone, Copy, Debug)]
pub struct SenderConfig {
    /// Bytes of entries that are kept until they are durable.
    pub retention_bytes: usize,
    /// Whether entries are born in real time.
    pub mode: SendMode,
    /// What quality control may do.
    pub quality: quality::Config,
    /// The studio's key. With it, nothing is sent in clear, and only a receiver that has it is heeded.
    pub keyed: Option<Keyed>,
}

impl Default for SenderConfig {
    fn default() -> Self {
        Self { retention_bytes: 64 << 20, mode: SendMode::Live, quality: quality::Config::default(), keyed: None }
    }
}

/// Where a sender stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SenderState {
    /// No receiver has answered yet, or it has fallen silent.
    Connecting,
    /// A receiver takes the entries.
    Connected,
    /// The receiver declined; asked again every few seconds. With a key, this may also be what an unknown one said who answers in
    /// its place; then the sender goes on asking as before.
    Refused(Refusal),
    /// All entries are durable; the receiver is being told.
    Closing,
    /// Nothing is left to do.
    Finished,
}

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SenderEvent {
    /// A receiver took the session.
    Connected {
        /// Which receiver.
        receiver: ReceiverId,
    },
    /// The receiver has fallen silent; the sender goes on asking.
    Lost,
    /// The receiver declined; the sender asks again later.
    Refused(Refusal),
    /// Every entry is durable and the session is closed.
    Finished,
}

/// Counters of a take's sender, over all of its sessions, and the last measurements.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct SenderStats {
    /// Datagrams sent.
    pub datagrams: u64,
    /// Bytes of UDP payload sent.
    pub bytes: u64,
    /// Entries written.
    pub entries: u64,
    /// Entries sent again, or sent late.
    pub repeats: u64,
    /// Parities sent.
    pub parities: u64,
    /// Previews sent.
    pub previews: u64,
    /// Watermark: entries below this have arrived in part.
    pub received: SourceNumber,
    /// Watermark: entries below this have all arrived.
    pub complete: SourceNumber,
    /// Watermark: entries below this are durable.
    pub durable: SourceNumber,
    /// Whether the receiver can record; good until it says otherwise.
    pub storage: Storage,
    /// Entries rebuilt by the receiver from parity, in this session.
    pub repaired: u64,
    /// Share of datagrams lost before repair, smoothed, 0 to 1.
    pub loss: f64,
    /// How the live path is sent.
    pub level: Level,
    /// Bytes of UDP payload per second that everything together may take.
    pub rate: f64,
    /// Entries dropped because retention was full.
    pub dropped_entries: u64,
    /// The shortest recent round trip; zero before the first.
    pub round_trip: Duration,
    /// Bytes kept for want of a durable copy.
    pub retained_bytes: usize,
    /// The last clock estimate that was written to the log.
    pub clock: Option<ClockEstimate>,
    /// Datagrams that were not understood, or, with a key, were not authentic or came before.
    pub rejected: u64,
}
