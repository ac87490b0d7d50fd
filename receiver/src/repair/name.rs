//! A take whose `take.json` is gone or cannot be read: it is written again from the attributes of its files.

use std::path::Path;

use super::make::unlisted;
use super::{Options, RepairError, Report, closed_part, rename};
use crate::journal::segments;
use crate::store::Recording;
use crate::take::{Resume, State, TAKE_FILE, Take, TakeError};

/// Makes a `take.json` of the files. One that cannot be read is put aside.
pub(super) fn again(folder: &Path, why: &TakeError, options: Options, report: &mut Report) -> Result<Take, RepairError> {
    let cannot = |why: String| RepairError::Take(TakeError::Invalid { path: folder.join(TAKE_FILE), why });
    let files = unlisted(folder, &[]);
    let mut known: Vec<(Recording, &Path)> =
        files.iter().filter_map(|path| Some((Recording::open(path).ok()?, path.as_path()))).collect();
    known.sort_by_key(|(recording, _)| (recording.summary.part, !recording.summary.closed));
    let Some((newest, _)) = known.last() else {
        return Err(cannot(format!("{why}; and no file of samples here says what the take is")));
    };
    let mut take = Take::new(&newest.description()?);
    for (recording, path) in known.iter().filter(|(recording, _)| recording.summary.closed) {
        if recording.summary.part == take.next_part() && recording.summary.take_id == take.take_id {
            take.parts.push(closed_part(path)?);
        }
    }
    let first = segments(folder)?.first().copied();
    take.state = if first.is_some() { State::Open } else { State::Damaged };
    if let Some(last) = take.parts.last() {
        let frames = last.first_sample + last.frames;
        take.resume = Resume { frames, segment: first.unwrap_or(1), ..Resume::default() };
        let survey = super::Survey::of(folder, &take)?;
        match super::journal::end_of(folder, &take, &survey, frames)? {
            Some((entry, records)) => (take.resume.entry, take.resume.records) = (entry, records),
            // All of what is in the journal comes after the closed files, if their last block is not in it.
            None => take.resume.entry = survey.lowest.unwrap_or(0),
        }
    } else {
        take.resume.segment = first.unwrap_or(1);
    }
    report.found.push(format!("take.json is gone or damaged ({why})"));
    if options.dry_run {
        report.made.push("take.json would be written again, of what the files say".to_owned());
        return Ok(take);
    }
    let path = folder.join(TAKE_FILE);
    if path.exists() {
        rename(&path, &folder.join("take.json.damaged"))?;
    }
    take.save(folder)?;
    report.made.push("take.json, of what the files say".to_owned());
    Ok(take)
}
