//! Figures for Prometheus: an HTTP endpoint that gives them in its text format. It is off unless an address is set.
//!
//! They are made of the same [`Status`] that `send-learn status --json` prints, at the moment of each question.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::thread;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric, MetricEncoder, text};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::{Registry, Unit};
use tiny_http::{Header, Method, Response, Server};

use crate::disk::DiskState;
use crate::server::Remote;
use crate::status::{Status, StreamStatus};

/// The type of the answer: OpenMetrics' text, which Prometheus reads.
const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Whether a figure only grows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Is {
    Counter,
    Gauge,
}

/// A figure: its name after `send_learn_`, its unit if it has one, what it is, and how it is read; `None` where it is not known.
struct Figure<T: 'static> {
    name: &'static str,
    unit: Option<&'static Unit>,
    is: Is,
    about: &'static str,
    read: fn(&T) -> Option<f64>,
}

const fn counter<T>(name: &'static str, about: &'static str, read: fn(&T) -> Option<f64>) -> Figure<T> {
    Figure { name, unit: None, is: Is::Counter, about, read }
}

const fn gauge<T>(name: &'static str, about: &'static str, read: fn(&T) -> Option<f64>) -> Figure<T> {
    Figure { name, unit: None, is: Is::Gauge, about, read }
}

impl<T> Figure<T> {
    const fn in_unit(self, unit: &'static Unit) -> Self {
        Self { unit: Some(unit), ..self }
    }

    /// The name as Prometheus has it.
    fn full_name(&self) -> String {
        let unit = self.unit.map_or_else(String::new, |unit| format!("_{}", unit.as_str()));
        format!("send_learn_{}{unit}{}", self.name, if self.is == Is::Counter { "_total" } else { "" })
    }

    fn describe<'a>(&self, encoder: &'a mut DescriptorEncoder<'_>) -> Result<MetricEncoder<'a>, fmt::Error> {
        let is = if self.is == Is::Counter { MetricType::Counter } else { MetricType::Gauge };
        encoder.encode_descriptor(self.name, self.about, self.unit, is)
    }

    fn write(&self, value: f64, encoder: MetricEncoder<'_>) -> fmt::Result {
        match self.is {
            Is::Counter => ConstCounter::new(value).encode(encoder),
            Is::Gauge => ConstGauge::new(value).encode(encoder),
        }
    }
}

/// Figures of the whole receiver.
static OF_RECEIVER: &[Figure<Status>] = &[
    gauge("streams", "Streams that are open", |status| Some(status.streams.len() as f64)),
    gauge("viewers", "Viewers that are connected", |status| Some(status.totals.viewers as f64)),
    gauge("paused", "1 while nothing can be recorded, else 0", |status| Some(f64::from(status.disk.state == DiskState::Paused))),
    gauge("disk_free", "Free on the disk of the recordings", |status: &Status| status.disk.free.map(|free| free as f64))
        .in_unit(&Unit::Bytes),
    counter("connections", "Streams that connected, each time that they did", |status| Some(status.totals.streams as f64)),
    counter("entries", "Log entries that were taken", |status| Some(status.totals.entries as f64)),
    counter("refused_entries", "Log entries that came while the disk was too slow; they are asked for again", |status| {
        Some(status.totals.refused_entries as f64)
    }),
    counter("rejected_datagrams", "Datagrams that were not understood, or belong to no session", |status| {
        Some(status.totals.rejected_datagrams as f64)
    }),
    counter("removed_recordings", "Old recordings that were removed, as the settings say", |status| {
        Some(status.totals.removed_recordings as f64)
    }),
];

/// Figures of each stream, with the labels `stream`, `take`, `name` and `machine`.
static OF_STREAM: &[Figure<StreamStatus>] = &[
    gauge("stream_recorded", "Recorded of the take", |stream: &StreamStatus| Some(stream.recorded)).in_unit(&Unit::Seconds),
    gauge("stream_not_yet_durable", "Received, but not synced to the disk", |stream: &StreamStatus| Some(stream.not_yet_durable))
        .in_unit(&Unit::Seconds),
    gauge("stream_not_yet_in_file", "Durable in the journal, but not yet in the recording's file", |stream: &StreamStatus| {
        Some(stream.not_yet_in_file as f64)
    })
    .in_unit(&Unit::Bytes),
    gauge("stream_delay", "From the host's newest block to the receiver", |stream: &StreamStatus| {
        stream.delay_ms.map(|delay| delay / 1e3)
    })
    .in_unit(&Unit::Seconds),
    gauge("stream_jitter", "Interarrival jitter, RFC 3550", |stream: &StreamStatus| Some(stream.jitter_ms / 1e3))
        .in_unit(&Unit::Seconds),
    gauge("stream_bits_per_second", "Payload that arrives", |stream| Some(stream.bits_per_second)),
    gauge("stream_level", "Quality of the live path: 1, 0.7 or 0.3", |stream| Some(stream.level)),
    gauge("stream_loss", "Share of datagrams lost before any repair, over the last seconds", |stream| Some(stream.loss)),
    gauge("stream_late", "Share of entries that parity did not bring in time, over the last seconds", |stream| Some(stream.late)),
    gauge("stream_rms", "Loudness of the newest frame, 1 is full scale", |stream| stream.rms.map(f64::from)),
    gauge("stream_owed", "Log entries that are known to exist and missing", |stream| Some(stream.owed as f64)),
    counter("stream_datagrams", "Datagrams that arrived in the session", |stream| Some(stream.datagrams as f64)),
    counter("stream_lost_datagrams", "Datagrams lost before any repair in the session", |stream| {
        Some(stream.lost_datagrams as f64)
    }),
    counter("stream_received", "Payload that arrived in the session", |stream: &StreamStatus| Some(stream.bytes as f64))
        .in_unit(&Unit::Bytes),
    counter("stream_repaired", "Log entries rebuilt from parity in the session", |stream| Some(stream.repaired as f64)),
    counter("stream_resent", "Log entries sent again or back-filled in the session", |stream| Some(stream.resent as f64)),
    counter("stream_midi_events", "MIDI events since the sender connected", |stream| Some(stream.midi_events as f64)),
    counter("stream_gap_frames", "Samples recorded as missing", |stream| Some(stream.gap_frames as f64)),
    counter("stream_crc_mismatches", "Blocks without the checksum that their sender stated", |stream| {
        Some(stream.crc_mismatches as f64)
    }),
];

/// Why figures cannot be offered.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {address} for Prometheus: {why}. Choose another address with --metrics, or `--metrics off`.")]
pub struct MetricsError {
    /// Where.
    address: SocketAddr,
    /// What the operating system said.
    why: String,
}

/// Answers at `address` from a thread of its own, for as long as the process lives. Returns where: port 0 takes a free one.
///
/// # Errors
/// [`MetricsError`].
pub fn serve(address: SocketAddr, remote: Remote) -> Result<SocketAddr, MetricsError> {
    let failed = |why: String| MetricsError { address, why };
    let server = Server::http(address).map_err(|error| failed(error.to_string()))?;
    let bound = server.server_addr().to_ip().unwrap_or(address);
    let mut registry = Registry::with_prefix("send_learn");
    registry.register_collector(Box::new(Figures(remote)));
    let answer_all = move || {
        for request in server.incoming_requests() {
            let answer = match (request.method(), request.url()) {
                (Method::Get, "/metrics") => page(&registry),
                (Method::Get, "/") => Response::from_string("Send Learn: figures for Prometheus are at /metrics\n"),
                _ => Response::from_string("there is nothing here but /metrics\n").with_status_code(404),
            };
            // Whoever leaves early has no need of an answer.
            if let Err(error) = request.respond(answer) {
                tracing::debug!(%error, "metrics");
            }
        }
    };
    thread::Builder::new().name("metrics".into()).spawn(answer_all).map_err(|error| failed(error.to_string()))?;
    Ok(bound)
}

fn page(registry: &Registry) -> Response<io::Cursor<Vec<u8>>> {
    let mut page = String::new();
    if let Err(error) = text::encode(&mut page, registry) {
        return Response::from_string(error.to_string()).with_status_code(500);
    }
    let answer = Response::from_string(page);
    match Header::from_bytes("Content-Type", CONTENT_TYPE) {
        Ok(header) => answer.with_header(header),
        Err(()) => answer,
    }
}

/// Reads the status when it is asked.
#[derive(Debug)]
struct Figures(Remote);

impl Collector for Figures {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let status = self.0.status();
        for figure in OF_RECEIVER {
            if let Some(value) = (figure.read)(&status) {
                figure.write(value, figure.describe(&mut encoder)?)?;
            }
        }
        for figure in OF_STREAM {
            let mut family = figure.describe(&mut encoder)?;
            for stream in &status.streams {
                let Some(value) = (figure.read)(stream) else { continue };
                let labels =
                    [("stream", &stream.stream), ("take", &stream.take), ("name", &stream.name), ("machine", &stream.machine)];
                let labels = labels.map(|(label, text)| (label, text.as_str()));
                figure.write(value, family.encode_family(&labels)?)?;
            }
        }
        Ok(())
    }
}

/// The figures as the documentation shows them, in Markdown.
pub fn documentation() -> String {
    let row = |name: String, about: &str| format!("| `{name}` | {about} |\n");
    let rows = OF_RECEIVER.iter().map(|figure| row(figure.full_name(), figure.about));
    let rows = rows.chain(OF_STREAM.iter().map(|figure| row(figure.full_name(), figure.about)));
    std::iter::once("| figure | |\n| --- | --- |\n".to_owned()).chain(rows).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_documentation_has_every_figure() {
        let docs = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/receiver.md");
        let text = std::fs::read_to_string(docs).unwrap();
        assert!(text.contains(&documentation()), "put this into docs/receiver.md:\n\n{}", documentation());
    }
}
