//! Handles to a running server, for other threads.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use mio::Waker;

use super::Server;
use crate::names::{MAX_NAME, Names};
use crate::queue::Queue;
use crate::recorder::Command;
use crate::retention::Retention;
use crate::settings::Tunable;
use crate::status::{Board, Status, StreamStatus};

/// Stops a running [`Server`](super::Server), from any thread.
#[derive(Clone, Debug)]
pub struct Stop {
    asked: Arc<AtomicBool>,
    waker: Arc<Waker>,
}

impl Stop {
    pub(super) fn new(waker: Arc<Waker>) -> Self {
        Self { asked: Arc::default(), waker }
    }

    /// Whether that was asked for.
    pub fn is_asked(&self) -> bool {
        self.asked.load(Ordering::Acquire)
    }

    /// Asks the server to close all recordings and return.
    pub fn stop(&self) {
        self.asked.store(true, Ordering::Release);
        self.wake();
    }

    fn wake(&self) {
        // Cannot fail while the poll lives, and nobody needs to be woken when it does not.
        let _ = self.waker.wake();
    }
}

/// A stream is to have another name.
#[derive(Debug)]
pub(super) struct Rename {
    pub(super) stream: String,
    pub(super) name: String,
}

/// Why a stream cannot be renamed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RenameError {
    /// None is called so.
    #[error("no open stream is called {0:?}, has this number, or an id that begins so; `streams` lists them")]
    None(String),
    /// Several are.
    #[error("{count} open streams are called {which:?}: say which by its number; `streams` lists them")]
    Several {
        /// What was asked for.
        which: String,
        /// How many.
        count: usize,
    },
    /// It cannot be a name.
    #[error("a name has 1 to {MAX_NAME} bytes, and no control characters")]
    Name,
    /// The name could not be kept.
    #[error("the name could not be kept in the data folder: {0}")]
    Io(#[from] io::Error),
}

/// Asks a running [`Server`](super::Server) and tells it what to do, from any thread.
#[derive(Clone, Debug)]
pub struct Remote {
    board: Board,
    commands: Queue<Command>,
    renames: Queue<Rename>,
    names: Names,
    retention: Retention,
    stop: Stop,
}

impl Remote {
    pub(super) fn new(server: &Server) -> Self {
        Self {
            board: server.board.clone(),
            commands: server.commands.clone(),
            renames: server.renames.clone(),
            names: server.names.clone(),
            retention: server.retention.clone(),
            stop: server.stop.clone(),
        }
    }

    /// What it is doing: at most half a second old.
    pub fn status(&self) -> Arc<Status> {
        self.board.latest()
    }

    /// Closes the files of all takes that are open; they go on in others.
    pub fn rotate(&self) {
        self.commands.push(Command::Rotate);
    }

    /// From now on other settings hold.
    pub fn configure(&self, tunable: Tunable) {
        self.commands.push(Command::Configure(tunable));
        self.retention.configure(tunable);
    }

    /// Gives the open stream `which` another name, for now and for all its takes to come. `which` is its number in the list of streams,
    /// its name, or the begin of its id. The stream as it was is returned.
    ///
    /// # Errors
    /// [`RenameError`]; nothing is changed then.
    pub fn rename(&self, which: &str, name: &str) -> Result<StreamStatus, RenameError> {
        if name.is_empty() || name.len() > MAX_NAME || name.chars().any(char::is_control) {
            return Err(RenameError::Name);
        }
        let status = self.status();
        let stream = find(&status, which)?;
        self.names.set(&stream.stream, name)?;
        self.renames.push(Rename { stream: stream.stream.clone(), name: name.to_owned() });
        self.stop.wake();
        Ok(stream.clone())
    }

    /// As [`Stop::stop`].
    pub fn stop(&self) {
        self.stop.stop();
    }

    /// As [`Stop::is_asked`].
    pub fn is_stopping(&self) -> bool {
        self.stop.is_asked()
    }
}

/// The stream that is meant: by number, by name, or by the begin of its id.
fn find<'a>(status: &'a Status, which: &str) -> Result<&'a StreamStatus, RenameError> {
    let named: Vec<&StreamStatus> = status.streams.iter().filter(|stream| stream.name == which).collect();
    let by_number = || which.parse::<usize>().ok().and_then(|number| status.streams.get(number.checked_sub(1)?));
    let by_id = || status.streams.iter().find(|stream| which.len() >= 4 && stream.stream.starts_with(which));
    match named[..] {
        [only] => Ok(only),
        [] => by_number().or_else(by_id).ok_or_else(|| RenameError::None(which.to_owned())),
        ref several => Err(RenameError::Several { which: which.to_owned(), count: several.len() }),
    }
}
