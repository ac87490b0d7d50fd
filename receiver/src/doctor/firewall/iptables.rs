//! The way of a datagram through the rules of iptables, as `iptables -S` prints them.

/// What becomes of a datagram from another machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// It comes in.
    Accepted,
    /// This rule drops it.
    Dropped(String),
    /// This rule drops it from some senders or at some times.
    Unclear(String),
}

/// Chains that call one another are followed this deep.
const DEPTH: u32 = 8;

/// A first UDP datagram from another machine.
#[derive(Clone, Copy)]
struct Packet<'a> {
    port: u16,
    /// The interface by which it comes, where there is only one.
    by: Option<&'a str>,
}

/// The fate of a first UDP datagram to `port`, which comes by `only`, if there is only one interface.
pub(super) fn fate(rules: &str, port: u16, only: Option<&str>) -> Fate {
    let mut unclear = None;
    match walk(rules, "INPUT", Packet { port, by: only }, DEPTH, &mut unclear) {
        Some(Fate::Dropped(rule)) => Fate::Dropped(rule),
        _ if unclear.is_some() => Fate::Unclear(unclear.unwrap_or_default()),
        Some(fate) => fate,
        None => match rules.lines().find(|line| line.starts_with("-P INPUT ")) {
            Some(policy) if policy.ends_with("DROP") => Fate::Dropped(policy.to_owned()),
            _ => Fate::Accepted,
        },
    }
}

/// Goes through a chain; `None` when no rule of it decides. A rule that may decide to drop is noted in `unclear`.
fn walk(rules: &str, chain: &str, packet: Packet<'_>, depth: u32, unclear: &mut Option<String>) -> Option<Fate> {
    for rule in rules.lines() {
        let words: Vec<&str> = rule.split_whitespace().collect();
        if words.len() < 4 || words[0] != "-A" || words[1] != chain {
            continue;
        }
        let Some(target) = words.iter().position(|word| matches!(*word, "-j" | "-g")).and_then(|at| words.get(at + 1)) else {
            continue;
        };
        let matches = matching(&words[2..], packet);
        if matches == Matches::Never {
            continue;
        }
        let fate = match *target {
            "ACCEPT" => Some(Fate::Accepted),
            "DROP" | "REJECT" => Some(Fate::Dropped(rule.to_owned())),
            "RETURN" if matches == Matches::Always => return None,
            "RETURN" | "LOG" | "NFLOG" => None,
            other if depth > 0 => walk(rules, other, packet, depth - 1, unclear),
            _ => None,
        };
        match (fate, matches) {
            (Some(fate), Matches::Always) => return Some(fate),
            (Some(Fate::Dropped(rule)), _) => *unclear = unclear.take().or(Some(rule)),
            _ => {}
        }
    }
    None
}

/// Whether a rule is for our datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Matches {
    Always,
    /// It depends on the sender, or on what is not understood.
    Sometimes,
    Never,
}

fn matching(words: &[&str], packet: Packet<'_>) -> Matches {
    let mut matches = Matches::Always;
    let mut inverted = false;
    let mut words = words.iter();
    while let Some(word) = words.next() {
        let mut value = || words.next().copied().unwrap_or_default();
        let holds = match *word {
            "!" => {
                inverted = true;
                continue;
            }
            "-p" => Some(matches!(value(), "udp" | "all")),
            "--dport" | "--dports" => Some(value().split(',').any(|part| in_range(part, packet.port))),
            // What comes from this machine itself comes by `lo`.
            "-i" => match (value(), packet.by) {
                ("lo", _) => Some(false),
                (interface, Some(only)) => Some(interface == only),
                _ => None,
            },
            "--ctstate" | "--state" => Some(value().split(',').any(|state| state == "NEW")),
            // Modules whose options say it all.
            "-m" => match value() {
                "udp" | "tcp" | "multiport" | "conntrack" | "state" | "comment" => continue,
                _ => None,
            },
            "--comment" | "--reject-with" | "--log-prefix" => {
                value();
                continue;
            }
            "-j" | "-g" => break,
            _ => None,
        };
        matches = match holds.map(|holds| holds != std::mem::take(&mut inverted)) {
            Some(false) => return Matches::Never,
            Some(true) => matches,
            None => Matches::Sometimes,
        };
    }
    matches
}

fn in_range(part: &str, port: u16) -> bool {
    let number = |text: &str| text.parse::<u16>().ok();
    match part.split_once(':') {
        Some((first, last)) => number(first).unwrap_or(0) <= port && port <= number(last).unwrap_or(u16::MAX),
        None => number(part) == Some(port),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const USUAL: &str = "-P INPUT DROP\n-P FORWARD DROP\n-P OUTPUT ACCEPT\n-N local\n\
         -A INPUT -i lo -j ACCEPT\n-A INPUT -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT\n-A INPUT -p tcp -m tcp --dport 22 -j ACCEPT\n\
         -A INPUT -j local\n-A local -p udp -m multiport --dports 5353,9000:9100 -j ACCEPT\n";

    #[test]
    fn the_policy_decides_where_no_rule_does() {
        let fate = |rules, port| super::fate(rules, port, None);
        assert_eq!(fate("-P INPUT ACCEPT\n", 8080), Fate::Accepted);
        assert_eq!(fate(USUAL, 8080), Fate::Dropped("-P INPUT DROP".to_owned()));
        assert_eq!(fate(USUAL, 22), Fate::Dropped("-P INPUT DROP".to_owned()), "that rule is for TCP");
    }

    #[test]
    fn rules_are_followed_into_other_chains() {
        let fate = |rules, port| super::fate(rules, port, None);
        assert_eq!([9_000, 9_050, 5_353].map(|port| fate(USUAL, port)), [const { Fate::Accepted }; 3]);
        let dropped = "-P INPUT ACCEPT\n-A INPUT -p udp -m udp --dport 8080 -j DROP\n";
        assert!(matches!(fate(dropped, 8080), Fate::Dropped(rule) if rule.contains("--dport 8080")));
        assert_eq!(fate(dropped, 8081), Fate::Accepted);
    }

    #[test]
    fn what_depends_on_the_sender_is_said_so() {
        let fate = |rules, port| super::fate(rules, port, None);
        let some = "-P INPUT ACCEPT\n-A INPUT -s 10.0.0.0/8 -p udp -j DROP\n";
        assert!(matches!(fate(some, 8080), Fate::Unclear(_)));
        let lossy = "-P INPUT ACCEPT\n-A INPUT -p udp -m statistic --mode random --probability 0.05 -j DROP\n";
        assert!(matches!(fate(lossy, 8080), Fate::Unclear(_)));
        let others = "-P INPUT ACCEPT\n-A INPUT ! -p udp -j DROP\n";
        assert_eq!(fate(others, 8080), Fate::Accepted);
        let by = "-P INPUT ACCEPT\n-A INPUT -i eth0 -p udp -j DROP\n";
        assert!(matches!(fate(by, 8080), Fate::Unclear(_)));
        assert!(matches!(super::fate(by, 8080, Some("eth0")), Fate::Dropped(_)));
        assert_eq!(super::fate(by, 8080, Some("wlan0")), Fate::Accepted);
    }
}
