//! The live source against a listener that speaks the tap.

mod common;

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::{Duration, Instant};

use send_learn_protocol::record::pack::Packer;
use send_learn_protocol::record::{MidiEvent, MidiKind, Record};
use send_learn_protocol::tap::{Frame, GREETING, Health};
use send_learn_protocol::units::{SamplePosition, SourceNumber};
use send_learn_visualizer::source::address::Receivers;
use send_learn_visualizer::source::{Event, Link, LiveSource, Mailbox, StreamKey};

/// How long a test waits for what must come.
const PATIENCE: Duration = Duration::from_secs(20);

struct Rig {
    listener: TcpListener,
    mailbox: Mailbox,
    source: LiveSource,
}

impl Rig {
    fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mailbox = Mailbox::default();
        let address = listener.local_addr().unwrap().to_string();
        let source = LiveSource::start(Receivers::Given(vec![address]), None, mailbox.clone()).unwrap();
        Self { listener, mailbox, source }
    }

    /// Waits for the source to connect, and greets it.
    fn accept(&self) -> TcpStream {
        accept(&self.listener)
    }

    /// Gathers events until one of them satisfies `last`.
    fn events(&self, last: impl Fn(&Event) -> bool) -> Vec<Event> {
        let until = Instant::now() + PATIENCE;
        let mut events = Vec::new();
        while !events.iter().any(&last) {
            assert!(Instant::now() < until, "it did not come; what came: {events:?}");
            events.extend(self.mailbox.take());
            std::thread::yield_now();
        }
        events
    }
}

fn accept(listener: &TcpListener) -> TcpStream {
    let (mut viewer, _) = listener.accept().unwrap();
    let mut greeting = [0; 8];
    viewer.read_exact(&mut greeting).unwrap();
    assert_eq!(greeting, GREETING);
    viewer.write_all(&common::greeting()).unwrap();
    viewer
}

fn is_down(event: &Event) -> bool {
    matches!(event, Event::Link { link: Link::Down { .. }, .. })
}

#[test]
fn what_the_tap_tells_becomes_events() {
    let rig = Rig::new();
    let mut viewer = rig.accept();
    let description = common::description("Flöte");
    let mut packer = Packer::new(SourceNumber(0));
    let mut bytes = Vec::new();
    Frame::StreamUp { key: 7, description: description.clone() }.write(&mut bytes);
    let samples: Vec<f32> = (0..256).map(|n| (n as f32 * 0.01).sin()).collect();
    bytes.extend(common::audio_frame(7, &mut packer, 128, &samples));
    let note = MidiEvent {
        position: SamplePosition(130),
        kind: MidiKind::Message,
        bytes: [0x90, 60, 100],
        note_id: -1,
        value: 0.0,
        data: &[],
    };
    bytes.extend(common::record_frame(7, &mut packer, &Record::Midi(note)));
    let health = Health { loss: 0.05, ..Health::default() };
    Frame::Health { key: 7, health }.write(&mut bytes);
    Frame::StreamDown { key: 7 }.write(&mut bytes);
    // In pieces, as a network delivers them.
    bytes.chunks(97).for_each(|piece| viewer.write_all(piece).unwrap());

    let events = rig.events(|event| matches!(event, Event::StreamDown { .. }));
    let key = StreamKey { receiver: 1, connection: 1, take: 7 };
    assert!(matches!(events[0], Event::Receiver { receiver: 1, is_last_resort: false, .. }));
    assert_eq!(events[1..3], [Link::Connecting, Link::Connected].map(|link| Event::Link { receiver: 1, link }));
    assert_eq!(events[3], Event::StreamUp { key, description: Box::new(description) });
    let mut received = Vec::new();
    for event in &events {
        if let Event::Audio { position, channels, samples, .. } = event {
            assert_eq!((position.0, *channels), (128 + received.len() as u64 / 2, 2));
            received.extend_from_slice(samples);
        }
    }
    assert_eq!(received, samples);
    assert!(matches!(events[events.len() - 3], Event::Midi { message, .. } if message.bytes == [0x90, 60, 100]));
    assert_eq!(events[events.len() - 2], Event::Health { key, health });
}

#[test]
fn a_receiver_that_goes_and_comes_back_is_followed_again() {
    let rig = Rig::new();
    drop(rig.accept());
    let events = rig.events(is_down);
    assert!(events.last().is_some_and(is_down), "{events:?}");
    let mut viewer = rig.accept();
    let mut bytes = Vec::new();
    Frame::StreamUp { key: 1, description: common::description("Bass") }.write(&mut bytes);
    viewer.write_all(&bytes).unwrap();
    let events = rig.events(|event| matches!(event, Event::StreamUp { .. }));
    assert!(matches!(events.last(), Some(Event::StreamUp { key, .. }) if key.connection == 2), "{events:?}");
}

#[test]
fn a_program_that_is_no_receiver_is_named() {
    let rig = Rig::new();
    let (mut viewer, _) = rig.listener.accept().unwrap();
    viewer.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").unwrap();
    let events = rig.events(is_down);
    let Some(Event::Link { link: Link::Down { reason }, .. }) = events.last() else { panic!("{events:?}") };
    assert_eq!(reason, "the other side is not a Send Learn receiver of this version");
    assert!(!events.contains(&Event::Link { receiver: 1, link: Link::Connected }));
}

#[test]
fn the_thread_ends_when_the_source_is_dropped() {
    let Rig { listener, mailbox, source } = Rig::new();
    let (mut viewer, _) = listener.accept().unwrap();
    viewer.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut greeting = [0; GREETING.len()];
    viewer.read_exact(&mut greeting).unwrap();
    assert_eq!(greeting, GREETING);
    drop(source);
    assert!(mailbox.is_closed());
    // The end of the connection is seen here when the thread has let go of it.
    assert_eq!(viewer.read(&mut greeting).unwrap(), 0);
}

#[test]
fn several_receivers_are_followed_at_once_and_one_that_goes_does_not_touch_the_others() {
    let listeners = [0, 1].map(|_| TcpListener::bind("127.0.0.1:0").unwrap());
    let mailbox = Mailbox::default();
    let addresses = listeners.each_ref().map(|listener| listener.local_addr().unwrap().to_string());
    let source = LiveSource::start(Receivers::Given(addresses.to_vec()), None, mailbox.clone()).unwrap();
    let [first, listener] = listeners;
    let mut viewers = [accept(&first), accept(&listener)];
    let rig = Rig { listener, mailbox, source };
    // Both have the same take, under the same number.
    let description = common::description("Bass");
    for viewer in &mut viewers {
        let mut bytes = Vec::new();
        Frame::StreamUp { key: 1, description: description.clone() }.write(&mut bytes);
        viewer.write_all(&bytes).unwrap();
    }
    let mut up = Vec::new();
    while up.len() < 2 {
        let events = rig.events(|event| matches!(event, Event::StreamUp { .. }));
        up.extend(events.into_iter().filter_map(|event| if let Event::StreamUp { key, .. } = event { Some(key) } else { None }));
    }
    up.sort_by_key(|key| key.receiver);
    assert_eq!(up, [1, 2].map(|receiver| StreamKey { receiver, connection: 1, take: 1 }));
    let [_first, second] = viewers;
    drop(second);
    let events = rig.events(|event| *event == Event::Link { receiver: 2, link: Link::Connecting });
    let links = events.iter().filter_map(|event| if let Event::Link { receiver, .. } = event { Some(*receiver) } else { None });
    assert_eq!(links.collect::<Vec<_>>(), [2, 2], "down, and tried again by itself");
    rig.accept();
}
