//! What a viewer sees.

mod common;

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use common::*;
use send_learn_protocol::packet::hello::PropertyKey;
use send_learn_protocol::record::{Record, records, source_number};
use send_learn_protocol::tap::{Frame, FrameReader, GREETING};

struct Viewer {
    stream: TcpStream,
    reader: FrameReader,
}

impl Viewer {
    fn connect(to: SocketAddr) -> Self {
        let mut stream = TcpStream::connect(to).unwrap();
        stream.set_read_timeout(Some(Duration::from_millis(5))).unwrap();
        stream.write_all(&GREETING).unwrap();
        Self { stream, reader: FrameReader::default() }
    }

    fn next(&mut self) -> Option<Frame> {
        if let Some(frame) = self.reader.next_frame().unwrap() {
            return Some(frame);
        }
        let mut bytes = [0; 65_536];
        let read = self.stream.read(&mut bytes).ok()?;
        self.reader.push(&bytes[..read]);
        self.reader.next_frame().unwrap()
    }

    /// Frames until one for which `last` holds.
    fn until(&mut self, player: &mut Player, mut last: impl FnMut(&Frame) -> bool) -> Vec<Frame> {
        let deadline = Instant::now() + PATIENCE;
        let mut frames = Vec::new();
        while Instant::now() < deadline {
            player.turn();
            if let Some(frame) = self.next() {
                frames.push(frame);
                if last(&frames[frames.len() - 1]) {
                    return frames;
                }
            }
        }
        panic!("waited in vain after {} frames", frames.len());
    }
}

fn numbers(frames: &[Frame]) -> Vec<u64> {
    let number = |frame: &Frame| match frame {
        Frame::Entry { entry, .. } => source_number(entry).map(|number| number.0),
        _ => None,
    };
    frames.iter().filter_map(number).collect()
}

#[test]
fn a_viewer_sees_streams_come_play_and_go_and_a_late_one_is_told_what_was() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path(), "127.0.0.1:0");
    let mut early = Viewer::connect(server.address);
    let mut player = Player::new(server.address, "Lead", 2);
    player.play(50);
    player.turn_until_durable();
    let entries = player.sender.stats().entries;
    let mut seen = 0;
    let frames = early.until(&mut player, |frame| {
        seen += u64::from(matches!(frame, Frame::Entry { .. }));
        seen == entries
    });
    let Frame::StreamUp { key, description } = &frames[0] else { panic!("{:?}", frames[0]) };
    assert_eq!(description.property(PropertyKey::NAME), "Lead");
    let mut all = numbers(&frames);
    all.sort_unstable();
    assert_eq!(all, (0..entries).collect::<Vec<_>>());
    let blocks = frames.iter().filter_map(|frame| match frame {
        Frame::Entry { entry, .. } => Some(records(entry).filter(|record| matches!(record, Ok(Record::Block(_)))).count()),
        _ => None,
    });
    assert_eq!(blocks.sum::<usize>(), 50);
    let health = early.until(&mut player, |frame| matches!(frame, Frame::Health { .. }));
    let Some(Frame::Health { key: of, health }) = health.last() else { unreachable!() };
    assert_eq!((of, health.level), (key, 1.0));

    let mut late = Viewer::connect(server.address);
    let mut seen = 0;
    let frames = late.until(&mut player, |frame| {
        seen += u64::from(matches!(frame, Frame::Entry { .. }));
        seen >= entries
    });
    assert!(matches!(frames[0], Frame::StreamUp { .. }));
    player.finish();
    for viewer in [&mut early, &mut late] {
        viewer.until(&mut player, |frame| matches!(frame, Frame::StreamDown { key: of } if of == key));
    }
}

#[test]
fn a_viewer_that_reads_nothing_does_not_hold_up_the_recording() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path(), "127.0.0.1:0");
    let _idle: Vec<Viewer> = (0..4).map(|_| Viewer::connect(server.address)).collect();
    let mut player = Player::new(server.address, "Much", 6);
    player.play(1_500);
    player.finish();
    assert_eq!(assert_holds_what_was_played(&complete_parts(data.path())[0]), 1_500 * 512);
}

#[test]
fn a_connection_that_is_no_viewer_is_closed() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path(), "127.0.0.1:0");
    let mut stream = TcpStream::connect(server.address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.write_all(b"GET / HTTP/1.1\r\n\r\n").unwrap();
    let mut bytes = Vec::new();
    // Closed with data unread, so a reset is as good as an end.
    let _ = stream.read_to_end(&mut bytes);
    assert!(bytes.is_empty() || bytes == GREETING);
}

#[test]
fn a_viewer_that_talks_without_end_is_closed() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path(), "127.0.0.1:0");
    let mut viewer = Viewer::connect(server.address);
    viewer.stream.set_write_timeout(Some(PATIENCE)).unwrap();
    let error = (0..64).find_map(|_| viewer.stream.write_all(&[0; 1 << 20]).err()).expect("64 MiB are not read");
    assert!(matches!(error.kind(), ErrorKind::ConnectionReset | ErrorKind::BrokenPipe), "{error}");
}
