//! Writing one part of a take.

use std::path::{Path, PathBuf};

use hdf5::{Dataset, File, H5Type};
use send_learn_protocol::packet::hello::{Description, PropertyKey};

use super::attributes::{create, rewrite, write_text};
use super::checksum::{self, Checksum, Packed};
use super::chunk::{datatype, write_audio_chunk};
use super::layout::{
    AUDIO_CHUNK, AutomationRow, BlockRow, ClockRow, DEFLATE_LEVEL, FORMAT, FeatureRow, GapRow, MarkerRow, MidiRow, ParameterRow,
    Row, SCHEMA_VERSION, TransportRow, property_attribute,
};
use super::{Storage, StoreError, options};
use crate::timeline::{Batch, Faults, Piece};

/// Rows in a chunk of a table that is compressed.
const COMPRESSED_CHUNK: usize = 4_096;

/// Which part of a take a file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part {
    /// Its number, from 1.
    pub number: u32,
    /// The position of its first frame.
    pub first_sample: u64,
    /// The gzip level of its audio, 0 to 9.
    pub compression: u8,
    /// Whether its tables are compressed, too: for a file that is made of another one. Of one that grows with what is played, the last
    /// rows would not be in the file yet.
    pub compressed_tables: bool,
}

impl Part {
    /// The first part of a take, with the usual compression.
    pub const FIRST: Self = Self { number: 1, first_sample: 0, compression: DEFLATE_LEVEL, compressed_tables: false };
}

/// One HDF5 file that grows. Audio is written in whole chunks, each once; rows are written when [`flush`](Self::flush) is
/// called. What is not written yet is in the take's journal.
#[derive(Debug)]
pub struct PartWriter {
    path: PathBuf,
    file: File,
    audio: Option<Audio>,
    sysex: Growing<u8>,
    midi: Growing<MidiRow>,
    automation: Growing<AutomationRow>,
    parameters: Growing<ParameterRow>,
    transport: Growing<TransportRow>,
    blocks: Growing<BlockRow>,
    gaps: Growing<GapRow>,
    features: Growing<FeatureRow>,
    clock: Growing<ClockRow>,
    markers: Growing<MarkerRow>,
    frames: u64,
}

impl PartWriter {
    /// Creates the file at `path`, replacing one that is there, with all its datasets and attributes. It holds any samples.
    ///
    /// # Errors
    /// [`StoreError::Hdf5`].
    pub fn create(path: &Path, description: &Description, part: Part) -> Result<Self, StoreError> {
        Self::create_for(path, description, part, Some(Storage::Float32))
    }

    /// As [`create`](Self::create), for samples that `storage` holds; without it, the audio lies elsewhere, and the file has none.
    ///
    /// # Errors
    /// [`StoreError::Hdf5`].
    pub fn create_for(path: &Path, description: &Description, part: Part, storage: Option<Storage>) -> Result<Self, StoreError> {
        let create = || {
            let file = options().create(path)?;
            write_attributes(&file, description, part)?;
            let audio = match (usize::from(description.channels), storage) {
                (0, _) | (_, None) => None,
                (channels, Some(storage)) => Some(Audio::create(&file, channels, storage, part.compression)?),
            };
            let compressed = part.compressed_tables;
            let writer = Self {
                path: path.to_owned(),
                audio,
                sysex: Growing::create(
                    &file,
                    "sysex",
                    4_096,
                    compressed,
                    "Bytes of system exclusive messages, F0 and F7 included; see /midi.",
                )?,
                midi: Growing::table(&file, compressed)?,
                automation: Growing::table(&file, compressed)?,
                parameters: Growing::table(&file, compressed)?,
                transport: Growing::table(&file, compressed)?,
                blocks: Growing::table(&file, compressed)?,
                gaps: Growing::table(&file, compressed)?,
                features: Growing::table(&file, compressed)?,
                clock: Growing::table(&file, compressed)?,
                markers: Growing::table(&file, compressed)?,
                frames: 0,
                file,
            };
            writer.file.flush()?;
            Ok(writer)
        };
        create().map_err(hdf5_error(path))
    }

    /// Frames taken so far, those that wait for their chunk to fill included.
    pub fn frames(&self) -> u64 {
        self.frames
    }

    /// Changes the stream's name in the file.
    ///
    /// # Errors
    /// [`StoreError::Hdf5`].
    pub fn rename(&self, name: &str) -> Result<(), StoreError> {
        let label = property_attribute(PropertyKey::NAME);
        label.map_or(Ok(()), |label| write_text(&self.file, label, name)).map_err(hdf5_error(&self.path))
    }

    /// Adds a batch.
    ///
    /// # Errors
    /// [`StoreError::Hdf5`] and [`StoreError::Narrow`]: the file is of no more use; make it again from the journal.
    pub fn append(&mut self, mut batch: Batch) -> Result<(), StoreError> {
        if let Some(audio) = self.audio.as_ref().filter(|audio| audio.storage < Storage::Float32) {
            let needed = storage_for(&batch);
            if needed > audio.storage {
                return Err(StoreError::Narrow { path: self.path.clone(), needed });
            }
        }
        for row in &mut batch.midi {
            row.sysex_offset = if row.sysex_length > 0 { row.sysex_offset + self.sysex.total() } else { 0 };
        }
        self.sysex.pending.append(&mut batch.sysex);
        self.midi.pending.append(&mut batch.midi);
        self.automation.pending.append(&mut batch.automation);
        self.parameters.pending.append(&mut batch.parameters);
        self.transport.pending.append(&mut batch.transport);
        self.blocks.pending.append(&mut batch.blocks);
        self.gaps.pending.append(&mut batch.gaps);
        self.features.pending.append(&mut batch.features);
        self.clock.pending.append(&mut batch.clock);
        self.markers.pending.append(&mut batch.markers);
        for piece in &batch.audio {
            match (piece, &mut self.audio) {
                (Piece::Samples(samples), Some(audio)) => {
                    self.frames += (samples.len() / audio.channels) as u64;
                    audio.append(samples).map_err(hdf5_error(&self.path))?;
                }
                (Piece::Missing(frames), Some(audio)) => {
                    self.frames += frames;
                    audio.skip(*frames).map_err(hdf5_error(&self.path))?;
                }
                (Piece::Missing(frames), None) => self.frames += frames,
                (Piece::Samples(_), None) => {}
            }
        }
        for (key, text) in &batch.properties {
            if let Some(label) = property_attribute(PropertyKey(*key)) {
                write_text(&self.file, label, text).map_err(hdf5_error(&self.path))?;
            }
        }
        Ok(())
    }

    /// Writes the rows that wait, makes the file readable as it stands, and then says so in `committed_frames`.
    ///
    /// # Errors
    /// [`StoreError::Hdf5`]: as [`append`](Self::append).
    pub fn flush(&mut self) -> Result<(), StoreError> {
        let mut flush = || {
            self.tables().into_iter().try_for_each(Grow::flush)?;
            let committed = self.audio.as_ref().map_or(self.frames, |audio| audio.written);
            // First the data, then the count that vouches for it.
            self.file.flush()?;
            rewrite(&self.file, "committed_frames", &committed)?;
            self.file.flush()
        };
        flush().map_err(hdf5_error(&self.path))
    }

    /// Writes everything, the last chunk too, marks the file closed, closes it and syncs it to the disk. `end` is the position
    /// after the part's last frame; it matters for streams without audio, whose frames nothing else counts.
    ///
    /// # Errors
    /// [`StoreError`]: as [`append`](Self::append).
    pub fn finish(mut self, end_reason: &str, frames: u64, faults: Faults) -> Result<(), StoreError> {
        let path = self.path.clone();
        let mut finish = || {
            if let Some(audio) = &mut self.audio {
                audio.finish()?;
            }
            self.tables().into_iter().try_for_each(Grow::finish)?;
            rewrite(&self.file, "frames", &frames)?;
            rewrite(&self.file, "committed_frames", &frames)?;
            rewrite(&self.file, "crc_mismatches", &faults.crc_mismatches)?;
            rewrite(&self.file, "bad_records", &faults.bad_records)?;
            rewrite(&self.file, "overlapping_frames", &faults.overlapping_frames)?;
            rewrite(&self.file, "gone_entries", &faults.gone_entries)?;
            write_text(&self.file, "end_reason", end_reason)?;
            self.file.flush()?;
            rewrite(&self.file, "closed", &1_u8)?;
            self.file.flush()
        };
        finish().map_err(hdf5_error(&path))?;
        drop(self);
        std::fs::File::open(&path).and_then(|file| file.sync_all()).map_err(|source| StoreError::Io { path, source })
    }

    /// All that has rows: bytes before the rows that point to them.
    fn tables(&mut self) -> [&mut dyn Grow; 10] {
        [
            &mut self.sysex,
            &mut self.midi,
            &mut self.automation,
            &mut self.parameters,
            &mut self.transport,
            &mut self.blocks,
            &mut self.gaps,
            &mut self.features,
            &mut self.clock,
            &mut self.markers,
        ]
    }
}

/// The least that holds all samples of `batch`.
pub(crate) fn storage_for(batch: &Batch) -> Storage {
    let needed = |piece: &Piece| match piece {
        Piece::Samples(samples) => Storage::of(samples),
        Piece::Missing(_) => Storage::Fixed16,
    };
    batch.audio.iter().map(needed).max().unwrap_or(Storage::Fixed16)
}

fn write_attributes(file: &File, description: &Description, part: Part) -> hdf5::Result<()> {
    write_text(file, "format", FORMAT)?;
    create(file, "schema_version", &SCHEMA_VERSION)?;
    write_text(file, "writer_version", env!("CARGO_PKG_VERSION"))?;
    create(file, "sample_rate", &description.sample_rate)?;
    create(file, "channels", &description.channels)?;
    create(file, "max_block", &description.max_block)?;
    write_text(file, "stream_id", &description.stream.to_string())?;
    write_text(file, "take_id", &description.take.to_string())?;
    write_text(file, "host_id", &description.host.to_string())?;
    write_text(file, "machine_id", &description.machine.to_string())?;
    create(file, "started_unix_nanos", &description.started_unix_nanos)?;
    create(file, "started_host_nanos", &description.started.0)?;
    create(file, "part", &part.number)?;
    create(file, "first_sample", &part.first_sample)?;
    create(file, "frames", &0_u64)?;
    create(file, "committed_frames", &0_u64)?;
    create(file, "crc_mismatches", &0_u64)?;
    create(file, "bad_records", &0_u64)?;
    create(file, "overlapping_frames", &0_u64)?;
    create(file, "gone_entries", &0_u64)?;
    create(file, "closed", &0_u8)?;
    write_text(file, "end_reason", "")?;
    for (key, text) in &description.properties {
        if let Some(label) = property_attribute(*key) {
            write_text(file, label, text)?;
        }
    }
    Ok(())
}

fn hdf5_error(path: &Path) -> impl Fn(hdf5::Error) -> StoreError + '_ {
    |source| StoreError::Hdf5 { path: path.to_owned(), source }
}

/// `/audio`, written in whole chunks.
#[derive(Debug)]
struct Audio {
    dataset: Dataset,
    storage: Storage,
    channels: usize,
    /// The gzip level.
    level: u8,
    /// Frames in whole chunks that are written (or, where all samples are missing, skipped).
    written: u64,
    /// The chunk that is being filled.
    chunk: Vec<f32>,
}

impl Audio {
    fn create(file: &File, channels: usize, storage: Storage, level: u8) -> hdf5::Result<Self> {
        let dataset = file
            .new_dataset_builder()
            .empty_as(datatype(storage)?)
            .chunk((AUDIO_CHUNK, channels))
            .shuffle()
            .deflate(level)
            .shape((0.., channels))
            .create("audio")?;
        write_text(
            &dataset,
            "about",
            "Samples as the host gave them, float32, nominally -1 to 1. Row i is sample first_sample + i.",
        )?;
        write_text(&dataset, "unit", "full scale")?;
        Ok(Self { dataset, storage, channels, level, written: 0, chunk: Vec::with_capacity(AUDIO_CHUNK * channels) })
    }

    fn append(&mut self, mut samples: &[f32]) -> hdf5::Result<()> {
        let whole = AUDIO_CHUNK * self.channels;
        while !samples.is_empty() {
            let (head, rest) = samples.split_at(samples.len().min(whole - self.chunk.len()));
            self.chunk.extend_from_slice(head);
            samples = rest;
            if self.chunk.len() == whole {
                self.write_chunk(AUDIO_CHUNK as u64)?;
            }
        }
        Ok(())
    }

    /// Leaves `frames` frames zero. Whole chunks of them are not written at all: HDF5 gives zeros for them.
    fn skip(&mut self, mut frames: u64) -> hdf5::Result<()> {
        let whole = AUDIO_CHUNK as u64;
        while frames > 0 {
            if self.chunk.is_empty() && frames >= whole {
                self.written += frames / whole * whole;
                frames %= whole;
                self.dataset.resize((self.written as usize, self.channels))?;
                continue;
            }
            let held = (self.chunk.len() / self.channels) as u64;
            let part = frames.min(whole - held);
            self.chunk.resize((held + part) as usize * self.channels, 0.0);
            frames -= part;
            if held + part == whole {
                self.write_chunk(whole)?;
            }
        }
        Ok(())
    }

    /// Writes the chunk, of which `frames` count. Digital silence (all bits zero) takes no room.
    fn write_chunk(&mut self, frames: u64) -> hdf5::Result<()> {
        self.dataset.resize(((self.written + frames) as usize, self.channels))?;
        if self.chunk.iter().any(|sample| sample.to_bits() != 0) {
            write_audio_chunk(&self.dataset, self.storage, self.written, &self.chunk, self.level)?;
        }
        self.written += frames;
        self.chunk.clear();
        Ok(())
    }

    fn finish(&mut self) -> hdf5::Result<()> {
        let frames = (self.chunk.len() / self.channels) as u64;
        if frames == 0 {
            return Ok(());
        }
        self.chunk.resize(AUDIO_CHUNK * self.channels, 0.0);
        self.write_chunk(frames)
    }
}

/// A table, or the bytes of system exclusive messages: what is appended waits in memory until it is flushed.
#[derive(Debug)]
struct Growing<T> {
    dataset: Dataset,
    rows: usize,
    pending: Vec<T>,
    checksum: Checksum,
    /// Only whole chunks are written, each once: they are compressed, and one that grew would move.
    whole_chunks: bool,
}

impl<T: H5Type + Packed> Growing<T> {
    fn create(file: &File, name: &str, chunk: usize, compressed: bool, about: &str) -> hdf5::Result<Self> {
        let builder = file.new_dataset_builder();
        let builder = if compressed { builder.shuffle().deflate(DEFLATE_LEVEL) } else { builder };
        let chunk = if compressed { COMPRESSED_CHUNK } else { chunk };
        let dataset = builder.empty::<T>().chunk(chunk).packed(true).shape(0..).create(name)?;
        write_text(&dataset, "about", about)?;
        Ok(Self { dataset, rows: 0, pending: Vec::new(), checksum: Checksum::default(), whole_chunks: compressed })
    }

    fn total(&self) -> u64 {
        (self.rows + self.pending.len()) as u64
    }

    fn write(&mut self, count: usize) -> hdf5::Result<()> {
        if count == 0 {
            return Ok(());
        }
        let end = self.rows + count;
        self.dataset.resize(end)?;
        self.dataset.write_slice(&self.pending[..count], self.rows..end)?;
        self.checksum.rows(&self.pending[..count]);
        self.pending.drain(..count);
        self.rows = end;
        Ok(())
    }
}

impl<R: Row> Growing<R> {
    fn table(file: &File, compressed: bool) -> hdf5::Result<Self> {
        Self::create(file, R::NAME, R::CHUNK, compressed, R::ABOUT)
    }
}

/// Whatever its rows are.
trait Grow {
    /// Writes what can be written now.
    fn flush(&mut self) -> hdf5::Result<()>;
    /// Writes the rest, and the checksum of all.
    fn finish(&mut self) -> hdf5::Result<()>;
}

impl<T: H5Type + Packed> Grow for Growing<T> {
    fn flush(&mut self) -> hdf5::Result<()> {
        let waiting = self.pending.len();
        self.write(if self.whole_chunks { waiting - waiting % COMPRESSED_CHUNK } else { waiting })
    }

    fn finish(&mut self) -> hdf5::Result<()> {
        self.write(self.pending.len())?;
        create(&self.dataset, checksum::ATTRIBUTE, &self.checksum.value())
    }
}
