//! The stream's state as a colour and words.

use egui::Color32;
use send_learn_protocol::packet::hello::Refusal;

use super::theme;
use crate::capture::{Pause, Wanted};
use crate::instance::Instance;
use crate::report::{LinkState, Report};

/// What the head of the window says.
pub(super) struct Headline {
    pub(super) color: Color32,
    pub(super) words: String,
    pub(super) detail: String,
}

impl Headline {
    fn new(color: Color32, words: &str, detail: impl Into<String>) -> Self {
        Self { color, words: words.to_owned(), detail: detail.into() }
    }
}

pub(super) fn headline(instance: &Instance, report: Option<&Report>) -> Headline {
    let trouble = instance.trouble();
    if !trouble.is_empty() {
        return Headline::new(theme::BAD, "Cannot send", trouble);
    }
    if instance.skips_offline() {
        let detail = "This is an offline render. \"Capture offline renders\" would record it too.";
        return Headline::new(theme::QUIET, "Not recording: offline render", detail);
    }
    let wanted = instance.params.wanted(instance.withholds_private());
    if let Wanted::Skipped(pause) = wanted {
        return paused(pause);
    }
    let Some(report) = report else {
        return Headline::new(theme::QUIET, "Waiting for audio", "Recording begins by itself when the host plays.");
    };
    let at = report.address.map_or_else(|| instance.server(), |address| address.to_string());
    match report.link {
        LinkState::Idle => Headline::new(theme::QUIET, "Waiting for audio", "Recording begins by itself when the host plays."),
        LinkState::Resolving => Headline::new(theme::WARN, "Looking for the receiver", format!("Looking up {at}")),
        LinkState::Connecting => {
            let detail = if report.problem.is_empty() {
                format!("Nothing answers at {at}. {}", kept(report))
            } else {
                report.problem.clone()
            };
            Headline::new(theme::BAD, "Receiver not found", detail)
        }
        LinkState::Connected if report.dropped > 0 || report.lost_entries > 0 => {
            let detail =
                format!("{} blocks or events were dropped. The recording says which.", report.dropped + report.lost_entries);
            Headline::new(theme::WARN, "Recording, with gaps", detail)
        }
        LinkState::Connected if report.running && wanted == Wanted::Private => {
            let detail = format!("Yours alone: no dataset will hold it. To {at}, {}", durable(report));
            Headline::new(theme::PRIVATE, "Recording privately", detail)
        }
        LinkState::Connected if report.running => {
            Headline::new(theme::GOOD, "Recording everything", format!("to {at}, {}", durable(report)))
        }
        LinkState::Connected => Headline::new(theme::GOOD, "Sending the rest", format!("to {at}")),
        LinkState::Refused(reason) => {
            let words = match reason {
                Refusal::KeyNeeded => "The receiver needs its key",
                Refusal::WrongKey => "Another key than the receiver's",
                Refusal::NoKey => "The receiver has no key",
                _ => "The receiver declined",
            };
            Headline::new(theme::BAD, words, format!("{}. {}", sentence(&report.problem), kept(report)))
        }
        LinkState::Finished => Headline::new(theme::QUIET, "Saved", "Everything that was played is on the receiver's disk."),
        LinkState::Failed => Headline::new(theme::BAD, "Cannot send", report.problem.clone()),
    }
}

/// Words that begin with a capital letter.
fn sentence(words: &str) -> String {
    let mut letters = words.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

/// What becomes of what is played while nobody takes it.
fn kept(report: &Report) -> String {
    match (report.lost_entries > 0, report.disk_problem.is_empty()) {
        (false, true) => "Nothing is lost: it is kept here and sent later.".to_owned(),
        (false, false) => format!("It is kept in memory, and sent later; {}.", report.disk_problem),
        (true, true) => "There is no more room for it: the oldest part was lost.".to_owned(),
        (true, false) => format!("Memory is full, and the oldest part was lost: {}.", report.disk_problem),
    }
}

fn paused(pause: Pause) -> Headline {
    match pause {
        Pause::CaptureOff => Headline::new(
            theme::QUIET,
            "Capture is off",
            "What is played now stays on this computer. Audio and MIDI pass through as always.",
        ),
        Pause::Bypassed => Headline::new(theme::WARN, "Bypassed", "Nothing is recorded. Audio and MIDI pass through as always."),
        Pause::Private => Headline::new(
            theme::PRIVATE,
            "Private: nothing is sent",
            "It stays here and is not recorded. Audio and MIDI pass through.",
        ),
    }
}

fn durable(report: &Report) -> String {
    match report.lag.as_secs_f64() {
        lag if lag > 0.0 => format!("on disk {lag:.1} s after it is played"),
        _ => "all of it on disk".to_owned(),
    }
}
