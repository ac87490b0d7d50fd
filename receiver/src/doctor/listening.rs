//! Is there a receiver on this machine, and can it be reached from itself?

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, UdpSocket};
use std::path::Path;

use super::answer::{Answer, advice, ask};
use super::{Finding, PORT};
use crate::control::{self, AskError, Request};
use crate::status::Status;

const ABOUT: &str = "receiver";

/// What was found.
pub(super) struct Listening {
    pub(super) findings: Vec<Finding>,
    /// Where a receiver of ours listens.
    pub(super) address: Option<SocketAddr>,
}

/// Looks for the receiver that records to `data`.
pub(super) fn at_home(data: &Path) -> Listening {
    match control::ask(data, Request::Status) {
        Ok(control::Answer::Status(status)) => running(&status),
        Ok(_) => Listening { findings: vec![other_version()], address: None },
        Err(AskError::Nobody { .. }) => Listening { findings: vec![nobody(data)], address: None },
        Err(error) => {
            let advice = "Run this as the user who runs the receiver.";
            Listening { findings: vec![Finding::note(ABOUT, error.to_string(), advice), nobody(data)], address: None }
        }
    }
}

fn other_version() -> Finding {
    Finding::note(ABOUT, "a receiver of another version runs here", "Restart it: it is older or newer than this program.")
}

fn running(status: &Status) -> Listening {
    let Some(address) = status.address else {
        return Listening { findings: vec![Finding::note(ABOUT, "a receiver is just starting", "Ask again.")], address: None };
    };
    let at_home = match address.ip() {
        IpAddr::V4(Ipv4Addr::UNSPECIFIED) => (Ipv4Addr::LOCALHOST, address.port()).into(),
        IpAddr::V6(Ipv6Addr::UNSPECIFIED) => (Ipv6Addr::LOCALHOST, address.port()).into(),
        _ => address,
    };
    let who = format!("Send Learn {} listens on {address} and records to {}", status.version, status.data.display());
    let mut findings = vec![match ask(at_home) {
        Answer::Receiver(after) => Finding::good(ABOUT, format!("{who}; it answers after {:.1} ms", after.as_secs_f64() * 1e3)),
        // A receiver that asks for the key is there, too.
        Answer::Declined(reason) => Finding::note(ABOUT, format!("{who}; {reason}"), advice(reason)),
        other => Finding::bad(
            ABOUT,
            format!("{who}, but does not answer at {at_home} ({})", in_words(&other)),
            "A firewall of this machine drops even what it sends to itself, or the receiver hangs: restart it.",
        ),
    }];
    findings.push(match status.streams.len() {
        0 => Finding::note(
            "streams",
            "no stream is open",
            "Is the plugin on a track, its Capture on, and does the host play? Its window says what it tries.",
        ),
        count => Finding::good("streams", format!("open: {count}, the last from {}", status.streams[count - 1].peer)),
    });
    if let Some(drops) = status.socket.kernel_drops.filter(|drops| *drops > 0) {
        let words = format!("the kernel has dropped {drops} datagrams for want of room; they are sent again");
        findings.push(Finding::note("drops", words, "Give it a larger receive buffer (below), or fewer streams."));
    }
    Listening { findings, address: Some(address) }
}

/// No receiver of ours: could there be one?
fn nobody(data: &Path) -> Finding {
    let here: SocketAddr = (Ipv4Addr::LOCALHOST, PORT).into();
    let start = "Start one: send-learn serve".to_owned();
    match ask(here) {
        Answer::Receiver(_) => {
            let words = format!("a receiver answers at {here}, and records to another folder than {}", data.display());
            Finding::note(ABOUT, words, "Name its folder with --data to look at it.")
        }
        Answer::Declined(reason) => Finding::bad(ABOUT, format!("a receiver at {here} declines: {reason}"), advice(reason)),
        Answer::Refused | Answer::Silent | Answer::Unreachable(_) => match free(here) {
            Ok(()) => {
                Finding::bad(ABOUT, format!("no receiver runs on this machine for {}; port {PORT} is free", data.display()), start)
            }
            Err(protocol) => {
                let who = holder(protocol).map(|name| format!(" ({name})")).unwrap_or_default();
                let words = format!(
                    "another program{who} has {protocol} port {PORT}, and no receiver runs on this machine for {}",
                    data.display()
                );
                Finding::bad(
                    ABOUT,
                    words,
                    format!("Stop it, or choose another port: send-learn serve --listen 127.0.0.1:{}", PORT + 1),
                )
            }
        },
    }
}

/// Whether a receiver could listen there; else what is taken.
fn free(address: SocketAddr) -> Result<(), &'static str> {
    UdpSocket::bind(address).map_err(|_| "UDP")?;
    TcpListener::bind(address).map_err(|_| "TCP")?;
    Ok(())
}

fn in_words(answer: &Answer) -> String {
    match answer {
        Answer::Receiver(_) => "it answers".to_owned(),
        Answer::Declined(reason) => reason.to_string(),
        Answer::Refused => "nothing listens there".to_owned(),
        Answer::Silent => "nothing comes back".to_owned(),
        Answer::Unreachable(error) => error.to_string(),
    }
}

/// The program that has the port, as far as this user may know.
fn holder(protocol: &str) -> Option<String> {
    let name = protocol.to_ascii_lowercase();
    let inode = ["", "6"].iter().find_map(|family| {
        let table = std::fs::read_to_string(format!("/proc/self/net/{name}{family}")).ok()?;
        inode_of(&table, PORT)
    })?;
    let link = format!("socket:[{inode}]");
    let processes = std::fs::read_dir("/proc").ok()?.flatten().map(|entry| entry.path());
    let mut holders = processes.filter(|process| {
        let files = std::fs::read_dir(process.join("fd")).into_iter().flatten().flatten();
        files.into_iter().any(|file| std::fs::read_link(file.path()).is_ok_and(|target| target.as_os_str() == link.as_str()))
    });
    let process = holders.next()?;
    let command = std::fs::read_to_string(process.join("comm")).ok()?;
    Some(format!("{}, process {}", command.trim(), process.file_name()?.to_string_lossy()))
}

/// The inode of the socket at a local port, of a table of `/proc/net`.
fn inode_of(table: &str, port: u16) -> Option<u64> {
    let ending = format!(":{port:04X}");
    let rows = table.lines().skip(1).map(|row| row.split_ascii_whitespace().collect::<Vec<_>>());
    let row = rows.into_iter().find(|row| row.get(1).is_some_and(|local| local.ends_with(&ending)))?;
    row.get(9)?.parse().ok().filter(|inode| *inode > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_socket_at_a_port_is_found() {
        let table = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n   \
             0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 99 1 0 100 0 0 10 0\n";
        assert_eq!((inode_of(table, 8080), inode_of(table, 80)), (Some(99), None));
    }
}
