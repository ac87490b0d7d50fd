//! Does this machine's firewall let in what senders send? Read from its rules where that is allowed.

mod iptables;

use std::net::SocketAddr;
use std::process::{Command, Stdio};

use if_addrs::Interface;

use super::Finding;
use iptables::Fate;

const ABOUT: &str = "firewall";

/// What is to be said about a receiver at `listens`.
pub(super) fn of(listens: SocketAddr, interfaces: &[Interface]) -> Option<Finding> {
    // What a machine sends to itself is hardly ever dropped.
    if !cfg!(target_os = "linux") || listens.ip().is_loopback() {
        return None;
    }
    let port = listens.port();
    let mut names = interfaces.iter().map(|interface| interface.name.as_str());
    let only = names.next().filter(|first| names.all(|name| name == *first));
    let tables = if listens.is_ipv4() { "iptables" } else { "ip6tables" };
    if let Some(status) = output("ufw", &["status"])
        && status.contains("Status: active")
    {
        return Some(judge_ufw(&status, port));
    }
    let by_tables = output(tables, &["-S"]).map(|rules| judge(tables, iptables::fate(&rules, port, only), port));
    let by_nft = output("nft", &["list", "ruleset"]).map(|rules| judge_nft(&rules, port));
    let findings: Vec<Finding> = [by_tables, by_nft].into_iter().flatten().collect();
    let worst = findings.into_iter().max_by_key(|finding| finding.verdict as u8);
    Some(worst.unwrap_or_else(|| {
        Finding::note(
            ABOUT,
            "the firewall's rules cannot be read, or there is none",
            format!("As root this looks into them. If the receiver answers here and not elsewhere, allow UDP and TCP port {port}."),
        )
    }))
}

/// What a program prints, if it is there, succeeds, and says something.
fn output(program: &str, arguments: &[&str]) -> Option<String> {
    // A user's PATH often lacks the folders of the administrator's programs.
    let path = format!("{}:/usr/sbin:/sbin", std::env::var("PATH").unwrap_or_default());
    let mut command = Command::new("/usr/bin/env");
    command.arg(format!("PATH={path}")).arg(program).args(arguments).env("LC_ALL", "C");
    let output = command.stdin(Stdio::null()).stderr(Stdio::null()).output().ok()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    (output.status.success() && !text.trim().is_empty()).then_some(text)
}

fn allow(port: u16) -> String {
    format!(
        "Allow it: \"ufw allow {port}\", or \"iptables -I INPUT -p udp --dport {port} -j ACCEPT\" (and the same with tcp, for viewers), or your firewall's own way."
    )
}

fn judge(program: &str, fate: Fate, port: u16) -> Finding {
    match fate {
        Fate::Accepted => Finding::good(ABOUT, format!("{program} lets UDP port {port} in")),
        Fate::Dropped(rule) => {
            Finding::bad(ABOUT, format!("{program} does not let UDP port {port} in, by \"{rule}\""), allow(port))
        }
        Fate::Unclear(rule) => Finding::note(
            ABOUT,
            format!("{program} may not let UDP port {port} in: \"{rule}\" decides for some senders"),
            allow(port),
        ),
    }
}

fn judge_ufw(status: &str, port: u16) -> Finding {
    let number = port.to_string();
    let opens = |line: &str| {
        let mut words = line.split_whitespace();
        let at = words.next().unwrap_or_default();
        let (ports, protocol) = at.split_once('/').unwrap_or((at, "udp"));
        ports == number && protocol == "udp" && line.contains("ALLOW")
    };
    match status.lines().any(opens) {
        true => Finding::good(ABOUT, format!("ufw lets UDP port {port} in")),
        false => Finding::bad(ABOUT, format!("ufw is active, and no rule of it lets UDP port {port} in"), allow(port)),
    }
}

/// Rules of nftables are a language: what is looked for is a chain for what comes in that drops, and any rule that names the port.
fn judge_nft(rules: &str, port: u16) -> Finding {
    let drops = rules.lines().any(|line| line.contains("hook input") && line.contains("policy drop"));
    let names = |line: &str| line.contains("dport") && line.contains(&port.to_string()) && line.contains("accept");
    match (drops, rules.lines().any(names)) {
        (false, _) => Finding::good(ABOUT, "no chain of nftables drops what comes in by its policy"),
        (true, true) => Finding::good(ABOUT, format!("nftables drops by its policy, and has a rule that accepts port {port}")),
        (true, false) => {
            Finding::bad(ABOUT, format!("nftables drops what comes in by its policy, and no rule names port {port}"), allow(port))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::Verdict;

    #[test]
    fn ufw_is_asked_for_the_port() {
        let status = "Status: active\n\nTo                         Action      From\n--                         ------      ----\n\
             22/tcp                     ALLOW       Anywhere\n8080/udp                   ALLOW       Anywhere\n9000                       ALLOW       Anywhere\n";
        assert_eq!(
            [8080, 9000, 9001, 22].map(|port| judge_ufw(status, port).verdict),
            [Verdict::Good, Verdict::Good, Verdict::Bad, Verdict::Bad]
        );
    }

    #[test]
    fn a_chain_of_nftables_that_drops_needs_a_rule_for_the_port() {
        let chain = |rule: &str| {
            format!("table inet filter {{\n chain input {{\n  type filter hook input priority 0; policy drop;\n  {rule}\n }}\n}}\n")
        };
        assert_eq!(judge_nft(&chain("udp dport 8080 accept"), 8080).verdict, Verdict::Good);
        assert_eq!(judge_nft(&chain("tcp dport 22 accept"), 8080).verdict, Verdict::Bad);
        assert_eq!(judge_nft(&chain("").replace("drop", "accept"), 8080).verdict, Verdict::Good);
    }
}
