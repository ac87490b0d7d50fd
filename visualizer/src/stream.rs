//! What the picture knows of one stream.

use bevy::prelude::Component;
use send_learn_protocol::packet::hello::{Description, PropertyKey};
use send_learn_protocol::record::{Transport, TransportFlags};
use send_learn_protocol::tap::Health;

use crate::clock::HeadClock;
use crate::meter::{MAX_SHOWN, Meter};
use crate::notes::Notes;
use crate::ring::SampleRing;
use crate::source::{MidiMessage, StreamKey};
use crate::spectrum::{ROWS, Row, Spectrum};
use crate::waveform::Envelope;

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
    /// The newest transport.
    pub transport: Option<Transport>,
    /// The newest health.
    pub health: Option<Health>,
    /// Seconds since it ended; `None` while it runs.
    pub ended: Option<f32>,
    spectrum: Spectrum,
    head: HeadClock,
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
            transport: None,
            health: None,
            ended: None,
            spectrum,
            head: HeadClock::default(),
            description,
        }
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
    }

    /// Takes in a transport; one that is older than the newest changes nothing.
    pub fn push_transport(&mut self, transport: Transport) {
        if self.transport.is_none_or(|newest| newest.position <= transport.position) {
            self.transport = Some(transport);
        }
    }

    /// Lets `seconds` pass: the head moves, meters fall, and rows of the spectrum that are due go to `emit`.
    pub fn advance(&mut self, seconds: f32, emit: impl FnMut(u64, &Row)) {
        self.head.advance(f64::from(seconds), self.samples.end(), self.description.sample_rate);
        self.meters.iter_mut().for_each(|meter| meter.advance(seconds));
        self.spectrum.advance(&self.samples, emit);
        let window = ROWS as u64 * self.spectrum.hop();
        self.notes.forget_before((self.head.position() as u64).saturating_sub(window));
        if let Some(ended) = &mut self.ended {
            *ended += seconds;
        }
    }

    /// The position shown as "now", in rows of the spectrum; its whole part is the newest row shown.
    pub fn head_row(&self) -> f64 {
        (self.head.position() / self.spectrum.hop() as f64 - 1.0).clamp(0.0, self.spectrum.next() as f64)
    }

    /// How many rows before "now" `position` stands; below 0 when it is still to be shown.
    pub fn age_in_rows(&self, position: u64) -> f32 {
        ((self.head.position() - position as f64) / self.spectrum.hop() as f64) as f32
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

    /// The bar that "now" is in, from 1, and the beat in it, from 1; `None` where the host does not tell.
    pub fn bar_and_beat(&self) -> Option<(i32, u32)> {
        let transport = self.transport.filter(|transport| {
            transport.flags.has(TransportFlags::BAR)
                && transport.flags.has(TransportFlags::PPQ)
                && transport.flags.has(TransportFlags::METER)
        })?;
        let (numerator, denominator) = transport.meter;
        let beat = 4.0 / f64::from(denominator.max(1));
        let bar = beat * f64::from(numerator.max(1));
        let playing = transport.flags.has(TransportFlags::PLAYING) && transport.flags.has(TransportFlags::TEMPO);
        let since = if playing {
            let seconds = (self.head.position() - transport.position.0 as f64) / self.description.sample_rate;
            seconds * transport.tempo / 60.0
        } else {
            0.0
        };
        let into = transport.ppq + since - transport.bar_start;
        let bars = (into / bar).floor();
        let beats = ((into - bars * bar) / beat).floor().max(0.0);
        Some((transport.bar.saturating_add(bars as i32).saturating_add(1), beats as u32 + 1))
    }
}

/// NaN and infinities are recorded as they are, but cannot be drawn.
fn finite(sample: f32) -> f32 {
    if sample.is_finite() { sample } else { 0.0 }
}

#[cfg(test)]
pub(crate) mod tests {
    use send_learn_protocol::units::{HostId, HostNanos, MachineId, SamplePosition, StreamId, TakeId};

    use super::*;

    pub(crate) const KEY: StreamKey = StreamKey { connection: 1, take: 1 };

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
        stream.advance(0.1, |_, _| rows += 1);
        assert_eq!(rows, 48_000 / 512);
        assert!((stream.head_row() - 92.75).abs() < 0.01, "{}", stream.head_row());
        assert!(stream.meters[0].level_db() > -9.0);
        assert_eq!(stream.meters[1].level_db(), crate::meter::EMPTY_DB);
    }

    #[test]
    fn samples_that_are_no_numbers_do_no_harm() {
        let mut stream = Stream::new(KEY, description("Broken"));
        stream.push_audio(0, 2, &[f32::NAN, f32::INFINITY, -0.0, f32::NEG_INFINITY].repeat(1_024));
        stream.advance(0.1, |_, levels| assert!(levels.iter().all(|level| *level == 0.0)));
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
        stream.advance(0.1, |_, _| ());
        assert_eq!(stream.bar_and_beat(), Some((6, 2)));
        stream.push_transport(Transport { position: SamplePosition(0), bar: 0, ..transport });
        stream.push_transport(Transport { position: SamplePosition(96_000), bar: 9, ..transport });
        stream.push_transport(Transport { position: SamplePosition(50_000), bar: 1, ..transport });
        assert_eq!(stream.bar_and_beat(), Some((10, 1)), "an older transport changes nothing");
    }
}
