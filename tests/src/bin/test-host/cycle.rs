//! Instances opened and closed, activated and deactivated, at one rate and another: nothing may be left of them.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use clack_host::prelude::EventBuffer;
use send_learn_tests::host::{Block, EFFECT, Rack};
use send_learn_tests::own;
use serde_json::{Value, json};

/// Instances that are open at once.
const AT_ONCE: usize = 25;

/// Rounds of as many. The first ones show what the allocator keeps for good.
const ROUNDS: usize = 40;

/// How long the uplink may take to let go of what is over.
const SETTLES: Duration = Duration::from_millis(300);

/// Rates and longest blocks, in turn.
const WAYS: [(f64, usize); 4] = [(44_100.0, 64), (48_000.0, 512), (96_000.0, 1_024), (192_000.0, 33)];

/// Activates one instance `activations` times, then opens and closes a thousand.
pub(crate) fn run(rack: &mut Rack, activations: usize) -> Result<Value> {
    let slot = rack.add(EFFECT, "Cycled")?;
    let state = rack.state(slot)?;
    let (early, begun) = (activations / 2, Instant::now());
    let mut memory_early = 0;
    for time in 0..activations {
        let (rate, block) = WAYS[time % WAYS.len()];
        rack.activate(slot, rate, block)?;
        rack.deactivate(slot);
        if time + 1 == early {
            std::thread::sleep(SETTLES);
            memory_early = own::memory()?;
        }
    }
    let each = (begun.elapsed() - SETTLES) / activations.max(1) as u32;
    std::thread::sleep(SETTLES);
    let memory_late = own::memory()?;
    // Of the stream's identity, which its first activation made, everything else was there before.
    let after = rack.state(slot)?;
    ensure!(after.len() >= state.len(), "the state has lost something");
    rack.restore(slot, &after)?;
    ensure!(same(&rack.state(slot)?, &after)?, "the state is not what was restored");
    rack.clear();

    let mut rounds = Vec::new();
    for round in 0..ROUNDS {
        for number in 0..AT_ONCE {
            let slot = rack.add(EFFECT, &format!("Round {round} track {number}"))?;
            let (rate, block) = WAYS[number % WAYS.len()];
            rack.activate(slot, rate, block)?;
            let sound = vec![0.1; block];
            let events = EventBuffer::new();
            rack.play(slot, Block { start: 0, input: [&sound, &sound], events: &events })?;
        }
        rack.clear();
        std::thread::sleep(SETTLES);
        rounds.push(json!({ "threads": own::threads("send-learn")?, "all": own::threads("")?.len(), "kib": own::memory()? }));
    }
    let activation = json!({ "kib_early": memory_early, "kib_late": memory_late, "micros_each": each.as_micros() as u64 });
    Ok(json!({ "activation": activation, "rounds": rounds }))
}

/// Whether two states say the same: the order of what is in them does not matter.
fn same(one: &[u8], other: &[u8]) -> Result<bool> {
    let read = |state: &[u8]| -> Result<Value> {
        let begin = state.iter().position(|byte| *byte == b'{').context("no JSON in the state")?;
        Ok(serde_json::from_slice(&state[begin..])?)
    };
    Ok(read(one)? == read(other)?)
}
