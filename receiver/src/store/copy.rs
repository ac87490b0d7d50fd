//! Copies a recording into a new file: stored smaller, without its audio, or as far as a file that was never closed can be trusted.

use std::path::Path;

use super::layout::{
    AUDIO_CHUNK, AutomationRow, BlockRow, ClockRow, DEFLATE_LEVEL, FeatureRow, GapRow, MarkerRow, MidiRow, TransportRow,
};
use super::rows::Rows;
use super::writer::Part;
use super::{PartWriter, Recording, Storage, StoreError};
use crate::timeline::{Batch, Faults, Piece};

/// Frames copied at once.
const STEP: u64 = 4 * AUDIO_CHUNK as u64;

/// Copies all of `from`, a closed recording, to a new file at `to`, with the audio in `storage` or without it.
///
/// # Errors
/// [`StoreError`]: `from` is damaged or `to` cannot be written. What was begun at `to` stays.
pub fn copy(from: &Recording, to: &Path, storage: Option<Storage>) -> Result<(), StoreError> {
    let summary = &from.summary;
    let end = summary.first_sample + summary.frames;
    let mut writer = begin(from, to, storage)?;
    Tables::open(from)?.copy(from, &mut writer, storage.is_some(), end)?;
    let faults = Faults {
        crc_mismatches: summary.crc_mismatches,
        bad_records: summary.bad_records,
        overlapping_frames: summary.overlapping_frames,
        gone_entries: summary.gone_entries,
    };
    writer.finish(&summary.end_reason, summary.frames, faults)
}

/// Copies what can be trusted of a file that was never closed, up to its last whole block, to a new file at `to`, and closes that.
/// Gives its length in frames.
///
/// # Errors
/// As [`copy`].
pub fn salvage(from: &Recording, to: &Path) -> Result<u64, StoreError> {
    let first = from.summary.first_sample;
    let trusted = first + from.summary.committed_frames;
    let mut ends: Vec<u64> = from.table::<BlockRow>()?.iter().map(|row| row.sample + u64::from(row.frames)).collect();
    ends.extend(from.table::<GapRow>()?.iter().map(|row| row.sample + row.frames));
    let end = ends.into_iter().filter(|end| *end <= trusted).max().unwrap_or(first);
    let storage = least_storage(from, end - first)?;
    let mut writer = begin(from, to, storage)?;
    Tables::open(from)?.copy(from, &mut writer, storage.is_some(), end)?;
    writer.finish("interrupted", end - first, Faults::default())?;
    Ok(end - first)
}

/// The least storage that holds the first `frames` of a recording; `None` without audio.
///
/// # Errors
/// [`StoreError`] when its audio cannot be read.
pub fn least_storage(recording: &Recording, frames: u64) -> Result<Option<Storage>, StoreError> {
    if recording.summary.channels == 0 {
        return Ok(None);
    }
    let mut needed = Storage::Fixed16;
    for begin in (0..frames).step_by(STEP as usize) {
        needed = needed.max(Storage::of(&recording.audio(begin..frames.min(begin + STEP))?));
        if needed == Storage::Float32 {
            break;
        }
    }
    Ok(Some(needed))
}

fn begin(from: &Recording, to: &Path, storage: Option<Storage>) -> Result<PartWriter, StoreError> {
    let part = Part {
        number: from.summary.part,
        first_sample: from.summary.first_sample,
        compression: DEFLATE_LEVEL,
        compressed_tables: true,
    };
    let mut writer = PartWriter::create_for(to, &from.description()?, part, storage)?;
    writer.append(Batch { parameters: from.table()?, ..Batch::default() })?;
    Ok(writer)
}

/// All tables of a recording, as far as they were copied.
struct Tables {
    midi: Rows<MidiRow>,
    automation: Rows<AutomationRow>,
    transport: Rows<TransportRow>,
    blocks: Rows<BlockRow>,
    gaps: Rows<GapRow>,
    features: Rows<FeatureRow>,
    clock: Rows<ClockRow>,
    markers: Rows<MarkerRow>,
}

impl Tables {
    fn open(from: &Recording) -> Result<Self, StoreError> {
        Ok(Self {
            midi: from.rows_of()?,
            automation: from.rows_of()?,
            transport: from.rows_of()?,
            blocks: from.rows_of()?,
            gaps: from.rows_of()?,
            features: from.rows_of()?,
            clock: from.rows_of()?,
            markers: from.rows_of()?,
        })
    }

    /// Copies audio up to position `end`, and the rows before it; of a closed file all rows.
    fn copy(&mut self, from: &Recording, to: &mut PartWriter, audio: bool, end: u64) -> Result<(), StoreError> {
        let first = from.summary.first_sample;
        let whole = from.summary.closed;
        let mut begin = first;
        loop {
            let until = end.min(begin + STEP);
            let rows = if until == end && whole { u64::MAX } else { until };
            let mut batch = Batch {
                automation: self.automation.take_before(rows)?,
                transport: self.transport.take_before(rows)?,
                blocks: self.blocks.take_before(rows)?,
                gaps: self.gaps.take_before(rows)?,
                features: self.features.take_before(rows)?,
                clock: self.clock.take_before(rows)?,
                markers: self.markers.take_before(rows)?,
                ..Batch::default()
            };
            for row in self.midi.take_before(rows)? {
                let offset = batch.sysex.len() as u64;
                if row.sysex_length > 0 {
                    batch.sysex.extend(from.sysex_bytes(row.sysex_offset, row.sysex_length)?);
                }
                batch.midi.push(MidiRow { sysex_offset: offset, ..row });
            }
            if !whole {
                batch.blocks.retain(|row| row.sample + u64::from(row.frames) <= end);
                batch.gaps.iter_mut().for_each(|row| row.frames = row.frames.min(end - row.sample));
            }
            if until > begin {
                batch.audio.push(match audio {
                    true => Piece::Samples(from.audio(begin - first..until - first)?),
                    false => Piece::Missing(until - begin),
                });
            }
            to.append(batch)?;
            to.flush()?;
            begin = until;
            if begin >= end {
                return Ok(());
            }
        }
    }
}
