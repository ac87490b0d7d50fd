//! From the rings to the log: joins the pieces of a host block, puts what happened within it in order, interleaves its
//! samples and writes them as records.

use std::time::Duration;

use send_learn_protocol::record::{
    Automation, Block, Gap, GapReason, Marker, MarkerKind, MidiEvent, MidiKind, Parameter, Record, Transport,
};
use send_learn_protocol::sender::Sender;
use send_learn_protocol::units::{HostNanos, SamplePosition};

use crate::capture::{CaptureConfig, Captured};
use crate::ring::{BlockEvent, CaptureEvent, MidiMessage, Part, RingReader, Whole};

/// Host blocks shorter than this are joined, so that a host that plays one frame at a time does not cost a record a frame.
const SHORT_BLOCK: u32 = 64;

/// A piece that follows within this time, or within half of its own length, came in the same call of the host.
const BACK_TO_BACK: Duration = Duration::from_micros(100);

/// How long a block that could have more pieces waits for them.
const HOLD: Duration = Duration::from_micros(300);

/// The longest message that is put together from parts, in bytes.
const MAX_MESSAGE: usize = 1 << 20;

/// Where records go.
pub trait Log {
    /// Appends a record.
    fn push(&mut self, record: &Record<'_>);
    /// Appends samples, interleaved by frame.
    fn push_audio(&mut self, position: SamplePosition, channels: u16, interleaved: &[f32]);
    /// All that was written so far may be sent.
    fn flush(&mut self, now: HostNanos);
    /// Whether more should be written now.
    fn has_room(&self) -> bool;
}

impl Log for Sender {
    fn push(&mut self, record: &Record<'_>) {
        self.push(record);
    }

    fn push_audio(&mut self, position: SamplePosition, channels: u16, interleaved: &[f32]) {
        self.push_audio(position, channels, interleaved);
    }

    fn flush(&mut self, now: HostNanos) {
        self.flush(now);
    }

    fn has_room(&self) -> bool {
        self.has_room()
    }
}

/// Turns what one take's rings hold into records.
#[derive(Debug)]
pub struct Assembler {
    config: CaptureConfig,
    /// What happened since the last block event: it belongs to the next.
    notes: Vec<Note>,
    message: Vec<u8>,
    run: Option<Run>,
    /// Buffers of the last run, to be used again.
    spare: Option<Run>,
    planar: Vec<f32>,
    position: SamplePosition,
    expected: Option<HostNanos>,
    /// Of each channel.
    peaks: Vec<f32>,
}

/// A block that is being put together.
#[derive(Debug)]
struct Run {
    block: BlockEvent,
    last_host: HostNanos,
    last_frames: u32,
    samples: Vec<f32>,
    notes: Vec<Note>,
}

#[derive(Debug)]
enum Note {
    Midi(MidiMessage),
    SysEx(SamplePosition, Vec<u8>),
    Automation(Automation),
    Transport(Transport),
    Marker(SamplePosition, MarkerKind),
    Text(SamplePosition, String),
}

impl Note {
    fn position(&self) -> SamplePosition {
        match self {
            Self::Midi(midi) => midi.position,
            Self::SysEx(position, _) | Self::Marker(position, _) | Self::Text(position, _) => *position,
            Self::Automation(point) => point.position,
            Self::Transport(transport) => transport.position,
        }
    }

    fn write(&self, log: &mut impl Log) {
        let record = match self {
            Self::Midi(midi) => Record::Midi(MidiEvent {
                position: midi.position,
                kind: midi.kind,
                bytes: midi.bytes,
                note_id: midi.note_id,
                value: midi.value,
                data: &[],
            }),
            Self::SysEx(position, data) => Record::Midi(MidiEvent {
                position: *position,
                kind: MidiKind::SysEx,
                bytes: [0xF0, 0, 0],
                note_id: -1,
                value: 0.0,
                data,
            }),
            Self::Automation(point) => Record::Automation(*point),
            Self::Transport(transport) => Record::Transport(*transport),
            Self::Marker(position, kind) => Record::Marker(Marker { position: *position, kind: *kind, text: "" }),
            Self::Text(position, text) => Record::Marker(Marker { position: *position, kind: MarkerKind::Text, text }),
        };
        log.push(&record);
    }
}

impl Assembler {
    /// For a take of this shape.
    pub fn new(config: CaptureConfig) -> Self {
        Self {
            config,
            notes: Vec::new(),
            message: Vec::new(),
            run: None,
            spare: None,
            planar: Vec::new(),
            position: SamplePosition(0),
            expected: None,
            peaks: vec![0.0; usize::from(config.channels)],
        }
    }

    /// Writes what stands at the head of a take: the names of its parameters, by number.
    pub fn begin<'a>(&mut self, log: &mut impl Log, parameters: impl IntoIterator<Item = (u32, &'a str)>) {
        for (parameter, name) in parameters {
            log.push(&Record::Parameter(Parameter { parameter, name }));
        }
    }

    /// Reads the rings until they are empty or the log wants no more.
    pub fn drain(&mut self, now: HostNanos, captured: &mut Captured, log: &mut impl Log) {
        while log.has_room()
            && let Ok(event) = captured.ring.events.pop()
        {
            match event {
                CaptureEvent::Block(block) => self.on_block(now, block, &mut captured.ring, log),
                CaptureEvent::Gap { position, frames, reason } => {
                    self.close_run(now, log);
                    // What happened while there was no audio.
                    self.notes.drain(..).for_each(|note| note.write(log));
                    self.gap(Gap { position, frames, reason }, log);
                }
                CaptureEvent::Part(part) => self.on_part(part),
                CaptureEvent::Midi(midi) => self.notes.push(Note::Midi(midi)),
                CaptureEvent::Automation(point) => self.notes.push(Note::Automation(point)),
                CaptureEvent::Transport(transport) => self.notes.push(Note::Transport(transport)),
                CaptureEvent::Marker(position, kind) => self.notes.push(Note::Marker(position, kind)),
            }
        }
        if self.run.as_ref().is_some_and(|run| !self.may_grow(run) || now >= run.last_host.after(HOLD)) {
            self.close_run(now, log);
        }
    }

    /// Writes what is left when the rings are finished; `end` is the take's length.
    pub fn finish(&mut self, now: HostNanos, end: SamplePosition, log: &mut impl Log) {
        self.close_run(now, log);
        let notes = std::mem::take(&mut self.notes);
        notes.iter().for_each(|note| note.write(log));
        let frames = end.0.saturating_sub(self.position.0);
        if frames > 0 {
            self.gap(Gap { position: self.position, frames, reason: GapReason::RingFull }, log);
        }
        log.flush(now);
    }

    /// When the next piece of a block that is held back, or the next block, is due.
    pub fn due(&self) -> Option<HostNanos> {
        self.run.as_ref().map(|run| run.last_host.after(HOLD)).or(self.expected)
    }

    /// The highest absolute sample of each channel since the last call.
    pub fn take_peaks(&mut self) -> Vec<f32> {
        let quiet = vec![0.0; self.peaks.len()];
        std::mem::replace(&mut self.peaks, quiet)
    }

    fn on_block(&mut self, now: HostNanos, block: BlockEvent, ring: &mut RingReader, log: &mut impl Log) {
        if !self.run.as_ref().is_some_and(|run| self.joins(run, &block)) {
            self.close_run(now, log);
            let mut run = self.spare.take().unwrap_or_else(|| Run::empty(block));
            run.block = BlockEvent { frames: 0, lost_events: 0, ..block };
            self.run = Some(run);
        }
        let Some(run) = &mut self.run else { return };
        run.block.frames += block.frames;
        run.block.lost_events += block.lost_events;
        run.last_host = block.host;
        run.last_frames = block.frames;
        run.notes.append(&mut self.notes);
        let channels = usize::from(self.config.channels);
        let frames = block.frames as usize;
        self.planar.resize(frames * channels, 0.0);
        // Cannot fail: the samples are written before the event.
        let _ = ring.samples.pop_entire_slice(&mut self.planar);
        let start = run.samples.len();
        run.samples.resize(start + frames * channels, 0.0);
        for (channel, samples) in self.planar.chunks_exact(frames).enumerate() {
            self.peaks[channel] = samples.iter().fold(self.peaks[channel], |peak, sample| peak.max(sample.abs()));
            for (frame, sample) in samples.iter().enumerate() {
                run.samples[start + frame * channels + channel] = *sample;
            }
        }
        self.expected = Some(block.host.after(self.duration(block.frames)));
    }

    fn on_part(&mut self, part: Part) {
        self.message.extend_from_slice(&part.bytes[..usize::from(part.len)]);
        if part.last || self.message.len() > MAX_MESSAGE {
            let message = std::mem::take(&mut self.message);
            self.notes.push(match part.whole {
                Whole::SysEx => Note::SysEx(part.position, message),
                Whole::Text => Note::Text(part.position, String::from_utf8_lossy(&message).into_owned()),
            });
        }
    }

    /// Whether `block` goes on where `run` ends, and the host meant them as one or both are short.
    fn joins(&self, run: &Run, block: &BlockEvent) -> bool {
        let contiguous = run.end() == block.position;
        let short = run.block.frames < SHORT_BLOCK && block.frames < SHORT_BLOCK;
        let window = BACK_TO_BACK.max(self.duration(run.last_frames) / 2);
        let pieces = run.block.frames + block.frames <= self.config.max_block && block.host.since(run.last_host) < window;
        contiguous && (short || pieces)
    }

    fn may_grow(&self, run: &Run) -> bool {
        run.block.frames < self.config.max_block.max(SHORT_BLOCK)
    }

    fn duration(&self, frames: u32) -> Duration {
        Duration::from_secs_f64(f64::from(frames) / self.config.sample_rate)
    }

    fn close_run(&mut self, now: HostNanos, log: &mut impl Log) {
        let Some(mut run) = self.run.take() else { return };
        run.notes.sort_by_key(Note::position);
        run.notes.iter().for_each(|note| note.write(log));
        if run.block.lost_events > 0 {
            let text = format!("{} events lost: more than the ring holds", run.block.lost_events);
            log.push(&Record::Marker(Marker { position: run.block.position, kind: MarkerKind::Other, text: &text }));
        }
        if self.config.channels > 0 {
            log.push_audio(run.block.position, self.config.channels, &run.samples);
        }
        log.push(&Record::Block(Block {
            position: run.block.position,
            frames: run.block.frames,
            crc: checksum(&run.samples),
            host: run.block.host,
            playhead: run.block.playhead,
        }));
        log.flush(now);
        self.position = run.end();
        run.notes.clear();
        run.samples.clear();
        self.spare = Some(run);
    }

    fn gap(&mut self, gap: Gap, log: &mut impl Log) {
        log.push(&Record::Gap(gap));
        self.position = SamplePosition(gap.position.0 + gap.frames);
    }
}

impl Run {
    fn empty(block: BlockEvent) -> Self {
        Self { block, last_host: block.host, last_frames: 0, samples: Vec::new(), notes: Vec::new() }
    }

    fn end(&self) -> SamplePosition {
        SamplePosition(self.block.position.0 + u64::from(self.block.frames))
    }
}

/// CRC-32 of samples as little-endian float32.
fn checksum(samples: &[f32]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    if cfg!(target_endian = "little") {
        hasher.update(bytemuck::cast_slice(samples));
    } else {
        samples.iter().for_each(|sample| hasher.update(&sample.to_le_bytes()));
    }
    hasher.finalize()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::capture::{Capture, Pause, Wanted, capture};
    use crate::transport::Observed;

    /// Keeps what a test asks about; the fields of a record are written as text.
    #[derive(Default)]
    struct Written {
        blocks: Vec<Block>,
        positions: Vec<u64>,
        gaps: Vec<Gap>,
        samples: Vec<f32>,
        markers: Vec<String>,
    }

    impl Log for Written {
        fn push(&mut self, record: &Record<'_>) {
            match record {
                Record::Block(block) => self.blocks.push(*block),
                Record::Midi(midi) => self.positions.push(midi.position.0),
                Record::Automation(point) => self.positions.push(point.position.0),
                Record::Gap(gap) => self.gaps.push(*gap),
                Record::Marker(marker) => self.markers.push(marker.text.to_owned()),
                _ => {}
            }
        }

        fn push_audio(&mut self, _: SamplePosition, _: u16, interleaved: &[f32]) {
            self.samples.extend_from_slice(interleaved);
        }

        fn flush(&mut self, _: HostNanos) {}

        fn has_room(&self) -> bool {
            true
        }
    }

    const CONFIG: CaptureConfig = CaptureConfig { sample_rate: 48_000.0, channels: 2, max_block: 256, patient: false };

    fn piece(capture: &mut Capture, frames: u32, host: HostNanos, note_at: Option<u32>) {
        let start = capture_position(capture);
        let left: Vec<f32> = (0..frames).map(|n| (start + n) as f32).collect();
        let right: Vec<f32> = left.iter().map(|sample| -sample).collect();
        capture.begin(frames, host, &Observed::default(), Wanted::Captured);
        if let Some(offset) = note_at {
            capture.midi(offset, MidiKind::Message, [0x90, 60, 1], -1, 0.0);
        }
        capture.automation(0, 1, 0.5, 0.5);
        capture.end(&[left, right]);
    }

    fn capture_position(capture: &Capture) -> u32 {
        capture.position().0 as u32
    }

    fn frames(written: &Written) -> Vec<u32> {
        written.blocks.iter().map(|block| block.frames).collect()
    }

    #[test]
    fn the_pieces_of_a_split_block_become_one_block_with_its_events_in_order() {
        let (mut capture, mut captured) = capture(CONFIG);
        for block in 0..2_u64 {
            let host = HostNanos(1_000 + block * 5_333_333);
            piece(&mut capture, 100, host, Some(90));
            piece(&mut capture, 100, host.after(Duration::from_micros(3)), Some(1));
            piece(&mut capture, 56, host.after(Duration::from_micros(6)), None);
        }
        let (mut assembler, mut written) = (Assembler::new(CONFIG), Written::default());
        assembler.drain(HostNanos(0), &mut captured, &mut written);
        assert_eq!(frames(&written), [256, 256]);
        assert_eq!(written.positions, [0, 90, 100, 101, 200, 256, 346, 356, 357, 456]);
        let expected: Vec<f32> = (0..512).flat_map(|n| [n as f32, -(n as f32)]).collect();
        assert_eq!(written.samples, expected);
        assert_eq!(written.blocks[1].crc, checksum(&expected[512..]));
    }

    #[test]
    fn whole_blocks_in_real_time_stay_apart() {
        let (mut capture, mut captured) = capture(CaptureConfig { max_block: 512, ..CONFIG });
        (0..4_u64).for_each(|n| piece(&mut capture, 128, HostNanos(n * 2_666_667), None));
        let (mut assembler, mut written) = (Assembler::new(CaptureConfig { max_block: 512, ..CONFIG }), Written::default());
        assembler.drain(HostNanos(20_000_000), &mut captured, &mut written);
        assert_eq!(frames(&written), [128; 4]);
    }

    #[test]
    fn single_frames_are_joined_to_runs_of_at_least_64() {
        let config = CaptureConfig { max_block: 1, ..CONFIG };
        let (mut capture, mut captured) = capture(config);
        (0..130_u64).for_each(|n| piece(&mut capture, 1, HostNanos(n * 20_833), None));
        let (mut assembler, mut written) = (Assembler::new(config), Written::default());
        assembler.drain(HostNanos(129 * 20_833), &mut captured, &mut written);
        assert_eq!(frames(&written), [64, 64], "the last two frames wait for more");
        drop(capture);
        assembler.finish(HostNanos(0), captured.counters.position(), &mut written);
        assert_eq!(frames(&written), [64, 64, 2]);
    }

    #[test]
    fn a_gap_ends_a_block_and_is_written() {
        let (mut capture, mut captured) = capture(CONFIG);
        piece(&mut capture, 100, HostNanos(0), None);
        capture.begin(50, HostNanos(1), &Observed::default(), Wanted::Skipped(Pause::Bypassed));
        piece(&mut capture, 100, HostNanos(2), None);
        let (mut assembler, mut written) = (Assembler::new(CONFIG), Written::default());
        assembler.drain(HostNanos(1_000_000), &mut captured, &mut written);
        assert_eq!(frames(&written), [100, 100]);
        assert_eq!(written.gaps, [Gap { position: SamplePosition(100), frames: 50, reason: GapReason::Bypassed }]);
    }
}
