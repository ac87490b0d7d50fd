//! Where samples are missing: a strip for each of the takes that miss most.

use maud::{Markup, html};

use super::picture::{Frame, WIDTH, rectangle};
use super::words::{length, name_of};
use crate::quality::{Quality, percent};

/// The most takes, and the most gaps of a take in words.
const STRIPS: usize = 8;
const WORDS: usize = 3;

/// The takes with the most missing; none where nothing is.
pub(super) fn strips(takes: &[Quality]) -> Option<Markup> {
    let mut missing: Vec<&Quality> = takes.iter().filter(|take| take.delivery.missing > 0.0).collect();
    missing.sort_by(|one, two| {
        (two.delivery.lost(), two.delivery.missing)
            .partial_cmp(&(one.delivery.lost(), one.delivery.missing))
            .unwrap_or(std::cmp::Ordering::Equal)
    });
    let strip = |(number, take): (usize, &&Quality)| {
        let description = format!("{} of {} is missing.", percent(take.delivery.missing), length(take.seconds));
        let title = format!("Gaps in {}", name_of(take));
        let frame = Frame { id: &format!("gaps-{number}"), title: &title, description: &description, height: 20.0 };
        let bars = html! {
            (rectangle("held", (0.0, 0.0), (WIDTH, 20.0)))
            @for gap in &take.delivery.worst_gaps {
                @let width = (gap.seconds / take.seconds * WIDTH).max(2.0);
                (rectangle("gap", ((gap.at / take.seconds * WIDTH).min(WIDTH - 2.0), 0.0), (width, 20.0)))
            }
        };
        html! {
            li {
                p { strong { (name_of(take)) } ": " (description) }
                (frame.svg(&bars))
                ul { @for gap in take.delivery.worst_gaps.iter().take(WORDS) {
                    li { (length(gap.seconds)) " at " (length(gap.at)) ": " (gap.reason.words()) }
                } }
            }
        }
    };
    let list = html! { ul.strips { @for numbered in missing.iter().take(STRIPS).enumerate() { (strip(numbered)) } } };
    (!missing.is_empty()).then_some(list)
}
