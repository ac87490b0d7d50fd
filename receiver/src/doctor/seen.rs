//! Who is seen in the network?

use std::path::Path;
use std::time::Duration;

use send_learn_discovery::{DiscoveryError, Found, find};

use super::Finding;

/// Answers come within a second; a lost question is asked again after one.
const PATIENCE: Duration = Duration::from_millis(2_500);

const ABOUT: &str = "network";

/// What is to be said about the receivers that announce themselves; `data` is the folder of ours.
pub(super) fn receivers(data: &Path) -> Finding {
    let own = std::fs::read_to_string(data.join(".send-learn-id")).unwrap_or_default();
    match find(PATIENCE) {
        Ok(found) => judge(&found, own.trim()),
        Err(error @ DiscoveryError::Off) => Finding::note(ABOUT, error.to_string(), ""),
        Err(error) => Finding::note(ABOUT, error.to_string(), "Write the receiver's address in the plugin's window."),
    }
}

fn judge(found: &[Found], own: &str) -> Finding {
    if found.is_empty() {
        return Finding::note(
            ABOUT,
            "no receiver announces itself in this network",
            "One that listens on 127.0.0.1 alone, or was started with --no-announce, does not. Some networks carry no multicast (UDP port \
             5353): then write the receiver's address in the plugin's window.",
        );
    }
    let one = |receiver: &Found| {
        let own = if receiver.receiver.to_string() == own { ", this one" } else { "" };
        let at: Vec<String> = receiver.addresses.iter().map(ToString::to_string).collect();
        format!("{} ({}{own})", receiver.name, at.join(" "))
    };
    Finding::good(ABOUT, format!("receivers that announce themselves: {}", found.iter().map(one).collect::<Vec<_>>().join(", ")))
}

#[cfg(test)]
mod tests {
    use send_learn_protocol::units::ReceiverId;

    use super::*;

    #[test]
    fn our_own_receiver_is_told_from_others() {
        let receiver = ReceiverId([7; 16]);
        let found = Found {
            name: "studio".to_owned(),
            receiver,
            version: 1,
            key: false,
            addresses: vec!["10.0.0.7:8080".parse().unwrap()],
        };
        let words = judge(&[found], &receiver.to_string()).words;
        assert!(words.ends_with("studio (10.0.0.7:8080, this one)"), "{words}");
        assert!(judge(&[], "").advice.contains("5353"));
    }
}
