//! What the server tells of its streams: to viewers, to the log, and on the board.

use std::sync::atomic::Ordering;

use send_learn_protocol::packet::hello::PropertyKey;
use send_learn_protocol::receiver::SessionStats;
use send_learn_protocol::tap::Health;
use send_learn_protocol::units::{HostNanos, TakeId};

use super::{Server, Stream};
use crate::disk::DiskState;
use crate::status::{SocketStatus, Status, StreamStatus, Totals};

impl Server {
    /// Measures how streams fare, tells viewers, and asks again for what the disk did not take.
    pub(super) fn measure_health(&mut self, now: HostNanos) {
        let paused = self.disk.state == DiskState::Paused;
        for stream in self.streams.values_mut().filter(|stream| stream.key != 0) {
            // While nothing can be recorded nothing is asked for.
            if !paused {
                std::mem::take(&mut stream.unkept).numbers().for_each(|number| self.receiver.forget(stream.session, number));
            }
            if let Some(stats) = self.receiver.stats(stream.session) {
                stream.health = stream.meter.health(now, stats, &stream.progress);
                self.tap.health(stream.key, stream.health);
            }
        }
        self.tap.close_silent(now, self.poll.registry());
        let refused = self.totals.refused_entries - std::mem::replace(&mut self.refused_told, self.totals.refused_entries);
        if refused > 0 {
            tracing::warn!(entries = refused, "the disk is too slow: these are asked for again");
        }
    }

    /// A line in the log for each stream.
    pub(super) fn log_status(&self) {
        for stream in self.streams.values() {
            let Health { loss, bits_per_second, latency_ms, repaired, resent, owed, durable_lag, .. } = stream.health;
            let delay = if latency_ms.is_nan() { "unknown".to_owned() } else { format!("{latency_ms:.1} ms") };
            tracing::info!(
                "{}: {:.1} s recorded, {:.2} Mbit/s, loss {:.1} %, repaired {repaired}, sent again {resent}, missing {owed}, \
                 delay {delay}, not yet durable {durable_lag:.1} s",
                stream.description.property(PropertyKey::NAME),
                stream.progress.frames.load(Ordering::Relaxed) as f64 / stream.description.sample_rate,
                bits_per_second / 1e6,
                loss * 100.0,
            );
        }
    }

    /// Everything at this moment.
    pub(super) fn status(&self) -> Status {
        let accepted = self.streams.iter().filter(|(_, stream)| stream.key != 0);
        let mut streams: Vec<StreamStatus> =
            accepted.map(|(take, stream)| stream.status(*take, self.receiver.stats(stream.session))).collect();
        streams.sort_by(|a, b| (&a.machine, &a.name, &a.take).cmp(&(&b.machine, &b.name, &b.take)));
        let version = env!("CARGO_PKG_VERSION").to_owned();
        let rejected = self.receiver.rejected();
        let totals = Totals {
            rejected_datagrams: rejected.total(),
            viewers: self.tap.viewers() as u64,
            removed_recordings: self.retention.removed(),
            ..self.totals
        };
        Status {
            version,
            address: Some(self.address),
            data: self.data.clone(),
            encrypted: self.encrypted,
            rejected: rejected.by_name().map(|(why, count)| (why.to_owned(), count)).collect(),
            disk: self.disk.clone(),
            socket: SocketStatus { receive_buffer: self.datagrams.granted(), kernel_drops: self.datagrams.dropped() },
            totals,
            streams,
        }
    }
}

impl Stream {
    fn status(&self, take: TakeId, stats: Option<&SessionStats>) -> StreamStatus {
        let text = |key| self.description.property(key).to_owned();
        let health = &self.health;
        StreamStatus {
            take: take.to_string(),
            stream: self.description.stream.to_string(),
            name: text(PropertyKey::NAME),
            machine: text(PropertyKey::MACHINE),
            peer: self.peer,
            sample_rate: self.description.sample_rate,
            channels: self.description.channels,
            recorded: self.progress.frames.load(Ordering::Relaxed) as f64 / self.description.sample_rate,
            rms: self.progress.rms(),
            midi_events: self.meter.midi_events(),
            level: health.level,
            loss: health.loss,
            late: health.residual_loss,
            marked: stats.map_or(0, |stats| stats.marked),
            bits_per_second: health.bits_per_second,
            jitter_ms: health.jitter_ms,
            delay_ms: Some(health.latency_ms).filter(|delay| delay.is_finite()),
            not_yet_durable: health.durable_lag,
            not_yet_in_file: self.progress.behind(),
            repaired: health.repaired,
            resent: health.resent,
            owed: health.owed,
            gap_frames: health.gap_frames,
            datagrams: self.meter.newest().datagrams,
            lost_datagrams: self.meter.newest().lost,
            bytes: self.meter.newest().bytes,
            crc_mismatches: self.progress.crc_mismatches.load(Ordering::Relaxed),
        }
    }
}
