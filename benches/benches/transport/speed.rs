//! What the code costs beside the bare crates, on the same bytes in the same run.

use std::fmt::Write;
use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use reed_solomon_erasure::galois_8::ReedSolomon;
use send_learn_protocol::fec::{Encoder, Plan, Repair};
use send_learn_protocol::packet::header::{self, MAX_PAYLOAD};
use send_learn_protocol::packet::hello::{Description, Hello};
use send_learn_protocol::packet::{Head, Kind, Shard};
use send_learn_protocol::receiver::{Held, Receiver, ReceiverConfig};
use send_learn_protocol::record::MAX_ENTRY;
use send_learn_protocol::units::{
    HostId, HostNanos, MachineId, PacketNumber, ReceiverId, SessionId, SourceNumber, StreamId, TakeId,
};

const SOURCES: usize = 16;
const PARITIES: usize = 4;

/// Both sides of a comparison are measured in turn so many times, each for at least [`SPAN`].
const ROUNDS: usize = 31;
const SPAN: Duration = Duration::from_millis(5);

/// The table, in Markdown.
pub(crate) fn table() -> String {
    let mut text = format!(
        "### Code beside the bare crates\n\n\
         {SOURCES}+{PARITIES} datagrams of 1,200 B for parity, one such datagram otherwise; median of {ROUNDS} rounds (least to most).\n\n\
         | work | Send Learn | bare | ratio | allocations |\n| --- | --- | --- | --- | --- |\n"
    );
    encode(&mut text);
    rebuild(&mut text);
    read(&mut text);
    text
}

fn row(text: &mut String, what: &str, against: &str, mut ours: impl FnMut(), mut bare: impl FnMut()) {
    ours();
    let allocations = allocation_counter::measure(&mut ours).count_total;
    let (mut mine, mut theirs) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        mine.push(nanos_each(&mut ours));
        theirs.push(nanos_each(&mut bare));
    }
    let median = |values: &mut Vec<f64>| {
        values.sort_by(f64::total_cmp);
        values[values.len() / 2]
    };
    let ratio = median(&mut mine) / median(&mut theirs);
    let show = |values: &[f64]| super::recovery::spread(values.iter().map(|nanos| nanos / 1e3), "µs", 3);
    let _ = writeln!(text, "| {what} | {} | {} ({against}) | {ratio:.2} | {allocations} |", show(&mine), show(&theirs));
}

fn nanos_each(work: &mut impl FnMut()) -> f64 {
    let begin = Instant::now();
    let mut count = 0_u32;
    while begin.elapsed() < SPAN {
        (0..8).for_each(|_| work());
        count += 8;
    }
    begin.elapsed().as_nanos() as f64 / f64::from(count)
}

fn entries() -> Vec<Arc<[u8]>> {
    (0..SOURCES).map(|n| (0..MAX_ENTRY).map(|byte| (byte as u8).wrapping_mul(31) ^ (n as u8 * 7 + 1)).collect()).collect()
}

fn plan() -> Plan {
    Plan { sources: SOURCES as u8, parities: PARITIES as u8, depth: 1 }
}

fn encode(text: &mut String) {
    let entries = entries();
    let mut encoder = Encoder::new(plan());
    let code = ReedSolomon::new(SOURCES, PARITIES).expect("a valid code");
    let sources: Vec<Vec<u8>> = entries.iter().map(|entry| [&[0, 0], &entry[..]].concat()).collect();
    let mut parities = vec![vec![0; MAX_ENTRY + 2]; PARITIES];
    let ours = || {
        for entry in &entries {
            black_box(encoder.push(Arc::clone(black_box(entry))));
        }
        while encoder.pop().is_some() {}
    };
    let bare = || code.encode_sep(black_box(&sources), &mut parities).expect("shards of one length");
    row(text, "parity of a group", "encode_sep", ours, bare);
}

fn rebuild(text: &mut String) {
    let entries = entries();
    let mut encoder = Encoder::new(plan());
    let shards: Vec<Shard> = entries.iter().map(|entry| encoder.push(Arc::clone(entry))).collect();
    let parities: Vec<_> = std::iter::from_fn(|| encoder.pop()).collect();
    // One after another, as a session has it: each group is new.
    let mut repair = Repair::default();
    let mut group = 0;
    let ours = || {
        group += 1;
        for (shard, entry) in shards.iter().zip(&entries).skip(PARITIES) {
            repair.source(Shard { group, ..*shard }, Arc::clone(entry));
        }
        for parity in &parities {
            repair.parity(Shard { group, ..parity.shard }, &parity.payload);
        }
        let mut rebuilt = 0;
        while black_box(repair.pop()).is_some() {
            rebuilt += 1;
        }
        assert_eq!(rebuilt, PARITIES);
    };
    let code = ReedSolomon::new(SOURCES, PARITIES).expect("a valid code");
    let mut whole: Vec<Vec<u8>> = entries.iter().map(|entry| [&[0, 0], &entry[..]].concat()).collect();
    whole.extend(vec![vec![0; MAX_ENTRY + 2]; PARITIES]);
    code.encode(&mut whole).expect("shards of one length");
    let mut held: Vec<Option<Vec<u8>>> = whole.into_iter().map(Some).collect();
    let bare = || {
        held[..PARITIES].fill(None);
        code.reconstruct_data(&mut held).expect("enough shards");
        black_box(&held);
    };
    row(text, "rebuilding 4 lost of a group, as they come", "reconstruct_data", ours, bare);
}

/// Reading alone; and what a receiver of 64 sessions does with a datagram up to the point at which it is known to be new or not.
fn read(text: &mut String) {
    const SESSIONS: u64 = 64;
    let now = HostNanos(1_000_000_000);
    let mut receiver = Receiver::new(
        ReceiverConfig {
            identity: ReceiverId([9; 16]),
            max_streams: SESSIONS as usize,
            max_streams_per_address: SESSIONS as usize,
            secret: [7; 32],
            psk: None,
        },
        now,
    );
    for session in 1..=SESSIONS {
        open(&mut receiver, now, session);
    }
    let mut datagram = Vec::new();
    let head = Head::new(Kind::Source, SessionId(SESSIONS / 2), PacketNumber(2));
    header::write(&mut datagram, head, &vec![5; MAX_PAYLOAD]);
    let crc = || {
        black_box(crc32fast::hash(black_box(&datagram)));
    };
    let parse = || {
        black_box(header::read(black_box(&datagram)).is_ok());
    };
    row(text, "parse and check a datagram", "its CRC-32", parse, crc);
    let route = || receiver.handle_datagram(now, peer(), black_box(&datagram));
    row(
        text,
        "parse, check and route a datagram, one of 64 sessions (a duplicate, so that nothing is kept)",
        "its CRC-32",
        route,
        crc,
    );
}

fn peer() -> std::net::SocketAddr {
    ([192, 0, 2, 1], 4_000).into()
}

/// Opens a session as a sender does.
fn open(receiver: &mut Receiver, now: HostNanos, session: u64) {
    let description = Description {
        stream: StreamId([session as u8; 16]),
        take: TakeId([session as u8; 16]),
        host: HostId([3; 16]),
        machine: MachineId([4; 16]),
        sample_rate: 48_000.0,
        channels: 2,
        max_block: 512,
        started_unix_nanos: 0,
        started: HostNanos(0),
        properties: Vec::new(),
    };
    let mut hello = Hello {
        versions: (header::VERSION, header::VERSION),
        cookie: [0; 16],
        first: SourceNumber(0),
        next: SourceNumber(0),
        description,
    };
    let (mut payload, mut datagram, mut answer) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..2 {
        hello.write(&mut payload);
        header::write(&mut datagram, Head::new(Kind::Hello, SessionId(session), PacketNumber(0)), &payload);
        receiver.handle_datagram(now, peer(), &datagram);
        while receiver.poll_transmit(now, &mut answer).is_some() {
            let (head, payload) = header::read(&answer).expect("a datagram of ours");
            if head.kind == Kind::Retry {
                hello.cookie = payload.try_into().expect("a cookie");
            }
        }
    }
    receiver.accept(now, SessionId(session), Held::default());
    while receiver.poll_event().is_some() {}
    while receiver.poll_transmit(now, &mut answer).is_some() {}
    assert!(receiver.stats(SessionId(session)).is_some(), "a session");
}
