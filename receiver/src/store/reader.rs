//! Reading a recording.

use std::ops::Range;
use std::path::{Path, PathBuf};

use hdf5::types::VarLenUnicode;
use hdf5::{File, H5Type};
use send_learn_protocol::packet::hello::{Description, PropertyKey};
use send_learn_protocol::units::HostNanos;
use serde::Serialize;

use super::checksum::{self, Checksum};
use super::chunk::{read_audio, storage_of};
use super::layout::{
    AUDIO_CHUNK, AutomationRow, BlockRow, ClockRow, FORMAT, FeatureRow, GapRow, MarkerRow, MidiRow, ParameterRow, Row,
    SCHEMA_VERSION, TransportRow, property_attribute,
};
use super::rows::Rows;
use super::{Storage, StoreError, options};

/// One file of a recording, open for reading. A file that is still being written can be read too.
#[derive(Debug)]
pub struct Recording {
    path: PathBuf,
    file: File,
    /// What its attributes say.
    pub summary: Summary,
}

/// What a recording is, from its attributes.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[allow(missing_docs, reason = "the fields are the root attributes of spec/hdf5-layout.md, by their names")]
pub struct Summary {
    pub schema_version: u32,
    pub name: String,
    pub host: String,
    pub machine: String,
    pub project: String,
    pub contributor: String,
    pub licence: String,
    pub consent: String,
    pub replay_of: String,
    pub stream_id: String,
    pub take_id: String,
    pub host_id: String,
    pub machine_id: String,
    pub sample_rate: f64,
    pub channels: u16,
    pub max_block: u32,
    pub started_unix_nanos: u64,
    pub part: u32,
    pub first_sample: u64,
    pub frames: u64,
    pub committed_frames: u64,
    pub closed: bool,
    pub end_reason: String,
    pub crc_mismatches: u64,
    pub bad_records: u64,
    pub overlapping_frames: u64,
    pub gone_entries: u64,
    /// The file beside it that holds the audio, for a recording that was archived so; else empty.
    pub audio_file: String,
}

impl Summary {
    /// The length of what the file holds, in seconds.
    pub fn seconds(&self) -> f64 {
        self.committed_frames as f64 / self.sample_rate
    }
}

impl Recording {
    /// Opens the file at `path`.
    ///
    /// # Errors
    /// [`StoreError`]: the file cannot be read, is cut off, or is no recording.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        // HDF5's own message about a missing file is long and says little.
        std::fs::File::open(path).map_err(|source| StoreError::Io { path: path.to_owned(), source })?;
        let file = options().open(path).map_err(hdf5_error(path))?;
        let summary = read_summary(path, &file)?;
        Ok(Self { path: path.to_owned(), file, summary })
    }

    /// Whether the position is in what the file holds.
    pub fn holds(&self, position: u64) -> bool {
        let first = self.summary.first_sample;
        (first..first.saturating_add(self.summary.committed_frames)).contains(&position)
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The frames in `range` (rows of `/audio`, not positions), interleaved.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] when a chunk cannot be read, [`StoreError::Hdf5`] when the range goes beyond the file.
    pub fn audio(&self, range: Range<u64>) -> Result<Vec<f32>, StoreError> {
        if self.summary.channels == 0 {
            return Ok(Vec::new());
        }
        if !self.summary.audio_file.is_empty() {
            return Err(self.foreign(&format!("its audio lies beside it, in {}", self.summary.audio_file)));
        }
        self.rows_of_audio(&range).map_err(|error| match self.unreadable(&range) {
            Some(frame) => StoreError::Damaged {
                path: self.path.clone(),
                why: format!("samples {} and on cannot be read ({error})", self.summary.first_sample + frame),
            },
            None => hdf5_error(&self.path)(error),
        })
    }

    fn rows_of_audio(&self, range: &Range<u64>) -> hdf5::Result<Vec<f32>> {
        let dataset = self.file.dataset("audio")?;
        if let Some(storage) = storage_of(&dataset)? {
            return read_audio(&dataset, storage, range.start, range.end.saturating_sub(range.start));
        }
        let array = dataset.read_slice_2d::<f32, _>((range.start as usize..range.end as usize, ..))?;
        Ok(array.into_raw_vec_and_offset().0)
    }

    /// The first row of `range` that lies in a chunk that cannot be read.
    fn unreadable(&self, range: &Range<u64>) -> Option<u64> {
        let end = range.end.min(self.audio_shape().ok()?.0);
        by_chunk(range.start..end).find(|piece| self.rows_of_audio(piece).is_err()).map(|piece| piece.start)
    }

    /// How the samples are stored; `None` without audio, or in a type that this version does not write.
    ///
    /// # Errors
    /// [`StoreError`] when there is no such dataset.
    pub fn storage(&self) -> Result<Option<Storage>, StoreError> {
        if self.summary.channels == 0 || !self.summary.audio_file.is_empty() {
            return Ok(None);
        }
        self.file.dataset("audio").and_then(|audio| storage_of(&audio)).map_err(hdf5_error(&self.path))
    }

    /// Frames and channels of `/audio`.
    ///
    /// # Errors
    /// [`StoreError`] when there is no such dataset.
    pub fn audio_shape(&self) -> Result<(u64, u64), StoreError> {
        let dataset = self.file.dataset("audio").map_err(hdf5_error(&self.path))?;
        match dataset.shape()[..] {
            [frames, channels] => Ok((frames as u64, channels as u64)),
            _ => Err(self.foreign("/audio does not have two dimensions")),
        }
    }

    /// All rows of a table.
    ///
    /// # Errors
    /// [`StoreError::Hdf5`] when it is missing or has other columns.
    pub fn table<R: Row>(&self) -> Result<Vec<R>, StoreError> {
        self.raw(R::NAME)
    }

    /// The rows of a table one after another, for those who go through long recordings.
    ///
    /// # Errors
    /// [`StoreError::Hdf5`] when it is missing.
    pub fn rows_of<R: Row>(&self) -> Result<Rows<R>, StoreError> {
        Ok(Rows::new(&self.path, self.file.dataset(R::NAME).map_err(hdf5_error(&self.path))?))
    }

    /// How many rows a table has.
    ///
    /// # Errors
    /// [`StoreError::Hdf5`] when it is missing.
    pub fn rows<R: Row>(&self) -> Result<u64, StoreError> {
        Ok(self.file.dataset(R::NAME).map_err(hdf5_error(&self.path))?.size() as u64)
    }

    /// The bytes that `/midi` rows point into.
    ///
    /// # Errors
    /// [`StoreError::Hdf5`] when the dataset is missing.
    pub fn sysex(&self) -> Result<Vec<u8>, StoreError> {
        self.raw("sysex")
    }

    /// `length` bytes of `/sysex` from `offset` on.
    ///
    /// # Errors
    /// [`StoreError::Hdf5`] when they are not there.
    pub fn sysex_bytes(&self, offset: u64, length: u32) -> Result<Vec<u8>, StoreError> {
        let read = || self.file.dataset("sysex")?.read_slice_1d::<u8, _>(offset as usize..offset as usize + length as usize);
        Ok(read().map_err(hdf5_error(&self.path))?.into_raw_vec_and_offset().0)
    }

    /// A text attribute of the file; empty where there is none.
    pub fn attribute_text(&self, name: &str) -> String {
        text(&self.file, name)
    }

    /// What the sender said of the take, as the attributes have it.
    ///
    /// # Errors
    /// [`StoreError`] when an attribute is missing or no identity.
    pub fn description(&self) -> Result<Description, StoreError> {
        let summary = &self.summary;
        let identity = || self.foreign("one of its identities is none");
        let mut description = Description {
            stream: summary.stream_id.parse().map_err(|_| identity())?,
            take: summary.take_id.parse().map_err(|_| identity())?,
            host: summary.host_id.parse().map_err(|_| identity())?,
            machine: summary.machine_id.parse().map_err(|_| identity())?,
            sample_rate: summary.sample_rate,
            channels: summary.channels,
            max_block: summary.max_block,
            started_unix_nanos: summary.started_unix_nanos,
            started: HostNanos(attribute(&self.path, &self.file, "started_host_nanos")?),
            properties: Vec::new(),
        };
        for key in (u8::MIN..=u8::MAX).map(PropertyKey) {
            let text = property_attribute(key).map(|name| text(&self.file, name)).unwrap_or_default();
            if !text.is_empty() {
                description.set_property(key, &text);
            }
        }
        Ok(description)
    }

    /// Counts for people and tools.
    ///
    /// # Errors
    /// [`StoreError::Hdf5`] when a table cannot be read.
    pub fn counts(&self) -> Result<Counts, StoreError> {
        let gaps = self.table::<GapRow>()?;
        let blocks = self.table::<BlockRow>()?;
        let mut arrivals = [0; 4];
        for block in &blocks {
            arrivals[usize::from(block.arrival.min(3))] += 1;
        }
        let [live, repaired, resent, backfilled] = arrivals;
        Ok(Counts {
            midi_events: self.rows::<MidiRow>()?,
            blocks: blocks.len() as u64,
            live,
            repaired,
            resent,
            backfilled,
            gaps: gaps.len() as u64,
            gap_frames: gaps.iter().map(|gap| gap.frames).sum(),
        })
    }

    /// The tables whose rows are not those that were written: a bad disk, or another program, has changed them. Files that still
    /// grow, and those of before there were checksums, have none to compare with.
    ///
    /// # Errors
    /// [`StoreError::Hdf5`] when a table cannot be read.
    pub fn changed_tables(&self) -> Result<Vec<&'static str>, StoreError> {
        let mut sysex = Checksum::default();
        sysex.bytes(&self.sysex()?);
        let mut changed = Vec::new();
        if self.is_changed("sysex", &sysex) {
            changed.push("sysex");
        }
        let tables = [
            self.look_at::<MidiRow>(),
            self.look_at::<AutomationRow>(),
            self.look_at::<ParameterRow>(),
            self.look_at::<TransportRow>(),
            self.look_at::<BlockRow>(),
            self.look_at::<GapRow>(),
            self.look_at::<FeatureRow>(),
            self.look_at::<ClockRow>(),
            self.look_at::<MarkerRow>(),
        ];
        for table in tables {
            changed.extend(table?);
        }
        Ok(changed)
    }

    /// The table's name, if its rows were changed.
    fn look_at<R: Row>(&self) -> Result<Option<&'static str>, StoreError> {
        let (mut rows, mut checksum) = (self.rows_of::<R>()?, Checksum::default());
        loop {
            match rows.take_some()? {
                some if some.is_empty() => break,
                some => checksum.rows(&some),
            }
        }
        Ok(self.is_changed(R::NAME, &checksum).then_some(R::NAME))
    }

    fn is_changed(&self, name: &str, read: &Checksum) -> bool {
        let written = || self.file.dataset(name)?.attr(checksum::ATTRIBUTE)?.read_scalar::<u32>();
        written().is_ok_and(|written| written != read.value())
    }

    /// That no table was changed.
    ///
    /// # Errors
    /// [`StoreError::Damaged`], and as [`changed_tables`](Self::changed_tables).
    pub fn check_tables(&self) -> Result<(), StoreError> {
        match self.changed_tables()?.first() {
            None => Ok(()),
            Some(name) => Err(StoreError::Damaged {
                path: self.path.clone(),
                why: format!("the rows of /{name} are not those that were written"),
            }),
        }
    }

    pub(super) fn foreign(&self, why: &str) -> StoreError {
        StoreError::Foreign { path: self.path.clone(), why: why.to_owned() }
    }

    fn raw<T: H5Type>(&self, name: &str) -> Result<Vec<T>, StoreError> {
        let read = || self.file.dataset(name)?.read_raw();
        read().map_err(hdf5_error(&self.path))
    }
}

/// How much a recording holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Rows of `/midi`.
    pub midi_events: u64,
    /// Rows of `/blocks`.
    pub blocks: u64,
    /// Blocks that came by first transmission.
    pub live: u64,
    /// Blocks with a part that was rebuilt from parity.
    pub repaired: u64,
    /// Blocks with a part that was sent again.
    pub resent: u64,
    /// Blocks with a part that caught up after an outage.
    pub backfilled: u64,
    /// Rows of `/gaps`.
    pub gaps: u64,
    /// Frames that are missing.
    pub gap_frames: u64,
}

/// The rows of the chunk of `/audio` in which `row` lies.
pub(super) fn chunk_of(row: u64) -> Range<u64> {
    const CHUNK: u64 = AUDIO_CHUNK as u64;
    let begin = row / CHUNK * CHUNK;
    begin..begin + CHUNK
}

/// Rows of `/audio` in pieces, each of which lies in one chunk.
pub(super) fn by_chunk(range: Range<u64>) -> impl Iterator<Item = Range<u64>> {
    let mut begin = range.start;
    std::iter::from_fn(move || {
        let piece = begin..range.end.min(chunk_of(begin).end);
        begin = piece.end;
        (!piece.is_empty()).then_some(piece)
    })
}

fn read_summary(path: &Path, file: &File) -> Result<Summary, StoreError> {
    let foreign = |why: &str| StoreError::Foreign { path: path.to_owned(), why: why.to_owned() };
    let text = |name: &str| text(file, name);
    if text("format") == crate::session::FORMAT {
        return Err(foreign("it is the index of a session, which shows recordings that lie elsewhere"));
    }
    if text("format") != FORMAT {
        return Err(foreign("its attribute `format` is missing or another"));
    }
    let schema_version: u32 = attribute(path, file, "schema_version")?;
    if schema_version > SCHEMA_VERSION {
        return Err(foreign(&format!(
            "it has schema version {schema_version}; this program knows up to {SCHEMA_VERSION}: update it"
        )));
    }
    Ok(Summary {
        schema_version,
        name: text("name"),
        host: text("host"),
        machine: text("machine"),
        project: text("project"),
        contributor: text("contributor"),
        licence: text("licence"),
        consent: text("consent"),
        replay_of: text("replay_of"),
        stream_id: text("stream_id"),
        take_id: text("take_id"),
        host_id: text("host_id"),
        machine_id: text("machine_id"),
        sample_rate: attribute(path, file, "sample_rate")?,
        channels: attribute(path, file, "channels")?,
        max_block: attribute(path, file, "max_block")?,
        started_unix_nanos: attribute(path, file, "started_unix_nanos")?,
        part: attribute(path, file, "part")?,
        first_sample: attribute(path, file, "first_sample")?,
        frames: attribute(path, file, "frames")?,
        committed_frames: attribute(path, file, "committed_frames")?,
        closed: attribute::<u8>(path, file, "closed")? != 0,
        end_reason: text("end_reason"),
        crc_mismatches: attribute(path, file, "crc_mismatches")?,
        bad_records: attribute(path, file, "bad_records")?,
        overlapping_frames: attribute(path, file, "overlapping_frames")?,
        gone_entries: attribute(path, file, "gone_entries")?,
        audio_file: text("audio_file"),
    })
}

/// A text; empty where there is none.
fn text(file: &File, name: &str) -> String {
    let read = || file.attr(name)?.read_scalar::<VarLenUnicode>();
    read().map(|text: VarLenUnicode| text.as_str().to_owned()).unwrap_or_default()
}

fn attribute<T: H5Type>(path: &Path, file: &File, name: &str) -> Result<T, StoreError> {
    let read = || file.attr(name)?.read_scalar();
    read().map_err(hdf5_error(path))
}

fn hdf5_error(path: &Path) -> impl Fn(hdf5::Error) -> StoreError + '_ {
    |source| StoreError::Hdf5 { path: path.to_owned(), source }
}
