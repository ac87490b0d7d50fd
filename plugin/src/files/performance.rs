//! Plays files into a capture, block by block, as a host would.
//!
//! Where the MIDI is longer than the audio, the audio ends where it ends: the take goes on to the last event, and the frames
//! without audio are a gap of the recording (reason 6, the end of the audio). MIDI alone is a stream without audio channels.

use send_learn_protocol::record::MidiKind;
use send_learn_protocol::units::HostNanos;

use super::smf::{Event, Song};
use super::wav::{Wav, WavError};
use crate::capture::{Capture, Wanted};
use crate::transport::Observed;

/// Files on their way into a capture.
pub struct Performance {
    wav: Option<Wav>,
    /// Samples and what happens there, in order.
    score: Vec<(u64, Cue)>,
    next: usize,
    song: Option<Song>,
    meter: Meter,
    /// The tick of the last change of tempo that was passed. A sample that was rounded down lies before its own tick.
    tempo_since: u64,
    rate: u32,
    position: u64,
    length: u64,
    planar: Vec<Vec<f32>>,
}

#[derive(Clone, Debug, PartialEq)]
enum Cue {
    Message([u8; 3]),
    SysEx(Vec<u8>),
    Text(String),
    /// From this tick on the tempo is another.
    Tempo(u64),
    Meter(Meter),
}

/// A meter, and where it began.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Meter {
    numerator: u16,
    denominator: u16,
    /// In quarter notes.
    start: f64,
    /// The number of the bar that begins there.
    bar: i32,
}

impl Meter {
    /// Quarter notes of a bar.
    fn length(&self) -> f64 {
        f64::from(self.numerator) * 4.0 / f64::from(self.denominator)
    }

    /// The bar that holds `quarter`: where it began, and its number.
    fn bar(&self, quarter: f64) -> (f64, i32) {
        // A playhead computed from samples can stand a hair before the bar line it means.
        let bars = ((quarter - self.start + 1e-6) / self.length()).floor().max(0.0);
        (self.start + bars * self.length(), self.bar + bars as i32)
    }
}

impl Performance {
    /// A performance of a WAV file, a song, or both. `rate` is for a song alone; a WAV file has its own.
    pub fn new(wav: Option<Wav>, song: Option<Song>, rate: u32) -> Self {
        let rate = wav.as_ref().map_or(rate, Wav::sample_rate);
        let score = song.as_ref().map(|song| score(song, rate)).unwrap_or_default();
        let audio = wav.as_ref().map_or(0, Wav::frames);
        let length = score.last().map_or(audio, |(position, _)| audio.max(position + 1));
        let meter = Meter { numerator: 4, denominator: 4, start: 0.0, bar: 0 };
        Self { wav, score, next: 0, song, meter, tempo_since: 0, rate, position: 0, length, planar: Vec::new() }
    }

    /// Samples per second.
    pub fn sample_rate(&self) -> u32 {
        self.rate
    }

    /// Audio channels.
    pub fn channels(&self) -> u16 {
        self.wav.as_ref().map_or(0, Wav::channels)
    }

    /// Length in frames.
    pub fn length(&self) -> u64 {
        self.length
    }

    /// The next sample to be played.
    pub fn position(&self) -> u64 {
        self.position
    }

    /// Frames of the next block, if blocks have `block` frames; 0 at the end. No block goes over the end of the audio.
    pub fn next_block(&self, block: u32) -> u32 {
        let audio = self.wav.as_ref().map_or(0, Wav::frames);
        let end = if self.position < audio { audio } else { self.length };
        u32::try_from(end - self.position).unwrap_or(u32::MAX).min(block)
    }

    /// Plays `frames` frames, as [`next_block`](Self::next_block) gave them, into `capture`, which has room for them.
    ///
    /// # Errors
    /// [`WavError`] when the WAV file can no longer be read.
    pub fn play(&mut self, frames: u32, host: HostNanos, capture: &mut Capture) -> Result<(), WavError> {
        let silent = self.wav.as_ref().is_some_and(|wav| self.position >= wav.frames());
        if let Some(wav) = &mut self.wav
            && !silent
        {
            wav.read(frames as usize, &mut self.planar)?;
        }
        let observed = self.observe(self.position);
        if silent {
            capture.begin_without_audio(frames, host, &observed);
        } else {
            capture.begin(frames, host, &observed, Wanted::Captured);
        }
        let end = self.position + u64::from(frames);
        while let Some((position, cue)) = self.score.get(self.next).filter(|(position, _)| *position < end) {
            let (position, offset) = (*position, (*position - self.position) as u32);
            match cue {
                Cue::Message(bytes) => capture.midi(offset, MidiKind::Message, *bytes, -1, 0.0),
                Cue::SysEx(bytes) => capture.sysex(offset, bytes),
                Cue::Text(text) => capture.text(offset, text),
                Cue::Meter(meter) => self.meter = *meter,
                Cue::Tempo(tick) => self.tempo_since = *tick,
            }
            // What the block's begin says already needs no second record.
            if offset > 0 && matches!(self.score[self.next].1, Cue::Meter(_) | Cue::Tempo(_)) {
                capture.transport(offset, &self.observe(position));
            }
            self.next += 1;
        }
        if silent {
            capture.end_without_audio();
        } else {
            capture.end(&self.planar);
        }
        self.position = end;
        Ok(())
    }

    /// The transport as a host would tell it at `position`.
    fn observe(&self, position: u64) -> Observed {
        let rolling = Observed {
            playing: true,
            playhead: i64::try_from(position).ok(),
            seconds: Some(position as f64 / f64::from(self.rate)),
            ..Observed::default()
        };
        let Some(song) = &self.song else { return rolling };
        let quarter = song.tempo.quarter(position, self.rate);
        // Changes at this very sample count already, though their cues are still to come.
        let here = self.score[self.next..].iter().take_while(|(at, _)| *at <= position);
        let (mut meter, mut tick) = (self.meter, None);
        for (_, cue) in here {
            match cue {
                Cue::Meter(changed) => meter = *changed,
                Cue::Tempo(at) => tick = Some(*at),
                _ => {}
            }
        }
        let played = || Some((quarter? * song.tempo.ticks_per_quarter()? + 1e-3) as u64);
        let tick = tick.or_else(|| played().map(|tick| tick.max(self.tempo_since)));
        let bar = quarter.map(|quarter| meter.bar(quarter));
        Observed {
            tempo: tick.and_then(|tick| song.tempo.tempo(tick)),
            meter: quarter.map(|_| (meter.numerator, meter.denominator)),
            ppq: quarter,
            bar_start: bar.map(|(start, _)| start),
            bar: bar.map(|(_, number)| number),
            ..rolling
        }
    }
}

/// A song's events at their samples.
fn score(song: &Song, rate: u32) -> Vec<(u64, Cue)> {
    let mut meter = Meter { numerator: 4, denominator: 4, start: 0.0, bar: 0 };
    let cue = |(tick, event): &(u64, Event)| {
        let cue = match event {
            Event::Message(bytes) => Cue::Message(*bytes),
            Event::SysEx(bytes) => Cue::SysEx(bytes.clone()),
            Event::Text(text) => Cue::Text(text.clone()),
            Event::Tempo(_) => Cue::Tempo(*tick),
            Event::Meter(numerator, denominator) => {
                let start = song.tempo.ticks_per_quarter().map_or(0.0, |ticks| *tick as f64 / ticks);
                // A meter that changes within a bar cuts it short: the next bar begins here.
                let bars = ((start - meter.start) / meter.length() - 1e-9).ceil().max(0.0);
                meter = Meter { numerator: *numerator, denominator: *denominator, start, bar: meter.bar + bars as i32 };
                Cue::Meter(meter)
            }
        };
        (song.tempo.sample(*tick, rate), cue)
    };
    song.events.iter().map(cue).collect()
}

#[cfg(test)]
mod tests {
    use midly::Timing;
    use send_learn_protocol::record::{GapReason, Transport};

    use super::*;
    use crate::capture::{CaptureConfig, Captured, capture};
    use crate::files::tempo::TempoMap;
    use crate::ring::CaptureEvent;

    /// 96 ticks per quarter: 120 beats per minute, 4/4; from the second bar on 3/4; from tick 480 on 60 beats per minute.
    fn song() -> Song {
        let events = vec![
            (0, Event::Meter(4, 4)),
            (0, Event::Message([0x90, 60, 1])),
            (384, Event::Meter(3, 4)),
            (480, Event::Tempo(1_000_000)),
            (481, Event::Message([0x80, 60, 0])),
            (672, Event::Text("end".to_owned())),
        ];
        Song { tempo: TempoMap::new(Timing::Metrical(96.into()), &[(480, 1_000_000)]), events }
    }

    fn perform(mut performance: Performance, block: u32) -> (Captured, Vec<CaptureEvent>) {
        let rate = f64::from(performance.sample_rate());
        let config = CaptureConfig { sample_rate: rate, channels: performance.channels(), max_block: block, patient: false };
        let (mut audio, mut captured) = capture(config);
        let mut events = Vec::new();
        loop {
            let frames = performance.next_block(block);
            if frames == 0 {
                break;
            }
            performance.play(frames, HostNanos(1), &mut audio).unwrap();
            let samples = captured.ring.samples.slots();
            captured.ring.samples.read_chunk(samples).unwrap().commit_all();
            events.extend(std::iter::from_fn(|| captured.ring.events.pop().ok()));
        }
        drop(audio);
        events.extend(std::iter::from_fn(|| captured.ring.events.pop().ok()));
        (captured, events)
    }

    fn transports(events: &[CaptureEvent]) -> Vec<Transport> {
        let transport = |event: &CaptureEvent| match event {
            CaptureEvent::Transport(transport) => Some(*transport),
            _ => None,
        };
        events.iter().filter_map(transport).collect()
    }

    #[test]
    fn events_stand_at_their_samples_whatever_the_block() {
        for block in [1_000, 4_800, 7_777] {
            let (captured, events) = perform(Performance::new(None, Some(song()), 48_000), block);
            let positions: Vec<u64> = events
                .iter()
                .filter_map(|event| match event {
                    CaptureEvent::Midi(midi) => Some(midi.position.0),
                    CaptureEvent::Part(part) => Some(part.position.0),
                    _ => None,
                })
                .collect();
            assert_eq!(positions, [0, 120_500, 216_000]);
            assert_eq!(captured.counters.position().0, 216_001, "the take ends after the last event");
        }
    }

    #[test]
    fn tempo_and_meter_changes_are_transport_records_at_their_very_sample() {
        let (_, events) = perform(Performance::new(None, Some(song()), 48_000), 7_777);
        let seen = transports(&events);
        let at = |position: u64| *seen.iter().find(|transport| transport.position.0 == position).unwrap();
        assert_eq!((at(0).tempo, at(0).meter, at(0).bar), (120.0, (4, 4), 0));
        assert_eq!((at(96_000).tempo, at(96_000).meter, at(96_000).bar), (120.0, (3, 4), 1));
        assert_eq!((at(120_000).tempo, at(120_000).meter, at(120_000).bar), (60.0, (3, 4), 1));
        assert!((at(120_000).ppq - 5.0).abs() < 1e-9);
        let after: Vec<_> = seen.iter().filter(|transport| transport.position.0 > 120_000).collect();
        assert!(after.iter().all(|transport| transport.tempo == 60.0 && transport.meter == (3, 4)));
        assert!(after.iter().any(|transport| (transport.bar, transport.bar_start) == (1, 4.0)), "{after:?}");
    }

    #[test]
    fn tempo_and_meter_that_change_at_one_tick_are_right_in_every_record_there() {
        // At 44.1 kHz tick 386 falls on sample 88,659.375, so sample 88,659 still belongs to tick 385.
        let (tempo, meter) = ((386, Event::Tempo(1_000_000)), (386, Event::Meter(3, 4)));
        for changes in [[tempo.clone(), meter.clone()], [meter, tempo]] {
            let mut events = vec![(0, Event::Meter(4, 4))];
            events.extend(changes);
            events.push((672, Event::Text("end".to_owned())));
            let song = Song { tempo: TempoMap::new(Timing::Metrical(96.into()), &[(386, 1_000_000)]), events };
            let (_, events) = perform(Performance::new(None, Some(song), 44_100), 7_777);
            let there: Vec<_> = transports(&events).into_iter().filter(|transport| transport.position.0 == 88_659).collect();
            assert_eq!(there.len(), 2);
            assert!(there.iter().all(|transport| transport.tempo == 60.0 && transport.meter == (3, 4)), "{there:?}");
        }
    }

    #[test]
    fn midi_that_outlasts_the_audio_goes_on_over_a_gap() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("short.wav");
        let spec =
            hound::WavSpec { channels: 1, sample_rate: 48_000, bits_per_sample: 16, sample_format: hound::SampleFormat::Int };
        let mut writer = hound::WavWriter::create(&path, spec).unwrap();
        (0..100_000).for_each(|n| writer.write_sample((n % 1_000) as i16).unwrap());
        writer.finalize().unwrap();
        let performance = Performance::new(Some(Wav::open(&path).unwrap()), Some(song()), 0);
        let (captured, events) = perform(performance, 4_096);
        let frames: u64 = events
            .iter()
            .map(|event| match event {
                CaptureEvent::Block(block) => u64::from(block.frames),
                _ => 0,
            })
            .sum();
        assert_eq!(frames, 100_000);
        assert!(events.iter().any(|event| matches!(event, CaptureEvent::Midi(midi) if midi.position.0 == 120_500)));
        let gap = events.iter().find_map(|event| match event {
            CaptureEvent::Gap { position, frames, reason } => Some((position.0, *frames, *reason)),
            _ => None,
        });
        assert_eq!(gap, Some((100_000, 116_001, GapReason::EndOfAudio)));
        assert_eq!(captured.counters.position().0, 216_001);
    }
}
