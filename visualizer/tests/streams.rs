//! The systems that turn events into streams and rows, without a renderer.

mod common;

use bevy::prelude::*;
use send_learn_protocol::packet::hello::Description;
use send_learn_protocol::tap::Health;
use send_learn_protocol::units::{SamplePosition, TakeId};
use send_learn_visualizer::layout::{self, Slot};
use send_learn_visualizer::source::{Event, Link, Mailbox, StreamKey};
use send_learn_visualizer::stream::Stream;
use send_learn_visualizer::streams::{self, Inbox, SourceState};
use send_learn_visualizer::upload::Uploads;

fn app() -> (App, Mailbox) {
    let mailbox = Mailbox::default();
    let mut app = App::new();
    app.add_plugins((MinimalPlugins, AssetPlugin::default()))
        .init_asset::<Image>()
        .init_resource::<Uploads>()
        .insert_resource(Inbox(mailbox.clone()))
        .insert_resource(SourceState { address: "here".into(), link: Link::Connecting, had_streams: false })
        .add_systems(Update, (streams::receive, streams::advance, layout::arrange).chain());
    (app, mailbox)
}

fn key(take: u32) -> StreamKey {
    StreamKey { connection: 1, take }
}

fn up(take: u32, description: &Description) -> Event {
    Event::StreamUp { key: key(take), description: Box::new(description.clone()) }
}

fn audio(key: StreamKey, position: u64, frames: usize) -> Event {
    Event::Audio { key, position: SamplePosition(position), channels: 2, samples: vec![0.5; frames * 2] }
}

fn only(app: &mut App) -> Mut<'_, Stream> {
    let mut streams = app.world_mut().query::<&mut Stream>();
    streams.single_mut(app.world_mut()).unwrap()
}

#[test]
fn audio_becomes_rows_and_each_row_is_uploaded_once() {
    let (mut app, mailbox) = app();
    mailbox.push(up(1, &common::description("Bass")));
    // Out of order, and in the same frame as the stream itself.
    mailbox.push(audio(key(1), 512, 512));
    mailbox.push(audio(key(1), 0, 512));
    app.update();
    app.update();
    let rows = |app: &mut App| {
        let uploads = std::mem::take(&mut app.world_mut().resource_mut::<Uploads>().0);
        uploads.iter().filter(|upload| upload.texels.len() == 192).map(|upload| upload.row).collect::<Vec<_>>()
    };
    assert_eq!(rows(&mut app), [0, 1]);
    app.update();
    assert!(rows(&mut app).is_empty());
    mailbox.push(audio(key(1), 1_024, 1_024));
    app.update();
    app.update();
    assert_eq!(rows(&mut app), [2, 3]);
}

#[test]
fn a_take_that_comes_back_on_a_new_connection_goes_on() {
    let (mut app, mailbox) = app();
    let description = common::description("Bass");
    mailbox.push(up(1, &description));
    mailbox.push(audio(key(1), 0, 4_096));
    app.update();
    mailbox.push(Event::Link(Link::Down { reason: "gone".into() }));
    app.update();
    assert!(only(&mut app).ended.is_some());
    let again = StreamKey { connection: 2, take: 5 };
    mailbox.push(Event::Link(Link::Connected));
    mailbox.push(Event::StreamUp { key: again, description: Box::new(description) });
    mailbox.push(audio(again, 4_096, 512));
    app.update();
    let stream = only(&mut app);
    assert_eq!((stream.ended, stream.samples.end()), (None, 4_608));
}

#[test]
fn a_new_take_of_a_stream_begins_anew_in_the_same_place() {
    let (mut app, mailbox) = app();
    let first = common::description("Bass");
    mailbox.push(up(1, &first));
    mailbox.push(up(2, &common::description("Drums")));
    mailbox.push(audio(key(1), 0, 48_000));
    app.update();
    let second = Description { take: TakeId::random(), ..first.clone() };
    mailbox.push(up(3, &second));
    app.update();
    app.update();
    let mut query = app.world_mut().query::<(&Stream, &Slot)>();
    let found: Vec<_> = query.iter(app.world()).filter(|(stream, _)| stream.description.stream == first.stream).collect();
    assert_eq!(found.len(), 1);
    let (stream, slot) = found[0];
    assert_eq!((stream.description.take, stream.samples.end(), *slot), (second.take, 0, Slot(1)));
}

#[test]
fn events_of_unknown_streams_change_nothing() {
    let (mut app, mailbox) = app();
    mailbox.push(audio(key(9), 0, 512));
    mailbox.push(Event::Health { key: key(9), health: Health::default() });
    mailbox.push(Event::StreamDown { key: key(9) });
    app.update();
    assert_eq!(app.world_mut().query::<&Stream>().iter(app.world()).count(), 0);
}

#[test]
fn streams_stand_apart() {
    let (mut app, mailbox) = app();
    (0..9).for_each(|take| assert!(mailbox.push(up(take, &common::description("One of nine")))));
    app.update();
    app.update();
    let mut query = app.world_mut().query_filtered::<&Transform, With<Stream>>();
    let places: Vec<Vec3> = query.iter(app.world()).map(|transform| transform.translation).collect();
    assert_eq!(places.len(), 9);
    for (index, place) in places.iter().enumerate() {
        assert!(places[..index].iter().all(|other| other.distance(*place) > 5.0), "{places:?}");
    }
}
