//! The card of a stream: who plays, what, and how its line fares. It stands below the front of the stream's terrain, and
//! shows less where there is less room.

use std::ops::Range;

use bevy::prelude::*;

use super::{Typeface, set, show, words};
use crate::choice::Choice;
use crate::health::verdict::{self, Severity};
use crate::layout::{SKIRT, TILE};
use crate::meter::{Meter, bar};
use crate::stream::Stream;
use crate::theme::{Fill, Ink, Tint};

/// The width from which on a card has a row of figures, and room for large letters, in pixels.
pub(crate) const ROOMY: f32 = 450.0;
/// The width from which on a narrower one says the most important figures in a line.
pub(crate) const TERSE: f32 = 250.0;
/// The width from which on a card says how the line fares.
const VERDICT: f32 = 160.0;
/// The width from which on a card says the tempo.
const TEMPO: f32 = 480.0;
/// The width from which on a card says where the stream comes from.
const ORIGIN: f32 = 520.0;
/// The width from which on a card has all figures.
const WIDE: f32 = 840.0;
/// No card is cut narrower than this.
const NARROWEST: f32 = 48.0;
/// Sizes of name and verdict on a roomy card, on a narrower one, and on one that has room for no more than the name, in pixels.
const SIZES: [(Field, [f32; 3]); 2] = [(Field::Name, [26.0, 15.0, 13.0]), (Field::Verdict, [16.0, 12.0, 12.0])];
/// The width of a meter's bar, in pixels.
const METER_WIDTH: f32 = 200.0;

/// The card of a stream.
#[derive(Component, Debug)]
pub struct Card {
    stream: Entity,
}

/// A text of a card.
#[derive(Component, Debug, Clone, Copy, PartialEq, Eq)]
pub enum Field {
    /// The stream's name.
    Name,
    /// How its line fares, in a word.
    Verdict,
    /// Where it comes from.
    Origin,
    /// Level, rate and loss in a line.
    Brief,
    /// Tempo.
    Tempo,
    /// Time signature.
    Meter,
    /// Bar and beat.
    Bar,
    /// Quality level.
    Quality,
    /// Bits a second.
    Rate,
    /// Loss before and after repair.
    Loss,
    /// Delay.
    Latency,
    /// What the recording waits for.
    Owed,
}

/// What a field is called on a card, and the width from which on a card has it, in pixels.
const FIGURES: [(&str, Field, f32); 8] = [
    ("tempo", Field::Tempo, TEMPO),
    ("meter", Field::Meter, WIDE),
    ("bar", Field::Bar, WIDE),
    ("quality", Field::Quality, WIDE),
    ("rate", Field::Rate, ROOMY),
    ("loss > after repair", Field::Loss, ROOMY),
    ("latency", Field::Latency, WIDE),
    ("owed", Field::Owed, WIDE),
];

/// The stream that a text or bar of a card tells of.
#[derive(Component, Debug, Clone, Copy)]
pub struct Of(Entity);

/// The widths of a card at which a part of it is shown, in pixels.
#[derive(Component, Debug, Clone)]
pub struct Widths(Range<f32>);

impl Widths {
    fn from(least: f32) -> Self {
        Self(least..f32::INFINITY)
    }
}

/// A bar of a meter: which channel, and whether it is the level or the peak.
#[derive(Component, Debug, Clone, Copy)]
pub struct Bar {
    channel: usize,
    peak: bool,
}

/// Gives each new stream its card.
pub fn deal(mut commands: Commands<'_, '_>, streams: Query<'_, '_, (Entity, &Stream), Added<Stream>>, typeface: Res<'_, Typeface>) {
    for (stream, state) in &streams {
        let of = Of(stream);
        let card = Node { position_type: PositionType::Absolute, flex_direction: FlexDirection::Column, ..default() };
        commands.spawn((Card { stream }, card)).with_children(|card| {
            let top = Node { align_items: AlignItems::Baseline, column_gap: px(14), overflow: Overflow::clip_x(), ..default() };
            card.spawn(top).with_children(|top| {
                top.spawn((Field::Name, of, typeface.text("", 26.0, Tint::Text)));
                top.spawn((Node::default(), Widths::from(VERDICT), of)).with_children(|verdict| {
                    verdict.spawn((Field::Verdict, of, typeface.text("", 16.0, Tint::Good)));
                });
                top.spawn((Node::default(), Widths::from(ORIGIN), of)).with_children(|origin| {
                    origin.spawn((Field::Origin, of, typeface.text("", 14.0, Tint::Dim)));
                });
            });
            card.spawn((Node::default(), Widths(TERSE..ROOMY), of)).with_children(|line| {
                line.spawn((Field::Brief, of, typeface.text("", 13.0, Tint::Text)));
            });
            let bottom = Node { align_items: AlignItems::Center, column_gap: px(22), ..default() };
            card.spawn((bottom, Widths::from(ROOMY), of)).with_children(|row| {
                meters(row, of, state.meters.len(), &typeface);
                for (label, field, least) in FIGURES {
                    let figure = Node { flex_direction: FlexDirection::Column, row_gap: px(1), ..default() };
                    row.spawn((figure, Widths::from(least), of)).with_children(|figure| {
                        figure.spawn(typeface.text(label, 12.0, Tint::Dim));
                        figure.spawn((field, of, typeface.text("", 17.0, Tint::Text)));
                    });
                }
            });
        });
    }
}

fn meters(row: &mut ChildSpawnerCommands<'_>, of: Of, channels: usize, typeface: &Typeface) {
    if channels == 0 {
        return;
    }
    let column =
        Node { flex_direction: FlexDirection::Column, row_gap: px(3), width: px(METER_WIDTH), flex_shrink: 0.0, ..default() };
    let height = (14.0 / channels as f32).clamp(2.0, 6.0);
    row.spawn(column).with_children(|column| {
        for channel in 0..channels {
            let track = Node { width: px(METER_WIDTH), height: px(height), border_radius: BorderRadius::all(px(1)), ..default() };
            column.spawn((track, Fill(Tint::Line))).with_children(|track| {
                let level = Node { height: percent(100), width: px(0), border_radius: BorderRadius::all(px(1)), ..default() };
                track.spawn((Bar { channel, peak: false }, of, level, Fill(Tint::Good)));
                let peak = Node { position_type: PositionType::Absolute, height: percent(100), width: px(2), ..default() };
                track.spawn((Bar { channel, peak: true }, of, peak, Fill(Tint::Text)));
            });
        }
        let scale = Node { width: px(METER_WIDTH), justify_content: JustifyContent::SpaceBetween, ..default() };
        column.spawn(scale).with_children(|scale| {
            for mark in ["-60", "-40", "-20", "0 dB"] {
                scale.spawn(typeface.text(mark, 11.0, Tint::Dim));
            }
        });
    });
}

/// Takes away the cards of streams that are gone.
pub fn discard(mut commands: Commands<'_, '_>, cards: Query<'_, '_, (Entity, &Card)>, streams: Query<'_, '_, (), With<Stream>>) {
    for (entity, card) in &cards {
        if !streams.contains(card.stream) {
            commands.entity(entity).despawn();
        }
    }
}

/// Where the lower corners of the front of a terrain at `place` are in the picture, left and right; `None`: behind the camera.
pub(crate) fn front(camera: &Camera, view: &Transform, place: Vec3) -> Option<(Vec2, Vec2)> {
    let corner = |x: f32| camera.world_to_viewport(&GlobalTransform::from(*view), place + Vec3::new(x, -SKIRT, 0.0)).ok();
    corner(0.0).zip(corner(TILE.x))
}

/// Keeps each card below the front of its terrain, and leaves out what there is no room for.
pub fn place(
    camera: Single<'_, '_, (&Camera, &Transform)>,
    streams: Query<'_, '_, (&Transform, &Visibility), With<Stream>>,
    mut cards: Query<'_, '_, (&Card, &mut Node), Without<Widths>>,
    mut parts: Query<'_, '_, (&Widths, &Of, &mut Node), Without<Card>>,
    mut fonts: Query<'_, '_, (&Field, &Of, &mut TextFont)>,
) {
    let (camera, view) = *camera;
    for (card, mut node) in &mut cards {
        let Ok((stream, visibility)) = streams.get(card.stream) else { continue };
        let front = front(camera, view, stream.translation).filter(|_| *visibility != Visibility::Hidden);
        show(&mut node, front.is_some());
        let Some((left, right)) = front else { continue };
        let width = (right.x - left.x).max(0.0);
        let roomy = width >= ROOMY;
        let tier = [ROOMY, VERDICT].iter().filter(|least| width < **least).count();
        let (x, y) = (px(left.x.round()), px((left.y.max(right.y) + if width >= TERSE { 12.0 } else { 7.0 }).round()));
        let (most, gap) = (px(width.max(NARROWEST).round()), px(if roomy { 9.0 } else { 1.0 }));
        if (node.left, node.top, node.max_width, node.row_gap) != (x, y, most, gap) {
            (node.left, node.top, node.max_width, node.row_gap) = (x, y, most, gap);
        }
        for (widths, _, mut node) in parts.iter_mut().filter(|(_, of, _)| of.0 == card.stream) {
            show(&mut node, widths.0.contains(&width));
        }
        for (field, _, mut font) in fonts.iter_mut().filter(|(_, of, _)| of.0 == card.stream) {
            let size = SIZES.iter().find(|(other, _)| other == field).map(|(_, sizes)| sizes[tier]);
            if let Some(size) = size.map(FontSize::Px).filter(|size| font.font_size != *size) {
                font.font_size = size;
            }
        }
    }
}

/// Keeps texts true.
pub fn tell(
    choice: Res<'_, Choice>,
    streams: Query<'_, '_, &Stream>,
    mut fields: Query<'_, '_, (&Field, &Of, &mut Text, &mut Ink)>,
) {
    for (field, of, mut text, mut ink) in &mut fields {
        let Ok(stream) = streams.get(of.0) else { continue };
        let (transport, line) = (stream.transport(), stream.line());
        let new = match field {
            Field::Name => {
                ink.set_if_neq(Ink(if stream.ended.is_some() { Tint::Dim } else { Tint::Text }));
                choice.name(stream).to_owned()
            }
            Field::Verdict => {
                let verdict = verdict::of(stream);
                ink.set_if_neq(Ink(verdict.severity.tint()));
                // Where it is worth a look, a sign says it.
                if verdict.severity >= Severity::Look { String::new() } else { verdict.word.to_owned() }
            }
            Field::Origin => words::origin(&stream.description),
            Field::Brief => words::brief(stream),
            Field::Tempo => words::tempo(transport),
            Field::Meter => words::meter(transport),
            Field::Bar => words::bar(stream),
            Field::Quality => words::quality(line),
            Field::Rate => words::rate(line),
            Field::Loss => words::loss(line),
            Field::Latency => words::latency(line),
            Field::Owed => words::owed(stream.health.as_ref()),
        };
        set(&mut text, &new);
    }
}

/// Moves the meters' bars.
pub fn measure(streams: Query<'_, '_, &Stream>, mut bars: Query<'_, '_, (&Bar, &Of, &mut Node, &mut Fill)>) {
    for (shown, of, mut node, mut fill) in &mut bars {
        let Some(meter) = streams.get(of.0).ok().and_then(|stream| stream.meters.get(shown.channel)) else { continue };
        if shown.peak {
            let left = px((bar(meter.peak_db()) * (METER_WIDTH - 2.0)).round());
            if node.left != left {
                node.left = left;
            }
        } else {
            let width = px((bar(meter.level_db()) * METER_WIDTH).round());
            if node.width != width {
                node.width = width;
            }
        }
        fill.set_if_neq(Fill(bar_tint(meter, shown.peak)));
    }
}

fn bar_tint(meter: &Meter, peak: bool) -> Tint {
    match (meter.clips(), peak) {
        (true, _) => Tint::Bad,
        (false, true) => Tint::Text,
        (false, false) if meter.level_db() > -6.0 => Tint::Warn,
        (false, false) => Tint::Good,
    }
}
