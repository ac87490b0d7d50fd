//! How much parity the live path carries, from the loss that feedback tells of.

use crate::fec::Plan;
use crate::packet::feedback::Feedback;
use crate::units::PacketNumber;

/// Groups of 8 sources, two filled in turn: at 320 datagrams per second (stereo float32 at 48 kHz) both are full after 50 ms.
const SOURCES: u8 = 8;
const DEPTH: u8 = 2;

/// Parities in the first groups, before any feedback: 2 of 8, that is 25 %.
const FIRST: u8 = 2;

/// Weight of a new sample of the loss. Falls slowly, so that one quiet second does not strip the protection.
const RISE: f64 = 0.2;
const FALL: f64 = 0.02;

/// Samples of fewer datagrams wait for more.
const SAMPLE: u64 = 64;

/// Chooses the parity count.
#[derive(Clone, Debug, Default)]
pub struct Redundancy {
    loss: Option<f64>,
    /// Highest packet number and datagrams counted at the last sample.
    last: (u64, u64),
}

impl Redundancy {
    /// For a session in which datagrams up to `highest`, the handshake's, are not counted by the receiver.
    pub fn after(highest: PacketNumber) -> Self {
        Self { loss: None, last: (highest.0, 0) }
    }

    /// Takes the receiver's counters.
    pub fn on_feedback(&mut self, feedback: &Feedback) {
        let now = (feedback.highest_packet.0, feedback.datagrams);
        let sent = now.0.saturating_sub(self.last.0);
        if sent < SAMPLE {
            return;
        }
        let came = now.1.saturating_sub(self.last.1).min(sent);
        self.last = now;
        let sample = (sent - came) as f64 / sent as f64;
        self.loss = Some(self.loss.map_or(sample, |loss| loss + (sample - loss) * if sample > loss { RISE } else { FALL }));
    }

    /// Share of datagrams that are lost before any repair, smoothed; 0 before the first sample.
    pub fn loss(&self) -> f64 {
        self.loss.unwrap_or(0.0)
    }

    /// The plan for the next groups: about three standard deviations above the expected losses of a group.
    pub fn plan(&self) -> Plan {
        let parities = match self.loss {
            None => FIRST,
            Some(loss) if loss < 0.001 => 1,
            Some(loss) => {
                let expected = f64::from(SOURCES) * loss;
                (expected + 3.0 * (expected * (1.0 - loss)).sqrt()).ceil().clamp(1.0, f64::from(SOURCES)) as u8
            }
        };
        Plan { sources: SOURCES, parities, depth: DEPTH }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan_at(loss: f64) -> u8 {
        let mut redundancy = Redundancy::default();
        for n in 1..100_u64 {
            let datagrams = ((n * 100) as f64 * (1.0 - loss)) as u64;
            redundancy.on_feedback(&Feedback { highest_packet: PacketNumber(n * 100), datagrams, ..Feedback::default() });
        }
        redundancy.plan().parities
    }

    #[test]
    fn parity_follows_loss() {
        assert_eq!(Redundancy::default().plan().parities, 2);
        assert_eq!(plan_at(0.0), 1);
        assert!((2..=3).contains(&plan_at(0.05)), "{}", plan_at(0.05));
        assert!(plan_at(0.2) > plan_at(0.05));
    }
}
