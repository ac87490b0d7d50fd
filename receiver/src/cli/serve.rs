//! `send-learn serve`.

use std::fmt;
use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;
use std::thread;

use anyhow::{Context, bail};
use send_learn::server::{Config, Server, Stop};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use time::OffsetDateTime;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::FormatTime;

use super::console::{self, Elsewhere, Log};

pub(super) fn run(config: Config, open: bool) -> anyhow::Result<ExitCode> {
    let listen = config.listen;
    if !open && !listen.ip().is_loopback() {
        bail!(
            "{listen} can be reached from other machines, and nothing is encrypted yet: whoever reaches it can send streams and \
             watch those of others. In a network that you trust, say so:\n\n    send-learn serve --listen {listen} --open"
        );
    }
    let with_console = io::stdin().is_terminal() && io::stdout().is_terminal();
    let log = Log::default();
    start_log(with_console.then(|| log.clone()));

    let data = config.data.clone();
    let server = Server::bind(&Config { log_status: !with_console, ..config })?;
    let elsewhere = Elsewhere::default();
    stop_on_signals(server.stopper(), elsewhere.clone()).context("cannot listen for signals")?;
    let mut out = io::stdout().lock();
    // A closed stdout is no reason not to record.
    let _ = writeln!(out, "listening on {}", server.address()).and_then(|()| out.flush());
    drop(out);
    if with_console {
        console::run(server, data, log, elsewhere)?;
    } else {
        tracing::info!("recording to {}; Ctrl-C closes the recordings and ends", data.display());
        server.run().context("the receiver failed; recordings are closed")?;
    }
    tracing::info!("all recordings are closed");
    Ok(ExitCode::SUCCESS)
}

/// From now on Ctrl-C, or being told to end, stops the server.
fn stop_on_signals(stop: Stop, elsewhere: Elsewhere) -> io::Result<()> {
    let mut signals = Signals::new([SIGINT, SIGTERM, SIGHUP])?;
    let wait = move || {
        for signal in signals.forever() {
            if signal != SIGINT || !elsewhere.is_set() {
                stop.stop();
            }
        }
    };
    thread::Builder::new().name("signals".into()).spawn(wait).map(drop)
}

/// Logs to stderr; or, where there is a console, for a person who watches it.
fn start_log(console: Option<Log>) {
    let filter = EnvFilter::try_from_env("SEND_LEARN_LOG").unwrap_or_else(|_| EnvFilter::new("info"));
    let logs = tracing_subscriber::fmt().with_target(false).with_env_filter(filter);
    match console {
        Some(log) => logs.with_timer(Clock).with_ansi(false).with_writer(log).init(),
        None => logs.with_writer(io::stderr).with_ansi(io::stderr().is_terminal()).init(),
    }
}

/// The time of day, UTC: who watches knows the day.
struct Clock;

impl FormatTime for Clock {
    fn format_time(&self, writer: &mut Writer<'_>) -> fmt::Result {
        let (hour, minute, second) = OffsetDateTime::now_utc().to_hms();
        write!(writer, "{hour:02}:{minute:02}:{second:02}")
    }
}
