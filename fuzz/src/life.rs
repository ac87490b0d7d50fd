//! The lives of a sender and a receiver: bytes decide what is played, what the network and the disk do, who dies, and what
//! strangers and liars say. Nobody panics, nothing grows, and when nobody lied, the recording is complete in the end.

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use send_learn_protocol::packet::header::{self, MAX_PAYLOAD};
use send_learn_protocol::packet::hello::{Description, Refusal};
use send_learn_protocol::packet::{Head, Kind, Shard};
use send_learn_protocol::receiver::{Held, Receiver, ReceiverConfig, ReceiverEvent};
use send_learn_protocol::record::{End, EndReason, MidiEvent, MidiKind, Record, records, source_number};
use send_learn_protocol::retention::{SpoolAnswer, SpoolRequest};
use send_learn_protocol::sender::{SendMode, Sender, SenderConfig, SenderEvent};
use send_learn_protocol::units::{
    HostId, HostNanos, MachineId, PacketNumber, ReceiverId, SamplePosition, SessionId, SourceNumber, StreamId, TakeId,
};

use crate::bytes::Bytes;

const KINDS: [Kind; 13] = [
    Kind::Hello,
    Kind::Retry,
    Kind::HelloAck,
    Kind::Refuse,
    Kind::Source,
    Kind::Parity,
    Kind::Feedback,
    Kind::Probe,
    Kind::ProbeReply,
    Kind::Gone,
    Kind::Close,
    Kind::CloseAck,
    Kind::Preview,
];

/// Bytes that the sender may keep in memory.
const RETENTION: usize = 64 << 10;

/// Datagrams under way in each direction; more are lost.
const UNDER_WAY: usize = 256;

/// Datagrams that one side may send while no time passes: all that is live, a window of repeats, and answers.
const AT_ONCE: usize = 2_048;

/// How long the end may take on a good network.
const END: Duration = Duration::from_secs(60);

/// Events of one life.
const LONGEST: usize = 400;

/// One life. The first byte says whether a liar takes part, the second what the sender is like.
pub(crate) fn life(bytes: &[u8]) {
    let mut bytes = Bytes::new(bytes);
    let lies = bytes.byte().is_multiple_of(4);
    let manner = bytes.byte();
    let mut world = World::new(manner);
    let mut events = 0;
    while !bytes.is_empty() && events < LONGEST {
        events += 1;
        world.happen(&mut bytes, lies);
        world.drain();
    }
    if !lies {
        world.end();
    }
}

/// What a spool keeps.
#[derive(Default)]
struct Spool {
    entries: BTreeMap<u64, Arc<[u8]>>,
    asked: VecDeque<SpoolRequest>,
    used: bool,
}

struct World {
    now: HostNanos,
    sender: Sender,
    receiver: Receiver,
    up: VecDeque<Vec<u8>>,
    down: VecDeque<Vec<u8>>,
    /// The receiver's disk: entries, what is known to be gone, and up to where it is synced.
    disk: BTreeMap<u64, Arc<[u8]>>,
    gone: Vec<(u64, u64)>,
    synced: u64,
    session: Option<SessionId>,
    spool: Spool,
    position: u64,
    ended: bool,
    finished: bool,
    secret: u8,
    played: Vec<f32>,
    /// Whether entries may be lost for good: the spool failed, or there was none.
    may_lose: bool,
}

fn description() -> Description {
    Description {
        stream: StreamId([1; 16]),
        take: TakeId([2; 16]),
        host: HostId([3; 16]),
        machine: MachineId([4; 16]),
        sample_rate: 48_000.0,
        channels: 2,
        max_block: 512,
        started_unix_nanos: 0,
        started: HostNanos(0),
        properties: Vec::new(),
    }
}

fn receiver(secret: u8, now: HostNanos) -> Receiver {
    Receiver::new(
        ReceiverConfig {
            identity: ReceiverId([9; 16]),
            max_streams: 4,
            max_streams_per_address: 4,
            secret: [secret; 32],
            psk: None,
        },
        now,
    )
}

fn sender_address() -> SocketAddr {
    SocketAddr::from(([192, 0, 2, 1], 4_000))
}

fn stranger() -> SocketAddr {
    SocketAddr::from(([198, 51, 100, 7], 666))
}

impl World {
    fn new(manner: u8) -> Self {
        let now = HostNanos(1_000_000_000);
        let mode = if manner & 1 == 0 { SendMode::Live } else { SendMode::Fast };
        let config = SenderConfig { retention_bytes: RETENTION, mode, ..SenderConfig::default() };
        let mut sender = Sender::new(config, description(), u64::from(manner), now);
        let used = manner & 2 == 0;
        if used {
            sender.use_spool();
        }
        Self {
            now,
            sender,
            receiver: receiver(0, now),
            up: VecDeque::new(),
            down: VecDeque::new(),
            disk: BTreeMap::new(),
            gone: Vec::new(),
            synced: 0,
            session: None,
            spool: Spool { used, ..Spool::default() },
            position: 0,
            ended: false,
            finished: false,
            secret: 0,
            played: Vec::new(),
            may_lose: !used,
        }
    }

    fn happen(&mut self, bytes: &mut Bytes<'_>, lies: bool) {
        match bytes.byte() % 20 {
            0 | 1 => self.pass(Duration::from_millis(u64::from(bytes.byte()) / 4 + 1)),
            2 => self.pass(Duration::from_millis(u64::from(bytes.u16()) / 4)),
            3..=5 => self.play(bytes),
            6 => self.note(bytes.some()),
            7 | 8 => Self::carry(&mut self.up, bytes.byte()).into_iter().for_each(|datagram| self.arrive_up(&datagram)),
            9 | 10 => Self::carry(&mut self.down, bytes.byte()).into_iter().for_each(|datagram| self.arrive_down(&datagram)),
            11 => Self::lose(&mut self.up, bytes),
            12 => Self::lose(&mut self.down, bytes),
            13 => self.sync(),
            14 => match bytes.byte() % 4 {
                0 => self.kill_receiver(),
                1 => self.sender.reconnect(self.now),
                2 => self.refuse(bytes.byte()),
                _ => self.forget(bytes.byte()),
            },
            15 => self.work_spool(bytes.byte()),
            16 => {
                // A stranger cannot know the session, but may guess right.
                let datagram = self.forged(bytes);
                self.receiver.handle_datagram(self.now, stranger(), &datagram);
            }
            17 if lies => {
                let datagram = self.forged(bytes);
                self.receiver.handle_datagram(self.now, sender_address(), &datagram);
            }
            18 if lies => {
                let datagram = self.forged(bytes);
                self.sender.handle_datagram(self.now, &datagram);
            }
            19 => {
                let noise = bytes.some();
                self.receiver.handle_datagram(self.now, sender_address(), noise);
                self.sender.handle_datagram(self.now, noise);
            }
            _ => self.pass(Duration::from_millis(10)),
        }
    }

    fn pass(&mut self, time: Duration) {
        self.now = self.now.after(time);
    }

    /// A block, or several, of silence, integers, or anything.
    fn play(&mut self, bytes: &mut Bytes<'_>) {
        if self.ended || !self.sender.has_room() {
            return;
        }
        let (what, frames) = (bytes.byte(), usize::from(bytes.byte()) + 1);
        let sample = |n: usize| match what % 4 {
            0 => 0.0,
            1 => ((n * 37 + usize::from(what)) % 4_096) as f32 / 32_768.0,
            _ => ((n + self.played.len()) as f32 * 0.37).sin(),
        };
        let samples: Vec<f32> = (0..frames * 2).map(sample).collect();
        self.sender.push_audio(SamplePosition(self.position), 2, &samples);
        self.position += frames as u64;
        self.played.extend(samples);
        if what & 0x80 == 0 {
            self.sender.flush(self.now);
        }
    }

    fn note(&mut self, data: &[u8]) {
        let kind = if data.is_empty() { MidiKind::Message } else { MidiKind::SysEx };
        let position = SamplePosition(self.position);
        self.sender.push(&Record::Midi(MidiEvent { position, kind, bytes: [0x90, 60, 1], note_id: -1, value: 0.0, data }));
        self.sender.flush(self.now);
    }

    /// The datagrams that arrive next: some, in their order or not, damaged or twice.
    fn carry(way: &mut VecDeque<Vec<u8>>, how: u8) -> Vec<Vec<u8>> {
        let count = usize::from(how & 0x1F) + 1;
        if way.is_empty() {
            return Vec::new();
        }
        match how >> 5 {
            0..=3 => way.drain(..count.min(way.len())).collect(),
            // Out of order.
            4 | 5 => way.remove(count % way.len()).into_iter().collect(),
            6 => vec![way[count % way.len()].clone()],
            _ => {
                let mut damaged = way[count % way.len()].clone();
                let length = damaged.len();
                damaged[count * 7 % length] ^= 1 << (count % 8);
                vec![damaged]
            }
        }
    }

    fn lose(way: &mut VecDeque<Vec<u8>>, bytes: &mut Bytes<'_>) {
        let count = usize::from(bytes.byte()) % 32 + 1;
        way.drain(..count.min(way.len()));
    }

    fn arrive_up(&mut self, datagram: &[u8]) {
        self.receiver.handle_datagram(self.now, sender_address(), datagram);
    }

    fn arrive_down(&mut self, datagram: &[u8]) {
        self.sender.handle_datagram(self.now, datagram);
    }

    /// Up to where the disk has everything, or knows that it never comes.
    fn complete(&self) -> u64 {
        let mut number = self.synced;
        loop {
            if self.disk.contains_key(&number) {
                number += 1;
            } else if let Some((_, end)) = self.gone.iter().find(|(first, end)| (*first..*end).contains(&number)) {
                number = *end;
            } else {
                return number;
            }
        }
    }

    fn sync(&mut self) {
        self.synced = self.complete();
        if let Some(session) = self.session {
            self.receiver.set_durable(self.now, session, SourceNumber(self.synced));
        }
    }

    /// Dies, and comes back with what was synced.
    fn kill_receiver(&mut self) {
        let synced = self.synced;
        self.disk.retain(|number, _| *number < synced);
        self.gone.retain(|(first, _)| *first < synced);
        self.secret = self.secret.wrapping_add(1);
        self.receiver = receiver(self.secret, self.now);
        self.session = None;
    }

    fn refuse(&mut self, reason: u8) {
        if let Some(session) = self.session.take() {
            // But for "complete", which would be a lie.
            let reasons = [Refusal::Storage, Refusal::TooManyStreams, Refusal::Closing, Refusal::UnknownSession, Refusal::Other];
            self.receiver.refuse(self.now, session, reasons[usize::from(reason) % reasons.len()]);
        }
    }

    /// An entry that was handed out could not be kept.
    fn forget(&mut self, which: u8) {
        let Some(session) = self.session else { return };
        let beyond: Vec<u64> = self.disk.range(self.synced..).map(|(number, _)| *number).collect();
        if let Some(number) = beyond.get(usize::from(which)) {
            self.disk.remove(number);
            self.receiver.forget(session, SourceNumber(*number));
        }
    }

    /// The spool does what it was asked for, in that order, or fails.
    fn work_spool(&mut self, how: u8) {
        let fails = how >= 0xF0;
        for _ in 0..=how % 8 {
            let Some(request) = self.spool.asked.pop_front() else { return };
            let answer = match request {
                SpoolRequest::Write(_) if fails => {
                    self.may_lose = true;
                    // What was handed over after it does not count either.
                    self.spool.asked.retain(|request| !matches!(request, SpoolRequest::Write(_)));
                    SpoolAnswer::Failed
                }
                SpoolRequest::Write(entries) => {
                    self.spool.entries.extend(entries.into_iter().map(|(number, entry)| (number.0, entry)));
                    SpoolAnswer::Written
                }
                SpoolRequest::Read(range) => {
                    let found = self.spool.entries.range(range.first.0..range.end().0);
                    let entries = found.map(|(number, entry)| (SourceNumber(*number), entry.clone())).collect();
                    SpoolAnswer::Read { range, entries }
                }
                SpoolRequest::Release(durable) => {
                    self.spool.entries.retain(|number, _| *number >= durable.0);
                    continue;
                }
            };
            self.sender.handle_spool(self.now, answer);
        }
    }

    /// A whole datagram of any kind with anything in it.
    fn forged(&self, bytes: &mut Bytes<'_>) -> Vec<u8> {
        let kind = KINDS[usize::from(bytes.byte()) % KINDS.len()];
        let (flags, packet) = (bytes.byte(), PacketNumber(u64::from(bytes.u16())));
        let shard = (bytes.byte() & 1 == 0).then(|| Shard {
            group: u32::from(bytes.byte()),
            index: bytes.byte(),
            sources: bytes.byte(),
            parities: bytes.byte(),
        });
        let mut payload = bytes.some().to_vec();
        payload.truncate(MAX_PAYLOAD);
        if kind == Kind::Hello {
            payload.resize(MAX_PAYLOAD, 0);
        }
        let mut datagram = Vec::new();
        header::write(&mut datagram, Head { flags, shard, ..Head::new(kind, self.sender.session(), packet) }, &payload);
        datagram
    }

    /// Everything that is due now.
    fn drain(&mut self) {
        let mut datagram = Vec::new();
        self.sender.handle_timeout(self.now);
        self.receiver.handle_timeout(self.now);
        while let Some(event) = self.receiver.poll_event() {
            self.on_event(event);
        }
        for count in 0.. {
            if !self.sender.poll_transmit(self.now, &mut datagram) {
                break;
            }
            assert!(count < AT_ONCE, "a sender that does not stop sending");
            if self.up.len() < UNDER_WAY {
                self.up.push_back(datagram.clone());
            }
        }
        for count in 0.. {
            if self.receiver.poll_transmit(self.now, &mut datagram).is_none() {
                break;
            }
            assert!(count < AT_ONCE, "a receiver that does not stop answering");
            if self.down.len() < UNDER_WAY {
                self.down.push_back(datagram.clone());
            }
        }
        if self.spool.used {
            while let Some(request) = self.sender.poll_spool(self.now) {
                self.spool.asked.push_back(request);
            }
        }
        while let Some(event) = self.sender.poll_event() {
            self.finished |= event == SenderEvent::Finished;
        }
        let kept = self.sender.stats().retained_bytes;
        assert!(kept <= RETENTION + 4_096, "the sender keeps {kept} bytes");
        assert!(self.receiver.sessions().count() <= 4);
    }

    fn on_event(&mut self, event: ReceiverEvent) {
        match event {
            ReceiverEvent::Opened { session, .. } => {
                self.session = Some(session);
                let complete = self.complete();
                self.disk.retain(|number, _| *number < complete);
                self.synced = complete;
                self.receiver.accept(self.now, session, Held { complete: SourceNumber(complete), beyond: Vec::new() });
            }
            ReceiverEvent::Entry { session, number, entry, .. } => {
                assert_eq!(source_number(&entry), Some(number));
                if Some(session) == self.session {
                    assert!(self.disk.insert(number.0, entry).is_none(), "entry {number:?} came twice");
                }
            }
            ReceiverEvent::Gone { session, gone } if Some(session) == self.session => {
                self.gone.push((gone.range.first.0, gone.range.end().0));
            }
            ReceiverEvent::Closed { session } | ReceiverEvent::Silent { session } if Some(session) == self.session => {
                self.session = None;
            }
            _ => {}
        }
    }

    /// All is well from now on: the take ends and is complete.
    fn end(&mut self) {
        self.ended = true;
        self.sender.finish(self.now, End { position: SamplePosition(self.position), reason: EndReason::Stopped });
        let limit = self.now.after(END);
        while !self.finished {
            assert!(self.now < limit, "not finished: {:?}", self.sender.stats());
            self.work_spool(7);
            self.drain();
            while let Some(datagram) = self.up.pop_front() {
                self.arrive_up(&datagram);
            }
            while let Some(datagram) = self.down.pop_front() {
                self.arrive_down(&datagram);
            }
            self.drain();
            self.sync();
            self.pass(Duration::from_millis(1));
        }
        assert!(self.may_lose || self.gone.is_empty(), "{:?} is gone, though nothing failed", self.gone);
        let next = self.sender.stats().entries;
        assert_eq!(self.complete(), next, "something is missing");
        let mut samples = Vec::new();
        for (number, entry) in &self.disk {
            assert!(*number < next);
            for record in records(entry) {
                if let Record::Audio(fragment) = record.unwrap_or_else(|error| panic!("{error}")) {
                    let first = fragment.position.0 as usize * 2;
                    samples.clear();
                    fragment.decode(&mut samples).unwrap_or_else(|error| panic!("{error}"));
                    let played = &self.played[first..first + samples.len()];
                    assert!(samples.iter().zip(played).all(|(heard, played)| heard.to_bits() == played.to_bits()));
                }
            }
        }
    }
}
