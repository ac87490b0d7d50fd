//! Datagrams of strangers, replayed ones, and such as seem to come from a sender, as fast as the loopback takes them, against a receiver
//! that records: the recordings are whole and bit-exact, and the receiver's memory does not grow.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use send_learn_protocol::packet::header::{self, MAX_PAYLOAD};
use send_learn_protocol::packet::{Head, Kind, Shard};
use send_learn_protocol::units::{PacketNumber, SessionId};
use send_learn_tests::audio::{Audio, Random};
use send_learn_tests::process::Process;
use send_learn_tests::python::Played;
use send_learn_tests::relay::Relay;
use send_learn_tests::rig::{DELIVERY, Rig, said};

const RATE: usize = 48_000;
const SECONDS: usize = 12;

/// The recordings run for so long before the flood.
const BEFORE: Duration = Duration::from_secs(3);

/// How long it lasts.
const FLOOD: Duration = Duration::from_secs(6);

/// The receiver may grow by this: what the streams themselves need, whose datagrams come later in a flood.
const GROWTH: u64 = 24 << 20;

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

/// Anything at all, some with a right header.
fn made_up(random: &mut Random, out: &mut Vec<u8>) {
    let word = random.next();
    let length = word as usize % (MAX_PAYLOAD + 1);
    let bytes: Vec<u8> = (0..length.div_ceil(8)).flat_map(|_| random.next().to_le_bytes()).collect();
    if word & 1 << 40 == 0 {
        out.clone_from(&bytes);
        return;
    }
    let kind = KINDS[(word >> 48) as usize % KINDS.len()];
    let mut payload = bytes[..length].to_vec();
    if kind == Kind::Hello {
        payload.resize(MAX_PAYLOAD, 0);
    }
    let shard = Shard { group: random.next() as u32, index: word as u8 % 20, sources: 8, parities: 2 };
    let head = Head { shard: Some(shard), ..Head::new(kind, SessionId(random.next()), PacketNumber(random.next() % 100_000)) };
    header::write(out, head, &payload);
}

/// Floods the receiver from many addresses, and from that of a sender, until told to stop. Counts what the system took.
fn flood(to: SocketAddr, relay: &Relay, stop: &AtomicBool, count: &AtomicU64) -> Result<()> {
    // 127.0.0.2 and so on are this machine too.
    let strangers: Result<Vec<UdpSocket>, _> = (2..10).map(|last| UdpSocket::bind((Ipv4Addr::new(127, 0, 0, last), 0))).collect();
    let strangers = strangers.context("no sockets for strangers")?;
    let recorded: Vec<Vec<u8>> = relay.seen().into_iter().filter(|seen| seen.there).map(|seen| seen.datagram).collect();
    ensure!(recorded.len() > 500, "{} datagrams to replay", recorded.len());
    let mut random = Random(7);
    let mut datagram = Vec::new();
    let mut turn = 0;
    while !stop.load(Ordering::Relaxed) {
        turn += 1;
        let replayed = &recorded[random.next() as usize % recorded.len()];
        let stranger = &strangers[turn % strangers.len()];
        let sent = match turn % 6 {
            0 | 1 => {
                made_up(&mut random, &mut datagram);
                stranger.send_to(&datagram, to).is_ok()
            }
            // What a sender once sent, from elsewhere.
            2 => stranger.send_to(replayed, to).is_ok(),
            // The same, from where it came from.
            3 => relay.inject(replayed).is_ok(),
            // As if from there: of another session, or damaged.
            4 => {
                made_up(&mut random, &mut datagram);
                relay.inject(&datagram).is_ok()
            }
            _ => {
                datagram.clone_from(replayed);
                let bit = random.next() as usize % (datagram.len() * 8);
                datagram[bit / 8] ^= 1 << (bit % 8);
                relay.inject(&datagram).is_ok()
            }
        };
        count.fetch_add(u64::from(sent), Ordering::Relaxed);
    }
    Ok(())
}

/// Bytes of memory that a process has of its own now.
fn resident(process: u32) -> Result<u64> {
    let status = fs::read_to_string(format!("/proc/{process}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("no VmRSS")?;
    Ok(line.trim().trim_end_matches(" kB").parse::<u64>()? << 10)
}

#[cfg(target_os = "linux")]
#[test]
fn a_flood_costs_running_streams_nothing_and_the_receiver_no_memory() -> Result<()> {
    let mut rig = Rig::new()?;
    let wav = rig.file("input.wav");
    Audio::all_kinds(RATE as u32, 2, SECONDS * RATE + 77, 8).save(&wav)?;
    let receiver = rig.receiver().address();
    let relay = Relay::watch(receiver)?;
    // One by way of the relay, which can speak in its name, and one of its own.
    let quiet = Stdio::null;
    let mut senders = Vec::new();
    for (name, address) in [("Relayed", relay.address()), ("Direct", receiver)] {
        let mut sender = rig.sender(address)?;
        senders.push(Process::start(sender.args(["--name", name, "--wav"]).arg(&wav).stdout(quiet()).stderr(quiet()))?);
    }
    thread::sleep(BEFORE);
    let process = rig.receiver_mut().process().child().id();
    let before = resident(process)?;
    let (stop, count) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let most = thread::scope(|scope| -> Result<u64> {
        let flooding = scope.spawn(|| flood(receiver, &relay, &stop, &count));
        let begun = Instant::now();
        let mut most = before;
        while begun.elapsed() < FLOOD && !flooding.is_finished() {
            thread::sleep(Duration::from_millis(100));
            most = most.max(resident(process)?);
        }
        stop.store(true, Ordering::Relaxed);
        flooding.join().map_err(|_| anyhow::anyhow!("the flood broke off"))??;
        Ok(most)
    })?;
    let count = count.load(Ordering::Relaxed);
    println!(
        "{:.0} datagrams a second for {} s; the receiver had {:.1} MiB before and {:.1} at most",
        count as f64 / FLOOD.as_secs_f64(),
        FLOOD.as_secs(),
        before as f64 / f64::from(1 << 20),
        most as f64 / f64::from(1 << 20),
    );
    ensure!(count > 50_000, "{count} datagrams are no flood");
    ensure!(most < before + GROWTH, "the receiver grew from {before} to {most} bytes");
    // Before the senders end: a counter that a person can see.
    let status = rig.tool(["status".as_ref(), "--json".as_ref(), "--data".as_ref(), rig.receiver().data().as_os_str()])?;
    ensure!(status.status.success(), "{}", said(&status));
    let status: serde_json::Value = serde_json::from_slice(&status.stdout)?;
    let rejected = status["totals"]["rejected_datagrams"].as_u64().context("no counter of rejected datagrams")?;
    ensure!(rejected > 1_000, "{rejected} rejected datagrams of {count}");
    for sender in &mut senders {
        ensure!(sender.wait(DELIVERY)?.success(), "a sender failed; the receiver said: {}", rig.receiver().messages());
    }
    for recording in rig.receiver().finished(2, DELIVERY)? {
        rig.compare(&recording, Played { wav: Some(&wav), midi: None, log: None })?;
    }
    Ok(())
}
