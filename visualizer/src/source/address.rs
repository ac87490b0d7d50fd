//! Where receivers are looked for. The one place that decides.

/// The receiver of a person who names none, beside those that are found: the one of this machine.
pub const DEFAULT: &str = "127.0.0.1:8080";

/// Whom a live view follows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Receivers {
    /// These, each `HOST:PORT`, and nobody else.
    Given(Vec<String>),
    /// All that are found by name (spec/discovery.md), and the one of this machine.
    Found,
}

/// Those that were given, each once; without any, those that are found.
pub fn choose(given: Vec<String>) -> Receivers {
    let mut once: Vec<String> = Vec::new();
    for address in given {
        if !once.contains(&address) {
            once.push(address);
        }
    }
    if once.is_empty() { Receivers::Found } else { Receivers::Given(once) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_given_wins_over_what_is_found_and_counts_once() {
        assert_eq!(choose(Vec::new()), Receivers::Found);
        let given = ["studio:8080", "attic:8080", "studio:8080"].map(str::to_owned);
        assert_eq!(choose(given.to_vec()), Receivers::Given(given[..2].to_vec()));
    }
}
