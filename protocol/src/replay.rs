//! Which packet numbers came already: a sliding window, as in RFC 4303, section 3.4.3.

use crate::units::PacketNumber;

const WORDS: usize = 32;

/// Packet numbers this far behind the highest are too old to be told from repeats, and count as such.
pub const WINDOW: u64 = WORDS as u64 * 64;

/// Remembers the last [`WINDOW`] packet numbers.
#[derive(Clone, Debug, Default)]
pub struct ReplayWindow {
    /// One more than the highest number seen.
    end: u64,
    /// Bit n % WINDOW tells whether number n was seen.
    seen: [u64; WORDS],
}

impl ReplayWindow {
    /// Takes a number; false when it came before or is too old.
    pub fn insert(&mut self, packet: PacketNumber) -> bool {
        let Some(end) = packet.0.checked_add(1) else { return false };
        if end > self.end {
            if end - self.end >= WINDOW {
                self.seen = [0; WORDS];
            } else {
                (self.end..end).for_each(|number| self.clear(number));
            }
            self.end = end;
        } else if self.end - packet.0 > WINDOW {
            return false;
        }
        let (word, bit) = place(packet.0);
        let fresh = self.seen[word] & bit == 0;
        self.seen[word] |= bit;
        fresh
    }

    fn clear(&mut self, number: u64) {
        let (word, bit) = place(number);
        self.seen[word] &= !bit;
    }
}

fn place(number: u64) -> (usize, u64) {
    ((number / 64) as usize % WORDS, 1 << (number % 64))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::HashSet;

    proptest! {
        #[test]
        fn each_number_within_the_window_passes_once(steps in prop::collection::vec(-3_000_i64..3_000, 1..300)) {
            let (mut window, mut seen, mut highest, mut number) = (ReplayWindow::default(), HashSet::new(), 0, 5_000_i64);
            for step in steps {
                number = (number + step).max(0);
                let n = number as u64;
                let expected = (n > highest || highest - n < WINDOW) && !seen.contains(&n);
                prop_assert_eq!(window.insert(PacketNumber(n)), expected);
                if expected { seen.insert(n); }
                highest = highest.max(n);
            }
        }
    }
}
