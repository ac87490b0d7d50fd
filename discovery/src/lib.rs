//! How a receiver is found by name in its network: by DNS-SD (RFC 6763) over multicast DNS (RFC 6762), as `spec/discovery.md` says.
//!
//! A receiver [announces](Announcement) itself; plugin, tools and viewers [look](Browser) for receivers. Nothing is sent before one of
//! the two is started, nor after it is dropped.
#![forbid(unsafe_code)]

mod announce;
mod browse;
mod found;

use std::time::Duration;

pub use announce::{Announced, Announcement};
pub use browse::{Browser, find};
pub use found::Found;

/// The service, as registered names go.
pub const SERVICE: &str = "_send-learn._udp.local.";

/// When this environment variable is `off`, nobody announces or looks: for tests, and for networks in which that is not wanted.
pub const VARIABLE: &str = "SEND_LEARN_DISCOVERY";

/// A last word to the network may take this long.
const GOODBYE: Duration = Duration::from_millis(500);

/// Why receivers cannot be found, or a receiver cannot be announced.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DiscoveryError {
    /// The person, or a test, does not want it.
    #[error("looking for receivers is switched off ({VARIABLE}=off)")]
    Off,
    /// The system does not give what is needed.
    #[error("receivers cannot be found by name: {0}. Write the receiver's address instead.")]
    System(String),
}

impl DiscoveryError {
    fn system(error: impl std::fmt::Display) -> Self {
        Self::System(error.to_string())
    }
}

fn is_off() -> bool {
    std::env::var(VARIABLE).is_ok_and(|word| word.eq_ignore_ascii_case("off"))
}
