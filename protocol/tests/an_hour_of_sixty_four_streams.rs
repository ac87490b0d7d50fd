//! Sixty-four streams to one receiver for a long time, in virtual time, each on a network of its own: every recording is complete and
//! bit-exact, live is in time where the network is there, and memory does not grow.
//!
//! Five minutes are played; `cargo xtask test --long` plays an hour. So that this takes minutes and not hours, a stream is small: one
//! channel of 16 bits at 8 kHz in blocks of 800 frames, ten datagrams a second with what protects them. What is tested is how
//! state machines live for long beside one another, not how much a machine can carry: benches do that.

#[path = "pair/link.rs"]
#[allow(dead_code, unreachable_pub, reason = "a part of the harness that other test files use more of")]
mod link;

use std::collections::{BTreeMap, BTreeSet, BinaryHeap};
use std::net::SocketAddr;
use std::time::Duration;

use link::{Datagram, Link, Random, Weather};
use send_learn_protocol::packet::hello::Description;
use send_learn_protocol::receiver::{Held, Receiver, ReceiverConfig, ReceiverEvent};
use send_learn_protocol::record::{End, EndReason, Record, records};
use send_learn_protocol::sender::{Sender, SenderConfig, SenderEvent};
use send_learn_protocol::units::{
    HostId, HostNanos, MachineId, ReceiverId, SamplePosition, SessionId, SourceNumber, StreamId, TakeId,
};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<std::alloc::System> = &INSTRUMENTED_SYSTEM;

const STREAMS: usize = 64;
const RATE: u64 = 8_000;
const BLOCK: u64 = 800;

/// The disk syncs this often.
const SYNC: Duration = Duration::from_millis(500);

/// Time goes in steps of this.
const STEP: Duration = Duration::from_millis(2);

/// What is there after so long beyond its network's own delay was in time.
const IN_TIME: Duration = Duration::from_millis(150);

/// The memory that all state machines, links and what waits for its prefix may take together, beyond what they had after a minute.
const GROWTH: usize = 24 << 20;

/// How long is played.
fn duration() -> Duration {
    let long = std::env::var_os("SEND_LEARN_LONG").is_some();
    Duration::from_secs(if long { 3_600 } else { 300 })
}

/// A bad day for each stream, from nothing at all to all at once.
fn weather(stream: usize, random: &mut Random) -> Weather {
    let millis = Duration::from_millis;
    let delay = millis([1, 5, 20, 80][stream % 4]);
    let plain = Weather { delay, ..Weather::default() };
    let lossy = Weather { loss: [0.001, 0.01, 0.05, 0.1][stream / 8 % 4], ..plain };
    match stream / 4 % 8 {
        0 => plain,
        1 => lossy,
        2 => Weather { bursts: Some((millis(3_000), millis(20))), ..plain },
        3 => Weather { jitter: millis(20), reorder: 0.02, duplicate: 0.01, bit_flip: 1.0e-5, ..plain },
        // The live path needs 17 kB/s, and some parity.
        4 => Weather { rate: Some(60_000.0), ..plain },
        5 => {
            let from = Duration::from_secs(20 + random.word() % 60);
            Weather { outage: Some((from, from + Duration::from_secs(1 + random.word() % 90))), ..plain }
        }
        6 => Weather { loss: 0.02, bursts: Some((millis(5_000), millis(100))), jitter: millis(10), ..plain },
        _ => Weather { loss: 0.05, jitter: millis(10), reorder: 0.02, duplicate: 0.01, bit_flip: 1.0e-5, ..plain },
    }
}

/// The share of a stream's entries that may be late: an outage takes all of its time, and bursts of 100 ms some of theirs. On ways too
/// long for requests, some of 5 % loss is late: 2.7 % were, at most.
fn late_at_most(stream: usize) -> f64 {
    match stream / 4 % 8 {
        5 => 1.0,
        6 => 0.1,
        7 => 0.04,
        _ => 0.02,
    }
}

/// The sample that a stream plays: known again at any position, and no silence.
fn sample(stream: usize, position: u64) -> f32 {
    let word = Random(position << 8 | stream as u64).word();
    f32::from((word >> 48) as i16) / 32_768.0
}

/// One stream: its sender, its network, and what the receiver's disk has of it beyond the complete prefix.
struct Stream {
    number: usize,
    sender: Sender,
    up: Link,
    down: Link,
    peer: SocketAddr,
    session: Option<SessionId>,
    /// When each entry that is not there yet was written.
    written: BTreeMap<u64, HostNanos>,
    noted: u64,
    beyond: BTreeSet<u64>,
    complete: u64,
    next_block: u64,
    heard: u64,
    in_time: u64,
    /// Frames that arrived, each once.
    frames: u64,
    ended: Option<u64>,
    finished: bool,
    due: HostNanos,
}

impl Stream {
    fn new(number: usize, weather: Weather, seed: u64, now: HostNanos) -> Self {
        let id = |kind: u8| {
            let mut id = [kind; 16];
            id[0] = number as u8;
            id
        };
        let description = Description {
            stream: StreamId(id(1)),
            take: TakeId(id(2)),
            host: HostId(id(3)),
            machine: MachineId(id(4)),
            sample_rate: RATE as f64,
            channels: 1,
            max_block: BLOCK as u32,
            started_unix_nanos: 0,
            started: HostNanos(0),
            properties: Vec::new(),
        };
        let seed = seed << 8 | number as u64;
        Self {
            number,
            sender: Sender::new(SenderConfig::default(), description, seed, now),
            up: Link::new(weather, seed ^ 0xA_0000),
            down: Link::new(weather, seed ^ 0xB_0000),
            peer: SocketAddr::from(([192, 0, 2, number as u8], 4_000)),
            session: None,
            written: BTreeMap::new(),
            noted: 0,
            beyond: BTreeSet::new(),
            complete: 0,
            // They do not play in step.
            next_block: 0,
            heard: 0,
            in_time: 0,
            frames: 0,
            ended: None,
            finished: false,
            due: now,
        }
    }

    fn block_due(&self) -> HostNanos {
        HostNanos(1_000_000 + self.number as u64 * 1_500_000 + self.next_block * BLOCK * 1_000_000_000 / RATE)
    }

    fn write(&mut self, now: HostNanos) {
        let first = self.next_block * BLOCK;
        let samples: Vec<f32> = (first..first + BLOCK).map(|position| sample(self.number, position)).collect();
        self.sender.push_audio(SamplePosition(first), 1, &samples);
        self.sender.flush(now);
        self.next_block += 1;
    }

    fn note_written(&mut self, now: HostNanos) {
        while self.noted < self.sender.stats().entries {
            self.written.insert(self.noted, now);
            self.noted += 1;
        }
    }

    /// An entry is there: its samples are right, and it is there for the first time.
    fn receive(&mut self, now: HostNanos, number: SourceNumber, entry: &[u8]) {
        assert!(number.0 >= self.complete && self.beyond.insert(number.0), "entry {number:?} came twice");
        while self.beyond.remove(&self.complete) {
            self.complete += 1;
        }
        let written = self.written.remove(&number.0).unwrap_or(now);
        self.heard += 1;
        self.in_time += u64::from(now.since(written) <= self.up.weather.delay + self.up.weather.jitter + IN_TIME);
        for record in records(entry) {
            match record.unwrap() {
                Record::Audio(fragment) => {
                    let mut samples = Vec::new();
                    fragment.decode(&mut samples).unwrap();
                    let right = |(frame, heard): (usize, &f32)| {
                        heard.to_bits() == sample(self.number, fragment.position.0 + frame as u64).to_bits()
                    };
                    assert!(samples.iter().enumerate().all(right), "stream {}, entry {number:?} differs", self.number);
                    self.frames += samples.len() as u64;
                }
                Record::End(end) => self.ended = Some(end.position.0),
                _ => {}
            }
        }
    }
}

/// The receiver and all streams.
struct Studio {
    now: HostNanos,
    receiver: Receiver,
    streams: Vec<Stream>,
    by_session: BTreeMap<SessionId, usize>,
    /// When a stream is to be looked at: the earliest is the greatest.
    due: BinaryHeap<(std::cmp::Reverse<HostNanos>, usize)>,
    sync_due: HostNanos,
}

impl Studio {
    fn new(seed: u64) -> Self {
        let now = HostNanos(1_000_000);
        let config = ReceiverConfig {
            identity: ReceiverId([9; 16]),
            max_streams: STREAMS,
            max_streams_per_address: STREAMS,
            secret: [seed as u8; 32],
            psk: None,
        };
        let mut random = Random(seed);
        let streams: Vec<Stream> =
            (0..STREAMS).map(|number| Stream::new(number, weather(number, &mut random), seed, now)).collect();
        let due = (0..STREAMS).map(|number| (std::cmp::Reverse(now), number)).collect();
        Self { now, receiver: Receiver::new(config, now), streams, by_session: BTreeMap::new(), due, sync_due: now }
    }

    /// Plays until `end`; blocks are written as long as `playing`.
    fn run(&mut self, end: HostNanos, playing: bool) {
        let mut datagram = Vec::new();
        while self.now < end {
            let mut looked_at = Vec::new();
            while self.due.peek().is_some_and(|(due, _)| due.0 <= self.now) {
                let Some((due, number)) = self.due.pop() else { break };
                if due.0 != self.streams[number].due {
                    continue; // It is to be looked at earlier, or was.
                }
                self.streams[number].due = HostNanos(u64::MAX);
                looked_at.push(number);
                self.look_at(number, playing, &mut datagram);
            }
            let receiver_due = self.receiver.poll_timeout().is_some_and(|due| due <= self.now);
            if receiver_due || !looked_at.is_empty() || self.now >= self.sync_due {
                self.look_at_receiver(&mut datagram);
            }
            for number in looked_at {
                self.schedule(number, playing);
            }
            let next = [self.due.peek().map(|(due, _)| due.0), self.receiver.poll_timeout(), Some(self.sync_due)];
            let next = next.into_iter().flatten().min().unwrap_or(end).max(self.now.after(STEP));
            self.now = next.min(end);
        }
    }

    fn look_at(&mut self, number: usize, playing: bool, datagram: &mut Vec<u8>) {
        let stream = &mut self.streams[number];
        while playing && stream.block_due() <= self.now {
            stream.write(self.now);
        }
        while let Some(Datagram { bytes, .. }) = stream.down.receive(self.now) {
            stream.sender.handle_datagram(self.now, &bytes);
        }
        stream.sender.handle_timeout(self.now);
        stream.note_written(self.now);
        while stream.sender.poll_transmit(self.now, datagram) {
            stream.up.send(self.now, datagram, false);
        }
        while let Some(event) = stream.sender.poll_event() {
            stream.finished |= event == SenderEvent::Finished;
        }
        while let Some(Datagram { bytes, .. }) = stream.up.receive(self.now) {
            self.receiver.handle_datagram(self.now, stream.peer, &bytes);
        }
    }

    fn look_at_receiver(&mut self, datagram: &mut Vec<u8>) {
        self.receiver.handle_timeout(self.now);
        while let Some(event) = self.receiver.poll_event() {
            self.on_event(event);
        }
        if self.now >= self.sync_due {
            self.sync_due = self.now.after(SYNC);
            for stream in &self.streams {
                if let Some(session) = stream.session {
                    self.receiver.set_durable(self.now, session, SourceNumber(stream.complete));
                }
            }
        }
        while let Some(to) = self.receiver.poll_transmit(self.now, datagram) {
            let SocketAddr::V4(to) = to else { continue };
            let number = usize::from(to.ip().octets()[3]);
            let down = &mut self.streams[number].down;
            down.send(self.now, datagram, false);
            if let Some(arrives) = down.next_arrival() {
                self.wake(number, arrives);
            }
        }
    }

    fn on_event(&mut self, event: ReceiverEvent) {
        match event {
            ReceiverEvent::Opened { session, description, .. } => {
                let number = usize::from(description.take.0[0]);
                let stream = &mut self.streams[number];
                stream.session.replace(session).and_then(|old| self.by_session.remove(&old));
                self.by_session.insert(session, number);
                // What is beyond the prefix is on disk too.
                let range =
                    |number: &u64| send_learn_protocol::packet::feedback::SourceRange { first: SourceNumber(*number), count: 1 };
                let held = Held { complete: SourceNumber(stream.complete), beyond: stream.beyond.iter().map(range).collect() };
                self.receiver.accept(self.now, session, held);
            }
            ReceiverEvent::Entry { session, number, entry, .. } => {
                let Some(stream) = self.by_session.get(&session) else { return };
                self.streams[*stream].receive(self.now, number, &entry);
            }
            ReceiverEvent::Gone { gone, .. } => panic!("{gone:?}"),
            ReceiverEvent::Closed { session } | ReceiverEvent::Silent { session } => {
                if let Some(stream) = self.by_session.remove(&session) {
                    self.streams[stream].session = None;
                }
            }
            ReceiverEvent::Preview { .. } => {}
        }
    }

    fn schedule(&mut self, number: usize, playing: bool) {
        let stream = &self.streams[number];
        let block = playing.then(|| stream.block_due());
        let next = [block, stream.sender.poll_timeout(), stream.up.next_arrival(), stream.down.next_arrival()];
        if let Some(next) = next.into_iter().flatten().min() {
            self.wake(number, next);
        }
    }

    fn wake(&mut self, number: usize, at: HostNanos) {
        if at < self.streams[number].due {
            self.streams[number].due = at;
            self.due.push((std::cmp::Reverse(at), number));
        }
    }

    fn held(&self) -> usize {
        self.streams.iter().map(|stream| stream.sender.stats().retained_bytes).sum()
    }
}

#[test]
fn sixty_four_streams_on_bad_networks_are_recorded_whole_in_bounded_memory() {
    let duration = duration();
    let region = Region::new(ALLOCATOR);
    let in_use = || region.change().bytes_allocated.saturating_sub(region.change().bytes_deallocated);
    let mut studio = Studio::new(7);
    let end = studio.now.after(duration);
    let (mut after_a_minute, mut most, mut most_held) = (0, 0, 0);
    while studio.now < end {
        studio.run(studio.now.after(Duration::from_secs(1)).min(end), true);
        most = most.max(in_use());
        most_held = most_held.max(studio.held());
        if after_a_minute == 0 && studio.now.0 >= 60_000_000_000 {
            after_a_minute = in_use();
        }
    }
    for stream in &mut studio.streams {
        let position = SamplePosition(stream.next_block * BLOCK);
        stream.sender.finish(studio.now, End { position, reason: EndReason::EndOfFile });
    }
    for number in 0..STREAMS {
        studio.wake(number, studio.now);
    }
    let limit = studio.now.after(Duration::from_secs(300));
    while studio.now < limit && !studio.streams.iter().all(|stream| stream.finished) {
        studio.run(studio.now.after(Duration::from_millis(100)), false);
    }
    let mib = |bytes: usize| bytes as f64 / f64::from(1 << 20);
    println!(
        "{} s of {STREAMS} streams: memory {:.1} MiB after a minute, {:.1} at most; {:.1} of it kept by senders",
        duration.as_secs(),
        mib(after_a_minute),
        mib(most),
        mib(most_held),
    );
    for stream in &studio.streams {
        let number = stream.number;
        assert!(stream.finished, "stream {number} is not finished: {:?}", stream.sender.stats());
        let frames = stream.next_block * BLOCK;
        assert_eq!((stream.frames, stream.ended), (frames, Some(frames)), "stream {number} is not whole");
        assert_eq!(stream.complete, stream.sender.stats().entries);
        let late = 1.0 - stream.in_time as f64 / stream.heard as f64;
        println!("stream {number}: {:.4} late, {:?}", late, stream.up.weather);
    }
    for (index, stream) in studio.streams.iter().enumerate() {
        let late = 1.0 - stream.in_time as f64 / stream.heard as f64;
        assert!(late <= late_at_most(index), "stream {index}: {late:.4} of its entries were late");
    }
    assert!(most <= after_a_minute + GROWTH, "memory grew to {most} bytes from {after_a_minute}");
}
