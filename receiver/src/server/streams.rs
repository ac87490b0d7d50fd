//! The streams of the network loop: what the protocol says of them goes to the recorder and the tap, and what the recorder says to the
//! protocol.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;

use send_learn_protocol::packet::hello::{Description, PropertyKey};
use send_learn_protocol::receiver::ReceiverEvent;
use send_learn_protocol::tap::Health;
use send_learn_protocol::units::{HostNanos, SessionId, TakeId};

use super::Server;
use crate::archive::Progress;
use crate::clock;
use crate::health::Meter;
use crate::queue::Share;
use crate::ranges::RangeSet;
use crate::recorder::{Command, Report};

/// A take that has a session.
pub(super) struct Stream {
    pub(super) session: SessionId,
    pub(super) peer: SocketAddr,
    pub(super) description: Description,
    /// Its number in the tap; 0 until it is accepted.
    pub(super) key: u32,
    pub(super) progress: Arc<Progress>,
    pub(super) meter: Meter,
    pub(super) health: Health,
    /// What it has in the queue to the recorder.
    pub(super) share: Share,
    /// Entries that the disk did not take. They are asked for again after a while: at once would only load the network.
    pub(super) unkept: RangeSet,
}

impl Server {
    pub(super) fn drain_events(&mut self, now: HostNanos) {
        while let Some(event) = self.receiver.poll_event() {
            match event {
                ReceiverEvent::Opened { session, peer, description } => self.on_opened(session, peer, description),
                ReceiverEvent::Entry { session, number, arrival, sent_micros, entry } => {
                    let Some((take, stream)) = stream_of(&self.sessions, &mut self.streams, session) else { continue };
                    let len = entry.len();
                    let command = Command::Entry { take, number, arrival, arrived: now, entry: Arc::clone(&entry) };
                    if !self.commands.try_push(command, len, &mut stream.share) {
                        // The disk is too slow. The sender has the entry, and is asked for it again.
                        stream.unkept.insert_one(number);
                        self.totals.refused_entries += 1;
                        continue;
                    }
                    self.totals.entries += 1;
                    stream.meter.note_entry(arrival, sent_micros, now, &entry);
                    self.tap.entry(stream.key, arrival, now, entry);
                }
                ReceiverEvent::Preview { session, level, arrival, sent_micros, preview } => {
                    let Some((_, stream)) = stream_of(&self.sessions, &mut self.streams, session) else { continue };
                    stream.meter.note_entry(arrival, sent_micros, now, &preview);
                    self.tap.preview(stream.key, arrival, level, now, &preview);
                }
                ReceiverEvent::Gone { session, gone } => {
                    if let Some(&take) = self.sessions.get(&session) {
                        tracing::error!(%take, first = gone.range.first.0, count = gone.range.count, reason = ?gone.reason,
                            "the sender no longer has some of its data; the recording will say what is missing");
                        self.commands.push(Command::Gone { take, gone, arrived: now });
                    }
                }
                ReceiverEvent::Closed { session } => self.on_left(session, "has ended"),
                ReceiverEvent::Silent { session } => self.on_left(session, "is silent: its sender may come back"),
            }
        }
    }

    fn on_opened(&mut self, session: SessionId, peer: SocketAddr, mut description: Box<Description>) {
        let take = description.take;
        self.totals.streams += 1;
        if let Some(name) = self.names.of(&description.stream.to_string()) {
            description.set_property(PropertyKey::NAME, &name);
        }
        let name = description.property(PropertyKey::NAME).to_owned();
        tracing::info!(%peer, %take, name, rate = description.sample_rate, channels = description.channels, "a stream");
        self.sessions.insert(session, take);
        match self.streams.get_mut(&take) {
            // Its sender has reconnected.
            Some(stream) => {
                self.sessions.remove(&std::mem::replace(&mut stream.session, session));
                stream.peer = peer;
                stream.meter = Meter::new(description.sample_rate);
                stream.unkept = RangeSet::default();
            }
            None => {
                let stream = Stream {
                    session,
                    peer,
                    description: (*description).clone(),
                    key: 0,
                    progress: Arc::default(),
                    meter: Meter::new(description.sample_rate),
                    health: Health::default(),
                    share: Share::default(),
                    unkept: RangeSet::default(),
                };
                self.streams.insert(take, stream);
            }
        }
        self.commands.push(Command::Open { session, description });
    }

    fn on_left(&mut self, session: SessionId, what: &str) {
        let Some(take) = self.sessions.remove(&session) else { return };
        let Some(stream) = self.streams.remove(&take) else { return };
        tracing::info!(%take, name = stream.description.property(PropertyKey::NAME), "the stream {what}");
        if stream.key != 0 {
            self.tap.stream_down(stream.key);
        }
        self.commands.push(Command::Left { take });
    }

    pub(super) fn on_report(&mut self, report: Report) {
        let now = clock::now();
        match report {
            Report::Accepted { session, held, progress } => {
                let Some((_, stream)) = stream_of(&self.sessions, &mut self.streams, session) else { return };
                stream.progress = progress;
                if stream.key == 0 {
                    stream.key = self.next_key;
                    self.next_key += 1;
                    self.tap.stream_up(stream.key, &stream.description);
                }
                self.receiver.accept(now, session, held);
            }
            Report::Refused { session, reason } => {
                tracing::warn!("a stream is refused: {reason}");
                self.receiver.refuse(now, session, reason);
                self.on_left(session, "was refused");
            }
            Report::Durable { take, number } => {
                if let Some(stream) = self.streams.get(&take) {
                    self.receiver.set_durable(now, stream.session, number);
                }
            }
            Report::Lost { take, numbers } => {
                if let Some(stream) = self.streams.get_mut(&take) {
                    numbers.into_iter().for_each(|number| stream.unkept.insert_one(number));
                }
            }
            Report::Disk(status) => {
                self.receiver.set_storage(now, status.storage());
                self.disk = status;
            }
            Report::Stopped => {}
        }
    }
}

fn stream_of<'a>(
    sessions: &HashMap<SessionId, TakeId>,
    streams: &'a mut HashMap<TakeId, Stream>,
    session: SessionId,
) -> Option<(TakeId, &'a mut Stream)> {
    let take = *sessions.get(&session)?;
    Some((take, streams.get_mut(&take)?))
}
