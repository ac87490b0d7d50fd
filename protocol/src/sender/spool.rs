//! A sender and its spool: what left memory and is kept elsewhere, and the log that an earlier life left there.

use super::*;
use crate::packet::close::GoneReason;
use crate::record::EndReason;
use crate::retention::{SpoolAnswer, SpoolRequest};

/// Further runs of lost entries are told after this.
const NEXT_GONE: Duration = Duration::from_millis(5);

/// What a spool holds of a take whose program ended before everything was durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Leftover {
    /// The first entry that it holds ...
    pub first: SourceNumber,
    /// ... and the one after the last.
    pub end: SourceNumber,
    /// Why there is nothing before the first, unless it is durable.
    pub before: GoneReason,
    /// Where the last of its records ends.
    pub position: SamplePosition,
    /// Whether the last of its records is the log's end.
    pub ended: bool,
}

impl Sender {
    /// A sender for the rest of a take that an earlier life left in a spool, which is in use from the begin. A log without end
    /// is ended as [interrupted](EndReason::Interrupted), behind whatever the receiver has of it.
    pub fn resume(config: SenderConfig, description: Description, seed: u64, now: HostNanos, left: Leftover) -> Self {
        let mut sender = Self::new(config, description, seed, now);
        sender.retention = Retention::resume(config.retention_bytes, left.first, left.end, left.before);
        sender.packer = Packer::new(left.end);
        sender.next_live = left.end;
        sender.announced = left.end;
        sender.stats.entries = left.end.0;
        sender.position = left.position;
        sender.ended = left.ended;
        sender.interrupted = (!left.ended).then_some(left.position);
        sender
    }

    /// From now on there is a spool, for what is older than memory lasts and for what shall outlive this program.
    ///
    /// Ask [`poll_spool`](Self::poll_spool) after each of the other calls until `None`, do what it says in that order, and tell
    /// what came of it by [`handle_spool`](Self::handle_spool). Until then nothing waits for it.
    pub fn use_spool(&mut self) {
        self.retention.use_spool();
    }

    /// What the spool is to do next.
    pub fn poll_spool(&mut self, now: HostNanos) -> Option<SpoolRequest> {
        self.retention.poll_spool(now)
    }

    /// The spool did the oldest that it was asked for, or could not.
    pub fn handle_spool(&mut self, now: HostNanos, answer: SpoolAnswer) {
        // What was read goes out next: nothing else waits for longer.
        self.missing.extend(self.retention.handle_spool(now, answer));
        self.missing.make_contiguous().sort_by_key(|range| range.first);
        self.stats.dropped_entries = self.retention.dropped();
    }

    /// The program is about to end: everything that is not durable goes to the spool now.
    pub fn spool_all(&mut self) {
        self.retention.spool_all();
    }

    /// Whether nothing is lost when the program ends now.
    pub fn is_all_spooled(&self) -> bool {
        self.retention.is_all_spooled()
    }

    /// Entries that the spool holds.
    pub fn spooled(&self) -> u64 {
        self.retention.spooled()
    }

    /// The next run of lost entries that the receiver is to be told of now: one after another, then again.
    pub(super) fn next_gone(&mut self, now: HostNanos) -> Option<Gone> {
        if now < self.gone_due {
            return None;
        }
        let next = self.retention.gone(self.gone_told).or_else(|| self.retention.gone(SourceNumber(0)));
        let (range, reason) = next?;
        self.gone_told = range.end();
        let last = self.retention.gone(self.gone_told).is_none();
        self.gone_due = now.after(if last { REPEAT_INTERVAL } else { NEXT_GONE });
        Some(Gone { range, reason })
    }

    /// Whether the receiver has all that an earlier life left, and perhaps more: then nothing is owed, the end least of all,
    /// which it may have as well.
    pub(super) fn has_all_of_an_earlier_life(&mut self, durable: SourceNumber) -> bool {
        let all = self.interrupted.is_some() && durable >= self.retention.next();
        if all {
            self.retention.extend(durable);
            self.advance_durable(durable);
        }
        all
    }

    /// Ends the log of an earlier life behind the last entry that the receiver knows of: it may have got more than the spool.
    pub(super) fn end_an_earlier_life(&mut self, now: HostNanos, known: SourceNumber) {
        if !matches!(self.link, Link::Up { .. }) {
            return;
        }
        let Some(position) = self.interrupted.take() else { return };
        self.retention.extend(known);
        let next = self.retention.next();
        self.packer = Packer::new(next);
        self.next_live = next;
        self.announced = self.announced.max(next);
        self.stats.entries = next.0;
        self.finish(now, End { position, reason: EndReason::Interrupted });
    }
}
