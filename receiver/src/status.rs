//! What a running receiver is doing at the moment, for whoever asks.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use serde::{Deserialize, Serialize};

use crate::disk::DiskStatus;

/// One stream that is open.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StreamStatus {
    /// The take's UUID.
    pub take: String,
    /// The stream's UUID: the plugin's instance, the same in all its takes.
    pub stream: String,
    /// The name of its track, or an empty one.
    pub name: String,
    /// The name of its studio machine, or an empty one.
    pub machine: String,
    /// Where its datagrams come from.
    pub peer: SocketAddr,
    /// Samples per second.
    pub sample_rate: f64,
    /// Channels; 0 for MIDI alone.
    pub channels: u16,
    /// Recorded so far, in seconds.
    pub recorded: f64,
    /// Loudness of the newest frame of features, RMS; 1 is full scale, `None` where there is none.
    pub rms: Option<f32>,
    /// MIDI events since its sender connected.
    pub midi_events: u64,
    /// Quality level of the live path: 1.0, 0.7 or 0.3.
    pub level: f64,
    /// Share of datagrams lost before any repair over the last seconds, 0 to 1.
    pub loss: f64,
    /// Share of entries that were late for the live view over the last seconds, 0 to 1.
    pub late: f64,
    /// Datagrams that a queue on the way has marked instead of dropping them (ECN), since the session began.
    pub marked: u32,
    /// Payload bits received per second.
    pub bits_per_second: f64,
    /// Interarrival jitter (RFC 3550) in milliseconds.
    pub jitter_ms: f64,
    /// One-way delay of the newest block, from host to receiver, in milliseconds; `None` until the clocks are known.
    pub delay_ms: Option<f64>,
    /// Seconds of audio that are received but not yet durable.
    pub not_yet_durable: f64,
    /// Bytes that are durable in the journal but not yet in the recording's file.
    pub not_yet_in_file: u64,
    /// Entries rebuilt from parity since the session began.
    pub repaired: u64,
    /// Entries that came as repeats or back-fill since the session began.
    pub resent: u64,
    /// Entries known to exist and still missing.
    pub owed: u64,
    /// Frames recorded as gaps.
    pub gap_frames: u64,
    /// Datagrams that arrived since the session began, duplicates not counted.
    pub datagrams: u64,
    /// Datagrams lost before any repair since the session began.
    pub lost_datagrams: u64,
    /// Bytes of UDP payload that arrived since the session began.
    pub bytes: u64,
    /// Blocks whose samples do not have the checksum that their sender stated.
    pub crc_mismatches: u64,
}

/// What was counted since the receiver started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Totals {
    /// Streams that connected, each time that they did.
    pub streams: u64,
    /// Log entries that were taken.
    pub entries: u64,
    /// Log entries that came while the disk was too slow: they are asked for again.
    pub refused_entries: u64,
    /// Datagrams that were not understood, or belong to no session.
    pub rejected_datagrams: u64,
    /// Viewers that are connected now.
    pub viewers: u64,
    /// Old recordings that were removed, as the settings say.
    pub removed_recordings: u64,
}

/// How the socket fares that datagrams come by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SocketStatus {
    /// Bytes that the kernel keeps for datagrams that wait: what it granted of the 4 MiB asked for.
    pub receive_buffer: usize,
    /// Datagrams that the kernel dropped for want of room, since the receiver's begin; `None` where it does not say.
    pub kernel_drops: Option<u64>,
}

/// Everything at one moment.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Status {
    /// The receiver's version.
    pub version: String,
    /// Where it listens; `None` before it does.
    pub address: Option<SocketAddr>,
    /// The folder that it records to.
    pub data: PathBuf,
    /// How its disk stands.
    pub disk: DiskStatus,
    /// Counters.
    pub totals: Totals,
    /// Whether senders and viewers need the key, and all that they say is encrypted.
    pub encrypted: bool,
    /// Datagrams that were not taken since the receiver started, by reason (spec/security.md, section 6).
    pub rejected: BTreeMap<String, u64>,
    /// How the socket fares.
    pub socket: SocketStatus,
    /// Open streams: by machine, then by name.
    pub streams: Vec<StreamStatus>,
}

/// Where the newest [`Status`] hangs. Clones are the same board.
#[derive(Clone, Debug, Default)]
pub struct Board(Arc<Mutex<Arc<Status>>>);

impl Board {
    /// Hangs up a new one.
    pub fn set(&self, status: Status) {
        let new = Arc::new(status);
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = new;
    }

    /// The newest one.
    pub fn latest(&self) -> Arc<Status> {
        Arc::clone(&self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
