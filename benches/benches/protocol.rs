//! What does the wire cost? Parity beside the bare crate, reading a datagram beside the checksum of its bytes alone, and packing
//! a block of audio.

use std::hint::black_box;
use std::sync::Arc;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use reed_solomon_erasure::galois_8::ReedSolomon;
use send_learn_protocol::fec::{Encoder, Plan, Repair};
use send_learn_protocol::packet::header::{self, MAX_PAYLOAD};
use send_learn_protocol::packet::{Head, Kind};
use send_learn_protocol::record::MAX_ENTRY;
use send_learn_protocol::record::pack::Packer;
use send_learn_protocol::units::{PacketNumber, SamplePosition, SessionId, SourceNumber};

const SOURCES: usize = 16;
const PARITIES: usize = 4;

fn parity(criterion: &mut Criterion) {
    let entries: Vec<Vec<u8>> = (0..SOURCES).map(|n| vec![n as u8 * 7 + 1; MAX_ENTRY]).collect();
    let code = ReedSolomon::new(SOURCES, PARITIES).expect("a valid code");
    let mut group = criterion.benchmark_group("parity, 16+4 full datagrams");
    group.throughput(Throughput::Bytes((SOURCES * MAX_ENTRY) as u64));
    group.bench_function("encode, bare crate", |bencher| {
        let mut shards = vec![vec![0; MAX_PAYLOAD]; PARITIES];
        let sources: Vec<Vec<u8>> = entries.iter().map(|entry| [&[0, 0], &entry[..]].concat()).collect();
        bencher.iter(|| code.encode_sep(black_box(&sources), &mut shards));
    });
    // As the sender has them.
    let kept: Vec<Arc<[u8]>> = entries.iter().map(|entry| entry.as_slice().into()).collect();
    group.bench_function("encode", |bencher| {
        let mut encoder = Encoder::new(Plan { sources: SOURCES as u8, parities: PARITIES as u8, depth: 1 });
        bencher.iter(|| {
            for entry in &kept {
                black_box(encoder.push(Arc::clone(black_box(entry))));
            }
            while encoder.pop().is_some() {}
        });
    });
    let mut encoder = Encoder::new(Plan { sources: SOURCES as u8, parities: PARITIES as u8, depth: 1 });
    let shards: Vec<_> = kept.iter().map(|entry| encoder.push(Arc::clone(entry))).collect();
    let parities: Vec<_> = std::iter::from_fn(|| encoder.pop()).collect();
    group.bench_function("rebuild 4 lost, bare crate", |bencher| {
        let mut whole: Vec<Vec<u8>> = entries.iter().map(|entry| [&[0, 0], &entry[..]].concat()).collect();
        whole.extend(vec![vec![0; MAX_PAYLOAD]; PARITIES]);
        code.encode(&mut whole).expect("shards of one length");
        bencher.iter_batched(
            || whole.iter().enumerate().map(|(n, shard)| (n >= PARITIES).then(|| shard.clone())).collect::<Vec<_>>(),
            |mut damaged| code.reconstruct_data(&mut damaged),
            criterion::BatchSize::SmallInput,
        );
    });
    group.bench_function("rebuild 4 lost", |bencher| {
        bencher.iter_batched(
            Repair::default,
            |mut repair| {
                for (shard, entry) in shards.iter().zip(&kept).skip(PARITIES) {
                    repair.source(*shard, entry.clone());
                }
                for parity in &parities {
                    repair.parity(parity.shard, &parity.payload);
                }
                while repair.pop().is_some() {}
                repair
            },
            criterion::BatchSize::SmallInput,
        );
    });
    group.finish();
}

fn read(criterion: &mut Criterion) {
    let mut datagram = Vec::new();
    header::write(&mut datagram, Head::new(Kind::Source, SessionId(1), PacketNumber(2)), &[5; MAX_PAYLOAD]);
    let mut group = criterion.benchmark_group("one datagram");
    group.throughput(Throughput::Bytes(datagram.len() as u64));
    group.bench_function("checksum alone", |bencher| bencher.iter(|| crc32fast::hash(black_box(&datagram))));
    group.bench_function("read", |bencher| bencher.iter(|| header::read(black_box(&datagram)).is_ok()));
    group.finish();
}

fn pack(criterion: &mut Criterion) {
    let float: Vec<f32> = (0..1_024).map(|n| (n as f32 * 0.37).sin() * 0.3).collect();
    let pcm16: Vec<f32> = float.iter().map(|sample| (sample * 32_768.0).round() / 32_768.0).collect();
    let mut group = criterion.benchmark_group("pack 512 frames stereo");
    for (name, samples) in [("float32", float), ("16-bit", pcm16), ("silence", vec![0.0; 1_024])] {
        let mut packer = Packer::new(SourceNumber(0));
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                packer.push_audio(SamplePosition(0), 2, black_box(&samples));
                packer.flush();
                while packer.pop().is_some() {}
            });
        });
    }
    group.finish();
}

criterion_group!(benches, parity, read, pack);
criterion_main!(benches);
