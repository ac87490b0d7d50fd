//! Under which addresses can others reach this machine?

use std::net::{IpAddr, SocketAddr};

use if_addrs::Interface;

use super::Finding;

const ABOUT: &str = "address";

/// The interfaces that are up, but for the loopback one.
pub(super) fn list() -> Vec<Interface> {
    let all = if_addrs::get_if_addrs().unwrap_or_default();
    all.into_iter().filter(|interface| !interface.is_loopback()).collect()
}

/// What is to be said about a receiver that listens at `listens`.
pub(super) fn reachable(interfaces: &[Interface], listens: Option<SocketAddr>) -> Vec<Finding> {
    let ips: Vec<(String, IpAddr)> = interfaces.iter().map(|interface| (interface.name.clone(), interface.ip())).collect();
    reachable_at(&ips, listens)
}

fn reachable_at(ips: &[(String, IpAddr)], listens: Option<SocketAddr>) -> Vec<Finding> {
    let named = |(name, ip): &(String, IpAddr)| format!("{ip} ({name})");
    let all = ips.iter().map(named).collect::<Vec<_>>().join(", ");
    if ips.is_empty() {
        return vec![Finding::note(ABOUT, "this machine is in no network", "Connect it, if others are to send to it.")];
    }
    let Some(listens) = listens else {
        return vec![Finding::good(ABOUT, format!("this machine's addresses are {all}"))];
    };
    let port = listens.port();
    if listens.ip().is_loopback() {
        return vec![Finding::note(
            ABOUT,
            format!("the receiver listens on this machine alone ({listens}): others, at {all}, cannot reach it"),
            format!("If others are to send to it: send-learn serve --listen 0.0.0.0:{port}; it says what else it needs."),
        )];
    }
    let suits = |ip: &IpAddr| match listens.ip() {
        IpAddr::V4(own) if own.is_unspecified() => ip.is_ipv4(),
        IpAddr::V6(own) if own.is_unspecified() => true,
        own => *ip == own,
    };
    let there: Vec<String> = ips.iter().filter(|(_, ip)| suits(ip)).map(named).collect();
    if there.is_empty() {
        let advice = format!("Restart it with an address that this machine has now: send-learn serve --listen 0.0.0.0:{port}");
        return vec![Finding::bad(ABOUT, format!("the receiver listens on {listens}, which is none of {all}"), advice)];
    }
    let addresses: Vec<String> = there.iter().map(|there| there.replacen(" (", &format!(" port {port} ("), 1)).collect();
    vec![Finding::good(ABOUT, format!("others reach the receiver at {}", addresses.join(", ")))]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::Verdict;

    fn said(ips: &[&str], listens: Option<&str>) -> (Verdict, String) {
        let ips: Vec<_> = ips.iter().map(|ip| ("eth0".to_owned(), ip.parse().unwrap())).collect();
        let finding = reachable_at(&ips, listens.map(|listens| listens.parse().unwrap())).remove(0);
        (finding.verdict, format!("{} {}", finding.words, finding.advice))
    }

    #[test]
    fn where_others_reach_the_receiver_is_said() {
        let (verdict, words) = said(&["192.168.1.5", "fe80::1"], Some("0.0.0.0:8080"));
        assert_eq!((verdict, words.trim()), (Verdict::Good, "others reach the receiver at 192.168.1.5 port 8080 (eth0)"));
    }

    #[test]
    fn a_receiver_that_others_cannot_reach_is_named_with_what_to_do() {
        let (verdict, words) = said(&["192.168.1.5"], Some("127.0.0.1:9000"));
        assert!(verdict == Verdict::Note && words.contains("--listen 0.0.0.0:9000"), "{words}");
        let (verdict, words) = said(&["192.168.1.5"], Some("10.0.0.1:9000"));
        assert!(verdict == Verdict::Bad && words.contains("none of 192.168.1.5"), "{words}");
        assert_eq!(said(&[], None).0, Verdict::Note);
    }
}
