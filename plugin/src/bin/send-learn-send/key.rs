//! The key of the studio: entered, and used.

use std::io::{self, IsTerminal, Read, Write};
use std::sync::Arc;

use anyhow::{Context, Result};
use send_learn_plugin::uplink::Uplink;
use send_learn_protocol::secure::Key;

use super::Options;

/// More is no key.
const MAX_INPUT: u64 = 1_024;

/// Keeps the key that a person types, or another program writes. Not an argument: other users of the machine could see it.
pub(crate) fn set() -> Result<bool> {
    let mut text = String::new();
    if io::stdin().is_terminal() {
        eprint!("Key: ");
        io::stderr().flush()?;
        io::stdin().read_line(&mut text)?;
    } else {
        io::stdin().take(MAX_INPUT).read_to_string(&mut text)?;
    }
    let key = text.parse::<Key>().context("this is not kept")?;
    let file = send_learn_key::file()?;
    send_learn_key::save(&file, &key)?;
    println!("kept in {}", file.display());
    Ok(true)
}

/// The uplink, with the key of this machine, or of the file that the person named.
pub(crate) fn uplink(options: &Options) -> Result<Arc<Uplink>> {
    let key = match &options.key_file {
        Some(file) => Some(send_learn_key::load(file)?.with_context(|| format!("there is no key in {}", file.display()))?),
        None => send_learn_key::machine()?,
    };
    let uplink = Uplink::acquire().context("the system grants no thread or socket")?;
    uplink.set_key(Ok(key));
    Ok(uplink)
}
