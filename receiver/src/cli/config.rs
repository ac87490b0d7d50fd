//! `send-learn config`.

use std::io::{self, Write};
use std::process::ExitCode;

use anyhow::Context;
use send_learn::settings::{Effective, Flags, Origin};
use serde_json::json;

use super::table;

pub(super) fn run(flags: &Flags, for_programs: bool) -> anyhow::Result<ExitCode> {
    let effective = Effective::resolve(flags)?;
    let mut out = io::stdout().lock();
    if for_programs {
        let settings: serde_json::Map<String, serde_json::Value> = effective
            .held
            .iter()
            .map(|held| (held.name.to_owned(), json!({ "value": held.value, "source": source(&held.origin) })))
            .collect();
        let document = json!({ "file": effective.file, "settings": settings });
        serde_json::to_writer_pretty(&mut out, &document).context("cannot write JSON")?;
        writeln!(out)?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut rows = vec![["SETTING", "VALUE", "FROM"].map(str::to_owned).to_vec()];
    rows.extend(effective.held.iter().map(|held| vec![held.name.to_owned(), held.value.clone(), held.origin.to_string()]));
    table::print(&mut out, &rows)?;
    if effective.file.is_none() {
        writeln!(out, "\nThere is no settings file; docs/receiver.md says what it can hold, and where it is looked for")?;
    }
    Ok(ExitCode::SUCCESS)
}

fn source(origin: &Origin) -> serde_json::Value {
    match origin {
        Origin::Default => json!({ "kind": "default" }),
        Origin::File { path, line } => json!({ "kind": "file", "file": path, "line": line }),
        Origin::Variable(name) => json!({ "kind": "variable", "variable": name }),
        Origin::Flag(name) => json!({ "kind": "flag", "flag": name }),
    }
}
