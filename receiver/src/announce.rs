//! The receiver announces itself, so that plugins find it by name.

use std::net::SocketAddr;

use send_learn_discovery::{Announced, Announcement, DiscoveryError};
use send_learn_protocol::units::ReceiverId;

/// Announces a receiver that listens at `listen`, for as long as the value lives. What keeps it from being announced is logged:
/// it can be reached by its address all the same.
pub fn start(listen: SocketAddr, receiver: ReceiverId, key: bool) -> Option<Announcement> {
    let name = rustix::system::uname().nodename().to_string_lossy().into_owned();
    match Announcement::start(&Announced { name: name.clone(), receiver, key, listen }) {
        Ok(Some(announcement)) => {
            tracing::info!("plugins in this network find this receiver as \"{name}\"");
            Some(announcement)
        }
        Ok(None) | Err(DiscoveryError::Off) => None,
        Err(error) => {
            tracing::warn!("this receiver is not announced: {error}");
            None
        }
    }
}
