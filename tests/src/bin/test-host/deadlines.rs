//! A host that plays in real time on a machine that has more to do than it can: was a block ever late because of the plugin?
//!
//! Under load every thread is late now and then, whatever it does. So three things are told apart: blocks that were late at all;
//! how often the audio thread had to wait for something within the plugin, and how often for a page of the program itself; and the
//! CPU time that the plugin took.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use clack_host::prelude::EventBuffer;
use send_learn_tests::audio::Audio;
use send_learn_tests::host::{Block, EFFECT, Rack};
use send_learn_tests::own::{self, Load};
use serde_json::{Value, json};

const RATE: u32 = 48_000;
const BLOCK: usize = 256;

/// Plays for `seconds`, each second block through the plugin's rival: a plain copy.
pub(crate) fn play(rack: &mut Rack, seconds: u64) -> Result<Value> {
    let slot = rack.add(EFFECT, "Deadlines")?;
    rack.activate(slot, f64::from(RATE), BLOCK)?;
    let blocks = seconds * u64::from(RATE) / BLOCK as u64;
    let noise = Audio::all_kinds(RATE, 2, blocks as usize * BLOCK, 11);
    if let Some(path) = std::env::var_os("SEND_LEARN_PLAYED") {
        noise.save(path.as_ref())?;
    }
    let load = Load::start()?;
    let events = EventBuffer::new();
    let length = Duration::from_secs_f64(BLOCK as f64 / f64::from(RATE));
    let (mut left, mut right) = (vec![0.0; BLOCK], vec![0.0; BLOCK]);
    let (mut late, mut late_without, mut toil) = (0u64, 0u64, Vec::with_capacity(blocks as usize));
    let (mut waits, mut waits_for_pages) = (0u64, 0u64);
    let begun = Instant::now();
    for block in 0..blocks {
        let due = begun + length * block as u32;
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
        let first = block as usize * BLOCK * 2;
        for (frame, samples) in noise.samples[first..first + 2 * BLOCK].chunks_exact(2).enumerate() {
            (left[frame], right[frame]) = (samples[0], samples[1]);
        }
        late_without += u64::from(Instant::now() > due + length);
        let before = own::toil();
        let (heard, _) = rack.play(slot, Block { start: block * BLOCK as u64, input: [&left, &right], events: &events })?;
        let after = own::toil();
        late += u64::from(Instant::now() > due + length);
        let same = |heard: &[f32], played: &[f32]| heard.iter().zip(played).all(|(one, other)| one.to_bits() == other.to_bits());
        ensure!(same(heard[0], &left) && same(heard[1], &right), "block {block} does not sound as it is played");
        // Where the system first had to find a page of the program, it may have the thread wait until it has.
        let kind = if after.faults > before.faults { &mut waits_for_pages } else { &mut waits };
        *kind += after.waits - before.waits;
        toil.push(after.nanos - before.nanos);
    }
    drop(load);
    rack.deactivate(slot);
    toil.sort_unstable();
    let at = |share: f64| toil[((toil.len() - 1) as f64 * share) as usize];
    Ok(json!({
        "blocks": blocks, "late": late, "late_before_the_plugin": late_without, "waits_in_the_plugin": waits,
        "waits_for_pages": waits_for_pages,
        "nanos": { "median": at(0.5), "p99.9": at(0.999), "most": at(1.0), "of": length.as_nanos() as u64 },
    }))
}
