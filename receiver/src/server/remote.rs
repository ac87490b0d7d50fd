//! Handles to a running server, for other threads.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use mio::Waker;

use crate::queue::Queue;
use crate::recorder::Command;
use crate::status::{Board, Status};

/// Stops a running [`Server`](super::Server), from any thread.
#[derive(Clone)]
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
        // Cannot fail while the poll lives, and nobody needs to be woken when it does not.
        let _ = self.waker.wake();
    }
}

/// Asks a running [`Server`](super::Server) and tells it what to do, from any thread.
#[derive(Clone)]
pub struct Remote {
    board: Board,
    commands: Queue<Command>,
    stop: Stop,
}

impl Remote {
    pub(super) fn new(board: Board, commands: Queue<Command>, stop: Stop) -> Self {
        Self { board, commands, stop }
    }

    /// What it is doing: at most half a second old.
    pub fn status(&self) -> Arc<Status> {
        self.board.latest()
    }

    /// Closes the files of all takes that are open; they go on in others.
    pub fn rotate(&self) {
        self.commands.push(Command::Rotate);
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
