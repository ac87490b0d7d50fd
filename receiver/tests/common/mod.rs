//! A receiver in its own process, and a real sender that feeds it over loopback.
#![allow(dead_code, unreachable_pub, reason = "each test file is a crate that uses its part of it")]

use std::io::{BufRead, BufReader};
use std::net::{SocketAddr, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use send_learn::clock::now;
use send_learn::store::Recording;
use send_learn::take::{State, Take};
use send_learn::timeline::crc_of;
use send_learn_protocol::packet::hello::{Description, PropertyKey};
use send_learn_protocol::record::*;
use send_learn_protocol::secure::Key;
use send_learn_protocol::sender::{SendMode, Sender, SenderConfig, SenderEvent};
use send_learn_protocol::units::{HostId, MachineId, SamplePosition, StreamId, TakeId};

/// Longer than anything takes here.
pub const PATIENCE: Duration = Duration::from_secs(30);

pub fn command(arguments: &[&str]) -> Output {
    program().args(arguments).output().unwrap()
}

/// `send-learn`, which finds no settings: whatever key its user has is not that of the tests.
pub fn program() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_send-learn"));
    command.env("SEND_LEARN_CONFIG", "/dev/null").env("XDG_CONFIG_HOME", "/nonexistent");
    command
}

/// `send-learn serve` on a folder, with no settings but these.
pub fn serve(data: &Path, listen: &str) -> Command {
    let mut command = program();
    command.args(["serve", "--listen", listen, "--data"]).arg(data);
    command
}

/// What a running receiver says of itself.
pub fn status(data: &Path) -> send_learn::status::Status {
    let output = command(&["status", "--json", "--data", data.to_str().unwrap()]);
    serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", text(&output)))
}

/// `send-learn serve` on a folder; killed when dropped.
pub struct Server {
    child: Child,
    pub address: SocketAddr,
}

impl Server {
    pub fn start(data: &Path, listen: &str) -> Self {
        Self::start_command(&mut serve(data, listen))
    }

    /// With further options.
    pub fn start_with(data: &Path, listen: &str, options: &[&str]) -> Self {
        Self::start_command(serve(data, listen).args(options))
    }

    /// Starts `command`, which is to become a receiver.
    pub fn start_command(command: &mut Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let address = line.trim().strip_prefix("listening on ").unwrap_or_else(|| panic!("{line:?}")).parse().unwrap();
        Self { child, address }
    }

    /// The process.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Sends a signal.
    pub fn signal(&self, signal: rustix::process::Signal) {
        rustix::process::kill_process(rustix::process::Pid::from_child(&self.child), signal).unwrap();
    }

    /// Memory that the process holds, in bytes.
    pub fn memory(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() << 10
    }

    /// kill -9.
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// SIGTERM; waits for the orderly end.
    pub fn stop(mut self) {
        self.signal(rustix::process::Signal::TERM);
        assert!(self.child.wait().unwrap().success());
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What a stream plays: sample `i` of channel `c` is a pure function of both.
pub fn sample(channel: u64, position: u64) -> f32 {
    ((position as f32 * 0.01 * (channel + 1) as f32).sin() + (position % 1_000) as f32 * 1e-3) * 0.4
}

pub fn description(name: &str, channels: u16) -> Description {
    let mut description = Description {
        stream: StreamId::random(),
        take: TakeId::random(),
        host: HostId::random(),
        machine: MachineId::random(),
        sample_rate: 48_000.0,
        channels,
        max_block: 512,
        started_unix_nanos: 1_790_000_000_000_000_000,
        started: now(),
        properties: Vec::new(),
    };
    for key in (2..=10).map(PropertyKey) {
        description.set_property(key, key.label().unwrap());
    }
    description.set_property(PropertyKey::NAME, name);
    description
}

/// A sender and its socket.
pub struct Player {
    pub sender: Sender,
    socket: UdpSocket,
    to: SocketAddr,
    channels: u16,
    pub position: u64,
    finished: bool,
    /// Datagrams lost in each direction, per cent.
    pub loss: u64,
    chance: u64,
}

impl Player {
    pub fn new(to: SocketAddr, name: &str, channels: u16) -> Self {
        Self::with_key(to, name, channels, None)
    }

    /// A sender that speaks with a key, if it has one.
    pub fn with_key(to: SocketAddr, name: &str, channels: u16, key: Option<Key>) -> Self {
        Self::describing(to, description(name, channels), key)
    }

    /// A stream of another sample rate.
    pub fn at_rate(to: SocketAddr, name: &str, channels: u16, sample_rate: f64) -> Self {
        Self::describing(to, Description { sample_rate, ..description(name, channels) }, None)
    }

    /// The next take of the same stream.
    pub fn another_take(before: &Self, to: SocketAddr) -> Self {
        let take = TakeId::random();
        Self::describing(to, Description { take, ..before.sender.description().clone() }, None)
    }

    fn describing(to: SocketAddr, description: Description, key: Option<Key>) -> Self {
        let channels = description.channels;
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.set_read_timeout(Some(Duration::from_millis(1))).unwrap();
        let config = SenderConfig {
            mode: SendMode::Fast,
            keyed: key.map(|key| send_learn_key::keyed(key.psk()).unwrap()),
            ..SenderConfig::default()
        };
        let sender = Sender::new(config, description, now().0, now());
        Self { sender, socket, to, channels, position: 0, finished: false, loss: 0, chance: 1 }
    }

    /// Sends and receives what there is.
    pub fn turn(&mut self) {
        let mut datagram = Vec::new();
        self.transmit(&mut datagram);
        let mut buffer = [0; 2_048];
        while let Ok((len, _)) = self.socket.recv_from(&mut buffer) {
            if !self.is_lost() {
                self.sender.handle_datagram(now(), &buffer[..len]);
            }
            self.sender.handle_timeout(now());
            self.transmit(&mut datagram);
        }
        self.sender.handle_timeout(now());
        while let Some(event) = self.sender.poll_event() {
            self.finished |= event == SenderEvent::Finished;
        }
    }

    fn transmit(&mut self, datagram: &mut Vec<u8>) {
        while self.sender.poll_transmit(now(), datagram) {
            if !self.is_lost() {
                // A receiver that is away makes the kernel complain; that is what senders live with.
                let _ = self.socket.send_to(datagram, self.to);
            }
        }
    }

    fn is_lost(&mut self) -> bool {
        self.chance = self.chance.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.chance >> 33) % 100 < self.loss
    }

    /// Writes one block of 512 frames, with a note and a transport row at its begin.
    pub fn block(&mut self) {
        let position = SamplePosition(self.position);
        let samples: Vec<f32> = (self.position..self.position + 512)
            .flat_map(|frame| (0..u64::from(self.channels)).map(move |channel| sample(channel, frame)))
            .collect();
        self.sender.push(&Record::Transport(Transport {
            position,
            flags: TransportFlags::PLAYING.with(TransportFlags::TEMPO, true),
            tempo: 120.0,
            playhead: self.position as i64,
            ..Transport::default()
        }));
        self.sender.push(&Record::Midi(MidiEvent {
            position: SamplePosition(self.position + 7),
            kind: MidiKind::Message,
            bytes: [0x90, (self.position / 512 % 128) as u8, 100],
            note_id: -1,
            value: 0.0,
            data: &[],
        }));
        if self.channels > 0 {
            self.sender.push_audio(position, self.channels, &samples);
        }
        let block = Block { position, frames: 512, crc: crc_of(&samples), host: now(), playhead: Some(self.position as i64) };
        self.sender.push(&Record::Block(block));
        self.sender.flush(now());
        self.position += 512;
    }

    /// Plays `blocks` blocks, as fast as they are taken.
    pub fn play(&mut self, blocks: u64) {
        let deadline = Instant::now() + PATIENCE;
        for _ in 0..blocks {
            while !self.sender.has_room() {
                self.turn();
                assert!(Instant::now() < deadline, "the receiver does not take the stream: {:?}", self.sender.stats());
            }
            self.block();
        }
        self.turn();
    }

    pub fn turn_until(&mut self, mut done: impl FnMut(&Self) -> bool) {
        let deadline = Instant::now() + PATIENCE;
        while !done(self) {
            self.turn();
            assert!(Instant::now() < deadline, "waited in vain: {:?} {:?}", self.sender.state(), self.sender.stats());
        }
    }

    pub fn turn_until_durable(&mut self) {
        self.turn_until(|player| player.sender.stats().durable.0 == player.sender.stats().entries);
    }

    /// Goes on to a receiver at another address.
    pub fn turn_to(&mut self, to: SocketAddr) {
        self.to = to;
    }

    pub fn finish(&mut self) {
        let end = End { position: SamplePosition(self.position), reason: EndReason::Stopped };
        self.sender.finish(now(), end);
        self.turn_until(|player| player.finished);
    }
}

/// All `.h5` files of the only take below `data`, in order.
pub fn parts(data: &Path) -> Vec<PathBuf> {
    let folders = send_learn::take::folders(data).unwrap();
    assert_eq!(folders.len(), 1, "{folders:?}");
    let items = std::fs::read_dir(&folders[0]).unwrap().map(|item| item.unwrap().path());
    let mut parts: Vec<PathBuf> = items.filter(|path| path.extension().is_some_and(|end| end == "h5")).collect();
    parts.sort();
    parts
}

/// Waits until the only take below `data` is in `state`.
pub fn wait_for_state(data: &Path, state: State) {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let folders = send_learn::take::folders(data).unwrap();
        let now = folders.first().map(|folder| Take::load(folder).unwrap().state);
        if now == Some(state) {
            return;
        }
        assert!(Instant::now() < deadline, "the take is {now:?}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Waits until the only take below `data` is complete, and gives its parts.
pub fn complete_parts(data: &Path) -> Vec<PathBuf> {
    wait_for_state(data, State::Complete);
    parts(data)
}

/// The part holds the samples from its first on, bit for bit; gives the position after its last.
pub fn assert_holds_what_was_played(path: &Path) -> u64 {
    let recording = Recording::open(path).unwrap();
    let summary = &recording.summary;
    assert!(summary.closed);
    let end = summary.first_sample + summary.frames;
    let expected: Vec<u32> = (summary.first_sample..end)
        .flat_map(|frame| (0..u64::from(summary.channels)).map(move |channel| sample(channel, frame).to_bits()))
        .collect();
    let read: Vec<u32> = recording.audio(0..summary.frames).unwrap().iter().map(|sample| sample.to_bits()).collect();
    assert!(read == expected, "{}: the samples differ", path.display());
    let verdict = send_learn::store::verify::verify(path).unwrap();
    assert!(verdict.is_good(), "{verdict:?}");
    assert_eq!(verdict.gap_frames, 0);
    let notes: Vec<_> = recording.table::<send_learn::store::layout::MidiRow>().unwrap();
    let expected = (summary.first_sample..end).step_by(512).map(|block| (block + 7, (block / 512 % 128) as u8));
    assert!(notes.iter().map(|row| (row.sample, row.data1)).eq(expected), "{}: the notes differ", path.display());
    end
}

/// What a command printed, both ways.
pub fn text(output: &Output) -> String {
    let mut text = String::from_utf8_lossy(&output.stdout).into_owned();
    text.push_str(&String::from_utf8_lossy(&output.stderr));
    text
}
