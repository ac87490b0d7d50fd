//! `send-learn serve`.

use std::io::{self, IsTerminal, Write};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::thread;

use anyhow::{Context, bail};
use send_learn::server::{Config, Server, Stop};
use send_learn::settings::{Effective, Flags};
use send_learn::{announce, control, metrics};
use send_learn_protocol::secure::Psk;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use super::console::{self, Elsewhere, Log};
use super::logging;
use super::reload::Reload;

/// Who may send and watch.
pub(super) enum Door {
    /// Everybody.
    Open,
    /// Who has the key in this file.
    File(PathBuf),
    /// Who has the key of this machine, if there is one.
    Machine,
}

impl Door {
    /// The secret, and where its key is kept; `None`: everybody may.
    fn key(&self, listen: SocketAddr) -> anyhow::Result<Option<(Psk, PathBuf)>> {
        let path = match self {
            Self::Open => return Ok(None),
            Self::File(path) => Some(path.clone()),
            Self::Machine => send_learn_key::file().ok(),
        };
        let key = path.as_deref().map_or(Ok(None), send_learn_key::load)?;
        match (key, path, self) {
            (Some(key), Some(path), _) => Ok(Some((key.psk(), path))),
            (_, Some(path), Self::File(_)) => {
                bail!("there is no key in {path}. Make one:\n\n    send-learn key --file {path}", path = path.display())
            }
            _ if listen.ip().is_loopback() => Ok(None),
            _ => bail!(
                "{listen} can be reached from other machines, and there is no key yet. Make one, and start again:\n\n    \
                 send-learn key\n\nEnter it once on each studio machine: in the plugin's window, or by send-learn-send --set-key. Or, in a \
                 network in which everybody may send, and watch what others play, unencrypted:\n\n    \
                 send-learn serve --listen {listen} --open"
            ),
        }
    }
}

pub(super) fn run(flags: Flags) -> anyhow::Result<ExitCode> {
    let effective = Effective::resolve(&flags)?;
    let settings = effective.settings();
    let door = if settings.open { Door::Open } else { settings.key_file.map_or(Door::Machine, Door::File) };
    let (psk, kept) = door.key(settings.listen)?.unzip();
    let with_console = io::stdin().is_terminal() && io::stdout().is_terminal();
    let log = Log::default();
    let level = logging::start(&settings.log, settings.log_json, with_console.then(|| log.clone()));

    let data = settings.data.clone();
    let config = Config {
        log_status: !with_console,
        max_streams: settings.max_streams,
        max_streams_per_address: settings.max_streams_per_address,
        psk,
        tunable: settings.tunable,
        ..Config::new(settings.listen, data.clone())
    };
    let server = Server::bind(&config)?;
    // Recording does not depend on it.
    if let Err(error) = control::listen(&data, server.remote()) {
        tracing::warn!("`send-learn status` and `stop` will not reach this receiver: {error}");
    }
    let announcement = settings.announce.then(|| announce::start(server.address(), server.identity(), kept.is_some())).flatten();
    if let Some(address) = settings.metrics {
        let address = metrics::serve(address, server.remote())?;
        tracing::info!("figures for Prometheus: http://{address}/metrics");
    }
    match kept {
        Some(path) => tracing::info!("only who has the key in {} can send and watch; everything is encrypted", path.display()),
        None => tracing::info!("everybody who reaches {} can send and watch; nothing is encrypted", server.address()),
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
    drop(announcement);
    control::close(&data);
    tracing::info!("all recordings are closed");
    Ok(ExitCode::SUCCESS)
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
