//! What a running receiver is doing at the moment, for whoever asks.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use send_learn_protocol::tap::Health;
use send_learn_protocol::units::TakeId;

/// One stream that is open.
#[derive(Clone, Debug)]
pub struct StreamStatus {
    /// Which take it is.
    pub take: TakeId,
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
    /// MIDI events since the stream was opened.
    pub midi_events: u64,
    /// Figures of its line and its recording.
    pub health: Health,
}

/// Everything at one moment.
#[derive(Clone, Debug, Default)]
pub struct Status {
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
