//! What the picture knows of one stream.

use bevy::prelude::Component;
use send_learn_protocol::packet::hello::{Description, PropertyKey};
use send_learn_protocol::record::Transport;
use send_learn_protocol::tap::Health;
use send_learn_protocol::units::StreamId;

use crate::clock::HeadClock;
use crate::curves::Curves;
use crate::health::sparks::{Spark, SparkKind, Sparks};
use crate::history::{self, RowHistory};
use crate::meter::{MAX_SHOWN, Meter};
use crate::moment::Step;
use crate::notes::Notes;
use crate::ring::SampleRing;
use crate::score::Score;
use crate::source::{Delivery, MidiMessage, StreamKey};
use crate::spectrum::{ROWS, Row, Spectrum};
use crate::waveform::Envelope;

/// Which stream, through takes and connections. Two receivers may have streams with the same identity: they are not the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Identity {
    /// The receiver's number at the source.
    pub receiver: u32,
    /// The stream there.
    pub stream: StreamId,
}

/// One stream: its samples, notes, transport, meters and health.
#[derive(Component, Debug)]
pub struct Stream {
    /// Its key at the source.
    pub key: StreamKey,
    /// What it is.
    pub description: Description,
    /// Its mono mix, by sample position.
    pub samples: SampleRing,
    /// Its waveform.
    pub envelope: Envelope,
    /// One meter per channel, the first [`MAX_SHOWN`].
    pub meters: Vec<Meter>,
    /// Its notes.
    pub notes: Notes,
    /// How its controllers and parameters moved.
    pub curves: Curves,
    /// Its spectrum of the last minutes.
    pub history: RowHistory,
    /// What its host told of tempo, meter and playhead.
    pub score: Score,
    /// What happened to its audio on the way.
    pub sparks: Sparks,
    /// The newest health.
    pub health: Option<Health>,
    /// Seconds since it ended; `None` while it runs.
    pub ended: Option<f32>,
    /// Whether that is only because its receiver is not there any more: the take may go on.
    pub is_cut_off: bool,
    /// How long its audio took from the receiver to here, in ms, by stage.
    pub lag: Lag,
    spectrum: Spectrum,
    head: HeadClock,
    /// The moment and the position at which it stood when time was stopped.
    anchor: Option<(f64, f64)>,
    shown: f64,
}

/// What the way from the receiver to the picture takes, in milliseconds; NaN where it is not known.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Lag {
    /// From the receiver to the viewer's source.
    pub tap: f32,
    /// From there to the frame that is made.
    pub view: f32,
}

impl Stream {
    /// A stream of which nothing has come yet.
    pub fn new(key: StreamKey, description: Description) -> Self {
        let spectrum = Spectrum::new(description.sample_rate);
        Self {
            key,
            samples: SampleRing::new(spectrum.reach()),
            envelope: Envelope::new(description.sample_rate),
            meters: vec![Meter::default(); usize::from(description.channels).min(MAX_SHOWN)],
            notes: Notes::default(),
            curves: Curves::new(description.sample_rate),
            history: RowHistory::new(description.sample_rate / spectrum.hop() as f64),
            score: Score::default(),
            sparks: Sparks::default(),
            health: None,
            ended: None,
            is_cut_off: false,
            spectrum,
            head: HeadClock::default(),
            anchor: None,
            shown: 0.0,
            lag: Lag { tap: f32::NAN, view: f32::NAN },
            description,
        }
    }

    /// Whether it is of a recording.
    pub fn is_replayed(&self) -> bool {
        self.key.receiver == 0
    }

    /// How its line fares now; `None` where that is not known, or it is over.
    pub fn line(&self) -> Option<&Health> {
        self.health.as_ref().filter(|_| self.ended.is_none())
    }

    /// Which stream it is.
    pub fn identity(&self) -> Identity {
        Identity { receiver: self.key.receiver, stream: self.description.stream }
    }

    /// Takes in samples, interleaved by frame.
    pub fn push_audio(&mut self, position: u64, channels: u16, samples: &[f32]) {
        let width = usize::from(channels).max(1);
        let mono = samples.chunks_exact(width).map(|frame| finite(frame.iter().sum::<f32>() / width as f32));
        let written = self.samples.write(position, mono);
        self.envelope.mark(&self.samples, written.clone());
        self.spectrum.mark(written);
        for (channel, meter) in self.meters.iter_mut().enumerate() {
            let magnitudes = samples.iter().skip(channel).step_by(width).map(|sample| finite(sample.abs()));
            meter.push(magnitudes.fold(0.0, f32::max));
        }
    }

    /// Takes in a MIDI message.
    pub fn push_midi(&mut self, message: MidiMessage) {
        self.notes.push(message);
        self.curves.push(message);
    }

    /// Notes how audio that was taken in came here.
    pub fn deliver(&mut self, position: u64, frames: u64, delivery: &Delivery) {
        if let Some(kind) = SparkKind::of(delivery.arrival) {
            let join = (0.05 * self.description.sample_rate) as u64;
            self.sparks.push(kind, position..position.saturating_add(frames), join);
        } else {
            // What comes late tells nothing of how fast the way is.
            self.lag.tap = delivery.tap.map_or(f32::NAN, |tap| tap.as_secs_f32() * 1_000.0);
            self.lag.view = delivery.read.elapsed().as_secs_f32() * 1_000.0;
        }
    }

    /// Takes in that samples will not come.
    pub fn push_gap(&mut self, position: u64, frames: u64) {
        self.sparks.push(SparkKind::Gap, position..position.saturating_add(frames), 0);
    }

    /// Takes in a transport, in any order.
    pub fn push_transport(&mut self, transport: Transport) {
        self.score.push(transport);
    }

    /// Lets a step of time pass: the head moves, meters fall, and rows of the spectrum that are due go to `emit`. What is shown
    /// stays where it was while a moment is held.
    pub fn advance(&mut self, step: Step, mut emit: impl FnMut(u64, &Row)) {
        let rate = self.description.sample_rate;
        self.head.advance(f64::from(step.seconds * step.pace.max(1.0)), self.samples.end(), rate);
        self.meters.iter_mut().for_each(|meter| meter.advance(step.seconds));
        let history = &mut self.history;
        self.spectrum.advance(&self.samples, |row, levels| {
            history.write(row, levels);
            emit(row, levels);
        });
        let oldest = (self.head.position() - history::SECONDS * rate).max(0.0) as u64;
        self.notes.forget_before(oldest);
        self.curves.forget_before(oldest);
        self.sparks.forget_before(oldest);
        if let Some(ended) = &mut self.ended {
            *ended += step.seconds;
        }
        let head = self.head.position();
        self.shown = if let Some(held) = step.held {
            let before = step.now - f64::from(step.seconds);
            let (moment, position) = *self.anchor.get_or_insert((before, self.shown));
            (position + (held - moment) * rate).clamp(0.0, head)
        } else {
            self.anchor = None;
            head
        };
    }

    /// The position shown at the front, in samples: the newest, unless a moment is held.
    pub fn shown(&self) -> f64 {
        self.shown
    }

    /// What happened to its audio on the way, the newest first.
    pub fn health_sparks(&self) -> impl Iterator<Item = &Spark> {
        self.sparks.iter()
    }

    /// The transport that holds at the position shown.
    pub fn transport(&self) -> Option<&Transport> {
        self.score.at(self.shown)
    }

    /// From the first sample of a host's block to the pixel, in milliseconds; NaN where a part of the way is not known.
    pub fn to_see_ms(&self, frame_ms: f32) -> f64 {
        let line = self.line().map_or(f64::NAN, |health| health.host_ms + health.latency_ms);
        line + f64::from(self.lag.tap) + self.to_pixel_ms(frame_ms)
    }

    /// From the source to the pixel, in milliseconds: in the mailbox, smoothed, and in the frames that are on their way to the screen, which
    /// takes them `frame_ms`.
    pub fn to_pixel_ms(&self, frame_ms: f32) -> f64 {
        f64::from(self.lag.view) + self.smoothing() * 1_000.0 + f64::from(frame_ms)
    }

    /// How long after its samples the picture shows them, for want of more, in seconds.
    pub fn smoothing(&self) -> f64 {
        (self.samples.end() as f64 - self.head.position()) / self.description.sample_rate
    }

    /// The position shown at the front, in rows of the spectrum; its whole part is the newest row shown.
    pub fn head_row(&self) -> f64 {
        (self.shown / self.spectrum.hop() as f64 - 1.0).clamp(0.0, self.spectrum.next() as f64)
    }

    /// How many rows before the front `position` stands; below 0 when it is still to be shown.
    pub fn age_in_rows(&self, position: u64) -> f32 {
        ((self.shown - position as f64) / self.spectrum.hop() as f64) as f32
    }

    /// Seconds from the oldest row to the newest.
    pub fn window_seconds(&self) -> f32 {
        (ROWS as f64 * self.spectrum.hop() as f64 / self.description.sample_rate) as f32
    }

    /// The name that a person knows it by.
    pub fn name(&self) -> &str {
        match self.description.property(PropertyKey::NAME) {
            "" => "Unnamed stream",
            name => name,
        }
    }

    /// The bar that the position shown is in, from 1, and the beat in it, from 1; `None` where the host does not tell.
    pub fn bar_and_beat(&self) -> Option<(i32, u32)> {
        self.score.bar_and_beat(self.shown, self.description.sample_rate)
    }
}

/// NaN and infinities are recorded as they are, but cannot be drawn.
fn finite(sample: f32) -> f32 {
    if sample.is_finite() { sample } else { 0.0 }
}

#[cfg(test)]
pub(crate) mod tests {
    use send_learn_protocol::record::TransportFlags;
    use send_learn_protocol::units::{HostId, HostNanos, MachineId, SamplePosition, TakeId};

    use super::*;
    use crate::moment::Moment;

    pub(crate) const KEY: StreamKey = StreamKey { receiver: 1, connection: 1, take: 1 };

    /// A step of a picture that follows what comes.
    pub(crate) fn step(seconds: f32) -> Step {
        Step { seconds, pace: 1.0, now: 0.0, held: None }
    }

    pub(crate) fn description(name: &str) -> Description {
        Description {
            stream: StreamId::random(),
            take: TakeId::random(),
            host: HostId([1; 16]),
            machine: MachineId([2; 16]),
            sample_rate: 48_000.0,
            channels: 2,
            max_block: 512,
            started_unix_nanos: 0,
            started: HostNanos(0),
            properties: vec![(PropertyKey::NAME, name.into())],
        }
    }

    #[test]
    fn audio_moves_the_head_and_the_meters_of_its_channels() {
        let mut stream = Stream::new(KEY, description("Bass"));
        let samples: Vec<f32> = (0..48_000).flat_map(|n| [0.5 * (n as f32 * 0.1).sin(), 0.0]).collect();
        stream.push_audio(0, 2, &samples);
        let mut rows = 0;
        stream.advance(step(0.1), |_, _| rows += 1);
        assert_eq!(rows, 48_000 / 512);
        assert!((stream.head_row() - 92.75).abs() < 0.01, "{}", stream.head_row());
        assert!(stream.meters[0].level_db() > -9.0);
        assert_eq!(stream.meters[1].level_db(), crate::meter::EMPTY_DB);
    }

    #[test]
    fn samples_that_are_no_numbers_do_no_harm() {
        let mut stream = Stream::new(KEY, description("Broken"));
        stream.push_audio(0, 2, &[f32::NAN, f32::INFINITY, -0.0, f32::NEG_INFINITY].repeat(1_024));
        stream.advance(step(0.1), |_, levels| assert!(levels.iter().all(|level| *level == 0.0)));
        assert_eq!(stream.meters[1].level_db(), crate::meter::EMPTY_DB);
    }

    #[test]
    fn bars_and_beats_go_on_from_the_newest_transport() {
        let mut stream = Stream::new(KEY, description("Drums"));
        let flags = [TransportFlags::TEMPO, TransportFlags::METER, TransportFlags::PPQ, TransportFlags::BAR]
            .into_iter()
            .fold(TransportFlags::PLAYING, |flags, flag| flags.with(flag, true));
        let transport =
            Transport { flags, meter: (7, 8), bar: 4, tempo: 120.0, ppq: 14.0, bar_start: 14.0, ..Transport::default() };
        stream.push_transport(transport);
        // Two seconds are four quarters: a bar of 7/8 and half a quarter, which is the second of its eighths.
        stream.push_audio(0, 2, &vec![0.0; 2 * 96_000]);
        stream.advance(step(0.1), |_, _| ());
        assert_eq!(stream.bar_and_beat(), Some((6, 2)));
        stream.push_transport(Transport { position: SamplePosition(96_000), bar: 9, ..transport });
        stream.push_transport(Transport { position: SamplePosition(50_000), bar: 1, ..transport });
        assert_eq!(stream.bar_and_beat(), Some((10, 1)), "an older transport changes nothing");
    }

    #[test]
    fn a_held_moment_shows_the_same_samples_while_more_come() {
        let mut stream = Stream::new(KEY, description("Bass"));
        let mut moment = Moment::default();
        let second = |stream: &mut Stream, moment: &mut Moment| {
            stream.push_audio(stream.samples.end(), 2, &[0.1; 2 * 48_000]);
            let step = moment.advance(1.0, 1.0);
            stream.advance(step, |_, _| ());
        };
        (0..3).for_each(|_| second(&mut stream, &mut moment));
        assert_eq!(stream.shown(), 144_000.0);
        moment.toggle();
        (0..3).for_each(|_| second(&mut stream, &mut moment));
        assert_eq!((stream.shown(), stream.samples.end()), (144_000.0, 288_000));
        moment.scrub(-1.5);
        second(&mut stream, &mut moment);
        assert_eq!(stream.shown(), 72_000.0);
        moment.follow();
        second(&mut stream, &mut moment);
        assert_eq!(stream.shown(), 384_000.0);
    }
}
