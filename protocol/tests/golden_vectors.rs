//! The golden datagrams of spec/vectors/: each is written as the file has it, and read back as what it was written from.
//! `UPDATE_VECTORS=1` writes the files anew; look at the difference before you commit it.

use std::path::PathBuf;

use send_learn_protocol::fec::{Encoder, Plan};
use send_learn_protocol::packet::close::{Close, Gone, GoneReason};
use send_learn_protocol::packet::feedback::{Feedback, SourceRange};
use send_learn_protocol::packet::header::{self, FLAG_REPEAT};
use send_learn_protocol::packet::hello::{Description, Hello, HelloAck, PropertyKey, Refusal};
use send_learn_protocol::packet::probe::{Probe, ProbeReply};
use send_learn_protocol::packet::{Head, Kind};
use send_learn_protocol::record::pack::Packer;
use send_learn_protocol::record::{
    Automation, Block, ClockEstimate, End, EndReason, Gap, GapReason, Marker, MarkerKind, MidiEvent, MidiKind, Parameter, Property,
    Record, Transport, TransportFlags, records,
};
use send_learn_protocol::tap::{self, Arrival, Frame, FrameReader, Health};
use send_learn_protocol::units::{
    HostId, HostNanos, MachineId, PacketNumber, ReceiverId, SamplePosition, SessionId, SourceNumber, StreamId, TakeId,
};

const SESSION: SessionId = SessionId(0x1122_3344_5566_7788);

/// Compares `bytes` with the file, or writes the file.
fn check(name: &str, bytes: &[u8]) {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../spec/vectors").join(format!("{name}.hex"));
    let lines: Vec<String> =
        bytes.chunks(16).map(|line| line.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(" ")).collect();
    let text = lines.join("\n") + "\n";
    if std::env::var_os("UPDATE_VECTORS").is_some() {
        std::fs::write(&path, &text).unwrap();
    }
    let golden = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    assert_eq!(text, golden, "{name} is written differently now");
}

/// Checks a message's datagram both ways.
fn check_message<T: PartialEq + std::fmt::Debug>(name: &str, kind: Kind, message: &T, payload: &[u8], read: impl Fn(&[u8]) -> T) {
    let mut datagram = Vec::new();
    let head = Head::new(kind, SESSION, PacketNumber(5));
    header::write(&mut datagram, head, payload);
    check(name, &datagram);
    let (read_head, read_payload) = header::read(&datagram).unwrap();
    assert_eq!(read_head, head);
    assert_eq!(read(read_payload), *message);
}

fn description() -> Description {
    Description {
        stream: StreamId([0x11; 16]),
        take: TakeId([0x22; 16]),
        host: HostId([0x33; 16]),
        machine: MachineId([0x44; 16]),
        sample_rate: 48_000.0,
        channels: 2,
        max_block: 512,
        started_unix_nanos: 1_800_000_000_000_000_000,
        started: HostNanos(123_456_789),
        properties: vec![(PropertyKey::NAME, "Lead Vox".into()), (PropertyKey::FORMAT, "CLAP".into())],
    }
}

fn every_record() -> Vec<Record<'static>> {
    let position = SamplePosition(96_000);
    vec![
        Record::Transport(Transport {
            position,
            flags: TransportFlags(0x1FB),
            meter: (7, 8),
            bar: 3,
            tempo: 93.5,
            playhead: 48_000,
            seconds: 1.0,
            ppq: 1.558_333,
            bar_start: 0.0,
            loop_range: (0.0, 0.0),
        }),
        Record::Midi(MidiEvent {
            position,
            kind: MidiKind::Message,
            bytes: [0x93, 60, 100],
            note_id: 7,
            value: 0.787_4,
            data: &[],
        }),
        Record::Midi(MidiEvent {
            position,
            kind: MidiKind::SysEx,
            bytes: [0xF0, 0, 0],
            note_id: -1,
            value: 0.0,
            data: &[0xF0, 0x7E, 0x7F, 9, 1, 0xF7],
        }),
        Record::Parameter(Parameter { parameter: 0x00C0_FFEE, name: "Lane 1" }),
        Record::Automation(Automation { position, parameter: 0x00C0_FFEE, normalized: 0.25, plain: 0.25 }),
        Record::Block(Block { position, frames: 512, crc: 0xDEAD_BEEF, host: HostNanos(987_654_321), playhead: Some(48_000) }),
        Record::Clock(ClockEstimate {
            position,
            host: HostNanos(987_000_000),
            offset: -1_000_000,
            round_trip: 300_000,
            uncertainty: 150_000,
            drift_ppb: 1_250.0,
        }),
        Record::Marker(Marker { position, kind: MarkerKind::Text, text: "Verse" }),
        Record::Gap(Gap { position, frames: 512, reason: GapReason::RingFull }),
        Record::Property(Property { key: PropertyKey::NAME.0, text: "Lead Vocals" }),
        Record::End(End { position: SamplePosition(96_512), reason: EndReason::Deactivated }),
    ]
}

#[test]
fn handshake() {
    let mut payload = Vec::new();
    let mut hello =
        Hello { versions: (1, 1), cookie: [0; 16], first: SourceNumber(0), next: SourceNumber(12), description: description() };
    hello.write(&mut payload);
    check_message("hello-first", Kind::Hello, &hello, &payload, |bytes| Hello::read(bytes).unwrap());
    hello.cookie = [0xAB; 16];
    hello.write(&mut payload);
    check_message("hello-with-cookie", Kind::Hello, &hello, &payload, |bytes| Hello::read(bytes).unwrap());
    check_message("retry", Kind::Retry, &vec![0xAB; 16], &[0xAB; 16], <[u8]>::to_vec);
    let ack = HelloAck { receiver: ReceiverId([0x55; 16]), durable: SourceNumber(9), version: 1 };
    ack.write(&mut payload);
    check_message("hello-ack", Kind::HelloAck, &ack, &payload, |bytes| HelloAck::read(bytes).unwrap());
    Refusal::Storage.write(&mut payload);
    check_message("refuse", Kind::Refuse, &Refusal::Storage, &payload, |bytes| Refusal::read(bytes).unwrap());
}

#[test]
fn session_messages() {
    let mut payload = Vec::new();
    let feedback = Feedback {
        received: SourceNumber(40),
        complete: SourceNumber(30),
        durable: SourceNumber(20),
        highest_packet: PacketNumber(55),
        datagrams: 50,
        delivered: 36,
        repaired: 2,
        resent: 1,
        duplicates: 3,
        jitter_micros: 250,
        sent_at: HostNanos(77),
        missing: vec![SourceRange { first: SourceNumber(30), count: 2 }, SourceRange { first: SourceNumber(35), count: 1 }],
    };
    feedback.write(&mut payload);
    check_message("feedback", Kind::Feedback, &feedback, &payload, |bytes| Feedback::read(bytes).unwrap());
    let probe = Probe { sent_at: HostNanos(1_000), next: SourceNumber(40) };
    probe.write(&mut payload);
    check_message("probe", Kind::Probe, &probe, &payload, |bytes| Probe::read(bytes).unwrap());
    let reply = ProbeReply { echo: HostNanos(1_000), received_at: HostNanos(2_000), sent_at: HostNanos(2_100) };
    reply.write(&mut payload);
    check_message("probe-reply", Kind::ProbeReply, &reply, &payload, |bytes| ProbeReply::read(bytes).unwrap());
    let gone = Gone { range: SourceRange { first: SourceNumber(3), count: 4 }, reason: GoneReason::RetentionFull };
    gone.write(&mut payload);
    check_message("gone", Kind::Gone, &gone, &payload, |bytes| Gone::read(bytes).unwrap());
    let close = Close { end: SourceNumber(41) };
    close.write(&mut payload);
    check_message("close", Kind::Close, &close, &payload, |bytes| Close::read(bytes).unwrap());
    check_message("close-ack", Kind::CloseAck, &close, &payload, |bytes| Close::read(bytes).unwrap());
}

#[test]
fn sources_and_parity() {
    let pcm16: Vec<f32> = (0..64).map(|n| (n * 500 - 16_000) as f32 / 32_768.0).collect();
    let pcm24: Vec<f32> = (0..64).map(|n| (n * 100_003 - 3_000_000) as f32 / 8_388_608.0).collect();
    let float: Vec<f32> = (0..64).map(|n| (n as f32 * 0.1).sin()).collect();
    let mut packer = Packer::new(SourceNumber(100));
    let mut position = SamplePosition(0);
    for samples in [&vec![0.0; 64], &pcm16, &pcm24, &float] {
        packer.push_audio(position, 2, samples);
        packer.flush();
        position.0 += 32;
    }
    every_record().iter().for_each(|record| packer.push(record));
    packer.flush();
    let names = ["source-silence", "source-pcm16", "source-pcm24", "source-float32", "source-every-record"];
    let mut encoder = Encoder::new(Plan { sources: 5, parities: 2, depth: 1 });
    let mut datagram = Vec::new();
    for (index, (name, expected)) in names.iter().zip([vec![0.0; 64], pcm16, pcm24, float, Vec::new()]).enumerate() {
        let entry = packer.pop().unwrap();
        let shard = Some(encoder.push(&entry));
        let head = Head { shard, ..Head::new(Kind::Source, SESSION, PacketNumber(6 + index as u64)) };
        header::write(&mut datagram, head, &entry);
        check(name, &datagram);
        let (read_head, payload) = header::read(&datagram).unwrap();
        assert_eq!(read_head, head);
        let mut samples = Vec::new();
        for record in records(payload) {
            if let Record::Audio(fragment) = record.unwrap() {
                fragment.decode(&mut samples).unwrap();
            }
        }
        assert_eq!(samples, expected);
        if expected.is_empty() {
            assert_eq!(records(payload).map(Result::unwrap).collect::<Vec<_>>(), every_record());
        }
        if index == 0 {
            header::write(&mut datagram, Head { flags: FLAG_REPEAT, shard: None, ..head }, &entry);
            check("source-repeat", &datagram);
        }
    }
    for name in ["parity-0", "parity-1"] {
        let parity = encoder.pop().unwrap();
        let head = Head { shard: Some(parity.shard), ..Head::new(Kind::Parity, SESSION, PacketNumber(20)) };
        header::write(&mut datagram, head, &parity.payload);
        check(name, &datagram);
    }
}

#[test]
fn tap_frames() {
    let frames = [
        Frame::StreamUp { key: 1, description: description() },
        Frame::Entry { key: 1, arrival: Arrival::Repaired, arrived: HostNanos(5), entry: vec![0; 8] },
        Frame::Health {
            key: 1,
            health: Health { loss: 0.05, level: 1.0, bits_per_second: 3.0e6, repaired: 7, ..Health::default() },
        },
        Frame::StreamDown { key: 1 },
    ];
    let mut bytes = tap::GREETING.to_vec();
    frames.iter().for_each(|frame| frame.write(&mut bytes));
    check("tap", &bytes);
    let mut reader = FrameReader::default();
    reader.push(&bytes);
    for frame in frames {
        assert_eq!(reader.next_frame().unwrap(), Some(frame));
    }
}
