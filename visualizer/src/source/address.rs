//! Where the receiver is looked for. The one place that decides: whatever finds receivers by itself belongs here.

/// The receiver of a person who names none: the one of this machine.
pub const DEFAULT: &str = "127.0.0.1:8080";

/// The receiver's address, `HOST:PORT`: the one that was given, else the one of this machine.
pub fn choose(given: Option<String>) -> String {
    given.unwrap_or_else(|| DEFAULT.to_owned())
}
