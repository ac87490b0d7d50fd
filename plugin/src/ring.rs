//! The two rings between the audio thread and the uplink: one of samples, one of what happened. Both have one writer and
//! one reader, and neither ever waits.

use send_learn_protocol::record::{Automation, GapReason, MarkerKind, MidiKind, Transport};
use send_learn_protocol::units::{HostNanos, SamplePosition};

use crate::queue::{Consumer, Ordering, Producer, RingBuffer, fence};

/// Bytes of a long message that one event carries.
pub const PART: usize = 64;

/// What the audio thread tells the uplink, in the order in which it happened.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum CaptureEvent {
    /// A piece of audio: its samples are in the sample ring, channel after channel. What happened within it came before.
    Block(BlockEvent),
    /// A MIDI message or note expression.
    Midi(MidiMessage),
    /// Bytes of a message that is too long for one event.
    Part(Part),
    /// The transport, on a change and once a second.
    Transport(Transport),
    /// A parameter's new value.
    Automation(Automation),
    /// A note at a position.
    Marker(SamplePosition, MarkerKind),
    /// Frames that were not captured.
    Gap {
        /// The first of them.
        position: SamplePosition,
        /// How many.
        frames: u64,
        /// Why.
        reason: GapReason,
    },
}

/// One call of `process()`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BlockEvent {
    /// Where it begins.
    pub position: SamplePosition,
    /// Frames, above 0.
    pub frames: u32,
    /// When the host handed it over.
    pub host: HostNanos,
    /// The host's playhead at its begin, in samples.
    pub playhead: Option<i64>,
    /// Events within it that were lost because there were more than the ring holds.
    pub lost_events: u32,
}

/// A MIDI event of fixed size; fields as in [`send_learn_protocol::record::MidiEvent`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MidiMessage {
    /// Where it happens.
    pub position: SamplePosition,
    /// [`MidiKind::Message`] or [`MidiKind::NoteExpression`].
    pub kind: MidiKind,
    /// Status and data bytes.
    pub bytes: [u8; 3],
    /// The host's note identity, or -1.
    pub note_id: i32,
    /// The value in the host's full resolution.
    pub value: f64,
}

/// What the parts make when they are joined.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whole {
    /// A system exclusive message.
    SysEx,
    /// A text of the music, in UTF-8.
    Text,
}

/// A part of a long message.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Part {
    /// Where the message happens.
    pub position: SamplePosition,
    /// What it is part of.
    pub whole: Whole,
    /// Whether it is the last part.
    pub last: bool,
    /// How many of `bytes` count.
    pub len: u8,
    /// The bytes.
    pub bytes: [u8; PART],
}

/// The audio thread's end.
#[derive(Debug)]
pub struct RingWriter {
    /// Samples, channel after channel within a block.
    pub samples: Producer<f32>,
    /// Events; an audio block's samples are in `samples` before its event is here.
    pub events: Producer<CaptureEvent>,
}

/// The uplink's end.
#[derive(Debug)]
pub struct RingReader {
    /// Samples, channel after channel within a block.
    pub samples: Consumer<f32>,
    /// Events.
    pub events: Consumer<CaptureEvent>,
}

impl RingWriter {
    /// Hands over a block: its samples, channel after channel, then its event. Whoever sees the event finds the samples.
    pub fn push_block<C: AsRef<[f32]>>(&mut self, channels: &[C], block: BlockEvent) {
        for channel in channels {
            // Cannot fail: whoever begins a block has found room for it, and nothing else writes.
            let _ = self.samples.push_entire_slice(channel.as_ref());
        }
        let _ = self.events.push(CaptureEvent::Block(block));
    }
}

impl RingReader {
    /// The samples of a block whose event was read, channel after channel, as many as `planar` holds.
    pub fn pop_samples(&mut self, planar: &mut [f32]) {
        // Cannot fail: the samples are written before the event.
        let _ = self.samples.pop_entire_slice(planar);
    }

    /// Whether the audio thread's end is gone and everything it wrote has been read.
    pub fn is_finished(&self) -> bool {
        // Order matters: once the writer is seen to be gone, nothing can be added behind the second question. The fence makes all
        // that it did before it went seen too; the first question alone does not.
        self.events.is_abandoned() && {
            fence(Ordering::Acquire);
            self.events.is_empty()
        }
    }
}

/// Rings for `samples` samples and `events` events. Their memory is used once here, on whatever thread makes them: the system gives memory
/// only when it is written to first, and may have the writer wait for that.
pub fn ring(samples: usize, events: usize) -> (RingWriter, RingReader) {
    let (mut sample_writer, mut sample_reader) = RingBuffer::new(samples);
    let (mut event_writer, mut event_reader) = RingBuffer::new(events);
    let mut silence = [0.0; 1_024];
    for begin in (0..samples).step_by(silence.len()) {
        let piece = &mut silence[..(samples - begin).min(1_024)];
        let _ = sample_writer.push_entire_slice(piece);
        let _ = sample_reader.pop_entire_slice(piece);
    }
    while event_writer.push(CaptureEvent::Marker(SamplePosition(0), MarkerKind::Locate)).is_ok() {}
    while event_reader.pop().is_ok() {}
    (RingWriter { samples: sample_writer, events: event_writer }, RingReader { samples: sample_reader, events: event_reader })
}
