//! Return-routability cookies: proof that a sender receives what is sent to its address, kept by nobody
//! (spec/wire-format.md, section 3; the method of RFC 9000, section 8.1.2).

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use blake2::digest::consts::U16;
use blake2::digest::{KeyInit, Mac};

use crate::packet::hello::Cookie;
use crate::units::{HostNanos, SessionId};

/// How long a cookie is valid at least; at most twice as long.
const PERIOD: Duration = Duration::from_secs(10);

/// How long a cookie is valid at most.
pub const VALID: Duration = Duration::from_secs(20);

/// Makes and checks cookies under a secret of this process.
#[derive(Clone)]
pub struct Cookies {
    secret: [u8; 32],
}

impl std::fmt::Debug for Cookies {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Cookies")
    }
}

impl Cookies {
    /// `secret` is random and stays in this process.
    pub fn new(secret: [u8; 32]) -> Self {
        Self { secret }
    }

    /// The cookie for a sender at `peer`.
    pub fn make(&self, now: HostNanos, peer: SocketAddr, session: SessionId) -> Cookie {
        self.mac(period(now), peer, session)
    }

    /// Whether `cookie` was made for this sender, in this period or the one before.
    pub fn check(&self, now: HostNanos, peer: SocketAddr, session: SessionId, cookie: &Cookie) -> bool {
        let period = period(now);
        [period, period.wrapping_sub(1)].into_iter().any(|period| self.mac(period, peer, session) == *cookie)
    }

    fn mac(&self, period: u64, peer: SocketAddr, session: SessionId) -> Cookie {
        let mut mac = <blake2::Blake2sMac<U16> as KeyInit>::new_from_slice(&self.secret).expect("32 bytes are a key of BLAKE2s");
        mac.update(&period.to_le_bytes());
        match peer.ip() {
            IpAddr::V4(address) => mac.update(&address.octets()),
            IpAddr::V6(address) => mac.update(&address.octets()),
        }
        mac.update(&peer.port().to_le_bytes());
        mac.update(&session.0.to_le_bytes());
        mac.finalize().into_bytes().into()
    }
}

fn period(now: HostNanos) -> u64 {
    now.0 / PERIOD.as_nanos() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cookie_is_good_for_its_sender_and_its_time_alone() {
        let cookies = Cookies::new([7; 32]);
        let (peer, other) = ("10.0.0.1:9".parse().unwrap(), "10.0.0.2:9".parse().unwrap());
        let start = HostNanos(100_000_000_000);
        let cookie = cookies.make(start, peer, SessionId(1));
        assert!(cookies.check(start, peer, SessionId(1), &cookie));
        assert!(cookies.check(start.after(PERIOD), peer, SessionId(1), &cookie));
        assert!(!cookies.check(start.after(2 * PERIOD), peer, SessionId(1), &cookie));
        assert!(!cookies.check(start, other, SessionId(1), &cookie));
        assert!(!cookies.check(start, peer, SessionId(2), &cookie));
        assert!(!Cookies::new([8; 32]).check(start, peer, SessionId(1), &cookie));
    }
}
