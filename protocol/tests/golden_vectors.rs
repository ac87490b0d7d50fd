//! The golden datagrams of spec/vectors/: each is written as the file has it, and the file is read back as what it was written
//! from. `UPDATE_VECTORS=1` writes the files anew; look at the difference before you commit it.

use std::collections::BTreeSet;
use std::path::PathBuf;

use send_learn_protocol::fec::{Encoder, Plan, Repair};
use send_learn_protocol::packet::close::{Close, Gone, GoneReason};
use send_learn_protocol::packet::feedback::{Feedback, SourceRange, Storage};
use send_learn_protocol::packet::header::{self, FLAG_BACKFILL, FLAG_REPEAT, FLAG_SEALED};
use send_learn_protocol::packet::hello::{Description, Front, Hello, HelloAck, PropertyKey, Refusal, prologue};
use send_learn_protocol::packet::probe::{Probe, ProbeReply};
use send_learn_protocol::packet::{Head, Kind, Shard};
use send_learn_protocol::quality::Level;
use send_learn_protocol::record::pack::Packer;
use send_learn_protocol::record::{
    Automation, Block, ClockEstimate, End, EndReason, Gap, GapReason, Marker, MarkerKind, MidiEvent, MidiKind, Parameter, Property,
    Record, Transport, TransportFlags, preview_of, records,
};
use send_learn_protocol::secure::Key;
use send_learn_protocol::secure::noise::{Initiator, Responder};
use send_learn_protocol::secure::refusal::{Question, RefusalKey};
use send_learn_protocol::tap::{self, Arrival, Frame, FrameReader, Health};
use send_learn_protocol::units::{
    HostId, HostNanos, MachineId, PacketNumber, ReceiverId, SamplePosition, SessionId, SourceNumber, StreamId, TakeId,
};

const SESSION: SessionId = SessionId(0x1122_3344_5566_7788);

/// The number of the first source datagram of the group; the others follow it one by one.
const FIRST_PACKET: u64 = 6;

/// The sources of the group, and its parities.
const SOURCES: [&str; 5] = ["source-silence", "source-pcm16", "source-pcm24", "source-float32", "source-every-record"];
const PARITIES: [&str; 2] = ["parity-0", "parity-1"];

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../spec/vectors")
}

fn path(name: &str) -> PathBuf {
    folder().join(format!("{name}.hex"))
}

fn text_of(name: &str) -> String {
    let path = path(name);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The bytes that the file holds.
fn bytes_of(name: &str) -> Vec<u8> {
    let byte = |digits: &str| u8::from_str_radix(digits, 16).unwrap_or_else(|error| panic!("{name}: {digits}: {error}"));
    text_of(name).split_whitespace().map(byte).collect()
}

/// The names of the vectors that were compared and read back.
#[derive(Default)]
struct Vectors {
    checked: BTreeSet<String>,
}

impl Vectors {
    /// Compares `written` with the file, or writes the file; gives the bytes of the file, to be read back.
    fn check(&mut self, name: &str, written: &[u8]) -> Vec<u8> {
        let lines: Vec<String> =
            written.chunks(16).map(|line| line.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(" ")).collect();
        let text = lines.join("\n") + "\n";
        if std::env::var_os("UPDATE_VECTORS").is_some() {
            std::fs::write(path(name), &text).unwrap();
        }
        assert_eq!(text, text_of(name), "{name} is written differently now");
        self.checked.insert(format!("{name}.hex"));
        bytes_of(name)
    }

    /// Checks a message's datagram both ways.
    fn check_message<T: PartialEq + std::fmt::Debug>(
        &mut self,
        name: &str,
        kind: Kind,
        message: &T,
        payload: &[u8],
        read: impl Fn(&[u8]) -> T,
    ) {
        let mut datagram = Vec::new();
        let head = Head::new(kind, SESSION, PacketNumber(5));
        header::write(&mut datagram, head, payload);
        let golden = self.check(name, &datagram);
        let (read_head, read_payload) = header::read(&golden).unwrap();
        assert_eq!(read_head, head);
        assert_eq!(read(read_payload), *message);
    }
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
fn every_vector_of_the_folder_is_written_as_it_stands_and_reads_back() {
    let mut vectors = Vectors::default();
    handshake(&mut vectors);
    session_messages(&mut vectors);
    sources_and_parity(&mut vectors);
    further_sources(&mut vectors);
    previews(&mut vectors);
    tap_frames(&mut vectors);
    sealed(&mut vectors);
    let files: BTreeSet<String> =
        std::fs::read_dir(folder()).unwrap().map(|file| file.unwrap().file_name().into_string().unwrap()).collect();
    assert_eq!(files, vectors.checked, "a file of spec/vectors that no check reads proves nothing");
}

fn handshake(vectors: &mut Vectors) {
    let mut payload = Vec::new();
    let mut hello =
        Hello { versions: (1, 1), cookie: [0; 16], first: SourceNumber(0), next: SourceNumber(12), description: description() };
    hello.write(&mut payload);
    vectors.check_message("hello-first", Kind::Hello, &hello, &payload, |bytes| Hello::read(bytes).unwrap());
    hello.cookie = [0xAB; 16];
    hello.write(&mut payload);
    vectors.check_message("hello-with-cookie", Kind::Hello, &hello, &payload, |bytes| Hello::read(bytes).unwrap());
    vectors.check_message("retry", Kind::Retry, &vec![0xAB; 16], &[0xAB; 16], <[u8]>::to_vec);
    let ack = HelloAck { receiver: ReceiverId([0x55; 16]), durable: SourceNumber(9), version: 1 };
    ack.write(&mut payload);
    vectors.check_message("hello-ack", Kind::HelloAck, &ack, &payload, |bytes| HelloAck::read(bytes).unwrap());
    Refusal::Storage.write(&mut payload);
    vectors.check_message("refuse", Kind::Refuse, &Refusal::Storage, &payload, |bytes| Refusal::read(bytes).unwrap());
}

fn session_messages(vectors: &mut Vectors) {
    let mut payload = Vec::new();
    let feedback = Feedback {
        received: SourceNumber(40),
        complete: SourceNumber(30),
        durable: SourceNumber(20),
        highest_packet: PacketNumber(55),
        datagrams: 50,
        bytes: 48_000,
        lost: 6,
        bursts: 2,
        delivered: 36,
        repaired: 2,
        previews: 4,
        resent: 3,
        backfilled: 1,
        duplicates: 5,
        sent_at: HostNanos(77),
        jitter_micros: 250,
        queue_micros: 1_500,
        longest_burst: 4,
        marked: 7,
        storage: Storage::Full,
        missing: vec![SourceRange { first: SourceNumber(30), count: 2 }, SourceRange { first: SourceNumber(35), count: 1 }],
    };
    feedback.write(&mut payload);
    vectors.check_message("feedback", Kind::Feedback, &feedback, &payload, |bytes| Feedback::read(bytes).unwrap());
    let probe = Probe { sent_at: HostNanos(1_000), next: SourceNumber(40), patience_micros: 60_000, round_trip_micros: 2_000 };
    probe.write(&mut payload);
    vectors.check_message("probe", Kind::Probe, &probe, &payload, |bytes| Probe::read(bytes).unwrap());
    let reply = ProbeReply { echo: HostNanos(1_000), received_at: HostNanos(2_000), sent_at: HostNanos(2_100) };
    reply.write(&mut payload);
    vectors.check_message("probe-reply", Kind::ProbeReply, &reply, &payload, |bytes| ProbeReply::read(bytes).unwrap());
    let gone = Gone { range: SourceRange { first: SourceNumber(3), count: 4 }, reason: GoneReason::RetentionFull };
    gone.write(&mut payload);
    vectors.check_message("gone", Kind::Gone, &gone, &payload, |bytes| Gone::read(bytes).unwrap());
    let close = Close { end: SourceNumber(41) };
    close.write(&mut payload);
    vectors.check_message("close", Kind::Close, &close, &payload, |bytes| Close::read(bytes).unwrap());
    vectors.check_message("close-ack", Kind::CloseAck, &close, &payload, |bytes| Close::read(bytes).unwrap());
}

fn sources_and_parity(vectors: &mut Vectors) {
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
    let mut encoder = Encoder::new(Plan { sources: 5, parities: 2, depth: 1 });
    let mut datagram = Vec::new();
    for (index, (name, expected)) in SOURCES.iter().zip([vec![0.0; 64], pcm16, pcm24, float, Vec::new()]).enumerate() {
        let entry = packer.pop().unwrap();
        let shard = Some(encoder.push(entry.as_slice().into()));
        let head = Head { shard, ..Head::new(Kind::Source, SESSION, PacketNumber(FIRST_PACKET + index as u64)) };
        header::write(&mut datagram, head, &entry);
        let golden = vectors.check(name, &datagram);
        let (read_head, payload) = header::read(&golden).unwrap();
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
            let head = Head { flags: FLAG_REPEAT, shard: None, sent_micros: 90_000, ..head };
            header::write(&mut datagram, head, &entry);
            let golden = vectors.check("source-repeat", &datagram);
            assert_eq!(header::read(&golden).unwrap(), (head, &entry[..]));
        }
    }
    for name in PARITIES {
        let parity = encoder.pop().unwrap();
        let head = Head { shard: Some(parity.shard), ..Head::new(Kind::Parity, SESSION, PacketNumber(20)) };
        header::write(&mut datagram, head, &parity.payload);
        let golden = vectors.check(name, &datagram);
        assert_eq!(header::read(&golden).unwrap(), (head, &parity.payload[..]));
    }
    assert!(encoder.pop().is_none());
}

/// A source that LZ4 makes smaller; and one of back-fill, with the kinds of MIDI that the others lack.
fn further_sources(vectors: &mut Vectors) {
    let square: Vec<f32> = (0..400).map(|n| if n / 50 % 2 == 0 { 0.25 } else { -0.25 }).collect();
    let mut packer = Packer::new(SourceNumber(200));
    packer.push_audio(SamplePosition(4_800), 1, &square);
    packer.flush();
    let midi = [(MidiKind::SysExContinued, [0, 0, 0], &[1_u8, 2, 0xF7][..]), (MidiKind::NoteExpression, [2, 60, 3], &[])].map(
        |(kind, bytes, data)| {
            let value = if data.is_empty() { 0.5 } else { 0.0 };
            Record::Midi(MidiEvent { position: SamplePosition(5_000), kind, bytes, note_id: -1, value, data })
        },
    );
    midi.iter().for_each(|event| packer.push(event));
    packer.flush();
    let mut datagram = Vec::new();
    for (name, flags) in [("source-lz4", 0), ("source-back-fill", FLAG_BACKFILL)] {
        let entry = packer.pop().unwrap();
        let head = Head { flags, ..Head::new(Kind::Source, SESSION, PacketNumber(40)) };
        header::write(&mut datagram, head, &entry);
        let golden = vectors.check(name, &datagram);
        let (read_head, payload) = header::read(&golden).unwrap();
        assert_eq!((read_head, payload), (head, &entry[..]));
        let read: Vec<Record<'_>> = records(payload).map(Result::unwrap).collect();
        match &read[0] {
            Record::Audio(fragment) => {
                let mut samples = Vec::new();
                fragment.decode(&mut samples).unwrap();
                assert!(samples == square && payload.len() < 200, "LZ4 was of use");
            }
            _ => assert_eq!(read, midi),
        }
    }
}

/// Two channels of a chord, 65 frames: an odd number, which half the rate rounds up.
fn chord() -> Vec<f32> {
    (0..130).map(|n| (f64::from(n / 2) * 0.05 * f64::from(n % 2 + 1)).sin() as f32 * 0.7).collect()
}

fn previews(vectors: &mut Vectors) {
    for (name, level, tolerance) in [("preview-0.7", Level::Reduced, 0.001), ("preview-0.3", Level::Coarse, 0.02)] {
        let mut packer = Packer::of_previews(level, 300);
        packer.push_audio(SamplePosition(64), 2, &chord());
        packer.push(&every_record()[1]);
        packer.flush();
        let preview = packer.pop().unwrap();
        assert_eq!(preview_of(&preview), Some((level, 300)));
        let shard = Some(Shard { group: 7, index: 1, sources: 6, parities: 1 });
        let head = Head { shard, ..Head::new(Kind::Preview, SESSION, PacketNumber(30)) };
        let mut datagram = Vec::new();
        header::write(&mut datagram, head, &preview);
        let golden = vectors.check(name, &datagram);
        let (read_head, payload) = header::read(&golden).unwrap();
        assert_eq!(read_head, head);
        let read: Vec<Record<'_>> = records(payload).map(Result::unwrap).collect();
        assert_eq!(read[1], every_record()[1], "all but samples is whole");
        let Record::Audio(fragment) = &read[0] else { panic!("audio comes first") };
        let mut samples = Vec::new();
        fragment.decode(&mut samples).unwrap();
        assert!(samples.len() == 130 && samples.iter().zip(chord()).all(|(heard, played)| (heard - played).abs() < tolerance));
    }
}

fn tap_frames(vectors: &mut Vectors) {
    let frames = [
        Frame::StreamUp { key: 1, description: description() },
        Frame::Entry { key: 1, arrival: Arrival::Repaired, arrived: HostNanos(5), entry: vec![0; 8] },
        Frame::Preview { key: 1, arrival: Arrival::Live, level: Level::Reduced, arrived: HostNanos(6), preview: vec![0; 8] },
        Frame::Health {
            key: 1,
            health: Health {
                loss: 0.05,
                level: 1.0,
                bits_per_second: 3.0e6,
                repaired: 7,
                host_ms: 10.0,
                uplink_ms: 2.5,
                network_ms: 0.5,
                ..Health::default()
            },
        },
        Frame::StreamDown { key: 1 },
    ];
    let mut bytes = tap::GREETING.to_vec();
    frames.iter().for_each(|frame| frame.write(&mut bytes));
    let golden = vectors.check("tap", &bytes);
    let mut reader = FrameReader::default();
    reader.push(&golden);
    for frame in frames {
        assert_eq!(reader.next_frame().unwrap(), Some(frame));
    }
    assert_eq!(reader.next_frame().unwrap(), None);
}

/// A session with a key, its ephemeral keys chosen: see spec/security.md, section 7.
fn sealed(vectors: &mut Vectors) {
    let key: Key = "7KQ2-M9TX-4HVC-W0RD-8JNB".parse().unwrap();
    let psk = key.psk();
    let (mut payload, mut datagram, mut heard) = (Vec::new(), Vec::new(), Vec::new());
    let head = |kind, packet| Head { flags: FLAG_SEALED, ..Head::new(kind, SESSION, PacketNumber(packet)) };
    let hello =
        Hello { versions: (1, 1), cookie: [0xAB; 16], first: SourceNumber(0), next: SourceNumber(12), description: description() };

    let front = Front { versions: (1, 1), cookie: [0; 16] };
    front.write_sealed(&[], &mut payload);
    header::write(&mut datagram, head(Kind::Hello, 0), &payload);
    let golden = vectors.check("sealed-hello-first", &datagram);
    assert_eq!(Front::read(header::read(&golden).unwrap().1, true).unwrap().0, front);

    let front = Front { cookie: hello.cookie, ..front };
    let mut asking = Initiator::new(&psk, &prologue(SESSION, &front), [0x0A; 32]);
    let (mut text, mut message) = (Vec::new(), Vec::new());
    hello.write_secret(&mut text);
    asking.write(&text, &mut message);
    front.write_sealed(&message, &mut payload);
    header::write(&mut datagram, head(Kind::Hello, 1), &payload);
    let golden = vectors.check("sealed-hello", &datagram);
    let (read_front, body) = Front::read(header::read(&golden).unwrap().1, true).unwrap();
    let answering = Responder::read(&psk, &prologue(SESSION, &read_front), [0x0B; 32], body, &mut heard).unwrap();
    assert_eq!(Hello::read_body(read_front, &heard).unwrap(), hello);

    let ack = HelloAck { receiver: ReceiverId([0x55; 16]), durable: SourceNumber(9), version: 1 };
    ack.write(&mut payload);
    message.clear();
    let receivers = answering.answer(&payload, &mut message);
    header::write(&mut datagram, head(Kind::HelloAck, 0), &message);
    let golden = vectors.check("sealed-hello-ack", &datagram);
    heard.clear();
    let senders = asking.finish(header::read(&golden).unwrap().1, &mut heard).unwrap();
    assert_eq!(HelloAck::read(&heard).unwrap(), ack);

    let source = bytes_of("source-pcm16");
    let (source_head, entry) = header::read(&source).unwrap();
    header::write_sealed(&mut datagram, source_head, entry, &senders.send);
    let golden = vectors.check("sealed-source", &datagram);
    let (read_head, _) = header::read(&golden).unwrap();
    assert_eq!(read_head, Head { flags: source_head.flags | FLAG_SEALED, ..source_head });
    assert_eq!(header::open(&golden, &read_head, &receivers.receive, &mut heard).unwrap(), entry);

    let feedback = Feedback { received: SourceNumber(3), ..Feedback::default() };
    feedback.write(&mut payload);
    header::write_sealed(&mut datagram, Head::new(Kind::Feedback, SESSION, PacketNumber(4)), &payload, &receivers.send);
    let golden = vectors.check("sealed-feedback", &datagram);
    let (read_head, _) = header::read(&golden).unwrap();
    assert_eq!(Feedback::read(header::open(&golden, &read_head, &senders.receive, &mut heard).unwrap()).unwrap(), feedback);

    let refusals = RefusalKey::new(&psk);
    for (name, packet, question, reason) in [
        ("sealed-refuse-hello", 0, Question::Hello(hello.cookie), Refusal::Storage),
        ("sealed-refuse-probe", 9, Question::Probe(PacketNumber(9), [0xCD; 16]), Refusal::UnknownSession),
    ] {
        let payload = [&[reason as u8][..], &refusals.code(SESSION, question, reason)].concat();
        header::write(&mut datagram, Head::new(Kind::Refuse, SESSION, PacketNumber(packet)), &payload);
        let golden = vectors.check(name, &datagram);
        let (_, payload) = header::read(&golden).unwrap();
        assert!(refusals.is_authentic(SESSION, question, Refusal::read(payload).unwrap(), &payload[1..]));
    }
}

/// The datagram in which a rebuilt entry was lost. The group's parity says all of its header but the packet number.
fn lost_datagram(parity: Head, index: usize, entry: &[u8]) -> Vec<u8> {
    let shard = parity.shard.map(|shard| Shard { index: index as u8, ..shard });
    let packet = PacketNumber(FIRST_PACKET + index as u64);
    let mut datagram = Vec::new();
    header::write(&mut datagram, Head { kind: Kind::Source, packet, shard, ..parity }, entry);
    datagram
}

#[test]
fn any_five_vectors_of_the_group_rebuild_the_source_vectors_that_are_lost() {
    let sources = SOURCES.map(bytes_of);
    let parities = PARITIES.map(bytes_of);
    let (parity_head, _) = header::read(&parities[0]).unwrap();
    for arrived in 0_u32..1 << (SOURCES.len() + PARITIES.len()) {
        let mut repair = Repair::default();
        for (index, datagram) in sources.iter().chain(&parities).enumerate() {
            let (head, payload) = header::read(datagram).unwrap();
            let shard = head.shard.unwrap();
            assert_eq!(usize::from(shard.index), index);
            match head.kind {
                _ if arrived & 1 << index == 0 => {}
                Kind::Source => repair.source(shard, payload.into()),
                Kind::Parity => repair.parity(shard, payload),
                kind => panic!("{kind:?} in the group"),
            }
        }
        let enough = arrived.count_ones() as usize >= SOURCES.len();
        for (index, lost) in sources.iter().enumerate().filter(|(index, _)| enough && arrived & 1 << index == 0) {
            let entry = repair.pop().unwrap_or_else(|| panic!("{} is not rebuilt of {arrived:07b}", SOURCES[index]));
            assert_eq!(lost_datagram(parity_head, index, &entry), *lost, "{} of {arrived:07b}", SOURCES[index]);
        }
        assert_eq!(repair.pop(), None, "more was rebuilt of {arrived:07b} than was lost");
    }
}

#[test]
fn the_repeat_vector_holds_the_entry_of_the_source_vector() {
    let (source, repeat) = (bytes_of("source-silence"), bytes_of("source-repeat"));
    let ((source_head, source_entry), (repeat_head, repeat_entry)) =
        (header::read(&source).unwrap(), header::read(&repeat).unwrap());
    assert_eq!(repeat_entry, source_entry, "an entry has the same bytes however often it is sent");
    assert_eq!(repeat_head, Head { flags: FLAG_REPEAT, shard: None, sent_micros: 90_000, ..source_head });
}
