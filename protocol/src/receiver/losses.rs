//! Which datagrams are lost before any repair, and in what bursts, by packet numbers (spec/quality.md, section 2).

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use crate::units::{HostNanos, PacketNumber};

/// A datagram that has been missing for this long is given up as lost. Reordering within a LAN or over Wi-Fi is well below.
const GIVE_UP: Duration = Duration::from_millis(100);

/// Longer runs are outages: no parity is meant for them, so they count neither as lost nor as bursts. 64 datagrams are 170 ms of
/// a stereo stream.
const LONGEST_BURST: u64 = 64;

/// The most runs that wait to be given up. Beyond it, the oldest are given up at once.
const MAX_WAITING: usize = 512;

/// The most runs that are remembered after they were given up, to tell those that come late.
const MAX_REMEMBERED: usize = 64;

/// The longest burst is told over this long, at least, and twice as long at most.
const BURST_SPAN: Duration = Duration::from_secs(5);

/// Counts lost datagrams and bursts of one session. Bounded in memory whatever the packet numbers.
#[derive(Debug, Default)]
pub(super) struct Losses {
    /// The packet number after the highest; `None` before the first.
    next: Option<u64>,
    /// Runs of packet numbers that have not come: first number to end (exclusive) and when the hole was noticed.
    waiting: BTreeMap<u64, (u64, HostNanos)>,
    /// Runs that were counted as lost of late.
    given_up: VecDeque<(u64, u64)>,
    lost: u64,
    bursts: u64,
    /// The longest burst in this span and in the one before.
    longest: [u64; 2],
    span_began: HostNanos,
}

impl Losses {
    /// A datagram came, for the first time.
    pub(super) fn note(&mut self, now: HostNanos, packet: PacketNumber) {
        let next = self.next.unwrap_or(packet.0);
        if packet.0 >= next {
            if packet.0 > next {
                self.waiting.insert(next, (packet.0, now));
            }
            self.next = Some(packet.0.saturating_add(1));
        } else {
            self.fill(packet.0);
        }
        self.give_up(now);
    }

    /// Datagrams given up as lost and never come since, outages left out.
    pub(super) fn lost(&self) -> u64 {
        self.lost
    }

    /// Runs of lost datagrams.
    pub(super) fn bursts(&self) -> u64 {
        self.bursts
    }

    /// Datagrams in the longest recent burst.
    pub(super) fn longest(&self) -> u16 {
        self.longest[0].max(self.longest[1]) as u16
    }

    fn fill(&mut self, packet: u64) {
        if let Some((&first, &(end, noticed))) = self.waiting.range(..=packet).next_back()
            && packet < end
        {
            self.waiting.remove(&first);
            if first < packet {
                self.waiting.insert(first, (packet, noticed));
            }
            if packet + 1 < end {
                self.waiting.insert(packet + 1, (end, noticed));
            }
        } else if self.given_up.iter().any(|(first, end)| (*first..*end).contains(&packet)) {
            // Late is not lost.
            self.lost = self.lost.saturating_sub(1);
        }
    }

    fn give_up(&mut self, now: HostNanos) {
        while let Some(run) = self.waiting.first_entry() {
            let (first, (end, noticed)) = (*run.key(), *run.get());
            if now.since(noticed) < GIVE_UP && self.waiting.len() <= MAX_WAITING {
                break;
            }
            self.waiting.pop_first();
            if end - first <= LONGEST_BURST {
                self.count(first, end);
            }
        }
        if now.since(self.span_began) >= BURST_SPAN {
            self.span_began = now;
            self.longest = [0, self.longest[0]];
        }
    }

    fn count(&mut self, first: u64, end: u64) {
        self.lost += end - first;
        self.bursts += 1;
        self.longest[0] = self.longest[0].max(end - first);
        if self.given_up.len() == MAX_REMEMBERED {
            self.given_up.pop_front();
        }
        self.given_up.push_back((first, end));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> HostNanos {
        HostNanos(millis * 1_000_000)
    }

    fn counts(losses: &Losses) -> (u64, u64, u16) {
        (losses.lost(), losses.bursts(), losses.longest())
    }

    #[test]
    fn holes_are_lost_when_they_are_old_and_form_bursts() {
        let mut losses = Losses::default();
        for packet in [5, 6, 10, 12] {
            losses.note(at(0), PacketNumber(packet));
        }
        losses.note(at(99), PacketNumber(13));
        assert_eq!(counts(&losses), (0, 0, 0));
        losses.note(at(100), PacketNumber(14));
        assert_eq!(counts(&losses), (4, 2, 3));
    }

    #[test]
    fn late_is_not_lost() {
        let mut losses = Losses::default();
        losses.note(at(0), PacketNumber(0));
        losses.note(at(0), PacketNumber(5));
        losses.note(at(50), PacketNumber(3));
        losses.note(at(100), PacketNumber(6));
        assert_eq!(counts(&losses), (3, 2, 2));
        losses.note(at(200), PacketNumber(2));
        assert_eq!(losses.lost(), 2);
    }

    #[test]
    fn an_outage_is_no_loss_and_the_longest_burst_is_forgotten_in_time() {
        let mut losses = Losses::default();
        losses.note(at(0), PacketNumber(0));
        losses.note(at(1), PacketNumber(66));
        losses.note(at(2), PacketNumber(70));
        losses.note(at(200), PacketNumber(71));
        assert_eq!(counts(&losses), (3, 1, 3));
        losses.note(at(6_000), PacketNumber(72));
        assert_eq!(losses.longest(), 3);
        losses.note(at(12_000), PacketNumber(73));
        assert_eq!(losses.longest(), 0);
    }

    #[test]
    fn any_packet_numbers_leave_memory_bounded() {
        let mut losses = Losses::default();
        for n in 0..10_000_u64 {
            losses.note(at(0), PacketNumber(n * 3));
        }
        losses.note(at(0), PacketNumber(u64::MAX));
        assert!(losses.waiting.len() <= MAX_WAITING + 1 && losses.given_up.len() <= MAX_REMEMBERED);
    }
}
