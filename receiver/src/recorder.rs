//! The recorder thread: appends what arrives to the takes' journals, syncs them together, and only then says what is durable.
//! The network loop never waits for it: it hands over through a bounded queue, and what does not fit is asked for again.

mod live;
mod run;

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Instant;

use send_learn_protocol::packet::close::Gone;
use send_learn_protocol::packet::hello::{Description, Refusal};
use send_learn_protocol::receiver::Held;
use send_learn_protocol::tap::Arrival;
use send_learn_protocol::units::{HostNanos, SessionId, SourceNumber, TakeId};

use crate::archive::{self, Progress};
use crate::disk::{DiskStatus, Watch};
use crate::names::Names;
use crate::queue::Queue;
use crate::settings::Tunable;
use crate::take::{self, Take};
use run::Recorder;

/// How the recorder is set up.
#[derive(Clone, Debug)]
pub struct Config {
    /// The folder that holds all recordings.
    pub data: PathBuf,
    /// What can be changed later.
    pub tunable: Tunable,
    /// Names that streams were given here.
    pub names: Names,
    /// The most takes that may be open, those whose senders are away included.
    pub max_takes: usize,
}

/// What the recorder is told.
#[derive(Debug)]
pub enum Command {
    /// A sender asks for a session.
    Open {
        /// The session.
        session: SessionId,
        /// What it is to bring.
        description: Box<Description>,
    },
    /// An entry arrived.
    Entry {
        /// Its take.
        take: TakeId,
        /// Its number.
        number: SourceNumber,
        /// How it came.
        arrival: Arrival,
        /// When it came.
        arrived: HostNanos,
        /// Its bytes.
        entry: Arc<[u8]>,
    },
    /// The sender no longer has some entries.
    Gone {
        /// The take.
        take: TakeId,
        /// Which entries, and why.
        gone: Gone,
        /// When that was learnt.
        arrived: HostNanos,
    },
    /// The take has no session any more.
    Left {
        /// The take.
        take: TakeId,
    },
    /// Close the parts of all takes, and begin the next.
    Rotate,
    /// A take has another name from now on.
    Rename {
        /// The take.
        take: TakeId,
        /// Its name.
        name: String,
    },
    /// From now on other settings hold.
    Configure(Tunable),
    /// The archive has closed a take.
    Archived {
        /// The take.
        id: TakeId,
        /// What is known of it now.
        take: Box<Take>,
    },
    /// Close everything and end the thread.
    Stop,
}

/// What the recorder says.
#[derive(Debug)]
pub enum Report {
    /// The session may go on.
    Accepted {
        /// The session.
        session: SessionId,
        /// What of the take is on disk.
        held: Held,
        /// How far the take is.
        progress: Arc<Progress>,
    },
    /// The session must not go on.
    Refused {
        /// The session.
        session: SessionId,
        /// Why.
        reason: Refusal,
    },
    /// All entries below `number` are synced.
    Durable {
        /// The take.
        take: TakeId,
        /// The first that is not.
        number: SourceNumber,
    },
    /// The disk did not take some entries.
    Lost {
        /// The take.
        take: TakeId,
        /// Which.
        numbers: Vec<SourceNumber>,
    },
    /// How the disk stands.
    Disk(DiskStatus),
    /// All is closed.
    Stopped,
}

/// Says something to the network loop, and wakes it.
pub type Reporter = Box<dyn Fn(Report) + Send>;

/// Starts the recorder and the archive; open takes of an earlier life are opened first.
///
/// # Errors
/// What the operating system says about the data folder, or about a thread that cannot be started.
pub fn start(config: Config, commands: Queue<Command>, report: Reporter) -> std::io::Result<JoinHandle<()>> {
    let takes = take::scan(&config.data)?;
    let archive_commands = Queue::new(0);
    let archive_thread = {
        let (commands, reports, setting) = (archive_commands.clone(), commands.clone(), archive::Setting::from(&config.tunable));
        thread::Builder::new().name("archive".into()).spawn(move || archive::run(&commands, &reports, setting))?
    };
    let mut recorder = Recorder {
        disk: Watch::new(&config.data),
        config,
        takes: HashMap::new(),
        archive: archive_commands,
        archive_thread,
        report,
        synced: Instant::now(),
        stopping: false,
    };
    thread::Builder::new().name("recorder".into()).spawn(move || {
        recorder.resume(takes);
        recorder.run(&commands);
        recorder.archive.push(archive::Command::Stop);
        if recorder.archive_thread.join().is_err() {
            tracing::error!("the archive thread panicked; recordings are made again from their journals at the next start");
        }
        (recorder.report)(Report::Stopped);
    })
}

#[cfg(test)]
mod tests;
