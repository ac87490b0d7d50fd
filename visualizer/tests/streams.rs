//! The systems that turn events into streams and rows, without a renderer.

mod common;

use std::time::Duration;

use bevy::prelude::*;
use bevy::time::TimeUpdateStrategy;
use send_learn_protocol::packet::hello::Description;
use send_learn_protocol::tap::Health;
use send_learn_protocol::units::{SamplePosition, TakeId};
use send_learn_visualizer::choice::Choice;
use send_learn_visualizer::layout::{self, Grid, Slot};
use send_learn_visualizer::moment::Moment;
use send_learn_visualizer::source::{Event, Link, Mailbox, MidiMessage, StreamKey};
use send_learn_visualizer::stream::Stream;
use send_learn_visualizer::streams::{self, Inbox, SourceState};
use send_learn_visualizer::upload::Uploads;

/// Each update lasts as long.
const FRAME: Duration = Duration::from_millis(50);

fn app() -> (App, Mailbox) {
    let mailbox = Mailbox::default();
    let mut app = App::new();
    app.add_plugins((MinimalPlugins, AssetPlugin::default()))
        .init_asset::<Image>()
        .init_resource::<Uploads>()
        .insert_resource(Inbox(mailbox.clone()))
        .init_resource::<SourceState>()
        .insert_resource(TimeUpdateStrategy::ManualDuration(FRAME))
        .init_resource::<Moment>()
        .init_resource::<Choice>()
        .init_resource::<Grid>()
        .add_systems(Update, (streams::receive, streams::advance, layout::arrange).chain());
    (app, mailbox)
}

fn key(take: u32) -> StreamKey {
    StreamKey { receiver: 1, connection: 1, take }
}

fn up(take: u32, description: &Description) -> Event {
    Event::StreamUp { key: key(take), description: Box::new(description.clone()) }
}

fn audio(key: StreamKey, position: u64, frames: usize) -> Event {
    Event::Audio { key, position: SamplePosition(position), channels: 2, samples: vec![0.5; frames * 2], delivery: common::live() }
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
    // The head comes to the newest row within a second.
    let second = |app: &mut App| (0..20).for_each(|_| app.update());
    second(&mut app);
    let rows = |app: &mut App| {
        let uploads = std::mem::take(&mut app.world_mut().resource_mut::<Uploads>().0);
        uploads.iter().filter(|upload| upload.texels.len() == 192).map(|upload| upload.row).collect::<Vec<_>>()
    };
    assert_eq!(rows(&mut app), [0, 1]);
    second(&mut app);
    assert!(rows(&mut app).is_empty());
    mailbox.push(audio(key(1), 1_024, 1_024));
    second(&mut app);
    assert_eq!(rows(&mut app), [2, 3]);
}

#[test]
fn a_take_that_comes_back_on_a_new_connection_goes_on() {
    let (mut app, mailbox) = app();
    let description = common::description("Bass");
    mailbox.push(up(1, &description));
    mailbox.push(audio(key(1), 0, 4_096));
    app.update();
    mailbox.push(Event::Link { receiver: 1, link: Link::Down { reason: "gone".into() } });
    app.update();
    assert!(only(&mut app).ended.is_some() && only(&mut app).is_cut_off);
    let again = StreamKey { receiver: 1, connection: 2, take: 5 };
    mailbox.push(Event::Link { receiver: 1, link: Link::Connected });
    mailbox.push(Event::StreamUp { key: again, description: Box::new(description) });
    mailbox.push(audio(again, 4_096, 512));
    app.update();
    let stream = only(&mut app);
    assert_eq!((stream.ended, stream.is_cut_off, stream.samples.end()), (None, false, 4_608));
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
fn streams_of_two_receivers_do_not_mix_though_they_are_called_the_same() {
    let (mut app, mailbox) = app();
    let description = common::description("Bass");
    let keys = [1, 2].map(|receiver| StreamKey { receiver, ..key(7) });
    for key in keys {
        mailbox.push(Event::StreamUp { key, description: Box::new(description.clone()) });
    }
    mailbox.push(audio(keys[0], 0, 512));
    mailbox.push(audio(keys[1], 0, 4_096));
    app.update();
    mailbox.push(Event::Link { receiver: 2, link: Link::Down { reason: "gone".into() } });
    app.update();
    let mut query = app.world_mut().query::<&Stream>();
    let mut told: Vec<_> =
        query.iter(app.world()).map(|stream| (stream.key, stream.samples.end(), stream.ended.is_some())).collect();
    told.sort_by_key(|(key, ..)| key.receiver);
    assert_eq!(told, [(keys[0], 512, false), (keys[1], 4_096, true)]);
    // One is hidden, the other is not.
    let id = query.iter(app.world()).find(|stream| stream.key == keys[0]).unwrap().identity();
    app.world_mut().resource_mut::<Choice>().hidden.insert(id);
    let shown = |app: &App, stream: &Stream| app.world().resource::<Choice>().shows(stream);
    assert_eq!(query.iter(app.world()).filter(|stream| shown(&app, stream)).count(), 1);
    // The other comes back where it was.
    let again = StreamKey { connection: 2, ..keys[1] };
    mailbox.push(Event::StreamUp { key: again, description: Box::new(description) });
    app.update();
    assert_eq!(query.iter(app.world()).filter(|stream| stream.ended.is_none()).count(), 2);
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

#[test]
fn a_held_moment_stands_while_streams_go_on_and_only_rows_that_come_in_sight_are_uploaded() {
    let (mut app, mailbox) = app();
    mailbox.push(up(1, &common::description("Bass")));
    let second = |app: &mut App, from: u64| {
        for frame in 0..20 {
            mailbox.push(audio(key(1), from * 48_000 + frame * 2_400, 2_400));
            app.update();
        }
    };
    let rows = |app: &mut App| {
        let uploads = std::mem::take(&mut app.world_mut().resource_mut::<Uploads>().0);
        uploads.iter().filter(|upload| upload.texels.len() == 192).count()
    };
    (0..15).for_each(|from| second(&mut app, from));
    app.world_mut().resource_mut::<Moment>().toggle();
    app.update();
    rows(&mut app);
    let shown = only(&mut app).shown();
    (15..20).for_each(|from| second(&mut app, from));
    assert_eq!((only(&mut app).shown(), only(&mut app).samples.end()), (shown, 20 * 48_000));
    assert_eq!(rows(&mut app), 0, "nothing moves");
    // A second back and forth again: its rows twice, and no more.
    app.world_mut().resource_mut::<Moment>().scrub(-1.0);
    app.update();
    assert!((93..=95).contains(&rows(&mut app)));
    app.world_mut().resource_mut::<Moment>().scrub(1.0);
    app.update();
    assert!((93..=95).contains(&rows(&mut app)));
    app.world_mut().resource_mut::<Moment>().follow();
    app.update();
    assert!(only(&mut app).shown() > shown + 4.0 * 48_000.0);
    assert!((450..=480).contains(&rows(&mut app)), "five seconds");
}

#[test]
fn streams_that_come_and_go_a_thousand_times_leave_nothing_behind() {
    let (mut app, mailbox) = app();
    mailbox.push(up(0, &common::description("Steady")));
    mailbox.push(audio(key(0), 0, 512));
    app.update();
    let entities = |app: &mut App| app.world_mut().query::<Entity>().iter(app.world()).count();
    let before = entities(&mut app);
    for round in 1..=1_000_u32 {
        let description = Description { channels: [1, 2, 64][round as usize % 3], ..common::description("Guest") };
        mailbox.push(up(round, &description));
        mailbox.push(Event::StreamDown { key: key(round) });
        app.update();
    }
    // Those that ended linger for 20 s.
    (0..500).for_each(|_| app.update());
    let count = |app: &mut App| app.world_mut().query::<&Stream>().iter(app.world()).count();
    assert_eq!(count(&mut app), 1);
    assert!(app.world().resource::<Assets<Image>>().len() <= 2, "textures go with their streams");
    assert_eq!(entities(&mut app), before);
}

#[test]
fn one_channel_and_64_at_any_rate_are_shown() {
    let (mut app, mailbox) = app();
    for (take, (channels, sample_rate)) in [(1, 192_000.0), (64, 192_000.0), (64, 8_000.0), (1, 44_100.0)].into_iter().enumerate() {
        let key = key(take as u32);
        mailbox.push(up(key.take, &Description { channels, sample_rate, ..common::description("Odd") }));
        let samples = vec![0.25; usize::from(channels) * (sample_rate as usize)];
        mailbox.push(Event::Audio { key, position: SamplePosition(0), channels, samples, delivery: common::live() });
    }
    (0..30).for_each(|_| app.update());
    let mut streams = app.world_mut().query::<&Stream>();
    assert_eq!(streams.iter(app.world()).count(), 4);
    for stream in streams.iter(app.world()) {
        assert_eq!(stream.shown(), stream.description.sample_rate, "{:?}", stream.description);
        assert!(stream.head_row() > 50.0 && stream.meters.len() <= 8);
    }
}

/// Bytes of memory that this process holds.
#[cfg(target_os = "linux")]
fn resident() -> u64 {
    let pages = std::fs::read_to_string("/proc/self/statm").unwrap();
    pages.split(' ').nth(1).unwrap().parse::<u64>().unwrap() * 4_096
}

#[cfg(target_os = "linux")]
#[test]
fn memory_stays_flat_while_streams_play_on() {
    // In a process of its own: other tests hold memory meanwhile.
    if std::env::var_os("SEND_LEARN_ALONE").is_none() {
        let own = std::env::current_exe().unwrap();
        let mut alone = std::process::Command::new(own);
        alone.args(["memory_stays_flat_while_streams_play_on", "--exact", "--nocapture"]).env("SEND_LEARN_ALONE", "1");
        assert!(alone.status().unwrap().success());
        return;
    }
    // An hour of 16 streams takes minutes: in a long run only.
    let (streams, minutes) = if std::env::var_os("SEND_LEARN_LONG").is_some() { (16, 60) } else { (2, 8) };
    let (mut app, mailbox) = app();
    (0..streams).for_each(|take| assert!(mailbox.push(up(take, &common::description("Steady")))));
    let mut after_history = 0;
    for frame in 0..minutes * 60 * 4_u64 {
        for take in 0..streams {
            mailbox.push(audio(key(take), frame * 12_000, 12_000));
            let position = SamplePosition(frame * 12_000);
            let message = |bytes| Event::Midi { key: key(take), message: MidiMessage { position, bytes } };
            mailbox.push(message([0x90, (frame % 128) as u8, 100]));
            mailbox.push(Event::Gap { key: key(take), position, frames: 64 });
        }
        app.update();
        app.world_mut().resource_mut::<Uploads>().0.clear();
        if frame == 3 * 60 * 4 {
            // The history of two minutes is full.
            after_history = resident();
        }
    }
    let grown = resident().saturating_sub(after_history);
    println!("{} KB more after {minutes} minutes of {streams} streams", grown >> 10);
    assert!(grown < 8 << 20, "{} MB more after {minutes} minutes of {streams} streams", grown >> 20);
}
