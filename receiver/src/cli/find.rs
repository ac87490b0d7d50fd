//! `send-learn find`: which receivers are there?

use std::io::{self, Write};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use send_learn_discovery::Found;

use super::table::{clean, columns};

/// Answers come within a second; a lost question is asked again after one.
const PATIENCE: Duration = Duration::from_millis(2_500);

const TITLES: [&str; 4] = ["RECEIVER", "ADDRESS", "KEY", "FOLDER"];

/// Exit status 1 when there is none.
pub(super) fn run(json: bool) -> anyhow::Result<ExitCode> {
    let found = send_learn_discovery::find(PATIENCE)?;
    let mut out = io::stdout().lock();
    if json {
        serde_json::to_writer_pretty(&mut out, &found).context("cannot write JSON")?;
        writeln!(out)?;
    } else if !found.is_empty() {
        let rows = std::iter::once(TITLES.map(str::to_owned).to_vec()).chain(found.iter().map(row)).collect::<Vec<_>>();
        columns(&rows).iter().try_for_each(|line| writeln!(out, "{line}"))?;
    } else {
        eprintln!(
            "no receiver announces itself in this network. One that listens on 127.0.0.1 alone does not; \"send-learn doctor\" looks for \
             other reasons"
        );
    }
    Ok(if found.is_empty() { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn row(found: &Found) -> Vec<String> {
    let addresses: Vec<String> = found.addresses.iter().map(ToString::to_string).collect();
    let key = if found.key { "needed" } else { "-" };
    vec![clean(&found.name), addresses.join(" "), key.to_owned(), found.receiver.short()]
}
