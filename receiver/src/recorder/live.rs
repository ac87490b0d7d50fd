//! A take that is being received: its journal, and what of it is durable.

use std::sync::Arc;
use std::time::Instant;

use send_learn_protocol::packet::close::Gone;
use send_learn_protocol::packet::feedback::SourceRange;
use send_learn_protocol::units::{HostNanos, SourceNumber, TakeId};

use super::{Report, Reporter};
use crate::archive::Progress;
use crate::journal::{Frame, Journal, JournalError};
use crate::ranges::RangeSet;

pub(super) struct Live {
    pub(super) journal: Journal,
    /// What is durable.
    pub(super) held: RangeSet,
    /// What was appended since the last sync.
    pub(super) entries: Vec<SourceNumber>,
    pub(super) gone: Vec<(Gone, HostNanos)>,
    /// What came while recording was paused, and was not taken.
    pub(super) refused: Vec<SourceNumber>,
    /// Bytes of the journal when it was opened.
    pub(super) found: u64,
    pub(super) absent_since: Option<Instant>,
    pub(super) progress: Arc<Progress>,
}

impl Live {
    pub(super) fn is_synced(&self) -> bool {
        self.entries.is_empty() && self.gone.is_empty()
    }

    /// Makes durable what was appended, and says so; or says what the disk did not take.
    ///
    /// # Errors
    /// Why the disk did not take it.
    pub(super) fn sync(&mut self, take: TakeId, report: &Reporter) -> Result<(), JournalError> {
        if self.is_synced() {
            return Ok(());
        }
        match self.journal.sync() {
            Ok(position) => {
                self.progress.set_mark(position);
                self.entries.drain(..).for_each(|number| self.held.insert_one(number));
                self.gone.drain(..).for_each(|(gone, _)| self.held.insert(SourceRange { ..gone.range }));
                report(Report::Durable { take, number: self.held.complete() });
                Ok(())
            }
            Err(error) => {
                report(Report::Lost { take, numbers: std::mem::take(&mut self.entries) });
                for (gone, arrived) in &self.gone {
                    self.journal.append(&Frame::Gone { gone: *gone, arrived: *arrived });
                }
                Err(error)
            }
        }
    }

    /// Says what came while recording was paused.
    pub(super) fn give_back(&mut self, take: TakeId, report: &Reporter) {
        if !self.refused.is_empty() {
            report(Report::Lost { take, numbers: std::mem::take(&mut self.refused) });
        }
    }
}
