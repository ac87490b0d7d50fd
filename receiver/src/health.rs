//! How a stream fares: figures over the last seconds, for viewers and for the status line.

use std::collections::VecDeque;
use std::sync::atomic::Ordering;
use std::time::Duration;

use send_learn_protocol::receiver::SessionStats;
use send_learn_protocol::record::{Block, ClockEstimate, Record, records};
use send_learn_protocol::tap::{Arrival, Health};
use send_learn_protocol::units::HostNanos;

use crate::archive::Progress;

/// Rates are taken over this long.
const WINDOW: Duration = Duration::from_secs(2);

/// Watches one stream.
#[derive(Debug)]
pub struct Meter {
    sample_rate: f64,
    clock: Option<ClockEstimate>,
    latency: Option<Duration>,
    stages: Stages,
    midi_events: u64,
    samples: VecDeque<(HostNanos, SessionStats)>,
}

/// Where the newest block that came without repair spent its time; `None` where nobody knows.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Stages {
    host: Option<Duration>,
    uplink: Option<Duration>,
    network: Option<Duration>,
}

impl Meter {
    /// Watches a stream of this many samples per second.
    pub fn new(sample_rate: f64) -> Self {
        let (stages, samples) = (Stages::default(), VecDeque::new());
        Self { sample_rate, clock: None, latency: None, stages, midi_events: 0, samples }
    }

    /// Looks into an entry for the newest clock estimate, and for a block whose delay can be told. `sent_micros` is when the datagram
    /// left that brought it, on the sender's clock, wrapping.
    pub fn note_entry(&mut self, arrival: Arrival, sent_micros: Option<u32>, arrived: HostNanos, entry: &[u8]) {
        for record in records(entry).flatten() {
            match record {
                Record::Clock(estimate) => self.clock = Some(estimate),
                // What was sent again says nothing about the live delay.
                Record::Block(block) if arrival <= Arrival::Repaired => {
                    self.latency = self.clock.and_then(|clock| delay(&clock, block.host, arrived));
                    if let Some(sent) = sent_micros {
                        self.stages = self.stages_of(&block, sent, arrived);
                    }
                }
                Record::Midi(_) => self.midi_events += 1,
                _ => {}
            }
        }
    }

    fn stages_of(&self, block: &Block, sent_micros: u32, arrived: HostNanos) -> Stages {
        let uplink = since(block.host, sent_micros);
        let sent = block.host.after(uplink);
        Stages {
            host: Duration::try_from_secs_f64(f64::from(block.frames) / self.sample_rate).ok(),
            uplink: Some(uplink),
            network: self.clock.and_then(|clock| delay(&clock, sent, arrived)),
        }
    }

    /// MIDI events so far.
    pub fn midi_events(&self) -> u64 {
        self.midi_events
    }

    /// The newest counters of the session.
    pub fn newest(&self) -> SessionStats {
        self.samples.back().map(|(_, stats)| *stats).unwrap_or_default()
    }

    /// The figures now.
    pub fn health(&mut self, now: HostNanos, stats: &SessionStats, progress: &Progress) -> Health {
        let &(then, before) = self.samples.front().unwrap_or(&(now, *stats));
        self.samples.push_back((now, *stats));
        while self.samples.front().is_some_and(|(time, _)| now.since(*time) > WINDOW) {
            self.samples.pop_front();
        }
        let seconds = now.since(then).as_secs_f64().max(0.001);
        let delta = |of: fn(&SessionStats) -> u64| of(stats).saturating_sub(of(&before)) as f64;
        let packets = delta(|stats| stats.highest_packet.0);
        // What was previewed is back-filled, and not late.
        let late =
            delta(|stats| stats.resent) - if stats.previews > before.previews { delta(|stats| stats.backfilled) } else { 0.0 };
        let entries = delta(|stats| stats.delivered) + delta(|stats| stats.repaired) + delta(|stats| stats.resent);
        let lag = stats.received.0.saturating_sub(stats.durable.0) as f64;
        Health {
            loss: share(packets - delta(|stats| stats.datagrams), packets),
            residual_loss: share(late, entries),
            bits_per_second: delta(|stats| stats.bytes) * 8.0 / seconds,
            jitter_ms: stats.jitter.as_secs_f64() * 1_000.0,
            latency_ms: milliseconds(self.latency),
            host_ms: milliseconds(self.stages.host),
            uplink_ms: milliseconds(self.stages.uplink),
            network_ms: milliseconds(self.stages.network),
            level: stats.level.value(),
            durable_lag: if entries > 0.0 { lag * seconds / entries } else { 0.0 },
            repaired: stats.repaired,
            resent: stats.resent,
            owed: stats.missing,
            gap_frames: progress.gap_frames.load(Ordering::Relaxed),
        }
    }
}

/// Milliseconds; NaN where they are not known.
fn milliseconds(duration: Option<Duration>) -> f64 {
    duration.map_or(f64::NAN, |duration| duration.as_secs_f64() * 1_000.0)
}

/// From a time of a machine's clock to one within half an hour that is known in microseconds, wrapping; none where it lies before.
fn since(host: HostNanos, micros: u32) -> Duration {
    let difference = micros.wrapping_sub((host.0 / 1_000) as u32).cast_signed();
    Duration::from_micros(difference.max(0).unsigned_abs().into())
}

/// `part / whole` within 0 to 1; 0 of nothing.
fn share(part: f64, whole: f64) -> f64 {
    if whole > 0.0 { (part / whole).clamp(0.0, 1.0) } else { 0.0 }
}

/// From the host's time on the studio machine's clock to an arrival on the receiver's, by the measured offset and drift.
fn delay(clock: &ClockEstimate, host: HostNanos, arrived: HostNanos) -> Option<Duration> {
    let since_estimate = i128::from(host.0) - i128::from(clock.host.0);
    let drift = (since_estimate as f64 * clock.drift_ppb * 1e-9) as i128;
    let on_our_clock = i128::from(host.0) + i128::from(clock.offset) + drift;
    let nanos = (i128::from(arrived.0) - on_our_clock).max(0);
    u64::try_from(nanos).ok().map(Duration::from_nanos)
}

#[cfg(test)]
mod tests {
    use super::*;
    use send_learn_protocol::record::pack::Packer;
    use send_learn_protocol::units::{PacketNumber, SamplePosition, SourceNumber};

    #[test]
    fn delay_is_told_across_clocks() {
        let clock = ClockEstimate {
            position: SamplePosition(0),
            host: HostNanos(1_000_000_000),
            offset: -400_000_000,
            round_trip: 0,
            uncertainty: 0,
            drift_ppb: 1_000.0,
        };
        // One second later the offset has grown by 1 µs; the block took 2 ms.
        let arrived = HostNanos(2_000_000_000 - 400_000_000 + 1_000 + 2_000_000);
        assert_eq!(delay(&clock, HostNanos(2_000_000_000), arrived), Some(Duration::from_millis(2)));
    }

    #[test]
    fn delay_is_told_by_stage_though_the_senders_microseconds_wrap() {
        let mut meter = Meter::new(48_000.0);
        // The sender's clock is 400 ms ahead of ours, and its microseconds wrap within this block's way.
        let host = HostNanos((u64::from(u32::MAX) - 500) * 1_000);
        let offset = -400_000_000;
        let estimate = ClockEstimate { position: SamplePosition(0), host, offset, round_trip: 0, uncertainty: 0, drift_ppb: 0.0 };
        let block = Block { position: SamplePosition(0), frames: 480, crc: 0, host, playhead: None };
        let mut packer = Packer::new(SourceNumber(0));
        packer.push(&Record::Clock(estimate));
        packer.push(&Record::Block(block));
        packer.flush();
        let entry = packer.pop().unwrap();
        let arrived = HostNanos(host.0 + 5_000_000 - 400_000_000);
        let sent = ((host.0 + 2_000_000) / 1_000) as u32;
        let told = |meter: &mut Meter| {
            let health = meter.health(arrived, &SessionStats::default(), &Progress::default());
            [health.host_ms, health.uplink_ms, health.network_ms, health.latency_ms]
        };
        assert!(told(&mut meter).iter().all(|stage| stage.is_nan()));
        meter.note_entry(Arrival::Live, Some(sent), arrived, &entry);
        assert_eq!(told(&mut meter), [10.0, 2.0, 3.0, 5.0]);
        // One that was rebuilt came later, and nobody knows when it was sent.
        meter.note_entry(Arrival::Repaired, None, arrived.after(Duration::from_millis(1)), &entry);
        assert_eq!(told(&mut meter), [10.0, 2.0, 3.0, 6.0]);
    }

    #[test]
    fn loss_counts_what_never_came_and_residual_loss_what_came_late() {
        let mut meter = Meter::new(48_000.0);
        let progress = Progress::default();
        meter.health(HostNanos(0), &SessionStats::default(), &progress);
        let stats = SessionStats {
            highest_packet: PacketNumber(100),
            datagrams: 90,
            delivered: 70,
            repaired: 20,
            resent: 10,
            bytes: 1_000,
            ..SessionStats::default()
        };
        let health = meter.health(HostNanos(1_000_000_000), &stats, &progress);
        assert!((health.loss - 0.1).abs() < 1e-9);
        assert!((health.residual_loss - 0.1).abs() < 1e-9);
        assert!((health.bits_per_second - 8_000.0).abs() < 1e-9);
        assert!(health.latency_ms.is_nan());
    }
}
