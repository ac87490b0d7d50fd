//! Datagrams and their messages, and the tap's frames. What can be read is written again and reads back the same.

use send_learn_protocol::packet::close::{Close, Gone};
use send_learn_protocol::packet::feedback::Feedback;
use send_learn_protocol::packet::header::{self, MAX_PAYLOAD, MAX_SEALED};
use send_learn_protocol::packet::hello::{Hello, HelloAck, Refusal};
use send_learn_protocol::packet::probe::{Probe, ProbeReply};
use send_learn_protocol::tap::{Frame, FrameReader, GREETING};

/// A datagram as it is, and with a header and a checksum that let its payload through.
pub(crate) fn datagram(bytes: &[u8]) {
    let Some(mended) = mended(bytes) else { return };
    for datagram in [bytes, &mended] {
        if let Ok((head, payload)) = header::read(datagram) {
            assert!(payload.len() <= if head.is_sealed() { MAX_SEALED } else { MAX_PAYLOAD });
            let mut again = Vec::new();
            header::write(&mut again, head, payload);
            assert_eq!(header::read(&again), Ok((head, payload)));
        }
    }
}

/// The datagram with right magic, version, length and checksum. `None` when it is shorter than a header or too long.
pub(crate) fn mended(bytes: &[u8]) -> Option<Vec<u8>> {
    let payload = bytes.get(header::HEADER_LEN..)?;
    let mut datagram = bytes.to_vec();
    datagram[..4].copy_from_slice(&header::MAGIC);
    datagram[8] = header::VERSION;
    datagram[34..36].copy_from_slice(&u16::try_from(payload.len()).ok()?.to_le_bytes());
    let checksum = crc32fast::hash(&datagram[8..]);
    datagram[4..8].copy_from_slice(&checksum.to_le_bytes());
    Some(datagram)
}

/// What is shorter than a hello is filled with zeros, as a sender does.
pub(crate) fn hello(bytes: &[u8]) {
    let mut whole = bytes.to_vec();
    whole.resize(MAX_PAYLOAD, 0);
    for payload in [bytes, &whole] {
        if let Ok(hello) = Hello::read(payload) {
            let mut again = Vec::new();
            hello.write(&mut again);
            assert_eq!(again.len(), MAX_PAYLOAD);
            let read = Hello::read(&again);
            // Properties that came in a longer payload than ours may be cut off, and floats may be anything but NaN.
            assert!(read.is_ok_and(|read| read == hello));
        }
    }
    let mut again = Vec::new();
    if let Ok(ack) = HelloAck::read(bytes) {
        ack.write(&mut again);
        assert_eq!(HelloAck::read(&again), Ok(ack));
    }
    if let Ok(refusal) = Refusal::read(bytes) {
        refusal.write(&mut again);
        assert_eq!(Refusal::read(&again), Ok(refusal));
    }
}

pub(crate) fn feedback(bytes: &[u8]) {
    if let Ok(feedback) = Feedback::read(bytes) {
        let mut again = Vec::new();
        feedback.write(&mut again);
        assert!(again.len() <= MAX_PAYLOAD);
        assert_eq!(Feedback::read(&again), Ok(feedback));
    }
}

pub(crate) fn probe(bytes: &[u8]) {
    let mut again = Vec::new();
    if let Ok(probe) = Probe::read(bytes) {
        probe.write(&mut again);
        assert_eq!(Probe::read(&again), Ok(probe));
    }
    if let Ok(reply) = ProbeReply::read(bytes) {
        reply.write(&mut again);
        assert_eq!(ProbeReply::read(&again), Ok(reply));
    }
}

pub(crate) fn close(bytes: &[u8]) {
    let mut again = Vec::new();
    if let Ok(gone) = Gone::read(bytes) {
        assert!(gone.range.count > 0 && gone.range.first.0.checked_add(gone.range.count).is_some());
        gone.write(&mut again);
        assert_eq!(Gone::read(&again), Ok(gone));
    }
    if let Ok(close) = Close::read(bytes) {
        close.write(&mut again);
        assert_eq!(Close::read(&again), Ok(close));
    }
}

/// A stream of frames that comes in pieces; the first byte tells how long they are.
pub(crate) fn tap(bytes: &[u8]) {
    let Some((piece, stream)) = bytes.split_first() else { return };
    let mut reader = FrameReader::default();
    let mut frames: Vec<Frame> = Vec::new();
    for greeting in [&GREETING[..], &[]] {
        reader.push(greeting);
        for piece in stream.chunks(1 + usize::from(*piece)) {
            reader.push(piece);
            loop {
                match reader.next_frame() {
                    Ok(Some(frame)) => frames.push(frame),
                    Ok(None) => break,
                    Err(_) => return,
                }
            }
        }
    }
    for frame in frames {
        let mut again = GREETING.to_vec();
        frame.write(&mut again);
        let mut reader = FrameReader::default();
        reader.push(&again);
        let read = reader.next_frame();
        // Not equal where a figure is NaN; but written, it has the same bytes.
        assert!(matches!(read, Ok(Some(_))), "{frame:?} reads back as {read:?}");
    }
}
