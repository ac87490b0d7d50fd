//! A receiver says where it is.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use mdns_sd::{IfKind, IfPredicate, ServiceDaemon, ServiceInfo};
use send_learn_protocol::packet::header::VERSION;
use send_learn_protocol::units::ReceiverId;

use crate::found::{ID, KEY, WIRE_VERSION};
use crate::{DiscoveryError, GOODBYE, SERVICE, is_off};

/// Longer names are cut, in bytes: a label has at most 63, and one that is taken gets a number behind it.
const MAX_NAME: usize = 56;

/// What a receiver says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Announced {
    /// The name of its machine. Where another receiver has the same, a number is added.
    pub name: String,
    /// Its data folder.
    pub receiver: ReceiverId,
    /// Whether it takes streams only from those who have its key.
    pub key: bool,
    /// Where it listens; an unspecified address stands for all of the machine's.
    pub listen: SocketAddr,
}

/// A receiver is announced for as long as this lives.
pub struct Announcement {
    daemon: ServiceDaemon,
    full_name: String,
}

impl Announcement {
    /// Announces a receiver in all networks from which it can be reached; `None` when it listens on the loopback address: others
    /// cannot reach it.
    ///
    /// # Errors
    /// [`DiscoveryError`]; the receiver can be reached by its address all the same.
    pub fn start(announced: &Announced) -> Result<Option<Self>, DiscoveryError> {
        let listen = announced.listen.ip();
        if listen.is_loopback() {
            return Ok(None);
        }
        if is_off() {
            return Err(DiscoveryError::Off);
        }
        let service = service(announced).map_err(DiscoveryError::system)?;
        let full_name = service.get_fullname().to_owned();
        let daemon = ServiceDaemon::new().map_err(DiscoveryError::system)?;
        daemon.register(service).map_err(DiscoveryError::system)?;
        Ok(Some(Self { daemon, full_name }))
    }
}

impl Drop for Announcement {
    /// Takes the announcement back, so that nobody tries in vain.
    fn drop(&mut self) {
        if let Ok(done) = self.daemon.unregister(&self.full_name) {
            let _ = done.recv_timeout(GOODBYE);
        }
        if let Ok(done) = self.daemon.shutdown() {
            let _ = done.recv_timeout(GOODBYE);
        }
    }
}

fn service(announced: &Announced) -> mdns_sd::Result<ServiceInfo> {
    let Announced { name, receiver, key, listen } = announced;
    // A host name of its own: the machine's may be announced by the system, with other addresses.
    let host = format!("send-learn-{}.local.", receiver.short());
    let id = receiver.to_string();
    let version = VERSION.to_string();
    let properties = [(ID, id.as_str()), (WIRE_VERSION, &version), (KEY, if *key { "1" } else { "0" })];
    let ip = listen.ip();
    let fixed = if ip.is_unspecified() { Vec::new() } else { vec![ip] };
    let mut service = ServiceInfo::new(SERVICE, &label(name), &host, fixed.as_slice(), listen.port(), &properties[..])?;
    if ip.is_unspecified() {
        service = service.enable_addr_auto();
    }
    let is_reached_by = move |interface: IpAddr| match ip {
        _ if interface.is_loopback() => false,
        // A socket of all IPv6 addresses takes those of IPv4 too.
        IpAddr::V6(ip) if ip.is_unspecified() => true,
        IpAddr::V4(Ipv4Addr::UNSPECIFIED) => interface.is_ipv4(),
        ip => interface == ip,
    };
    let predicate = IfPredicate::new(move |interface| is_reached_by(interface.ip()));
    service.set_interfaces(vec![IfKind::Predicate(predicate)]);
    Ok(service)
}

/// A name that fits into a label.
fn label(name: &str) -> String {
    let mut end = name.len().min(MAX_NAME);
    while !name.is_char_boundary(end) {
        end -= 1;
    }
    if end == 0 { "receiver".to_owned() } else { name[..end].to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_receiver_that_others_cannot_reach_is_not_announced() {
        for listen in ["127.0.0.1:8080", "[::1]:8080"] {
            let listen = listen.parse().unwrap();
            let announced = Announced { name: "studio".to_owned(), receiver: ReceiverId::default(), key: false, listen };
            assert!(Announcement::start(&announced).unwrap().is_none());
        }
    }

    #[test]
    fn long_names_are_cut_between_characters() {
        assert_eq!(label("studio"), "studio");
        assert_eq!(label(&"ä".repeat(40)).len(), 56);
        assert_eq!(label(""), "receiver");
    }
}
