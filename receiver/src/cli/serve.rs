//! `send-learn serve`.

use std::io::{self, IsTerminal, Write};
use std::net::SocketAddr;
use std::process::ExitCode;
use std::thread;

use anyhow::{Context, bail};
use send_learn::server::{Config, Server, Stop};
use send_learn::settings::{Effective, Flags};
use send_learn::{control, metrics};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use super::console::{self, Elsewhere, Log};
use super::logging;
use super::reload::Reload;

pub(super) fn run(flags: Flags) -> anyhow::Result<ExitCode> {
    let effective = Effective::resolve(&flags)?;
    let settings = effective.settings();
    refuse_to_be_open(settings.listen, settings.open)?;
    let with_console = io::stdin().is_terminal() && io::stdout().is_terminal();
    let log = Log::default();
    let level = logging::start(&settings.log, settings.log_json, with_console.then(|| log.clone()));

    let data = settings.data.clone();
    let config = Config {
        log_status: !with_console,
        max_streams: settings.max_streams,
        tunable: settings.tunable,
        ..Config::new(settings.listen, data.clone())
    };
    let server = Server::bind(&config)?;
    // Recording does not depend on it.
    if let Err(error) = control::listen(&data, server.remote()) {
        tracing::warn!("`send-learn status` and `stop` will not reach this receiver: {error}");
    }
    if let Some(address) = settings.metrics {
        let address = metrics::serve(address, server.remote())?;
        tracing::info!("figures for Prometheus: http://{address}/metrics");
    }
    let elsewhere = Elsewhere::default();
    let config_file = flags.config.clone();
    let reload = Reload { flags, effective, remote: server.remote(), level };
    listen_for_signals(server.stopper(), elsewhere.clone(), (!with_console).then_some(reload))
        .context("cannot listen for signals")?;
    let mut out = io::stdout().lock();
    // A closed stdout is no reason not to record.
    let _ = writeln!(out, "listening on {}", server.address()).and_then(|()| out.flush());
    drop(out);
    if with_console {
        console::run(server, &data, config_file, log, elsewhere)?;
    } else {
        tracing::info!("recording to {}; Ctrl-C closes the recordings and ends", data.display());
        server.run().context("the receiver failed; recordings are closed")?;
    }
    control::close(&data);
    tracing::info!("all recordings are closed");
    Ok(ExitCode::SUCCESS)
}

fn refuse_to_be_open(listen: SocketAddr, open: bool) -> anyhow::Result<()> {
    if !open && !listen.ip().is_loopback() {
        bail!(
            "{listen} can be reached from other machines, and nothing is encrypted yet: whoever reaches it can send streams and \
             watch those of others. In a network that you trust, say so:\n\n    send-learn serve --listen {listen} --open"
        );
    }
    Ok(())
}

/// From now on Ctrl-C, or being told to end, stops the server. SIGHUP has the settings read again; on a terminal it means that the
/// terminal is gone.
fn listen_for_signals(stop: Stop, elsewhere: Elsewhere, mut reload: Option<Reload>) -> io::Result<()> {
    let mut signals = Signals::new([SIGINT, SIGTERM, SIGHUP])?;
    let wait = move || {
        for signal in signals.forever() {
            match (&mut reload, signal) {
                (Some(reload), SIGHUP) => reload.run(),
                (_, SIGINT) if elsewhere.is_set() => {}
                _ => stop.stop(),
            }
        }
    };
    thread::Builder::new().name("signals".into()).spawn(wait).map(drop)
}
