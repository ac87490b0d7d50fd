//! The stream's state as a sign, a colour and words.

use egui::Color32;
use send_learn_protocol::packet::feedback::Storage;
use send_learn_protocol::packet::hello::Refusal;
use send_learn_protocol::retention::BEHIND;

use super::sign::Sign;
use super::theme;
use crate::address::AUTOMATIC;
use crate::capture::{Pause, Wanted};
use crate::instance::Instance;
use crate::report::{LinkState, NO_RECEIVER, Report};

/// Above this share of lost datagrams the way to the receiver is called bad, although everything is repaired.
const LOSSY: f64 = 0.05;

/// What the head of the window says.
pub(super) struct Headline {
    pub(super) sign: Sign,
    pub(super) color: Color32,
    pub(super) words: &'static str,
    pub(super) detail: String,
    /// Whether something is going on: the sign pulses.
    pub(super) pulses: bool,
}

impl Headline {
    fn new(sign: Sign, color: Color32, words: &'static str, detail: impl Into<String>) -> Self {
        Self { sign, color, words, detail: detail.into(), pulses: false }
    }

    fn pulsing(self) -> Self {
        Self { pulses: true, ..self }
    }
}

/// What becomes of what is played now.
pub(super) fn wanted(instance: &Instance) -> Wanted {
    if instance.skips_offline() {
        return Wanted::Skipped(Pause::Offline);
    }
    instance.params.wanted(instance.withholds_private())
}

pub(super) fn headline(instance: &Instance, report: Option<&Report>) -> Headline {
    let trouble = instance.trouble();
    if !trouble.is_empty() {
        return Headline::new(Sign::Cross, theme::BAD, "Cannot send", trouble);
    }
    let wanted = wanted(instance);
    if let Wanted::Skipped(pause) = wanted {
        return paused(pause);
    }
    let Some(report) = report else { return waiting() };
    let at = report.address.map_or_else(|| instance.server(), |address| address.to_string());
    match report.link {
        LinkState::Idle => waiting(),
        LinkState::Resolving if at.eq_ignore_ascii_case(AUTOMATIC) => {
            let detail = format!("A receiver is looked for in this network. {}", kept(report));
            Headline::new(Sign::Asking, theme::WARN, "Connecting", detail).pulsing()
        }
        LinkState::Resolving => {
            Headline::new(Sign::Asking, theme::WARN, "Connecting", format!("Looking up {at}. {}", kept(report))).pulsing()
        }
        LinkState::Connecting if !report.problem.is_empty() => Headline::new(
            Sign::Cross,
            theme::BAD,
            "No receiver",
            format!("{}. {}", report.problem.trim_end_matches('.'), kept(report)),
        ),
        LinkState::Connecting if report.unanswered < NO_RECEIVER => {
            Headline::new(Sign::Asking, theme::WARN, "Connecting", format!("Asking {at}. {}", kept(report))).pulsing()
        }
        LinkState::Connecting => {
            let detail = match report.tried.as_str() {
                "" => format!("Nothing answers at {at}. Is \"send-learn serve\" running there? {}", kept(report)),
                tried => format!("{}. {}", sentence(tried), kept(report)),
            };
            Headline::new(Sign::Cross, theme::BAD, "No receiver", detail)
        }
        LinkState::Connected => connected(&at, report, wanted == Wanted::Private),
        LinkState::Refused(reason) => {
            let words = match reason {
                Refusal::KeyNeeded => "The receiver needs its key",
                Refusal::WrongKey => "Another key than the receiver's",
                Refusal::NoKey => "The receiver has no key",
                Refusal::Storage => "Receiver cannot record",
                _ => "The receiver declined",
            };
            Headline::new(Sign::Cross, theme::BAD, words, format!("{}. {}", sentence(&report.problem), kept(report)))
        }
        LinkState::Finished => {
            Headline::new(Sign::Tick, theme::GOOD, "Saved", "Everything that was played is on the receiver's disk.")
        }
        LinkState::Failed => Headline::new(Sign::Cross, theme::BAD, "Cannot send", report.problem.clone()),
    }
}

/// What holds now comes first; that something of this take was lost, before or now, is said beside it.
fn connected(at: &str, report: &Report, private: bool) -> Headline {
    let headline = goes_on(at, report, private);
    match lost(report) {
        0 => headline,
        _ if report.storage != Storage::Good => headline,
        lost => {
            let detail =
                format!("{} {lost} blocks or events of this take found no room: the recording says which.", headline.detail);
            Headline { detail, ..headline }
        }
    }
}

/// Blocks and events of this take that are in no recording, as there was no room for them.
fn lost(report: &Report) -> u64 {
    report.dropped + report.lost_entries
}

fn goes_on(at: &str, report: &Report, private: bool) -> Headline {
    if report.storage != Storage::Good {
        let words = if report.storage == Storage::Full { "Receiver's disk full" } else { "Receiver cannot record" };
        let detail = format!("{}. {}", sentence(&report.problem), kept(report));
        return Headline::new(Sign::Cross, theme::BAD, words, detail);
    }
    let behind = report.lag >= BEHIND || !report.running;
    if behind {
        let live = if report.running { "What you play goes on live. " } else { "" };
        let detail = format!("{live}What {at} missed follows: {:.0} s of it.", report.lag.as_secs_f64());
        return Headline::new(Sign::Up, theme::ACCENT, "Catching up", detail).pulsing();
    }
    if private {
        let detail = format!("Recorded for you alone: no dataset will hold it. To {at}, {}.", durable(report));
        return Headline::new(Sign::Lock, theme::PRIVATE, "Private", detail).pulsing();
    }
    if !report.whole {
        let detail = "The network takes less than everything: the live view is coarser; the recording is not, and follows.";
        return Headline::new(Sign::Warning, theme::WARN, "Degraded", detail).pulsing();
    }
    if report.loss > LOSSY {
        let share = report.loss * 100.0;
        let detail =
            format!("The network loses {share:.0} % of what is sent. All of it is repaired or sent again; a cable would help.");
        return Headline::new(Sign::Warning, theme::WARN, "Degraded", detail).pulsing();
    }
    if lost(report) > 0 {
        let detail = format!("What you play is recorded, to {at}, {}.", durable(report));
        return Headline::new(Sign::Warning, theme::WARN, "Live, with gaps", detail).pulsing();
    }
    Headline::new(Sign::Dot, theme::GOOD, "Live", format!("Everything is recorded, to {at}, {}.", durable(report))).pulsing()
}

/// Words that begin with a capital letter.
fn sentence(words: &str) -> String {
    let mut letters = words.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

fn waiting() -> Headline {
    Headline::new(Sign::Ring, theme::QUIET, "Waiting for audio", "Recording begins by itself when the host plays.")
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
            Sign::Ring,
            theme::QUIET,
            "Capture is off",
            "What is played now stays on this computer. Audio and MIDI pass through as always.",
        ),
        Pause::Bypassed => {
            Headline::new(Sign::Barred, theme::WARN, "Bypassed", "Nothing is recorded. Audio and MIDI pass through as always.")
        }
        Pause::Private => Headline::new(
            Sign::Lock,
            theme::PRIVATE,
            "Private: nothing is sent",
            "It stays here and is not recorded. Audio and MIDI pass through.",
        ),
        Pause::Offline => Headline::new(
            Sign::Square,
            theme::QUIET,
            "Offline render",
            "Not recorded: the host renders faster than time. \"Offline renders\", above, would record it too.",
        ),
    }
}

fn durable(report: &Report) -> String {
    match report.lag.as_secs_f64() {
        lag if lag > 0.0 => format!("on disk {lag:.1} s after it is played"),
        _ => "all of it on disk".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report() -> Report {
        Report { link: LinkState::Connected, running: true, whole: true, ..Report::default() }
    }

    #[test]
    fn that_something_was_lost_hides_nothing_of_what_holds_now() {
        let lossy = Report { dropped: 2, lost_entries: 3, ..report() };
        let late = Report { lag: 2 * BEHIND, ..lossy.clone() };
        let coarse = Report { whole: false, ..lossy.clone() };
        let words = |report: &Report, private: bool| {
            let headline = connected("here", report, private);
            assert!(headline.detail.contains("5 blocks or events of this take found no room"), "{}", headline.detail);
            headline.words
        };
        assert_eq!(words(&lossy, false), "Live, with gaps");
        assert_eq!(words(&lossy, true), "Private");
        assert_eq!(words(&late, false), "Catching up");
        assert_eq!(words(&coarse, false), "Degraded");
        let full = connected("here", &Report { storage: Storage::Full, ..lossy }, false);
        assert_eq!(full.words, "Receiver's disk full");
        assert_eq!(full.detail.matches("lost").count(), 1, "{}", full.detail);
        assert_eq!(connected("here", &report(), false).words, "Live");
    }
}
