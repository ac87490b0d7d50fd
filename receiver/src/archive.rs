//! The archive thread: reads journals in log order and makes HDF5 files of them. It alone calls HDF5 while the receiver runs,
//! and it may be as slow as the disk is: what waits for it waits in the journals.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use send_learn_protocol::units::TakeId;

use crate::assembly::{Advance, Assembly, Making};
use crate::features::{Plan, Plans};
use crate::journal::{Position, SEGMENT_LEN};
use crate::queue::Queue;
use crate::recorder;
use crate::session::Indexer;
use crate::settings::Tunable;
use crate::take::{State, Take};

/// Bytes of journal that one take may use before the next has its turn.
const TURN: usize = 4 << 20;

/// Files are made readable up to date this often.
const FLUSH_INTERVAL: Duration = Duration::from_secs(1);

/// After a failed write the file is made anew from the journal, but not sooner than this.
const RETRY: Duration = Duration::from_secs(5);

/// How far a take is, shared between threads.
#[derive(Debug, Default)]
pub struct Progress {
    /// The end of the durable journal: segment in the upper 24 bits, offset in the lower 40.
    mark: AtomicU64,
    /// How far the archive has read it, likewise.
    read: AtomicU64,
    /// Frames that are in parts, or wait for their chunk to fill.
    pub frames: AtomicU64,
    /// Loudness of the newest frame of features: the bits of an f32; 0 before the first.
    rms: AtomicU32,
    /// Frames that are missing from them.
    pub gap_frames: AtomicU64,
    /// Blocks without the checksum that their sender stated.
    pub crc_mismatches: AtomicU64,
}

impl Progress {
    /// Says how far the journal is durable.
    pub fn set_mark(&self, position: Position) {
        self.mark.store(packed(position), Ordering::Release);
    }

    /// Says how far the archive has read the journal.
    pub fn set_read(&self, position: Position) {
        self.read.store(packed(position), Ordering::Relaxed);
    }

    /// Bytes of the durable journal that are not in a part yet; segments in between count as full ones.
    pub fn behind(&self) -> u64 {
        let (read, mark) = (unpacked(self.read.load(Ordering::Relaxed)), self.mark());
        let whole = u64::from(mark.segment.saturating_sub(read.segment)) * SEGMENT_LEN;
        (whole + mark.offset).saturating_sub(read.offset)
    }

    /// Says how loud the newest frame of features is, RMS.
    pub fn set_rms(&self, rms: f32) {
        self.rms.store(rms.max(f32::MIN_POSITIVE).to_bits(), Ordering::Relaxed);
    }

    /// How loud the newest frame of features is, RMS; 1 is full scale. `None` before the first.
    pub fn rms(&self) -> Option<f32> {
        Some(f32::from_bits(self.rms.load(Ordering::Relaxed))).filter(|rms| *rms > 0.0)
    }

    /// How far the journal is durable.
    pub fn mark(&self) -> Position {
        unpacked(self.mark.load(Ordering::Acquire))
    }
}

fn packed(position: Position) -> u64 {
    u64::from(position.segment) << 40 | position.offset
}

fn unpacked(packed: u64) -> Position {
    Position { segment: (packed >> 40) as u32, offset: packed & ((1 << 40) - 1) }
}

/// What the archive is told.
#[derive(Debug)]
pub enum Command {
    /// A take begins or goes on.
    Follow {
        /// Which.
        id: TakeId,
        /// Its folder.
        folder: PathBuf,
        /// What is known of it.
        take: Box<Take>,
        /// How far its journal is.
        progress: Arc<Progress>,
    },
    /// Close the parts of all takes, and begin the next.
    Rotate,
    /// A take has another name from now on.
    Rename {
        /// Which.
        id: TakeId,
        /// Its name.
        name: String,
    },
    /// From now on files are made like this.
    Configure(Setting),
    /// The disk takes nothing, or does again: nothing is tried meanwhile.
    Pause(bool),
    /// A take's sender is away: close its part. Its journal is not written any more.
    Interrupt {
        /// Which.
        id: TakeId,
    },
    /// End the thread. All takes have been interrupted before.
    Stop,
}

/// How takes are made into files.
#[derive(Clone, Copy, Debug)]
pub struct Setting {
    /// Whether features are computed, in takes that begin from now on.
    pub features: bool,
    /// The gzip level of audio in files that begin from now on.
    pub compression: u8,
    /// A part is closed, and the next begun, when it is as long as this; never, without.
    pub rotation: Option<Duration>,
}

impl From<&Tunable> for Setting {
    fn from(tunable: &Tunable) -> Self {
        Self { features: tunable.features, compression: tunable.compression, rotation: tunable.rotation }
    }
}

/// Runs until [`Command::Stop`]. `reports` hears of every take that was closed.
pub fn run(commands: &Queue<Command>, reports: &Queue<recorder::Command>, mut setting: Setting) {
    let mut plans = Plans::default();
    let mut takes: HashMap<TakeId, Follow> = HashMap::new();
    let (mut busy, mut paused) = (false, false);
    let mut indexer = Indexer::default();
    loop {
        for command in commands.drain(if busy { Duration::ZERO } else { FLUSH_INTERVAL / 2 }) {
            match command {
                Command::Follow { id, folder, take, progress } => {
                    let features = if setting.features { plan_for(&mut plans, &take) } else { None };
                    let making = Making { features, rotation: setting.rotation, compression: setting.compression };
                    takes.insert(id, Follow::new(Assembly::new(id, folder, *take, progress, making)));
                }
                Command::Interrupt { id } => {
                    if let Some(follow) = takes.remove(&id) {
                        indexer.note(follow.assembly.folder());
                        let take = follow.interrupt();
                        reports.push(recorder::Command::Archived { id, take: Box::new(take) });
                    }
                }
                Command::Rotate => takes.values_mut().for_each(|follow| follow.assembly.ask_for_rotation()),
                Command::Rename { id, name } => {
                    if let Some(follow) = takes.get_mut(&id) {
                        follow.assembly.rename(&name);
                    }
                }
                Command::Configure(new) => {
                    setting = new;
                    takes.values_mut().for_each(|follow| follow.assembly.configure(setting.rotation, setting.compression));
                }
                Command::Pause(pause) => paused = pause,
                Command::Stop => return indexer.write(),
            }
        }
        busy = false;
        let mut ended = Vec::new();
        for (id, follow) in takes.iter_mut().filter(|_| !paused) {
            match follow.turn() {
                Turn::More => busy = true,
                Turn::Idle => {}
                Turn::Closed => ended.push(*id),
            }
        }
        if !busy && !paused && indexer.is_due() {
            indexer.write();
        }
        for id in ended {
            if let Some(follow) = takes.remove(&id) {
                indexer.note(follow.assembly.folder());
                reports.push(recorder::Command::Archived { id, take: Box::new(follow.assembly.into_take()) });
            }
        }
    }
}

/// The plan for the take's features, if its rate is one that features can be made at.
fn plan_for(plans: &mut Plans, take: &Take) -> Option<Arc<Plan>> {
    plans
        .get(take.sample_rate)
        .inspect_err(|error| tracing::warn!(take = take.take_id, "{error}: the recording has no features"))
        .ok()
}

/// A take that is being archived, and when it is looked after next.
struct Follow {
    assembly: Assembly,
    flushed: Instant,
    retry: Option<Instant>,
}

enum Turn {
    More,
    Idle,
    Closed,
}

impl Follow {
    fn new(assembly: Assembly) -> Self {
        Self { assembly, flushed: Instant::now(), retry: None }
    }

    fn turn(&mut self) -> Turn {
        if self.retry.is_some_and(|at| Instant::now() < at) {
            return Turn::Idle;
        }
        self.retry = None;
        let advanced = self.assembly.advance(TURN).and_then(|advance| {
            if advance == Advance::Ended {
                self.assembly.complete()?;
            } else if self.flushed.elapsed() >= FLUSH_INTERVAL {
                self.flushed = Instant::now();
                self.assembly.flush()?;
            }
            Ok(advance)
        });
        match advanced {
            Ok(Advance::More) => Turn::More,
            Ok(Advance::CaughtUp) => Turn::Idle,
            Ok(Advance::Ended) => Turn::Closed,
            Err(error) => {
                tracing::error!(
                    "{error}. The recording's file will be made again from its journal in {} s; nothing is lost. Look at the disk.",
                    RETRY.as_secs()
                );
                self.assembly.restart();
                self.retry = Some(Instant::now() + RETRY);
                Turn::Idle
            }
        }
    }

    /// Brings the take as far as its journal is, and closes its part.
    fn interrupt(mut self) -> Take {
        let close = |assembly: &mut Assembly| loop {
            match assembly.advance(usize::MAX)? {
                Advance::More => {}
                Advance::CaughtUp => return assembly.interrupt(),
                Advance::Ended => return assembly.complete(),
            }
        };
        if let Err(error) = close(&mut self.assembly) {
            tracing::error!("{error}. The recording could not be closed; it is made again from its journal at the next start.");
            let mut take = self.assembly.into_take();
            take.state = State::Open;
            return take;
        }
        self.assembly.into_take()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_behind_is_counted_across_segments() {
        let progress = Progress::default();
        let behind = |read: (u32, u64), mark: (u32, u64)| {
            progress.set_read(Position { segment: read.0, offset: read.1 });
            progress.set_mark(Position { segment: mark.0, offset: mark.1 });
            progress.behind()
        };
        assert_eq!(behind((3, 100), (3, 100)), 0);
        assert_eq!(behind((3, 100), (3, 180)), 80);
        assert_eq!(behind((3, SEGMENT_LEN - 5), (4, 7)), 12);
        assert_eq!(behind((3, SEGMENT_LEN + 9), (4, 7)), 0, "a segment may be longer");
        assert_eq!(behind((4, 0), (3, 7)), 7, "a journal that was begun anew");
    }
}
