//! Where the receiver is, as a person writes it.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, SocketAddrV4, ToSocketAddrs};
use std::str::FromStr;

/// The receiver's port unless the address names another.
pub const DEFAULT_PORT: u16 = 8080;

/// The word for "find one": where the receiver is unless someone says otherwise.
pub const AUTOMATIC: &str = "auto";

/// Where a receiver is looked for when none is found in the network: on this machine.
pub const LAST_RESORT: SocketAddr = SocketAddr::V4(SocketAddrV4::new(Ipv4Addr::LOCALHOST, DEFAULT_PORT));

/// An address: numbers, a name that has to be looked up, or that of whichever receiver is found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    /// Ready to be sent to.
    Socket(SocketAddr),
    /// To be looked up.
    Name {
        /// Host name.
        host: String,
        /// UDP port.
        port: u16,
    },
    /// That of the receiver used last, else of the first that is found, else [`LAST_RESORT`].
    Automatic,
}

/// Why a text is no address, or an address leads nowhere.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AddressError {
    /// There is nothing.
    #[error("no address: write one like 192.168.1.20:8080")]
    Empty,
    /// It cannot be read.
    #[error("\"{0}\" is not an address: write one like 192.168.1.20:8080")]
    Malformed(String),
    /// The name is not known.
    #[error("cannot find \"{host}\" ({reason}): write its number, like 192.168.1.20:8080")]
    Unknown {
        /// The name.
        host: String,
        /// What the system says.
        reason: String,
    },
}

impl FromStr for Address {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text = text.trim();
        if text.is_empty() {
            return Err(AddressError::Empty);
        }
        if text.eq_ignore_ascii_case(AUTOMATIC) {
            return Ok(Self::Automatic);
        }
        if let Ok(address) = text.parse::<SocketAddr>() {
            return Ok(Self::Socket(address));
        }
        if let Ok(ip) = text.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>() {
            return Ok(Self::Socket((ip, DEFAULT_PORT).into()));
        }
        let malformed = || AddressError::Malformed(text.to_owned());
        let (host, port) = match text.rsplit_once(':') {
            Some((host, port)) => (host, port.parse().map_err(|_| malformed())?),
            None => (text, DEFAULT_PORT),
        };
        let name = |c: char| c.is_alphanumeric() || matches!(c, '.' | '-' | '_');
        if host.is_empty() || !host.chars().all(name) {
            return Err(malformed());
        }
        Ok(Self::Name { host: host.to_owned(), port })
    }
}

impl Address {
    /// The first socket address. Looking up a name may take seconds. Nothing is searched for.
    ///
    /// # Errors
    /// [`AddressError::Unknown`] when the system does not know the name.
    pub fn resolve(&self) -> Result<SocketAddr, AddressError> {
        match self {
            Self::Socket(address) => Ok(*address),
            Self::Automatic => Ok(LAST_RESORT),
            Self::Name { host, port } => {
                let unknown = |reason: String| AddressError::Unknown { host: host.clone(), reason };
                let mut found = (host.as_str(), *port).to_socket_addrs().map_err(|error| unknown(error.to_string()))?;
                found.next().ok_or_else(|| unknown("it has no address".to_owned()))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_ready_and_names_are_looked_up() {
        let socket = |text: &str| Ok(Address::Socket(text.parse().unwrap()));
        assert_eq!("127.0.0.1:9000".parse(), socket("127.0.0.1:9000"));
        assert_eq!(" 10.0.0.7 ".parse(), socket("10.0.0.7:8080"));
        assert_eq!("[::1]:9000".parse(), socket("[::1]:9000"));
        assert_eq!("::1".parse(), socket("[::1]:8080"));
        assert_eq!("studio.local".parse(), Ok(Address::Name { host: "studio.local".to_owned(), port: 8080 }));
        assert_eq!("studio:9000".parse(), Ok(Address::Name { host: "studio".to_owned(), port: 9000 }));
    }

    #[test]
    fn what_is_no_address_says_how_one_looks() {
        for text in ["", "studio:port", "http://studio:80/", "a b", ":8080", "1.2.3.4:99999"] {
            let error = text.parse::<Address>().unwrap_err().to_string();
            assert!(error.contains("192.168.1.20:8080"), "{text:?}: {error}");
        }
    }
}
