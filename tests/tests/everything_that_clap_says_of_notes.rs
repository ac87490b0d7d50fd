//! Note expressions, MPE, release velocity, programs and chokes over CLAP: each is recorded at its sample, in full resolution.

use std::process::Command;

use anyhow::{Context, Result, ensure};
use send_learn_tests::host::TEST_HOST;
use send_learn_tests::process::Process;
use send_learn_tests::products;
use send_learn_tests::rig::{DELIVERY, Rig, said};
use serde_json::{Value, json};

/// Prints what the recording says of host and track, and all events.
const READ: &str = "\
import json, sys, h5py
file = h5py.File(sys.argv[1])
a = file.attrs
words = [a[key] for key in ('host', 'host_version', 'plugin_format', 'name', 'colour')]
rows = [[int(r['sample']), int(r['kind']), [int(r['status']), int(r['data1']), int(r['data2'])], int(r['note_id']), float(r['value'])]
        for r in file['midi'][:]]
print(json.dumps({'words': words, 'numbers': [float(a['sample_rate']), int(a['max_block'])], 'events': rows}))";

#[test]
fn expressions_mpe_and_programs_are_recorded_at_their_samples_and_the_host_by_its_name() -> Result<()> {
    let rig = Rig::new()?;
    let mut host = Process::start(&mut rig.test_host("express", 0)?)?;
    let played: Value = serde_json::from_str(&host.report()?)?;
    let recordings = rig.receiver().finished(1, DELIVERY)?;
    let recording = recordings.first().context("no recording")?;
    let output = Command::new(products::path("SEND_LEARN_PYTHON")?).args(["-c", READ]).arg(recording).output()?;
    let read: Value = serde_json::from_slice(&output.stdout).with_context(|| said(&output))?;
    let (name, version) = TEST_HOST;
    ensure!(read["words"] == json!([name, version, "CLAP", "Expressive", "#e27a3f"]), "{}", read["words"]);
    ensure!(read["numbers"] == json!([48_000.0, 512]), "{}", read["numbers"]);
    let (played, recorded) = (events(&played)?, events(&read["events"])?);
    ensure!(played.len() == recorded.len(), "{} events of {}: {recorded:?}", recorded.len(), played.len());
    for (played, recorded) in played.iter().zip(&recorded) {
        let alike = played.0 == recorded.0 && (played.1 - recorded.1).abs() < 1e-6;
        ensure!(alike, "recorded {recorded:?}, played {played:?}");
    }
    Ok(())
}

/// All of an event but its value, as text, and its value.
fn events(list: &Value) -> Result<Vec<(String, f64)>> {
    let event = |row: &Value| Some((format!("{} {} {} {}", row[0], row[1], row[2], row[3]), row[4].as_f64()?));
    list.as_array().context("no events")?.iter().map(|row| event(row).context("not an event")).collect()
}
