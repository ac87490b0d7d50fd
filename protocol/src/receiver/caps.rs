//! How many handshakes are heeded, so that nobody keeps a receiver busy with them.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use crate::units::HostNanos;

/// Hellos from one address at once: a host that opens 64 streams, twice.
const PER_ADDRESS_BURST: f64 = 128.0;

/// Hellos from one address per second in the long run.
const PER_ADDRESS_RATE: f64 = 32.0;

/// Sessions begun at once, and per second, from all addresses together.
const TOTAL_BURST: f64 = 512.0;
const TOTAL_RATE: f64 = 160.0;

/// Addresses of which it is known how often they asked of late. Each has proven that it can be reached.
const MAX_ADDRESSES: usize = 1_024;

/// Tells what goes beyond the rates.
#[derive(Debug, Default)]
pub(super) struct Handshakes {
    total: Bucket,
    addresses: BTreeMap<IpAddr, Bucket>,
}

/// What was taken of a burst, and when. It comes back with time.
#[derive(Clone, Copy, Debug, Default)]
struct Bucket {
    taken: f64,
    at: HostNanos,
}

impl Handshakes {
    /// Whether another hello from `peer`, at a proven address, may be looked into; it counts then.
    pub(super) fn may_ask(&mut self, now: HostNanos, peer: SocketAddr) -> bool {
        let network = network(peer);
        if !self.addresses.contains_key(&network) && self.addresses.len() >= MAX_ADDRESSES {
            self.addresses.retain(|_, bucket| bucket.left(now, PER_ADDRESS_RATE) > 0.0);
            if self.addresses.len() >= MAX_ADDRESSES {
                return false;
            }
        }
        self.addresses.entry(network).or_default().take(now, PER_ADDRESS_RATE, PER_ADDRESS_BURST)
    }

    /// Whether another session may be begun; it counts then. Those who have no key do not come this far where one is needed.
    pub(super) fn may_begin(&mut self, now: HostNanos) -> bool {
        self.total.take(now, TOTAL_RATE, TOTAL_BURST)
    }
}

impl Bucket {
    fn left(&self, now: HostNanos, rate: f64) -> f64 {
        (self.taken - now.since(self.at).as_secs_f64() * rate).max(0.0)
    }

    fn take(&mut self, now: HostNanos, rate: f64, burst: f64) -> bool {
        *self = Self { taken: self.left(now, rate), at: now };
        let room = self.taken + 1.0 <= burst;
        self.taken += if room { 1.0 } else { 0.0 };
        room
    }
}

/// Whom an address stands for: an IPv6 host has as many addresses as it likes, all with the same first 64 bits.
pub(super) fn network(peer: SocketAddr) -> IpAddr {
    match peer.ip().to_canonical() {
        IpAddr::V4(address) => IpAddr::V4(address),
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX))),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn begun(handshakes: &mut Handshakes, now: HostNanos, peer: &str, tries: usize) -> usize {
        (0..tries).filter(|_| handshakes.may_ask(now, peer.parse().unwrap()) && handshakes.may_begin(now)).count()
    }

    #[test]
    fn a_host_opens_its_streams_at_once_and_then_a_few_each_second() {
        let (mut handshakes, now) = (Handshakes::default(), HostNanos(1_000_000_000));
        assert_eq!(begun(&mut handshakes, now, "10.0.0.1:5", 1_000), 128);
        assert_eq!(begun(&mut handshakes, now.after(Duration::from_secs(1)), "10.0.0.1:6", 1_000), 32);
        assert_eq!(begun(&mut handshakes, now.after(Duration::from_secs(1)), "10.0.0.2:5", 64), 64, "others have their own");
        assert_eq!(begun(&mut handshakes, now.after(Duration::from_secs(60)), "10.0.0.1:7", 1_000), 128);
    }

    #[test]
    fn many_addresses_together_have_a_limit_in_number_and_in_memory() {
        let (mut handshakes, now) = (Handshakes::default(), HostNanos(1_000_000_000));
        let all: usize = (0..5_000).map(|n| begun(&mut handshakes, now, &format!("10.0.{}.{}:5", n / 250, n % 250), 1)).sum();
        assert_eq!(all, 512);
        assert!(handshakes.addresses.len() <= MAX_ADDRESSES);
        let later = now.after(Duration::from_secs(60));
        assert_eq!(begun(&mut handshakes, later, "10.9.9.9:5", 200), 128, "who has been quiet is forgotten");
        let one = (0..200).map(|n| begun(&mut handshakes, later, &format!("[2001:db8::{n:x}]:5"), 1)).sum::<usize>();
        assert_eq!(one, 128, "an IPv6 network counts as one");
    }
}
