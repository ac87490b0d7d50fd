//! What the figures of a stream are in words.

use send_learn_protocol::packet::hello::{Description, PropertyKey};
use send_learn_protocol::record::{Transport, TransportFlags};
use send_learn_protocol::tap::Health;

use crate::curves::Control;
use crate::meter::{self, Meter};
use crate::source::Link;
use crate::stream::Stream;
use crate::streams::{ReceiverState, SourceState};
use crate::theme::Tint;

/// The most receivers that the header names.
const MAX_NAMED: usize = 4;

/// How many streams of a receiver are in the picture.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Count {
    /// Those that run.
    pub live: usize,
    /// Those that are over, and whose last picture stays for a while.
    pub ended: usize,
}

/// The connections' state, for the header. `streams` counts those of a receiver.
pub fn connection(state: &SourceState, streams: impl Fn(u32) -> Count) -> (String, Tint) {
    if let Some(name) = &state.replay {
        let verb = if state.had_streams { "recording" } else { "reading" };
        return (format!("{verb} {name}"), Tint::Dim);
    }
    let is_told = |receiver: &ReceiverState| !receiver.is_last_resort || receiver.link == Link::Connected;
    let mut told: Vec<_> = state.receivers.iter().filter(|(_, receiver)| is_told(receiver)).collect();
    if told.is_empty() {
        told.extend(state.receivers.iter().next());
    }
    let tint = |warns: bool| if warns { Tint::Warn } else { Tint::Dim };
    match told[..] {
        [] => ("looking for receivers in this network".to_owned(), Tint::Warn),
        [(number, receiver)] => (alone(receiver, streams(*number), state.had_streams), tint(receiver.link != Link::Connected)),
        _ => {
            // Those that are missing come first: they must be seen.
            told.sort_by_key(|(_, receiver)| receiver.link == Link::Connected);
            let named = told.iter().take(MAX_NAMED).map(|(number, receiver)| among_others(receiver, streams(**number)));
            let more = told.len().saturating_sub(MAX_NAMED);
            let more = (more > 0).then(|| format!("and {more} more receivers"));
            let words = named.chain(more).collect::<Vec<_>>().join("  ·  ");
            (words, tint(told[0].1.link != Link::Connected))
        }
    }
}

fn alone(receiver: &ReceiverState, streams: Count, had_streams: bool) -> String {
    let name = &receiver.name;
    match &receiver.link {
        Link::Connecting | Link::Gone => format!("waiting for a receiver at {name}"),
        Link::Down { reason } => format!("waiting for a receiver at {name}: {reason}"),
        Link::Connected if streams == Count::default() && !had_streams => {
            format!("connected to {name}, no stream yet: put the plugin on a track")
        }
        Link::Connected => format!("connected to {name}, {}", count(streams)),
    }
}

fn among_others(receiver: &ReceiverState, streams: Count) -> String {
    let name = &receiver.name;
    match &receiver.link {
        Link::Connecting | Link::Gone => format!("{name}: waiting"),
        Link::Down { reason } => format!("{name}: waiting, {reason}"),
        Link::Connected => format!("{name}: {}", count(streams)),
    }
}

fn count(streams: Count) -> String {
    match streams {
        Count { live: 0, ended: 0 } => "no stream".to_owned(),
        Count { live: 1, ended: 0 } => "1 stream".to_owned(),
        Count { live, ended: 0 } => format!("{live} streams"),
        Count { live: 0, ended } => format!("none live, {ended} ended"),
        Count { live, ended } => format!("{live} live, {ended} ended"),
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

/// Each curve and its value where the picture stands.
pub fn curves(stream: &Stream) -> String {
    let (curves, at) = (&stream.curves, stream.shown());
    let told = curves.iter().filter_map(|curve| {
        let value = curve.at(at, curves.grain())?;
        Some(match curve.control {
            Control::Bend(channel) => format!("{} {:+.2}", curves.name(curve.control), curves.bend(channel, at)),
            control => format!("{} {:.0} %", curves.name(control), value * 100.0),
        })
    });
    let words = told.collect::<Vec<_>>().join(", ");
    if words.is_empty() { nothing() } else { words }
}

/// Payload received, in kbit or Mbit a second.
pub fn rate(health: Option<&Health>) -> String {
    let Some(health) = health else { return nothing() };
    match health.bits_per_second / 1_000.0 {
        kilobits if kilobits >= 1_000.0 => format!("{:.2} Mbit/s", kilobits / 1_000.0),
        kilobits => format!("{kilobits:.0} kbit/s"),
    }
}

/// The level of the loudest channel.
pub fn level(stream: &Stream) -> String {
    let levels = stream.meters.iter().map(Meter::level_db);
    match levels.reduce(f32::max) {
        None => nothing(),
        Some(level) if level <= meter::EMPTY_DB => "silent".to_owned(),
        Some(level) => format!("{level:.0} dB"),
    }
}

/// Level, rate and loss in a line.
pub fn brief(stream: &Stream) -> String {
    let health = stream.line();
    format!("{}  ·  {}  ·  loss {}", level(stream), rate(health), loss(health))
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
        let mut state = SourceState::default();
        assert_eq!(connection(&state, |_| Count::default()).0, "looking for receivers in this network");
        state.receivers.insert(1, receiver("studio:8080", Link::Connecting));
        assert_eq!(connection(&state, |_| Count::default()).0, "waiting for a receiver at studio:8080");
        state.receivers.insert(1, receiver("studio:8080", Link::Connected));
        assert_eq!(
            connection(&state, |_| Count::default()).0,
            "connected to studio:8080, no stream yet: put the plugin on a track"
        );
        assert_eq!(connection(&state, |_| live(1)).0, "connected to studio:8080, 1 stream");
    }

    fn live(live: usize) -> Count {
        Count { live, ended: 0 }
    }

    #[test]
    fn the_header_counts_what_is_over_and_still_in_the_picture_apart() {
        let mut state = SourceState { had_streams: true, ..SourceState::default() };
        state.receivers.insert(1, receiver("attic", Link::Connected));
        assert_eq!(connection(&state, |_| Count { live: 1, ended: 1 }).0, "connected to attic, 1 live, 1 ended");
        assert_eq!(connection(&state, |_| Count { live: 0, ended: 2 }).0, "connected to attic, none live, 2 ended");
        assert_eq!(connection(&state, |_| Count::default()).0, "connected to attic, no stream");
    }

    fn receiver(name: &str, link: Link) -> ReceiverState {
        ReceiverState { name: name.into(), is_last_resort: false, link }
    }

    #[test]
    fn of_several_receivers_each_is_told_and_those_that_are_missing_first() {
        let mut state = SourceState::default();
        let down = Link::Down { reason: "no answer".into() };
        state.receivers.insert(0, ReceiverState { is_last_resort: true, ..receiver("127.0.0.1:8080", down.clone()) });
        assert_eq!(connection(&state, |_| Count::default()).0, "waiting for a receiver at 127.0.0.1:8080: no answer");
        state.receivers.insert(1, receiver("attic", Link::Connected));
        assert_eq!(
            connection(&state, |_| live(2)),
            ("connected to attic, 2 streams".to_owned(), Tint::Dim),
            "that one was a guess"
        );
        state.receivers.insert(2, receiver("studio", down));
        let told = connection(&state, |number| live(number as usize));
        assert_eq!(told, ("studio: waiting, no answer  ·  attic: 1 stream".to_owned(), Tint::Warn));
        (3..9).for_each(|number| drop(state.receivers.insert(number, receiver("room", Link::Connected))));
        assert!(connection(&state, |_| Count::default()).0.ends_with("room: no stream  ·  and 4 more receivers"));
    }

    #[test]
    fn figures_that_are_not_known_are_not_made_up() {
        assert_eq!(latency(Some(&Health { latency_ms: f64::NAN, ..Health::default() })), nothing());
        assert_eq!(tempo(None), nothing());
        assert_eq!(rate(Some(&Health { bits_per_second: 1_234_567.0, ..Health::default() })), "1.23 Mbit/s");
        assert_eq!(loss(Some(&Health { loss: 0.051, ..Health::default() })), "5.1 % > 0.0 %");
    }
}
