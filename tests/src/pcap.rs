//! Capture files of datagrams, as tcpdump writes them and Wireshark reads them.

use std::fs;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};

/// The file holds IP packets without a frame around them: LINKTYPE_RAW of <https://www.tcpdump.org/linktypes.html>.
const RAW_IP: u32 = 101;

/// The two ends of what was captured; what they are in truth is of no use to a reader.
const SENDER: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::new(192, 0, 2, 1), 40_000);
const RECEIVER: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::new(192, 0, 2, 2), 8_080);

/// Writes datagrams: when each was seen, whether the sender sent it, and its bytes.
///
/// # Errors
/// When the file cannot be written.
pub fn write<'a>(path: &Path, datagrams: impl IntoIterator<Item = (Duration, bool, &'a [u8])>) -> Result<()> {
    let mut file = Vec::new();
    // https://www.ietf.org/archive/id/draft-ietf-opsawg-pcap: magic for microseconds, version, two zeros, longest packet, link.
    file.extend(0xA1B2_C3D4_u32.to_le_bytes());
    [2_u16, 4].into_iter().for_each(|part| file.extend(part.to_le_bytes()));
    [0, 0, 65_535, RAW_IP].into_iter().for_each(|part| file.extend(part.to_le_bytes()));
    for (at, there, datagram) in datagrams {
        let packet = if there { packet(SENDER, RECEIVER, datagram) } else { packet(RECEIVER, SENDER, datagram) };
        let length = packet.len() as u32;
        [at.as_secs() as u32, at.subsec_micros(), length, length].into_iter().for_each(|part| file.extend(part.to_le_bytes()));
        file.extend(packet);
    }
    fs::write(path, file).with_context(|| format!("cannot write {}", path.display()))
}

/// IPv4 (RFC 791) and UDP (RFC 768) around a datagram; their checksums are left out, which readers do not mind.
fn packet(from: SocketAddrV4, to: SocketAddrV4, datagram: &[u8]) -> Vec<u8> {
    let udp = 8 + datagram.len() as u16;
    let mut packet = vec![0x45, 0];
    packet.extend((20 + udp).to_be_bytes());
    packet.extend([0, 0, 0, 0, 64, 17, 0, 0]);
    packet.extend(from.ip().octets());
    packet.extend(to.ip().octets());
    [from.port(), to.port(), udp, 0].into_iter().for_each(|part| packet.extend(part.to_be_bytes()));
    packet.extend(datagram);
    packet
}
