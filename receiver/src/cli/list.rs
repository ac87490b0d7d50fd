//! `send-learn list`.

use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;

use anyhow::Context;
use send_learn::take::{State, Take, folders};

use super::table;

pub(super) fn run(data: &Path) -> anyhow::Result<ExitCode> {
    let folders = folders(data).with_context(|| format!("cannot read {}", data.display()))?;
    let mut rows = vec![["STARTED (UTC)", "NAME", "LENGTH", "RATE", "CH", "STATE", "FOLDER"].map(str::to_owned).to_vec()];
    let mut code = ExitCode::SUCCESS;
    for folder in folders {
        match Take::load(&folder) {
            Ok(take) => rows.push(row(data, &folder, &take)),
            Err(error) => {
                eprintln!("send-learn: {error}");
                code = ExitCode::FAILURE;
            }
        }
    }
    if rows.len() == 1 {
        writeln!(io::stdout(), "no takes in {}", data.display())?;
    } else {
        table::print(&mut io::stdout().lock(), &rows)?;
    }
    Ok(code)
}

fn row(data: &Path, folder: &Path, take: &Take) -> Vec<String> {
    let frames: u64 = take.parts.iter().map(|part| part.frames).sum();
    let state = match take.state {
        State::Open => "open",
        State::Interrupted => "interrupted",
        State::Complete => "complete",
        State::Damaged => "DAMAGED",
    };
    let name = if take.name().is_empty() { "(no name)" } else { take.name() };
    vec![
        table::time(take.started_unix_nanos),
        name.to_owned(),
        table::duration(frames as f64 / take.sample_rate),
        take.sample_rate.to_string(),
        take.channels.to_string(),
        state.to_owned(),
        folder.strip_prefix(data).unwrap_or(folder).display().to_string(),
    ]
}
