//! The source that replays a recording: a thread reads ahead of nobody. It gives what lies before the moment that the picture asks
//! for, and waits; who asks for moments decides how fast time runs, where it jumps, and whether it begins anew.

mod feed;
mod recording;

pub use recording::RecordingError;

use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use send_learn_protocol::units::StreamId;

use super::{Event, Link, Mailbox, StreamKey};
use feed::Feed;
use recording::Take;

/// The pause before a full mailbox is tried again.
const FULL: Duration = Duration::from_millis(2);

/// Why there is no replay.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReplayError {
    /// Nothing can be read there.
    #[error(transparent)]
    Recording(#[from] RecordingError),
    /// No thread can be started.
    #[error("cannot start a thread: {0}")]
    Thread(#[from] io::Error),
}

/// Replays a recording on a thread of its own until it is dropped.
#[derive(Debug)]
pub struct ReplaySource {
    control: Control,
    mailbox: Mailbox,
    recorded: Vec<Recorded>,
}

impl ReplaySource {
    /// Opens the recording at `path`: a file, or the folder of a take, of a day, or of all. Its events go to `mailbox`.
    ///
    /// # Errors
    /// [`ReplayError`] when nothing of it can be read. What cannot be read of a part is told as an [`Event::Notice`].
    pub fn start(path: &Path, mailbox: Mailbox) -> Result<Self, ReplayError> {
        let (takes, broken) = recording::takes(path)?;
        let recorded = takes.iter().filter_map(Recorded::of).collect();
        let length = takes.iter().map(Take::ends).fold(0.0, f64::max);
        let control = Control { shared: Arc::default(), length };
        mailbox.push(Event::Link { receiver: 0, link: Link::Connected });
        for error in broken {
            mailbox.push(Event::Notice(format!("left out: {error}")));
        }
        let (reader, writer) = (control.clone(), mailbox.clone());
        thread::Builder::new().name("replay".into()).spawn(move || play(&takes, &reader, &writer))?;
        Ok(Self { control, mailbox, recorded })
    }

    /// Its takes.
    pub fn recorded(&self) -> &[Recorded] {
        &self.recorded
    }

    /// What decides which moment is shown.
    pub fn control(&self) -> Control {
        self.control.clone()
    }
}

impl Drop for ReplaySource {
    fn drop(&mut self) {
        self.mailbox.close();
        self.control.lock().closed = true;
        self.control.shared.changed.notify_all();
    }
}

/// A take of a recording, and where it lies.
#[derive(Clone, Debug, PartialEq)]
pub struct Recorded {
    /// Its stream.
    pub stream: StreamId,
    /// Its file, or, where it has several, their folder.
    pub path: PathBuf,
    /// When it begins and ends, in seconds of the whole.
    pub span: Range<f64>,
}

impl Recorded {
    fn of(take: &Take) -> Option<Self> {
        let path = match &take.parts[..] {
            [] => return None,
            [part] => part.path.clone(),
            [part, ..] => part.path.parent().unwrap_or(Path::new(".")).to_owned(),
        };
        Some(Self { stream: take.description.stream, path, span: take.offset..take.ends() })
    }
}

/// Asks a replay for moments.
#[derive(Clone, Debug)]
pub struct Control {
    shared: Arc<Shared>,
    length: f64,
}

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    wanted: Point,
    reached: Point,
    closed: bool,
}

/// A moment of a replay.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Point {
    /// Counts the jumps. Within a round, time goes only ahead.
    round: u32,
    /// Seconds since the begin of the recording.
    seconds: f64,
}

impl Control {
    /// Seconds from the first sample to the last.
    pub fn length(&self) -> f64 {
        self.length
    }

    /// Asks for all up to `seconds`. A higher `round` than before begins there anew, with what the picture shows of the time before.
    pub fn ask(&self, round: u32, seconds: f64) {
        let mut state = self.lock();
        let wanted = Point { round, seconds };
        if state.wanted != wanted {
            state.wanted = wanted;
            self.shared.changed.notify_all();
        }
    }

    /// Waits, at most `patience`, until all that was asked for is in the mailbox. `false`: it is not.
    pub fn wait(&self, patience: Duration) -> bool {
        let until = Instant::now() + patience;
        let mut state = self.lock();
        while state.reached != state.wanted {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() || state.closed {
                return false;
            }
            state = self.shared.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        true
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Each statement leaves the state whole.
        self.shared.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The next moment that is wanted, after `reached`; `None` when nobody wants any more.
    fn next(&self, reached: Point) -> Option<Point> {
        let mut state = self.lock();
        state.reached = reached;
        self.shared.changed.notify_all();
        while !state.closed && state.wanted == state.reached {
            state = self.shared.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        (!state.closed).then_some(state.wanted)
    }
}

fn play(takes: &[Take], control: &Control, mailbox: &Mailbox) {
    let mut feeds: Vec<Feed> = Vec::new();
    let mut reached = Point::default();
    // Whoever asks counts rounds from 1, so that the first moment that is asked for begins a round.
    while let Some(wanted) = control.next(reached) {
        if wanted.round != reached.round {
            for take in 0..feeds.len() as u32 {
                mailbox.push(Event::StreamDown { key: StreamKey { receiver: 0, connection: reached.round, take } });
            }
            let key = |take: usize| StreamKey { receiver: 0, connection: wanted.round, take: take as u32 };
            feeds = takes.iter().enumerate().map(|(index, take)| Feed::new(take, key(index), wanted.seconds)).collect();
        }
        for feed in &mut feeds {
            let told = feed.advance(wanted.seconds, &mut |event| {
                while !mailbox.has_room() && !mailbox.is_closed() {
                    thread::sleep(FULL);
                }
                mailbox.push(event);
            });
            if let Err(error) = told {
                mailbox.push(Event::Notice(format!("the recording ends here: {error}")));
            }
        }
        if mailbox.is_closed() {
            return;
        }
        reached = wanted;
    }
}
