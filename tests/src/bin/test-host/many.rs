//! Many tracks in one host, all made from the saved state of the first, as when a person duplicates a track.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use clack_host::prelude::EventBuffer;
use send_learn_tests::host::{Block, EFFECT, Rack};
use send_learn_tests::own;
use serde_json::{Value, json};

const RATE: f64 = 48_000.0;
const BLOCK: usize = 512;

/// Blocks that each plays: longer than the rings are.
const BLOCKS: u64 = 220;

/// A quarter of real time, so that a machine that builds beside it keeps up.
const SPEED: f64 = 0.25;

pub(crate) fn play(rack: &mut Rack, count: usize) -> Result<Value> {
    // One first: what all share is there then.
    rack.add(EFFECT, "Track 1")?;
    rack.activate(0, RATE, BLOCK)?;
    let saved = rack.state(0)?;
    let none = EventBuffer::new();
    let sound: Vec<f32> = (0..BLOCK).map(|n| (n as f32 * 0.05).sin() * 0.25).collect();
    let one = Block { start: 0, input: [&sound, &sound], events: &none };
    rack.play(0, one)?;
    std::thread::sleep(Duration::from_millis(500));
    let before = own::memory()?;
    for number in 2..=count {
        let slot = rack.add(EFFECT, &format!("Track {number}"))?;
        rack.restore(slot, &saved)?;
        rack.activate(slot, RATE, BLOCK)?;
    }
    let begun = Instant::now();
    for block in 1..BLOCKS {
        for slot in 0..count {
            let (heard, _) = rack.play(slot, Block { start: block * BLOCK as u64, ..one })?;
            ensure!(heard == one.input, "track {} does not sound as it is played", slot + 1);
        }
        let due = Duration::from_secs_f64((block * BLOCK as u64) as f64 / RATE / SPEED);
        std::thread::sleep(due.saturating_sub(begun.elapsed()));
    }
    let playing = own::threads("send-learn")?;
    let sockets = own::sockets()?;
    // What is kept for the receiver goes when it has it safely; the rings and all else stay.
    let mut after = u64::MAX;
    for _ in 0..5 {
        std::thread::sleep(Duration::from_secs(1));
        after = after.min(own::memory()?);
    }
    (0..count).for_each(|slot| rack.deactivate(slot));
    Ok(json!({ "threads": playing, "sockets": sockets, "kib_each": after.saturating_sub(before) / (count as u64 - 1).max(1) }))
}
