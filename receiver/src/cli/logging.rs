//! The log of `send-learn serve`: for people on stderr, for a person who watches the console, or for programs as JSON.

use std::fmt;
use std::io::{self, IsTerminal};

use time::OffsetDateTime;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::FormatTime;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer, Registry, reload};

use super::console::Log;

/// Changes what the log says, while it runs.
#[derive(Clone, Debug)]
pub(super) struct Level(reload::Handle<EnvFilter, Registry>);

impl Level {
    /// From now on the log says what passes `filter`, which the settings have checked.
    pub(super) fn set(&self, filter: &str) {
        if let Err(error) = self.0.reload(parsed(filter)) {
            tracing::warn!("the log stays as it is: {error}");
        }
    }
}

/// Starts the log with what passes `filter`. Where there is a console, the lines go to it.
pub(super) fn start(filter: &str, json: bool, console: Option<Log>) -> Level {
    let (level, handle) = reload::Layer::new(parsed(filter));
    let layer = tracing_subscriber::fmt::layer().with_target(false);
    let layer = match console {
        Some(log) => layer.with_timer(Clock).with_ansi(false).with_writer(log).boxed(),
        None if json => layer.json().flatten_event(true).with_writer(io::stderr).boxed(),
        None => layer.with_ansi(io::stderr().is_terminal()).with_writer(io::stderr).boxed(),
    };
    tracing_subscriber::registry().with(level).with(layer).init();
    Level(handle)
}

fn parsed(filter: &str) -> EnvFilter {
    EnvFilter::builder().parse_lossy(filter)
}

/// The time of day, UTC: who watches knows the day.
struct Clock;

impl FormatTime for Clock {
    fn format_time(&self, writer: &mut Writer<'_>) -> fmt::Result {
        let (hour, minute, second) = OffsetDateTime::now_utc().to_hms();
        write!(writer, "{hour:02}:{minute:02}:{second:02}")
    }
}
