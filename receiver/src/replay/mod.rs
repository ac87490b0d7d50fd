//! Sends a recording again, as its stream was sent, through the protocol's own [`Sender`]: to another receiver, into a test, or to a viewer.
//! What is recorded of it equals the original in audio, MIDI, transport, automation, markers and gaps; it is a take of its own, whose
//! property `replay_of` names the take that it replays.

mod feed;
mod link;

use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use send_learn_protocol::packet::hello::{Description, PropertyKey};
use send_learn_protocol::record::{End, EndReason};
use send_learn_protocol::secure::Keyed;
use send_learn_protocol::sender::{SendMode, Sender, SenderConfig};
use send_learn_protocol::units::{HostId, MachineId, SamplePosition, StreamId, TakeId};

use crate::clock::{now, unix_nanos};
use crate::store::{Recording, StoreError};
use feed::Feed;
use link::Link;

/// Why a recording cannot be replayed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReplayError {
    /// It cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// There is nothing in it.
    #[error("the recording holds nothing to replay")]
    Empty,
    /// The system grants no socket.
    #[error("cannot send to {to}: {source}")]
    Socket {
        /// The receiver's address.
        to: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// Nobody answers.
    #[error("no receiver answers at {to} (tried for {seconds} s): {why}")]
    Silent {
        /// The receiver's address.
        to: SocketAddr,
        /// How long.
        seconds: u64,
        /// What is known of the reason.
        why: String,
    },
}

/// How fast.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Speed {
    /// So many seconds of the recording in a second; 1 is as it was played.
    Times(f64),
    /// As fast as the receiver takes it.
    Unbounded,
}

/// What a replay is told, and tells.
pub struct Replay<'a> {
    /// The receiver.
    pub to: SocketAddr,
    /// How fast.
    pub speed: Speed,
    /// The studio's secret, if there is one.
    pub keyed: Option<Keyed>,
    /// Nobody answered for so long: give up.
    pub patience: Duration,
    /// Set by a person who has seen enough: what was sent until then becomes a take.
    pub stop: &'a AtomicBool,
    /// Hears the position that was reached.
    pub progress: &'a dyn Fn(u64),
}

/// What was sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sent {
    /// The new take, a UUID.
    pub take: String,
    /// The position after its last sample.
    pub end: u64,
    /// Whether it was sent to its end.
    pub complete: bool,
}

/// Replays a take whose files are given in order, and waits until the receiver has all of it on disk.
///
/// # Errors
/// [`ReplayError`].
pub fn replay(parts: &[Recording], replay: &Replay<'_>) -> Result<Sent, ReplayError> {
    let (first, last) = (parts.first().ok_or(ReplayError::Empty)?, parts.last().ok_or(ReplayError::Empty)?);
    let description = describe(last.description()?, &first.summary.take_id);
    let take = description.take.to_string();
    let rate = description.sample_rate;
    let mode = if replay.speed == Speed::Times(1.0) { SendMode::Live } else { SendMode::Fast };
    let config = SenderConfig { mode, keyed: replay.keyed, ..SenderConfig::default() };
    let mut link = Link::open(Sender::new(config, description, seed(), now()), replay)?;
    let (begin, origin) = (now(), first.summary.first_sample);
    let due = |position: u64| match replay.speed {
        Speed::Times(times) => begin.after(Duration::from_secs_f64(position.saturating_sub(origin) as f64 / rate / times)),
        Speed::Unbounded => begin,
    };
    let mut end = origin;
    let mut complete = true;
    'parts: for part in parts {
        let mut feed = Feed::open(part, &mut link.sender)?;
        while let Some(position) = feed.next_position()? {
            if replay.stop.load(Ordering::Relaxed) {
                complete = false;
                break 'parts;
            }
            link.wait_until(due(position))?;
            end = feed.push(&mut link.sender, now())?;
            link.turn(Duration::ZERO)?;
            (replay.progress)(end);
        }
        end = end.max(feed.finish(&mut link.sender)?);
    }
    let reason = if complete { end_reason(&last.summary.end_reason) } else { EndReason::Stopped };
    link.sender.finish(now(), End { position: SamplePosition(end), reason });
    link.until_durable()?;
    Ok(Sent { take, end, complete })
}

/// The original's words, and another take's identities.
fn describe(mut description: Description, original: &str) -> Description {
    description.stream = StreamId::random();
    description.take = TakeId::random();
    description.host = HostId::random();
    description.machine = MachineId::random();
    description.started_unix_nanos = unix_nanos();
    description.started = now();
    // The first one: where not all fit into the handshake, the last are left out.
    description.properties.insert(0, (PropertyKey::REPLAY_OF, original.to_owned()));
    description
}

fn seed() -> u64 {
    u64::from_le_bytes(std::array::from_fn(|index| TakeId::random().0[index]))
}

fn end_reason(text: &str) -> EndReason {
    match text {
        "deactivated" => EndReason::Deactivated,
        "end-of-file" => EndReason::EndOfFile,
        "stopped" => EndReason::Stopped,
        "" | "interrupted" => EndReason::Interrupted,
        _ => EndReason::Other,
    }
}
