//! `send-learn status`, `rotate` and `stop`: what a running receiver is asked.

use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use send_learn::control::{Answer, AskError, Request, ask};
use send_learn::status::Status;

use super::{streams, table};

/// A receiver that is to end has this long to close its recordings.
const CLOSING: Duration = Duration::from_secs(120);

/// What a person can do something about, of what was not taken.
const COUNTED: [(&str, &str); 5] = [
    ("key_needed", "attempts without a key"),
    ("wrong_key", "with another key"),
    ("no_key", "with a key, which this receiver has not"),
    ("too_many_streams", "over the number of streams"),
    ("too_many_from_address", "over the number of streams of one machine"),
];

pub(super) fn status(data: &Path, json: bool) -> anyhow::Result<ExitCode> {
    let Answer::Status(status) = ask(data, Request::Status)? else { bail!("the receiver is of another version") };
    let mut out = io::stdout().lock();
    if json {
        serde_json::to_writer_pretty(&mut out, &status).context("cannot write JSON")?;
        writeln!(out)?;
        return Ok(ExitCode::SUCCESS);
    }
    let Status { version, address, data, encrypted, rejected, disk, socket, streams, .. } = &*status;
    let address = address.map_or_else(|| "nowhere yet".to_owned(), |address| address.to_string());
    let door = if *encrypted { "for those who have the key" } else { "for everybody, unencrypted" };
    writeln!(out, "Send Learn {version} listens on {address}, {door}, and records to {}", data.display())?;
    let refused: Vec<String> = COUNTED
        .iter()
        .filter_map(|(why, words)| Some(format!("{} {words}", rejected.get(*why).filter(|count| **count > 0)?)))
        .collect();
    if !refused.is_empty() {
        writeln!(out, "turned away so far: {}", refused.join(", "))?;
    }
    writeln!(out, "{}", streams::disk_words(disk, streams))?;
    if let Some(drops) = socket.kernel_drops.filter(|drops| *drops > 0) {
        let buffer = socket.receive_buffer >> 10;
        writeln!(
            out,
            "the kernel has dropped {drops} datagrams, for which its buffer of {buffer} KiB had no room; they are sent again"
        )?;
    }
    if streams.is_empty() {
        writeln!(out, "{}", streams::NO_STREAM)?;
    }
    streams::lines(streams).iter().filter(|_| !streams.is_empty()).try_for_each(|line| writeln!(out, "{line}"))?;
    Ok(ExitCode::SUCCESS)
}

pub(super) fn rotate(data: &Path) -> anyhow::Result<ExitCode> {
    accepted(&ask(data, Request::Rotate)?)?;
    println!("the files of all open takes are closed; they go on in others");
    Ok(ExitCode::SUCCESS)
}

pub(super) fn rename(data: &Path, stream: String, name: String) -> anyhow::Result<ExitCode> {
    let said = format!("{stream} is called {name} from now on");
    accepted(&ask(data, Request::Rename { stream, name })?)?;
    println!("{}", table::clean(&said));
    Ok(ExitCode::SUCCESS)
}

/// Ends when the receiver has.
pub(super) fn stop(data: &Path) -> anyhow::Result<ExitCode> {
    accepted(&ask(data, Request::Stop)?)?;
    let asked = Instant::now();
    while !matches!(ask(data, Request::Status), Err(AskError::Nobody { .. })) {
        if asked.elapsed() > CLOSING {
            bail!("the receiver is still closing its recordings after {} s", CLOSING.as_secs());
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    println!("all recordings are closed");
    Ok(ExitCode::SUCCESS)
}

fn accepted(answer: &Answer) -> anyhow::Result<()> {
    match answer {
        Answer::Accepted => Ok(()),
        Answer::Refused { why } => bail!("{why}"),
        other => bail!("the receiver is of another version: it answers {other:?}"),
    }
}
