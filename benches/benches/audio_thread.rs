//! What does the plugin cost the audio thread? One 512-frame stereo block through `Capture`, beside a plain copy of the same
//! samples into a buffer as large as the capture's ring.

use std::hint::black_box;
use std::time::{Duration, Instant};

use criterion::{Criterion, criterion_group, criterion_main};
use send_learn_plugin::capture::{Capture, CaptureConfig, Captured, Wanted, capture};
use send_learn_plugin::clock;
use send_learn_plugin::transport::Observed;

const FRAMES: usize = 512;
const RATE: f64 = 48_000.0;

/// Blocks between two readings of the clock: its own cost is spread over them.
const BATCH: u64 = 64;

fn samples(seed: f32) -> Vec<f32> {
    (0..FRAMES).map(|n| (n as f32 * seed).sin()).collect()
}

fn observed(block: u64) -> Observed {
    let playhead = (block * FRAMES as u64) as i64;
    Observed {
        playing: true,
        tempo: Some(120.0),
        meter: Some((4, 4)),
        playhead: Some(playhead),
        seconds: Some(playhead as f64 / RATE),
        ppq: Some(playhead as f64 / RATE * 2.0),
        ..Observed::default()
    }
}

fn drain(captured: &mut Captured) {
    while captured.ring.events.pop().is_ok() {}
    let waiting = captured.ring.samples.slots();
    if let Ok(chunk) = captured.ring.samples.read_chunk(waiting) {
        chunk.commit_all();
    }
}

fn one_block(capture: &mut Capture, block: u64, channels: &[Vec<f32>; 2]) {
    capture.begin(FRAMES as u32, clock::now(), &observed(block), Wanted::Captured);
    capture.end(channels);
}

/// Times `iterations` of `work` in batches, with `between` outside of the measured time.
fn batches(iterations: u64, mut work: impl FnMut(u64), mut between: impl FnMut()) -> Duration {
    let (mut total, mut done) = (Duration::ZERO, 0);
    while done < iterations {
        let batch = BATCH.min(iterations - done);
        let start = Instant::now();
        (done..done + batch).for_each(&mut work);
        total += start.elapsed();
        done += batch;
        between();
    }
    total
}

fn audio_thread(criterion: &mut Criterion) {
    let channels = [samples(0.01), samples(0.013)];
    let mut group = criterion.benchmark_group("audio thread, 512 frames stereo");
    group.bench_function("plain copy", |bencher| {
        let mut buffer = vec![0.0_f32; (RATE * 2.0) as usize * 2];
        bencher.iter_custom(|iterations| {
            let places = buffer.len() / (2 * FRAMES);
            let work = |n: u64| {
                let start = (n as usize % places) * 2 * FRAMES;
                buffer[start..start + FRAMES].copy_from_slice(&channels[0]);
                buffer[start + FRAMES..start + 2 * FRAMES].copy_from_slice(&channels[1]);
                black_box(&mut buffer[start]);
            };
            batches(iterations, work, || {})
        });
    });
    group.bench_function("capture", |bencher| {
        let config = CaptureConfig { sample_rate: RATE, channels: 2, max_block: FRAMES as u32, patient: false };
        let (mut capture, mut captured) = capture(config);
        let mut block = 0;
        bencher.iter_custom(|iterations| {
            let work = |_| {
                one_block(&mut capture, block, &channels);
                block += 1;
            };
            batches(iterations, work, || drain(&mut captured))
        });
        assert_eq!(captured.counters.dropped_blocks(), 0, "the ring must not have been full");
    });
    group.finish();
}

criterion_group!(benches, audio_thread);
criterion_main!(benches);
