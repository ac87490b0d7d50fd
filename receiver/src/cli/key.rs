//! `send-learn key`.

use std::io::{self, IsTerminal, Read, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use clap::Args;
use send_learn_key as keys;
use send_learn_protocol::secure::Key;

/// More is no key.
const MAX_INPUT: u64 = 1_024;

#[derive(Debug, Args)]
pub(crate) struct KeyOptions {
    /// Make another key; the old one is of no use from the receiver's next start on.
    #[arg(long, conflicts_with = "set")]
    new: bool,
    /// Enter the key of another machine: typed, or from standard input.
    #[arg(long)]
    set: bool,
    /// The file of the key [default: the one that all programs of this user find].
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
}

pub(super) fn run(options: KeyOptions) -> anyhow::Result<ExitCode> {
    let path = options.file.map_or_else(keys::file, Ok)?;
    if options.set {
        keys::save(&path, &ask()?)?;
        eprintln!("kept in {}", path.display());
        return Ok(ExitCode::SUCCESS);
    }
    let kept = if options.new { None } else { keys::load(&path)? };
    let key = match kept {
        Some(key) => key,
        None => {
            let key = keys::new().context("the system gives no random bytes")?;
            keys::save(&path, &key)?;
            key
        }
    };
    // The key alone is what others may want to read.
    println!("{key}");
    eprintln!(
        "Whoever has this key can send to the receiver, and watch. Enter it once on each machine: in the plugin's window, by\n\
         \"send-learn-send --set-key\", or by \"send-learn key --set\". It is kept in {}{}",
        path.display(),
        if kept.is_none() { "; a receiver that runs uses it when it is started again." } else { "." }
    );
    Ok(ExitCode::SUCCESS)
}

/// A key that a person types, or that another program writes. Not as an argument: other users of the machine could see that.
fn ask() -> anyhow::Result<Key> {
    let mut text = String::new();
    if io::stdin().is_terminal() {
        eprint!("Key: ");
        io::stderr().flush()?;
        io::stdin().read_line(&mut text)?;
    } else {
        io::stdin().take(MAX_INPUT).read_to_string(&mut text)?;
    }
    text.parse::<Key>().context("this is not kept")
}
