//! The audio thread's half: copies what the host hands over into the rings, and returns.
//!
//! Nothing here allocates, locks, logs or makes a system call; the one clock it needs is read by the caller. A block for
//! which there is no room is dropped whole and counted, the sample counter goes on, and the next block that fits says how
//! much is missing.

mod counters;
mod succession;
mod wanted;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use send_learn_protocol::record::{Automation, EndReason, GapReason, MarkerKind, MidiKind};
use send_learn_protocol::units::{HostNanos, SamplePosition};

use crate::ring::{BlockEvent, CaptureEvent, MidiMessage, PART, Part, RingReader, RingWriter, Whole, ring};
use crate::transport::{Observed, TransportWatch};
pub use counters::Counters;
use counters::count;
pub use succession::{Captures, SpentCaptures, Succession};
use wanted::Said;
pub use wanted::{Pause, Wanted};

/// Seconds of audio that the sample ring holds. The uplink reads every few milliseconds; this outlasts a stall of the
/// machine that a person would notice.
const RING_SECONDS: f64 = 2.0;

/// Events that the event ring holds.
const RING_EVENTS: usize = 4_096;

/// A block is captured only if the event ring has this much room: a gap, the transport, a jump, all parameters, the block
/// itself, and some MIDI.
const MIN_EVENT_ROOM: usize = 64;

/// The last slots of the event ring are kept for the block's own event.
const RESERVED_EVENTS: usize = 1;

/// The longest system exclusive message or text that the rings can pass on, in bytes. A patient capture passes all of them.
pub const MAX_MESSAGE: usize = (RING_EVENTS - RESERVED_EVENTS) * PART;

/// How long a patient capture waits for room without seeing any come. Then it drops what does not fit, without waiting
/// again, until a block finds room: a render without a receiver is late once, not with every block.
const PATIENCE: Duration = Duration::from_secs(5);

/// How often it is said that what is captured is private, in seconds, where blocks are not longer than that.
const PRIVATE_AGAIN: f64 = 0.5;

/// What a capture needs to know before it begins.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CaptureConfig {
    /// Samples per second.
    pub sample_rate: f64,
    /// Audio channels; 0 for MIDI alone.
    pub channels: u16,
    /// The longest host block, in frames.
    pub max_block: u32,
    /// Whether to wait for room in the ring instead of dropping. Only where nothing plays in real time: files, and offline
    /// renders that a person asked to capture.
    pub patient: bool,
}

/// The uplink's end of a capture.
#[derive(Debug)]
pub struct Captured {
    /// What was captured.
    pub ring: RingReader,
    /// How far it is.
    pub counters: Arc<Counters>,
    /// What was agreed.
    pub config: CaptureConfig,
}

/// The audio thread's end of one take. For each block: [`begin`](Self::begin), then what happens within it, then
/// [`end`](Self::end). Dropping it ends the take.
#[derive(Debug)]
pub struct Capture {
    ring: RingWriter,
    counters: Arc<Counters>,
    config: CaptureConfig,
    watch: TransportWatch,
    patience: Duration,
    given_up: bool,
    position: u64,
    /// Something was captured: a block, or a stretch without audio.
    begun: bool,
    said: Said,
    gap: Option<OpenGap>,
    block: Option<OpenBlock>,
}

#[derive(Clone, Copy, Debug)]
struct OpenGap {
    position: u64,
    frames: u64,
    reason: GapReason,
}

#[derive(Clone, Copy, Debug)]
struct OpenBlock {
    frames: u32,
    host: HostNanos,
    playhead: Option<i64>,
    lost_events: u32,
}

/// A new take: the audio thread's end and the uplink's. Allocates; the audio thread's end never does again.
pub fn capture(config: CaptureConfig) -> (Capture, Captured) {
    // Room for several of the longest blocks, however slow the rate.
    let frames = ((config.sample_rate * RING_SECONDS) as usize).max(4 * config.max_block as usize);
    let (writer, reader) = ring(frames * usize::from(config.channels), RING_EVENTS);
    let counters = Arc::new(Counters::default());
    let capture = Capture {
        ring: writer,
        counters: counters.clone(),
        config,
        watch: TransportWatch::new(config.sample_rate),
        patience: if config.patient { PATIENCE } else { Duration::ZERO },
        given_up: false,
        position: 0,
        begun: false,
        said: Said::default(),
        gap: None,
        block: None,
    };
    (capture, Captured { ring: reader, counters, config })
}

impl Capture {
    /// A block of `frames` begins: the host handed it over at `host`, with its transport as `observed`.
    pub fn begin(&mut self, frames: u32, host: HostNanos, observed: &Observed, wanted: Wanted) {
        self.block = None;
        self.start(host);
        if let Wanted::Skipped(pause) = wanted {
            self.pause(pause);
            self.watch.skip(observed, frames);
            return self.skip(frames, pause.reason());
        }
        let samples = frames as usize * usize::from(self.config.channels);
        if !self.wait_for_room(samples, MIN_EVENT_ROOM) {
            count(&self.counters.dropped_blocks);
            self.watch.skip(observed, frames);
            return self.skip(frames, GapReason::RingFull);
        }
        self.given_up = false;
        self.resume(frames, wanted == Wanted::Private);
        self.open(frames, host, observed);
    }

    /// A stretch of `frames` frames without audio begins, as after the end of a file whose MIDI goes on. What happens within
    /// it is captured, and it ends with [`end_without_audio`](Self::end_without_audio).
    pub fn begin_without_audio(&mut self, frames: u32, host: HostNanos, observed: &Observed) {
        self.start(host);
        self.begun = true;
        self.open(frames, host, observed);
    }

    fn start(&self, host: HostNanos) {
        if self.counters.started().0 == 0 {
            self.counters.started.store(host.0, Ordering::Release);
        }
    }

    fn open(&mut self, frames: u32, host: HostNanos, observed: &Observed) {
        let (transport, jumps) = self.watch.observe(SamplePosition(self.position), observed, frames);
        self.block = Some(OpenBlock { frames, host, playhead: observed.playhead, lost_events: 0 });
        for kind in jumps.into_iter().flatten() {
            self.event(CaptureEvent::Marker(SamplePosition(self.position), kind));
        }
        if let Some(transport) = transport {
            self.event(CaptureEvent::Transport(transport));
        }
    }

    /// A MIDI message or note expression, `offset` frames into the block.
    pub fn midi(&mut self, offset: u32, kind: MidiKind, bytes: [u8; 3], note_id: i32, value: f64) {
        let position = self.at(offset);
        if self.event(CaptureEvent::Midi(MidiMessage { position, kind, bytes, note_id, value })) {
            count(&self.counters.midi);
        }
    }

    /// A system exclusive message, F0 to F7, `offset` frames into the block.
    pub fn sysex(&mut self, offset: u32, message: &[u8]) {
        if self.parts(offset, Whole::SysEx, message) {
            count(&self.counters.midi);
        }
    }

    /// A text of the music, `offset` frames into the block.
    pub fn text(&mut self, offset: u32, text: &str) {
        self.parts(offset, Whole::Text, text.as_bytes());
    }

    fn parts(&mut self, offset: u32, whole: Whole, message: &[u8]) -> bool {
        if self.block.is_none() || message.is_empty() {
            return false;
        }
        let count = message.len().div_ceil(PART);
        if !self.wait_for_room(0, count + RESERVED_EVENTS) {
            self.lose_event();
            return false;
        }
        let position = self.at(offset);
        for (index, part) in message.chunks(PART).enumerate() {
            let mut bytes = [0; PART];
            bytes[..part.len()].copy_from_slice(part);
            let last = index + 1 == count;
            self.event(CaptureEvent::Part(Part { position, whole, last, len: part.len() as u8, bytes }));
        }
        true
    }

    /// A parameter's value from `offset` frames into the block on. `normalized` is 0 to 1, `plain` in its own unit.
    pub fn automation(&mut self, offset: u32, parameter: u32, normalized: f64, plain: f64) {
        let position = self.at(offset);
        self.event(CaptureEvent::Automation(Automation { position, parameter, normalized, plain }));
    }

    /// The transport changes within the block, `offset` frames into it.
    pub fn transport(&mut self, offset: u32, observed: &Observed) {
        let position = self.at(offset);
        self.event(CaptureEvent::Transport(observed.record(position)));
    }

    /// The block ends with these samples, one slice per channel.
    pub fn end<C: AsRef<[f32]>>(&mut self, channels: &[C]) {
        let Some(block) = self.block.take() else { return };
        if block.frames == 0 {
            return;
        }
        let frames = block.frames as usize;
        let fits = channels.len() == usize::from(self.config.channels) && channels.iter().all(|c| c.as_ref().len() == frames);
        if !fits {
            // The host broke its word about the layout.
            count(&self.counters.dropped_blocks);
            return self.skip(block.frames, GapReason::Other);
        }
        let event = BlockEvent {
            position: SamplePosition(self.position),
            frames: block.frames,
            host: block.host,
            playhead: block.playhead,
            lost_events: block.lost_events,
        };
        self.ring.push_block(channels, event);
        count(&self.counters.blocks);
        self.begun = true;
        self.advance(block.frames);
    }

    /// Whether the block that has begun is being captured.
    pub fn is_open(&self) -> bool {
        self.block.is_some()
    }

    /// The take's sample counter: where the next block begins.
    pub fn position(&self) -> SamplePosition {
        SamplePosition(self.position)
    }

    /// The stretch without audio ends: it is a gap.
    pub fn end_without_audio(&mut self) {
        if let Some(block) = self.block.take() {
            self.skip(block.frames, GapReason::EndOfAudio);
        }
    }

    /// Ends the take.
    pub fn finish(self, reason: EndReason) {
        self.counters.end.store(reason as u8, Ordering::Release);
    }

    fn skip(&mut self, frames: u32, reason: GapReason) {
        self.block = None;
        self.tell_other_gap(reason);
        // Where there was no room even to say so, or nothing is said yet, the older gap grows under its own reason.
        let gap = self.gap.get_or_insert(OpenGap { position: self.position, frames: 0, reason });
        gap.frames += u64::from(frames);
        self.advance(frames);
    }

    fn advance(&mut self, frames: u32) {
        self.position += u64::from(frames);
        self.counters.position.store(self.position, Ordering::Release);
    }

    fn at(&self, offset: u32) -> SamplePosition {
        SamplePosition(self.position + u64::from(offset))
    }

    /// Says that a pause begins. Before the first captured block nothing is said: a take of nothing but a pause leaves
    /// no trace.
    fn pause(&mut self, pause: Pause) {
        self.counters.paused.store(true, Ordering::Relaxed);
        self.tell_other_gap(pause.reason());
        if self.begun && self.ring.events.slots() >= MIN_EVENT_ROOM {
            let markers = self.said.pauses(pause, self.position);
            self.mark(markers);
        }
    }

    /// Says what was missed, now that there is room, and whether what follows is private.
    fn resume(&mut self, frames: u32, private: bool) {
        self.push_gap();
        self.counters.paused.store(false, Ordering::Relaxed);
        let again = (self.config.sample_rate * PRIVATE_AGAIN) as u64;
        let markers = self.said.captures(private, self.position, frames, again);
        self.mark(markers);
    }

    /// There is room: whoever calls this has seen to it.
    fn mark(&mut self, markers: [Option<MarkerKind>; 2]) {
        for kind in markers.into_iter().flatten() {
            let _ = self.ring.events.push(CaptureEvent::Marker(SamplePosition(self.position), kind));
        }
    }

    /// Ends a gap of another reason. Before the first captured block nothing is said.
    fn tell_other_gap(&mut self, reason: GapReason) {
        if self.begun && self.gap.is_some_and(|gap| gap.reason != reason) {
            self.push_gap();
        }
    }

    fn push_gap(&mut self) {
        let Some(gap) = self.gap.filter(|gap| gap.frames > 0) else { return };
        let event = CaptureEvent::Gap { position: SamplePosition(gap.position), frames: gap.frames, reason: gap.reason };
        if self.ring.events.push(event).is_ok() {
            self.gap = None;
        }
    }

    fn event(&mut self, event: CaptureEvent) -> bool {
        if self.block.is_none() {
            return false;
        }
        if !self.wait_for_room(0, 1 + RESERVED_EVENTS) {
            self.lose_event();
            return false;
        }
        self.ring.events.push(event).is_ok()
    }

    fn lose_event(&mut self) {
        count(&self.counters.dropped_events);
        if let Some(block) = &mut self.block {
            block.lost_events += 1;
        }
    }

    /// Whether a block of `frames` would be captured now.
    pub fn has_room(&self, frames: u32) -> bool {
        self.fits(frames as usize * usize::from(self.config.channels), MIN_EVENT_ROOM)
    }

    fn fits(&self, samples: usize, events: usize) -> bool {
        self.ring.samples.slots() >= samples && self.ring.events.slots() >= events
    }

    /// Whether so much fits. A patient capture waits until the uplink has made room; in real time nothing ever waits.
    fn wait_for_room(&mut self, samples: usize, events: usize) -> bool {
        if self.fits(samples, events) {
            return true;
        }
        if self.patience.is_zero() || self.given_up || events > RING_EVENTS {
            return false;
        }
        let (mut since, mut before) = (Instant::now(), self.ring.samples.slots() + self.ring.events.slots());
        while since.elapsed() < self.patience && !self.ring.samples.is_abandoned() {
            if self.fits(samples, events) {
                return true;
            }
            std::thread::sleep(Duration::from_micros(200));
            let free = self.ring.samples.slots() + self.ring.events.slots();
            if free > before {
                since = Instant::now();
            }
            before = free;
        }
        self.given_up = true;
        false
    }
}

impl Drop for Capture {
    fn drop(&mut self) {
        if self.begun {
            self.push_gap();
        }
    }
}

#[cfg(test)]
mod tests;
