//! `send-learn serve`.

use std::io::{IsTerminal, Write};
use std::process::ExitCode;

use anyhow::{Context, bail};
use send_learn::server::{Config, Server};
use tracing_subscriber::EnvFilter;

pub(super) fn run(config: &Config, open: bool) -> anyhow::Result<ExitCode> {
    let Config { listen, data, .. } = config;
    if !open && !listen.ip().is_loopback() {
        bail!(
            "{listen} can be reached from other machines, and nothing is encrypted yet: whoever reaches it can send streams and \
             watch those of others. In a network that you trust, say so:\n\n    send-learn serve --listen {listen} --open"
        );
    }
    let filter = EnvFilter::try_from_env("SEND_LEARN_LOG").unwrap_or_else(|_| EnvFilter::new("info"));
    let logs = tracing_subscriber::fmt().with_writer(std::io::stderr).with_target(false).with_env_filter(filter);
    logs.with_ansi(std::io::stderr().is_terminal()).init();

    let server = Server::bind(config)?;
    let stop = server.stopper();
    ctrlc::set_handler(move || stop.stop()).context("cannot listen for Ctrl-C")?;
    let mut out = std::io::stdout().lock();
    // A closed stdout is no reason not to record.
    let _ = writeln!(out, "listening on {}", server.address()).and_then(|()| out.flush());
    drop(out);
    tracing::info!("recording to {}; Ctrl-C closes the recordings and ends", data.display());
    server.run().context("the receiver failed; recordings are closed")?;
    tracing::info!("all recordings are closed");
    Ok(ExitCode::SUCCESS)
}
