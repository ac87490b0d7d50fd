//! The host's transport: what it says at the begin of a block, and which of that is worth a record.

use send_learn_protocol::record::{MarkerKind, Transport, TransportFlags};
use send_learn_protocol::units::SamplePosition;

/// The transport at one moment. Hosts give each field or do not.
#[derive(Clone, Copy, Debug, PartialEq, Default)]
pub struct Observed {
    /// The playhead moves.
    pub playing: bool,
    /// The host records.
    pub recording: bool,
    /// Quarter notes per minute.
    pub tempo: Option<f64>,
    /// Beats per bar, and the note value of a beat.
    pub meter: Option<(u16, u16)>,
    /// Playhead in samples.
    pub playhead: Option<i64>,
    /// Playhead in seconds.
    pub seconds: Option<f64>,
    /// Playhead in quarter notes.
    pub ppq: Option<f64>,
    /// Where the bar began in quarter notes, as the host says.
    pub bar_start: Option<f64>,
    /// The bar's number from 0, as the host says.
    pub bar: Option<i32>,
    /// Loop range in quarter notes, while the host loops.
    pub loop_range: Option<(f64, f64)>,
}

impl Observed {
    /// What nice-plug passes on from the host. Only what the host itself gave is taken over: beats that are derived from
    /// seconds are wrong after a change of tempo. Samples and seconds are the same thing, so each stands in for the other.
    pub fn from_host(transport: &nice_plug::prelude::Transport) -> Self {
        let rate = f64::from(transport.sample_rate);
        let to_u16 = |value: Option<i32>| value.and_then(|value| u16::try_from(value).ok()).filter(|value| *value > 0);
        Self {
            playing: transport.playing,
            recording: transport.recording,
            tempo: transport.tempo,
            meter: to_u16(transport.time_sig_numerator).zip(to_u16(transport.time_sig_denominator)),
            playhead: transport.pos_samples.or(transport.pos_seconds.map(|seconds| (seconds * rate).round() as i64)),
            seconds: transport.pos_seconds.or(transport.pos_samples.map(|samples| samples as f64 / rate)),
            ppq: transport.pos_beats,
            bar_start: transport.bar_start_pos_beats,
            bar: transport.bar_number,
            loop_range: transport.loop_range_beats,
        }
    }

    /// The record of this state, holding from `position` on.
    pub fn record(&self, position: SamplePosition) -> Transport {
        let bar = self.bar();
        let flags = TransportFlags::default()
            .with(TransportFlags::PLAYING, self.playing)
            .with(TransportFlags::RECORDING, self.recording)
            .with(TransportFlags::LOOPING, self.loop_range.is_some())
            .with(TransportFlags::TEMPO, self.tempo.is_some())
            .with(TransportFlags::METER, self.meter.is_some())
            .with(TransportFlags::PLAYHEAD, self.playhead.is_some())
            .with(TransportFlags::SECONDS, self.seconds.is_some())
            .with(TransportFlags::PPQ, self.ppq.is_some())
            .with(TransportFlags::BAR, bar.is_some());
        let (bar_start, bar) = bar.unwrap_or_default();
        Transport {
            position,
            flags,
            meter: self.meter.unwrap_or_default(),
            bar,
            tempo: self.tempo.unwrap_or_default(),
            playhead: self.playhead.unwrap_or_default(),
            seconds: self.seconds.unwrap_or_default(),
            ppq: self.ppq.unwrap_or_default(),
            bar_start,
            loop_range: self.loop_range.unwrap_or_default(),
        }
    }

    /// Where the bar began and its number. The host's word is taken when the playhead lies within that bar; some hosts
    /// send nonsense or nothing, and then both are computed as if the meter had never changed.
    fn bar(&self) -> Option<(f64, i32)> {
        let (ppq, (numerator, denominator)) = self.ppq.zip(self.meter)?;
        let length = f64::from(numerator) * 4.0 / f64::from(denominator);
        // A playhead computed from samples can stand a hair before the bar line it means.
        let ahead = ppq + 1e-6;
        if let Some(start) = self.bar_start
            && start <= ahead
            && ahead < start + length
        {
            return Some((start, self.bar.unwrap_or((start / length).round() as i32)));
        }
        let number = (ahead / length).floor();
        Some((number * length, number as i32))
    }

    /// Whether something other than the playhead differs.
    fn differs(&self, other: &Self) -> bool {
        self.playing != other.playing
            || self.recording != other.recording
            || self.tempo != other.tempo
            || self.meter != other.meter
            || self.loop_range != other.loop_range
            || self.playhead.is_some() != other.playhead.is_some()
    }
}

/// A tempo that differs by more than this share from that of the block before has jumped; less is how a ramp goes.
const TEMPO_JUMP: f64 = 0.05;

/// Decides which observations become records: the first, every change, and one a second.
#[derive(Clone, Debug)]
pub struct TransportWatch {
    last: Option<Observed>,
    expected: Option<i64>,
    silent_frames: u64,
    frames_per_second: u64,
}

impl TransportWatch {
    /// A watch that has seen nothing. `sample_rate` is in hertz.
    pub fn new(sample_rate: f64) -> Self {
        Self { last: None, expected: None, silent_frames: 0, frames_per_second: sample_rate.max(1.0) as u64 }
    }

    /// Takes note of the transport at the begin of a block of `frames`. Returns the record, if one is due, and the markers of
    /// jumps: of the playhead, if it is not where it should be, and of the tempo.
    pub fn observe(
        &mut self,
        position: SamplePosition,
        observed: &Observed,
        frames: u32,
    ) -> (Option<Transport>, [Option<MarkerKind>; 2]) {
        let jump = self.jump(observed);
        let tempo = self.tempo_jumps(observed).then_some(MarkerKind::Tempo);
        let changed = self.last.is_none_or(|last| last.differs(observed));
        let due = changed || jump.is_some() || self.silent_frames >= self.frames_per_second;
        if due {
            self.silent_frames = 0;
        }
        self.advance(observed, frames);
        (due.then(|| observed.record(position)), [jump, tempo])
    }

    /// Takes note of the transport during a block that is not captured: the next one that is gets a record.
    pub fn skip(&mut self, observed: &Observed, frames: u32) {
        self.advance(observed, frames);
        self.silent_frames = self.frames_per_second;
    }

    fn advance(&mut self, observed: &Observed, frames: u32) {
        self.silent_frames += u64::from(frames);
        let moved = if observed.playing { i64::from(frames) } else { 0 };
        self.expected = observed.playhead.map(|playhead| playhead.saturating_add(moved));
        self.last = Some(*observed);
    }

    fn tempo_jumps(&self, observed: &Observed) -> bool {
        let tempos = self.last.and_then(|last| last.tempo).zip(observed.tempo);
        tempos.is_some_and(|(before, now)| (now - before).abs() > TEMPO_JUMP * before)
    }

    fn jump(&self, observed: &Observed) -> Option<MarkerKind> {
        let (expected, playhead) = self.expected.zip(observed.playhead)?;
        // Hosts that count in seconds round each block's playhead on its own: one sample is no jump.
        if playhead.abs_diff(expected) <= 1 {
            return None;
        }
        let looped = observed.playing && observed.loop_range.is_some() && playhead < expected;
        Some(if looped { MarkerKind::Loop } else { MarkerKind::Locate })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rolling(playhead: i64) -> Observed {
        Observed { playing: true, tempo: Some(120.0), meter: Some((4, 4)), playhead: Some(playhead), ..Observed::default() }
    }

    fn at(position: u64) -> SamplePosition {
        SamplePosition(position)
    }

    #[test]
    fn a_record_stands_at_the_first_block_at_changes_and_once_a_second() {
        let mut watch = TransportWatch::new(48_000.0);
        let mut records = Vec::new();
        for block in 0..300_u64 {
            let mut observed = rolling(block as i64 * 480);
            observed.tempo = Some(if block < 50 { 120.0 } else { 90.0 });
            if watch.observe(at(block * 480), &observed, 480).0.is_some() {
                records.push(block);
            }
        }
        assert_eq!(records, [0, 50, 150, 250]);
    }

    #[test]
    fn a_jump_is_a_locate_and_a_jump_back_within_a_loop_is_a_loop() {
        let mut watch = TransportWatch::new(48_000.0);
        watch.observe(at(0), &rolling(0), 512);
        assert_eq!(watch.observe(at(512), &rolling(512), 512).1, [None; 2]);
        assert_eq!(watch.observe(at(1_024), &rolling(96_000), 512).1, [Some(MarkerKind::Locate), None]);
        let looping = Observed { loop_range: Some((0.0, 4.0)), ..rolling(0) };
        assert_eq!(watch.observe(at(1_536), &looping, 512), (Some(looping.record(at(1_536))), [Some(MarkerKind::Loop), None]));
    }

    #[test]
    fn a_tempo_that_jumps_is_marked_and_a_ramp_is_not() {
        let mut watch = TransportWatch::new(48_000.0);
        let mut markers = Vec::new();
        for (block, tempo) in [120.0, 121.0, 122.5, 90.0, 90.0].into_iter().enumerate() {
            let position = block as u64 * 512;
            let observed = Observed { tempo: Some(tempo), ..rolling(position as i64) };
            markers.push(watch.observe(at(position), &observed, 512).1[1]);
        }
        assert_eq!(markers, [None, None, None, Some(MarkerKind::Tempo), None]);
    }

    #[test]
    fn a_stopped_playhead_does_not_count_as_a_jump() {
        let mut watch = TransportWatch::new(48_000.0);
        let stopped = Observed { playhead: Some(4_800), ..Observed::default() };
        watch.observe(at(0), &stopped, 512);
        assert_eq!(watch.observe(at(512), &stopped, 512), (None, [None; 2]));
    }

    #[test]
    fn the_bar_is_the_hosts_where_it_can_be_true_and_computed_otherwise() {
        let observed = Observed { ppq: Some(9.0), meter: Some((7, 8)), bar_start: Some(8.5), bar: Some(2), ..rolling(0) };
        assert_eq!((observed.record(at(0)).bar_start, observed.record(at(0)).bar), (8.5, 2));
        let nonsense = Observed { bar_start: Some(0.0), bar: Some(0), ..observed };
        assert_eq!((nonsense.record(at(0)).bar_start, nonsense.record(at(0)).bar), (7.0, 2));
        let count_in = Observed { ppq: Some(-1.0), meter: Some((4, 4)), ..rolling(0) };
        assert_eq!((count_in.record(at(0)).bar_start, count_in.record(at(0)).bar), (-4.0, -1));
        assert!(!rolling(0).record(at(0)).flags.has(TransportFlags::BAR), "without beats there is no bar");
    }
}
