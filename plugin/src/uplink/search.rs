//! Where to send when nobody has said it: to the receiver that was used last, else to the first by name of those found, and, as a
//! last resort, to this machine. What does not answer is left for the next after a while, and tried again in turn.

use std::net::SocketAddr;
use std::time::Duration;

use send_learn_discovery::Found;
use send_learn_protocol::units::{HostNanos, ReceiverId};

use crate::address::LAST_RESORT;

/// Receivers have this long to be found before the last resort is tried: answers to a first question come within 0.2 s, but a
/// question or its answer may be lost, and the next is asked after 1 s.
const FIRST: Duration = Duration::from_millis(1_500);

/// What does not answer within this lets the next address try.
const TURN: Duration = Duration::from_secs(2);

/// What one stream knows of the search.
#[derive(Clone, Debug, Default)]
pub(super) struct Search {
    began: Option<HostNanos>,
    at: Option<SocketAddr>,
    /// Since when `at` is tried.
    since: HostNanos,
    /// What the list of receivers said when `at` was chosen.
    changes: u64,
}

/// The receivers that are known at present.
#[derive(Clone, Copy, Debug)]
pub(super) struct Known<'a> {
    /// By name.
    pub(super) found: &'a [Found],
    /// Grows when they change.
    pub(super) changes: u64,
    /// The receiver that was used last, or that a person chose.
    pub(super) preferred: Option<ReceiverId>,
    /// Whether there is a search at all.
    pub(super) looking: bool,
}

impl Known<'_> {
    /// The receiver that is to be tried.
    pub(super) fn choice(&self) -> Option<&Found> {
        let last = self.found.iter().find(|found| Some(found.receiver) == self.preferred);
        last.or_else(|| self.found.first())
    }

    /// Whose address this is.
    pub(super) fn owner(&self, address: SocketAddr) -> Option<&Found> {
        self.found.iter().find(|found| found.addresses.contains(&address))
    }

    fn candidates(&self) -> Vec<SocketAddr> {
        let chosen = self.choice().map(|found| found.addresses.as_slice()).unwrap_or_default();
        chosen.iter().copied().chain([LAST_RESORT]).collect()
    }
}

impl Search {
    /// Where to send at present.
    pub(super) fn address(&self) -> Option<SocketAddr> {
        self.at
    }

    /// Looks at what is known; true when there is another address to send to. `answered`: whether the present one answers.
    pub(super) fn step(&mut self, now: HostNanos, answered: bool, known: &Known<'_>) -> bool {
        let began = *self.began.get_or_insert(now);
        if answered {
            (self.since, self.changes) = (now, known.changes);
            return false;
        }
        if known.found.is_empty() && known.looking && now.since(began) < FIRST {
            return false;
        }
        let candidates = known.candidates();
        let place = self.at.and_then(|at| candidates.iter().position(|candidate| *candidate == at));
        let next = match place {
            // The list has changed: what is best in it is tried at once.
            _ if self.changes != known.changes => 0,
            None => 0,
            Some(place) if now.since(self.since) >= TURN => (place + 1) % candidates.len(),
            Some(place) => place,
        };
        self.changes = known.changes;
        if place == Some(next) {
            return false;
        }
        (self.at, self.since) = (Some(candidates[next]), now);
        true
    }

    /// In words, what is tried, for one who wonders why nothing answers.
    pub(super) fn tried(&self, known: &Known<'_>) -> String {
        match known.choice() {
            Some(found) => {
                let addresses: Vec<String> = found.addresses.iter().map(ToString::to_string).collect();
                format!(
                    "{} was found at {}, and does not answer there; nor does anything at {LAST_RESORT}",
                    found.name,
                    addresses.join(", ")
                )
            }
            None if known.looking => format!("no receiver was found in this network, and nothing answers at {LAST_RESORT}"),
            None => format!("nothing answers at {LAST_RESORT}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(name: &str, id: u8, addresses: &[&str]) -> Found {
        let addresses = addresses.iter().map(|address| address.parse().unwrap()).collect();
        Found { name: name.to_owned(), receiver: ReceiverId([id; 16]), version: 1, key: false, addresses }
    }

    fn at(seconds: f64) -> HostNanos {
        HostNanos(1 + (seconds * 1e9) as u64)
    }

    struct Run<'a> {
        search: Search,
        known: Known<'a>,
    }

    impl Run<'_> {
        fn step(&mut self, seconds: f64, answered: bool) -> Option<String> {
            self.search.step(at(seconds), answered, &self.known);
            self.search.address().map(|address| address.to_string())
        }
    }

    fn run(found: &[Found]) -> Run<'_> {
        Run { search: Search::default(), known: Known { found, changes: 0, preferred: None, looking: true } }
    }

    fn is(address: &str) -> Option<String> {
        Some(address.to_owned())
    }

    #[test]
    fn this_machine_is_the_last_resort_and_not_tried_before_others_could_be_found() {
        let mut run = run(&[]);
        assert_eq!([0.0, 1.4].map(|seconds| run.step(seconds, false)), [None, None]);
        assert_eq!(run.step(1.5, false), is("127.0.0.1:8080"));
        assert!(run.search.tried(&run.known).contains("no receiver was found"));
    }

    #[test]
    fn without_a_search_the_last_resort_is_tried_at_once() {
        let mut run = run(&[]);
        run.known.looking = false;
        assert_eq!(run.step(0.0, false), is("127.0.0.1:8080"));
    }

    #[test]
    fn the_first_by_name_is_tried_at_every_address_and_then_the_last_resort() {
        let list = [found("attic", 1, &["10.0.0.1:80", "[fd00::1]:80"]), found("cellar", 2, &["10.0.0.2:80"])];
        let mut run = run(&list);
        let tried = [0.0, 1.9, 2.0, 4.0, 6.0].map(|seconds| run.step(seconds, false).unwrap());
        assert_eq!(tried, ["10.0.0.1:80", "10.0.0.1:80", "[fd00::1]:80", "127.0.0.1:8080", "10.0.0.1:80"]);
        let words = run.search.tried(&run.known);
        assert!(words.contains("attic was found at 10.0.0.1:80, [fd00::1]:80"), "{words}");
    }

    #[test]
    fn the_one_used_last_wins() {
        let list = [found("attic", 1, &["10.0.0.1:80"]), found("cellar", 2, &["10.0.0.2:80"])];
        let mut run = run(&list);
        run.known.preferred = Some(ReceiverId([2; 16]));
        assert_eq!(run.step(0.0, false), is("10.0.0.2:80"));
        run.known.preferred = Some(ReceiverId([9; 16]));
        assert_eq!(run.step(9.0, false), is("10.0.0.1:80"), "it is not there");
    }

    #[test]
    fn what_answers_is_kept_whoever_else_comes() {
        let list = [found("attic", 1, &["10.0.0.1:80"])];
        let mut run = run(&[]);
        assert_eq!([0.0, 2.0].map(|seconds| run.step(seconds, false)), [None, is("127.0.0.1:8080")]);
        (run.known.found, run.known.changes) = (&list, 1);
        assert_eq!(run.step(60.0, true), is("127.0.0.1:8080"));
        assert_eq!(run.step(61.0, false), is("127.0.0.1:8080"), "it has just fallen silent");
        assert_eq!(run.step(63.0, false), is("10.0.0.1:80"));
    }

    #[test]
    fn a_receiver_that_comes_is_tried_at_once_where_nothing_answers() {
        let list = [found("attic", 1, &["10.0.0.1:80"])];
        let mut run = run(&[]);
        assert_eq!([0.0, 2.0].map(|seconds| run.step(seconds, false)), [None, is("127.0.0.1:8080")]);
        (run.known.found, run.known.changes) = (&list, 1);
        assert_eq!(run.step(2.1, false), is("10.0.0.1:80"));
    }
}
