//! Does a receiver answer that has this machine's key?

use std::io::{self, ErrorKind};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use send_learn_protocol::inquiry::Inquiry;
use send_learn_protocol::packet::hello::Refusal;
use send_learn_protocol::packet::{MAX_DATAGRAM, header};
use send_learn_protocol::units::{SessionId, TakeId};

use super::Finding;

/// The hello is sent this often, each given this long.
const TRIES: u32 = 4;
const PATIENCE: Duration = Duration::from_millis(400);

/// What came of it.
#[derive(Debug)]
pub(super) enum Answer {
    /// A receiver answers, after this time.
    Receiver(Duration),
    /// A receiver declines.
    Declined(Refusal),
    /// The machine is there, and says that nothing listens.
    Refused,
    /// Nothing comes back.
    Silent,
    /// The system cannot send there.
    Unreachable(io::Error),
}

/// Asks at `to`.
pub(super) fn ask(to: SocketAddr) -> Answer {
    match exchange(to) {
        Ok(answer) => answer,
        Err(error) if error.kind() == ErrorKind::ConnectionRefused => Answer::Refused,
        Err(error) => Answer::Unreachable(error),
    }
}

fn exchange(to: SocketAddr) -> io::Result<Answer> {
    let any: SocketAddr = if to.is_ipv4() { (Ipv4Addr::UNSPECIFIED, 0).into() } else { (Ipv6Addr::UNSPECIFIED, 0).into() };
    let socket = UdpSocket::bind(any)?;
    // Connected, it is told what the other machine's system says.
    socket.connect(to)?;
    socket.set_read_timeout(Some(PATIENCE))?;
    let session = SessionId(u64::from_le_bytes(TakeId::random().0[..8].try_into().unwrap_or_default()));
    let mut buffer = [0; MAX_DATAGRAM];
    let key = send_learn_key::machine().ok().flatten();
    let mut inquiry = Inquiry::new(session, key.map(|key| key.psk()).as_ref());
    for _ in 0..TRIES {
        let mut datagram = Vec::new();
        inquiry.write(&mut datagram);
        let sent = Instant::now();
        socket.send(&datagram)?;
        loop {
            match socket.recv(&mut buffer) {
                Ok(len) => {
                    let answer = header::read(&buffer[..len]).ok().and_then(|(head, payload)| inquiry.answer(&head, payload));
                    if let Some(answer) = answer {
                        return Ok(answer.map_or_else(Answer::Declined, |()| Answer::Receiver(sent.elapsed())));
                    }
                }
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => break,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
            if sent.elapsed() >= PATIENCE {
                break;
            }
        }
    }
    Ok(Answer::Silent)
}

/// What to do about a refusal.
pub(super) fn advice(reason: Refusal) -> &'static str {
    match reason {
        Refusal::Version => "Bring both programs to one version.",
        Refusal::KeyNeeded | Refusal::WrongKey => {
            "\"send-learn key\" shows the key on the receiver's machine; enter it here in the plugin's window, or by send-learn-send --set-key."
        }
        Refusal::NoKey => "Start the receiver with the key (\"send-learn key --set\" there), or remove the key here.",
        _ => "Ask again in a moment.",
    }
}

/// What is to be said about a receiver at `to`.
pub(super) fn at(to: SocketAddr) -> Finding {
    const ABOUT: &str = "receiver";
    match ask(to) {
        Answer::Receiver(after) => {
            Finding::good(ABOUT, format!("a receiver answers at {to} after {:.1} ms", after.as_secs_f64() * 1e3))
        }
        Answer::Declined(reason) => Finding::bad(ABOUT, format!("a receiver at {to} declines: {reason}"), advice(reason)),
        Answer::Refused => Finding::bad(
            ABOUT,
            format!("the machine at {} is there, and nothing listens at UDP port {}", to.ip(), to.port()),
            format!(
                "Start it there: send-learn serve --listen 0.0.0.0:{}. If it runs, it listens on 127.0.0.1 alone, or on another port.",
                to.port()
            ),
        ),
        Answer::Silent => Finding::bad(
            ABOUT,
            format!("nothing comes back from {to}"),
            format!(
                "Either a firewall on the way drops UDP port {port}, most likely that of the receiver's machine, or no machine has this \
                 address. Run \"send-learn doctor\" on the receiver's machine: it says its addresses, and looks at its firewall.",
                port = to.port()
            ),
        ),
        Answer::Unreachable(error) => Finding::bad(
            ABOUT,
            format!("this machine cannot send to {to}: {error}"),
            "Is the address right, and is this machine in the same network? On macOS the program needs the Local Network permission.",
        ),
    }
}
