//! What the host told of tempo, meter and playhead, by sample position.

use std::collections::VecDeque;

use send_learn_protocol::record::{Transport, TransportFlags};

/// The most transports that are kept.
const MAX_KEPT: usize = 4_096;

/// The transports of a stream, in order of position. Each holds until the next.
#[derive(Clone, Debug, Default)]
pub struct Score {
    transports: VecDeque<Transport>,
}

impl Score {
    /// Takes in a transport, in any order.
    pub fn push(&mut self, transport: Transport) {
        let at = self.transports.partition_point(|known| known.position <= transport.position);
        if at > 0 && self.transports[at - 1].position == transport.position {
            self.transports[at - 1] = transport;
            return;
        }
        self.transports.insert(at, transport);
        if self.transports.len() > MAX_KEPT {
            self.transports.pop_front();
        }
    }

    /// What holds at `position`, in samples.
    pub fn at(&self, position: f64) -> Option<&Transport> {
        let after = self.transports.partition_point(|known| known.position.0 as f64 <= position);
        self.transports.get(after.checked_sub(1)?)
    }

    /// The bar that `position` is in, from 1, and the beat in it, from 1; `None` where the host does not tell.
    pub fn bar_and_beat(&self, position: f64, sample_rate: f64) -> Option<(i32, u32)> {
        let transport = self.at(position)?;
        let measure = Measure::of(transport)?;
        let playing = transport.flags.has(TransportFlags::PLAYING) && transport.flags.has(TransportFlags::TEMPO);
        let since = if playing { (position - transport.position.0 as f64) / sample_rate * transport.tempo / 60.0 } else { 0.0 };
        let into = transport.ppq + since - transport.bar_start;
        let bars = (into / measure.bar).floor();
        let beats = ((into - bars * measure.bar) / measure.beat).floor().max(0.0);
        Some((transport.bar.saturating_add(bars as i32).saturating_add(1), beats as u32 + 1))
    }

    /// Calls `mark` with position and number (from 1) of each bar that begins from `from` to `to`, in samples; at most 64.
    pub fn bars(&self, from: f64, to: f64, sample_rate: f64, mut mark: impl FnMut(f64, i32)) {
        let first = self.transports.partition_point(|known| known.position.0 as f64 <= from).saturating_sub(1);
        let mut left = 64;
        for (index, transport) in self.transports.iter().enumerate().skip(first) {
            let begin = (transport.position.0 as f64).max(from);
            let end = self.transports.get(index + 1).map_or(to, |next| (next.position.0 as f64).min(to));
            let moves = transport.flags.has(TransportFlags::PLAYING) && transport.flags.has(TransportFlags::TEMPO);
            let Some(measure) = Measure::of(transport).filter(|_| moves && transport.tempo > 0.0) else { continue };
            let per_quarter = sample_rate * 60.0 / transport.tempo;
            let bar_at =
                |bars: f64| transport.position.0 as f64 + (transport.bar_start + bars * measure.bar - transport.ppq) * per_quarter;
            let mut bars = ((begin - bar_at(0.0)) / (measure.bar * per_quarter)).ceil();
            while bar_at(bars) < end && left > 0 {
                mark(bar_at(bars), transport.bar.saturating_add(bars as i32).saturating_add(1));
                (bars, left) = (bars + 1.0, left - 1);
            }
        }
    }
}

/// Lengths of a beat and a bar, in quarters.
struct Measure {
    beat: f64,
    bar: f64,
}

impl Measure {
    fn of(transport: &Transport) -> Option<Self> {
        let given = [TransportFlags::BAR, TransportFlags::PPQ, TransportFlags::METER];
        let (numerator, denominator) = transport.meter;
        let beat = 4.0 / f64::from(denominator.max(1));
        given.iter().all(|flag| transport.flags.has(*flag)).then(|| Self { beat, bar: beat * f64::from(numerator.max(1)) })
    }
}

#[cfg(test)]
mod tests {
    use send_learn_protocol::units::SamplePosition;

    use super::*;

    const RATE: f64 = 48_000.0;

    fn transport(position: u64, tempo: f64, ppq: f64, bar: i32) -> Transport {
        let given = [TransportFlags::TEMPO, TransportFlags::METER, TransportFlags::PPQ, TransportFlags::BAR];
        let flags = given.into_iter().fold(TransportFlags::PLAYING, |flags, flag| flags.with(flag, true));
        let position = SamplePosition(position);
        Transport { position, flags, meter: (4, 4), bar, tempo, ppq, bar_start: ppq, ..Transport::default() }
    }

    #[test]
    fn bars_follow_the_tempo_through_its_changes() {
        let mut score = Score::default();
        // Two seconds a bar, then one second a bar from the third bar on. Told in the wrong order.
        score.push(transport(192_000, 240.0, 8.0, 2));
        score.push(transport(0, 120.0, 0.0, 0));
        let mut bars = Vec::new();
        score.bars(0.0, 300_000.0, RATE, |at, number| bars.push((at as u64, number)));
        assert_eq!(bars, [(0, 1), (96_000, 2), (192_000, 3), (240_000, 4), (288_000, 5)]);
        assert_eq!(score.bar_and_beat(250_000.0, RATE), Some((4, 1)));
        assert_eq!(score.bar_and_beat(100_000.0, RATE), Some((2, 1)));
    }

    #[test]
    fn wild_figures_of_a_host_take_no_time() {
        let mut score = Score::default();
        for (tempo, ppq) in [(f64::NAN, 0.0), (f64::INFINITY, 0.0), (1e300, f64::NAN), (-5.0, 1e300), (1e9, 0.0)] {
            score.push(transport(score.transports.len() as u64, tempo, ppq, i32::MAX));
        }
        let mut count = 0;
        score.bars(0.0, 1e12, RATE, |_, _| count += 1);
        assert!(count <= 64, "{count}");
        assert!(score.bar_and_beat(1e12, RATE).is_some());
    }

    #[test]
    fn memory_stays_bounded() {
        let mut score = Score::default();
        (0..10_000).for_each(|at| score.push(transport(at, 120.0, 0.0, 0)));
        assert_eq!(score.transports.len(), MAX_KEPT);
    }
}
