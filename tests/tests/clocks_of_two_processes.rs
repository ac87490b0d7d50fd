//! How well one process knows the clock of another: on one machine both read the same clock, so the true offset is 0.

use std::process::Command;

use anyhow::{Context, Result, bail, ensure};
use send_learn_tests::audio::Audio;
use send_learn_tests::process::Process;
use send_learn_tests::products;
use send_learn_tests::rig::{DELIVERY, Rig};

const RATE: u32 = 48_000;

/// How long is played, in seconds: the clock is to be known after 10.
const SECONDS: usize = 11;

/// Beyond this the estimate is no good, in nanoseconds.
const LIMIT: i64 = 50_000;

/// A row of `/clock`: offset and uncertainty in nanoseconds, the time of the estimate in seconds after the first.
struct Row {
    after: f64,
    offset: i64,
    uncertainty: i64,
}

/// Plays, and gives what was recorded of the clock.
fn clock() -> Result<Vec<Row>> {
    let rig = Rig::new()?;
    let wav = rig.file("input.wav");
    Audio::all_kinds(RATE, 1, SECONDS * RATE as usize, 3).save(&wav)?;
    let mut sender = Process::start(rig.sender(rig.receiver().address())?.arg("--wav").arg(&wav))?;
    ensure!(sender.wait(DELIVERY)?.success(), "send-learn-send failed; the receiver said: {}", rig.receiver().messages());
    let read = "import h5py, sys\n\
                for row in h5py.File(sys.argv[1])['clock'][:]: print(row['host_nanos'], row['offset_nanos'], row['uncertainty_nanos'])";
    let output = Command::new(products::path("SEND_LEARN_PYTHON")?).args(["-c", read]).arg(rig.recording()?).output()?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout)?;
    let mut first = None;
    text.lines()
        .map(|line| {
            let numbers: Vec<i64> = line.split_whitespace().map(str::parse).collect::<Result<_, _>>()?;
            let [host, offset, uncertainty] = numbers[..] else { bail!("a row of three: {line}") };
            let after = (host - *first.get_or_insert(host)) as f64 * 1e-9;
            Ok(Row { after, offset, uncertainty })
        })
        .collect()
}

#[test]
fn on_one_machine_the_clock_is_known_within_50_microseconds() -> Result<()> {
    let rows = clock()?;
    let last = rows.last().context("the recording has no clock")?;
    let worst = rows.iter().map(|row| row.offset.abs()).max().unwrap_or(0);
    println!(
        "after {:.1} s the offset is wrong by {:.1} us, the stated uncertainty {:.1} us; the worst of {} estimates {:.1} us",
        last.after,
        last.offset as f64 / 1e3,
        last.uncertainty as f64 / 1e3,
        rows.len(),
        worst as f64 / 1e3
    );
    ensure!(last.after > 9.0, "the last estimate is of {:.1} s", last.after);
    for Row { after, offset, uncertainty } in &rows {
        ensure!(offset.abs() <= *uncertainty, "after {after:.1} s: {offset} ns is beyond the stated {uncertainty} ns");
    }
    ensure!(last.offset.abs() <= LIMIT, "wrong by {} ns", last.offset);
    Ok(())
}
