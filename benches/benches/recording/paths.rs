//! The two inner paths: from the socket to the entries of a log, and from samples to the file.

use std::io::{self, IoSliceMut};
use std::net::UdpSocket;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Result;
use quinn_udp::{BATCH_SIZE, RecvMeta, UdpSockRef, UdpSocketState};
use rustix::time::{ClockId, clock_gettime};
use send_learn::clock;
use send_learn::socket::{self, Arrived};
use send_learn::store::layout::{AUDIO_CHUNK, DEFLATE_LEVEL};
use send_learn::store::writer::Part;
use send_learn::store::{PartWriter, Storage, write_audio_chunk};
use send_learn::timeline::{Batch, Piece};
use send_learn_benches::music::{RATE, music};
use send_learn_protocol::packet::hello::Description;
use send_learn_protocol::receiver::{Held, Receiver, ReceiverConfig, ReceiverEvent};
use send_learn_protocol::sender::{SendMode, Sender, SenderConfig};
use send_learn_protocol::units::{HostId, HostNanos, MachineId, ReceiverId, SamplePosition, SourceNumber, StreamId, TakeId};

use super::row;

/// Datagrams of a run.
const DATAGRAMS: u64 = 200_000;

/// Datagrams that may be on their way: the socket's buffer holds more.
const WINDOW: u64 = 1_000;

pub(super) fn description() -> Description {
    Description {
        stream: StreamId::random(),
        take: TakeId::random(),
        host: HostId::random(),
        machine: MachineId::random(),
        sample_rate: f64::from(RATE),
        channels: 2,
        max_block: 512,
        started_unix_nanos: 0,
        started: HostNanos(0),
        properties: Vec::new(),
    }
}

/// CPU time of this thread, in seconds.
fn cpu() -> f64 {
    let now = clock_gettime(ClockId::ThreadCPUTime);
    now.tv_sec as f64 + now.tv_nsec as f64 / 1e9
}

/// The receive path beside a loop that reads the same datagrams and does nothing with them.
pub(super) fn receive() -> Result<()> {
    let (mut sums, mut datagrams) = ([0.0, 0.0], Vec::new());
    // In turns, so that a slower minute of the machine is one for both.
    for round in 0..4 {
        let (rate, kept) = ours(round == 0)?;
        datagrams.extend(kept);
        sums[0] += rate;
        sums[1] += bare(&datagrams)?;
    }
    let [ours, bare] = sums.map(|sum| sum / 4.0);
    let measured = format!("{:.0} thousand datagrams per second and core", ours / 1e3);
    row(
        "receive path",
        &measured,
        &format!("bare recvmmsg loop: {:.0}", bare / 1e3),
        &format!("{:.2}", ours / bare),
        "at least 0.5",
    )
}

/// Socket, protocol and entries, as the receiver's network loop has them: datagrams per second of CPU, and the datagrams, if asked for.
fn ours(keep: bool) -> Result<(f64, Vec<Vec<u8>>)> {
    let (mut datagrams, _listener, address) = socket::bind("127.0.0.1:0".parse()?)?;
    let (stop, received) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let sending = {
        let (stop, received) = (Arc::clone(&stop), Arc::clone(&received));
        thread::Builder::new().name("sender".into()).spawn(move || send(address, &stop, &received))?
    };
    let config =
        ReceiverConfig { identity: ReceiverId::random(), max_streams: 1, max_streams_per_address: 1, secret: [7; 32], psk: None };
    let mut receiver = Receiver::new(config, clock::now());
    let (mut kept, mut out, mut count, mut used, mut complete) = (Vec::new(), Vec::new(), 0, 0.0, 0);
    let deadline = Instant::now() + Duration::from_secs(120);
    while count < DATAGRAMS {
        anyhow::ensure!(Instant::now() < deadline, "the datagrams do not come: {count}");
        let before = cpu();
        let now = clock::now();
        let mut batch = 0;
        let read = datagrams.receive(|Arrived { at, from, datagram, .. }| {
            batch += 1;
            receiver.handle_datagram(at, from, datagram);
            if keep {
                kept.push(datagram.to_vec());
            }
        });
        receiver.handle_timeout(now);
        while let Some(event) = receiver.poll_event() {
            match event {
                ReceiverEvent::Opened { session, .. } => receiver.accept(now, session, Held::default()),
                ReceiverEvent::Entry { session, number, .. } => {
                    complete = complete.max(number.0 + 1);
                    // As after a sync: now and then.
                    if number.0 % 256 == 0 {
                        receiver.set_durable(now, session, SourceNumber(complete));
                    }
                }
                _ => {}
            }
        }
        while let Some(to) = receiver.poll_transmit(now, &mut out) {
            datagrams.send(to, &out);
        }
        count += batch;
        received.fetch_add(batch, Ordering::Release);
        if read.is_ok() {
            used += cpu() - before;
        } else {
            thread::sleep(Duration::from_micros(200));
        }
    }
    stop.store(true, Ordering::Release);
    sending.join().map_err(|_| anyhow::anyhow!("the sender panicked"))??;
    Ok((count as f64 / used, kept))
}

/// Sends music as fast as it is taken.
fn send(to: std::net::SocketAddr, stop: &AtomicBool, received: &AtomicU64) -> Result<()> {
    let music = music("float32")?;
    let socket = UdpSocket::bind("127.0.0.1:0")?;
    socket.set_nonblocking(true)?;
    let config = SenderConfig { mode: SendMode::Fast, ..SenderConfig::default() };
    let mut sender = Sender::new(config, description(), 1, clock::now());
    let (mut position, mut sent, mut datagram, mut buffer) = (0, 0, Vec::new(), [0; 2_048]);
    let mut block = Vec::new();
    while !stop.load(Ordering::Acquire) {
        if sender.has_room() {
            block.clear();
            let at = position as usize % (music[0].len() - 512);
            (at..at + 512).for_each(|frame| block.extend([music[0][frame], music[1][frame]]));
            sender.push_audio(SamplePosition(position), 2, &block);
            sender.flush(clock::now());
            position += 512;
        }
        while sent < received.load(Ordering::Acquire) + WINDOW && sender.poll_transmit(clock::now(), &mut datagram) {
            sent += u64::from(socket.send_to(&datagram, to).is_ok());
        }
        while let Ok(len) = socket.recv(&mut buffer) {
            sender.handle_datagram(clock::now(), &buffer[..len]);
        }
        sender.handle_timeout(clock::now());
        while sender.poll_event().is_some() {}
        if sent >= received.load(Ordering::Acquire) + WINDOW {
            thread::sleep(Duration::from_micros(100));
        }
    }
    Ok(())
}

/// A loop that reads these datagrams in batches and counts them: datagrams per second of CPU.
fn bare(datagrams: &[Vec<u8>]) -> Result<f64> {
    let socket = UdpSocket::bind("127.0.0.1:0")?;
    let to = socket.local_addr()?;
    let state = UdpSocketState::new(UdpSockRef::from(&socket))?;
    // As the receiver asks for.
    let _ = state.set_recv_buffer_size(UdpSockRef::from(&socket), 4 << 20);
    let slot = state.gro_segments() * 1_500;
    let mut buffer = vec![0; slot * BATCH_SIZE];
    let received = AtomicU64::new(0);
    let (mut count, mut used) = (0_u64, 0.0);
    thread::scope(|scope| -> Result<f64> {
        scope.spawn(|| {
            let Ok(from) = UdpSocket::bind("127.0.0.1:0") else { return };
            let mut sent = 0;
            for datagram in datagrams {
                while sent >= received.load(Ordering::Acquire) + WINDOW {
                    thread::sleep(Duration::from_micros(100));
                }
                sent += u64::from(from.send_to(datagram, to).is_ok());
            }
        });
        let deadline = Instant::now() + Duration::from_secs(120);
        while count < datagrams.len() as u64 {
            anyhow::ensure!(Instant::now() < deadline, "the datagrams do not come: {count}");
            let before = cpu();
            let mut metas = [RecvMeta::default(); BATCH_SIZE];
            let mut slots: Vec<IoSliceMut<'_>> = buffer.chunks_exact_mut(slot).map(IoSliceMut::new).collect();
            match state.recv(UdpSockRef::from(&socket), &mut slots, &mut metas) {
                Ok(messages) => {
                    let batch: u64 = metas[..messages].iter().map(|meta| meta.len.div_ceil(meta.stride.max(1)) as u64).sum();
                    count += batch;
                    received.fetch_add(batch, Ordering::Release);
                    used += cpu() - before;
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => thread::sleep(Duration::from_micros(200)),
                Err(error) => return Err(error.into()),
            }
        }
        Ok(count as f64 / used)
    })
}

/// Samples to a file with all its tables, beside the same chunks through shuffle, gzip and `H5Dwrite_chunk` alone.
pub(super) fn write() -> Result<()> {
    let music = music("float32")?;
    let samples: Vec<f32> = (0..music[0].len()).flat_map(|frame| [music[0][frame], music[1][frame]]).collect();
    let whole = samples.len() / (AUDIO_CHUNK * 2) * AUDIO_CHUNK * 2;
    let samples = &samples[..whole];
    let folder = tempfile::tempdir()?;
    let bytes = (samples.len() * 4) as f64;
    let mut speeds = [Vec::new(), Vec::new()];
    for _ in 0..5 {
        let begin = Instant::now();
        let path = folder.path().join("ours.h5");
        let mut writer = PartWriter::create(&path, &description(), Part::FIRST)?;
        for block in samples.chunks(512 * 2) {
            writer.append(Batch { audio: vec![Piece::Samples(block.to_vec())], ..Batch::default() })?;
        }
        writer.flush()?;
        speeds[0].push(bytes / begin.elapsed().as_secs_f64());
        drop(writer);
        let begin = Instant::now();
        let file = hdf5::File::create(folder.path().join("bare.h5"))?;
        let audio =
            file.new_dataset::<f32>().chunk((AUDIO_CHUNK, 2)).shuffle().deflate(DEFLATE_LEVEL).shape((0.., 2)).create("audio")?;
        audio.resize((samples.len() / 2, 2))?;
        for (chunk, samples) in samples.chunks(AUDIO_CHUNK * 2).enumerate() {
            write_audio_chunk(&audio, Storage::Float32, (chunk * AUDIO_CHUNK) as u64, samples, DEFLATE_LEVEL)?;
        }
        file.flush()?;
        speeds[1].push(bytes / begin.elapsed().as_secs_f64());
    }
    let [ours, bare] = speeds.map(|mut speeds| {
        speeds.sort_by(f64::total_cmp);
        speeds[speeds.len() / 2]
    });
    let measured = format!("{:.0} MB of float32 per second", ours / 1e6);
    let beside = format!("the same chunks, shuffle, gzip {DEFLATE_LEVEL} and H5Dwrite_chunk alone: {:.0}", bare / 1e6);
    row("HDF5 write path", &measured, &beside, &format!("{:.2}", ours / bare), "at least 0.7")
}
