//! Datagrams that leave in one call of the system: to one receiver, all of one length but the last, which may be shorter.

use std::io;
use std::net::SocketAddr;

/// The most in one batch: more than a host block of 2,048 stereo frames takes. A queue on the way gets them one behind another,
/// as fast as the network goes, so it should not be many.
const MOST: usize = 16;

/// A batch does not begin with a datagram that is shorter than this, in bytes: it is none of a row, and goes at once. A probe
/// says when it left.
const LEAST: usize = 512;

#[derive(Debug, Default)]
pub(super) struct Batch {
    to: Option<SocketAddr>,
    markable: bool,
    /// The length of all but the last.
    segment: usize,
    count: usize,
    limit: usize,
    bytes: Vec<u8>,
}

impl Batch {
    /// What the system takes in one call.
    pub(super) fn limit(&mut self, datagrams: usize) {
        self.limit = datagrams.min(MOST);
    }

    /// Where it goes, if there is something in it.
    pub(super) fn to(&self) -> Option<SocketAddr> {
        self.to
    }

    pub(super) fn is_markable(&self) -> bool {
        self.markable
    }

    /// Whether a datagram fits in; if not, what is in has to be sent before.
    pub(super) fn takes(&self, to: SocketAddr, len: usize, markable: bool) -> bool {
        match self.to {
            None => true,
            // One that is shorter, or full, waits only because the system had no room for it.
            Some(other) => other == to && self.markable == markable && len <= self.segment && !self.is_ended(),
        }
    }

    /// Adds a datagram that fits in; true when the batch is to be sent now.
    pub(super) fn push(&mut self, to: SocketAddr, datagram: &[u8], markable: bool) -> bool {
        if self.to.is_none() {
            (self.to, self.markable, self.segment) = (Some(to), markable, datagram.len());
        }
        self.bytes.extend_from_slice(datagram);
        self.count += 1;
        self.is_ended() || self.segment < LEAST
    }

    /// Sends all by `send`, which gets bytes and, if they are of several datagrams, the length of each. Where the system cannot do
    /// that after all, one by one. When there is no room for it, the batch stays as it is.
    pub(super) fn send(&mut self, mut send: impl FnMut(&[u8], Option<usize>) -> io::Result<()>) -> io::Result<()> {
        let several = (self.count > 1).then_some(self.segment);
        let mut sent = send(&self.bytes, several);
        if several.is_some() && sent.as_ref().is_err_and(|error| error.kind() != io::ErrorKind::WouldBlock) {
            // What has no room now is lost, and repaired like any other loss.
            sent = self.bytes.chunks(self.segment).try_for_each(|datagram| send(datagram, None));
            if sent.as_ref().is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock) {
                sent = Ok(());
            }
        }
        if sent.as_ref().is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock) {
            return sent;
        }
        self.to = None;
        self.count = 0;
        self.bytes.clear();
        sent
    }

    fn is_ended(&self) -> bool {
        self.count >= self.limit || self.bytes.len() < self.count * self.segment
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn to(port: u16) -> SocketAddr {
        ([127, 0, 0, 1], port).into()
    }

    /// A batch with datagrams of these lengths.
    fn batch(limit: usize, lengths: &[usize]) -> Batch {
        let mut batch = Batch::default();
        batch.limit(limit);
        for (n, len) in lengths.iter().enumerate() {
            assert!(batch.takes(to(1), *len, true));
            assert!(!batch.push(to(1), &vec![n as u8; *len], true) || n + 1 == lengths.len());
        }
        batch
    }

    #[test]
    fn a_row_ends_with_a_shorter_one_another_receiver_or_the_limit() {
        let open = batch(4, &[1_200, 1_200]);
        assert!(open.takes(to(1), 1_200, true) && open.takes(to(1), 3, true));
        assert!(!open.takes(to(2), 1_200, true) && !open.takes(to(1), 1_200, false) && !open.takes(to(1), 1_201, true));
        assert!(!batch(4, &[1_200, 700]).takes(to(1), 700, true));
        assert!(!batch(2, &[1_200, 1_200]).takes(to(1), 1_200, true));
        assert!(!batch(1, &[1_200]).takes(to(1), 1_200, true));
    }

    #[test]
    fn where_the_system_cannot_send_several_they_go_one_by_one() {
        let mut batch = batch(8, &[1_000, 1_000, 400]);
        let mut lengths = Vec::new();
        let sent = batch.send(|bytes, segment| match segment {
            Some(_) => Err(io::ErrorKind::InvalidInput.into()),
            None => {
                lengths.push(bytes.len());
                Ok(())
            }
        });
        assert!(sent.is_ok() && batch.to().is_none());
        assert_eq!(lengths, [1_000, 1_000, 400]);
    }

    #[test]
    fn what_finds_no_room_stays_whole() {
        let mut batch = batch(8, &[1_000, 1_000]);
        assert_eq!(batch.send(|_, _| Err(io::ErrorKind::WouldBlock.into())).unwrap_err().kind(), io::ErrorKind::WouldBlock);
        let mut seen = Vec::new();
        batch
            .send(|bytes, segment| {
                seen.push((bytes.len(), segment));
                Ok(())
            })
            .unwrap();
        assert_eq!(seen, [(2_000, Some(1_000))]);
    }
}
