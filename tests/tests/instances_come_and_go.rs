//! Activated and deactivated a thousand times at changing rates, a thousand opened and closed: no thread and no memory is left.

use anyhow::{Context, Result, ensure};
use send_learn_tests::process::Process;
use send_learn_tests::rig::{DELIVERY, Rig};
use serde_json::Value;

/// KiB that the allocator may keep for itself: what two lost instances would cost.
const KEPT: u64 = 2_048;

/// Rounds of 25 instances that are compared. Before them the allocator finds its size: each round adds less, and after some 750
/// instances none adds anything.
const COMPARED: usize = 8;

#[test]
fn nothing_is_left_of_a_thousand_activations_and_a_thousand_instances() -> Result<()> {
    let rig = Rig::new()?;
    // What is freed goes back to the system at once: otherwise glibc keeps what each thread had, and grows into what was large.
    let mut command = rig.test_host("cycle", 1_000)?;
    let thrifty = [("MALLOC_ARENA_MAX", "1"), ("MALLOC_MMAP_THRESHOLD_", "65536"), ("MALLOC_TRIM_THRESHOLD_", "65536")];
    let mut host = Process::start(command.envs(thrifty))?;
    let seen: Value = serde_json::from_str(&host.report()?)?;
    println!("{seen}");
    let number = |value: &Value| value.as_u64().context("not a number");
    let activation = &seen["activation"];
    let (early, late) = (number(&activation["kib_early"])?, number(&activation["kib_late"])?);
    ensure!(late <= early + KEPT, "memory grew from {early} to {late} KiB by activations");

    let rounds = seen["rounds"].as_array().context("no rounds")?;
    let (first, last) = (rounds.iter().rev().nth(COMPARED).context("no round")?, rounds.last().context("no round")?);
    for round in rounds {
        ensure!(round["threads"].as_array().is_some_and(Vec::is_empty), "threads are left: {round}");
        ensure!(round["all"] == first["all"], "other threads are left: {rounds:?}");
    }
    let (before, after) = (number(&first["kib"])?, number(&last["kib"])?);
    ensure!(after <= before + KEPT, "memory grew from {before} to {after} KiB by 200 instances");

    drop(host.child().stdin.take());
    ensure!(host.wait(DELIVERY)?.success(), "the host ended badly");
    Ok(())
}
