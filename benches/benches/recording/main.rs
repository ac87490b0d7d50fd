//! What does recording cost, and how quickly is a recording whole again? Each row stands beside what it is compared with, measured in
//! the same run, and beside what the project asks of it.
//!
//!     cargo bench -p send-learn-benches --bench recording [-- SECONDS]
//!
//! SECONDS is how long streams play in each run in real time, 30 if it is not said. LSL is run by the Python that `SEND_LEARN_PYTHON` names,
//! else by that of `cargo xtask setup`.

mod lsl;
mod paths;
mod repair;
mod sizes;

use std::ffi::OsStr;
use std::io::Write;
use std::path::Path;

use anyhow::{Context, Result, bail};
use send_learn_benches::playing::{receiver, recordings, sender};
use send_learn_benches::process::{Usage, finish, line, role};

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["receiver", data] => receiver(Path::new(data)),
        ["sender", address, streams, seconds, depth] => sender(address, streams.parse()?, seconds.parse()?, depth),
        [seconds] => figures(seconds.parse().context("give a number of seconds")?),
        [] => figures(30),
        _ => bail!("usage: cargo bench -p send-learn-benches --bench recording [-- SECONDS]"),
    }
}

fn figures(seconds: u64) -> Result<()> {
    println!("| work | measured | beside | ratio | asked |\n| --- | --- | --- | --- | --- |");
    let ours = record(16, seconds)?;
    beside_lsl(ours, seconds)?;
    paths::receive()?;
    paths::write()?;
    sizes::hour()?;
    repair::start_up()?;
    growth(ours[1], seconds)
}

/// A row of the table.
fn row(work: &str, measured: &str, beside: &str, ratio: &str, asked: &str) -> Result<()> {
    println!("| {work} | {measured} | {beside} | {ratio} | {asked} |");
    Ok(std::io::stdout().flush()?)
}

/// What a sender uses to send these streams, and a receiver to receive and record them.
fn record(streams: usize, seconds: u64) -> Result<[Usage; 2]> {
    let data = tempfile::tempdir()?;
    let mut receiver = role(&[OsStr::new("receiver"), data.path().as_os_str()])?;
    let address = line(&mut receiver)?;
    let sent = finish(role(&["sender", &address, &streams.to_string(), &seconds.to_string(), "float32"])?)?;
    let received = finish(receiver)?;
    let recorded = recordings(data.path())?.len();
    anyhow::ensure!(recorded == streams, "{recorded} recordings of {streams} streams");
    Ok([sent, received])
}

fn beside_lsl(ours: [Usage; 2], seconds: u64) -> Result<()> {
    let theirs = lsl::send_and_receive(16, seconds)?;
    let per_ten = |usage: Usage| format!("{:.2} s CPU per 10 s, {:.0} MB", usage.cpu / seconds as f64 * 10.0, usage.peak_mb);
    let asked = ["CPU at most 0.25", "CPU at most 0.33, memory at most 0.10"];
    for (end, work) in ["send 16 stereo float streams", "receive and record them"].into_iter().enumerate() {
        let (ours, (beside, ratio)) = (
            ours[end],
            match &theirs {
                Ok(theirs) => {
                    let (theirs, does) = (theirs[end], ["sends", "receives"][end]);
                    let ratio = format!("{:.2}, {:.2}", ours[end].cpu / theirs.cpu, ours[end].peak_mb / theirs.peak_mb);
                    (format!("LSL {does} them: {}", per_ten(theirs)), ratio)
                }
                Err(why) => (format!("LSL: skipped, {why}"), "-".to_owned()),
            },
        );
        row(work, &per_ten(ours), &beside, &ratio, asked[end])?;
    }
    Ok(())
}

fn growth(sixteen: Usage, seconds: u64) -> Result<()> {
    for streams in [1, 4, 16, 64] {
        let used = if streams == 16 { sixteen } else { record(streams, seconds)?[1] };
        let cpu = used.cpu / seconds as f64 * 10.0;
        let each = format!("{:.3} s and {:.1} MB for each stream", cpu / streams as f64, used.peak_mb / streams as f64);
        row(&format!("{streams} streams"), &format!("{cpu:.2} s CPU per 10 s, {:.0} MB", used.peak_mb), &each, "-", "linear")?;
    }
    Ok(())
}
