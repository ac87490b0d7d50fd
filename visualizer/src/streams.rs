//! Brings the source's events to the streams' entities.

use std::collections::BTreeMap;

use bevy::prelude::*;

use crate::deck::Deck;
use crate::layout::Slot;
use crate::moment::Moment;
use crate::source::{Event, Link, Mailbox, StreamKey};
use crate::stream::{Identity, Stream};
use crate::terrain::TerrainRows;
use crate::upload::Uploads;
use crate::waveform::WaveformRows;

/// How long a stream that ended stays beside running ones, in seconds.
const LINGER: f32 = 20.0;
/// How bright an ended stream is.
const ENDED_BRIGHTNESS: f32 = 0.6;
/// The most streams that are shown.
pub const MAX_STREAMS: usize = 64;

/// The mailbox that the source fills.
#[derive(Resource, Debug, Clone)]
pub struct Inbox(pub Mailbox);

/// How the source fares.
#[derive(Resource, Debug, Clone, Default, PartialEq, Eq)]
pub struct SourceState {
    /// The recording's name, if it is one.
    pub replay: Option<String>,
    /// What a person should know about it.
    pub notice: String,
    /// The receivers that are followed, by number.
    pub receivers: BTreeMap<u32, ReceiverState>,
    /// Whether there was ever a stream.
    pub had_streams: bool,
}

/// How a receiver fares.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReceiverState {
    /// What it is called: its name, or its address as the person gave it.
    pub name: String,
    /// Whether it is tried only because it might be there.
    pub is_last_resort: bool,
    /// How the connection is.
    pub link: Link,
}

/// Takes in all events that wait.
pub fn receive(
    mut commands: Commands<'_, '_>,
    inbox: Res<'_, Inbox>,
    mut state: ResMut<'_, SourceState>,
    mut images: ResMut<'_, Assets<Image>>,
    mut streams: Query<'_, '_, (Entity, &mut Stream, &Slot, &mut TerrainRows)>,
    (mut next_slot, mut has_begun): (Local<'_, u64>, Local<'_, bool>),
) {
    // Streams that come up now; their entities can be queried in the next frame only.
    let mut born: Vec<(Stream, Slot)> = Vec::new();
    for event in inbox.0.take() {
        match event {
            Event::Receiver { receiver, name, is_last_resort } => {
                state.receivers.insert(receiver, ReceiverState { name, is_last_resort, link: Link::Connecting });
            }
            Event::Link { receiver, link } => {
                if let Link::Down { .. } | Link::Gone = link {
                    let its = all(&mut streams, &mut born).filter(|stream| stream.key.receiver == receiver);
                    for stream in its.filter(|stream| stream.ended.is_none()) {
                        (stream.ended, stream.is_cut_off) = (Some(0.0), true);
                    }
                }
                if link == Link::Gone {
                    state.receivers.remove(&receiver);
                } else if let Some(known) = state.receivers.get_mut(&receiver) {
                    known.link = link;
                }
            }
            Event::Notice(notice) => state.notice = notice,
            Event::StreamUp { key, description } => {
                state.had_streams = true;
                let id = Identity { receiver: key.receiver, stream: description.stream };
                let is_same = |stream: &Stream| stream.identity() == id;
                // The same take on a new connection goes on where it was.
                if let Some(stream) = all(&mut streams, &mut born)
                    .find(|stream| stream.key.receiver == key.receiver && stream.description.take == description.take)
                {
                    stream.key = key;
                    stream.description = *description;
                    (stream.ended, stream.is_cut_off) = (None, false);
                    continue;
                }
                // A new take of a stream begins anew, in the same place; in the same body, if that fits.
                let before = streams.iter_mut().find(|(_, stream, ..)| is_same(stream));
                if let Some((_, mut stream, _, mut rows)) = before
                    && (stream.description.channels, stream.description.sample_rate)
                        == (description.channels, description.sample_rate)
                {
                    *stream = Stream::new(key, *description);
                    rows.clear();
                    continue;
                }
                let before = streams.iter().find(|(_, stream, ..)| is_same(stream));
                let before = before.map(|(entity, _, slot, _)| (entity, *slot));
                let twin = born.iter().position(|(stream, _)| is_same(stream));
                let slot = if let Some(twin) = twin {
                    born.swap_remove(twin).1
                } else if let Some((entity, slot)) = before {
                    commands.entity(entity).despawn();
                    slot
                } else {
                    *next_slot += 1;
                    Slot(*next_slot)
                };
                if streams.iter().len() + born.len() < MAX_STREAMS {
                    born.push((Stream::new(key, *description), slot));
                } else {
                    warn!("{} is not shown: there are {MAX_STREAMS} streams already", description.stream);
                }
            }
            event => {
                let key = key(&event);
                if let Some(stream) = all(&mut streams, &mut born).find(|stream| Some(stream.key) == key) {
                    apply(stream, event);
                }
            }
        }
    }
    // What waited while the view started says nothing of how long it takes.
    if !std::mem::replace(&mut *has_begun, true) {
        born.iter_mut().for_each(|(stream, _)| stream.lag.view = f32::NAN);
    }
    for (stream, slot) in born {
        let rows = TerrainRows::new(&mut images);
        let waveform = WaveformRows::new(&mut images);
        commands.spawn((stream, slot, rows, waveform, Transform::default(), Visibility::default()));
    }
}

fn all<'a>(
    streams: &'a mut Query<'_, '_, (Entity, &mut Stream, &Slot, &mut TerrainRows)>,
    born: &'a mut [(Stream, Slot)],
) -> impl Iterator<Item = &'a mut Stream> {
    let born = born.iter_mut().map(|(stream, _)| stream);
    streams.iter_mut().map(|(_, stream, ..)| stream.into_inner()).chain(born)
}

fn key(event: &Event) -> Option<StreamKey> {
    match event {
        Event::Receiver { .. } | Event::Link { .. } | Event::Notice(_) => None,
        Event::StreamUp { key, .. }
        | Event::Property { key, .. }
        | Event::Audio { key, .. }
        | Event::Gap { key, .. }
        | Event::Midi { key, .. }
        | Event::Automation { key, .. }
        | Event::Parameter { key, .. }
        | Event::Transport { key, .. }
        | Event::Health { key, .. }
        | Event::StreamDown { key } => Some(*key),
    }
}

fn apply(stream: &mut Stream, event: Event) {
    match event {
        Event::Audio { position, channels, samples, delivery, .. } => {
            stream.push_audio(position.0, channels, &samples);
            stream.deliver(position.0, (samples.len() / usize::from(channels.max(1))) as u64, &delivery);
        }
        Event::Gap { position, frames, .. } => stream.push_gap(position.0, frames),
        Event::Midi { message, .. } => stream.push_midi(message),
        Event::Automation { parameter, position, value, .. } => stream.curves.automate(parameter, position.0, value),
        Event::Parameter { parameter, name, .. } => stream.curves.name_parameter(parameter, &name),
        Event::Transport { transport, .. } => stream.push_transport(transport),
        Event::Health { health, .. } => stream.health = Some(health),
        Event::Property { property, text, .. } => stream.description.set_property(property, &text),
        Event::StreamDown { .. } => stream.ended = stream.ended.or(Some(0.0)),
        Event::Receiver { .. } | Event::Link { .. } | Event::Notice(_) | Event::StreamUp { .. } => {}
    }
}

/// Lets time pass for every stream, and asks for what is new to be drawn. A stream that ended long ago goes, unless it is all
/// that there is to see.
pub fn advance(
    mut commands: Commands<'_, '_>,
    time: Res<'_, Time<Real>>,
    mut uploads: ResMut<'_, Uploads>,
    mut moment: ResMut<'_, Moment>,
    deck: Option<Res<'_, Deck>>,
    mut streams: Query<'_, '_, (Entity, &mut Stream, &mut TerrainRows, &mut WaveformRows)>,
) {
    let step = moment.advance(time.delta_secs(), deck.map_or(1.0, |deck| deck.pace()));
    let mut running = 0;
    for (_, mut stream, mut terrain, mut waveform) in &mut streams {
        stream.advance(step, |row, levels| terrain.write(&mut uploads, row, levels));
        terrain.follow(&mut uploads, &stream);
        let brightness = if stream.ended.is_some() { ENDED_BRIGHTNESS } else { 1.0 };
        terrain.show(&mut uploads, stream.head_row(), brightness);
        waveform.write(&mut uploads, &stream);
        running += usize::from(stream.ended.is_none());
    }
    let gone = streams.iter().filter(|(_, stream, ..)| running > 0 && stream.ended.is_some_and(|ended| ended > LINGER));
    gone.for_each(|(entity, ..)| commands.entity(entity).despawn());
}
