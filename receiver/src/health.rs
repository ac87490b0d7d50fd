//! How a stream fares: figures over the last seconds, for viewers and for the status line.

use std::collections::VecDeque;
use std::sync::atomic::Ordering;
use std::time::Duration;

use send_learn_protocol::receiver::SessionStats;
use send_learn_protocol::record::{ClockEstimate, Record, records};
use send_learn_protocol::tap::{Arrival, Health};
use send_learn_protocol::units::HostNanos;

use crate::archive::Progress;

/// Rates are taken over this long.
const WINDOW: Duration = Duration::from_secs(2);

/// Watches one stream.
#[derive(Debug, Default)]
pub struct Meter {
    clock: Option<ClockEstimate>,
    latency: Option<Duration>,
    midi_events: u64,
    samples: VecDeque<(HostNanos, SessionStats)>,
}

impl Meter {
    /// Looks into an entry for the newest clock estimate, and for a block whose delay can be told.
    pub fn note_entry(&mut self, arrival: Arrival, arrived: HostNanos, entry: &[u8]) {
        for record in records(entry).flatten() {
            match record {
                Record::Clock(estimate) => self.clock = Some(estimate),
                // What was sent again says nothing about the live delay.
                Record::Block(block) if arrival <= Arrival::Repaired => {
                    self.latency = self.clock.and_then(|clock| delay(&clock, block.host, arrived));
                }
                Record::Midi(_) => self.midi_events += 1,
                _ => {}
            }
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
            latency_ms: self.latency.map_or(f64::NAN, |latency| latency.as_secs_f64() * 1_000.0),
            level: stats.level.value(),
            durable_lag: if entries > 0.0 { lag * seconds / entries } else { 0.0 },
            repaired: stats.repaired,
            resent: stats.resent,
            owed: stats.missing,
            gap_frames: progress.gap_frames.load(Ordering::Relaxed),
        }
    }
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
    use send_learn_protocol::units::{PacketNumber, SamplePosition};

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
    fn loss_counts_what_never_came_and_residual_loss_what_came_late() {
        let mut meter = Meter::default();
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
