//! A file's rows and samples as records of a log, in the order in which a plugin writes them: what happens in a block, its samples, then
//! the block's own record.

use send_learn_protocol::record::{
    Automation, Block, Gap, GapReason, Marker, MarkerKind, MidiEvent, MidiKind, Parameter, Record, Transport, TransportFlags,
};
use send_learn_protocol::sender::Sender;
use send_learn_protocol::units::{HostNanos, SamplePosition};

use crate::store::layout::{AUDIO_CHUNK, AutomationRow, BlockRow, GapRow, MarkerRow, MidiRow, ParameterRow, TransportRow};
use crate::store::rows::Rows;
use crate::store::{Recording, StoreError};

/// Samples read at once.
const READ: u64 = 4 * AUDIO_CHUNK as u64;

/// Without a block's record, so many frames go at once.
const STRAY: u64 = 4_096;

pub(super) struct Feed<'a> {
    recording: &'a Recording,
    midi: Rows<MidiRow>,
    automation: Rows<AutomationRow>,
    transport: Rows<TransportRow>,
    markers: Rows<MarkerRow>,
    gaps: Rows<GapRow>,
    blocks: Rows<BlockRow>,
    /// The position after what was sent.
    at: u64,
    end: u64,
    /// Samples from `window_begin` on.
    window: Vec<f32>,
    window_begin: u64,
}

impl<'a> Feed<'a> {
    pub(super) fn open(recording: &'a Recording, sender: &mut Sender) -> Result<Self, StoreError> {
        let summary = &recording.summary;
        for ParameterRow { parameter, name } in recording.table::<ParameterRow>()? {
            sender.push(&Record::Parameter(Parameter { parameter, name: name.as_str() }));
        }
        Ok(Self {
            midi: recording.rows_of()?,
            automation: recording.rows_of()?,
            transport: recording.rows_of()?,
            markers: recording.rows_of()?,
            gaps: recording.rows_of()?,
            blocks: recording.rows_of()?,
            at: summary.first_sample,
            end: summary.first_sample + summary.committed_frames,
            window: Vec::new(),
            window_begin: summary.first_sample,
            recording,
        })
    }

    /// The position of what comes next; `None` at the end.
    pub(super) fn next_position(&mut self) -> Result<Option<u64>, StoreError> {
        let end = self.end;
        let next = self.blocks.peek()?.filter(|block| reach(block) <= end).map(|block| block.sample.max(self.at));
        Ok(next.or((self.at < self.end).then_some(self.at)))
    }

    /// Sends the next block and all before it. Gives the position after it.
    pub(super) fn push(&mut self, sender: &mut Sender, host: HostNanos) -> Result<u64, StoreError> {
        let end = self.end;
        let block = self.blocks.next_if(|block| reach(block) <= end)?;
        let until = block.as_ref().map_or_else(|| end.min(self.at + STRAY), reach);
        self.events_before(until, sender)?;
        self.audio_until(until, sender)?;
        if let Some(block) = block {
            sender.push(&Record::Block(Block {
                position: SamplePosition(block.sample),
                frames: block.frames,
                crc: block.crc,
                host,
                playhead: Some(block.playhead).filter(|playhead| *playhead != i64::MIN),
            }));
        }
        sender.flush(host);
        Ok(self.at)
    }

    /// Sends what stands at the end, of no frame. Gives the position after the part.
    pub(super) fn finish(mut self, sender: &mut Sender) -> Result<u64, StoreError> {
        self.audio_until(self.end, sender)?;
        self.events_before(u64::MAX, sender)?;
        Ok(self.at)
    }

    fn events_before(&mut self, until: u64, sender: &mut Sender) -> Result<(), StoreError> {
        for row in self.transport.take_before(until)? {
            sender.push(&Record::Transport(transport(&row)));
        }
        for row in self.markers.take_before(until)? {
            sender.push(&Record::Marker(Marker {
                position: SamplePosition(row.sample),
                kind: MarkerKind::from_wire(row.kind),
                text: row.text.as_str(),
            }));
        }
        for row in self.automation.take_before(until)? {
            sender.push(&Record::Automation(Automation {
                position: SamplePosition(row.sample),
                parameter: row.parameter,
                normalized: row.normalized,
                plain: row.plain,
            }));
        }
        for row in self.midi.take_before(until)? {
            let data = match row.sysex_length {
                0 => Vec::new(),
                length => self.recording.sysex_bytes(row.sysex_offset, length)?,
            };
            let kinds = [MidiKind::Message, MidiKind::SysEx, MidiKind::SysExContinued, MidiKind::NoteExpression];
            sender.push(&Record::Midi(MidiEvent {
                position: SamplePosition(row.sample),
                kind: kinds[usize::from(row.kind.min(3))],
                bytes: [row.status, row.data1, row.data2],
                note_id: row.note_id,
                value: row.value,
                data: &data,
            }));
        }
        Ok(())
    }

    /// Sends samples up to `until`, and gaps as gaps.
    fn audio_until(&mut self, until: u64, sender: &mut Sender) -> Result<(), StoreError> {
        while self.at < until {
            match self.gaps.next_if(|gap| gap.sample < until)? {
                Some(gap) => {
                    self.samples(self.at, gap.sample, sender)?;
                    let reason = GapReason::from_wire(gap.reason);
                    sender.push(&Record::Gap(Gap { position: SamplePosition(gap.sample), frames: gap.frames, reason }));
                    self.at = self.at.max(gap.sample.saturating_add(gap.frames));
                }
                None => {
                    self.samples(self.at, until, sender)?;
                    self.at = until;
                }
            }
        }
        Ok(())
    }

    fn samples(&mut self, from: u64, to: u64, sender: &mut Sender) -> Result<(), StoreError> {
        let channels = self.recording.summary.channels;
        if channels == 0 || to <= from {
            return Ok(());
        }
        let (width, first) = (usize::from(channels), self.recording.summary.first_sample);
        let mut at = from;
        while at < to {
            let held = self.window_begin + (self.window.len() / width) as u64;
            if at < self.window_begin || at >= held {
                self.window = self.recording.audio(at - first..self.end.min(at + READ) - first)?;
                self.window_begin = at;
                continue;
            }
            let until = to.min(held).min(at + STRAY);
            let range = (at - self.window_begin) as usize * width..(until - self.window_begin) as usize * width;
            sender.push_audio(SamplePosition(at), channels, &self.window[range]);
            at = until;
        }
        Ok(())
    }
}

fn reach(block: &BlockRow) -> u64 {
    block.sample.saturating_add(u64::from(block.frames))
}

fn transport(row: &TransportRow) -> Transport {
    Transport {
        position: SamplePosition(row.sample),
        flags: TransportFlags(row.flags),
        meter: (row.numerator, row.denominator),
        bar: row.bar,
        tempo: row.tempo,
        playhead: row.playhead,
        seconds: row.seconds,
        ppq: row.ppq,
        bar_start: row.bar_start,
        loop_range: (row.loop_start, row.loop_end),
    }
}
