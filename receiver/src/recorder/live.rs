//! A take that is being received: its journal, and what of it is durable.

use std::sync::Arc;
use std::time::Instant;

use send_learn_protocol::packet::close::Gone;
use send_learn_protocol::packet::feedback::SourceRange;
use send_learn_protocol::units::{HostNanos, SourceNumber, TakeId};

use super::{Report, Reporter};
use crate::archive::Progress;
use crate::journal::{Frame, Journal};
use crate::ranges::RangeSet;

pub(super) struct Live {
    pub(super) journal: Journal,
    /// What is durable.
    pub(super) held: RangeSet,
    /// What was appended since the last sync.
    pub(super) entries: Vec<SourceNumber>,
    pub(super) gone: Vec<(Gone, HostNanos)>,
    pub(super) absent_since: Option<Instant>,
    pub(super) progress: Arc<Progress>,
    /// The last sync failed: said once.
    pub(super) failing: bool,
}

impl Live {
    pub(super) fn is_synced(&self) -> bool {
        self.entries.is_empty() && self.gone.is_empty()
    }

    /// Makes durable what was appended, and says so; or says what the disk did not take.
    pub(super) fn sync(&mut self, take: TakeId, report: &Reporter) {
        if self.is_synced() {
            return;
        }
        match self.journal.sync() {
            Ok(position) => {
                self.progress.set_mark(position);
                self.entries.drain(..).for_each(|number| self.held.insert_one(number));
                self.gone.drain(..).for_each(|(gone, _)| self.held.insert(SourceRange { ..gone.range }));
                if std::mem::take(&mut self.failing) {
                    tracing::info!("the disk takes the journal again");
                }
                report(Report::Durable { take, number: self.held.complete() });
            }
            Err(error) => {
                if !std::mem::replace(&mut self.failing, true) {
                    tracing::error!(
                        "{error}. Nothing is lost: the sender keeps what is not on disk, and sends it again. Free disk space."
                    );
                }
                report(Report::Lost { take, numbers: std::mem::take(&mut self.entries) });
                for (gone, arrived) in &self.gone {
                    self.journal.append(&Frame::Gone { gone: *gone, arrived: *arrived });
                }
            }
        }
    }
}
