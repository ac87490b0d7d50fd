//! Which receivers there are.

use std::io::{self, Write};
use std::time::Duration;

use anyhow::Result;
use send_learn_discovery::{Found, find};

/// Answers come within a second; a lost question is asked again after one.
const PATIENCE: Duration = Duration::from_millis(2_500);

/// Prints a line for each.
pub(crate) fn list() -> Result<()> {
    let found = find(PATIENCE)?;
    let mut out = io::stdout().lock();
    for Found { name, addresses, key, .. } in &found {
        let addresses: Vec<String> = addresses.iter().map(ToString::to_string).collect();
        let key = if *key { "  (needs its key)" } else { "" };
        writeln!(out, "{name}  {}{key}", addresses.join("  "))?;
    }
    if found.is_empty() {
        eprintln!(
            "no receiver was found in this network. One that listens on 127.0.0.1 alone is not announced: start it with \
             \"send-learn serve --listen 0.0.0.0:8080\". \"send-learn doctor\" looks for other reasons"
        );
    }
    Ok(())
}
