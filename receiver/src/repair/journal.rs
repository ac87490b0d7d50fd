//! What a journal holds, read from begin to end without changing it.

use std::path::Path;

use send_learn_protocol::packet::feedback::SourceRange;
use send_learn_protocol::record::{Record, records};
use send_learn_protocol::units::{SourceNumber, TakeId};

use super::{RepairError, Report};
use crate::journal::{Follower, Frame, Position, segment_path, segments};
use crate::ranges::RangeSet;
use crate::take::Take;

/// What the journal of a take holds beyond its closed files.
#[derive(Clone, Debug, Default)]
pub struct Survey {
    /// Segments that are needed.
    pub segments: usize,
    /// Entries in them, some of them perhaps twice.
    pub entries: u64,
    /// Entries that no closed file has, and that are in the journal or were gone at the sender.
    pub(super) held: RangeSet,
    /// The end of the last whole frame.
    pub(super) end: Option<Position>,
    /// Bytes after it.
    torn: u64,
    /// Damaged bytes between whole frames.
    damaged: u64,
    /// The lowest entry that stands there.
    pub(super) lowest: Option<u64>,
}

impl Survey {
    /// Reads the journal.
    ///
    /// # Errors
    /// [`RepairError::Journal`].
    pub(super) fn of(folder: &Path, take: &Take) -> Result<Self, RepairError> {
        let mut survey = Self { held: RangeSet::below(SourceNumber(take.resume.entry)), ..Self::default() };
        let numbers: Vec<u32> = segments(folder)?.into_iter().filter(|segment| *segment >= take.resume.segment).collect();
        let (Some(&first), Some(&last), Some(id)) = (numbers.first(), numbers.last(), identity(take)) else { return Ok(survey) };
        survey.segments = numbers.len();
        let mut follower = Follower::new(folder, id, first);
        let (mut segment, mut damaged) = (first, 0);
        while let Some((frame, location)) = follower.next(Position { segment: last, offset: u64::MAX })? {
            match frame {
                Frame::Entry { number, .. } => {
                    survey.entries += 1;
                    survey.lowest = Some(survey.lowest.map_or(number.0, |lowest| lowest.min(number.0)));
                    survey.held.insert_one(number);
                }
                Frame::Gone { gone, .. } => survey.held.insert(gone.range),
            }
            if location.at.segment != segment {
                survey.damaged += damaged;
                segment = location.at.segment;
            }
            damaged = follower.damaged();
        }
        survey.damaged += damaged;
        let end = follower.position();
        let length = std::fs::metadata(segment_path(folder, last)).map_or(0, |metadata| metadata.len());
        survey.torn = if end.segment == last { length.saturating_sub(end.offset) } else { length };
        survey.end = Some(end);
        Ok(survey)
    }

    /// The entries that are missing between others.
    pub(super) fn holes(&self) -> Vec<SourceRange> {
        let mut next = self.held.complete();
        let mut holes = Vec::new();
        for beyond in self.held.beyond() {
            holes.push(SourceRange { first: next, count: beyond.first.0 - next.0 });
            next = beyond.end();
        }
        holes
    }

    pub(super) fn tell(&self, report: &mut Report) {
        if self.segments == 0 {
            return;
        }
        report.found.push(format!("a journal of {} with {}", count(self.segments as u64, "segment"), count(self.entries, "entry")));
        if self.torn > 0 {
            report.found.push(format!(
                "{} at the journal's end that are no whole frame: they were never synced, and their sender was never told that they are safe",
                count(self.torn, "byte")
            ));
        }
        if self.damaged > 0 {
            report.missing.push(format!("{} of the journal are damaged", count(self.damaged, "byte")));
        }
    }
}

/// Where in the log the first `frames` frames of the take end: the entry, and how many of its records belong to them.
pub(super) fn end_of(folder: &Path, take: &Take, survey: &Survey, frames: u64) -> Result<Option<(u64, usize)>, RepairError> {
    if frames == 0 {
        return Ok(survey.lowest.filter(|lowest| *lowest == 0).map(|_| (0, 0)));
    }
    let (Some(end), Some(id), Some(&first)) = (survey.end, identity(take), segments(folder)?.first()) else { return Ok(None) };
    let mut follower = Follower::new(folder, id, first);
    while let Some((frame, _)) = follower.next(end)? {
        let Frame::Entry { number, entry, .. } = frame else { continue };
        let ends = |record| matches!(record, Ok(Record::Block(block)) if block.position.0 + u64::from(block.frames) == frames);
        let all = records(entry).count();
        if let Some(index) = records(entry).position(ends) {
            return Ok(Some(if index + 1 == all { (number.0 + 1, 0) } else { (number.0, index + 1) }));
        }
    }
    Ok(None)
}

pub(super) fn identity(take: &Take) -> Option<TakeId> {
    take.take_id.parse().ok()
}

pub(super) fn count(number: u64, what: &str) -> String {
    match (number, what.strip_suffix('y')) {
        (1, _) => format!("1 {what}"),
        (_, Some(stem)) => format!("{number} {stem}ies"),
        _ => format!("{number} {what}s"),
    }
}
