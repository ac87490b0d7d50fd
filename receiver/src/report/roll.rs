//! Piano rolls: the busiest part of a few takes.

use maud::{Markup, html};

use super::histogram::key_name;
use super::picture::{Frame, WIDTH, label, line, rectangle};
use super::words::{length, name_of};
use crate::quality::{Excerpt, Quality};

/// The most takes.
const ROLLS: usize = 4;

/// Where the notes stand: right of the names of the octaves.
const LEFT: f64 = 34.0;
const TOP: f64 = 4.0;
const BOTTOM: f64 = 180.0;
const HEIGHT: f64 = 206.0;

/// The fewest keys from bottom to top.
const KEYS: u8 = 24;

/// The channel of percussion in General MIDI, from 0.
const PERCUSSION: u8 = 9;

/// The takes with the most notes, each name once, and none that plays another one's notes again.
pub(super) fn rolls(takes: &[Quality]) -> Vec<Markup> {
    let mut busiest: Vec<(&Quality, &Excerpt)> = takes
        .iter()
        .filter(|take| take.repeats.is_none())
        .filter_map(|take| Some((take, take.playing.excerpt.as_ref()?)))
        .collect();
    busiest.sort_by_key(|(take, _)| std::cmp::Reverse(take.playing.measures.notes));
    let mut names: Vec<&str> = Vec::new();
    busiest.retain(|(take, _)| {
        let new = !names.contains(&&*take.name);
        names.push(&take.name);
        new
    });
    busiest.iter().take(ROLLS).enumerate().map(|(number, (take, excerpt))| draw(number, take, excerpt)).collect()
}

fn draw(number: usize, take: &Quality, excerpt: &Excerpt) -> Markup {
    let pitches = || excerpt.notes.iter().map(|(.., note)| note.pitch);
    let (lowest, highest) = (pitches().min().unwrap_or(60), pitches().max().unwrap_or(60));
    let bottom = lowest.saturating_sub(KEYS.saturating_sub(highest - lowest) / 2);
    let keys = f64::from((highest - bottom + 1).max(KEYS));
    let row = (BOTTOM - TOP) / keys;
    let y = |pitch: u8| BOTTOM - (f64::from(pitch) - f64::from(bottom) + 1.0) * row;
    let x = |seconds: f64| LEFT + seconds / excerpt.seconds * (WIDTH - LEFT);
    let drums = excerpt.notes.iter().filter(|(.., note)| note.channel == PERCUSSION).count();
    let description = format!(
        "{} notes from {} on, {} to {}{}. The louder, the stronger.",
        excerpt.notes.len(),
        length(excerpt.begin),
        key_name(lowest.into()),
        key_name(highest.into()),
        if drums > 0 { format!("; {drums} of percussion in orange") } else { String::new() }
    );
    // Octaves have their names where there is room for them.
    let octaves = (0..=10_u8).map(|octave| octave * 12).filter(|c| (bottom..=highest).contains(c));
    let every = (20.0 / (row * 12.0)).ceil().max(1.0) as usize;
    let content = html! {
        @for c in octaves.step_by(every) {
            (line(y(c) + row))
            (label(0.0, (y(c) + row - 3.0).max(14.0), &key_name(c.into())))
        }
        @for (onset, sounding, note) in &excerpt.notes {
            @let class = if note.channel == PERCUSSION { "drum" } else { "note" };
            @let loudness = ["soft", "middling", "loud"][usize::from(note.velocity.min(126)) * 3 / 127];
            @let width = (sounding / excerpt.seconds * (WIDTH - LEFT)).max(1.5);
            (rectangle(&format!("{class} {loudness}"), (x(*onset), y(note.pitch)), (width, row.max(1.5))))
        }
        (line(BOTTOM))
        (label(LEFT, BOTTOM + 20.0, &length(excerpt.begin)))
        (label(WIDTH, BOTTOM + 20.0, &length(excerpt.begin + excerpt.seconds)))
    };
    let title = format!("Piano roll: {}", name_of(take));
    Frame { id: &format!("roll-{number}"), title: &title, description: &description, height: HEIGHT }.figure(&content, None)
}
