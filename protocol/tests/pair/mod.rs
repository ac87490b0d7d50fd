//! A sender and a receiver that meet over two emulated links in virtual time, with a disk that syncs now and then.

pub mod link;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use link::{Datagram, Link, Random, Weather};
use send_learn_protocol::packet::close::Gone;
use send_learn_protocol::packet::hello::{Description, PropertyKey};
use send_learn_protocol::quality::Level;
use send_learn_protocol::receiver::{Held, Receiver, ReceiverConfig, ReceiverEvent};
use send_learn_protocol::record::{End, EndReason, MidiEvent, MidiKind, Record, records};
use send_learn_protocol::secure::{Keyed, Psk, Random as SecretRandom};
use send_learn_protocol::sender::{Sender, SenderConfig, SenderEvent};
use send_learn_protocol::tap::Arrival;
use send_learn_protocol::units::{
    HostId, HostNanos, MachineId, ReceiverId, SamplePosition, SessionId, SourceNumber, StreamId, TakeId,
};

pub const RATE: u64 = 48_000;
pub const BLOCK: u64 = 512;
/// The disk syncs this often.
const SYNC: Duration = Duration::from_millis(200);

pub fn description() -> Description {
    Description {
        stream: StreamId([1; 16]),
        take: TakeId([2; 16]),
        host: HostId([3; 16]),
        machine: MachineId([4; 16]),
        sample_rate: RATE as f64,
        channels: 2,
        max_block: BLOCK as u32,
        started_unix_nanos: 0,
        started: HostNanos(0),
        properties: vec![(PropertyKey::NAME, "Pair".into())],
    }
}

/// What the receiver's program keeps: entries in memory stand for the journal, `synced` for what an fsync has covered.
#[derive(Default)]
pub struct Disk {
    pub entries: BTreeMap<u64, Arc<[u8]>>,
    pub gone: Vec<Gone>,
    pub synced: SourceNumber,
}

impl Disk {
    pub fn complete(&self) -> SourceNumber {
        let mut number = self.synced.0;
        loop {
            if self.entries.contains_key(&number) {
                number += 1;
            } else if let Some(gone) = self.gone.iter().find(|gone| (gone.range.first.0..gone.range.end().0).contains(&number)) {
                number = gone.range.end().0;
            } else {
                return SourceNumber(number);
            }
        }
    }
}

/// What somebody hears who listens to the network.
#[derive(Clone, Default)]
pub struct Overheard {
    pub up: Vec<Vec<u8>>,
    pub down: Vec<Vec<u8>>,
}

pub struct Pair {
    pub now: HostNanos,
    pub sender: Sender,
    pub receiver: Receiver,
    pub up: Link,
    pub down: Link,
    pub disk: Disk,
    pub session: Option<SessionId>,
    pub events: Vec<SenderEvent>,
    /// Per entry: how long after it was written the receiver had it, and how it came.
    pub delays: BTreeMap<u64, (Duration, Arrival)>,
    /// Per block: how long after it was written a live view had all of its samples, as entries or as previews.
    pub live: BTreeMap<u64, Duration>,
    /// Frames of each block that came as entries and as previews.
    heard: BTreeMap<u64, [u64; 2]>,
    /// Each change of the live path's level, and when.
    pub levels: Vec<(HostNanos, Level)>,
    /// While true, the disk does not sync.
    pub disk_stalled: bool,
    /// While there is one, a copy of everything that both sides send.
    pub overheard: Option<Overheard>,
    /// The receiver's secret.
    pub psk: Option<Psk>,
    /// Sessions that the receiver opened.
    pub opened: Vec<SessionId>,
    written: BTreeMap<u64, HostNanos>,
    sync_due: HostNanos,
    sent: Vec<f32>,
    midi: Vec<(u64, [u8; 3])>,
    random: Random,
    next_block: u64,
}

impl Pair {
    pub fn new(weather: Weather, seed: u64) -> Self {
        Self::with(weather, seed, SenderConfig::default())
    }

    pub fn with(weather: Weather, seed: u64, config: SenderConfig) -> Self {
        Self::with_secret(weather, seed, config, None)
    }

    /// Both sides have the same key.
    pub fn keyed(weather: Weather, seed: u64) -> Self {
        let config = SenderConfig { keyed: Some(keyed(PSK, seed)), ..SenderConfig::default() };
        Self::with_secret(weather, seed, config, Some(PSK))
    }

    /// The receiver's secret is `psk`; the sender's is in `config`.
    pub fn with_secret(weather: Weather, seed: u64, config: SenderConfig, psk: Option<Psk>) -> Self {
        let now = HostNanos(1_000_000);
        Self {
            now,
            sender: Sender::new(config, description(), seed, now),
            receiver: receiver_with(seed, now, psk),
            up: Link::new(weather, seed ^ 0xA),
            down: Link::new(weather, seed ^ 0xB),
            disk: Disk::default(),
            session: None,
            events: Vec::new(),
            delays: BTreeMap::new(),
            live: BTreeMap::new(),
            heard: BTreeMap::new(),
            levels: Vec::new(),
            disk_stalled: false,
            overheard: None,
            psk,
            opened: Vec::new(),
            written: BTreeMap::new(),
            sync_due: now,
            sent: Vec::new(),
            midi: Vec::new(),
            random: Random(seed ^ 0xC),
            next_block: 0,
        }
    }

    /// The receiver's process dies: what was not synced is lost, a new one starts on the same disk.
    pub fn kill_receiver(&mut self) {
        let synced = self.disk.synced;
        self.disk.entries.retain(|number, _| *number < synced.0);
        self.receiver = receiver_with(self.random.word(), self.now, self.psk);
        self.session = None;
    }

    /// Another disk takes the place of the old one, and is empty.
    pub fn forget_disk(&mut self) {
        self.disk = Disk::default();
    }

    /// Plays `duration` of noise and notes in real time, block by block.
    pub fn play(&mut self, duration: Duration) {
        let end = self.now.after(duration);
        while self.now < end {
            let due = block_time(self.next_block);
            self.run_until(due.min(end));
            if self.now >= due {
                self.write_block();
            }
        }
    }

    /// Ends the take and waits until it is durable, at most `limit`.
    pub fn finish(&mut self, limit: Duration) {
        let position = SamplePosition(self.next_block * BLOCK);
        self.sender.finish(self.now, End { position, reason: EndReason::EndOfFile });
        self.note_written();
        let end = self.now.after(limit);
        while self.now < end && !self.events.contains(&SenderEvent::Finished) {
            let step = self.now.after(Duration::from_millis(10));
            self.run_until(step);
        }
        assert!(self.events.contains(&SenderEvent::Finished), "not finished after {limit:?}: {:?}", self.sender.stats());
    }

    pub fn write_block(&mut self) {
        let position = SamplePosition(self.next_block * BLOCK);
        if self.random.happens(0.3) {
            let bytes = [0x90, (self.random.word() % 128) as u8, 1 + (self.random.word() % 127) as u8];
            let at = position.0 + self.random.word() % BLOCK;
            self.midi.push((at, bytes));
            self.sender.push(&Record::Midi(MidiEvent {
                position: SamplePosition(at),
                kind: MidiKind::Message,
                bytes,
                note_id: -1,
                value: 0.0,
                data: &[],
            }));
        }
        let samples: Vec<f32> = (0..BLOCK * 2).map(|_| self.random.unit() as f32 - 0.5).collect();
        self.sender.push_audio(position, 2, &samples);
        self.sent.extend_from_slice(&samples);
        self.sender.flush(self.now);
        self.note_written();
        self.next_block += 1;
    }

    /// Lets time pass; both sides, links and disk do what is due.
    pub fn run_until(&mut self, end: HostNanos) {
        loop {
            self.settle();
            let timers =
                [self.sender.poll_timeout(), self.receiver.poll_timeout(), self.up.next_arrival(), self.down.next_arrival()];
            let next = timers.into_iter().flatten().chain([self.sync_due]).min().unwrap_or(end);
            if next > end {
                break;
            }
            // At least a microsecond passes, so that a timer that is always due would show as a hang, not as a loop.
            self.now = next.max(HostNanos(self.now.0 + 1_000));
        }
        self.now = self.now.max(end);
        self.settle();
    }

    /// What the receiver's disk holds equals what was played, in audio and MIDI.
    pub fn assert_complete(&self) {
        assert!(self.disk.gone.is_empty(), "entries are gone: {:?}", self.disk.gone);
        let (audio, midi) = self.recorded();
        assert_eq!(midi, self.midi);
        assert_eq!(audio.len(), self.sent.len());
        let equal = audio.iter().zip(&self.sent).all(|(a, b)| a.to_bits() == b.to_bits());
        assert!(equal, "the recording differs from what was played");
    }

    /// The share of entries that were not there within `deadline` of being written.
    pub fn late(&self, deadline: Duration) -> f64 {
        let late = self.delays.values().filter(|(delay, _)| *delay > deadline).count();
        late as f64 / self.delays.len() as f64
    }

    /// Blocks written so far.
    pub fn blocks(&self) -> u64 {
        self.next_block
    }

    /// The delay that this share of blocks did not exceed in a live view.
    pub fn live_delay(&self, share: f64) -> Duration {
        let mut delays: Vec<Duration> = self.live.values().copied().collect();
        delays.sort_unstable();
        delays[((delays.len() - 1) as f64 * share) as usize]
    }

    fn recorded(&self) -> (Vec<f32>, Vec<(u64, [u8; 3])>) {
        let (mut audio, mut midi) = (Vec::new(), Vec::new());
        for (expected, (number, entry)) in self.disk.entries.iter().enumerate() {
            assert_eq!(*number, expected as u64);
            for record in records(entry) {
                match record.unwrap() {
                    Record::Audio(fragment) => {
                        assert_eq!(fragment.position.0 as usize * 2, audio.len());
                        fragment.decode(&mut audio).unwrap();
                    }
                    Record::Midi(event) => midi.push((event.position.0, event.bytes)),
                    _ => {}
                }
            }
        }
        (audio, midi)
    }

    fn note_written(&mut self) {
        for number in self.written.len() as u64..self.sender.stats().entries {
            self.written.insert(number, self.now);
        }
    }

    fn settle(&mut self) {
        let peer = peer();
        let mut datagram = Vec::new();
        while let Some(Datagram { bytes, marked }) = self.up.receive(self.now) {
            match marked {
                true => self.receiver.handle_marked_datagram(self.now, peer, &bytes),
                false => self.receiver.handle_datagram(self.now, peer, &bytes),
            }
        }
        while let Some(Datagram { bytes, .. }) = self.down.receive(self.now) {
            self.sender.handle_datagram(self.now, &bytes);
        }
        self.sender.handle_timeout(self.now);
        self.receiver.handle_timeout(self.now);
        self.note_written();
        while let Some(event) = self.receiver.poll_event() {
            self.on_event(event);
        }
        if self.now >= self.sync_due {
            self.sync_due = self.now.after(SYNC);
            if !self.disk_stalled {
                self.disk.synced = self.disk.complete();
            }
            if let Some(session) = self.session {
                self.receiver.set_durable(self.now, session, self.disk.synced);
            }
        }
        while self.sender.poll_transmit(self.now, &mut datagram) {
            self.overheard.iter_mut().for_each(|heard| heard.up.push(datagram.clone()));
            self.up.send(self.now, &datagram, self.sender.heeds_marks(&datagram));
        }
        while self.receiver.poll_transmit(self.now, &mut datagram).is_some() {
            self.overheard.iter_mut().for_each(|heard| heard.down.push(datagram.clone()));
            self.down.send(self.now, &datagram, false);
        }
        while let Some(event) = self.sender.poll_event() {
            self.events.push(event);
        }
        let level = self.sender.stats().level;
        if self.levels.last().map_or(Level::Full, |(_, level)| *level) != level {
            self.levels.push((self.now, level));
        }
    }

    /// Notes whose samples an entry (0) or a preview (1) holds.
    fn note_heard(&mut self, way: usize, entry: &[u8]) {
        for record in records(entry).flatten() {
            let Record::Audio(fragment) = record else { continue };
            let block = fragment.position.0 / BLOCK;
            let heard = self.heard.entry(block).or_default();
            heard[way] += u64::from(fragment.frames);
            if heard[way] >= BLOCK {
                let written = block_time(block);
                self.live.entry(block).or_insert(self.now.since(written));
            }
        }
    }

    fn on_event(&mut self, event: ReceiverEvent) {
        match event {
            ReceiverEvent::Opened { session, .. } => {
                self.session = Some(session);
                self.opened.push(session);
                let held = Held { complete: self.disk.complete(), beyond: Vec::new() };
                // What lies beyond the prefix comes again: a program may also name it.
                self.disk.entries.retain(|number, _| *number < held.complete.0);
                self.receiver.accept(self.now, session, held);
            }
            ReceiverEvent::Entry { number, arrival, entry, .. } => {
                let delay = self.now.since(self.written[&number.0]);
                self.delays.entry(number.0).or_insert((delay, arrival));
                self.note_heard(0, &entry);
                assert!(self.disk.entries.insert(number.0, entry).is_none(), "entry {number:?} came twice");
            }
            ReceiverEvent::Preview { preview, .. } => self.note_heard(1, &preview),
            ReceiverEvent::Gone { gone, .. } => self.disk.gone.push(gone),
            ReceiverEvent::Closed { .. } | ReceiverEvent::Silent { .. } => self.session = None,
        }
    }
}

/// When a block is written, if the player is in time.
pub fn block_time(block: u64) -> HostNanos {
    HostNanos(1_000_000 + block * BLOCK * 1_000_000_000 / RATE)
}

/// The studio's secret of those tests that have one.
pub const PSK: Psk = Psk::from_bytes([0x5A; 32]);

pub fn keyed(psk: Psk, seed: u64) -> Keyed {
    Keyed { psk, random: SecretRandom::new([seed as u8; 32]) }
}

/// Where the sender is.
pub fn peer() -> SocketAddr {
    "192.0.2.1:4000".parse().unwrap()
}

pub fn receiver(seed: u64, now: HostNanos) -> Receiver {
    receiver_with(seed, now, None)
}

pub fn receiver_with(seed: u64, now: HostNanos, psk: Option<Psk>) -> Receiver {
    let mut secret = [0; 32];
    secret.chunks_mut(8).for_each(|part| part.copy_from_slice(&seed.to_le_bytes()));
    let identity = ReceiverId([9; 16]);
    Receiver::new(ReceiverConfig { identity, max_streams: 64, max_streams_per_address: 64, secret, psk }, now)
}

/// A configuration that keeps little, for tests of the limit.
pub fn small_retention(bytes: usize) -> SenderConfig {
    SenderConfig { retention_bytes: bytes, ..SenderConfig::default() }
}
