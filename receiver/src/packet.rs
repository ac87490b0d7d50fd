//! One host block as a JSON document: the shape in which programs of before Send Learn knew it (docs/recordings.md).

use serde::Serialize;

use crate::store::layout::{BlockRow, GapRow, MidiRow, Row, TransportRow};
use crate::store::{Recording, StoreError};
use crate::timeline::crc_of;

/// Why there is no block to print.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PacketError {
    /// No file holds the sample.
    #[error("sample {at} is in no file: the take ends at {end}")]
    Outside {
        /// What was asked for.
        at: u64,
        /// The position after the take's last sample.
        end: u64,
    },
    /// The recording cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The sample is missing from the recording.
    #[error("sample {at} is missing: samples {first} to {last} are a gap ({why})")]
    Gap {
        /// What was asked for.
        at: u64,
        /// The gap's first sample.
        first: u64,
        /// The gap's last sample.
        last: u64,
        /// Its reason, in words.
        why: &'static str,
    },
    /// No row of `/blocks` holds the sample.
    #[error("no block holds sample {at}: its row was lost with other entries of the sender's log")]
    NoBlock {
        /// What was asked for.
        at: u64,
    },
}

/// A host block. Field names and units are those of docs/recordings.md.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[allow(missing_docs, reason = "the fields are documented, with units, in docs/recordings.md")]
pub struct Packet {
    pub host_time_stamp: u64,
    pub playhead_position: Option<i64>,
    pub sample_rate: f64,
    pub block_size: u32,
    pub midi_messages: Vec<MidiMessage>,
    pub audio_channels: Vec<Vec<f32>>,
    pub playback_info: Option<PlaybackInfo>,
    pub data_hash: String,
    pub sample_position: u64,
    pub stream_name: String,
    pub take_id: String,
    pub arrival: &'static str,
    #[serde(skip)]
    exact: bool,
}

/// A MIDI event of a block.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[allow(missing_docs, reason = "as those of the packet")]
pub struct MidiMessage {
    pub sample_position: u64,
    pub offset: u64,
    pub kind: &'static str,
    pub bytes: Vec<u8>,
    pub note_id: Option<i32>,
    pub value: f64,
}

/// The transport that holds at a block's begin.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[allow(missing_docs, reason = "as those of the packet")]
pub struct PlaybackInfo {
    pub sample_position: u64,
    pub is_playing: bool,
    pub is_recording: bool,
    pub is_looping: bool,
    pub tempo: Option<f64>,
    pub time_signature: Option<[u16; 2]>,
    pub playhead_position: Option<i64>,
    pub seconds: Option<f64>,
    pub ppq_position: Option<f64>,
    pub bar: Option<i32>,
    pub bar_start: Option<f64>,
    pub loop_range: Option<[f64; 2]>,
}

impl Packet {
    /// The block that holds the position `at`, of a take whose files are given in order.
    ///
    /// # Errors
    /// [`PacketError`].
    pub fn at(parts: &[Recording], at: u64) -> Result<Self, PacketError> {
        let end = parts.last().map_or(0, |part| part.summary.first_sample + part.summary.committed_frames);
        let index = parts.iter().position(|part| part.holds(at)).ok_or(PacketError::Outside { at, end })?;
        let recording = &parts[index];
        let summary = &recording.summary;
        let missing = |gap: &GapRow| at < gap.sample.saturating_add(gap.frames);
        if let Some(gap) = last_row::<GapRow>(recording, at)?.filter(missing) {
            let last = gap.sample + gap.frames - 1;
            return Err(PacketError::Gap { at, first: gap.sample, last, why: reason(gap.reason) });
        }
        let first = summary.first_sample;
        let end_of = |block: &BlockRow| block.sample.saturating_add(u64::from(block.frames));
        let whole =
            |block: &BlockRow| block.sample >= first && (at + 1..=first + summary.committed_frames).contains(&end_of(block));
        let block = last_row::<BlockRow>(recording, at)?.filter(whole).ok_or(PacketError::NoBlock { at })?;
        let end = end_of(&block);
        let channels = usize::from(summary.channels);
        let samples = recording.audio(block.sample - first..end - first)?;
        let channel = |channel: usize| samples.iter().skip(channel).step_by(channels.max(1)).copied().collect();
        Ok(Self {
            host_time_stamp: block.host_nanos,
            playhead_position: Some(block.playhead).filter(|playhead| *playhead != i64::MIN),
            sample_rate: summary.sample_rate,
            block_size: block.frames,
            midi_messages: midi(recording, block.sample, end)?,
            audio_channels: (0..channels).map(channel).collect(),
            playback_info: transport(&parts[..=index], block.sample)?,
            data_hash: format!("crc32:{:08x}", block.crc),
            sample_position: block.sample,
            stream_name: summary.name.clone(),
            take_id: summary.take_id.clone(),
            arrival: ["live", "repaired", "sent again", "back-filled"][usize::from(block.arrival.min(3))],
            exact: channels == 0 || crc_of(&samples) == block.crc,
        })
    }

    /// Whether the samples have the checksum that their sender stated.
    pub fn is_exact(&self) -> bool {
        self.exact
    }
}

impl PlaybackInfo {
    fn of(row: &TransportRow) -> Self {
        let given = |bit: u16| row.flags & 1 << bit != 0;
        Self {
            sample_position: row.sample,
            is_playing: given(0),
            is_recording: given(1),
            is_looping: given(2),
            tempo: given(3).then_some(row.tempo),
            time_signature: given(4).then_some([row.numerator, row.denominator]),
            playhead_position: given(5).then_some(row.playhead),
            seconds: given(6).then_some(row.seconds),
            ppq_position: given(7).then_some(row.ppq),
            bar: given(8).then_some(row.bar),
            bar_start: given(8).then_some(row.bar_start),
            loop_range: given(2).then_some([row.loop_start, row.loop_end]),
        }
    }
}

/// The words for a gap's reason.
pub fn reason(code: u8) -> &'static str {
    match code {
        1 => "the plugin's ring was full",
        2 => "the plugin was bypassed",
        3 => "the sender had no room to keep it",
        4 => "the sender was restarted",
        5 => "the recording was interrupted",
        6 => "the sent file's audio had ended",
        7 => "capture was off",
        8 => "private, and therefore not sent",
        _ => "for another reason",
    }
}

/// The last row at `at` or before.
fn last_row<R: Row>(recording: &Recording, at: u64) -> Result<Option<R>, StoreError> {
    let mut rows = recording.rows_of::<R>()?;
    let mut last = None;
    while let Some(row) = rows.next_if(|row| row.sample().is_some_and(|sample| sample <= at))? {
        last = Some(row);
    }
    Ok(last)
}

/// The transport that holds at `at`: its row may stand in an earlier part.
fn transport(parts: &[Recording], at: u64) -> Result<Option<PlaybackInfo>, StoreError> {
    for part in parts.iter().rev() {
        if let Some(row) = last_row::<TransportRow>(part, at)? {
            return Ok(Some(PlaybackInfo::of(&row)));
        }
    }
    Ok(None)
}

fn midi(recording: &Recording, begin: u64, end: u64) -> Result<Vec<MidiMessage>, StoreError> {
    let mut rows = recording.rows_of::<MidiRow>()?;
    let mut messages = Vec::new();
    while let Some(row) = rows.next_if(|row| row.sample < end)? {
        if row.sample < begin {
            continue;
        }
        let exclusive = row.sysex_length > 0;
        messages.push(MidiMessage {
            sample_position: row.sample,
            offset: row.sample - begin,
            kind: ["message", "systemExclusive", "systemExclusiveContinued", "noteExpression"][usize::from(row.kind.min(3))],
            bytes: match exclusive {
                true => recording.sysex_bytes(row.sysex_offset, row.sysex_length)?,
                false => message(&row),
            },
            note_id: Some(row.note_id).filter(|id| *id >= 0),
            value: row.value,
        });
    }
    Ok(messages)
}

/// As many bytes as the status byte says (MIDI 1.0, table 1); three of what is no MIDI message.
fn message(row: &MidiRow) -> Vec<u8> {
    let length = match row.status {
        _ if row.kind != 0 => 3,
        0xC0..=0xDF | 0xF1 | 0xF3 => 2,
        0xF4..=0xFF => 1,
        _ => 3,
    };
    [row.status, row.data1, row.data2][..length].to_vec()
}
