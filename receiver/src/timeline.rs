//! Places a take's records on its sample axis: gapless audio, rows of events, and a row for everything that is missing.
//!
//! Records come in log order. What they add is gathered in a [`Batch`], which is complete when a block's record has come:
//! recordings begin and end between batches, so a part never holds half a block.

use send_learn_protocol::packet::close::GoneReason;
use send_learn_protocol::record::{
    AudioFragment, Block, End, EndReason, Gap, GapReason, Marker, MarkerKind, MidiEvent, MidiKind, Record, RecordError, Transport,
};
use send_learn_protocol::tap::Arrival;
use send_learn_protocol::units::HostNanos;

use crate::store::layout::{
    AutomationRow, BlockRow, ClockRow, FeatureRow, GapRow, MAX_POSITION, MarkerRow, MidiRow, ParameterRow, TransportRow, fixed,
};

/// Samples and rows after which a batch is handed on even without a block's record, so that no sender can make it grow.
const MAX_BATCH_SAMPLES: usize = 4 << 20;
const MAX_BATCH_ROWS: usize = 16_384;

/// A stretch of audio.
#[derive(Clone, Debug, PartialEq)]
pub enum Piece {
    /// Samples, interleaved by frame.
    Samples(Vec<f32>),
    /// That many frames of zeros, where samples are missing.
    Missing(u64),
}

/// What a run of records adds to a recording.
#[derive(Clone, Debug, Default, PartialEq)]
#[allow(missing_docs, reason = "the fields are the tables of the layout, by their names")]
pub struct Batch {
    pub audio: Vec<Piece>,
    pub midi: Vec<MidiRow>,
    /// Bytes that `midi` rows point into, counted from the batch's begin.
    pub sysex: Vec<u8>,
    pub automation: Vec<AutomationRow>,
    pub parameters: Vec<ParameterRow>,
    pub transport: Vec<TransportRow>,
    pub blocks: Vec<BlockRow>,
    pub gaps: Vec<GapRow>,
    pub features: Vec<FeatureRow>,
    pub clock: Vec<ClockRow>,
    pub markers: Vec<MarkerRow>,
    /// Changed texts of the description: key and text.
    pub properties: Vec<(u8, String)>,
}

/// What went wrong in a take; each is also logged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Faults {
    /// Blocks whose samples do not have the checksum that the sender stated.
    pub crc_mismatches: u64,
    /// Records that could not be read, or stand where none can.
    pub bad_records: u64,
    /// Frames that came twice and were left out the second time.
    pub overlapping_frames: u64,
    /// Entries that the sender no longer had.
    pub gone_entries: u64,
}

impl Faults {
    /// Those that came after `before`.
    #[must_use]
    pub fn since(self, before: Self) -> Self {
        Self {
            crc_mismatches: self.crc_mismatches - before.crc_mismatches,
            bad_records: self.bad_records - before.bad_records,
            overlapping_frames: self.overlapping_frames - before.overlapping_frames,
            gone_entries: self.gone_entries - before.gone_entries,
        }
    }
}

/// How an entry came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Came {
    /// By which way.
    pub arrival: Arrival,
    /// When, on the receiver's clock.
    pub at: HostNanos,
}

/// Entries that the sender no longer had.
#[derive(Clone, Copy, Debug)]
struct Lost {
    reason: GapReason,
    /// Where the recording was when the first of them was missed.
    position: u64,
    entries: u64,
}

/// The state of a take between its records.
#[derive(Debug)]
pub struct Timeline {
    channels: usize,
    /// The position after the last frame.
    end: u64,
    batch: Batch,
    batch_samples: usize,
    /// How the parts of the block that is being gathered came: the latest way and time.
    came: Option<Came>,
    /// What is gone of the block that is being gathered, or before it.
    gone: Option<Lost>,
    faults: Faults,
    ended: Option<EndReason>,
}

impl Timeline {
    /// A take of `channels` channels whose next frame is `position`.
    pub fn new(channels: u16, position: u64) -> Self {
        Self {
            channels: usize::from(channels),
            end: position,
            batch: Batch::default(),
            batch_samples: 0,
            came: None,
            gone: None,
            faults: Faults::default(),
            ended: None,
        }
    }

    /// The position after the last frame that was placed.
    pub fn position(&self) -> u64 {
        self.end
    }

    /// Why the take ended, once its last record has come.
    pub fn ended(&self) -> Option<EndReason> {
        self.ended
    }

    /// What went wrong so far.
    pub fn faults(&self) -> Faults {
        self.faults
    }

    /// Takes the batch, whether it ends with a block or not.
    pub fn take_batch(&mut self) -> Batch {
        self.batch_samples = 0;
        std::mem::take(&mut self.batch)
    }

    /// Places one record. True when the batch is complete: take it.
    pub fn record(&mut self, record: Result<Record<'_>, RecordError>, came: Came) -> bool {
        if self.ended.is_some() {
            return false;
        }
        let record = match record {
            Ok(record) => record,
            Err(error) => return self.bad(&error),
        };
        if position(&record).is_some_and(|position| position > MAX_POSITION) {
            return self.bad(&"a position beyond all reason");
        }
        match record {
            Record::Audio(fragment) => return self.audio(&fragment, came),
            Record::Block(block) => return self.block(&block, came),
            Record::Gap(gap) => self.gap(&gap),
            Record::Midi(event) => self.midi(&event),
            Record::Transport(transport) => self.batch.transport.push(transport_row(&transport)),
            Record::Marker(marker) => self.batch.markers.push(marker_row(&marker)),
            Record::Automation(point) => self.batch.automation.push(AutomationRow {
                sample: point.position.0,
                parameter: point.parameter,
                normalized: point.normalized,
                plain: point.plain,
            }),
            Record::Clock(estimate) => self.batch.clock.push(ClockRow {
                sample: estimate.position.0,
                host_nanos: estimate.host.0,
                offset_nanos: estimate.offset,
                round_trip_nanos: estimate.round_trip,
                uncertainty_nanos: estimate.uncertainty,
                drift_ppb: estimate.drift_ppb,
            }),
            Record::Parameter(parameter) => {
                self.batch.parameters.push(ParameterRow { parameter: parameter.parameter, name: fixed(parameter.name) });
            }
            Record::Property(property) => self.batch.properties.push((property.key, property.text.to_owned())),
            Record::End(end) => return self.end(&end),
            // A newer sender's: it stays in the journal alone.
            _ => {}
        }
        self.is_full()
    }

    /// Notes that `count` entries before the next one are gone.
    pub fn gone(&mut self, reason: GoneReason, count: u64) {
        self.faults.gone_entries += count;
        let reason = match reason {
            GoneReason::RetentionFull => GapReason::RetentionFull,
            GoneReason::SenderRestarted => GapReason::SenderRestarted,
            _ => GapReason::Other,
        };
        let (position, before) = self.gone.map_or((self.end, 0), |lost| (lost.position, lost.entries));
        self.gone = Some(Lost { reason, position, entries: before + count });
    }

    /// Marks what was lost: it may have been events, of which no gap tells. What is missing later has other reasons.
    fn mark_lost(&mut self) {
        if let Some(Lost { position, entries, .. }) = self.gone.take() {
            let text = fixed(&format!("{entries} entries of the sender's log are lost"));
            self.batch.markers.push(MarkerRow { sample: position, kind: MarkerKind::Other as u8, text });
        }
    }

    fn bad(&mut self, why: &dyn std::fmt::Display) -> bool {
        self.faults.bad_records += 1;
        tracing::error!(position = self.end, "a record of the take is unusable: {why}");
        false
    }

    fn is_full(&self) -> bool {
        let rows = self.batch.midi.len() + self.batch.automation.len() + self.batch.transport.len() + self.batch.markers.len();
        let others = self.batch.clock.len() + self.batch.parameters.len() + self.batch.properties.len() + self.batch.gaps.len();
        rows + others > MAX_BATCH_ROWS || self.batch_samples > MAX_BATCH_SAMPLES || self.batch.sysex.len() > MAX_BATCH_SAMPLES
    }

    fn audio(&mut self, fragment: &AudioFragment<'_>, came: Came) -> bool {
        if usize::from(fragment.channels) != self.channels {
            return self.bad(&"a fragment with another number of channels than the take");
        }
        let mut samples = Vec::new();
        if let Err(error) = fragment.decode(&mut samples) {
            return self.bad(&error);
        }
        let (position, end) = (fragment.position.0, fragment.end().0);
        if position > self.end {
            self.missing_until(position, None);
        }
        let twice = (self.end - position).min(u64::from(fragment.frames));
        self.faults.overlapping_frames += twice;
        if twice > 0 {
            tracing::error!(position, frames = twice, "samples came twice in the take's log; the first are kept");
        }
        let fresh = &samples[twice as usize * self.channels..];
        if let Some(Piece::Samples(run)) = self.batch.audio.last_mut() {
            run.extend_from_slice(fresh);
        } else if !fresh.is_empty() {
            self.batch.audio.push(Piece::Samples(fresh.to_vec()));
        }
        self.batch_samples += fresh.len();
        self.end = self.end.max(end);
        self.note_arrival(came);
        self.is_full()
    }

    fn note_arrival(&mut self, came: Came) {
        let before = self.came.unwrap_or(came);
        self.came = Some(Came { arrival: before.arrival.max(came.arrival), at: before.at.max(came.at) });
    }

    fn block(&mut self, block: &Block, came: Came) -> bool {
        let (begin, end) = (block.position.0, block.position.0 + u64::from(block.frames));
        if end > self.end && self.channels > 0 {
            self.missing_until(end, None);
        }
        self.end = self.end.max(end);
        self.mark_lost();
        self.note_arrival(came);
        if let Some(samples) = self.newest(begin, end)
            && crc_of(samples) != block.crc
        {
            self.faults.crc_mismatches += 1;
            tracing::error!(
                position = begin,
                frames = block.frames,
                "a block's samples do not have the checksum that its sender stated"
            );
        }
        let came = self.came.take().unwrap_or(came);
        self.batch.blocks.push(BlockRow {
            sample: begin,
            frames: block.frames,
            crc: block.crc,
            host_nanos: block.host.0,
            arrival_nanos: came.at.0,
            playhead: block.playhead.unwrap_or(i64::MIN),
            arrival: came.arrival as u8,
            level: 1.0,
        });
        true
    }

    /// The samples from `begin` to `end`, if the batch ends with them and none is missing.
    fn newest(&self, begin: u64, end: u64) -> Option<&[f32]> {
        let Some(Piece::Samples(run)) = self.batch.audio.last() else { return None };
        let run_begin = self.end - (run.len() / self.channels) as u64;
        let (from, to) = (begin.checked_sub(run_begin)?, end.checked_sub(run_begin)?);
        run.get(from as usize * self.channels..to as usize * self.channels)
    }

    fn gap(&mut self, gap: &Gap) {
        let end = gap.position.0.saturating_add(gap.frames).min(MAX_POSITION);
        if gap.position.0 > self.end {
            self.missing_until(gap.position.0, None);
        }
        if end > self.end {
            self.missing_until(end, Some(gap.reason));
        } else if let Some(row) = self.batch.gaps.last_mut().filter(|row| row.sample == gap.position.0 && row.frames == gap.frames)
        {
            // The jump was seen before its reason.
            row.reason = gap.reason as u8;
        }
    }

    fn missing_until(&mut self, position: u64, reason: Option<GapReason>) {
        let frames = position - self.end;
        let reason = reason.or(self.gone.map(|lost| lost.reason)).unwrap_or(GapReason::Other) as u8;
        match self.batch.gaps.last_mut() {
            Some(row) if row.reason == reason && row.sample + row.frames == self.end => row.frames += frames,
            _ => self.batch.gaps.push(GapRow { sample: self.end, frames, reason }),
        }
        match self.batch.audio.last_mut() {
            Some(Piece::Missing(run)) => *run += frames,
            _ => self.batch.audio.push(Piece::Missing(frames)),
        }
        self.end = position;
    }

    fn midi(&mut self, event: &MidiEvent<'_>) {
        let offset = self.batch.sysex.len() as u64;
        self.batch.sysex.extend_from_slice(event.data);
        if event.kind == MidiKind::SysExContinued
            && let Some(row) = self.batch.midi.last_mut()
            && (row.kind, row.sample) == (MidiKind::SysEx as u8, event.position.0)
        {
            row.sysex_length += event.data.len() as u32;
            return;
        }
        let [status, data1, data2] = event.bytes;
        self.batch.midi.push(MidiRow {
            sample: event.position.0,
            status,
            data1,
            data2,
            kind: event.kind as u8,
            note_id: event.note_id,
            value: event.value,
            sysex_offset: offset,
            sysex_length: event.data.len() as u32,
        });
    }

    fn end(&mut self, end: &End) -> bool {
        if end.position.0 > self.end {
            self.missing_until(end.position.0, None);
        }
        self.mark_lost();
        self.ended = Some(end.reason);
        true
    }
}

/// The CRC-32 of samples as little-endian float32, as block records state it.
pub fn crc_of(samples: &[f32]) -> u32 {
    if cfg!(target_endian = "little") {
        return crc32fast::hash(bytemuck::cast_slice(samples));
    }
    let mut hasher = crc32fast::Hasher::new();
    samples.iter().for_each(|sample| hasher.update(&sample.to_le_bytes()));
    hasher.finalize()
}

/// The position that `record` reaches; `None` where it has none.
fn position(record: &Record<'_>) -> Option<u64> {
    Some(match record {
        Record::Audio(fragment) => fragment.end().0,
        Record::Block(block) => block.position.0.saturating_add(u64::from(block.frames)),
        Record::Midi(event) => event.position.0,
        Record::Automation(point) => point.position.0,
        Record::Transport(transport) => transport.position.0,
        Record::Clock(estimate) => estimate.position.0,
        Record::Marker(marker) => marker.position.0,
        Record::Gap(gap) => gap.position.0,
        Record::End(end) => end.position.0,
        _ => return None,
    })
}

fn transport_row(transport: &Transport) -> TransportRow {
    TransportRow {
        sample: transport.position.0,
        flags: transport.flags.0,
        numerator: transport.meter.0,
        denominator: transport.meter.1,
        bar: transport.bar,
        tempo: transport.tempo,
        playhead: transport.playhead,
        seconds: transport.seconds,
        ppq: transport.ppq,
        bar_start: transport.bar_start,
        loop_start: transport.loop_range.0,
        loop_end: transport.loop_range.1,
    }
}

fn marker_row(marker: &Marker<'_>) -> MarkerRow {
    MarkerRow { sample: marker.position.0, kind: marker.kind as u8, text: fixed(marker.text) }
}

#[cfg(test)]
mod tests;
