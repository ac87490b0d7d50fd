//! Reads recordings (spec/hdf5-layout.md): which takes lie at a path, and what is in their files.

use std::collections::BTreeMap;
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};

use hdf5::types::{FixedUnicode, VarLenUnicode};
use hdf5::{Dataset, File, H5Type};
use send_learn_protocol::packet::hello::{Description, MAX_CHANNELS, PropertyKey};
use send_learn_protocol::units::HostNanos;

/// The newest `schema_version` that is known here.
const SCHEMA_VERSION: u32 = 1;
/// How far below a folder recordings lie: a data folder has days, a day has takes.
const DEPTH: u32 = 2;
/// Frames that are read at once: those of a chunk of the file.
const BLOCK: u64 = 16_384;
/// The highest position that a recording has.
const MAX_POSITION: u64 = 1 << 48;

/// Why a recording cannot be replayed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RecordingError {
    /// The system refused.
    #[error("cannot read {}: {source}", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What it said.
        source: io::Error,
    },
    /// There is none.
    #[error("{} holds no recording (.h5)", path.display())]
    Empty {
        /// The folder.
        path: PathBuf,
    },
    /// HDF5 cannot read it.
    #[error("{} cannot be read; it may be cut off: {}", path.display(), first_line(source))]
    Hdf5 {
        /// The file.
        path: PathBuf,
        /// What it said.
        source: hdf5::Error,
    },
    /// It is something else.
    #[error("{} is not a Send Learn recording that can be replayed: {why}", path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
        /// Why not.
        why: String,
    },
}

fn first_line(error: &hdf5::Error) -> String {
    error.to_string().lines().next().unwrap_or_default().to_owned()
}

/// A MIDI event of `/midi`.
#[derive(Clone, Copy, Debug, H5Type)]
#[repr(C)]
pub(super) struct MidiRow {
    pub(super) sample: u64,
    pub(super) status: u8,
    pub(super) data1: u8,
    pub(super) data2: u8,
    pub(super) kind: u8,
}

/// A row of `/automation`.
#[derive(Clone, Copy, Debug, H5Type)]
#[repr(C)]
pub(super) struct AutomationRow {
    pub(super) sample: u64,
    pub(super) parameter: u32,
    pub(super) normalized: f64,
}

/// A row of `/parameters`.
#[derive(Clone, Copy, Debug, H5Type)]
#[repr(C)]
pub(super) struct ParameterRow {
    pub(super) parameter: u32,
    pub(super) name: FixedUnicode<64>,
}

/// A row of `/transport`.
#[derive(Clone, Copy, Debug, H5Type)]
#[repr(C)]
pub(super) struct TransportRow {
    pub(super) sample: u64,
    pub(super) flags: u16,
    pub(super) numerator: u16,
    pub(super) denominator: u16,
    pub(super) bar: i32,
    pub(super) tempo: f64,
    pub(super) ppq: f64,
    pub(super) bar_start: f64,
}

/// A row of `/blocks`.
#[derive(Clone, Copy, Debug, H5Type)]
#[repr(C)]
pub(super) struct BlockRow {
    pub(super) sample: u64,
    pub(super) frames: u32,
    pub(super) host_nanos: u64,
    pub(super) arrival_nanos: u64,
    pub(super) arrival: u8,
    pub(super) level: f32,
}

/// A row of `/gaps`.
#[derive(Clone, Copy, Debug, H5Type)]
#[repr(C)]
pub(super) struct GapRow {
    pub(super) sample: u64,
    pub(super) frames: u64,
}

/// A row of `/clock`.
#[derive(Clone, Copy, Debug, H5Type)]
#[repr(C)]
pub(super) struct ClockRow {
    pub(super) sample: u64,
    pub(super) host_nanos: u64,
    pub(super) offset_nanos: i64,
}

/// The events of one file.
#[derive(Debug, Default)]
pub(super) struct Tables {
    pub(super) midi: Vec<MidiRow>,
    pub(super) automation: Vec<AutomationRow>,
    pub(super) parameters: Vec<ParameterRow>,
    pub(super) transport: Vec<TransportRow>,
    pub(super) blocks: Vec<BlockRow>,
    pub(super) gaps: Vec<GapRow>,
    pub(super) clock: Vec<ClockRow>,
}

/// A file of a take.
#[derive(Clone, Debug)]
pub(super) struct Part {
    pub(super) path: PathBuf,
    /// The positions that it holds.
    pub(super) held: Range<u64>,
}

/// A take: all its files as one.
#[derive(Clone, Debug)]
pub(super) struct Take {
    pub(super) description: Description,
    /// In order.
    pub(super) parts: Vec<Part>,
    /// Seconds from the begin of the whole to the take's.
    pub(super) offset: f64,
}

impl Take {
    /// The position after the last that there is.
    pub(super) fn end(&self) -> u64 {
        self.parts.last().map_or(0, |part| part.held.end)
    }

    /// When its last sample sounds, in seconds of the whole.
    pub(super) fn ends(&self) -> f64 {
        self.offset + self.end() as f64 / self.description.sample_rate
    }
}

/// The takes at `path` (a file, or the folder of a take, of a day, or of all), on one timeline that begins with the first of them;
/// and what cannot be read of them.
///
/// Takes of one machine are placed by its monotonic clock, others by wall clocks.
///
/// # Errors
/// [`RecordingError`] when there is nothing to replay.
pub(super) fn takes(path: &Path) -> Result<(Vec<Take>, Vec<RecordingError>), RecordingError> {
    let mut files = Vec::new();
    if path.is_dir() {
        collect(path, DEPTH, &mut files)?;
    } else {
        files.push(path.to_owned());
    }
    let mut broken = Vec::new();
    let mut takes: BTreeMap<(u64, [u8; 16]), Take> = BTreeMap::new();
    for file in files {
        match open_part(&file) {
            Ok((description, part)) => {
                let key = (description.started_unix_nanos, description.take.0);
                let take = takes.entry(key).or_insert_with(|| Take { description, parts: Vec::new(), offset: 0.0 });
                take.parts.push(part);
            }
            Err(error) => broken.push(error),
        }
    }
    let mut takes: Vec<Take> = takes.into_values().collect();
    for take in &mut takes {
        take.parts.sort_by_key(|part| part.held.start);
        // Of two files that hold the same, a closed one and what its writing left, the first is enough.
        take.parts.dedup_by(|later, earlier| later.held.start < earlier.held.end);
    }
    let Some(first) = takes.first().map(|take| take.description.clone()) else {
        return Err(broken.pop().unwrap_or_else(|| RecordingError::Empty { path: path.to_owned() }));
    };
    for take in &mut takes {
        let since = |own: u64, first: u64| own.wrapping_sub(first).cast_signed() as f64 / 1e9;
        let own = &take.description;
        take.offset = if own.machine == first.machine && own.started.0 != 0 {
            since(own.started.0, first.started.0)
        } else {
            since(own.started_unix_nanos, first.started_unix_nanos)
        };
    }
    let begin = takes.iter().map(|take| take.offset).fold(f64::MAX, f64::min);
    takes.iter_mut().for_each(|take| take.offset -= begin);
    Ok((takes, broken))
}

fn collect(folder: &Path, depth: u32, found: &mut Vec<PathBuf>) -> Result<(), RecordingError> {
    let items = std::fs::read_dir(folder).map_err(|source| RecordingError::Io { path: folder.to_owned(), source })?;
    let mut paths: Vec<PathBuf> = items.flatten().map(|item| item.path()).collect();
    paths.sort_unstable();
    for path in paths {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if path.is_dir() {
            if depth > 0 && !name.starts_with('.') {
                collect(&path, depth - 1, found)?;
            }
        } else if name.ends_with(".h5") || name.ends_with(".h5.part") {
            found.push(path);
        }
    }
    Ok(())
}

fn open_part(path: &Path) -> Result<(Description, Part), RecordingError> {
    let file = open(path)?;
    let foreign = |why: &str| RecordingError::Foreign { path: path.to_owned(), why: why.to_owned() };
    if text(&file, "format") != "send-learn" {
        return Err(foreign("its attribute `format` is missing or another"));
    }
    if attribute::<u32>(path, &file, "schema_version")? > SCHEMA_VERSION {
        return Err(foreign("it was written by a newer version"));
    }
    let audio_file = text(&file, "audio_file");
    if !audio_file.is_empty() {
        return Err(foreign(&format!("it is archived, its audio lies in {audio_file}")));
    }
    let sample_rate: f64 = attribute(path, &file, "sample_rate")?;
    if !(1.0..=1e6).contains(&sample_rate) {
        return Err(foreign("its sample rate is none"));
    }
    let identity = || foreign("one of its identities is none");
    let mut description = Description {
        stream: text(&file, "stream_id").parse().map_err(|_| identity())?,
        take: text(&file, "take_id").parse().map_err(|_| identity())?,
        host: text(&file, "host_id").parse().map_err(|_| identity())?,
        machine: text(&file, "machine_id").parse().map_err(|_| identity())?,
        sample_rate,
        channels: attribute(path, &file, "channels")?,
        max_block: attribute(path, &file, "max_block")?,
        started_unix_nanos: attribute(path, &file, "started_unix_nanos")?,
        started: HostNanos(attribute(path, &file, "started_host_nanos")?),
        properties: Vec::new(),
    };
    if description.channels > MAX_CHANNELS {
        return Err(foreign("it has more channels than there can be"));
    }
    for (key, name) in [(PropertyKey::NAME, "name"), (PropertyKey::HOST, "host"), (PropertyKey::MACHINE, "machine")] {
        let text = text(&file, name);
        if !text.is_empty() {
            description.set_property(key, &text);
        }
    }
    let first: u64 = attribute(path, &file, "first_sample")?;
    let closed = attribute::<u8>(path, &file, "closed")? != 0;
    let frames: u64 = attribute(path, &file, if closed { "frames" } else { "committed_frames" })?;
    let end = first.checked_add(frames).filter(|end| *end <= MAX_POSITION).ok_or_else(|| foreign("its length is none"))?;
    Ok((description, Part { path: path.to_owned(), held: first..end }))
}

/// Opens a file without HDF5's own locks, so that one that is being written can be read.
fn open(path: &Path) -> Result<File, RecordingError> {
    // HDF5's own message about a missing file is long and says little.
    std::fs::File::open(path).map_err(|source| RecordingError::Io { path: path.to_owned(), source })?;
    let mut options = File::with_options();
    options.with_fapl(|access| access.file_locking(false));
    options.open(path).map_err(hdf5_error(path))
}

fn hdf5_error(path: &Path) -> impl Fn(hdf5::Error) -> RecordingError + '_ {
    |source| RecordingError::Hdf5 { path: path.to_owned(), source }
}

/// A text; empty where there is none.
fn text(file: &File, name: &str) -> String {
    let read = || file.attr(name)?.read_scalar::<VarLenUnicode>();
    read().map(|text: VarLenUnicode| text.as_str().to_owned()).unwrap_or_default()
}

fn attribute<T: H5Type>(path: &Path, file: &File, name: &str) -> Result<T, RecordingError> {
    let read = || file.attr(name)?.read_scalar();
    read().map_err(hdf5_error(path))
}

/// A part that is being read, and the block of its audio that was read last.
#[derive(Debug)]
pub(super) struct Reader {
    part: Part,
    audio: Option<Dataset>,
    channels: usize,
    pub(super) tables: Tables,
    block: (u64, Vec<f32>),
}

impl Reader {
    /// Opens a part of a take with `channels`, and reads its tables.
    ///
    /// # Errors
    /// [`RecordingError::Hdf5`] when the file is damaged.
    pub(super) fn open(part: &Part, channels: u16) -> Result<Self, RecordingError> {
        let file = open(&part.path)?;
        let read = || {
            let audio = if channels > 0 { Some(file.dataset("audio")?) } else { None };
            let tables = Tables {
                midi: file.dataset("midi")?.read_raw()?,
                automation: file.dataset("automation")?.read_raw()?,
                parameters: file.dataset("parameters")?.read_raw()?,
                transport: file.dataset("transport")?.read_raw()?,
                blocks: file.dataset("blocks")?.read_raw()?,
                gaps: file.dataset("gaps")?.read_raw()?,
                clock: file.dataset("clock")?.read_raw()?,
            };
            Ok((audio, tables))
        };
        let (audio, tables) = read().map_err(hdf5_error(&part.path))?;
        Ok(Self { part: part.clone(), audio, channels: usize::from(channels), tables, block: (0, Vec::new()) })
    }

    /// The samples from position `from` to `to`, interleaved, at most as far as the block in which they begin; none beyond the part.
    ///
    /// # Errors
    /// [`RecordingError::Hdf5`] when the file is damaged there.
    pub(super) fn audio(&mut self, from: u64, to: u64) -> Result<&[f32], RecordingError> {
        let held = self.part.held.clone();
        let Some(audio) = self.audio.as_ref().filter(|_| held.contains(&from)) else { return Ok(&[]) };
        let row = from - held.start;
        let begin = row / BLOCK * BLOCK;
        if self.block.0 != begin || self.block.1.is_empty() {
            let end = (begin + BLOCK).min(held.end - held.start);
            let slice = audio.read_slice_2d::<f32, _>((begin as usize..end as usize, ..));
            let samples = slice.map_err(hdf5_error(&self.part.path))?.into_raw_vec_and_offset().0;
            self.block = (begin, samples);
        }
        let frames = (self.block.1.len() / self.channels) as u64;
        let range = row - begin..(to.saturating_sub(held.start)).clamp(row, begin + frames) - begin;
        Ok(self.block.1.get(range.start as usize * self.channels..range.end as usize * self.channels).unwrap_or_default())
    }
}
