//! `send-learn doctor`: why does nothing arrive?

use std::io::{self, Write};
use std::net::{SocketAddr, ToSocketAddrs};
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use send_learn::doctor::{Finding, Question, Verdict, examine};
use serde::Serialize;

/// What a program gets.
#[derive(Serialize)]
struct Document<'a> {
    healthy: bool,
    findings: &'a [Finding],
}

/// Exit status 0 when nothing was found that keeps streams from arriving.
pub(super) fn run(data: PathBuf, to: Option<&str>, json: bool) -> anyhow::Result<ExitCode> {
    let to = to.map(resolve).transpose()?;
    let findings = examine(&Question { data, to });
    let healthy = findings.iter().all(|finding| finding.verdict != Verdict::Bad);
    let mut out = io::stdout().lock();
    if json {
        serde_json::to_writer_pretty(&mut out, &Document { healthy, findings: &findings }).context("cannot write JSON")?;
        writeln!(out)?;
    } else {
        for Finding { about, verdict, words, advice } in &findings {
            let verdict = match verdict {
                Verdict::Good => "good",
                Verdict::Note => "note",
                Verdict::Bad => "BAD",
            };
            writeln!(out, "{verdict:<5} {about:<9} {words}")?;
            if !advice.is_empty() {
                writeln!(out, "{:<15} -> {advice}", "")?;
            }
        }
    }
    Ok(if healthy { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// An address as a person writes it: the port may be left out.
fn resolve(text: &str) -> anyhow::Result<SocketAddr> {
    const PORT: u16 = 8080;
    let unknown = || format!("\"{text}\" is no address that this machine knows: write one like 192.168.1.20:8080");
    if let Ok(address) = text.parse() {
        return Ok(address);
    }
    let bare = text.trim_start_matches('[').trim_end_matches(']');
    let found = match bare.parse::<std::net::Ipv6Addr>().is_ok() || !text.contains(':') {
        true => (bare, PORT).to_socket_addrs(),
        false => text.to_socket_addrs(),
    };
    found.ok().and_then(|mut found| found.next()).with_context(unknown)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_port_may_be_left_out() {
        for (text, address) in [
            ("127.0.0.1", "127.0.0.1:8080"),
            ("::1", "[::1]:8080"),
            ("127.0.0.1:9", "127.0.0.1:9"),
            ("[::1]:9", "[::1]:9"),
            ("[::1]", "[::1]:8080"),
        ] {
            assert_eq!(resolve(text).unwrap(), address.parse().unwrap());
        }
        assert!(resolve("no such:place").unwrap_err().to_string().contains("192.168.1.20:8080"));
    }
}
