//! The time line at the bottom: which moment is shown, of all that can be; and the range that a person has marked on it.

use bevy::prelude::*;
use bevy::window::PrimaryWindow;

use super::{Typeface, set, show};
use crate::deck::Deck;
use crate::history;
use crate::moment::Moment;
use crate::theme::{Fill, Ink, Tint};

/// How close to the bottom it is, and how high the part that takes the mouse, in pixels.
const BOTTOM: f32 = 16.0;
const HEIGHT: f32 = 22.0;
/// What it takes of the height for itself, in pixels.
pub const TAKES: f32 = 30.0;
/// How often a mouse that is dragged moves a replay, in seconds: each move reads from the disk.
const DRAG_EVERY: f32 = 0.12;

/// The range that a person has marked, in seconds on the time line.
#[derive(Resource, Clone, Copy, Debug, Default, PartialEq)]
pub struct Marked {
    /// Its begin.
    pub from: Option<f64>,
    /// Its end.
    pub to: Option<f64>,
}

impl Marked {
    /// Begin and end, when both are known and in order.
    pub fn range(&self) -> Option<(f64, f64)> {
        self.from.zip(self.to).filter(|(from, to)| to > from)
    }
}

/// What the time line spans, in its own seconds: of a replay from its begin, of a live view of its picture's time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Span {
    /// Its left end.
    pub from: f64,
    /// Its right end.
    pub to: f64,
    /// The moment shown.
    pub at: f64,
}

impl Span {
    /// Of a replay, or of a live view.
    pub fn of(moment: &Moment, deck: Option<&Deck>) -> Self {
        match deck {
            Some(deck) => Self { from: 0.0, to: deck.length().max(0.001), at: deck.at() },
            None => Self { from: moment.now() - history::SECONDS, to: moment.now(), at: moment.now() - moment.behind() },
        }
    }

    /// Where `seconds` stands, 0 left to 1 right.
    fn unit(&self, seconds: f64) -> f32 {
        ((seconds - self.from) / (self.to - self.from)).clamp(0.0, 1.0) as f32
    }
}

/// The whole.
#[derive(Component, Debug)]
pub struct Timeline;

/// The part that takes the mouse.
#[derive(Component, Debug)]
pub struct Track;

/// Parts that move.
#[derive(Component, Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// What is before the moment shown.
    Past,
    /// The moment shown.
    Knob,
    /// The marked range.
    Range,
}

/// Texts at its ends.
#[derive(Component, Debug, Clone, Copy, PartialEq, Eq)]
pub enum Label {
    /// Which moment.
    Now,
    /// How time goes on.
    Mode,
}

/// Brings it up.
pub fn spawn(commands: &mut Commands<'_, '_>, typeface: &Typeface) {
    let whole = Node {
        position_type: PositionType::Absolute,
        left: px(24),
        right: px(24),
        bottom: px(BOTTOM),
        height: px(HEIGHT),
        align_items: AlignItems::Center,
        column_gap: px(16),
        ..default()
    };
    commands.spawn((Timeline, whole)).with_children(|whole| {
        whole.spawn((Node { min_width: px(86), ..default() }, Label::Now, typeface.text("", 14.0, Tint::Text)));
        let track = Node { flex_grow: 1.0, height: percent(100), align_items: AlignItems::Center, ..default() };
        whole.spawn((Track, track)).with_children(|track| {
            let part = |width, height| Node {
                position_type: PositionType::Absolute,
                width,
                height,
                border_radius: BorderRadius::all(px(2)),
                ..default()
            };
            track.spawn((part(percent(100), px(3)), Fill(Tint::Line)));
            track.spawn((part(px(0), px(3)), Part::Past, Fill(Tint::Dim)));
            track.spawn((part(px(0), px(14)), Part::Range, Fill(Tint::Chosen)));
            track.spawn((part(px(3), px(15)), Part::Knob, Fill(Tint::Text)));
        });
        whole.spawn((Node { min_width: px(110), ..default() }, Label::Mode, typeface.text("", 14.0, Tint::Dim)));
    });
}

/// Keeps it true. A live view that follows, with nothing marked, has none.
pub fn update(
    moment: Res<'_, Moment>,
    deck: Option<Res<'_, Deck>>,
    marked: Res<'_, Marked>,
    mut whole: Single<'_, '_, &mut Node, (With<Timeline>, Without<Part>)>,
    mut parts: Query<'_, '_, (&Part, &mut Node), Without<Timeline>>,
    mut labels: Query<'_, '_, (&Label, &mut Text, &mut Ink)>,
) {
    let span = Span::of(&moment, deck.as_deref());
    show(&mut whole, deck.is_some() || !moment.is_live() || marked.from.is_some());
    for (part, mut node) in &mut parts {
        let (left, width) = match part {
            Part::Past => (percent(0), percent(100.0 * span.unit(span.at))),
            Part::Knob => (percent(100.0 * span.unit(span.at)), px(3)),
            Part::Range => {
                let from = marked.from.map_or(0.0, |from| span.unit(from));
                let to = marked.to.or(marked.from.map(|_| span.at)).map_or(0.0, |to| span.unit(to));
                (percent(100.0 * from), percent(100.0 * (to - from).max(0.0)))
            }
        };
        if (node.left, node.width) != (left, width) {
            (node.left, node.width) = (left, width);
        }
    }
    for (label, mut text, mut ink) in &mut labels {
        let (words, tint) = match label {
            Label::Now => (at(&span, deck.is_some()), Tint::Text),
            Label::Mode => mode(&moment, deck.as_deref()),
        };
        set(&mut text, &words);
        ink.set_if_neq(Ink(tint));
    }
}

fn at(span: &Span, replay: bool) -> String {
    if replay { format!("{} / {}", clock(span.at), clock(span.to)) } else { format!("-{:.1} s", span.to - span.at) }
}

/// Minutes and seconds.
pub fn clock(seconds: f64) -> String {
    let tenths = (seconds * 10.0).round() as u64;
    format!("{}:{:02}.{}", tenths / 600, tenths / 10 % 60, tenths % 10)
}

fn mode(moment: &Moment, deck: Option<&Deck>) -> (String, Tint) {
    match deck {
        Some(deck) => {
            let state = if deck.stands() { "paused" } else { "replay" };
            let speed = if deck.speed() == 1.0 { String::new() } else { format!(" x{}", deck.speed()) };
            let repeat = if deck.repeats() { ", repeating" } else { "" };
            (format!("{state}{speed}{repeat}"), if deck.stands() { Tint::Warn } else { Tint::Dim })
        }
        None if moment.is_live() => ("live".into(), Tint::Good),
        None if moment.stands() => ("paused  ·  L: live".into(), Tint::Warn),
        None => ("later than live  ·  L: live".into(), Tint::Warn),
    }
}

/// `B` and `N` mark begin and end of a range at the moment shown, Backspace takes the marks away.
pub fn mark(
    keys: Res<'_, ButtonInput<KeyCode>>,
    moment: Res<'_, Moment>,
    deck: Option<Res<'_, Deck>>,
    mut marked: ResMut<'_, Marked>,
) {
    let at = Span::of(&moment, deck.as_deref()).at;
    if keys.just_pressed(KeyCode::KeyB) {
        marked.from = Some(at);
        marked.to = marked.to.filter(|to| *to > at);
    }
    if keys.just_pressed(KeyCode::KeyN) {
        marked.to = Some(at);
        marked.from = marked.from.filter(|from| *from < at);
    }
    if keys.just_pressed(KeyCode::Backspace) {
        *marked = Marked::default();
    }
}

/// Whether the mouse drags the time line: then it does not turn the picture.
#[derive(Resource, Debug, Default, Clone, Copy, PartialEq)]
pub struct Drag {
    /// The time line has the mouse.
    pub active: bool,
    since: f32,
}

/// The left button moves time; with Shift it marks a range.
pub fn drag(
    window: Option<Single<'_, '_, &Window, With<PrimaryWindow>>>,
    (buttons, keys): (Res<'_, ButtonInput<MouseButton>>, Res<'_, ButtonInput<KeyCode>>),
    time: Res<'_, Time<Real>>,
    track: Single<'_, '_, (&ComputedNode, &UiGlobalTransform), With<Track>>,
    (mut drag, mut marked): (ResMut<'_, Drag>, ResMut<'_, Marked>),
    mut moment: ResMut<'_, Moment>,
    mut deck: Option<ResMut<'_, Deck>>,
) {
    let (node, transform) = *track;
    let unit = window.and_then(|window| {
        let cursor = window.physical_cursor_position()?;
        Some((node.contains_point(*transform, cursor), node.normalize_point(*transform, cursor)?.x + 0.5))
    });
    if !buttons.pressed(MouseButton::Left) {
        drag.set_if_neq(Drag::default());
        return;
    }
    let Some((inside, unit)) = unit else { return };
    let begins = buttons.just_pressed(MouseButton::Left) && inside;
    if !drag.active && !begins {
        return;
    }
    drag.active = true;
    drag.since += time.delta_secs();
    let span = Span::of(&moment, deck.as_deref());
    let at = span.from + f64::from(unit.clamp(0.0, 1.0)) * (span.to - span.from);
    if keys.any_pressed([KeyCode::ShiftLeft, KeyCode::ShiftRight]) {
        if begins {
            *marked = Marked { from: Some(at), to: None };
        } else {
            marked.to = Some(at);
        }
        return;
    }
    match &mut deck {
        Some(deck) if begins || drag.since > DRAG_EVERY => {
            drag.since = 0.0;
            deck.seek(at);
        }
        Some(_) => {}
        None => moment.hold(span.to - at),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_told_in_minutes_and_seconds() {
        assert_eq!((clock(0.0), clock(59.96), clock(754.32)), ("0:00.0".into(), "1:00.0".into(), "12:34.3".into()));
    }

    #[test]
    fn a_range_has_a_begin_before_its_end() {
        assert_eq!(Marked { from: Some(1.0), to: Some(2.0) }.range(), Some((1.0, 2.0)));
        assert_eq!(Marked { from: Some(2.0), to: Some(1.0) }.range(), None);
        assert_eq!(Marked { from: Some(2.0), to: None }.range(), None);
    }

    #[test]
    fn what_is_shown_stands_where_it_is_on_the_line() {
        let mut moment = Moment::default();
        moment.advance(200.0, 1.0);
        moment.hold(30.0);
        let span = Span::of(&moment, None);
        assert_eq!(span, Span { from: 80.0, to: 200.0, at: 170.0 });
        assert_eq!(span.unit(span.at), 0.75);
    }
}
