//! Everything that is known of the selected stream, as a table.

use bevy::ecs::relationship::RelatedSpawnerCommands;
use bevy::prelude::*;
use send_learn_protocol::packet::hello::PropertyKey;
use send_learn_protocol::tap::Health;

use super::{Typeface, set, show, words};
use crate::choice::Choice;
use crate::health::verdict;
use crate::stream::Stream;
use crate::theme::{Ink, Tint};

/// A figure of the table, and what it is called.
#[derive(Component, Clone, Copy, Debug, PartialEq, Eq)]
pub enum Figure {
    /// How its line fares.
    State,
    /// Machine.
    Machine,
    /// Application.
    Host,
    /// Sample rate and channels.
    Format,
    /// Tempo, meter, bar.
    Music,
    /// What its controllers and parameters say.
    Curves,
    /// The level of its loudest channel.
    Level,
    /// Level of the live path, and bits a second.
    Quality,
    /// Loss before and after repair.
    Loss,
    /// Entries rebuilt from parity, and sent again.
    Repaired,
    /// Entries that are still missing, and what is missing for good.
    Missing,
    /// Jitter.
    Jitter,
    /// Audio that is not on disk yet.
    Disk,
    /// How long sound waits for the host's block to be whole.
    Block,
    /// Delay from the host to the receiver.
    Latency,
    /// Of that, until it was sent, and on the way.
    Stages,
    /// Delay from there to the viewer.
    Tap,
    /// Delay from there to the picture.
    Pixel,
    /// All of it.
    Whole,
}

const FIGURES: [(Figure, &str); 19] = [
    (Figure::State, "state"),
    (Figure::Machine, "machine"),
    (Figure::Host, "application"),
    (Figure::Format, "format"),
    (Figure::Music, "music"),
    (Figure::Curves, "curves"),
    (Figure::Level, "level"),
    (Figure::Quality, "quality, rate"),
    (Figure::Loss, "loss > after repair"),
    (Figure::Repaired, "rebuilt, sent again"),
    (Figure::Missing, "missing, gaps"),
    (Figure::Jitter, "jitter"),
    (Figure::Disk, "not yet on disk"),
    (Figure::Block, "host's block"),
    (Figure::Latency, "host to receiver"),
    (Figure::Stages, "  uplink, network"),
    (Figure::Tap, "receiver to viewer"),
    (Figure::Pixel, "viewer to pixel"),
    (Figure::Whole, "in all"),
];

/// The table.
#[derive(Component, Debug)]
pub struct Details;

/// The stream's name above it.
#[derive(Component, Debug)]
pub struct Title;

/// How long the viewer takes for a frame, in milliseconds: from taking events in until the driver has drawn the frame that shows them;
/// NaN as long as it is not known.
#[derive(Resource, Clone, Copy, Debug, Default, PartialEq)]
pub struct FrameTime(pub f32);

/// Brings it up.
pub fn spawn(panel: &mut RelatedSpawnerCommands<'_, ChildOf>, typeface: &Typeface) {
    let table = Node { display: Display::None, flex_direction: FlexDirection::Column, flex_shrink: 0.0, ..default() };
    panel.spawn((Details, table)).with_children(|table| {
        table.spawn((Node { margin: UiRect::bottom(px(3)), ..default() }, Title, typeface.text("", 18.0, Tint::Text)));
        for (figure, name) in FIGURES {
            table.spawn(Node { column_gap: px(8), align_items: AlignItems::Baseline, ..default() }).with_children(|row| {
                row.spawn((Node { width: px(124), flex_shrink: 0.0, ..default() }, typeface.text(name, 12.0, Tint::Dim)));
                // What is long goes on in the next line.
                let value = Node { flex_grow: 1.0, flex_basis: px(0), min_width: px(0), ..default() };
                row.spawn(value).with_children(|value| {
                    value.spawn((figure, typeface.text("", 13.0, Tint::Text))).insert(TextLayout::default());
                });
            });
        }
    });
}

/// Keeps it true.
pub fn update(
    choice: Res<'_, Choice>,
    frame: Res<'_, FrameTime>,
    streams: Query<'_, '_, &Stream>,
    mut table: Single<'_, '_, &mut Node, With<Details>>,
    mut title: Single<'_, '_, &mut Text, (With<Title>, Without<Figure>)>,
    mut figures: Query<'_, '_, (&Figure, &mut Text, &mut Ink), Without<Title>>,
) {
    let stream = streams.iter().find(|stream| choice.selected == Some(stream.identity()));
    show(&mut table, stream.is_some());
    let Some(stream) = stream else { return };
    set(&mut title, choice.name(stream));
    for (figure, mut text, mut ink) in &mut figures {
        set(&mut text, &words_of(*figure, stream, *frame));
        let severity = verdict::of(stream).severity;
        ink.set_if_neq(Ink(if *figure == Figure::State { severity.tint() } else { Tint::Text }));
    }
}

fn words_of(figure: Figure, stream: &Stream, frame: FrameTime) -> String {
    // What holds now, and what was counted.
    let (line, health) = (stream.line(), stream.health.as_ref());
    let of = |tell: &dyn Fn(&Health) -> String| health.map_or_else(words::nothing, tell);
    let now = |tell: fn(&Health) -> f64| line.map_or_else(words::nothing, |health| words::milliseconds(tell(health)));
    let rate = stream.description.sample_rate;
    match figure {
        Figure::State => verdict::of(stream).word.to_owned(),
        Figure::Machine => stream.description.property(PropertyKey::MACHINE).to_owned(),
        Figure::Host => stream.description.property(PropertyKey::HOST).to_owned(),
        Figure::Format => words::format(&stream.description),
        Figure::Music => {
            let transport = stream.transport();
            format!("{}  {}  bar {}", words::tempo(transport), words::meter(transport), words::bar(stream))
        }
        Figure::Curves => words::curves(stream),
        Figure::Level => words::level(stream),
        Figure::Quality => format!("{}, {}", words::quality(line), words::rate(line)),
        Figure::Loss => words::loss(line),
        Figure::Repaired => of(&|health| format!("{}, {}", health.repaired, health.resent)),
        Figure::Missing => of(&|health| match health.gap_frames {
            0 => format!("{}, none", health.owed),
            frames => format!("{}, {:.3} s", health.owed, frames as f64 / rate),
        }),
        Figure::Jitter => now(|health| health.jitter_ms),
        Figure::Disk => of(&|health| format!("{:.1} s", health.durable_lag)),
        Figure::Block => now(|health| health.host_ms),
        Figure::Latency => words::latency(line),
        Figure::Stages => format!("{}, {}", now(|health| health.uplink_ms), now(|health| health.network_ms)),
        Figure::Tap | Figure::Pixel if stream.ended.is_some() => words::nothing(),
        Figure::Tap => words::milliseconds(f64::from(stream.lag.tap)),
        Figure::Pixel => words::milliseconds(stream.to_pixel_ms(frame.0)),
        Figure::Whole => words::milliseconds(stream.to_see_ms(frame.0)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stream::Lag;
    use crate::stream::tests::{KEY, description};

    #[test]
    fn a_stream_of_which_little_is_known_has_dashes() {
        let mut stream = Stream::new(KEY, description("Bass"));
        for (figure, _) in FIGURES[5..16].iter().filter(|(figure, _)| *figure != Figure::Level) {
            assert!(words_of(*figure, &stream, FrameTime(16.0)).contains('–'), "{figure:?}");
        }
        stream.health = Some(Health { gap_frames: 4_800, jitter_ms: f64::NAN, ..Health::default() });
        assert_eq!(words_of(Figure::Missing, &stream, FrameTime(16.0)), "0, 0.100 s");
        assert_eq!(words_of(Figure::Jitter, &stream, FrameTime(16.0)), "–");
    }

    #[test]
    fn the_stages_of_the_delay_add_up() {
        let mut stream = Stream::new(KEY, description("Bass"));
        let stages = Health { host_ms: 10.0, latency_ms: 5.0, uplink_ms: 2.0, network_ms: 3.0, ..Health::default() };
        stream.health = Some(stages);
        stream.lag = Lag { tap: 0.5, view: 4.0 };
        let told = |stream: &Stream| FIGURES[13..].iter().map(|(figure, _)| words_of(*figure, stream, FrameTime(16.0))).collect();
        let told: Vec<String> = told(&stream);
        assert_eq!(told, ["10.0 ms", "5.0 ms", "2.0 ms, 3.0 ms", "0.5 ms", "20.0 ms", "35.5 ms"]);
    }

    #[test]
    fn of_a_stream_that_is_over_nothing_is_said_of_how_its_line_fares() {
        let mut stream = Stream::new(KEY, description("Bass"));
        stream.health = Some(Health { bits_per_second: 1e6, level: 1.0, repaired: 7, ..Health::default() });
        stream.ended = Some(1.0);
        assert_eq!(words_of(Figure::Quality, &stream, FrameTime(16.0)), "–, –");
        assert_eq!(words_of(Figure::Whole, &stream, FrameTime(16.0)), "–");
        assert_eq!(words_of(Figure::Repaired, &stream, FrameTime(16.0)), "7, 0", "what was counted stays true");
    }
}
