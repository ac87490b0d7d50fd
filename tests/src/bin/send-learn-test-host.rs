//! A host that puts the real plugin through what tests ask for, and says in JSON what it saw. Then it stays until its input ends,
//! as a DAW stays open.
//!
//!     send-learn-test-host look|many|cycle|express|deadlines PLUGIN.clap [NUMBER]

#[path = "test-host/cycle.rs"]
mod cycle;
#[path = "test-host/deadlines.rs"]
mod deadlines;
#[path = "test-host/express.rs"]
mod express;
#[path = "test-host/many.rs"]
mod many;

use std::io::{Read, Write, stdin, stdout};
use std::path::Path;

use anyhow::{Context, Result, bail};
use send_learn_tests::host::{EFFECT, Rack};
use send_learn_tests::own;
use serde_json::{Value, json};

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (words, number) = match arguments.as_slice() {
        [words @ .., number] if number.parse::<u64>().is_ok() => (words, number.parse()?),
        words => (words, 0),
    };
    let [task, plugin] = words else { bail!("usage: send-learn-test-host TASK PLUGIN.clap [NUMBER]") };
    // The instances live until the input ends.
    let mut rack = Rack::open(Path::new(plugin))?;
    let said = match task.as_str() {
        "look" => look(&mut rack)?,
        "many" => many::play(&mut rack, number as usize)?,
        "cycle" => cycle::run(&mut rack, number as usize)?,
        "express" => express::play(&mut rack)?,
        "deadlines" => deadlines::play(&mut rack, number)?,
        other => bail!("no task {other}"),
    };
    println!("{said}");
    println!("played");
    stdout().flush()?;
    stdin().read_to_end(&mut Vec::new()).context("no input")?;
    Ok(())
}

/// Scans, makes an instance, saves and restores its state: all that a host does before it activates a plugin.
fn look(rack: &mut Rack) -> Result<Value> {
    let mut seen = Vec::new();
    let mut note = |what: &str| -> Result<()> {
        seen.push(json!({ "after": what, "sockets": own::sockets()?, "threads": own::threads("send-learn")? }));
        Ok(())
    };
    note("loading")?;
    let plugins = rack.plugins();
    note("scanning")?;
    for (id, _) in &plugins {
        rack.add(id, "Looked at")?;
    }
    note("making instances")?;
    let saved = rack.state(0)?;
    rack.restore(0, &saved)?;
    note("restoring state")?;
    std::thread::sleep(std::time::Duration::from_millis(300));
    note("a while")?;
    let slot = rack.add(EFFECT, "Activated")?;
    rack.activate(slot, 48_000.0, 512)?;
    let active = own::threads("send-learn")?;
    Ok(json!({ "plugins": plugins, "seen": seen, "active": active }))
}
