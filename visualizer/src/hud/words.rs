//! What the figures of a stream are in words.

use send_learn_protocol::packet::hello::{Description, PropertyKey};
use send_learn_protocol::record::{Transport, TransportFlags};
use send_learn_protocol::tap::Health;

use crate::source::Link;
use crate::stream::Stream;
use crate::streams::SourceState;
use crate::theme::Tint;

/// The connection's state, for the header.
pub fn connection(state: &SourceState, streams: usize) -> (String, Tint) {
    let address = &state.address;
    match &state.link {
        _ if state.is_replay && streams == 0 && !state.had_streams => (format!("reading {address}"), Tint::Dim),
        _ if state.is_replay => (format!("recording {address}"), Tint::Dim),
        Link::Connecting => (format!("waiting for a receiver at {address}"), Tint::Warn),
        Link::Down { reason } => (format!("waiting for a receiver at {address}: {reason}"), Tint::Warn),
        Link::Connected if streams == 0 && !state.had_streams => {
            (format!("connected to {address}, no stream yet: put the plugin on a track"), Tint::Dim)
        }
        Link::Connected if streams == 1 => (format!("connected to {address}, 1 stream"), Tint::Dim),
        Link::Connected => (format!("connected to {address}, {streams} streams"), Tint::Dim),
    }
}

/// Where a stream comes from: machine, host application, rate and channels.
pub fn origin(description: &Description) -> String {
    let parts = [
        description.property(PropertyKey::MACHINE).to_owned(),
        description.property(PropertyKey::HOST).to_owned(),
        format(description),
    ];
    parts.iter().filter(|part| !part.is_empty()).map(String::as_str).collect::<Vec<_>>().join("  ·  ")
}

/// Sample rate and channels.
pub fn format(description: &Description) -> String {
    let channels = match description.channels {
        0 => "MIDI only".to_owned(),
        1 => "mono".to_owned(),
        2 => "stereo".to_owned(),
        6 => "5.1".to_owned(),
        channels => format!("{channels} channels"),
    };
    let rate = description.sample_rate / 1_000.0;
    format!("{rate:.1} kHz {channels}")
}

/// Tempo in quarters per minute.
pub fn tempo(transport: Option<&Transport>) -> String {
    let given = transport.filter(|transport| transport.flags.has(TransportFlags::TEMPO));
    given.map_or_else(nothing, |transport| format!("{:.1}", transport.tempo))
}

/// Time signature.
pub fn meter(transport: Option<&Transport>) -> String {
    let given = transport.filter(|transport| transport.flags.has(TransportFlags::METER));
    given.map_or_else(nothing, |transport| format!("{}/{}", transport.meter.0, transport.meter.1))
}

/// Bar and beat.
pub fn bar(stream: &Stream) -> String {
    stream.bar_and_beat().map_or_else(nothing, |(bar, beat)| format!("{bar}.{beat}"))
}

/// Payload received, in kbit or Mbit a second.
pub fn rate(health: Option<&Health>) -> String {
    let Some(health) = health else { return nothing() };
    match health.bits_per_second / 1_000.0 {
        kilobits if kilobits >= 1_000.0 => format!("{:.2} Mbit/s", kilobits / 1_000.0),
        kilobits => format!("{kilobits:.0} kbit/s"),
    }
}

/// Loss before and after repair.
pub fn loss(health: Option<&Health>) -> String {
    let percent = |share: f64| format!("{:.1} %", share * 100.0);
    health.map_or_else(nothing, |health| format!("{} > {}", percent(health.loss), percent(health.residual_loss)))
}

/// Delay from host to receiver.
pub fn latency(health: Option<&Health>) -> String {
    health.map_or_else(nothing, |health| milliseconds(health.latency_ms))
}

/// Milliseconds; a dash where they are not known.
pub fn milliseconds(milliseconds: f64) -> String {
    if milliseconds.is_finite() { format!("{milliseconds:.1} ms") } else { nothing() }
}

/// Quality level of the live path.
pub fn quality(health: Option<&Health>) -> String {
    health.map_or_else(nothing, |health| format!("{:.1}", health.level))
}

/// What the recording still waits for.
pub fn owed(health: Option<&Health>) -> String {
    health.map_or_else(nothing, |health| health.owed.to_string())
}

pub(super) fn nothing() -> String {
    "–".to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_header_says_what_is_missing() {
        let mut state = SourceState::new("studio:8080");
        assert_eq!(connection(&state, 0).0, "waiting for a receiver at studio:8080");
        state.link = Link::Connected;
        assert_eq!(connection(&state, 0).0, "connected to studio:8080, no stream yet: put the plugin on a track");
        assert_eq!(connection(&state, 1).0, "connected to studio:8080, 1 stream");
    }

    #[test]
    fn figures_that_are_not_known_are_not_made_up() {
        assert_eq!(latency(Some(&Health { latency_ms: f64::NAN, ..Health::default() })), nothing());
        assert_eq!(tempo(None), nothing());
        assert_eq!(rate(Some(&Health { bits_per_second: 1_234_567.0, ..Health::default() })), "1.23 Mbit/s");
        assert_eq!(loss(Some(&Health { loss: 0.051, ..Health::default() })), "5.1 % > 0.0 %");
    }
}
