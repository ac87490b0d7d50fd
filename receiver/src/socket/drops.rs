//! How many datagrams the kernel dropped because a socket's buffer was full: Linux says so in `/proc/net/udp` and `udp6`.

use mio::net::UdpSocket;

/// Datagrams dropped since the socket was opened; `None` where the system does not say.
#[cfg(target_os = "linux")]
pub(super) fn of(socket: &UdpSocket) -> Option<u64> {
    let inode = rustix::fs::fstat(socket).ok()?.st_ino;
    let table = |name| std::fs::read_to_string(name).ok().and_then(|table| in_table(&table, inode));
    table("/proc/self/net/udp").or_else(|| table("/proc/self/net/udp6"))
}

/// Elsewhere nobody says.
#[cfg(not(target_os = "linux"))]
pub(super) fn of(_: &UdpSocket) -> Option<u64> {
    None
}

/// The last column, drops, in the row of this inode (proc_pid_net(5); the kernel's `udp4_format_sock`).
#[cfg(any(target_os = "linux", test))]
fn in_table(table: &str, inode: u64) -> Option<u64> {
    const INODE: usize = 9;
    const DROPS: usize = 12;
    let rows = table.lines().skip(1).map(|row| row.split_ascii_whitespace().collect::<Vec<_>>());
    let row = rows.into_iter().find(|row| row.get(INODE).and_then(|field| field.parse().ok()) == Some(inode))?;
    row.get(DROPS)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_row_of_the_socket_counts() {
        let table = "   sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops\n  \
             501: 0100007F:1F90 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 4711 2 0000000000000000 12\n  \
             502: 00000000:14E9 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 4712 2 0000000000000000 0\n";
        assert_eq!([4711, 4712, 12].map(|inode| in_table(table, inode)), [Some(12), Some(0), None]);
        assert_eq!(in_table("", 4711), None);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn what_finds_no_room_is_counted() {
        let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::DGRAM, None).unwrap();
        socket.set_recv_buffer_size(4_096).unwrap();
        socket.bind(&std::net::SocketAddr::from(([127, 0, 0, 1], 0)).into()).unwrap();
        let socket = std::net::UdpSocket::from(socket);
        socket.set_nonblocking(true).unwrap();
        let (to, sender) = (socket.local_addr().unwrap(), std::net::UdpSocket::bind("127.0.0.1:0").unwrap());
        let (socket, mut read) = (UdpSocket::from_std(socket), 0);
        assert_eq!(of(&socket), Some(0));
        for _ in 0..100 {
            sender.send_to(&[0; 1_200], to).unwrap();
        }
        while socket.recv(&mut [0; 1_500]).is_ok() {
            read += 1;
        }
        assert!(read < 100);
        assert_eq!(of(&socket), Some(100 - read));
    }
}
