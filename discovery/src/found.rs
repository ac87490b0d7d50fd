//! A receiver as it announces itself.

use std::net::{IpAddr, SocketAddr, SocketAddrV6};

use mdns_sd::{ResolvedService, ScopedIp};
use send_learn_protocol::units::ReceiverId;
use serde::Serialize;

use crate::SERVICE;

/// The most addresses of a receiver that are kept, best first.
const MAX_ADDRESSES: usize = 16;

/// Longer than a name is shown, in characters: a DNS label has at most 63 bytes.
const MAX_NAME: usize = 63;

/// A receiver that was found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Found {
    /// The name of its machine, without what would move a cursor.
    pub name: String,
    /// Its data folder's identity, a UUID.
    #[serde(serialize_with = "as_text")]
    pub receiver: ReceiverId,
    /// The version of the wire format that it speaks.
    pub version: u8,
    /// Whether it takes streams only from those who have its key.
    pub key: bool,
    /// Where it listens, best first; at least one.
    pub addresses: Vec<SocketAddr>,
}

fn as_text<S: serde::Serializer>(receiver: &ReceiverId, to: S) -> Result<S::Ok, S::Error> {
    to.collect_str(receiver)
}

impl Found {
    /// What `service` says; `None` if it is no receiver of ours, or has no address.
    pub(crate) fn read(service: &ResolvedService) -> Option<Self> {
        let text = |key: &str| service.get_property_val_str(key);
        let addresses = addresses(service.get_addresses(), service.get_port());
        Some(Self {
            name: name(service.get_fullname()),
            receiver: text(ID)?.parse().ok()?,
            version: text(WIRE_VERSION)?.parse().ok()?,
            key: text(KEY) == Some("1"),
            addresses: Some(addresses).filter(|addresses| !addresses.is_empty())?,
        })
    }

    /// The best of its addresses.
    pub fn address(&self) -> Option<SocketAddr> {
        self.addresses.first().copied()
    }
}

/// Keys of the TXT record: the data folder's identity, the version of the wire format, 1 where a key is needed.
pub(crate) const ID: &str = "id";
pub(crate) const WIRE_VERSION: &str = "v";
pub(crate) const KEY: &str = "key";

/// The instance's label of a full name, as a person may read it.
fn name(full: &str) -> String {
    let label = full.strip_suffix(SERVICE).unwrap_or(full);
    let label = label.strip_suffix('.').unwrap_or(label);
    let mut plain = String::new();
    let mut characters = label.chars();
    while let Some(character) = characters.next() {
        // Dots and backslashes are escaped in DNS names (RFC 6763, section 4.3).
        plain.extend(if character == '\\' { characters.next() } else { Some(character) });
    }
    plain.chars().filter(|character| !character.is_control()).take(MAX_NAME).collect()
}

fn addresses<'a>(found: impl IntoIterator<Item = &'a ScopedIp>, port: u16) -> Vec<SocketAddr> {
    let mut addresses: Vec<SocketAddr> = found.into_iter().filter_map(|ip| socket(ip, port)).collect();
    addresses.sort_by_key(|address| (rank(&address.ip()), *address));
    addresses.dedup();
    addresses.truncate(MAX_ADDRESSES);
    addresses
}

fn socket(ip: &ScopedIp, port: u16) -> Option<SocketAddr> {
    match ip {
        ScopedIp::V4(ip) => Some((*ip.addr(), port).into()),
        ScopedIp::V6(ip) if ip.addr().is_unicast_link_local() => {
            Some(SocketAddrV6::new(*ip.addr(), port, 0, ip.scope_id().index).into())
        }
        ScopedIp::V6(ip) => Some((*ip.addr(), port).into()),
        _ => None,
    }
}

/// Lower is better: what most networks carry, then what works on one cable alone, then what works on one machine alone.
fn rank(ip: &IpAddr) -> u8 {
    match ip {
        _ if ip.is_loopback() => 4,
        IpAddr::V4(ip) if ip.is_link_local() => 2,
        IpAddr::V6(ip) if ip.is_unicast_link_local() => 3,
        IpAddr::V4(_) => 0,
        IpAddr::V6(_) => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_read_as_a_person_wrote_it_and_moves_no_cursor() {
        assert_eq!(name("studio._send-learn._udp.local."), "studio");
        assert_eq!(name("Ada\\.s \\\\ room\u{1b}[2J (2)._send-learn._udp.local."), "Ada.s \\ room[2J (2)");
        assert_eq!(name(&"x".repeat(1_000)).len(), 63);
    }

    #[test]
    fn the_address_that_most_likely_works_is_first() {
        let ips = ["fe80::1", "127.0.0.1", "169.254.3.4", "fd00::7", "10.0.0.9", "10.0.0.7"];
        let found: Vec<ScopedIp> = ips.iter().map(|ip| ScopedIp::from(ip.parse::<IpAddr>().unwrap())).collect();
        let sorted: Vec<String> = addresses(&found, 80).iter().map(ToString::to_string).collect();
        assert_eq!(sorted, ["10.0.0.7:80", "10.0.0.9:80", "[fd00::7]:80", "169.254.3.4:80", "[fe80::1]:80", "127.0.0.1:80"]);
    }
}
