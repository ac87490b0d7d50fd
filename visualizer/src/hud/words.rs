//! What the figures of a stream are in words.

use bevy::color::Color;
use send_learn_protocol::packet::hello::{Description, PropertyKey};
use send_learn_protocol::record::{Transport, TransportFlags};
use send_learn_protocol::tap::Health;

use crate::source::Link;
use crate::stream::Stream;
use crate::streams::SourceState;
use crate::theme;

/// How well something is: a word, and a colour that says the same.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Verdict {
    /// The word.
    pub word: &'static str,
    /// Its colour.
    pub colour: Color,
}

/// How a stream's line fares.
pub fn verdict(stream: &Stream) -> Verdict {
    let verdict = |word, colour| Verdict { word, colour };
    if stream.ended.is_some() {
        return verdict("ended", theme::DIM);
    }
    let Some(health) = stream.health else { return verdict("live", theme::GOOD) };
    if health.gap_frames > 0 && health.owed == 0 && health.residual_loss == 0.0 && health.loss == 0.0 {
        verdict("live, with gaps", theme::WARN)
    } else if health.residual_loss > 0.01 {
        verdict("losing live audio", theme::BAD)
    } else if health.level < 0.99 {
        verdict("reduced quality", theme::WARN)
    } else if health.owed > 64 {
        verdict("catching up", theme::WARN)
    } else if health.loss > 0.001 {
        verdict("live, repairing", theme::GOOD)
    } else {
        verdict("live", theme::GOOD)
    }
}

/// The connection's state, for the header.
pub fn connection(state: &SourceState, streams: usize) -> (String, Color) {
    let address = &state.address;
    match &state.link {
        Link::Connecting => (format!("waiting for a receiver at {address}"), theme::WARN),
        Link::Down { reason } => (format!("waiting for a receiver at {address}: {reason}"), theme::WARN),
        Link::Connected if streams == 0 && !state.had_streams => {
            (format!("connected to {address}, no stream yet: put the plugin on a track"), theme::DIM)
        }
        Link::Connected if streams == 1 => (format!("connected to {address}, 1 stream"), theme::DIM),
        Link::Connected => (format!("connected to {address}, {streams} streams"), theme::DIM),
    }
}

/// Where a stream comes from: machine, host application, rate and channels.
pub fn origin(description: &Description) -> String {
    let channels = match description.channels {
        0 => "MIDI only".to_owned(),
        1 => "mono".to_owned(),
        2 => "stereo".to_owned(),
        6 => "5.1".to_owned(),
        channels => format!("{channels} channels"),
    };
    let rate = description.sample_rate / 1_000.0;
    let parts = [
        description.property(PropertyKey::MACHINE).to_owned(),
        description.property(PropertyKey::HOST).to_owned(),
        format!("{rate:.1} kHz {channels}"),
    ];
    parts.iter().filter(|part| !part.is_empty()).map(String::as_str).collect::<Vec<_>>().join("  ·  ")
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
    let known = health.filter(|health| health.latency_ms.is_finite());
    known.map_or_else(nothing, |health| format!("{:.1} ms", health.latency_ms))
}

/// Quality level of the live path.
pub fn quality(health: Option<&Health>) -> String {
    health.map_or_else(nothing, |health| format!("{:.1}", health.level))
}

/// What the recording still waits for.
pub fn owed(health: Option<&Health>) -> String {
    health.map_or_else(nothing, |health| health.owed.to_string())
}

fn nothing() -> String {
    "–".to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stream::tests::{KEY, description};

    #[test]
    fn a_stream_in_trouble_is_said_to_be() {
        let mut stream = Stream::new(KEY, description("Bass"));
        let mut word = |health: Health| {
            stream.health = Some(health);
            verdict(&stream).word
        };
        let well = Health { level: 1.0, ..Health::default() };
        assert_eq!(word(well), "live");
        assert_eq!(word(Health { loss: 0.05, ..well }), "live, repairing");
        assert_eq!(word(Health { loss: 0.2, residual_loss: 0.1, ..well }), "losing live audio");
        assert_eq!(word(Health { level: 0.7, ..well }), "reduced quality");
        assert_eq!(word(Health { owed: 500, ..well }), "catching up");
        stream.ended = Some(1.0);
        assert_eq!(verdict(&stream).word, "ended");
    }

    #[test]
    fn the_header_says_what_is_missing() {
        let mut state = SourceState { address: "studio:8080".into(), link: Link::Connecting, had_streams: false };
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
